"""The steps of a restore, decided while the entries are listed and kept until they are carried out: in memory, then in a file.

A restore that can be undone keeps them in a file with a name, on disk before anything is written: 4 bytes of length, little-endian, and
the step in MessagePack, one after the other.
"""

from __future__ import annotations

import os
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, cast

import msgspec

from holdfast.core.errors import Conflict, StoreError
from holdfast.core.private_files import sync_folder
from holdfast.host.tree_writer import store_error
from holdfast.model.decoding import UNREADABLE
from holdfast.model.entry import Entry

_IN_MEMORY_BYTES = 16 << 20

_LENGTH = struct.Struct("<I")

# folder: make, then dress it last. merge: dress an existing folder last. pass: an existing folder, left as it is. way: make a folder on the
# way to what was asked for. file, special: write. link: a further name of `link_to`. dress: equal content is there, set metadata.
# was: nothing is done, but that what is written in this folder changes its times.
Do = Literal["folder", "merge", "pass", "way", "file", "special", "link", "dress", "was"]


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One path to be written at `at` (relative to the target). `replaces`: what stands there goes. `was`: the metadata of what is there
    and stays."""

    do: Do
    at: bytes
    entry: Entry
    replaces: bool = False
    link_to: bytes = b""
    was: Entry | None = None


class StepBook:
    """Written once, then read any number of times: folders and all else as they were added, files by where their content lies.

    `path`: a file to keep them in, which must not exist; None = they go when this is closed. Raises `NoSpace` or `StoreError`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._file: IO[bytes]
        try:
            self._file = _created(path) if path else _nameless()
        except OSError as error:
            raise self._failed(error) from error
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

    def settle(self, path: Path) -> None:
        """All of it is on disk, under this name, when this returns. Raises `NoSpace` or `StoreError`."""
        assert self._path is not None, "only what has a name is kept"
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._path.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise self._failed(error) from error

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
                self._file.seek(ends[number] + _LENGTH.size)
                packed = self._file.read(ends[number + 1] - ends[number] - _LENGTH.size)
            except OSError as error:
                raise self._failed(error) from error
            yield self._decode(packed)

    def _failed(self, error: OSError) -> StoreError | Conflict:
        return store_error(error, os.fsencode(self._path or tempfile.gettempdir()))


def read_steps(path: Path) -> Iterator[Step]:
    """The steps of a file, as they were added. Raises `StoreError` where it cannot be read or is damaged."""
    decode = msgspec.msgpack.Decoder(Step).decode
    try:
        with path.open("rb") as file:
            while head := file.read(_LENGTH.size):
                yield decode(file.read(_LENGTH.unpack(head)[0]))
    except OSError as error:
        raise store_error(error, os.fsencode(path)) from error
    except (struct.error, *UNREADABLE) as error:
        raise StoreError(
            f"the record of a restore is damaged: {path}", hint="what it replaced lies beside it, in .holdfast-before-*"
        ) from error


def _nameless() -> IO[bytes]:
    return cast(IO[bytes], tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))


def _created(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w+b")
