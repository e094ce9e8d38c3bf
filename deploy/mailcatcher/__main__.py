"""`python -m deploy.mailcatcher --data-dir DIR`: the mail catcher alone, as compose runs it."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from deploy.mailcatcher.catcher import MailCatcher
from shared.telemetry.logs import configure, get_logger

log = get_logger(__name__)


def main(
    data_dir: Annotated[Path, typer.Option(help="Folder for the mails.")] = Path(".tenure/mails"),
    smtp_port: Annotated[int, typer.Option(help="Port for SMTP; 0 takes a free one.")] = 1025,
    http_port: Annotated[int, typer.Option(help="Port for HTTP; 0 takes a free one.")] = 8025,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anyone who reaches it reads the mails.")
    ] = "127.0.0.1",
) -> None:
    """Take mail for anyone, deliver it nowhere, show it."""
    configure()
    asyncio.run(_run(data_dir, smtp_port, http_port, host))


async def _run(data_dir: Path, smtp_port: int, http_port: int, host: str) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for asked in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(asked, stopping.set)
    catcher = MailCatcher()
    await catcher.start(data_dir, smtp_port, http_port, host)
    log.info("mail catcher started", smtp="{}:{}".format(*catcher.smtp), url=catcher.url, mails_kept=catcher.count)
    await stopping.wait()
    await catcher.stop()


if __name__ == "__main__":
    typer.run(main)
