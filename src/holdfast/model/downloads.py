"""Downloads: one path of one point as a file, or a folder as one archive; and the link by which a browser gets it from the owner.

A link is a signed order in an address. Whoever has it may use it once, until it ends; the owner judges it without asking anybody.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

import msgspec

from holdfast.core.errors import ErrorFacts, NotGranted, UsageError
from holdfast.core.ids import DatasetId, NodeId, PointId, RepositoryId
from holdfast.model.entry import Entry, Kind, display_path, name_of

Format = Literal["auto", "file", "zip", "tar", "tar.zst"]
FORMATS: tuple[Format, ...] = ("auto", "file", "zip", "tar", "tar.zst")
LINK_LIFETIME = timedelta(minutes=10)
"""A link is good for so long from when it was signed. What has begun by then is given to its end."""

LINK_PATH = "/download/"
_MAX_TOKEN = 16_384
_NAME_BYTES = 200


class DownloadOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lets whoever shows it get `path` (`/` = everything) of one point from `owner`, once, until `expires_at`.

    `user` is for whom it was signed, for the log; `origin` the web page that may read the answer by script, empty = none.
    """

    id: str
    owner: NodeId
    repository: RepositoryId
    dataset: DatasetId
    point: PointId
    path: bytes
    format: Format
    user: str
    origin: str = ""
    expires_at: datetime
    label: str = ""


class AskDownloadPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Where this node gives downloads. `host`: the name or address that will stand in the link; `certificate_pem`: for the key of the
    request that the node answered before."""

    host: str
    certificate_pem: bytes = b""


class DownloadPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """`port` 0 = there is none, and `problem` says why. `host`: what the node's administrator says it is called, empty = as asked.

    `csr_pem`: the node needs a certificate for that host first. `own_certificate`: its administrator gave it one, which browsers may know.
    """

    port: int = 0
    host: str = ""
    csr_pem: bytes = b""
    own_certificate: bool = False
    problem: ErrorFacts | None = None


def signed_bytes_of_download(body: bytes) -> bytes:
    """What the signature is over. The words in front keep one kind of order from ever passing for another, which the same key signs."""
    return b"holdfast download order 1\0" + body


def token_of(body: bytes, signature: bytes) -> str:
    """The order as it stands in an address."""
    return f"{_text(body)}.{_text(signature)}"


def parse_token(token: str) -> tuple[bytes, bytes]:
    """Body and signature, nothing of it believed yet. Raises `NotGranted`."""
    body, dot, signature = token.partition(".")
    if not dot or len(token) > _MAX_TOKEN:
        raise NotGranted("this is no download link", hint="take a new one; all of the address is needed")
    try:
        return _bytes(body), _bytes(signature)
    except (binascii.Error, ValueError):
        raise NotGranted("this is no download link", hint="take a new one; all of the address is needed") from None


def link_of(host: str, port: int, token: str, name: str) -> str:
    """The address. `name` at its end is for programs that call what they save by it; the node does not look at it."""
    place = f"[{host}]" if ":" in host else host
    return f"https://{place}:{port}{LINK_PATH}{token}/{quote(name, safe='')}"


def chosen_format(entry: Entry, wanted: Format) -> Format:
    """`auto` decided. Raises `UsageError` for a folder that is wanted as a file, and the like."""
    if wanted == "auto":
        return "file" if entry.kind is Kind.FILE else "zip"
    if wanted == "file" and entry.kind is not Kind.FILE:
        raise UsageError(f"{display_path(entry.path)} is no plain file", hint="take it as zip, tar or tar.zst")
    return wanted


def saved_name(path: bytes, format: Format) -> str:
    """What a download is called where it is saved: the last name of the path, without what leads elsewhere or cannot be seen."""
    text = name_of(path).decode("utf-8", "replace")
    shown = "".join(c if c.isprintable() and c not in '\\/:*?"<>|\ufffd' else "_" for c in text).strip(" ")
    shown = shown.encode()[:_NAME_BYTES].decode("utf-8", "ignore")
    if not shown.strip("."):
        shown = "download"
    return shown if format in ("auto", "file") else f"{shown}.{format}"


def disposition_of(name: str) -> str:
    """`Content-Disposition` by RFC 6266: the name in full, and for old programs what of it is ASCII."""
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Only what `_text` writes: another spelling of the same bytes is not taken."""
    value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(value) != text:
        raise ValueError("not canonical")
    return value
