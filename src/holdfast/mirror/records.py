"""What one mirror holds, which chunk lies where, and what the open commit will change. SQLite in the side folder.

Keys are `walk_key`s of source paths. `files` are contents: in the mirror (`placed`, at `key`) or in the side folder's `tmp/N`.
Several entries with one file are hard links. Nothing here is ever guessed from: a row is a hint whose bytes are verified when used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from itertools import islice

import msgspec

from holdfast.mirror.row_store import CHUNKS, STAGED, STAGED_COLUMNS, RowStore, decode_entry, row_of, staged_of
from holdfast.mirror.rows import Content, Fingerprint, Place, Recorded, Seen, Staged, What, hardlink_of
from holdfast.model.entry import ChunkRef, Entry, Kind

RECORDS = b"mirror.db"
_MOST_CHUNK_BYTES = 8 << 20

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries(key BLOB PRIMARY KEY, entry BLOB NOT NULL, file INTEGER, hardlink BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_file ON entries(file) WHERE file IS NOT NULL;
CREATE INDEX IF NOT EXISTS entries_hardlink ON entries(hardlink) WHERE hardlink IS NOT NULL;
CREATE TABLE IF NOT EXISTS files(
    n INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, placed INTEGER NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_key ON files(key);
CREATE INDEX IF NOT EXISTS files_staged ON files(n) WHERE placed=0;
CREATE TABLE IF NOT EXISTS chunks(
    id BLOB NOT NULL, file INTEGER NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY(id, file, offset)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chunks_file ON chunks(file, offset);
CREATE TABLE IF NOT EXISTS staged(key BLOB PRIMARY KEY, what TEXT NOT NULL, entry BLOB, file INTEGER, hardlink BLOB) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS staged_file ON staged(file) WHERE file IS NOT NULL;
CREATE INDEX IF NOT EXISTS staged_hardlink ON staged(hardlink) WHERE hardlink IS NOT NULL;
"""

# Of this connection only.
_PASSING = """
CREATE TEMP TABLE affected(n INTEGER PRIMARY KEY);
CREATE TEMP TABLE surveyed(n INTEGER PRIMARY KEY);
CREATE TEMP TABLE strays(relative BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, coarse BLOB, fine BLOB)
    WITHOUT ROWID;
CREATE INDEX temp.strays_time ON strays(size, mtime_ns);
CREATE INDEX temp.strays_coarse ON strays(coarse) WHERE coarse IS NOT NULL;
CREATE INDEX temp.strays_fine ON strays(fine) WHERE fine IS NOT NULL;
"""
# Changes of a commit of which what is recorded is read together.
_READ_AHEAD = 1_000
# Files of one size and time that are tried in place of a missing one.
_MOST_STRAYS = 4

_encode = msgspec.msgpack.Encoder().encode
_decode_seen = msgspec.msgpack.Decoder(Seen).decode


