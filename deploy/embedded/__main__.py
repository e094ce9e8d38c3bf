"""`python -m deploy.embedded fetch | run --data-dir DIR | lock`."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from deploy.embedded import EmbeddedError, archive, check_machine, jars, servers


def main() -> int:
    """Returns 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded", description="Kafka and MongoDB without Docker.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="download Kafka's jars and verify them")
    commands.add_parser("lock", help="resolve Kafka's jars anew and pin their checksums")
    run = commands.add_parser("run", help="run both until Ctrl-C")
    run.add_argument("--data-dir", type=Path, default=Path(".tenure"))
    run.add_argument("--kafka-port", type=int)
    run.add_argument("--mongo-port", type=int)
    arguments = parser.parse_args()
    try:
        if arguments.command == "fetch":
            check_machine()
            jars.fetch(_say)
            asyncio.run(archive.make(_say))
        elif arguments.command == "lock":
            jars.lock(_say)
        else:
            asyncio.run(_run(arguments.data_dir, arguments.kafka_port, arguments.mongo_port))
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _run(data_dir: Path, kafka_port: int | None, mongo_port: int | None) -> None:
    over = asyncio.Event()
    for asked in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(asked, over.set)
    async with servers(data_dir, kafka_port=kafka_port, mongo_port=mongo_port, progress=_say) as both:
        _say(f"TENURE_KAFKA={both.endpoints.kafka}")
        _say(f"TENURE_MONGO={both.endpoints.mongo}")
        waits = [asyncio.ensure_future(wait) for wait in (over.wait(), both.kafka.wait(), both.mongo.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not over.is_set():
            _say("A server has ended; stopping the other.")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
