"""Structured logs that say who (by id) and why (by correlation), and nothing about the person.

`log = get_logger(__name__)`, then `log.warning("resource refused the grant", grant_id=…, attempt=3)`: constant text,
facts as fields. `bound(person=…, correlation=…)` puts ids on every line inside.

Four nets keep personal data out: fields whose name says that they hold some are redacted; mail addresses are redacted
wherever they stand; only plain values are printed (of a list or a dict the size), so that no whole message slips in;
an exception is logged as type and place, and its text, which may quote a document, only for types known not to.
What no net holds is a name in the constant text, ours or a library's: a text is a literal (ruff's G rules see to it).
"""

import logging
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import date, timedelta
from enum import Enum
from typing import Any, Literal, TextIO
from uuid import UUID

import orjson
import structlog

REDACTED = "[redacted]"

# Compared in lower case without `_` and `-`, so that display_name and displayName are one.
UNSAFE_FIELDS = frozenset(
    """
    name displayname givenname surname firstname lastname middlename fullname nickname mailnickname title jobtitle
    mail email mails emails othermails proxyaddresses userprincipalname upn address recipient sender to
    phone mobilephone businessphones faxnumber streetaddress postalcode city country officelocation birthday
    department companyname costcenter division employeeorgdata employeetype onpremisesextensionattributes
    attributes attribute extensionattributes value values old new before after changes
    body payload document doc message original content html text subject justification comment reason_text answer
    password passwd secret token authorization cookie apikey privatekey credentials uri connectionstring
    """.split()  # noqa: SIM905 - as words it can be read
)

_MAIL = re.compile(r"[^\s@<>\"'(),;:=\[\]]{1,64}@[\w.-]{1,253}", re.UNICODE)
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+@")
_LONGEST = 500

_CLIENTS = frozenset({"aiokafka", "kafka", "pymongo"})

Event = MutableMapping[str, Any]


def is_unsafe(field: str) -> bool:
    """Whether a field of this name may hold something personal or secret."""
    return field.replace("_", "").replace("-", "").lower() in UNSAFE_FIELDS or field.lower() in UNSAFE_FIELDS


def cleaned(text: str) -> str:
    """`text` without credentials in addresses and without mail addresses, cut to 500 characters."""
    # An address starts within the first 500 + 64 characters or is cut away; more is not searched.
    text = text[: _LONGEST + 64]
    if "@" in text:
        text = _MAIL.sub(REDACTED, _CREDENTIALS.sub("", text))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _safe(value: Any) -> Any:
    shown: Any = f"<{type(value).__name__}>"
    match value:
        case Enum():
            shown = _safe(value.value)
        case None | bool() | int() | float():
            shown = value
        case str():
            shown = cleaned(value)
        case date() | UUID():
            shown = str(value)
        case timedelta():
            shown = value.total_seconds()
        case BaseException():
            shown = type(value).__name__
        case dict() | list() | tuple() | set() | frozenset() | bytes():
            shown = f"<{type(value).__name__} of {len(value)}>"
    return shown


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Processor: the net. Runs last before rendering, on everything any other processor added."""
    for field, value in event.items():
        if field == "exception":  # made by place_exceptions, longer than other texts
            continue
        if field == "event":
            event[field] = cleaned(str(value))
        elif value is not None and is_unsafe(field):
            event[field] = REDACTED
        else:
            event[field] = _safe(value)
    return event


def place_exceptions(_logger: Any, _method: str, event: Event) -> Event:
    """Processor: `exc_info` becomes `error`, `error_text` and `exception`: files, lines and functions, no values."""
    exc_info = event.pop("exc_info", None)
    if not exc_info:
        return event
    error = (
        exc_info
        if isinstance(exc_info, BaseException)
        else (exc_info if isinstance(exc_info, tuple) else sys.exc_info())[1]
    )
    if error is None:
        return event
    event["error"] = type(error).__name__
    if (text := _error_text(error)) is not None:
        event["error_text"] = text
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    event["exception"] = " > ".join(
        f"{frame.filename.split('/site-packages/')[-1]}:{frame.lineno} {frame.name}" for frame in frames
    )
    return event


# Their texts name types, files, hosts and codes. Others may quote what they choked on: a document, a value, a person.
_PLAIN_ERRORS = (OSError, ImportError, AttributeError, TypeError, NameError, NotImplementedError)
_PLAIN_MODULES = ("aiokafka.errors", "kafka.errors")


def _error_text(error: BaseException) -> str | None:
    kind = type(error)
    if kind.__module__ == "pymongo.errors" and (code := getattr(error, "code", None)) is not None:
        return f"code {code}"  # a duplicate key error quotes the key
    if getattr(kind, "safe_to_log", False) or kind.__module__ in _PLAIN_MODULES or isinstance(error, _PLAIN_ERRORS):
        return cleaned(str(error))
    if kind.__module__ == "pymongo.errors" and any(base.__name__ == "ConnectionFailure" for base in kind.__mro__):
        return cleaned(str(error))
    if kind.__name__ == "ValidationError" and callable(errors := getattr(error, "errors", None)):
        # pydantic: which field and which rule, without the input
        found = errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in found[:10])
    return None


def _json(event: Event, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class _NamesFirst:
    """Console: time, level, text, fields; no colours unless a terminal reads."""

    def __init__(self, colours: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0)

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        if placed := event.pop("exception", None):
            event["at"] = placed
        return self._render(logger, method, event)


class Sparing(logging.Filter):
    """Lets a client library say the same thing a few times in a while, and no more.

    While a server is away it tries again by the hundred a second and says each time that it failed: that would fill the
    disk with what the first lines told, and readiness and metrics tell what is wrong all the while."""

    def __init__(self, most: int = 5, within_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most = most
        self._within_s = within_s
        self._clock = clock
        self._until = 0.0
        self._said: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _CLIENTS:
            return True
        if (now := self._clock()) >= self._until:
            self._said.clear()
            self._until = now + self._within_s
        what = (record.name, str(record.msg))
        self._said[what] += 1
        return self._said[what] <= self._most


def configure(
    log_format: Literal["auto", "json", "console"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up logging for this process, structlog's and the standard library's alike; may be called again.

    Goes to standard error, so that a command's output stays clean. `auto`: console on a terminal, else JSON.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    if log_format == "auto":
        log_format = "console" if terminal else "json"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_json) if log_format == "json" else _NamesFirst(terminal)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            place_exceptions,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(Sparing())
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # These say every record or request at info or below, or warn about what we handle.
    for noisy in ("aiokafka", "kafka", "pymongo", "faststream", "uvicorn.access", "mail.log", "httpx", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The module's logger: `get_logger(__name__)`."""
    return structlog.stdlib.get_logger(name)


@contextmanager
def bound(
    *, service: str | None = None, correlation: str | None = None, person: str | None = None, **ids: str | int
) -> Iterator[None]:
    """Put these ids on every line logged inside, also by tasks started there. Ids only: the net holds for them too."""
    known: Iterable[tuple[str, str | int | None]] = (
        ("service", service),
        ("correlation", correlation),
        ("person", person),
        *ids.items(),
    )
    with structlog.contextvars.bound_contextvars(**{key: value for key, value in known if value is not None}):
        yield
