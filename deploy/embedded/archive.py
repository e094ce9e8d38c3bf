"""Kafka's class archive and its formatted storage: one trial run of the broker, once an installation, halves the time
of every later start."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded import jars, kafka
from deploy.embedded.folder import free_port, held
from deploy.embedded.servers import Server

# At its end the JVM starts a second one that writes the archive; on a slow machine that takes its time.
_WRITING_S = 120.0


async def make(progress: Callable[[str], None]) -> None:
    """Make both unless they are there, and the archive not older than the jars. Raises StartFailed."""
    archive = kafka.class_archive()
    newest_jar = max(jar.stat().st_mtime for jar in jars.class_path())
    current = archive.exists() and archive.stat().st_mtime >= newest_jar
    if current and kafka.formatted_storage().is_dir():
        return
    progress("Kafka: one trial run, so that later starts are quick")
    with tempfile.TemporaryDirectory(dir=jars.cache(), prefix="trial-") as place:
        written = Path(place) / "written.aot"
        formatted = Path(place) / "formatted"
        await _trial_run(Path(place) / "data", written, formatted)
        if not kafka.formatted_storage().is_dir():
            formatted.rename(kafka.formatted_storage())
        if written.exists():
            written.replace(archive)
            progress(f"Kafka: class archive of {archive.stat().st_size / 1e6:.0f} MB in {archive}")
        else:
            progress("Kafka: this JVM wrote no class archive; starts take a few seconds longer")


async def _trial_run(data: Path, archive: Path, formatted: Path) -> None:
    async with held(data) as folder:
        port = free_port()
        controller_port = free_port({port})
        settings = kafka.configure(folder, port, controller_port)

        async def command() -> list[str]:
            await kafka.format_storage(folder, port, controller_port, folder.logs / "kafka.log")
            shutil.copytree(kafka.data(folder), formatted)
            return kafka.command(folder, settings, 256, archive_to=archive)

        server = Server(
            "kafka", folder, port, command, lambda: kafka.is_up(port), cwd=folder.kafka, env=kafka.environment()
        )
        await server.start()
        try:
            async with asyncio.timeout(60):
                await _use(f"127.0.0.1:{port}")
        finally:
            await server.stop(patience=_WRITING_S)


async def _use(broker: str) -> None:
    """What every run does: the classes for it belong into the archive as well."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic("trial", num_partitions=2, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker, transactional_id="trial") as producer, producer.transaction():
        for key in (b"a", b"b", b"c"):
            await producer.send_and_wait("trial", b"value", key=key)
    reading = {"group_id": "trial", "auto_offset_reset": "earliest", "enable_auto_commit": False}
    async with AIOKafkaConsumer("trial", bootstrap_servers=broker, **reading) as consumer:
        await consumer.getone()
        await consumer.commit()
