"""A mirror as a copy to restore from: its one state, as its records list it and as its files hold it. Reads; never writes.

A session may be bringing the mirror to its next state meanwhile. Whoever reads then gets what still stands there as it was recorded; what
does not is told as lost, never given as something else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256

import msgspec

from holdfast.core.errors import Conflict, HoldfastError, RepositoryDamaged, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.host.tree_writer import TreeWriter
from holdfast.mirror.records import RECORDS, Records
from holdfast.mirror.rows import Place
from holdfast.mirror.soundness import records_errors
from holdfast.mirror.target import Target, side_of, temp_path
from holdfast.model.change import Cursor, Payload
from holdfast.model.entry import Entry, check_path, display_path, is_below, walk_key
from holdfast.model.mirrors import Stand
from holdfast.model.reading import Answer, Lost, PointReader
from holdfast.model.rules import MirrorAction

_ANSWER_BYTES = 4 << 20


def standing(action: MirrorAction, dataset: DatasetId) -> Stand | None:
    """Which commit all targets of this mirror are equal to; None when there is none, or the folder is another dataset's. Raises
    `StoreError` when the records cannot be read."""
    with ExitStack() as opened:
        targets = _targets(action, opened)
        stands = {_stand_of(target, dataset) for target in targets}
        return stands.pop() if len(stands) == 1 and len(targets) == len(action.targets) else None


class MirrorReader(PointReader):
    """A `PointReader` of one mirror of this node, for one thread. With `at` it must stand at that commit: raises `Conflict` where it does
    not, also from a listing in whose midst it was brought on. Raises `StoreError` when its records cannot be read."""

    def __init__(self, action: MirrorAction, dataset: DatasetId, at: Cursor | None = None) -> None:
        self._dataset = dataset
        self._at = at
        self._opened = ExitStack()
        try:
            self._targets = sorted(_targets(action, self._opened), key=lambda target: walk_key(target.root))
            self._check()
        except BaseException:
            self._opened.close()
            raise
        self._file: tuple[Target, int, int] | None = None

    @property
    def cursor(self) -> Cursor | None:
        """Where it stands now; None = at no commit."""
        stands = {_stand_of(target, self._dataset) for target in self._targets}
        stand = stands.pop() if len(stands) == 1 else None
        return stand.cursor if stand is not None else None

    def entries(self, paths: Sequence[bytes] = ()) -> Iterator[Entry]:
        self._check()
        for target, path in self._places(paths):
            found = False
            with records_errors(target.side.root):
                for entry in target.records.listed(walk_key(path)):
                    found = True
                    yield entry
            if not found and path != target.root:
                raise UnknownName(f"{display_path(path)} is not in this mirror", hint="look in its folder for what is there")
            self._check()

    def payloads(self, ids: Sequence[bytes]) -> Iterator[Payload]:
        for chunk_id in dict.fromkeys(ids):
            plain = self._read(chunk_id)
            if plain is None:
                raise RepositoryDamaged(_missing(chunk_id), hint="another copy may have it; the next run of the flow mends the mirror")
            yield Payload(chunk_id, len(plain), False, plain)

    def answers(self, questions: Iterable[Sequence[bytes]]) -> Iterator[Answer]:
        for ids in questions:
            given: list[Payload] = []
            lost: list[Lost] = []
            size = 0
            for chunk_id in ids:
                plain = self._read(chunk_id)
                if plain is None:
                    lost.append(Lost(chunk_id, _missing(chunk_id)))
                    continue
                given.append(Payload(chunk_id, len(plain), False, plain))
                size += len(plain)
                if size >= _ANSWER_BYTES:
                    yield Answer(given, lost)
                    given, lost, size = [], [], 0
            yield Answer(given, lost, last=True)

    def close(self) -> None:
        self._let_go()
        self._opened.close()

    def _check(self) -> None:
        if self._at is not None and self.cursor != self._at:
            raise Conflict("the mirror does not stand at that state any more", hint="start the restore again: it takes the newest state")

    def _places(self, paths: Sequence[bytes]) -> Iterator[tuple[Target, bytes]]:
        """Of each target what these paths name, in walk order; of a path above a root all below the root. Raises `UnknownName`."""
        for path in paths:
            if not any(target.covers(path) or is_below(target.root, path) for target in self._targets):
                raise UnknownName(f"{display_path(path)} is not in this mirror", hint="it holds what its policy's classification chose")
        for target in self._targets:
            if not paths or any(is_below(target.root, path) for path in paths):
                yield target, target.root
                continue
            last: bytes | None = None
            for path in sorted({path for path in paths if target.covers(path)}, key=walk_key):
                if last is None or not is_below(path, last):
                    last = path
                    yield target, path

    def _read(self, chunk_id: bytes) -> bytes | None:
        """From the first place that really has it."""
        for target in self._targets:
            with records_errors(target.side.root):
                for place in target.records.places(chunk_id):
                    found = self._read_at(target, place)
                    if found is not None and sha256(found).digest() == chunk_id:
                        return found
        return None

    def _read_at(self, target: Target, place: Place) -> bytes | None:
        """One file is kept open: its chunks are mostly asked for in a row. One that was replaced is opened anew, by its row's number."""
        if self._file is None or self._file[0] is not target or self._file[1] != place.file:
            self._let_go()
            fd = open_content(target, place.file)
            if fd is None:
                return None
            self._file = (target, place.file, fd)
        with suppress(OSError):
            return os.pread(self._file[2], place.size, place.offset)
        return None

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file[2])
            self._file = None


@contextmanager
def opened_target(root: bytes, path: bytes) -> Iterator[Target]:
    """The target at `path` for reading, beside whoever writes it. Raises `StoreError` when its records cannot be read."""
    side = side_of(path)
    with ExitStack() as held, records_errors(side):
        records = held.enter_context(closing(Records(os.path.join(side, RECORDS))))
        writer = held.enter_context(closing(TreeWriter(os.path.dirname(path))))
        beside = held.enter_context(closing(TreeWriter(side)))
        yield Target(root, os.path.basename(path), writer, beside, records)


def places_of(action: MirrorAction) -> list[tuple[bytes, bytes]]:
    """Root of the source and folder of each target that was ever filled."""
    found = [(check_path(os.fsencode(root)), os.path.realpath(os.fsencode(folder))) for root, folder in action.targets]
    return [(root, path) for root, path in found if os.path.isfile(os.path.join(side_of(path), RECORDS))]


def open_content(target: Target, n: int) -> int | None:
    """A descriptor of the file that the records know by this number; None when it cannot be opened."""
    content = target.records.file(n)
    if content is None:
        return None
    with suppress(OSError, HoldfastError):
        return target.writer.open_file(target.at(content.key)) if content.placed else target.side.open_file(temp_path(content.n))
    return None


def _targets(action: MirrorAction, opened: ExitStack) -> list[Target]:
    return [opened.enter_context(opened_target(root, path)) for root, path in places_of(action)]


def _stand_of(target: Target, dataset: DatasetId) -> Stand | None:
    with records_errors(target.side.root):
        cursor, stand = target.records.fact("cursor"), target.records.fact("stand")
        if cursor is None or stand is None or target.records.fact("dataset") != dataset:
            return None
        found = msgspec.json.decode(stand, type=Stand)
        # One that an older version of Holdfast brought on since says nothing of when.
        is_current = msgspec.json.decode(cursor, type=Cursor) == found.cursor
        return found if is_current and target.writer.stat(target.base) is not None else None


def _missing(chunk_id: bytes) -> str:
    return f"chunk {chunk_id.hex()} does not stand in the mirror as it was recorded"
