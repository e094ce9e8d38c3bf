"""How mongod is run here: which one, its command line, and when it counts as up."""

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.embedded.errors import CannotRunHere
from deploy.embedded.folder import Folder, listens

REPLICA_SET = "tenure"

_NOT_YET_INITIALIZED = 94
_INVALID_REPLICA_SET_CONFIG = 93


def binary() -> Path:
    """The mongod to run: TENURE_MONGOD if set, else the package's, else the one on the PATH. Raises CannotRunHere."""
    if chosen := os.environ.get("TENURE_MONGOD"):
        found = shutil.which(chosen)
        if found is None:
            raise CannotRunHere(f"TENURE_MONGOD names {chosen}, which cannot be executed.")
        return Path(found)
    if packaged := _packaged():
        return packaged
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    here = f"{platform.system()} {platform.machine()}"
    raise CannotRunHere(
        f"There is no mongod: the package with one is for Linux x86-64 (this is {here}), and none is on the PATH.",
        "Install the package (`pip install 'tenure[embedded]'`) or MongoDB 7 or later, or set TENURE_MONGOD.",
    )


def uri(port: int) -> str:
    """How clients connect."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}&directConnection=true"


def command(folder: Folder, port: int, cache_mb: int) -> list[str]:
    """What starts mongod."""
    data = folder.mongo / "data"
    data.mkdir(exist_ok=True)
    settings = {
        "diagnosticDataCollectionEnabled": "false",
        # Our own clients are gone when we stop it: it need not wait for others to finish.
        "shutdownTimeoutMillisForSignaledShutdown": "100",
        "ttlMonitorSleepSecs": "60",
    }
    # By default pages are written out at a twentieth of the cache, so with a small one the same page again and again;
    # the journal keeps what a crash would lose.
    eviction = (
        "eviction_dirty_target=30,eviction_dirty_trigger=60,eviction_updates_target=20,eviction_updates_trigger=50"
    )
    return [
        str(binary()),
        *("--dbpath", str(data)),
        *("--bind_ip", "127.0.0.1", "--port", str(port)),
        "--nounixsocket",
        *("--replSet", REPLICA_SET),
        *("--oplogSize", "256"),
        *("--wiredTigerCacheSizeGB", f"{max(cache_mb, 256) / 1024:.2f}"),
        *("--wiredTigerEngineConfigString", eviction),
        *("--quiet", "--slowms", "1000"),  # a bulk write of a thousand is slow for nobody, and its log line is long
        *(part for name, value in settings.items() for part in ("--setParameter", f"{name}={value}")),
    ]


async def is_up(port: int) -> bool:
    """Whether mongod is primary. A new one is made a replica set of one first; one that changed its port is told."""
    if not await listens(port):
        return False
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500
    )
    try:
        hello = await client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            return bool(hello.get("me") == f"127.0.0.1:{port}")
        if not hello.get("secondary"):
            await _make_or_move_replica_set(client, f"127.0.0.1:{port}")
    except PyMongoError:
        return False
    finally:
        await client.close()
    return False


async def _make_or_move_replica_set(client: AsyncMongoClient[dict[str, Any]], host: str) -> None:
    try:
        current = (await client.admin.command("replSetGetConfig"))["config"]
    except OperationFailure as error:
        if error.code == _NOT_YET_INITIALIZED:
            config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
            await client.admin.command("replSetInitiate", config)
            return
        if error.code == _INVALID_REPLICA_SET_CONFIG:
            return
        raise
    if [member["host"] for member in current["members"]] != [host]:
        current["members"] = [{**current["members"][0], "host": host}]
        current["version"] += 1
        await client.admin.command("replSetReconfig", current, force=True)


def _packaged() -> Path | None:
    if not (sys.platform.startswith("linux") and platform.machine() == "x86_64"):
        return None
    package = importlib.util.find_spec("fiftyone")  # a namespace package: finding it runs nothing
    for place in (package.submodule_search_locations or ()) if package else ():
        candidate = Path(place) / "db" / "bin" / "mongod"
        if candidate.exists():
            if not os.access(candidate, os.X_OK):  # some installers drop the bit
                candidate.chmod(0o755)
            return candidate
    return None
