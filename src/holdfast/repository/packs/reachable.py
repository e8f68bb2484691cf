"""Which blobs are still needed: every tree that a snapshot, a commit or a reader reaches is walked, and what it names noted on disk.

Memory does not grow with the repository. Of a needed blob only the first eight bytes of the id are noted: two that share them are taken for
needed both, which costs a little space now and then and never loses anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from holdfast.core.errors import NoSpace, RepositoryDamaged, StoreError
from holdfast.repository._format.pack import BlobType, PackedBlob
from holdfast.repository._format.references import References, references_of
from holdfast.repository.packs.trees import Trees

_KEY_BYTES = 8
_BATCH = 20_000
_TREES_AT_ONCE = 256
_LIVE = (
    "EXISTS (SELECT 1 FROM used WHERE used.id = substr(b.id, 1, 8))"
    # Of several copies the one in the pack that came last counts, so that what an earlier prune has copied already is not copied again.
    " AND NOT EXISTS (SELECT 1 FROM catalog.blobs c WHERE c.id = b.id AND c.type = b.type AND c.pack > b.pack)"
)


class PackContent(NamedTuple):
    """Of one pack, by its catalog number: its blobs, and what of them is needed from here and from no other pack."""

    number: int
    type: BlobType | None
    blobs: int
    size_bytes: int
    used_blobs: int
    used_bytes: int


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            raise NoSpace("the disk of HOME is full", hint="make room where HOME lies") from error
        raise StoreError(f"the notes of the prune fail: {error}", hint="run it again; nothing was removed") from error


class Reachable:
    """Notes in a file of their own beside the catalog; `close` deletes it. `told` hears the number of trees so far."""

    def __init__(self, catalog: Path, told: Callable[[int], None], *, notes: str = "prune.db") -> None:
        self._path = catalog.with_name(notes)
        self._told = told
        self._trees = 0
        self._discard()
        with translated():
            self._db = sqlite3.connect(f"file:{quote(str(self._path))}", uri=True, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -64000", "temp_store = FILE"):
                self._db.execute(f"PRAGMA {pragma}")
            for table in ("used", "walked"):
                self._db.execute(f"CREATE TABLE {table} (id BLOB PRIMARY KEY) WITHOUT ROWID")
            self._db.execute("ATTACH ? AS catalog", (f"file:{quote(str(catalog))}?mode=ro",))

    def walk(self, roots: Iterable[bytes], trees: Trees) -> Iterator[bytes]:
        """Note all that these trees reach and gives its ids, each at least once; trees noted before are passed over. Raises
        `RepositoryDamaged` when one cannot be read: then nobody knows what is needed."""
        waiting = list(roots)
        named: set[bytes] = set()
        while waiting:
            new = self._new_among(waiting[-_TREES_AT_ONCE:])
            del waiting[-_TREES_AT_ONCE:]
            for tree, plain in trees.load_many(new):
                found = _references(tree, plain)
                waiting += found.trees
                named.add(tree)
                named.update(found.chunks)
                if len(named) >= _BATCH:
                    yield from self._note(named)
            self._trees += len(new)
            self._told(self._trees)
        yield from self._note(named)

    def contents(self) -> Iterator[PackContent]:
        """Of every pack in the catalog as it stands in the file now."""
        sums: dict[int, list[int]] = {}
        with translated():
            for pack, kind, length, live in self._db.execute(f"SELECT pack, type, length, {_LIVE} FROM catalog.blobs b"):
                row = sums.setdefault(pack, [kind, 0, 0, 0, 0])
                if row[0] != kind:
                    row[0] = -1
                row[1] += 1
                row[2] += length
                if live:
                    row[3] += 1
                    row[4] += length
        for pack, (kind, *rest) in sums.items():
            yield PackContent(pack, BlobType(kind) if kind >= 0 else None, *rest)

    def live_blobs(self, packs: Iterable[int]) -> Iterator[tuple[int, list[PackedBlob]]]:
        """Pack by pack, what of it is needed, by its place; packs of which nothing is are left out. The catalog may change meanwhile."""
        with translated():
            for table in ("moving", "live"):
                self._db.execute(f"DROP TABLE IF EXISTS {table}")
            self._db.execute("CREATE TABLE moving (pack INTEGER PRIMARY KEY)")
            self._db.executemany("INSERT INTO moving VALUES (?)", [(pack,) for pack in packs])
            self._db.execute(
                "CREATE TABLE live AS SELECT pack, id, type, offset, length, raw FROM catalog.blobs b"
                f" WHERE pack IN (SELECT pack FROM moving) AND {_LIVE} ORDER BY pack, offset"
            )
            found = self._db.execute("SELECT * FROM live ORDER BY rowid")
            for number, rows in groupby(found, key=itemgetter(0)):
                yield number, [PackedBlob(id_, BlobType(kind), offset, length, raw) for _, id_, kind, offset, length, raw in rows]

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.close()
        self._discard()

    def _new_among(self, ids: Sequence[bytes]) -> list[bytes]:
        """Those that were not walked yet, each once; they count as walked from now on."""
        with translated():
            known = {row[0] for row in self._db.execute(f"SELECT id FROM walked WHERE id IN ({','.join('?' * len(ids))})", ids)}
            new = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO walked VALUES (?)", [(id_,) for id_ in new])
            self._db.execute("COMMIT")
        return new

    def _note(self, named: set[bytes]) -> tuple[bytes, ...]:
        """Notes and empties; gives what was in it."""
        ids = tuple(named)
        named.clear()
        with translated():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO used VALUES (?)", [(key,) for key in sorted(id_[:_KEY_BYTES] for id_ in ids)])
            self._db.execute("COMMIT")
        return ids

    def _discard(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _references(tree: bytes, plain: bytes | RepositoryDamaged) -> References:
    hint = "run `holdfast repository check NAME`, then repair it"
    if isinstance(plain, RepositoryDamaged):
        raise RepositoryDamaged(plain.message, hint=hint) from plain
    try:
        return references_of(plain)
    except RepositoryDamaged as error:
        raise RepositoryDamaged(f"tree {tree.hex()}: {error.message}", hint=hint) from error
