"""Where each blob lies, and which nodes may be told "have it": the index cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from holdfast.repository._format.index import IndexedPack
from holdfast.repository._format.pack import BlobType, PackedBlob, pack_size
from holdfast.repository._format.seal import OVERHEAD
from holdfast.repository.catalog.database import Catalog
from holdfast.repository.catalog.in_use import InUse
from holdfast.repository.catalog.sieve import Sieve

NOBODY = 0


class Place(NamedTuple):
    """A blob in a pack; `pack` is the pack's id."""

    pack: bytes
    blob: PackedBlob


# A blob's id, the number of a pack that holds it, and there: offset, length, plain length (0 = not compressed).
PlacedRow = tuple[bytes, int, int, int, int]


class Known(NamedTuple):
    """What the index says of a chunk. `claimed`: the asking node itself has stored it (or everybody may know)."""

    size_bytes: int
    claimed: bool


class BlobTable:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.in_use = InUse()
        self._bad: set[tuple[int, bytes]] = set()
        self._sieve: Sieve | None = None
        self._sieved_file = -1
        self.additions = 0
        """Rises with each index file that is recorded."""
        self.losses = 0
        """Rises when something that was there may count as there no more: whoever remembers an answer asks again."""

    @property
    def standing(self) -> tuple[int, int]:
        """Another one when what was read from the table may hold no more: as `losses`, or another catalog took this one's place."""
        return self.losses, self._catalog.file_number

    def transaction(self) -> AbstractContextManager[None]:
        """To save an index file and record it as one step for everybody who lists index files."""
        return self._catalog.transaction()

    def add_index(self, index_id: bytes, packs: Iterable[IndexedPack], owner: int = NOBODY) -> None:
        """Record one index file. `owner` is the node whose chunks these are, where that is known."""
        with self._catalog.transaction():
            number = self._catalog.insert("INSERT INTO indexes (id) VALUES (?)", (index_id,))
            rows: list[tuple[object, ...]] = []
            numbers: list[int] = []
            sieve = self._usable_sieve()
            for pack in packs:
                if sieve is not None:
                    sieve.add([blob.id for blob in pack.blobs])
                plain = sum(blob.raw_bytes or blob.length - OVERHEAD for blob in pack.blobs)
                values = (pack.id, pack_size(pack.blobs), plain)
                self._catalog.execute("INSERT OR IGNORE INTO packs (id, size, plain) VALUES (?, ?, ?)", values)
                found = self._catalog.row("SELECT no FROM packs WHERE id = ?", (pack.id,))
                pack_no = found[0] if found else 0
                numbers.append(pack_no)
                self._catalog.execute("INSERT OR IGNORE INTO index_packs VALUES (?, ?)", (number, pack_no))
                rows += [(b.id, int(b.type), pack_no, b.offset, b.length, b.raw_bytes, owner if not b.type else NOBODY) for b in pack.blobs]
            rows.sort(key=lambda row: row[0])  # type: ignore[arg-type, return-value]
            self._catalog.insert_many("blobs", rows, on_conflict="IGNORE")
            self.in_use.touch(numbers)
            self.additions += 1

    def index_ids(self) -> set[bytes]:
        return {row[0] for row in self._catalog.rows("SELECT id FROM indexes")}

    def drop_indexes(self, index_ids: Iterable[bytes]) -> None:
        """Forget index files that vanished, with the packs no other index names and the claims on chunks that are gone."""
        with self._catalog.transaction():
            self.losses += 1
            for index_id in index_ids:
                found = self._catalog.row("SELECT no FROM indexes WHERE id = ?", (index_id,))
                if found:
                    self._catalog.execute("DELETE FROM index_packs WHERE index_no = ?", found)
                    self._catalog.execute("DELETE FROM indexes WHERE no = ?", found)
            self._catalog.execute("DELETE FROM packs WHERE no NOT IN (SELECT pack_no FROM index_packs)")
            # Another program may have copied what is needed into new packs, of which nobody knows who stored it first.
            self._catalog.execute(
                "INSERT OR IGNORE INTO claims SELECT id, owner FROM blobs WHERE owner != 0 AND pack NOT IN (SELECT no FROM packs)"
                " AND EXISTS (SELECT 1 FROM blobs b JOIN packs ON packs.no = b.pack WHERE b.id = blobs.id)"
            )
            self._catalog.execute("DELETE FROM blobs WHERE pack NOT IN (SELECT no FROM packs)")
            self._catalog.execute("DELETE FROM claims WHERE id NOT IN (SELECT id FROM blobs)")

    def place(self, blob_id: bytes, kind: BlobType) -> Place | None:
        return self.places((blob_id,), kind).get(blob_id)

    def places(self, blob_ids: Sequence[bytes], kind: BlobType) -> dict[bytes, Place]:
        """Of these blobs, those that are known. Where several packs hold one, any of them that is not known to be damaged there."""
        with self._catalog.hold():
            # The packs, few for many blobs, are asked for by themselves: half the cost of a join.
            found = self.rows(blob_ids, kind)
            packs = self.pack_ids({row[1] for row in found})
        if self._bad:
            found.sort(key=lambda row: (row[1], row[0]) not in self._bad)
        return {
            blob: Place(packs[pack], PackedBlob(blob, kind, offset, length, raw))
            for blob, pack, offset, length, raw in found
            if pack in packs
        }

    def rows(self, blob_ids: Sequence[bytes], kind: BlobType) -> list[PlacedRow]:
        """Every copy of these blobs."""
        asked = "SELECT id, pack, offset, length, raw FROM blobs WHERE id IN ({ids}) AND type = ?"
        return list(self._catalog.rows_among(asked, blob_ids, (int(kind),)))

    def pack_ids(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """Of those packs that an index names."""
        return dict(self._catalog.rows_among("SELECT no, id FROM packs WHERE no IN ({ids})", list(numbers)))

    def distrust(self, copies: Mapping[bytes, Iterable[bytes]]) -> None:
        """From now on these blobs, by the pack that holds them, count as not there when somebody asks whether to send or write them."""
        bad: set[tuple[int, bytes]] = set()
        for pack, blob_ids in copies.items():
            found = self._catalog.row("SELECT no FROM packs WHERE id = ?", (pack,))
            if found is not None:
                bad.update((found[0], blob_id) for blob_id in blob_ids)
        with self._catalog.hold():
            # With each refresh it is told the same again.
            is_more, self._bad = not bad <= self._bad, bad
            self.losses += is_more

    def distrust_copy(self, place: Place) -> Place | None:
        """This one, too. Another copy of the blob that is not known to be damaged, if there is one."""
        found = self._catalog.row("SELECT no FROM packs WHERE id = ?", (place.pack,))
        if found is not None:
            self._bad.add((found[0], place.blob.id))
            self.losses += 1
        other = self.place(place.blob.id, place.blob.type)
        return other if other is not None and place.blob.id in self.trusted((place.blob.id,)) else None

    @property
    def has_bad_copies(self) -> bool:
        """Whether there is any that counts as not there."""
        return bool(self._bad)

    def trusted(self, blob_ids: Sequence[bytes]) -> set[bytes]:
        """Of these blobs, those of which there is a copy that is not known to be damaged."""
        found = self._catalog.rows_among("SELECT id, pack FROM blobs WHERE id IN ({ids})", blob_ids)
        return {row[0] for row in found if (row[1], row[0]) not in self._bad}

    def kinds(self, blob_ids: Sequence[bytes]) -> dict[bytes, tuple[BlobType, ...]]:
        """As what an index names each of these."""
        found: dict[bytes, set[BlobType]] = {}
        for blob, kind in self._catalog.rows_among("SELECT id, type FROM blobs WHERE id IN ({ids})", blob_ids):
            found.setdefault(blob, set()).add(BlobType(kind))
        return {blob: tuple(sorted(kinds)) for blob, kinds in found.items()}

    def sizes(self, chunk_ids: Sequence[bytes]) -> dict[bytes, int]:
        """Plain lengths of data blobs."""
        found = self._catalog.rows_among("SELECT id, length, raw FROM blobs WHERE id IN ({ids}) AND type = 0", chunk_ids)
        return {row[0]: row[2] or row[1] - OVERHEAD for row in found}

    def known_chunks(self, chunk_ids: Sequence[bytes], node: int | None) -> dict[bytes, Known]:
        """What is known of these chunks, as the node with this number may know it; None = everybody may know everything. Open commits rely
        on the answer: the packs are in use from now on."""
        claim = "1" if node is None else f"(SELECT 1 FROM claims WHERE claims.id = blobs.id AND claims.node = {int(node)})"
        known: dict[bytes, Known] = {}
        packs: set[int] = set()
        with self._catalog.hold():
            found = self._catalog.rows_among(
                f"SELECT id, length, raw, owner, {claim}, pack FROM blobs WHERE id IN ({{ids}}) AND type = 0", self._sieved(chunk_ids)
            )
            for chunk, length, raw, owner, claim_found, pack in found:
                if self._bad and (pack, chunk) in self._bad:
                    continue
                claimed = owner == node or claim_found is not None or (chunk in known and known[chunk].claimed)
                known[chunk] = Known(raw or length - OVERHEAD, claimed)
                packs.add(pack)
            self.in_use.touch(packs)
        return known

    def claim(self, chunk_ids: Iterable[bytes], node: int) -> None:
        """The node has proven to hold these chunks."""
        self._catalog.insert_many("claims", [(chunk, node) for chunk in sorted(chunk_ids)], on_conflict="IGNORE")

    def has_trees(self, tree_ids: Sequence[bytes]) -> set[bytes]:
        """Those that are there. Open commits rely on the answer, as on that of `known_chunks`."""
        with self._catalog.hold():
            every = self._catalog.rows_among("SELECT id, pack FROM blobs WHERE id IN ({ids}) AND type = 1", self._sieved(tree_ids))
            found = [row for row in every if (row[1], row[0]) not in self._bad]
            self.in_use.touch({row[1] for row in found})
        return {row[0] for row in found}

    def _sieved(self, blob_ids: Sequence[bytes]) -> Sequence[bytes]:
        """Without those that surely are not here. While nobody else reads or writes."""
        sieve = self._usable_sieve()
        return blob_ids if sieve is None else sieve.passing(blob_ids)

    def _usable_sieve(self) -> Sieve | None:
        """That of a table that was empty when it was first asked: what a first backup brings is mostly new, and to ask for each blob was a
        tenth of what the owner does."""
        if self._sieved_file < 0:
            self._sieved_file = self._catalog.file_number
            self._sieve = Sieve() if self._catalog.row("SELECT 1 FROM packs WHERE no > 0 LIMIT 1") is None else None
        elif self._sieved_file != self._catalog.file_number:
            self._sieve = None
        return self._sieve

    def keep_claims(self, packs: Iterable[int]) -> None:
        """Before these packs go: who stored a chunk that lies elsewhere, too, may still be told "have it"."""
        with self._catalog.transaction():
            self._catalog.execute("CREATE TEMP TABLE IF NOT EXISTS going (pack INTEGER PRIMARY KEY)")
            self._catalog.execute("DELETE FROM going")
            self._catalog.execute_many("INSERT INTO going VALUES (?)", [(pack,) for pack in packs])
            self._catalog.execute(
                "INSERT OR IGNORE INTO claims SELECT id, owner FROM blobs b WHERE pack IN (SELECT pack FROM going) AND owner != 0"
                " AND EXISTS (SELECT 1 FROM blobs c WHERE c.id = b.id AND c.type = 0 AND c.owner != b.owner"
                " AND c.pack NOT IN (SELECT pack FROM going))"
            )

    def is_pack(self, pack: bytes) -> bool:
        """Whether an index names it."""
        return self._catalog.row("SELECT 1 FROM packs WHERE id = ?", (pack,)) is not None

    def packs(self) -> dict[int, bytes]:
        """The ids of all packs that an index names, by number."""
        return dict(self._catalog.rows("SELECT no, id FROM packs"))

    def packs_with(self, blob_ids: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
        """Each of these blobs with each pack that has it."""
        return ((row[0], row[1]) for row in self._catalog.rows_among("SELECT id, pack FROM blobs WHERE id IN ({ids})", blob_ids))

    def indexes(self) -> list[tuple[bytes, frozenset[int]]]:
        """Every index file, with the packs it names."""
        found: dict[bytes, set[int]] = {}
        # One question, since sessions add index files meanwhile.
        for index_id, pack in self._catalog.rows("SELECT id, pack_no FROM indexes LEFT JOIN index_packs ON index_no = no ORDER BY no"):
            packs = found.setdefault(index_id, set())
            if pack is not None:
                packs.add(pack)
        return [(index_id, frozenset(packs)) for index_id, packs in found.items()]

    def drop_empty_indexes(self, index_ids: Iterable[bytes]) -> None:
        """Index files that name no packs."""
        self._catalog.execute_many("DELETE FROM indexes WHERE id = ?", [(index_id,) for index_id in index_ids])

    def pack_bytes(self) -> tuple[int, int]:
        """What the packs take, and what the blobs in them are in plain."""
        row = self._catalog.row("SELECT coalesce(sum(size), 0), coalesce(sum(plain), 0) FROM packs")
        return (int(row[0]), int(row[1])) if row else (0, 0)
