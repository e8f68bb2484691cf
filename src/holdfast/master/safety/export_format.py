"""The export as a file: lines of JSON, which both databases share, and what is checked of them.

    {"holdfast": "master-export", "format": 1, "schema": "0007", ...}      the head: `Head`
    {"t": "nodes", "r": [[...], ...]}                                      a page of rows of a table
    {"t": "users", "s": "..."}                                             the same, sealed
    {"t": "users", "rows": 3, "sha256": "..."}                             the end of a table: of the bytes of its pages
    {"end": 42, "mac": "..."}                                              lines before this one; HMAC-SHA256 of their bytes

A value is JSON's own, but bytes are `{"b": BASE64}` and moments `{"t": ISO 8601 in UTC}`. Pages come in the order of keys and open ones are
the same bytes each time, so that a repository stores only what is new. The tables named in `OPEN` are readable to who can read the
repository; every other one is sealed, also one that comes later. What is open is authenticated too: who has the repository cannot write a
Master's records.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeVar

import msgspec

from holdfast.core.errors import ExportDamaged, Refused, UsageError
from holdfast.master.safety.sealing import ExportKey, Kit, Sealer
from holdfast.model.decoding import UNREADABLE

MARK = "master-export"
FORMAT = 1
PAGE_ROWS = 200
_MOST_LINE_BYTES = 256 << 20
AUTHORITY = "authority"
"""A table of the export that is none of the records: the Master's keys, a row each of name and content."""
OPEN = frozenset(
    {
        "active_flows",
        "audit",
        "environment",
        "events",
        "job_subjects",
        "jobs",
        "nodes",
        "policy_ids",
        "repository_sizes",
        "restorations",
        "revisions",
        "revoked_keys",
        "rules",
        "unsettled_activation",
        "used_repositories",
    }
)
Row = Sequence[Any]
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. `schema`: the migration the tables stand at. `epoch`: of the Master that wrote it. `columns` by table, in the order
    in which they follow. `audit_number`: of the newest record of the audit log. The ports and names are what a restored Master takes
    where it is not told others."""

    holdfast: str
    format: int
    schema: str
    version: str
    environment: str
    name: str
    made_at: datetime
    epoch: int
    audit_number: int
    api_port: int
    hub_port: int
    names: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    kits: tuple[Kit, ...]


class _Page(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page, open or sealed; or with `sha256` the end of a table."""

    t: str
    r: list[list[Any]] | None = None
    s: str | None = None
    rows: int = 0
    sha256: str = ""


class _End(msgspec.Struct, frozen=True, kw_only=True):
    end: int
    mac: str


class ExportWriter:
    """Head, then each table once, then `finish`."""

    def __init__(self, file: BinaryIO, head: Head, key: ExportKey, sealer: Sealer) -> None:
        self._file, self._sealer = file, sealer
        self._mac = hmac.new(key.derived("mac"), digestmod=hashlib.sha256)
        self._lines = 0
        self.rows = 0
        self._write(head)

    def table(self, name: str, rows: Iterable[Row]) -> None:
        count, pages, digest = 0, 0, hashlib.sha256()
        for page in _pages(rows):
            body = [[_plain(value) for value in row] for row in page]
            if name in OPEN:
                line = self._write(_Page(t=name, r=body))
            else:
                line = self._write(_Page(t=name, s=self._sealer.seal(msgspec.json.encode(body), f"{name} {pages}")))
            digest.update(line)
            count, pages = count + len(body), pages + 1
        self._write(_Page(t=name, rows=count, sha256=digest.hexdigest()))
        self.rows += count

    def finish(self) -> None:
        self._file.write(_line(_End(end=self._lines, mac=self._mac.hexdigest())))

    def _write(self, value: msgspec.Struct) -> bytes:
        line = _line(value)
        self._mac.update(line)
        self._file.write(line)
        self._lines += 1
        return line


