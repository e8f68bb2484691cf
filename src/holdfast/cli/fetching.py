"""Fetching what a download link leads to, on the standard library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from holdfast.core.errors import ErrorFacts, HoldfastError, NotReachable, ProtocolError, error_from

_TIMEOUT_S = 120.0
_BLOCK_BYTES = 1 << 20
_NAME = re.compile(r"filename\*=UTF-8''([^;]+)")


class Broken(NotReachable):
    """It ended before it was whole."""


@dataclass
class Fetched:
    """What the node said. `can_go_on`: the rest may be asked for; `is_begun`: by the same link."""

    name: str = ""
    can_go_on: bool = False
    is_begun: bool = False
    tag: str = ""


def fetch(url: str, ca_pem: str, state: Fetched, start: int) -> Iterator[bytes]:
    """The bytes from `start` on. The node shows a certificate of this authority, or one that this machine trusts anyway.

    Raises `NotReachable`, `Broken` when it ends too early, or what the node says.
    """
    import http.client
    import ssl

    context = ssl.create_default_context()
    context.load_verify_locations(cadata=ca_pem)
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=_TIMEOUT_S, context=context)
    headers = {"Range": f"bytes={start}-", "If-Range": state.tag} if start else {}
    try:
        try:
            connection.request("GET", parts.path, headers=headers)
            response = connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            raise NotReachable(
                f"what answers at {parts.netloc} does not prove who it is: {error.verify_message}",
                hint="see which certificate the node's download port shows; docs/downloads.md",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise NotReachable(
                f"the node does not answer at {parts.netloc}: {error}",
                hint="its port for downloads must be reachable from here; on that machine `holdfast download` needs no port",
            ) from None
        if response.status >= 400:
            raise _error_of(response.status, response.read(1 << 16))
        if start and response.status != 206:
            raise ProtocolError("the file has changed meanwhile", hint="download it anew")
        state.is_begun = True
        state.tag = response.headers.get("ETag", "")
        state.can_go_on = bool(state.tag)
        found = _NAME.search(response.headers.get("Content-Disposition", ""))
        state.name = unquote(found[1]) if found else ""
        try:
            while block := response.read(_BLOCK_BYTES):
                yield block
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"the download broke off: {type(error).__name__}", hint="start it again") from None
        if response.length:
            raise Broken(f"the download broke off {response.length} bytes before its end", hint="start it again")
    finally:
        connection.close()


def _error_of(status: int, payload: bytes) -> HoldfastError:
    try:
        said = json.loads(payload)["error"]
        return error_from(ErrorFacts(str(said["code"]), str(said["message"]), str(said.get("hint", ""))))
    except (ValueError, KeyError, TypeError):
        return ProtocolError(f"the node answered with HTTP status {status}")
