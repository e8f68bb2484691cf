"""The least that a first backup and a restore take in Python, as a contender beside the others: `python -m bench.bare store DATA STORE`.

Every file is read once, hashed, compressed and sealed into packs by the code that Holdfast does it with, in two processes, each for every
other folder; `restore STORE TARGET` is the way back, each chunk compared with its hash. There is nothing else: no state of what was read,
no trees, no catalog, no second process that checks, nothing on disk for certain, no owners or further names. It is no backup, but what one
of this format costs in the kernel, zstd, SHA-256 and AES with a bare loop around them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import msgspec

from holdfast.core.entropy import SystemEntropy
from holdfast.repository._format.frames import compress
from holdfast.repository._format.pack import Blob, BlobType, PackedBlob, build_pack, open_blob
from holdfast.repository._format.seal import IV_SIZE, MasterKey, new_master_key

_PROCESSES = 2
_PACK_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 20


class _File(msgspec.Struct, array_like=True, gc=False):
    path: bytes
    mode: int
    mtime_ns: int
    chunks: list[bytes]


class _Written(msgspec.Struct, array_like=True):
    """What one process has stored. `places`: pack and place in it of each chunk."""

    key: tuple[bytes, bytes, bytes]
    files: list[_File]
    places: dict[bytes, tuple[bytes, PackedBlob]]


class _Packs:
    def __init__(self, store: Path, key: MasterKey) -> None:
        self._store = store
        self._key = key
        self._waiting: list[Blob] = []
        self._bytes = 0
        self._known: set[bytes] = set()
        self.places: dict[bytes, tuple[bytes, PackedBlob]] = {}

    def add(self, chunk: bytes) -> bytes:
        id_ = sha256(chunk).digest()
        if id_ not in self._known:
            self._known.add(id_)
            frame = compress(chunk)
            self._waiting.append(Blob(id_, BlobType.DATA, frame, len(chunk)))
            self._bytes += len(frame)
            if self._bytes >= _PACK_BYTES:
                self.flush()
        return id_

    def flush(self) -> None:
        pack = build_pack(self._key, self._waiting, os.urandom(IV_SIZE * (len(self._waiting) + 1)))
        (self._store / pack.id.hex()).write_bytes(pack.data)
        self.places.update((blob.id, (pack.id, blob)) for blob in pack.blobs)
        self._waiting, self._bytes = [], 0


def _store_share(store: Path, number: int, folders: list[tuple[bytes, list[bytes]]]) -> None:
    key = new_master_key(SystemEntropy())
    packs, files = _Packs(store, key), []
    for folder, names in folders:
        for name in names:
            path = folder + b"/" + name
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(descriptor)
                chunks = [packs.add(chunk) for chunk in iter(lambda: os.read(descriptor, _CHUNK_BYTES), b"")]  # noqa: B023
            finally:
                os.close(descriptor)
            files.append(_File(path, status.st_mode & 0o7777, status.st_mtime_ns, chunks))
    packs.flush()
    written = _Written((key.encrypt, key.mac_k, key.mac_r), files, packs.places)
    (store / f"written-{number}").write_bytes(msgspec.msgpack.encode(written))


def store(data: Path, target: Path) -> None:
    target.mkdir()
    folders = list(_folders(os.fsencode(data)))
    _side_by_side(_store_share, [(target, number, folders[number::_PROCESSES]) for number in range(_PROCESSES)])


def _folders(top: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Each folder with the names of its files."""
    waiting = [top]
    while waiting:
        folder, names = waiting.pop(), []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    names.append(entry.name)
        yield folder, names


def _restore_share(store: Path, number: int, target: bytes) -> None:
    written = msgspec.msgpack.decode((store / f"written-{number}").read_bytes(), type=_Written)
    key = MasterKey(*written.key)
    for folder in {os.path.dirname(file.path) for file in written.files}:
        os.makedirs(target + folder, exist_ok=True)
    pack_id, pack = b"", b""
    for file in written.files:
        path = target + file.path
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            for chunk in file.chunks:
                lies_in, blob = written.places[chunk]
                if lies_in != pack_id:
                    pack_id, pack = lies_in, (store / lies_in.hex()).read_bytes()
                plain = open_blob(key, pack[blob.offset : blob.offset + blob.length], blob.raw_bytes)
                if sha256(plain).digest() != chunk:
                    raise SystemExit(f"{chunk.hex()} is damaged")
                os.write(descriptor, plain)
            os.fchmod(descriptor, file.mode)
            os.utime(descriptor, ns=(file.mtime_ns, file.mtime_ns))
        finally:
            os.close(descriptor)


def restore(store: Path, target: Path) -> None:
    """Files below `target`, each at the path at which it was stored."""
    _side_by_side(_restore_share, [(store, number, os.fsencode(target)) for number in range(_PROCESSES)])


def _side_by_side(work: Callable[..., None], shares: list[tuple[object, ...]]) -> None:
    processes = [get_context("fork").Process(target=work, args=share) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a process failed")


if __name__ == "__main__":
    {"store": store, "restore": restore}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
