"""The mail catcher as one thing that starts and stops."""

from pathlib import Path

from deploy.mailcatcher.mailbox import Mailbox
from deploy.mailcatcher.pages import router
from deploy.mailcatcher.smtp import SmtpServer
from shared.web.app import LOCAL_HOSTS, make_app
from shared.web.server import HttpServer


class MailCatcher:
    """A mail server and its pages, with the mails in a folder. `start` once, then `stop`."""

    def __init__(self) -> None:
        self._mailbox: Mailbox | None = None
        self._smtp: SmtpServer | None = None
        self._http: HttpServer | None = None
        self.smtp: tuple[str, int] = ("", 0)
        """Host and port that take mail, once started."""

    async def start(self, data_dir: Path, smtp_port: int = 0, http_port: int = 0, host: str = "127.0.0.1") -> None:
        """Load what `data_dir` holds and listen; port 0 takes a free one. Raises OSError if an address is taken.

        Beyond this machine (`host`) whoever asks may read and delete all mails.
        """
        self._mailbox = Mailbox(data_dir)
        try:
            self._smtp = SmtpServer(self._mailbox)
            self.smtp = await self._smtp.start(host, smtp_port)
            hosts = LOCAL_HOSTS if host in LOCAL_HOSTS else None
            app = make_app("Tenure mail catcher", [router(self._mailbox)], service="mailcatcher", hosts=hosts)
            self._http = HttpServer(app, host, http_port)
            await self._http.start()
        except BaseException:
            await self.stop()
            raise

    @property
    def url(self) -> str:
        """Where the mails are shown, without a slash at the end."""
        return self._http.url if self._http else ""

    @property
    def count(self) -> int:
        """Mails kept, repeats not counted."""
        return len(self._mailbox) if self._mailbox is not None else 0

    async def stop(self) -> None:
        """Stop listening and close the file. Harmless if stopped or never started."""
        if self._smtp:
            await self._smtp.stop()
        if self._http:
            await self._http.stop()
        if self._mailbox is not None:
            self._mailbox.close()
        self._smtp = self._http = self._mailbox = None