class ExportReader:
    """Reads from the first byte to the last. What is damaged raises `ExportDamaged` with the table and the line."""

    def __init__(self, file: BinaryIO) -> None:
        """Reads the head. Raises `Refused` for an export of a newer version, `UsageError` for what is no export."""
        self._file = file
        self._number = 0
        first = self._line()
        self.head = _head(first)
        self._read = [first]
        self._mac: hmac.HMAC | None = None

    def tables(self, key: ExportKey) -> Iterator[tuple[str, Iterator[list[Any]]]]:
        """Each table with its rows, which are to be read before the next one. The end has been checked when this has ended."""
        sealer = Sealer(key)
        self._mac = hmac.new(key.derived("mac"), self._read[0], hashlib.sha256)
        for name in self.head.columns:
            yield name, self._rows(name, sealer)
        self._finish()

    def _rows(self, name: str, sealer: Sealer) -> Iterator[list[Any]]:
        digest, count, pages, width = hashlib.sha256(), 0, 0, len(self.head.columns[name])
        while True:
            line = self._next(name)
            page = _decoded(line, _Page, self._number, name)
            if page.sha256:
                if (page.t, page.rows, page.sha256) != (name, count, digest.hexdigest()):
                    raise self._damaged(name, "its pages are not what was written")
                return
            digest.update(line)
            rows = self._opened(page, name, pages, sealer)
            count, pages = count + len(rows), pages + 1
            for row in rows:
                if len(row) != width:
                    raise self._damaged(name, f"a row has {len(row)} columns, not {width}")
                yield [self._value(value, name) for value in row]

    def _opened(self, page: _Page, name: str, number: int, sealer: Sealer) -> list[list[Any]]:
        if page.t != name:
            raise self._damaged(name, f"a page of {page.t} stands here")
        if page.s is None:
            # An open page of a table that must be sealed was not written by a Master.
            if name not in OPEN or page.r is None:
                raise self._damaged(name, "the page is not sealed")
            return page.r
        try:
            return msgspec.json.decode(sealer.open(page.s, f"{name} {number}"), type=list[list[Any]])
        except (ValueError, *UNREADABLE) as error:
            raise self._damaged(name, str(error)) from None

    def _value(self, value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            return value
        try:
            if value.keys() == {"b"}:
                return base64.b64decode(value["b"], validate=True)
            if value.keys() == {"t"}:
                return datetime.fromisoformat(value["t"]).astimezone(UTC)
        except (ValueError, TypeError, AttributeError):
            pass
        raise self._damaged(name, "a value cannot be read")

    def _finish(self) -> None:
        assert self._mac is not None
        before, expected = self._number, self._mac.hexdigest()
        end = _decoded(self._line(), _End, self._number)
        if end.end != before or not hmac.compare_digest(end.mac, expected):
            raise ExportDamaged("the export is not what its Master wrote: its digest is another", hint=_HINT, line=str(self._number))
        if self._file.read(1):
            raise ExportDamaged("there is something behind the end of the export", hint=_HINT, line=str(self._number + 1))

    def _next(self, name: str) -> bytes:
        assert self._mac is not None
        line = self._line(name)
        self._mac.update(line)
        return line

    def _line(self, name: str = "") -> bytes:
        line = self._file.readline(_MOST_LINE_BYTES)
        self._number += 1
        if not line.endswith(b"\n"):
            raise self._damaged(name or "the whole", "it ends in the middle: it was not written to its end, or cut off")
        return line

    def _damaged(self, name: str, what: str) -> ExportDamaged:
        return _damage(self._number, name, what)


_HINT = "take another export: an older point of the dataset that holds them, or another copy"


def _head(line: bytes) -> Head:
    try:
        said = msgspec.json.decode(line, type=dict[str, Any])
    except UNREADABLE:
        said = {}
    if said.get("holdfast") != MARK:
        raise UsageError("this is no export of a Master", hint="name the file `master.export`, or the folder it lies in")
    if said.get("format") != FORMAT:
        raise Refused(
            f"this export has format {said.get('format')} (of Holdfast {said.get('version', '?')}), and this Holdfast reads {FORMAT}",
            hint="install the newer Holdfast here, then restore",
        )
    return _decoded(line, Head, 1)


def _decoded(line: bytes, kind: type[T], number: int, name: str = "the whole") -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except UNREADABLE as error:
        raise _damage(number, name, str(error)) from None


def _damage(number: int, name: str, what: str) -> ExportDamaged:
    """`name`: of the table."""
    return ExportDamaged(f"the export is damaged at line {number}, table {name}: {what}", hint=_HINT, line=str(number), table=name)


def _line(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE_ROWS:
            yield page
            page = []
    if page:
        yield page


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"b": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        at = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return {"t": at.isoformat()}
    return value
