"""The audit log: who asked the Master for what, and how it ended, as a chain of records that shows what was done to it.

Each record holds the digest of the one before, so that none can be changed, taken out or put in without changing all that follow; and the
digest of the newest is told to the nodes, which keep it (`Anchor`): who rewrites the whole chain, or cuts off its end, contradicts them.
A digest is SHA-256 over `_PREFIX` and the record's JSON (msgspec, fields in their order here, defaults left out), in hex.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.units import format_utc
from holdfast.model.decoding import UNREADABLE

_PREFIX = b"holdfast-audit-1\n"
NO_RECORD = "0" * 64
"""What the first record names as the one before."""
MOST_ANCHORS = 64
"""A node keeps no more: the newest, and of earlier hours and days one each."""
MOST_ARGUMENT_BYTES = 64 * 1024
SECRET_NAMES = frozenset({"password", "old_password", "token", "secret", "code", "proof", "csr_pem", "secret_url"})
"""Arguments of these names are never written down."""
_STRUCK = "(not written down)"


class Phase(str, Enum):
    """`asked`: before anything is done, so that nothing is done unrecorded. `ended`: how it ended; an asked change without one was cut off,
    and how it ended is unknown. `looked`: a search, of which the asking is all there is to say."""

    ASKED = "asked"
    ENDED = "ended"
    LOOKED = "looked"


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`number` counts up from 1. `user` is empty where nobody had logged in yet. `credential`: the kind and id of the token or session.
    `activity` is the name of the call in the API's document, `target` its method and path. `arguments`: query and body as JSON, without
    secrets. `of`: the number of the record whose end this is. `error`: the code of what was refused or failed, empty = it was done."""

    number: int
    at: datetime
    phase: Phase
    user: str = ""
    credential: str = ""
    peer: str = ""
    activity: str = ""
    target: str = ""
    arguments: str = ""
    of: int = 0
    error: str = ""
    previous: str = NO_RECORD


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The newest record at a moment: its number and digest. `at` is the Master's time."""

    number: int
    digest: str
    at: datetime


class AskAnchors(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What does the node keep of the Master's audit log?"""


class AnchorsTold(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Oldest first, at most `MOST_ANCHORS`."""

    anchors: tuple[Anchor, ...]


class StoredRecord(msgspec.Struct, frozen=True):
    """A record as it was written, byte for byte, and the digest that was written with it: one line of an export."""

    record: str
    digest: str


class ChainFinding(msgspec.Struct, frozen=True, kw_only=True):
    """`number`: of the record where the chain does not hold. `witness`: the node that keeps another digest; empty = the chain itself."""

    code: str
    number: int
    message: str
    witness: str = ""


def encode_record(record: AuditRecord) -> bytes:
    return msgspec.json.encode(record)


def digest_of(encoded: bytes) -> str:
    return hashlib.sha256(_PREFIX + encoded).hexdigest()


def decode_line(line: bytes) -> StoredRecord:
    """One line of an export. Raises `UsageError` when it is none."""
    try:
        return msgspec.json.decode(line, type=StoredRecord)
    except UNREADABLE as error:
        raise UsageError(f"this is no line of an audit log: {error}", hint="give a file that `holdfast audit export` wrote") from None


def without_secrets(value: object) -> object:
    """JSON values, with what stands under a secret name struck out, however deep."""
    if isinstance(value, dict):
        return {key: _STRUCK if str(key).lower() in SECRET_NAMES else without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def arguments_text(query: dict[str, str], body: bytes) -> str:
    """`query` and `body` of a call as the text of a record. What is no JSON, or too long to be kept, is told by size and SHA-256."""
    told: dict[str, object] = {}
    if query:
        told["query"] = without_secrets(query)
    if body:
        told["body"] = _body(body)
    if not told:
        return ""
    text = msgspec.json.encode(told)
    if len(text) > MOST_ARGUMENT_BYTES:
        text = msgspec.json.encode({"size_bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()})
    return text.decode()


def _body(body: bytes) -> object:
    try:
        return without_secrets(msgspec.json.decode(body))
    except UNREADABLE:
        return {"size_bytes": len(body)}


class ChainCheck:
    """Finds where the records, given in their order and piece by piece, are not what was written. `anchors`: what each witness (a node's
    name) keeps.

    An edited record does not have its digest; after one that was taken out or put in, the numbers or the digests of the records before do
    not follow on. A chain that holds in itself and was rewritten, or ends early, is contradicted by an anchor.
    """

    def __init__(self, anchors: Mapping[str, tuple[Anchor, ...]]) -> None:
        self._number, self._digest = 0, NO_RECORD
        self._wanted: defaultdict[int, list[tuple[str, Anchor]]] = defaultdict(list)
        for witness, kept in anchors.items():
            for anchor in kept:
                self._wanted[anchor.number].append((witness, anchor))

    def take(self, stored: Iterable[StoredRecord]) -> Iterator[ChainFinding]:
        """The records that follow."""
        for one in stored:
            encoded = one.record.encode()
            record = decode_record(encoded)
            if digest_of(encoded) != one.digest or record is None:
                message = "the record is not what its digest was made of"
                yield ChainFinding(code="audit-edited", number=self._number + 1, message=message)
            if record is not None:
                yield from _follows(record, self._number, self._digest)
            self._number = record.number if record is not None else self._number + 1
            self._digest = one.digest
            for witness, anchor in self._wanted.pop(self._number, ()):
                if anchor.digest != self._digest:
                    message = f"{witness} was told another digest at {format_utc(anchor.at)}: this record, or one before, was rewritten"
                    yield ChainFinding(code="audit-rewritten", number=self._number, message=message, witness=witness)

    def end(self) -> Iterator[ChainFinding]:
        """There are no more."""
        for missing in sorted(number for number in self._wanted if number > self._number):
            for witness, anchor in self._wanted[missing]:
                message = f"{witness} was told of record {missing} at {format_utc(anchor.at)}, and the log ends with {self._number}"
                yield ChainFinding(code="audit-cut-off", number=self._number, message=message, witness=witness)


def verify_chain(stored: Iterable[StoredRecord], anchors: Mapping[str, tuple[Anchor, ...]]) -> Iterator[ChainFinding]:
    """As `ChainCheck`, of a whole log."""
    check = ChainCheck(anchors)
    yield from check.take(stored)
    yield from check.end()


def decode_record(encoded: bytes) -> AuditRecord | None:
    """None where it is none."""
    try:
        return msgspec.json.decode(encoded, type=AuditRecord)
    except UNREADABLE:
        return None


def _follows(record: AuditRecord, number: int, digest: str) -> Iterator[ChainFinding]:
    if record.number > number + 1:
        message = (
            f"records {number + 1} to {record.number - 1} are missing" if record.number > number + 2 else f"record {number + 1} is missing"
        )
        yield ChainFinding(code="audit-removed", number=number + 1, message=message)
    elif record.number <= number:
        yield ChainFinding(code="audit-inserted", number=record.number, message=f"the record comes after number {number}")
    elif record.previous != digest:
        yield ChainFinding(code="audit-broken", number=record.number, message="the record names another one before it than stands there")
