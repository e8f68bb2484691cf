"""The sealed files of one repository: its backend together with its master key."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.caching import CachedReads
from holdfast.backend.grouping import GroupedSaves
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryDamaged, StoreError
from holdfast.repository._format.pack import Blob, BlobType, BuiltPack, PackedBlob, build_pack, open_blob
from holdfast.repository._format.seal import IV_SIZE, MasterKey
from holdfast.repository._format.unpacked import decode_document, encode_document
from holdfast.repository.catalog.blob_table import Place


class Storage:
    """Saves and loads; knows no catalog. May be called from several threads."""

    def __init__(self, backend: Backend, key: MasterKey, clock: Clock, entropy: Entropy) -> None:
        self.backend = backend
        self.clock = clock
        self._key = key
        self._entropy = entropy
        self._cache = backend if isinstance(backend, CachedReads) else None

    def uncached(self) -> Storage:
        """The same repository, read at its place alone: for a check, which must not take a copy's word."""
        return self if self._cache is None else Storage(self._cache.uncached(), self._key, self.clock, self._entropy)

    @property
    def key(self) -> MasterKey:
        return self._key

    def save_document(self, kind: FileType, json: bytes) -> bytes:
        """Durable when it returns; gives the file's id."""
        name, content = encode_document(json, self._key, self._entropy)
        self.backend.save(kind, name, content)
        return bytes.fromhex(name)

    def load_document(self, kind: FileType, name: str) -> bytes:
        """The JSON; raises `RepositoryDamaged` when the content does not fit the name or the key."""
        content = self.backend.load(kind, name)
        if sha256(content).hexdigest() != name:
            raise RepositoryDamaged(f"{kind.value}/{name} was changed", hint="run `holdfast repository check NAME`")
        return decode_document(content, self._key)

    def draw_ivs(self, blobs: int) -> bytes:
        """Randomness for a pack; drawn by the caller's thread, so that a seeded source gives the same in each run."""
        return self._entropy.token_bytes(IV_SIZE * (blobs + 1))

    def build_and_save_pack(self, blobs: Sequence[Blob], ivs: bytes) -> BuiltPack:
        """Seal, hash and hand over one pack, durable only after `settle_packs`. The result's `data` is dropped to save memory."""
        pack = build_pack(self._key, blobs, ivs)
        if isinstance(self.backend, GroupedSaves):
            self.backend.save_later(FileType.DATA, pack.id.hex(), pack.data)
        else:
            self.backend.save(FileType.DATA, pack.id.hex(), pack.data)
        return pack._replace(data=b"")

    def settle_packs(self, ids: Sequence[bytes]) -> None:
        if isinstance(self.backend, GroupedSaves):
            self.backend.settle(FileType.DATA, tuple(pack.hex() for pack in ids))

    def forget_packs(self, ids: Sequence[bytes]) -> None:
        """Drop packs that no index will name. Never raises; without `GroupedSaves` they stay as unused files until a prune."""
        if isinstance(self.backend, GroupedSaves):
            self.backend.forget(FileType.DATA, tuple(pack.hex() for pack in ids))

    def load_blob(self, place: Place) -> bytes:
        """The plain bytes, compared with their id; raises `RepositoryDamaged` naming the blob."""
        try:
            return self._opened_blob(place)
        except RepositoryDamaged:
            if self._cache is None or place.blob.type is not BlobType.TREE:
                raise
            self._cache.drop(place.pack.hex())
        return self._opened_blob(place)

    def _load_sealed(self, place: Place) -> bytes:
        blob = place.blob
        if self._cache is not None and blob.type is BlobType.TREE:
            return self._cache.load_tree(place.pack.hex(), blob.offset, blob.length)
        return self.backend.load(FileType.DATA, place.pack.hex(), blob.offset, blob.length)

    def _opened_blob(self, place: Place) -> bytes:
        blob = place.blob
        sealed = self._load_sealed(place)
        try:
            plain = open_blob(self._key, sealed, blob.raw_bytes)
        except RepositoryDamaged as error:
            raise RepositoryDamaged(f"blob {blob.id.hex()} in pack {place.pack.hex()}: {error.message}", hint=error.hint) from error
        if sha256(plain).digest() != blob.id:
            raise RepositoryDamaged(
                f"blob {blob.id.hex()} in pack {place.pack.hex()} has other content", hint="run `holdfast repository check NAME`"
            )
        return plain

    def holds(self, pack: bytes, blob: PackedBlob) -> bool:
        """Whether this pack really has the blob, every byte of it."""
        try:
            self.load_blob(Place(pack, blob))
        except StoreError:
            return False
        return True