class Records(RowStore):
    """One connection; used by one thread at a time. Changes are held in an open transaction until `save`."""

    def __init__(self, path: bytes) -> None:
        super().__init__(path, _SCHEMA + _PASSING)

    # Facts

    def fact(self, name: str) -> str | None:
        row = self._read("SELECT value FROM facts WHERE name=?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str | None) -> None:
        if value is None:
            self._change("DELETE FROM facts WHERE name=?", (name,))
        else:
            self._change("INSERT OR REPLACE INTO facts VALUES(?, ?)", (name, value))

    # What the mirror holds

    def held(self) -> Generator[tuple[bytes, Seen, Fingerprint | None], None, None]:
        """All that the mirror holds, in walk order. To be closed."""
        rows = self._read(
            "SELECT e.key, e.entry, f.size, f.mtime_ns, f.ctime_ns, f.inode FROM entries e LEFT JOIN files f ON f.n=e.file ORDER BY e.key"
        )
        for row in rows:
            yield row[0], _decode_seen(row[1]), None if row[2] is None else Fingerprint(*row[2:])

    def has_entries(self) -> bool:
        return self._read("SELECT 1 FROM entries LIMIT 1").fetchone() is not None

    def below(self, key: bytes) -> Iterator[tuple[bytes, Recorded]]:
        """Entries at and below, deepest first."""
        rows = self._read(
            "SELECT key, entry, file FROM entries WHERE key=? OR (key>=? AND key<?) ORDER BY key DESC", (key, key + b"\x00", key + b"\x01")
        )
        for found, entry, file in rows:
            yield found, Recorded(decode_entry(entry), file)

    def listed(self, key: bytes) -> Iterator[Entry]:
        """Entries at and below, in walk order, as they are at this moment whatever is committed meanwhile."""
        # The empty key is the root of all, which has everything behind it.
        after = (key + b"\x00", key + b"\x01") if key else (b"", b"\xff" * 8)
        for (entry,) in self._read("SELECT entry FROM entries WHERE key=? OR (key>=? AND key<?) ORDER BY key", (key, *after)):
            yield decode_entry(entry)

    # Contents and their chunks

    def new_file(self, key: bytes, fingerprint: Fingerprint | None = None) -> int:
        """A content in the side folder; with a fingerprint, one found in the mirror."""
        return self._add_file(key, fingerprint is not None, Fingerprint(0, 0, 0, 0) if fingerprint is None else fingerprint)

    def set_placed(self, n: int, key: bytes, fingerprint: Fingerprint) -> None:
        self.set_all_placed([(n, key, fingerprint)])

    def set_all_placed(self, placed: Iterable[tuple[int, bytes, Fingerprint]]) -> None:
        """Contents that are in the mirror now: (n, key, as it stands there)."""
        self._forget_contents_remembered()
        self._insert("files", [row_of(Content(n, key, True, fingerprint)) for n, key, fingerprint in placed])

    def drop_chunks(self, n: int) -> None:
        self._change("DELETE FROM chunks WHERE file=?", (n,))

    def add_chunks(self, n: int, rows: Iterable[tuple[bytes, int, int]]) -> None:
        """Rows of (id, offset, size)."""
        for chunk_id, offset, size in rows:
            self._nowhere.discard(chunk_id)
            self._insert_later("chunks", (chunk_id, n, offset, size))

    def places(self, chunk_id: bytes) -> Iterator[Place]:
        """One place in each of at most eight files, newest first. One seek each: a sparse file has the chunk of zeros a million times."""
        if chunk_id in self._nowhere:
            return
        before = 1 << 62
        for _ in range(8):
            row = self._read(
                "SELECT file, offset, size FROM chunks WHERE id=? AND file<? ORDER BY file DESC LIMIT 1", (chunk_id, before), CHUNKS
            ).fetchone()
            if row is None:
                return
            before = row[0]
            yield Place(row[0], row[1], _chunk_size(row[2]))

    def chunks_of(self, n: int) -> tuple[ChunkRef, ...]:
        rows = self._read("SELECT id, size FROM chunks WHERE file=? ORDER BY offset", (n,), CHUNKS)
        return tuple(ChunkRef(chunk_id, _chunk_size(size)) for chunk_id, size in rows)

    def chunks_with_offsets(self, n: int) -> list[tuple[int, ChunkRef]]:
        rows = self._read("SELECT offset, id, size FROM chunks WHERE file=? ORDER BY offset", (n,), CHUNKS)
        return [(offset, ChunkRef(chunk_id, _chunk_size(size))) for offset, chunk_id, size in rows]

    def has_chunk_at(self, n: int, chunk_id: bytes, offset: int) -> bool:
        return self._read("SELECT 1 FROM chunks WHERE id=? AND file=? AND offset=?", (chunk_id, n, offset)).fetchone() is not None

    def temp_files(self) -> set[int]:
        return {row[0] for row in self._read("SELECT n FROM files WHERE placed=0")}

    def spares(self) -> set[int]:
        """Contents in the side folder that the open commit has not used, as far as it is known."""
        rows = self._read("SELECT n FROM files WHERE placed=0 AND n NOT IN (SELECT file FROM staged WHERE file NOT NULL)")
        return {row[0] for row in rows}

    def drop_files(self, numbers: Iterable[int]) -> None:
        """Forget contents that no entry has."""
        self._forget_remembered()
        for n in numbers:
            self.drop_chunks(n)
            self._change("DELETE FROM files WHERE n=?", (n,))

    # What stands in the mirror unknown

    def note_surveyed(self, n: int) -> None:
        """Forgotten at the next commit, unless an entry has it then."""
        self._change("INSERT INTO surveyed VALUES(?)", (n,))

    def clear_strays(self) -> None:
        self._change("DELETE FROM strays")

    def add_strays(self, rows: Iterable[tuple[bytes, int, int, bytes | None, bytes | None]]) -> None:
        """Rows of (place relative to the writer, size, mtime, ids of the first chunk, coarse and fine, or None)."""
        self._db.executemany("INSERT OR REPLACE INTO strays VALUES(?, ?, ?, ?, ?)", rows)

    def strays(self, size_bytes: int, mtime_ns: int) -> list[bytes]:
        sql = "SELECT relative FROM strays WHERE size=? AND mtime_ns=? ORDER BY relative LIMIT ?"
        return [row[0] for row in self._read(sql, (size_bytes, mtime_ns, _MOST_STRAYS))]

    def stray_by_first_chunk(self, chunk_id: bytes) -> bytes | None:
        row = self._read("SELECT relative FROM strays WHERE coarse=? OR fine=? LIMIT 1", (chunk_id, chunk_id)).fetchone()
        return None if row is None else row[0]

    # Hard links

    def linked(self, hardlink: bytes) -> list[int]:
        """Contents that names of this group have: staged ones first."""
        staged = self._read("SELECT DISTINCT file FROM staged WHERE hardlink=? AND file IS NOT NULL", (hardlink,)).fetchall()
        held = self._read("SELECT DISTINCT file FROM entries WHERE hardlink=? AND file IS NOT NULL", (hardlink,)).fetchall()
        return list(dict.fromkeys(row[0] for row in staged + held))

    def is_shared_with_others(self, n: int, key: bytes, hardlink: bytes | None) -> bool:
        """True when, after this commit as far as it is known, names outside the group would have this content too."""
        if self.is_staged_with_others(n, key, hardlink):
            return True
        held = self._read(
            "SELECT 1 FROM entries WHERE file=? AND key<>? AND (hardlink IS NULL OR hardlink IS NOT ?)"
            " AND NOT EXISTS(SELECT 1 FROM staged WHERE staged.key=entries.key AND staged.what<>'keep')",
            (n, key, hardlink),
        )
        return held.fetchone() is not None

    def is_staged_with_others(self, n: int, key: bytes, hardlink: bytes | None) -> bool:
        """True when a name outside the group is to get this content."""
        if self._staged_contents is not None and n not in self._staged_contents:
            return False
        sql = "SELECT 1 FROM staged WHERE file=? AND key<>? AND (hardlink IS NULL OR hardlink IS NOT ?)"
        return self._read(sql, (n, key, hardlink), STAGED).fetchone() is not None

    def is_handed_on(self, key: bytes, recorded: Recorded) -> bool:
        """True when another name, no hard link to it, gets the content of this one."""
        return recorded.file is not None and self.is_staged_with_others(recorded.file, key, hardlink_of(recorded.entry))

    def is_staged_file(self, n: int) -> bool:
        return self._read("SELECT 1 FROM staged WHERE file=?", (n,)).fetchone() is not None

    # The open commit

    def stage(self, key: bytes, what: What, entry: Entry | None = None, file: int | None = None) -> None:
        packed = None if entry is None else _encode(entry)
        hardlink = hardlink_of(entry) if entry is not None and file is not None else None
        self._staged.pop(key, None)
        self._note_staged(file)
        self._insert_later("staged", (key, what, packed, file, hardlink))

    def staged(self) -> Iterator[Staged]:
        """All changes, in walk order. What is recorded of each is read ahead."""
        rows = self._read(f"SELECT {STAGED_COLUMNS} FROM staged ORDER BY key")
        while some := list(islice(rows, _READ_AHEAD)):
            self.foresee_entries([row[0] for row in some])
            self.foresee_files([row[3] for row in some])
            yield from map(staged_of, some)

    def staged_in_mirror(self) -> list[Staged]:
        """Puts whose content the mirror has already, in place or under another name."""
        rows = self._read(
            "SELECT s.key, s.what, s.entry, s.file FROM staged s CROSS JOIN files f ON f.n=s.file"
            " WHERE s.what='put' AND f.placed=1 ORDER BY s.key"
        )
        return [staged_of(row) for row in rows]

    def staged_in_side(self) -> list[int]:
        """Contents of puts that are not in the mirror yet."""
        rows = self._read("SELECT DISTINCT s.file FROM staged s CROSS JOIN files f ON f.n=s.file WHERE s.what='put' AND f.placed=0")
        return [row[0] for row in rows]

    def staged_at(self, key: bytes) -> Staged | None:
        if key in self._staged:
            return self._staged[key]
        row = self._read(f"SELECT {STAGED_COLUMNS} FROM staged WHERE key=?", (key,)).fetchone()
        return None if row is None else staged_of(row)

    def with_staged(self, key: bytes) -> list[tuple[bytes, int | None, Staged | None]]:
        """All that the mirror holds at and below, in walk order: (key, its content, what is to become of it)."""
        rows = self._read(
            "SELECT e.key, e.file, s.what, s.entry, s.file FROM entries e LEFT JOIN staged s ON s.key=e.key"
            " WHERE e.key>=? AND e.key<? ORDER BY e.key",
            (key, key + b"\x01"),
        )
        return [
            (k, held, None if what is None else Staged(k, what, None if entry is None else decode_entry(entry), file))
            for k, held, what, entry, file in rows
        ]

    def still_shared(self) -> list[bytes]:
        """Keys of puts whose content some other name, of no group with it, keeps after this commit."""
        rows = self._read(
            "SELECT DISTINCT s.key FROM staged s CROSS JOIN entries e ON e.file=s.file WHERE s.what='put' AND e.key<>s.key"
            " AND (s.hardlink IS NULL OR e.hardlink IS NOT s.hardlink)"
            " AND NOT EXISTS(SELECT 1 FROM staged t WHERE t.key=e.key AND t.what<>'keep')"
        )
        return [row[0] for row in rows]

    def has_changes(self) -> bool:
        return self._read("SELECT 1 FROM staged WHERE what<>'keep' LIMIT 1").fetchone() is not None

    def staged_files(self) -> Iterator[tuple[int, int, bytes]]:
        """Per staged content: (n, how many names get it, one of the keys)."""
        yield from self._read("SELECT file, COUNT(*), MIN(key) FROM staged WHERE what='put' AND file IS NOT NULL GROUP BY file").fetchall()

    def stage_missing_as_removed(self) -> None:
        """For a full commit: what was not put does not exist."""
        self._staged.clear()
        self._change("INSERT INTO staged SELECT key, 'remove', NULL, NULL, NULL FROM entries WHERE key NOT IN (SELECT key FROM staged)")

    def unstage(self) -> None:
        self._staged.clear()
        self._staged_contents = set()
        self._change("DELETE FROM staged")

    def merge_staged(self, *, full: bool, keeps_spares: bool = False) -> None:
        """What was staged is what the mirror holds now; contents nobody has any more are forgotten, spares too (with `keeps_spares` only
        those of what was staged). Costs by what was staged; `full`: by all there is, and what was surveyed and not used goes, too."""
        self._forget_remembered()
        self._change("DELETE FROM affected")
        self._change("INSERT OR IGNORE INTO affected SELECT n FROM surveyed")
        self._change("DELETE FROM surveyed")
        self._change("INSERT OR IGNORE INTO affected SELECT file FROM staged WHERE file NOT NULL")
        spares = " WHERE placed=0 AND key IN (SELECT key FROM staged)" if keeps_spares else " WHERE placed=0"
        self._change("INSERT OR IGNORE INTO affected SELECT n FROM files" + ("" if full else spares))
        self._change("INSERT OR IGNORE INTO affected SELECT e.file FROM staged s CROSS JOIN entries e ON e.key=s.key WHERE e.file NOT NULL")
        rows = self._read("SELECT s.key, s.entry, e.entry FROM staged s CROSS JOIN entries e ON e.key=s.key WHERE s.what='put'").fetchall()
        for key, new, old in rows:
            if decode_entry(old).kind is Kind.DIRECTORY and decode_entry(new).kind is not Kind.DIRECTORY:
                below = (key + b"\x00", key + b"\x01")
                self._change("INSERT OR IGNORE INTO affected SELECT file FROM entries WHERE key>=? AND key<? AND file NOT NULL", below)
                self._change("DELETE FROM entries WHERE key>=? AND key<?", below)
        self._change("DELETE FROM entries WHERE key IN (SELECT key FROM staged WHERE what='remove')")
        self._change("INSERT OR REPLACE INTO entries SELECT key, entry, file, hardlink FROM staged WHERE what='put'")
        self.unstage()
        self._forget_contents()

    def _forget_contents(self) -> None:
        """Of those affected: what no entry has goes, what lost the name it was known by gets another of its names."""
        gone = "SELECT n FROM affected WHERE NOT EXISTS(SELECT 1 FROM entries WHERE file=n)"
        self._change(f"DELETE FROM chunks WHERE file IN ({gone})")
        self._change(f"DELETE FROM files WHERE n IN ({gone})")
        self._change(
            "UPDATE files SET key=(SELECT key FROM entries WHERE file=files.n LIMIT 1) WHERE n IN (SELECT n FROM affected)"
            " AND NOT EXISTS(SELECT 1 FROM entries WHERE key=files.key AND file=files.n)"
        )


def _chunk_size(size: int) -> int:
    """The size itself, of which so much is read into memory. Raises `sqlite3.DatabaseError` for one that no chunk has."""
    if not isinstance(size, int) or not 0 <= size <= _MOST_CHUNK_BYTES:
        raise sqlite3.DatabaseError(f"a record names a chunk of {size!r} bytes")
    return size
