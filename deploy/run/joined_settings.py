"""Settings of whoever joins a run, or talks to its servers: what the run says goes before what the environment does.

Apart from `process`, which imports all that runs: a command that only reads a topic starts without it.
"""

from __future__ import annotations

from deploy.cli.endpoints import Endpoints
from shared.settings import Settings, variable


def servers_named(settings: Settings) -> bool:
    """Whether the operator names both servers; then none is started here."""
    return {"kafka", "mongo"} <= settings.model_fields_set


def half_named(settings: Settings) -> str | None:
    """What to say to an operator who names one server alone; None if there is nothing to say."""
    if servers_named(settings) or not (named := {"kafka", "mongo"} & settings.model_fields_set):
        return None
    (one,) = named
    return f"{variable(one)} is not used: name TENURE_KAFKA and TENURE_MONGO, or neither for servers of the run's own."


def joined(settings: Settings, run: Endpoints) -> Settings:
    """The settings of a process that joins this run."""
    found: dict[str, object] = {"kafka": run.kafka, "mongo": run.mongo, "namespace": run.namespace}
    if run.smtp:
        host, _, port = run.smtp.rpartition(":")
        found |= {"smtp_host": host, "smtp_port": int(port)}
    # All of a run ask alike, whatever the environment of one says.
    found |= {"auth": run.auth} if run.auth else {}
    found |= {"auth_audience": run.audience} if run.audience else {}
    if run.mail:
        found["mail_url"] = run.mail
    return with_values(settings, api_url=settings.api_url or run.api, **found)


def with_values(settings: Settings, **values: object) -> Settings:
    """`settings` with these values instead, checked like all others."""
    return Settings(**{**{name: getattr(settings, name) for name in settings.model_fields_set}, **values})
