"""Calls to an OpenID provider: https, with its certificate verified, bounded in time and size. Redirects are not followed: what is sent
there is for the provider or for nobody."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from holdfast.core.errors import NotReachable, UsageError

TIMEOUT_S = 10.0
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Fetch(Protocol):
    """One call, made again by nobody: a GET, or with `form` a POST. Raises `NotReachable`. May be called from any thread."""

    def __call__(self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Answer: ...


class HttpsFetch:
    """`ca_file` empty = the authorities that this machine trusts."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file

    def __call__(self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Answer:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise NotReachable(f"the provider names the address {url[:200]!r}, which is no https URL", hint="look at its configuration")
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=tls_context(self._ca_file))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept": "application/json", **headers}
        try:
            if form is None:
                connection.request("GET", path, headers=sent)
            else:
                body = urlencode(form).encode()
                connection.request("POST", path, body, {**sent, "Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            body = answer.read(MOST_BYTES + 1)
        except ssl.SSLError as error:
            hint = "name the authority of its certificate in `ca_file`"
            raise NotReachable(f"{parts.hostname} shows a certificate that is not trusted: {error.reason}", hint=hint) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotReachable(f"{parts.netloc} does not answer: {error}", hint="see whether it is up; local accounts still work") from None
        finally:
            connection.close()
        if len(body) > MOST_BYTES:
            raise NotReachable(f"{parts.netloc} answers without end", hint="look at the provider's address")
        return Answer(answer.status, body)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Raises `UsageError` for a file that is none."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot read the authority in {ca_file}: {error}", hint="name a PEM file in `ca_file`") from None
