"""Kafka's jars: which ones, their checksums, and how they come here.

`kafka-jars.sha256` pins them, in the format of `sha256sum`; a path there is the path in any Maven repository. They are
fetched by jgo's own resolver from the repositories that jgo is configured with (`[repositories]` in its settings file),
and kept in `TENURE_CACHE`, or else inside the virtual environment (`share/tenure`), where `make clean` removes them.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import BadDownload, CannotRunHere

KAFKA = "4.3.1"
PINS = Path(__file__).with_name("kafka-jars.sha256")

# What `lock` resolves: the broker, and a logger for it that needs no configuration file.
_ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA}", "org.slf4j:slf4j-simple:1.7.36")
_AT_ONCE = 4
_ATTEMPTS = 3

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Jar:
    """One pinned file."""

    sha256: str
    path: str
    """Path in a Maven repository: group/…/artifact/version/artifact-version.jar."""

    @property
    def coordinate(self) -> tuple[str, str, str]:
        """Group, artifact and version, as the path spells them."""
        *group, artifact, version, _ = self.path.split("/")
        return ".".join(group), artifact, version

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rsplit("/", 1)[1]


def cache() -> Path:
    """Where jars and class archives are kept."""
    if chosen := os.environ.get("TENURE_CACHE"):
        return Path(chosen).expanduser().resolve()
    inside = Path(sys.prefix)
    if sys.prefix != sys.base_prefix and os.access(inside, os.W_OK):
        return inside / "share" / "tenure"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tenure"


def pinned() -> list[Jar]:
    """The jars, in the order of the class path."""
    lines = (line for line in PINS.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line.split(maxsplit=1)) for line in lines]


def class_path() -> list[Path]:
    """The fetched and verified jars. Raises CannotRunHere if some are not here yet.

    Sizes and times are not looked at again: what is under its final name was verified when it was put there."""
    paths = [_home() / jar.name for jar in pinned()]
    if missing := [path.name for path in paths if not path.exists()]:
        raise CannotRunHere(
            f"{len(missing)} of Kafka's {len(paths)} jars are missing ({missing[0]}, …).",
            "`make setup`, or `python -m deploy.embedded fetch`, downloads them.",
        )
    return paths


def fetch(progress: Progress) -> list[Path]:
    """Download what is missing and verify everything against the pins. Returns the class path.

    Raises BadDownload when a file is not the pinned one (it is not kept) or cannot be had."""
    jars = pinned()
    missing = [jar for jar in jars if not _is_pinned(_home() / jar.name, jar)]
    if missing:
        _home().mkdir(parents=True, exist_ok=True)
        with _staging() as staging, ThreadPoolExecutor(_AT_ONCE) as pool:
            for done, (jar, size) in enumerate(pool.map(lambda jar: (jar, _fetch_one(jar, staging)), missing), start=1):
                progress(f"Kafka {KAFKA}: {done} of {len(missing)} jars, {jar.name} ({size / 1e6:.1f} MB)")
    progress(f"Kafka {KAFKA}: {len(jars)} jars verified in {_home()}")
    return class_path()


def lock(progress: Progress) -> None:
    """Resolve Kafka's dependencies anew and write the pins. For the one who moves to another version."""
    with _staging() as staging:
        maven = _maven(staging)
        dependencies = [maven.create_dependency(root) for root in _ROOTS]
        roots, others = maven.resolver.resolve(dependencies)
        lines = []
        for dependency in [*roots, *others]:
            if dependency.type != "jar" or dependency.scope in ("test", "provided"):
                continue
            file = dependency.artifact.resolve()
            path = f"{dependency.artifact.component.path_prefix.as_posix()}/{dependency.artifact.filename}"
            lines.append(f"{_sha256(file)}  {path}")
            progress(path)
    PINS.write_text("\n".join([lines[0], *sorted(set(lines[1:]), key=lambda line: line.split()[1])]) + "\n")


def _home() -> Path:
    return cache() / f"kafka-{KAFKA}"


@contextmanager
def _staging() -> Iterator[Path]:
    staging = cache() / f"download-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_one(jar: Jar, staging: Path) -> int:
    """Bring one jar to its final place; its size in bytes."""
    group, artifact, version = jar.coordinate
    wanted = _maven(staging).project(group, artifact).at_version(version).artifact()
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            came = Path(wanted.resolve())
            break
        except (OSError, RuntimeError) as error:
            if attempt == _ATTEMPTS:
                raise BadDownload(f"{jar.name} could not be downloaded: {error}") from error
            wanted.cached_path.unlink(missing_ok=True)  # half a file would be taken for the whole
    if not _is_pinned(came, jar):
        raise BadDownload(f"{came} has the checksum {_sha256(came)}, and {PINS.name} pins {jar.sha256}: not using it.")
    home = _home() / jar.name
    arrived = home.with_suffix(f".{os.getpid()}")
    shutil.copyfile(came, arrived)
    arrived.replace(home)
    return home.stat().st_size


def _maven(staging: Path):  # type: ignore[no-untyped-def]  # jgo has no types
    """jgo's own resolver, with the repositories jgo is configured with before its default, and the user's own files."""
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - costs half a second, and only fetching needs it
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as error:
        raise CannotRunHere("jgo is not installed.", "`pip install 'tenure[embedded]'` brings it.") from error
    settings = GlobalSettings.load()
    return MavenContext(
        resolver=PythonResolver(),
        repo_cache=staging,
        local_repos=[settings.repo_cache],
        remote_repos={**settings.repositories, "central": settings.repositories.get("central", MAVEN_CENTRAL_URL)},
        timeout=60,
    )


def _is_pinned(file: Path, jar: Jar) -> bool:
    return file.exists() and _sha256(file) == jar.sha256


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
