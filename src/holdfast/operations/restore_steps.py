"""The steps of a restore, decided while the entries are listed and kept until they are carried out: in memory, then in a file."""

from __future__ import annotations

import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Literal

import msgspec

from holdfast.model.entry import Entry

_IN_MEMORY_BYTES = 16 << 20
_BLOCK_BYTES = 1 << 20
_LENGTH = struct.Struct("<I")

# folder: make, then dress it last. merge: dress an existing folder last. pass: an existing folder, left as it is.
# file, special: write. link: a further name of `link_to`. dress: equal content is there, set metadata.
Do = Literal["folder", "merge", "pass", "file", "special", "link", "dress"]


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path to be written at `at` (relative to the target). `replaces`: something that is no folder may stand there and goes."""

    do: Do
    at: bytes
    entry: Entry
    replaces: bool = False
    link_to: bytes = b""


class StepBook:
    """Written once, then read any number of times, in order."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  (closed by __exit__)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Step).decode
        self._end = 0
        self._to_dress = array("Q")

    def __enter__(self) -> StepBook:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add_all(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if step.do in ("folder", "merge"):
                self._to_dress.append(self._end)
            packed = self._encode(step)
            self._file.write(_LENGTH.pack(len(packed)) + packed)
            self._end += _LENGTH.size + len(packed)

    def __iter__(self) -> Iterator[Step]:
        position, rest = 0, b""
        while position < self._end:
            self._file.seek(position)
            block = self._file.read(_BLOCK_BYTES)
            position += len(block)
            rest += block
            at = 0
            while (first := at + _LENGTH.size) <= len(rest) and (end := first + _LENGTH.unpack_from(rest, at)[0]) <= len(rest):
                yield self._decode(memoryview(rest)[first:end])
                at = end
            rest = rest[at:]

    def folders_to_dress(self) -> Iterator[Step]:
        """The last first, so that what is below a folder comes before it."""
        for position in reversed(self._to_dress):
            self._file.seek(position)
            yield self._decode(self._file.read(_LENGTH.unpack(self._file.read(_LENGTH.size))[0]))
