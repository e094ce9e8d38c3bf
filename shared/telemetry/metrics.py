"""Every metric, in one typed table; code, `/metrics` and the docs read it.

A metric's labels are given in the call, by name, and have to be the table's: a topic or a service, never a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

REGISTRY = CollectorRegistry()
"""Ours alone: the default one would bring what a library happens to register."""
prometheus_client.ProcessCollector(registry=REGISTRY)  # memory, CPU and open files of the process

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PEOPLE = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A line of the table. `help` says what is counted and in what unit, `when_it_rises` what to do."""

    name: str
    by: tuple[str, ...] = ()
    help: str
    when_it_rises: str
    _children: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    def _make(self) -> MetricWrapperBase:
        raise NotImplementedError

    def __post_init__(self) -> None:
        object.__setattr__(self, "_metric", self._make())

    def _at(self, labels: dict[str, str]) -> Any:
        # prometheus-client's labels() costs more than the increment, and a batch loop asks for the same few again.
        key = tuple(labels.values())
        if (child := self._children.get(key)) is not None and tuple(labels) == self.by:
            return child
        if set(labels) != set(self.by):
            raise ValueError(f"{self.name} is counted by {self.by or 'nothing'}, not by {tuple(labels) or 'nothing'}.")
        metric: Any = self.__dict__["_metric"]
        child = metric.labels(**labels) if self.by else metric
        if tuple(labels) == self.by:
            self._children[key] = child
        return child

    def value(self, **labels: str) -> float:
        """What it shows now (a histogram: the sum of what was observed), 0 if never touched. For status and tests."""
        suffix = {"histogram": "_sum", "counter": "", "gauge": ""}[self.kind]
        return REGISTRY.get_sample_value(self.name + suffix, labels) or 0.0

    @property
    def kind(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True, kw_only=True)
class Counter(Metric):
    """Only rises. Its name ends in `_total`."""

    def _make(self) -> MetricWrapperBase:
        return prometheus_client.Counter(self.name, self.help, self.by, registry=REGISTRY)

    def add(self, amount: float = 1, /, **labels: str) -> None:
        self._at(labels).inc(amount)


@dataclass(frozen=True, kw_only=True)
class Gauge(Metric):
    """A value as it is now."""

    def _make(self) -> MetricWrapperBase:
        return prometheus_client.Gauge(self.name, self.help, self.by, registry=REGISTRY)

    def set(self, value: float, /, **labels: str) -> None:
        self._at(labels).set(value)

    def forget(self, **labels: str) -> None:
        """Show these labels no longer: a lag that nobody measures any more would stand for ever."""
        if tuple(labels.values()) in self._children:
            del self._children[tuple(labels.values())]
            self.__dict__["_metric"].remove(*labels.values())


@dataclass(frozen=True, kw_only=True)
class Histogram(Metric):
    """How often, and how long or how large."""

    buckets: tuple[float, ...] = SECONDS

    def _make(self) -> MetricWrapperBase:
        return prometheus_client.Histogram(self.name, self.help, self.by, registry=REGISTRY, buckets=self.buckets)

    def observe(self, value: float, /, **labels: str) -> None:
        self._at(labels).observe(value)


