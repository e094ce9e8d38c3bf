"""All that an operator may set, in one table.

Every setting is an environment variable `TENURE_<NAME>`; the README's table is made from this file (`settings_table`).
Durations carry their unit in the name. Secrets print as `**********`; the MongoDB address is one, too.
"""

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, TypedDict

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TENURE_"
NO_SETTINGS = frozenset({"TENURE_TOKEN"})
"""Variables that the commands read by themselves."""

Port = Annotated[int, Field(ge=0, le=65535)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
# Stands in topic names, consumer groups and database names: what is legal in all three.
Prefix = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,23}$")]


class KafkaSecurity(TypedDict, total=False):
    """Keyword arguments of every aiokafka client that say how it proves itself."""

    security_protocol: str
    ssl_context: ssl.SSLContext
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str


class Settings(BaseSettings):
    """Read once, at the start of a process, from `TENURE_…`; never changed afterwards.

    Raises pydantic's ValidationError, which names the variable, for what cannot be or contradicts itself.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    # Where things are
    data_dir: Path = Field(
        Path(".tenure"), description="Folder of a run: embedded servers, keys, mails, endpoints.json."
    )
    kafka: str = Field("127.0.0.1:9092", description="Kafka's bootstrap servers, `host:port`, separated by commas.")
    mongo: SecretStr = Field(
        SecretStr("mongodb://127.0.0.1:27017/"),
        description="MongoDB connection string of a replica set; credentials and TLS options are part of it.",
    )
    api_url: str | None = Field(
        None,
        description="Where the public HTTP API is found by others, such as mails that link to it. None: as served.",
    )
    http_host: str = Field(
        "127.0.0.1",
        description="Address the HTTP API answers on. Not this machine's own: only with TENURE_AUTH_ISSUER.",
    )
    http_port: Port = Field(0, description="Port of the HTTP API; 0 takes a free one.")
    address_file: Path | None = Field(
        None, description="File in which `tenure service` writes its address once it is ready; for health checks."
    )

    # Who may call the HTTP API
    auth: Literal["off", "on"] = Field(
        "on",
        description="`on`: every request needs a bearer token. `off`: who sends none is this machine's operator, "
        "and the API answers on this machine only.",
    )
    auth_issuer: str | None = Field(
        None, description="Issuer (`iss`) whose tokens count. None: the embedded run's own, for development."
    )
    auth_jwks_url: str | None = Field(
        None, description="Where its keys are. None: where its metadata (`/.well-known/openid-configuration`) says."
    )
    auth_audience: str = Field("tenure", min_length=1, description="Audience (`aud`) that tokens are made for.")
    auth_person_claim: str = Field(
        "oid", min_length=1, description="Claim that holds the id of the signed-in person in Tenure's directory."
    )
    auth_token_roles: bool = Field(
        False, description="Whether directory roles in tokens (`wids`) count beside those that the directory holds."
    )
    auth_skew_s: Annotated[int, Field(ge=0, le=600)] = Field(
        60, description="Seconds by which the issuer's clock and ours may differ."
    )

    # Several Tenures on the same servers
    namespace: Prefix | None = Field(
        None, description="Put before topics, consumer groups and databases, so that several Tenures share servers."
    )
    database_prefix: Prefix = Field("tenure", description="Databases are named `<prefix>_<service>`.")

    # Kafka security
    kafka_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the user is proven, with SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_username: str | None = Field(None, description="User for SASL.")
    kafka_password: SecretStr | None = Field(None, description="Password for SASL.")
    kafka_cafile: Path | None = Field(None, description="PEM file of the authorities to trust. None: the system's.")
    kafka_certfile: Path | None = Field(None, description="PEM file of our own certificate, for mutual TLS.")
    kafka_keyfile: Path | None = Field(None, description="PEM file of its private key.")

    # Messaging
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = Field(1000, description="Most messages taken in one batch.")
    poll_wait_s: Seconds = Field(
        1.0, description="Longest wait for a message before looking whether to stop; a message ends the wait at once."
    )
    partitions: Positive = Field(6, description="Partitions of a topic when it is created. Never changed afterwards.")
    replication: Positive = Field(1, description="Copies of a topic when it is created.")
    sweep_after_s: Seconds = Field(2.0, description="Age at which what stayed pending is published by the sweeper.")
    read_wait_s: Seconds = Field(2.0, description="Longest wait for a replica to catch up before HTTP answers 404.")
    timer_poll_s: Seconds = Field(0.5, description="Pause between two looks at the clock for what is due.")
    retry_max_s: Seconds = Field(30.0, description="Longest pause between two attempts while a server is away.")
    dead_letter_limit: Annotated[int, Field(ge=0)] = Field(
        1000, description="A consumer group that sets aside that many messages more than it handles waits. 0: never."
    )
    stop_wait_s: Seconds = Field(20.0, description="Longest wait for the batch in hand when a service stops.")

    # Mail
    smtp_host: str = Field("127.0.0.1", description="Mail server that notifications leave by.")
    smtp_port: Port = Field(25, description="Its port.")
    smtp_username: str | None = Field(None, description="User at the mail server.")
    smtp_password: SecretStr | None = Field(None, description="Password at the mail server.")
    smtp_starttls: bool = Field(False, description="Refuse to send unless the connection was upgraded to TLS.")
    smtp_sender: str = Field("Tenure <tenure@localhost>", description="From: of every mail.")
    mail_url: str | None = Field(None, description="Where the mail catcher shows what it got. None: there is none.")

    # People's sources, the trail
    sources_file: Path | None = Field(
        None,
        description="YAML: sources of people, correlation rules, who may set which attribute. None: one source, `hr`.",
    )
    audit_key_file: Path | None = Field(
        None, description="Ed25519 key (PEM) that signs the trail's checkpoints. None: made in the data folder."
    )
    audit_checkpoint_s: Seconds = Field(60.0, description="Time between two signed checkpoints of the trail.")

    # Embedded servers
    kafka_heap_mb: Positive = Field(512, description="Heap of the embedded Kafka, in MB.")
    mongo_cache_mb: Annotated[int, Field(ge=256)] = Field(
        512, description="Cache of the embedded mongod, in MB (256 or more)."
    )
    mongod: Path | None = Field(None, description="The mongod to start. None: the installed wheel's, else the PATH's.")

    # Logs
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`json`, `console`, or `auto`: console on a terminal, JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    # Tests
    failpoint: str | None = Field(
        None,
        description="For tests: kill the process at this point: `[service:]name[:n]` (the n-th time), "
        "with before-write, after-write, after-publish or before-commit as name.",
    )
    clock_offset_s: float = Field(0.0, description="For tests: seconds by which the business clock runs ahead.")

    @model_validator(mode="after")
    def _kafka_security_agrees(self) -> Self:
        sasl = self.kafka_protocol.startswith("SASL")
        tls = self.kafka_protocol.endswith("SSL")
        if sasl and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                f"TENURE_KAFKA_PROTOCOL={self.kafka_protocol} needs TENURE_KAFKA_USERNAME and TENURE_KAFKA_PASSWORD."
            )
        if not sasl and self.kafka_username:
            raise ValueError(f"TENURE_KAFKA_USERNAME is not used with TENURE_KAFKA_PROTOCOL={self.kafka_protocol}.")
        if not tls and (self.kafka_cafile or self.kafka_certfile):
            raise ValueError(
                f"TENURE_KAFKA_CAFILE and TENURE_KAFKA_CERTFILE are not used with "
                f"TENURE_KAFKA_PROTOCOL={self.kafka_protocol}."
            )
        if self.kafka_keyfile and not self.kafka_certfile:
            raise ValueError("TENURE_KAFKA_KEYFILE needs TENURE_KAFKA_CERTFILE.")
        return self

    @model_validator(mode="after")
    def _issuer_agrees(self) -> Self:
        if self.auth_jwks_url and not self.auth_issuer:
            raise ValueError("TENURE_AUTH_JWKS_URL needs TENURE_AUTH_ISSUER.")
        return self

    def topic(self, name: str) -> str:
        """The topic's name on the server: `name` itself, or behind the namespace and a dot."""
        return f"{self.namespace}.{name}" if self.namespace else name

    def group(self, service: str, topic: str) -> str:
        """Consumer group of one (service, topic); `topic` without namespace."""
        return self.topic(f"{service}.{topic}")

    def database(self, service: str) -> str:
        """Database of one service. MongoDB allows no dot here and 63 bytes."""
        return "_".join(part for part in (self.namespace, self.database_prefix, service) if part)

    def kafka_security(self) -> KafkaSecurity:
        """How aiokafka clients prove themselves.

        Reads the certificate files: raises OSError or ssl.SSLError for bad ones."""
        options = KafkaSecurity(security_protocol=self.kafka_protocol)
        if self.kafka_protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=self.kafka_cafile)
            if self.kafka_certfile:
                context.load_cert_chain(self.kafka_certfile, self.kafka_keyfile)
            options["ssl_context"] = context
        if self.kafka_username and self.kafka_password:
            options["sasl_mechanism"] = self.kafka_sasl_mechanism
            options["sasl_plain_username"] = self.kafka_username
            options["sasl_plain_password"] = self.kafka_password.get_secret_value()
        return options


