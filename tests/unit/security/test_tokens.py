"""Which tokens count, and whom they name: the hostile ones first."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from shared.security.caller import Caller
from shared.security.permissions import DIRECTORY_ROLES
from shared.security.tokens import LONGEST_S, Claims, Key, Rules, TokenRefused, believed, caller_named, read

NOW = 1_800_000_000
RULES = Rules("https://issuer.example", frozenset({"tenure"}), believes_roles=True)
KEY = ECKey.generate_key("P-256", {"kid": "k1"}, private=True)
PUBLIC = ECKey.import_key(KEY.as_dict(private=False))
RSA = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
OKP = OKPKey.generate_key("Ed25519", {"kid": "k1"}, private=True)
OTHER = ECKey.generate_key("P-256", {"kid": "k1"}, private=True)

HEADER = {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}
CLAIMS: dict[str, Any] = {
    "iss": "https://issuer.example",
    "aud": "tenure",
    "sub": "s",
    "iat": NOW - 10,
    "exp": NOW + 3600,
    "oid": "8A1F",
    "upn": "ana@example.com",
    "appid": "an-app",
    "scp": "User.Read EntitlementManagement.ReadWrite.All",
}


def signed(header: dict[str, Any] | None = None, key: Any = KEY, **claims: Any) -> str:
    header = {**HEADER, **(header or {})}
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    return jws.serialize_compact(header, json.dumps(said), key, algorithms=[header["alg"]])


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def taken(text: str, key: Key = PUBLIC, rules: Rules = RULES, now: float = NOW) -> Claims:
    return believed(read(text), key, rules, now)


def named(**claims: Any) -> Caller:
    return caller_named(taken(signed(**claims)), RULES)


def test_a_person_is_who_the_token_says() -> None:
    caller = named(wids=[DIRECTORY_ROLES["Global Reader"], "unknown"], roles=["ignored"])
    assert caller == Caller(
        "person:8a1f",
        person_id="8a1f",
        user_principal_name="ana@example.com",
        app_id="an-app",
        scopes=frozenset({"User.Read", "EntitlementManagement.ReadWrite.All"}),
        directory_roles=frozenset({"Global Reader"}),
    )
    assert not caller.is_operator


@pytest.mark.parametrize("app_only", [{"scp": ...}, {"idtyp": "app"}])
def test_an_application_is_no_person(app_only: dict[str, Any]) -> None:
    caller = named(**app_only, roles=["User.Read.All"], appid=..., azp="another-app")
    assert caller == Caller("app:another-app", app_id="another-app", app_roles=frozenset({"User.Read.All"}))
    assert (caller.is_person, caller.permits("EntitlementManagement.Read.All")) == (False, False)


def test_scopes_may_stand_where_rfc_9068_has_them() -> None:
    assert named(scp=..., scope="User.Read", appid=..., client_id="c").scopes == {"User.Read"}


def test_roles_are_believed_only_from_an_issuer_that_is_trusted_with_them() -> None:
    rules = Rules(RULES.issuer, RULES.audiences, person_claim="person")
    claims = taken(signed(wids=[DIRECTORY_ROLES["Global Administrator"]], person="p"), rules=rules)
    assert caller_named(claims, rules) == Caller(
        "person:p",
        person_id="p",
        user_principal_name="ana@example.com",
        app_id="an-app",
        scopes=frozenset({"User.Read", "EntitlementManagement.ReadWrite.All"}),
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"oid": ...},
        {"oid": 5},
        {"oid": "a/b"},
        {"oid": "a\nb"},
        {"oid": {"$ne": None}},
        {"scp": ..., "appid": ...},
        {"scp": ["User.Read"]},
        {"scp": 5},
        {"wids": "x"},
        {"wids": [5]},
        {"appid": ["x"]},
        {"idtyp": "device"},
        {"idtyp": ["app"]},
        {"idtyp": "user", "scp": ..., "roles": ["User.Read.All"]},
        {"idtyp": "user", "scp": "", "roles": ["User.Read.All"]},
    ],
)
def test_what_names_nobody_clearly_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        named(**claims)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(
    ("key", "algorithm"), [(KEY, "ES256"), (RSA, "RS256"), (RSA, "PS256"), (OKP, "Ed25519"), (OKP, "EdDSA")]
)
def test_allowed_algorithms_are_believed(key: Any, algorithm: str) -> None:
    public = type(key).import_key(key.as_dict(private=False))
    assert taken(signed({"alg": algorithm}, key), public)["oid"] == "8A1F"


def confused() -> str:
    """Signed with the public key as if it were a shared secret."""
    text = f"{encoded({**HEADER, 'alg': 'HS256'})}.{encoded(CLAIMS)}"
    return f"{text}.{encoded(hmac.digest(PUBLIC.as_pem(private=False), text.encode(), 'sha256'))}"


def tampered() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{encoded({**CLAIMS, 'oid': 'boss'})}.{signature}"


HOSTILE: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: f"{encoded({**HEADER, 'alg': 'none'})}.{encoded(CLAIMS)}.",
    "no algorithm, spelt otherwise": lambda: f"{encoded({**HEADER, 'alg': 'nOnE'})}.{encoded(CLAIMS)}.",
    "a shared secret": confused,
    "an algorithm that is not allowed": lambda: signed({"alg": "RS512"}, RSA),
    "a list of algorithms": lambda: f"{encoded({**HEADER, 'alg': ['ES256']})}.{encoded(CLAIMS)}.AAAA",
    "the attacker's key": lambda: signed(key=OTHER),
    "the attacker's key brought along": lambda: (
        f"{encoded({**HEADER, 'jwk': OTHER.as_dict(private=False)})}.{encoded(CLAIMS)}.AAAA"
    ),
    "a place to fetch keys from": lambda: f"{encoded({**HEADER, 'jku': 'https://evil'})}.{encoded(CLAIMS)}.AAAA",
    "another kind of key": lambda: signed({"alg": "RS256"}, RSA),
    "changed claims": tampered,
    "no signature": lambda: ".".join([*signed().split(".")[:2], ""]),
    "no key id": lambda: f"{encoded({'alg': 'ES256', 'typ': 'at+jwt'})}.{encoded(CLAIMS)}.AAAA",
    "a key id that is no text": lambda: f"{encoded({**HEADER, 'kid': {'$ne': 1}})}.{encoded(CLAIMS)}.AAAA",
    "an unknown critical header": lambda: f"{encoded({**HEADER, 'crit': ['x'], 'x': 1})}.{encoded(CLAIMS)}.AAAA",
    "an unencoded payload": lambda: f"{encoded({**HEADER, 'crit': ['b64'], 'b64': False})}.{encoded(CLAIMS)}.AAAA",
    "JSON serialisation": lambda: json.dumps({"payload": encoded(CLAIMS), "signatures": []}),
    "an encrypted token": lambda: "a.b.c.d.e",
    "nonsense": lambda: "x",
    "nothing": lambda: "",
    "letters beyond ASCII": lambda: "é.é.é",
    "claims that are no object": lambda: jws.serialize_compact(HEADER, "[]", KEY, algorithms=["ES256"]),
    "claims that are no JSON": lambda: jws.serialize_compact(HEADER, "{", KEY, algorithms=["ES256"]),
    "a book": lambda: signed(x="y" * 9000),
    "an ID token": lambda: signed({"typ": "JWT"}, scp=...),
    "an ID token with a nonce": lambda: signed({"typ": "JWT"}, nonce="n"),
    "another type": lambda: signed({"typ": "logout+jwt"}),
    "another issuer": lambda: signed(iss="https://issuer.example.evil"),
    "no issuer": lambda: signed(iss=...),
    "a list of issuers": lambda: signed(iss=["https://issuer.example"]),
    "another audience": lambda: signed(aud="other"),
    "no audience": lambda: signed(aud=...),
    "an audience too many": lambda: signed(aud=["tenure", "other"]),
    "an empty audience": lambda: signed(aud=[]),
    "an audience that is no text": lambda: signed(aud={"tenure": 1}),
    "no subject": lambda: signed(sub=...),
    "a subject that is no text": lambda: signed(sub={"a": 1}),
    "expired": lambda: signed(exp=NOW - 61, iat=NOW - 1000),
    "never expires": lambda: signed(exp=...),
    "expires in words": lambda: signed(exp=str(NOW + 3600)),
    "expires after a hundred years": lambda: signed(exp=NOW + 100 * 365 * 86400),
    "just over a day": lambda: signed(exp=NOW - 10 + LONGEST_S + 1),
    "issued at no time": lambda: signed(iat=...),
    "issued in the future": lambda: signed(iat=NOW + 61),
    "not valid yet": lambda: signed(nbf=NOW + 61),
    "a boolean as time": lambda: signed(exp=True, iat=True),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_token_is_refused(make: Callable[[], str]) -> None:
    with pytest.raises(TokenRefused) as refused:
        taken(make())
    assert str(refused.value).isprintable()
    assert str(refused.value).isascii()


LATE = "Access token has expired or is not yet valid."


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"exp": NOW - 61, "iat": NOW - 1000}, LATE),
        ({"nbf": NOW + 61}, LATE),
        ({"iat": NOW + 61}, LATE),
        ({"aud": "other"}, "Access token validation failure. Invalid aud."),
        ({"iss": "https://issuer.example.evil"}, "Access token validation failure. Invalid iss."),
        ({"sub": {"a": 1}}, "Access token validation failure. Invalid sub."),
        ({"exp": str(NOW + 3600)}, "Access token validation failure. Invalid exp."),
        ({"nbf": "now"}, "Access token validation failure. Invalid nbf."),
    ],
)
def test_who_sent_a_token_is_told_what_is_wrong_with_it(claims: dict[str, Any], told: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        taken(signed(**claims))
    assert str(refused.value) == told


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 59, "iat": NOW - 1000},
        {"iat": NOW + 59, "nbf": NOW + 59},
        {"exp": NOW - 10 + LONGEST_S},
        {"aud": ["tenure"]},
    ],
)
def test_clocks_may_differ_a_little(claims: dict[str, Any]) -> None:
    assert taken(signed(**claims))["sub"] == "s"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT"])
def test_access_tokens_go_by_several_types(typ: str) -> None:
    assert taken(signed({"typ": typ}))["sub"] == "s"


def test_the_test_signs_as_the_library_does() -> None:
    assert jwt.decode(signed(), PUBLIC, algorithms=["ES256"]).claims == CLAIMS
