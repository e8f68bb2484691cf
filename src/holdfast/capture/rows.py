"""The rows of the capture state: their shape, and the schema of `state.db`. Nothing here opens a file."""

from __future__ import annotations

import stat

import msgspec

from holdfast.host.metadata import FILE_TYPES
from holdfast.model.entry import Entry, walk_key

SCHEMA_VERSION = 2

# `rows` is one B-tree in walk order, because the scan reads it beside the walk. `record` comes last: long chunk lists spill into
# overflow pages that the scan never touches.
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE datasets (slot INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, horizon INTEGER NOT NULL DEFAULT 0, finished BLOB);
CREATE TABLE roots (slot INTEGER NOT NULL, path BLOB NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
    kind INTEGER NOT NULL, PRIMARY KEY (slot, path)) WITHOUT ROWID;
CREATE TABLE rows (key BLOB PRIMARY KEY, members INTEGER NOT NULL, departed INTEGER NOT NULL, strayed INTEGER NOT NULL,
    run INTEGER NOT NULL, flags INTEGER NOT NULL, kind INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
    ctime INTEGER NOT NULL, inode INTEGER NOT NULL, record BLOB NOT NULL) WITHOUT ROWID;
"""

# Since version 2, see `accounts`. `listed` is the number of the run's keys in `changed`, -1 where they are not listed. The indexes hold
# only the few rows they are about, so that a first run pays nothing for them.
ACCOUNTS_SCHEMA = """
CREATE TABLE IF NOT EXISTS totals (members INTEGER PRIMARY KEY, entries INTEGER NOT NULL, files INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, bits INTEGER NOT NULL, listed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS changed (run INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tombstones ON rows (run) WHERE departed != 0;
CREATE INDEX IF NOT EXISTS flagged ON rows (flags) WHERE flags != 0;
"""
# Made when somebody first asks for the names of an inode: a machine that nobody follows does without.
INODE_INDEX = "CREATE INDEX IF NOT EXISTS rows_by_inode ON rows (inode)"

COLUMNS = "key, members, departed, strayed, run, flags, kind, size, mtime, ctime, inode, record"

# Read again next run, and send again only if it differs.
SUSPECT = 1
# A receiver was told of this version and did not get its content: read and send again next run, whatever it looks like.
WITHDRAWN = 2
# A stub stands in the file's place; or the file was removed for it is archived. What is captured there anew clears both.
STUBBED, ARCHIVED = 4, 8
# A version of it was withdrawn, so the next may be, too: for who lacks what was captured before it is read at capture, see `passing.anew`.
# Says nothing of the version that the row is of, stays with the path, and ends when the file has rested, see `Lacking.calm`.
RESTLESS = 16
# Flags of the version that the row is of: with none of them what is recorded is what was captured, and may be taken for it.
OF_VERSION = SUSPECT | WITHDRAWN | STUBBED | ARCHIVED
_FLAGS = OF_VERSION | RESTLESS

FILE_CODE = stat.S_IFREG >> 12
DIRECTORY_CODE = stat.S_IFDIR >> 12

CODES = {kind: file_type >> 12 for kind, file_type in FILE_TYPES.items()}


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path. `members`, `departed` and `strayed` are masks of dataset slots: belongs to; a tombstone for; of the departed,
    those where the path did not vanish but left the classification. `run` is the run that last changed the row. `kind` is `st_mode >> 12`.
    `ctime_ns` of a database is its stamp, see `databases`.
    """

    key: bytes
    members: int
    departed: int
    strayed: int
    run: int
    flags: int
    kind: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    record: bytes

    def entry(self) -> Entry:
        return decode_entry(self.record)


# For who has to know whether a database is sound: types of values, and what no value is, in SQL.
TYPES = {
    "datasets": {"slot": "integer", "id": "text", "horizon": "integer", "finished": "blob|null"},
    "roots": {"slot": "integer", "path": "blob", "device": "integer", "inode": "integer", "kind": "integer"},
    "totals": dict.fromkeys(("members", "entries", "files", "size"), "integer"),
    "runs": dict.fromkeys(("run", "bits", "listed"), "integer"),
    "changed": {"run": "integer", "key": "blob"},
    "rows": {
        **dict.fromkeys(("key", "record"), "blob"),
        **dict.fromkeys(("members", "departed", "strayed", "run", "flags", "kind", "size", "mtime", "ctime", "inode"), "integer"),
    },
}
MAX_DATASETS = 62
_KINDS = ", ".join(str(code) for code in sorted(CODES.values()))
_MASKS = " OR ".join(f"{mask} NOT BETWEEN 0 AND {(1 << MAX_DATASETS) - 1}" for mask in ("members", "departed", "strayed"))
NONSENSE = {
    "datasets": f"slot NOT BETWEEN 0 AND {MAX_DATASETS - 1} OR horizon < 0",
    "roots": f"slot NOT BETWEEN 0 AND {MAX_DATASETS - 1}",
    "totals": f"members NOT BETWEEN 1 AND {(1 << MAX_DATASETS) - 1} OR entries < 0 OR files < 0 OR size < 0",
    "runs": f"bits NOT BETWEEN 0 AND {(1 << MAX_DATASETS) - 1}",
    "rows": f"{_MASKS} OR run < 0 OR size < 0 OR flags NOT BETWEEN 0 AND {_FLAGS} OR kind NOT IN ({_KINDS})",
}


def signed(number: int) -> int:
    """SQLite's integers are signed; inode and device numbers are not."""
    return number if number < 1 << 63 else number - (1 << 64)


def unsigned(number: int) -> int:
    """Inverse of `signed`."""
    return number if number >= 0 else number + (1 << 64)


def row_of(entry: Entry, *, members: int, run: int, flags: int = 0, stamp: int | None = None) -> Row:
    """A row without tombstones."""
    return Row(
        walk_key(entry.path),
        members,
        0,
        0,
        run,
        flags,
        CODES[entry.kind],
        entry.size_bytes,
        entry.mtime_ns,
        entry.ctime_ns if stamp is None else stamp,
        signed(entry.inode),
        encode_entry(entry),
    )


_decoder = msgspec.msgpack.Decoder(Entry)
encode_entry = msgspec.msgpack.Encoder().encode
decode_entry = _decoder.decode


def is_same_file(known: Entry, found: Entry) -> bool:
    """Whether both are looks at one file that did not change between them."""
    return (known.device, known.inode, known.mtime_ns, known.ctime_ns, known.size_bytes) == (
        found.device,
        found.inode,
        found.mtime_ns,
        found.ctime_ns,
        found.size_bytes,
    )


def is_copied(row: Row, entry: Entry) -> bool:
    """Whether the content of this row is that of a consistent copy of a database: see `databases`, `stamp_of`."""
    return row.ctime_ns != entry.ctime_ns and not row.ctime_ns & 1


def is_same_version(entry: Entry, old: Entry) -> bool:
    """Access times do not count: reading moves them."""
    return msgspec.structs.replace(entry, atime_ns=old.atime_ns) == old
