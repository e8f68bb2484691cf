"""The steps of a restore, decided while the entries are listed and kept until they are carried out: in memory, then in a file."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Literal

import msgspec

from holdfast.core.errors import Conflict, StoreError
from holdfast.host.tree_writer import store_error
from holdfast.model.entry import Entry

_IN_MEMORY_BYTES = 16 << 20

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
    """Written once, then read any number of times: folders and all else as they were added, files by where their content lies."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  (closed by __exit__)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Step).decode
        self._ends = array("Q", (0,))
        self._folders, self._files, self._others, self._to_dress = array("Q"), array("Q"), array("Q"), array("Q")
        self._places = array("Q")
        self.bytes = 0
        """What the files hold together."""

    def __enter__(self) -> StepBook:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Nothing of it is needed any more, also where the last of it found no room.
        with suppress(OSError):
            self._file.close()

    @property
    def files_count(self) -> int:
        return len(self._files)

    def add(self, step: Step, place: int = 0) -> None:
        """`place`: where the file's content begins in the store. Raises `NoSpace` or `StoreError` of the place for temporary files."""
        number = len(self._ends) - 1
        do = step.do
        if do == "file":
            self._files.append(number)
            self._places.append(place)
            self.bytes += step.entry.size_bytes
        elif do == "special" or do == "link" or do == "dress":
            self._others.append(number)
        else:
            self._folders.append(number)
            if do != "pass":
                self._to_dress.append(number)
        packed = self._encode(step)
        try:
            self._file.write(packed)
        except OSError as error:
            raise _failed(error) from error
        self._ends.append(self._ends[-1] + len(packed))

    def folders(self) -> Iterator[Step]:
        """Each after the one it is in."""
        return self._steps(self._folders)

    def files(self) -> Iterator[Step]:
        """In the order in which the store is best read."""
        places = self._places
        order = sorted(range(len(places)), key=places.__getitem__)
        return self._steps(self._files[index] for index in order)

    def others(self) -> Iterator[Step]:
        """Those that need no content: further names of files come after the first one, which is among `files`."""
        return self._steps(self._others)

    def folders_to_dress(self) -> Iterator[Step]:
        """The last first, so that what is below a folder comes before it."""
        return self._steps(reversed(self._to_dress))

    def _steps(self, numbers: Iterable[int]) -> Iterator[Step]:
        ends = self._ends
        for number in numbers:
            try:
                # Also writes what was only buffered yet.
                self._file.seek(ends[number])
                packed = self._file.read(ends[number + 1] - ends[number])
            except OSError as error:
                raise _failed(error) from error
            yield self._decode(packed)


def _failed(error: OSError) -> StoreError | Conflict:
    return store_error(error, os.fsencode(tempfile.gettempdir()))