class NotLocalError(ValueError):
    """The HTTP API was told to answer beyond this machine, where nobody is asked who they are."""


def require_local(http_host: str) -> None:
    """Refuse to serve beyond this machine, where whoever reaches the API may do everything.

    Names are not looked up, `localhost` apart: what they mean may change while we serve. Raises NotLocalError.
    """
    try:
        local = ip_address(http_host).is_loopback
    except ValueError:
        local = http_host == "localhost"
    if not local:
        raise NotLocalError(
            f"TENURE_HTTP_HOST={http_host} would open the API to other machines, where nobody could be asked who they "
            "are. Use 127.0.0.1, or name an issuer whose tokens are required: TENURE_AUTH_ISSUER, and TENURE_AUTH=on."
        )


@lru_cache(maxsize=1)
def process_settings() -> Settings:
    """The settings of this process, read on first use."""
    return Settings()


def variable(setting: str) -> str:
    """Environment variable of a setting: `http_port` -> `TENURE_HTTP_PORT`."""
    return PREFIX + setting.upper()


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """`TENURE_…` variables that no setting reads, sorted: mostly misspelt ones, which would be ignored in silence."""
    known = NO_SETTINGS | {variable(name) for name in Settings.model_fields}
    return sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)


def settings_table() -> str:
    """The README's table of settings in Markdown, in the order of the model; ends with a line break."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        lines.append(f"| `{variable(name)}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"
