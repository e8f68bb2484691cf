"""One OpenID provider: what it says of itself, where browsers go, and what a code that one brings back is worth.

Calls block, and are made in threads. What the provider says of itself is kept for an hour, and looked at anew when a token is signed with
a key that was not there then: at most once a minute, whoever sends such tokens.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from holdfast.core.clock import Clock
from holdfast.core.errors import NotAuthenticated, NotReachable, UsageError
from holdfast.master.directories.fetching import Answer, Fetch, HttpsFetch
from holdfast.master.directories.id_tokens import (
    Claims,
    Expected,
    UnknownKey,
    check_library,
    decoded_object,
    has_all,
    outsider_of,
    verified_claims,
)
from holdfast.master.directory_settings import OidcDirectory
from holdfast.master.records.directory_users import Outsider

_KEEP_S = 3_600.0
_AGAIN_S = 60.0
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Told:
    """What a provider says of itself, as of `at_s` of the monotonic clock."""

    metadata: dict[str, Any]
    keys: list[dict[str, Any]]
    at_s: float


@dataclass(frozen=True)
class Wish:
    """One sign-in as it is asked for. `verifier` is kept here until the code comes back (PKCE, RFC 7636)."""

    state: str
    nonce: str
    verifier: str
    redirect_url: str

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")


class Provider:
    def __init__(self, directory: OidcDirectory, clock: Clock, fetch: Fetch | None = None) -> None:
        self._directory = directory
        self._clock = clock
        self._fetch = fetch or HttpsFetch(directory.ca_file)
        self._told: Told | None = None
        self._telling = threading.Lock()

    def told(self, at_least_since_s: float = -1.0) -> Told:
        """Raises `NotReachable`, `UsageError` where it is another provider than configured."""
        now_s = self._clock.monotonic_s()
        with self._telling:
            kept = self._told
            if kept is None or kept.at_s < max(at_least_since_s, now_s - _KEEP_S):
                kept = self._told = self._ask(now_s)
            return kept

    def address(self, wish: Wish) -> str:
        """Where to send the browser. Raises as `told`."""
        directory = self._directory
        query = {
            "response_type": "code",
            "client_id": directory.client_id,
            "redirect_uri": wish.redirect_url,
            "scope": " ".join(dict.fromkeys(("openid", *directory.scopes))),
            "state": wish.state,
            "nonce": wish.nonce,
            "code_challenge": wish.challenge,
            "code_challenge_method": "S256",
        }
        endpoint = self.told().metadata["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def check_issuer(self, issuer: str) -> None:
        """`issuer` as it came back beside a code (RFC 9207). Raises `NotAuthenticated` for that of another provider, or where it is missing
        and this provider always says it."""
        is_told = bool(self.told().metadata.get("authorization_response_iss_parameter_supported"))
        if (issuer or is_told) and issuer != self._directory.issuer:
            raise NotAuthenticated("the answer is of another provider than was asked", hint="begin anew from the sign-in page")

    def outsider(self, code: str, wish: Wish) -> Outsider:
        """Who signed in there. Raises `NotAuthenticated`, `NotReachable`, `UsageError`."""
        check_library()
        answer = self._redeem(code, wish)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotAuthenticated(f"the provider of {self._directory.name} gave no ID token", hint="it has to know the scope openid")
        expected = Expected(self._directory.issuer, self._directory.client_id, wish.nonce, self._clock.now_ns() // 1_000_000_000)
        claims = self._verified(token, expected)
        if not has_all(self._directory, claims):
            claims = self._with_more(claims, answer.get("access_token"))
        return outsider_of(self._directory, claims)

    def _verified(self, token: str, expected: Expected) -> Claims:
        told = self.told()
        try:
            return verified_claims(token, told.keys, expected)
        except UnknownKey:
            if self._clock.monotonic_s() - told.at_s < _AGAIN_S:
                raise
            return verified_claims(token, self.told(told.at_s + _AGAIN_S).keys, expected)

    def _with_more(self, claims: Claims, access_token: object) -> Claims:
        """What the provider says only when it is asked with the access token. Of somebody else it is worth nothing."""
        endpoint = self.told().metadata.get("userinfo_endpoint")
        if not isinstance(endpoint, str) or not isinstance(access_token, str) or not access_token.isascii():
            return claims
        answer = self._fetch(endpoint, {"Authorization": f"Bearer {access_token}"})
        more = decoded_object(answer.body) if answer.status == 200 else {}
        if more.get("sub") != claims["sub"]:
            return claims
        return {**more, **claims}

    def _redeem(self, code: str, wish: Wish) -> dict[str, Any]:
        directory, metadata = self._directory, self.told().metadata
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": wish.redirect_url, "code_verifier": wish.verifier}
        headers: dict[str, str] = {}
        secret = self._secret()
        if not secret:
            form["client_id"] = directory.client_id
        elif "client_secret_basic" in metadata.get("token_endpoint_auth_methods_supported", ("client_secret_basic",)):
            # Both parts are encoded as in a form first: RFC 6749, 2.3.1.
            pair = f"{quote(directory.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": directory.client_id, "client_secret": secret}
        answer = self._fetch(metadata["token_endpoint"], headers, form)
        if answer.status == 200:
            return decoded_object(answer.body)
        raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> Exception:
        """Of the token endpoint: a word of the provider's about the code, or about us."""
        try:
            said = decoded_object(answer.body).get("error")
        except NotAuthenticated:
            said = None
        word = said if isinstance(said, str) and said.isascii() and said.replace("_", "").isalnum() and len(said) < 64 else ""
        what = f"the provider of {self._directory.name} refuses the code ({word or f'status {answer.status}'})"
        if word == "invalid_client":
            return UsageError(what, hint="compare client_id and the secret in client_secret_file with what is registered there")
        if answer.status >= 500:
            return NotReachable(what, hint="its own log says why; local accounts still work")
        return NotAuthenticated(what, hint="a code works once and soon; begin anew from the sign-in page")

    def _secret(self) -> str:
        return secret_in(self._directory.client_secret_file, "client_secret_file")

    def _ask(self, now_s: float) -> Told:
        issuer = self._directory.issuer
        metadata = self._json(f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
        if metadata.get("issuer") != issuer:
            what = f"{issuer} says that it is {str(metadata.get('issuer'))[:200]!r}"
            raise UsageError(what, hint="write `issuer` letter by letter as the provider says it, with or without the slash at its end")
        for field in _NEEDED:
            value = metadata.get(field)
            if not isinstance(value, str) or urlsplit(value).scheme != "https":
                raise UsageError(f"{issuer} names no https address as its {field}", hint="look at the provider's configuration")
        keys = self._json(metadata["jwks_uri"]).get("keys")
        found = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
        return Told(metadata, found, now_s)

    def _json(self, url: str) -> dict[str, Any]:
        answer = self._fetch(url, {})
        if answer.status != 200:
            hint = "see whether it is the provider's address, and the provider is up; local accounts still work"
            raise NotReachable(f"{url} answers with status {answer.status}", hint=hint)
        try:
            return decoded_object(answer.body)
        except NotAuthenticated as error:
            raise NotReachable(f"{url}: {error.message}", hint="see whether it is the provider's address") from None


def secret_in(file: str, field: str) -> str:
    """The one line in the file, read each time, so that it can be changed while the Master runs; empty = there is no file. Raises
    `UsageError` where it cannot be read, or anybody may read it."""
    if not file:
        return ""
    path = Path(file)
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the secret in {file}: {error}", hint=f"`{field}` names a file that the Master may read") from None
    if mode & 0o007:
        raise UsageError(f"anybody on the Master's machine may read the secret in {file}", hint=f"chmod 600 {file}")
    if not text or not text.isprintable():
        raise UsageError(f"{file} holds no secret", hint="write the secret into it, on one line")
    return text
