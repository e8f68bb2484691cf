"""Tokens as they should not be: each is refused, by what is wrong with it and nothing else. Keys are real, the provider is scripted."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from holdfast.core.errors import HoldfastError, NotAuthenticated, NotReachable, UsageError
from holdfast.master.directories.fetching import Answer
from holdfast.master.directories.id_tokens import Expected, UnknownKey, verified_claims
from holdfast.master.directories.provider import Provider, Wish
from holdfast.master.directory_settings import GroupRole, LdapDirectory, OidcDirectory, check_directories
from holdfast.testing.virtual_clock import VirtualClock

NOW_S = 1_800_000_000
ISSUER = "https://id.example.net"
OURS = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
CURVED = ECKey.generate_key("P-256", {"kid": "two"})
THEIRS = RSAKey.generate_key(2048, {"kid": "one"})
KEYS: list[dict[str, Any]] = [dict(OURS.as_dict(private=False)), dict(CURVED.as_dict(private=False))]
EXPECTED = Expected(ISSUER, "holdfast", "the nonce", NOW_S)
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "holdfast",
    "sub": "s-eva",
    "nonce": "the nonce",
    "iat": NOW_S - 5,
    "exp": NOW_S + 300,
    "preferred_username": "Eva",
    "groups": ["people"],
}
DIRECTORY = OidcDirectory(name="corp", issuer=ISSUER, client_id="holdfast", roles=(GroupRole(group="people", role="viewer"),))
WISH = Wish(state="s", nonce="the nonce", verifier="v" * 43, redirect_url="https://master.test:7440/sign-in/return")


def signed(key: Any = OURS, alg: str = "RS256", kid: str = "one", **changed: Any) -> str:
    claims = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": kid}, claims, key, algorithms=[alg])


def unsigned(alg: str, signature: str = "") -> str:
    parts = ({"alg": alg, "kid": "one"}, GOOD)
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), signature])


def with_hmac(key: bytes) -> str:
    bare = unsigned("HS256").rstrip(".")
    return f"{bare}.{base64.urlsafe_b64encode(hmac.digest(key, bare.encode(), 'sha256')).decode().rstrip('=')}"


def test_a_token_of_the_provider_for_us_and_now_is_taken() -> None:
    assert verified_claims(signed(), KEYS, EXPECTED)["sub"] == "s-eva"
    assert verified_claims(signed(CURVED, "ES256", "two"), KEYS, EXPECTED)["sub"] == "s-eva"
    assert verified_claims(signed(aud=["holdfast", "other"], azp="holdfast"), KEYS, EXPECTED)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (signed(THEIRS), "bad_signature"),
        (signed()[:-8] + "AAAAAAAA", "bad_signature"),
        (unsigned("none"), "none"),
        (unsigned("None", "eA"), "None"),
        # The public key, which everybody has, taken for a shared secret.
        (with_hmac(OURS.as_pem(private=False)), "HS256"),
        (signed(iss="https://evil.example.net"), "another issuer"),
        (signed(iss=ISSUER + "/"), "another issuer"),
        (signed(aud="other"), "another application"),
        (signed(aud=None), "another application"),
        (signed(aud=["holdfast", "other"]), "given to another"),
        (signed(azp="other"), "given to another"),
        (signed(nonce="of another"), "another sign-in"),
        (signed(nonce=None), "another sign-in"),
        (signed(exp=NOW_S - 61), "expired"),
        (signed(exp=None), "'exp' is missing"),
        (signed(exp="never"), "'exp' is missing"),
        (signed(iat=NOW_S + 61), "time to come"),
        (signed(nbf=NOW_S + 61), "time to come"),
        (signed(sub=None), "whom it is about"),
        (signed(sub="x" * 256), "whom it is about"),
        ("", "decode"),
        ("a.b.c", "decode"),
        ("x" * 200_000, "too long"),
    ],
)
def test_anything_else_is_refused(token: str, said: str) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        verified_claims(token, KEYS, EXPECTED)
    assert said.lower().replace("_", " ") in refused.value.message.lower().replace("_", " ") or said == "decode", refused.value.message


def test_a_key_for_encryption_or_of_another_kind_verifies_nothing() -> None:
    for keys in ([], [{**KEYS[0], "use": "enc"}], [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}], [{"kty": "RSA", "kid": "one"}], [{}]):
        with pytest.raises(NotAuthenticated):
            verified_claims(signed(), keys, EXPECTED)
    with pytest.raises(UnknownKey):
        verified_claims(signed(kid="three"), KEYS, EXPECTED)


@settings(max_examples=30)
@given(st.text(max_size=60), st.lists(st.dictionaries(st.sampled_from(["kty", "kid", "use", "n", "e", "crv", "x"]), st.text(max_size=8))))
def test_nonsense_is_refused_and_never_a_fault(token: str, keys: list[dict[str, Any]]) -> None:
    for each in (token, f"{unsigned('RS256')}{token}"):
        with pytest.raises(NotAuthenticated):
            verified_claims(each, [*KEYS, *keys], EXPECTED)


class Script:
    """A provider that answers what it is told to; `calls` are the addresses asked."""

    def __init__(self, **more: Any) -> None:
        self.keys = KEYS
        self.token: dict[str, Any] = {"id_token": signed(), "access_token": "at"}
        self.metadata = {
            "issuer": ISSUER,
            **{name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")},
            **more,
        }
        self.more: dict[str, Any] = {"sub": "s-eva"}
        self.status = 200
        self.calls: list[str] = []
        self.clock = VirtualClock(datetime.fromtimestamp(NOW_S, UTC))
        self.provider = Provider(DIRECTORY, self.clock, self)

    def __call__(self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Answer:
        self.calls.append(url.removeprefix(ISSUER))
        answers = {"token_endpoint": self.token, "jwks_uri": {"keys": self.keys}, "userinfo_endpoint": self.more}
        found = answers.get(url.rpartition("/")[2], self.metadata)
        return Answer(self.status if form else 200, json.dumps(found).encode())


def test_a_new_key_of_the_provider_is_looked_for_once_a_minute() -> None:
    script = Script()
    assert script.provider.outsider("code", WISH).name == "eva"
    script.keys = [{**KEYS[0], "kid": "new"}]
    script.token = {"id_token": signed(kid="new")}
    with pytest.raises(UnknownKey):
        script.provider.outsider("code", WISH)
    script.clock.advance(61)
    assert script.provider.outsider("code", WISH).subject == "s-eva"
    assert script.calls.count("/jwks_uri") == 2


def test_what_is_not_in_the_token_is_asked_for_and_is_of_the_same_person() -> None:
    script = Script()
    script.token = {"id_token": signed(groups=None), "access_token": "at"}
    script.more = {"sub": "s-eva", "groups": ["people", 7, ""], "iss": "https://evil.example.net"}
    assert script.provider.outsider("code", WISH).groups == ("people",)
    script.more = {"sub": "s-max", "groups": ["backup-admins"]}
    assert script.provider.outsider("code", WISH).groups == ()


def test_what_a_provider_says_of_itself_has_to_fit() -> None:
    for wrong in ({"issuer": ISSUER + "/"}, {"token_endpoint": "http://id.example.net/token"}, {"jwks_uri": 7}):
        with pytest.raises(UsageError):
            Script(**wrong).provider.told()
    script = Script(authorization_response_iss_parameter_supported=True)
    for issuer in ("", "https://evil.example.net"):
        with pytest.raises(NotAuthenticated):
            script.provider.check_issuer(issuer)
    script.provider.check_issuer(ISSUER)
    for status, said, kind in ((400, "invalid_grant", NotAuthenticated), (401, "invalid_client", UsageError), (502, "", NotReachable)):
        script.status, script.token = status, {"error": said}
        with pytest.raises(kind):
            script.provider.outsider("code", WISH)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"issuer": "http://id.example.net"}, "issuer"),
        ({"issuer": ISSUER + "?a"}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"vouch": "1s"}, "vouch"),
        ({"vouch": "soon"}, "vouch"),
        ({"client_secret_file": "secret"}, "client_secret_file"),
        ({"redirect_url": "http://x"}, "redirect_url"),
        ({"roles": (GroupRole(group="", role="x"),)}, "roles"),
        ({"name": "Corp!"}, "directory"),
    ],
)
def test_a_configuration_that_cannot_work_is_named_with_its_place(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(HoldfastError) as refused:
        check_directories([OidcDirectory(**{"name": "corp", "issuer": ISSUER, "client_id": "holdfast", **wrong})])
    assert said in refused.value.message
    assert refused.value.hint
    with pytest.raises(HoldfastError):
        check_directories([DIRECTORY, DIRECTORY])
    check_directories([DIRECTORY])


def test_a_filter_without_a_user_is_refused() -> None:
    good = {"name": "office", "url": "ldaps://ldap.example.net", "base": "dc=example,dc=net"}
    check_directories([LdapDirectory(**good)])  # type: ignore[arg-type]
    for wrong in (
        {"filter": "(uid=*)"},
        {"url": "https://x"},
        {"base": ""},
        {"bind_dn": "cn=x"},
        {"id_attribute": "*"},
        {"check_every": "1s"},
    ):
        with pytest.raises(UsageError):
            check_directories([LdapDirectory(**{**good, **wrong})])  # type: ignore[arg-type]
