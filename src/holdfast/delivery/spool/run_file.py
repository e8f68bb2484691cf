"""One run on disk. Form (numbers little endian):

    magic "\\xf5HS1" | salt (16 bytes) | frames | place of the last frame (8 bytes), its number (4 bytes)

The last frame is `RunFacts` in MessagePack and says where all others are: lists of changes, and chunks as they came. A file is written
under another name and gets its own when it is whole and on disk, so that there are no half runs.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.core.clock import utc
from holdfast.core.entropy import Entropy
from holdfast.core.errors import NoSpace, StoreError, is_no_space
from holdfast.core.private_files import make_private_folder, sync_folder
from holdfast.delivery.spool.cipher import HINT, SALT_BYTES, Cipher, SpoolLost, SpoolUnread
from holdfast.delivery.spool.thinning import Size
from holdfast.model.change import Begin, Change, Commit, Cursor, Payload, Put
from holdfast.model.decoding import UNREADABLE
from holdfast.model.entry import ChunkRef

SUFFIX, PART = ".run", ".part"
_MAGIC = b"\xf5HS1"
_TRAILER = struct.Struct("<QI")
_HEAD_BYTES = len(_MAGIC) + SALT_BYTES
LIST_CHANGES, LIST_BYTES = 2_000, 1 << 20
_FACTS_BYTES = 512
# What a process that is short of something raises, whatever file it opens; and what root may mend.
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR, errno.EACCES, errno.EPERM)


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a frame lies: byte, sealed length, and its number in the file."""

    at: int
    sealed_bytes: int
    number: int


class KeptChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`is_frame`: kept as one zstd frame; else plain."""

    ref: ChunkRef
    is_frame: bool
    frame: Frame


class RunFacts(msgspec.Struct, frozen=True, array_like=True):
    """`borrowed`: chunks it needs that an earlier run of the spool brought. `withdrawn`: those that the source could not give."""

    begin: Begin
    commit: Commit
    lists: tuple[Frame, ...]
    chunks: tuple[KeptChunk, ...]
    borrowed: tuple[bytes, ...] = ()
    withdrawn: tuple[bytes, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(RunFacts).decode
_decode_changes = msgspec.msgpack.Decoder(list[Change]).decode


class RunWriter:
    """Writes one file. Raises `NoSpace`, `StoreError`; then, and after `discard`, nothing of it is left."""

    def __init__(self, folder: Path, seq: int, seal: tuple[bytes, str], entropy: Entropy) -> None:
        key, delivery = seal
        self.path = folder / f"{seq:016d}{SUFFIX}"
        self._part = self.path.with_suffix(PART)
        salt = entropy.token_bytes(SALT_BYTES)
        self._cipher = Cipher(key, salt, delivery)
        self._frames = 0
        self._lists: list[Frame] = []
        self._changes: list[Change] = []
        self._changes_bytes = 0
        self.chunks: dict[bytes, KeptChunk] = {}
        self.size_bytes = 0
        self._file = -1
        try:
            if not folder.is_dir():
                make_private_folder(folder)
                sync_folder(folder.parent)
            self._file = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translated(error) from error
        self._write(_MAGIC + salt)

    def change(self, change: Change) -> None:
        """In walk order."""
        self._changes.append(change)
        self._changes_bytes += _size_of(change)
        if len(self._changes) >= LIST_CHANGES or self._changes_bytes >= LIST_BYTES:
            self._save_list()

    def chunk(self, ref: ChunkRef, data: bytes, *, is_frame: bool) -> None:
        self.chunks[ref.id] = KeptChunk(ref, is_frame, self._frame(data))

    def finish(self, begin: Begin, commit: Commit, borrowed: Iterable[bytes], withdrawn: Iterable[bytes]) -> RunFacts:
        """On disk, under its name, when it returns."""
        self._save_list()
        facts = RunFacts(begin, commit, tuple(self._lists), tuple(self.chunks.values()), tuple(sorted(borrowed)), tuple(sorted(withdrawn)))
        last = self._frame(_encode(facts))
        self._write(_TRAILER.pack(last.at, last.number))
        try:
            os.fsync(self._file)
            # It is closed even where that fails; its number may be another file's at once.
            closing, self._file = self._file, -1
            os.close(closing)
            self._part.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            self.discard()
            raise translated(error) from error
        return facts

    @property
    def waiting_bytes(self) -> int:
        """About so much more is written by `finish`."""
        return self._changes_bytes + _FACTS_BYTES + 72 * len(self.chunks)

    def discard(self) -> None:
        """Never raises."""
        closing, self._file = self._file, -1
        with suppress(OSError):
            if closing >= 0:
                os.close(closing)
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _save_list(self) -> None:
        if self._changes:
            self._lists.append(self._frame(_encode(self._changes)))
            self._changes, self._changes_bytes = [], 0

    def _frame(self, plain: bytes) -> Frame:
        sealed = self._cipher.seal(self._frames, plain)
        frame = Frame(self.size_bytes, len(sealed), self._frames)
        self._frames += 1
        self._write(sealed)
        return frame

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self.discard()
            raise translated(error) from error
        self.size_bytes += len(data)


class RunFile:
    """One whole run, to be read. Raises `SpoolLost` where it cannot be, `SpoolUnread` where it may be another time."""

    def __init__(self, path: Path, key: bytes, delivery: str) -> None:
        self.path = path
        with self._opened() as file:
            self.size_bytes = os.fstat(file.fileno()).st_size
            head = file.read(_HEAD_BYTES)
            if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC) or self.size_bytes < _HEAD_BYTES + _TRAILER.size:
                raise SpoolLost(f"{path.name} is no run of a spool", hint=HINT)
            self._cipher = Cipher(key, head[len(_MAGIC) :], delivery)
            file.seek(self.size_bytes - _TRAILER.size)
            at, number = _TRAILER.unpack(file.read(_TRAILER.size))
            if not _HEAD_BYTES <= at <= self.size_bytes - _TRAILER.size:
                raise SpoolLost(f"{path.name} is damaged", hint=HINT)
            file.seek(at)
            plain = self._cipher.open(number, file.read(self.size_bytes - _TRAILER.size - at))
        try:
            self.facts = _decode_facts(plain)
        except UNREADABLE as error:
            raise SpoolLost(f"{path.name} is of another version", hint=HINT) from error
        self.chunks = {chunk.ref.id: chunk for chunk in self.facts.chunks}

    @property
    def seq(self) -> int:
        return self.facts.commit.seq

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.facts.commit.epoch, self.facts.commit.seq)

    @property
    def base_seq(self) -> int:
        base = self.facts.begin.base
        return -1 if base is None else base.seq

    @property
    def size(self) -> Size:
        return Size(self.size_bytes, bool(self.facts.commit.marks), len(self.facts.commit.gaps))

    def changes(self) -> Iterator[Change]:
        """In walk order."""
        for frame in self.facts.lists:
            plain = self._read(frame)
            try:
                yield from _decode_changes(plain)
            except UNREADABLE as error:
                raise SpoolLost(f"{self.path.name} is of another version", hint=HINT) from error

    def payload(self, chunk: KeptChunk) -> Payload:
        return Payload(chunk.ref.id, chunk.ref.size_bytes, chunk.is_frame, self._read(chunk.frame))

    def _read(self, frame: Frame) -> bytes:
        with self._opened() as file:
            file.seek(frame.at)
            return self._cipher.open(frame.number, file.read(frame.sealed_bytes))

    def _opened(self) -> _Reading:
        return _Reading(self.path)


def _size_of(change: Change) -> int:
    """About so much it takes."""
    if not isinstance(change, Put):
        return 32 + len(change.path)
    entry = change.entry
    return 160 + len(entry.path) + 40 * len(entry.chunks) + sum([32 + len(xattr.value) for xattr in entry.xattrs])


class _Reading:
    """The open file; what its disk raises becomes `SpoolUnread`, or `SpoolLost` where it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Reading:
        try:
            self._file = self._path.open("rb", buffering=0)
        except OSError as error:
            raise unread(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, at: int) -> None:
        self._file.seek(at)

    def read(self, size_bytes: int) -> bytes:
        data = bytearray()
        try:
            while len(data) < size_bytes and (more := self._file.read(size_bytes - len(data))):
                data += more
        except OSError as error:
            raise unread(error) from error
        return bytes(data)


def unread(error: OSError) -> StoreError:
    """What a spool's disk raises where something is read: whether it may pass."""
    message = f"a file of the spool cannot be read: {error}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        return SpoolLost(message, hint=HINT)
    return SpoolUnread(message, is_of_disk=error.errno not in _NO_ROOM)


def runs_in(folder: Path) -> list[Path]:
    """Oldest first. Raises `SpoolUnread`."""
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(SUFFIX))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unread(error) from error


def written_at(path: Path) -> datetime:
    """When a file was; of a run that cannot be read nothing else can tell."""
    with suppress(OSError):
        return utc(path.stat().st_mtime_ns)
    return utc(0)


def translated(error: OSError) -> StoreError:
    """What a spool's disk raises, in our words."""
    if is_no_space(error):
        return NoSpace("the spool's disk is full", hint="make room where HOME lies; receivers that are away are caught up from the state")
    return StoreError(f"the spool fails: {error}", hint="see the disk where HOME lies; receivers are caught up from the state")
