"""The steps of a restore, decided while the entries are listed and kept in a file until they are carried out, window by window.

A restore that can be undone keeps them in a file with a name, each window on disk before anything of it is written: 4 bytes of length,
little-endian, and the step in MessagePack, one after the other. What a crash cut off at the end was in no window yet.
"""

from __future__ import annotations

import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

import msgspec

from holdfast.core.errors import Conflict, StoreError
from holdfast.core.private_files import sync_folder
from holdfast.host.tree_writer import store_error
from holdfast.model.decoding import UNREADABLE
from holdfast.model.entry import Entry

_BUFFER_BYTES = 256 << 10
_LENGTH = struct.Struct("<I")
# Steps that follow each other in the file and are asked for in this order are read together, so much at a time.
_READ_BYTES = 16 << 10

# folder: make, then dress it last. merge: dress an existing folder last. pass: an existing folder, left as it is. way: make a folder on the
# way to what was asked for. file, special: write. link: a further name of `link_to`. dress: equal content is there, set metadata.
# was: nothing is done, but that what is written in this folder changes its times. remove: what the point does not have.
Do = Literal["folder", "merge", "pass", "way", "file", "special", "link", "dress", "was", "remove"]


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path to be written at `at` (relative to the target). `replaces`: what stands there goes. `was`: the metadata of what is there
    and stays."""

    do: Do
    at: bytes
    entry: Entry
    replaces: bool = False
    link_to: bytes = b""
    was: Entry | None = None


@dataclass(frozen=True)
class Window:
    """Steps that may be carried out. `folders`: each after the one it is in; `files` in the order in which the store is best read."""

    folders: Iterator[Step]
    files: Iterator[Step]


class StepBook:
    """Written and read by windows; what needs no content, and what folders are dressed in, is read at the end.

    `plan`: a file to keep them in, which must not exist, named `kept` with the first window; None = they go when this is closed. Raises
    `NoSpace` or `StoreError`.
    """

    def __init__(self, plan: Path | None = None, kept: Path | None = None) -> None:
        self._plan = plan
        self._kept = kept
        self._is_named = False
        self._file: IO[bytes]
        try:
            self._file = _created(plan) if plan else _nameless()
        except OSError as error:
            raise self._failed(error) from error
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Step).decode
        self._ends = array("Q", (0,))
        self._folders, self._files, self._others, self._to_dress = array("Q"), array("Q"), array("Q"), array("Q")
        self._removals = array("Q")
        self._places = array("Q")
        self._taken = 0
        self.files_count = 0
        self.bytes = 0
        """What the files hold together."""

    def __enter__(self) -> StepBook:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Nothing of it is needed any more, also where the last of it found no room.
        with suppress(OSError):
            self._file.close()

    @property
    def waiting(self) -> int:
        """Files in no window yet."""
        return len(self._files)

    @property
    def has_more(self) -> bool:
        """Steps of any kind since the last window."""
        return len(self._ends) - 1 > self._taken

    def add(self, step: Step, place: int = 0) -> None:
        """`place`: where the file's content begins in the store. Raises `NoSpace` or `StoreError` of the place for temporary files."""
        number = len(self._ends) - 1
        do = step.do
        if do == "file":
            self._files.append(number)
            self._places.append(place)
            self.files_count += 1
            self.bytes += step.entry.size_bytes
        elif do == "special" or do == "link" or do == "dress":
            self._others.append(number)
        elif do == "remove":
            self._removals.append(number)
        elif do != "was":
            self._folders.append(number)
            if do == "folder" or do == "merge":
                self._to_dress.append(number)
        body = self._encode(step)
        packed = _LENGTH.pack(len(body)) + body
        try:
            self._file.write(packed)
        except OSError as error:
            raise self._failed(error) from error
        self._ends.append(self._ends[-1] + len(packed))

    def take(self) -> Window:
        """What was added since the last one was taken; on disk when this returns, where it is kept. Raises `NoSpace` or `StoreError`."""
        try:
            self._file.flush()
            if self._plan is not None and self._kept is not None:
                os.fsync(self._file.fileno())
                if not self._is_named:
                    self._plan.replace(self._kept)
                    sync_folder(self._kept.parent)
                    self._is_named = True
        except OSError as error:
            raise self._failed(error) from error
        self._taken = len(self._ends) - 1
        places, files, folders = self._places, self._files, self._folders
        self._places, self._files, self._folders = array("Q"), array("Q"), array("Q")
        order = sorted(range(len(places)), key=places.__getitem__)
        return Window(self._steps(folders), self._steps([files[index] for index in order]))

    def others(self) -> Iterator[Step]:
        """Those of all windows that need no content: further names of files come after the first one, which is among the files."""
        return self._steps(self._others)

    def removals(self) -> Iterator[Step]:
        """Of all windows."""
        return self._steps(self._removals)

    def folders_to_dress(self) -> Iterator[Step]:
        """Of all windows, the last first, so that what is below a folder comes before it."""
        return self._steps(reversed(self._to_dress))

    def _steps(self, numbers: Iterable[int]) -> Iterator[Step]:
        ends, decode, head = self._ends, self._decode, _LENGTH.size
        for first, last in _neighbours(numbers, ends):
            start = ends[first]
            try:
                read = memoryview(os.pread(self._file.fileno(), ends[last + 1] - start, start))
            except OSError as error:
                raise self._failed(error) from error
            for number in range(first, last + 1):
                yield decode(read[ends[number] - start + head : ends[number + 1] - start])

    def _failed(self, error: OSError) -> StoreError | Conflict:
        return store_error(error, os.fsencode(self._plan or tempfile.gettempdir()))


def read_steps(path: Path) -> Iterator[Step]:
    """The steps of a file, as they were added, but for one that was cut off at the end. Raises `StoreError` where it cannot be read or
    is damaged."""
    decode = msgspec.msgpack.Decoder(Step).decode
    try:
        with path.open("rb") as file:
            while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                (size,) = _LENGTH.unpack(head)
                if len(body := file.read(size)) < size:
                    return
                yield decode(body)
    except OSError as error:
        raise store_error(error, os.fsencode(path)) from error
    except UNREADABLE as error:
        raise StoreError(
            f"the record of a restore is damaged: {path}", hint="what it replaced lies beside it, in .holdfast-before-*"
        ) from error


def _neighbours(numbers: Iterable[int], ends: array[int]) -> Iterator[tuple[int, int]]:
    """Rising runs without a gap, as (first, last): so many bytes, or one step that is larger."""
    first = last = -1
    for number in numbers:
        if number == last + 1 and first >= 0 and ends[number + 1] - ends[first] <= _READ_BYTES:
            last = number
            continue
        if first >= 0:
            yield first, last
        first = last = number
    if first >= 0:
        yield first, last


def _nameless() -> IO[bytes]:
    return tempfile.TemporaryFile(buffering=_BUFFER_BYTES)


def _created(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b", buffering=_BUFFER_BYTES)
