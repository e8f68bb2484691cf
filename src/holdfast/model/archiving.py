"""Archived files: how one version is named for ever, in a stub and in the lineage of its dataset.

A *version* is a path of a dataset and the time it was archived. In the lineage it lies at `/TIME/path`, so that each run of an archive
operation is one folder, names stay as they are and the tree alone says when each of them came (decision 0037). A *stub* is a symbolic link
`RECALL/DATASET/TIME/path`, where RECALL is the mount point of the recall mount on the source. Both are raw bytes, nothing is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import sha256

import msgspec

from holdfast.core.errors import ProtocolError
from holdfast.core.ids import DatasetId, is_id
from holdfast.model.entry import check_path, is_below

RECALL_FOLDER = "recall"
"""Of HOME: where the recall mount is."""
LONGEST_TARGET_BYTES = 4_095
"""symlink(2) takes no longer one (PATH_MAX with its NUL)."""

_TIME = re.compile(r"(\d{8}T\d{6})\.(\d{9})Z")
_FORM = "%Y%m%dT%H%M%S"
_START = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000
_LATEST_NS = 253_402_300_800 * _SECOND_NS


class Stub(msgspec.Struct, frozen=True, kw_only=True):
    """One archived version, as a link names it. `path` is the one it had on the source when it was archived."""

    dataset: DatasetId
    archived_ns: int
    path: bytes


class LegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing at or below `path` expires while it stands, whatever the policy says, and whatever is archived there later."""

    name: str
    since: datetime
    path: bytes = b"/"


class ToArchive(msgspec.Struct, frozen=True, array_like=True):
    """One file in the state the source captured: `digest` is the SHA-256 of its chunk ids in a row."""

    path: bytes
    size_bytes: int
    mtime_ns: int
    digest: bytes


class Verdict(str, Enum):
    """What the owner of a repository made of one file. `archived`: it is in the lineage, which is sealed, and every byte of both was read
    back. `unknown`: the repository has no such file. `changed`: it has another version. `unreadable`: not every byte could be read back."""

    ARCHIVED = "archived"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One archived version as people see it. `until` None = for ever. `holds`: names of the legal holds it is under."""

    path: str
    archived_at: datetime
    size_bytes: int
    modified_at: datetime
    dataset: str = ""
    repository: str = ""
    until: datetime | None = None
    holds: tuple[str, ...] = ()
    path_raw: bytes = b""


def digest_of(chunk_ids: Iterable[bytes]) -> bytes:
    """What tells one content of a file from another without its bytes."""
    return sha256(b"".join(chunk_ids)).digest()


def time_name(archived_ns: int) -> str:
    """UTC with nanoseconds, always of one length, so that names sort as times do. Raises `ValueError` before 1970 and after 9999."""
    if not 0 <= archived_ns < _LATEST_NS:
        raise ValueError(f"no time of an archive: {archived_ns}")
    seconds, rest_ns = divmod(archived_ns, _SECOND_NS)
    return f"{(_START + timedelta(seconds=seconds)).strftime(_FORM)}.{rest_ns:09d}Z"


def parse_time_name(text: str) -> int | None:
    """Inverse of `time_name`; None for everything that it does not write."""
    found = _TIME.fullmatch(text)
    if found is None or not text.isascii():
        return None
    try:
        when = datetime.strptime(found[1], _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    archived_ns = int((when - _START).total_seconds()) * _SECOND_NS + int(found[2])
    return archived_ns if 0 <= archived_ns < _LATEST_NS and time_name(archived_ns) == text else None


def lineage_path(archived_ns: int, path: bytes) -> bytes:
    """Where the version lies in the lineage of its dataset."""
    return b"/" + time_name(archived_ns).encode("ascii") + path


def parse_lineage_path(path: bytes) -> tuple[int, bytes] | None:
    """Archived time and path on the source; None where it names no version."""
    time, slash, rest = path[1:].partition(b"/")
    archived_ns = parse_time_name(time.decode("latin-1"))
    return (archived_ns, slash + rest) if path.startswith(b"/") and archived_ns is not None and rest else None


def stub_target(recall: bytes, stub: Stub) -> bytes:
    """What the link says. `recall`: the absolute path of the recall mount. Raises `ValueError` where no link can be that long."""
    target = b"/".join((recall, stub.dataset.encode("ascii"))) + lineage_path(stub.archived_ns, stub.path)
    if len(target) > LONGEST_TARGET_BYTES:
        raise ValueError(f"a link of {len(target)} bytes cannot be made")
    return target


def parse_stub(recall: bytes, target: bytes) -> Stub | None:
    """The version a link names; None for every link that is no stub of this recall mount."""
    if not is_below(target, recall) or target == recall:
        return None
    dataset, _, _ = target[len(recall) + 1 :].partition(b"/")
    found = parse_lineage_path(target[len(recall) + 1 + len(dataset) :])
    if found is None or not is_id(dataset.decode("latin-1")) or not _is_clean(found[1]):
        return None
    return Stub(dataset=DatasetId(dataset.decode("ascii")), archived_ns=found[0], path=found[1])


def _is_clean(path: bytes) -> bool:
    try:
        return check_path(path) != b"/"
    except ProtocolError:
        return False