BATCHES = Counter(
    name="tenure_batches_total",
    by=("service", "topic"),
    help="Batches that were written, published and committed.",
    when_it_rises="Normal. Standing still while tenure_lag is above 0: see tenure_retries_total.",
)
BATCH_SECONDS = Histogram(
    name="tenure_batch_seconds",
    by=("service", "topic"),
    help="Seconds from taking a batch to its commit.",
    when_it_rises="Look which step is slow: tenure_step_seconds.",
)
STEP_SECONDS = Histogram(
    name="tenure_step_seconds",
    by=("service", "step"),
    help="Seconds a step of a batch took: load, decide, write, publish, commit.",
    when_it_rises="load, write: MongoDB; publish, commit: Kafka; decide: our own code.",
)
BATCH_MESSAGES = Histogram(
    name="tenure_batch_messages",
    by=("service", "topic"),
    help="Messages in a batch.",
    when_it_rises="Normal under load: larger batches cost less a message.",
    buckets=PEOPLE,
)
MESSAGES = Counter(
    name="tenure_messages_total",
    by=("service", "topic"),
    help="Messages handled, repeats included.",
    when_it_rises="Normal.",
)
PUBLISHED = Counter(
    name="tenure_published_total",
    by=("service", "topic"),
    help="Messages that Kafka has acknowledged, repeats included.",
    when_it_rises="Normal.",
)
DEAD_LETTERS = Counter(
    name="tenure_dead_letters_total",
    by=("topic", "reason"),
    help="Messages set aside: each is a change that has not happened yet.",
    when_it_rises="Read the reason with `tenure dead-letters list`, fix it, then `tenure dead-letters replay`.",
)
REJECTIONS = Counter(
    name="tenure_rejections_total",
    by=("service", "reason"),
    help="Changes from outside that were answered as rejected.",
    when_it_rises="`tenure hr rejected list` shows them; the source has to correct and send again.",
)
CONFLICTS = Counter(
    name="tenure_conflicts_total",
    by=("service",),
    help="Writes that lost a race and were decided again.",
    when_it_rises="Two writers share a key: two replicas on one partition, or HTTP and messages about one person.",
)
RETRIES = Counter(
    name="tenure_retries_total",
    by=("service", "step"),
    help="Steps of a batch that failed and were tried again: load, write, publish or commit.",
    when_it_rises="A server is away or slow; the partition waits and readiness is red.",
)
LAG = Gauge(
    name="tenure_lag",
    by=("service", "topic"),
    help="Messages in the topic that the service has not committed yet.",
    when_it_rises="More comes in than is handled: add replicas, up to the number of partitions.",
)
OUTBOX_PENDING = Gauge(
    name="tenure_outbox_pending",
    by=("service",),
    help="Aggregates whose fact is written and not known to be published.",
    when_it_rises="Kafka does not acknowledge; the sweeper publishes when it does again.",
)
OUTBOX_OLDEST_SECONDS = Gauge(
    name="tenure_outbox_oldest_seconds",
    by=("service",),
    help="Age in seconds of the oldest pending fact, 0 if none.",
    when_it_rises="Above a few seconds the sweeper is stuck: look at its log.",
)
TIMER_OVERDUE_SECONDS = Gauge(
    name="tenure_timer_overdue_seconds",
    by=("service",),
    help="Seconds since the oldest due date that has not been handled, 0 if none.",
    when_it_rises="Expiries and reminders are late: the timer loop fails or is behind.",
)
TIMERS_PARKED = Gauge(
    name="tenure_timers_parked",
    by=("service",),
    help="Timers that failed too often and wait for a human.",
    when_it_rises="Each is an end or a reminder that does not happen: the log names the aggregate.",
)
READY = Gauge(
    name="tenure_ready",
    by=("service",),
    help="1 if the service is ready, else 0.",
    when_it_rises="Normal; at 0 `/health/ready` says why.",
)
HTTP_REQUESTS = Counter(
    name="tenure_http_requests_total",
    by=("service", "method", "status"),
    help="HTTP requests answered.",
    when_it_rises="Normal; many with status 5xx: look for `request failed` in the log.",
)
HTTP_SECONDS = Histogram(
    name="tenure_http_seconds",
    by=("service", "method"),
    help="Seconds to answer an HTTP request.",
    when_it_rises="See tenure_step_seconds for writes; for reads look for a filter without an index.",
)


def all_metrics() -> Iterator[Metric]:
    """Every metric of the table, in its order."""
    return (value for value in globals().values() if isinstance(value, Metric))


def metrics_table() -> str:
    """The docs' table in Markdown; ends with a line break."""
    lines = ["| metric | kind | by | meaning | when it rises |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| `{m.name}` | {m.kind} | {', '.join(m.by)} | {m.help} | {m.when_it_rises} |" for m in all_metrics()]
    return "\n".join(lines) + "\n"


def exposition() -> bytes:
    """What `/metrics` answers, as CONTENT_TYPE."""
    return generate_latest(REGISTRY)
