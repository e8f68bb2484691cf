"""Whether the records of a mirror can be believed: what is raised because a disk or a database failed, as an error of our tree."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec

from holdfast.core.errors import NoSpace
from holdfast.core.local_database import DatabaseErrors, fits
from holdfast.mirror.records import RECORDS
from holdfast.mirror.row_store import decode_entry
from holdfast.mirror.rows import Intention
from holdfast.mirror.target import Target
from holdfast.model.change import Cursor
from holdfast.model.entry import display_path, walk_key
from holdfast.model.mirrors import Stand


def records_errors(side: bytes) -> DatabaseErrors:
    """For whatever uses the records in this side folder: raises `NoSpace` or `StoreError` where SQLite raises its own, or rows make
    no sense."""
    hint = "move the file away, and take the folder over with --adopt: what is equal stays, and nothing of it travels"
    path = os.path.join(side, RECORDS)
    return DatabaseErrors(path, "the records of the mirror", damaged=hint, is_sound=lambda: _is_sound(path))


@contextmanager
def mirror_errors(target: Target) -> Iterator[None]:
    """As `records_errors`, around whatever writes a mirror. A full disk is told by the mirror that lies on it, not by the file that was too
    much for it."""
    try:
        with records_errors(target.side.root):
            yield
    except NoSpace as error:
        shown = display_path(os.path.join(target.writer.root, target.base))
        hint = "make room there; the mirror catches up by itself"
        raise NoSpace(f"the disk of the mirror {shown} {_shortage(target.writer.root)}", hint=hint, path=shown) from error


def _shortage(folder: bytes) -> str:
    try:
        room = os.statvfs(folder)
    except OSError:
        return "is full"
    return "has no room for further names (inodes)" if room.f_files and not room.f_favail else "is full, or its quota used up"


_TYPES = {
    "facts": {"name": "text"},
    "entries": {"key": "blob", "entry": "blob", "file": "integer|null", "hardlink": "blob|null"},
    "files": {"key": "blob", **dict.fromkeys(("n", "placed", "size", "mtime_ns", "ctime_ns", "inode"), "integer")},
    "chunks": {"id": "blob", **dict.fromkeys(("file", "offset", "size"), "integer")},
    "staged": {"key": "blob", "what": "text", "entry": "blob|null", "file": "integer|null", "hardlink": "blob|null"},
}


def _is_sound(path: bytes) -> bool:
    """Whether every row is of its columns' types, and names what is there; reads the whole. May raise where not."""
    with closing(sqlite3.connect(os.fsdecode(path))) as database:
        if not fits(database, _TYPES):
            return False
        for table in ("entries", "staged"):
            dangling = f"SELECT 1 FROM {table} WHERE file NOT NULL AND file NOT IN (SELECT n FROM files) LIMIT 1"
            if database.execute(dangling).fetchone() is not None:
                return False
            for key, entry in database.execute(f"SELECT key, entry FROM {table} WHERE entry NOT NULL"):
                if walk_key(decode_entry(entry).path) != key:
                    return False
        facts = dict(database.execute("SELECT name, value FROM facts"))
    for name, kind in (("cursor", Cursor), ("stand", Stand), ("intention", Intention)):
        if name in facts:
            msgspec.json.decode(str(facts[name]), type=kind)
    return True
