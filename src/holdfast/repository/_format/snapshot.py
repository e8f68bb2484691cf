"""Snapshot files, in the field order of restic's `Snapshot`. What only Holdfast knows stands in the tags."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.core.errors import RepositoryDamaged
from holdfast.model.decoding import UNREADABLE
from holdfast.repository._format.index import hash_from
from holdfast.repository._format.text import time_ns
from holdfast.repository._format.unpacked import html_safe

PROGRAM_VERSION = "holdfast 0.1.0"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """restic's summary: what newer versions show as sizes. Times are RFC 3339."""

    backup_start: str
    backup_end: str
    files_new: int = 0
    files_changed: int = 0
    files_unmodified: int = 0
    dirs_new: int = 0
    dirs_changed: int = 0
    dirs_unmodified: int = 0
    data_blobs: int = 0
    tree_blobs: int = 0
    data_added: int = 0
    data_added_packed: int = 0
    total_files_processed: int = 0
    total_bytes_processed: int = 0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`time` is RFC 3339; `tree` and `parent` are 64 hex digits."""

    time: str
    parent: str | None = None
    tree: str
    paths: tuple[str, ...] | None
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    excludes: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    original: str | None = None
    program_version: str = ""
    summary: Summary | None = None

    @property
    def tree_id(self) -> bytes:
        return hash_from(self.tree)

    @property
    def time_ns(self) -> int:
        return time_ns(self.time)


class _Lenient(msgspec.Struct, frozen=True, kw_only=True):
    """What any restic writes: the same without the summary, whose fields differ between versions and which is for people."""

    time: str
    parent: str | None = None
    tree: str
    paths: tuple[str, ...] | None = None
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    excludes: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    original: str | None = None
    program_version: str = ""


def encode_snapshot(snapshot: Snapshot) -> bytes:
    return html_safe(msgspec.json.encode(snapshot))


def retag(json: bytes, tags: tuple[str, ...], snapshot_id: str) -> bytes:
    """The JSON of a snapshot with other tags, all else as it was: as `restic tag` does it, `original` names the first of the row."""
    try:
        fields = msgspec.json.decode(json, type=dict[str, Any])
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a snapshot cannot be read: {error}") from error
    return html_safe(msgspec.json.encode({**fields, "tags": tags, "original": fields.get("original") or snapshot_id}))


def decode_snapshot(json: bytes) -> Snapshot:
    """The snapshot without its summary; raises `RepositoryDamaged`."""
    try:
        found = msgspec.json.decode(json, type=_Lenient)
    except UNREADABLE as error:
        raise RepositoryDamaged(f"a snapshot cannot be read: {error}") from error
    hash_from(found.tree)
    time_ns(found.time)
    return Snapshot(**msgspec.structs.asdict(found))
