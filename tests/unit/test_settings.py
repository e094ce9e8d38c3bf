"""Settings: what contradicts itself fails at the start and names both sides; secrets are never printed."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import (
    NotLocalError,
    Settings,
    require_local,
    settings_table,
    unknown_variables,
    variable,
)

pytestmark = pytest.mark.usefixtures("no_tenure_variables")


@pytest.fixture
def no_tenure_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TENURE_"):
            monkeypatch.delenv(name)


def test_a_setting_is_the_environment_variable_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_KAFKA", "broker-1:9092,broker-2:9092")
    monkeypatch.setenv("TENURE_DATA_DIR", "/var/lib/tenure")
    monkeypatch.setenv("TENURE_BATCH_SIZE", "")  # as compose passes what is not set

    settings = Settings()

    assert settings.kafka == "broker-1:9092,broker-2:9092"
    assert settings.data_dir == Path("/var/lib/tenure")
    assert settings.batch_size == 1000


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_MONGO", "mongodb://tenure:hunter2@db/")
    monkeypatch.setenv("TENURE_SMTP_PASSWORD", "hunter2")

    settings = Settings()

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.mongo.get_secret_value() == "mongodb://tenure:hunter2@db/"


def test_a_wrong_setting_is_refused_without_quoting_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_KAFKA_PASSWORD", "hunter2")
    monkeypatch.setenv("TENURE_KAFKA_PROTOCOL", "SASL_SSL")

    with pytest.raises(ValidationError, match="TENURE_KAFKA_USERNAME") as refused:
        Settings()

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("set_", "named"),
    [
        ({"kafka_username": "u"}, "TENURE_KAFKA_USERNAME"),
        ({"kafka_cafile": "/ca.pem"}, "TENURE_KAFKA_CAFILE"),
        ({"kafka_protocol": "SASL_PLAINTEXT", "kafka_username": "u"}, "TENURE_KAFKA_PASSWORD"),
        ({"kafka_protocol": "SSL", "kafka_keyfile": "/key.pem"}, "TENURE_KAFKA_CERTFILE"),
        ({"auth_jwks_url": "https://issuer.example/keys"}, "TENURE_AUTH_ISSUER"),
        ({"auth": "maybe"}, "auth"),
        ({"namespace": "Not.Legal"}, "namespace"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_what_contradicts_itself_is_refused_and_named(set_: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(set_)


def test_kafka_clients_get_what_the_settings_say() -> None:
    plain = Settings().kafka_security()
    sasl = Settings.model_validate(
        {"kafka_protocol": "SASL_SSL", "kafka_username": "tenure", "kafka_password": "hunter2"}
    ).kafka_security()

    assert plain == {"security_protocol": "PLAINTEXT"}
    assert sasl["sasl_plain_password"] == "hunter2"
    assert sasl["sasl_mechanism"] == "SCRAM-SHA-512"
    assert sasl["ssl_context"].check_hostname


def test_a_namespace_keeps_two_tenures_on_the_same_servers_apart() -> None:
    alone, shared = Settings(), Settings(namespace="blue")

    assert (alone.topic("person"), shared.topic("person")) == ("person", "blue.person")
    assert (alone.group("audit", "person"), shared.group("audit", "person")) == ("audit.person", "blue.audit.person")
    assert (alone.database("audit"), shared.database("audit")) == ("tenure_audit", "blue_tenure_audit")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_serving_this_machine_is_allowed(host: str) -> None:
    require_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "tenure.example.com", "", "127.0.0.1.example.com"])
def test_serving_other_machines_is_refused_where_nobody_is_asked(host: str) -> None:
    with pytest.raises(NotLocalError, match=r"TENURE_HTTP_HOST=.*127\.0\.0\.1"):
        require_local(host)


def test_every_setting_stands_in_the_table_with_a_meaning() -> None:
    rows = settings_table().splitlines()[2:]

    assert len(rows) == len(Settings.model_fields)
    for name, row in zip(Settings.model_fields, rows, strict=True):
        _, shown, default, meaning, _ = row.split("|")
        assert shown.strip() == f"`{variable(name)}`"
        assert "*" not in default
        assert meaning.strip().endswith(".")


def test_a_misspelt_variable_is_found() -> None:
    assert unknown_variables({"TENURE_KAFKA": "x", "TENURE_KAFAK": "x", "PATH": "/bin"}) == ["TENURE_KAFAK"]
