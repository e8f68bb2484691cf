"""What an owner keeps in its home about the keys of a repository: the password it opens it with, a rotation under way, kits that are kept.

A password comes from `HOME/keys/NAME`, or, where that file is not there, from a systemd credential of the same name
(systemd.exec(5), `LoadCredential=` and `LoadCredentialEncrypted=`).
"""

from __future__ import annotations

import hmac
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryMissing, StoreError
from holdfast.core.private_files import make_private_folder, sync_folder, write_private
from holdfast.host.home_records import load_record, save_record
from holdfast.model.keys import SPACE

Source = Literal["file", "credential", ""]
_PASSWORD_BYTES = 32
_MAX_FILE_BYTES = 64 * 1024


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of slots: `new` is being put in the place of `old` (empty = of a lost one)."""

    old: str
    new: str


class _Proof(msgspec.Struct, frozen=True, kw_only=True):
    """By what the last group of a kit's code is known again. The other six groups stay unknown to whoever reads it."""

    slot: str
    salt: bytes
    digest: bytes


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    slot: str
    at: datetime


class _Kits(msgspec.Struct, frozen=True, kw_only=True):
    proofs: tuple[_Proof, ...] = ()
    kept: tuple[_Kept, ...] = ()


class KeyFiles:
    """Of one repository. `credentials`: the folder that systemd gave this service."""

    def __init__(self, home: Path, name: str, credentials: Path | None, *, clock: Clock, entropy: Entropy) -> None:
        self._name = name
        self._path = home / "keys" / name
        self._folder = home / "repositories" / name
        self._credential = None if credentials is None else credentials / name
        self._clock = clock
        self._entropy = entropy

    @property
    def source(self) -> Source:
        """Where the password comes from; empty = there is none."""
        if self._path.exists():
            return "file"
        return "credential" if self._credential is not None and self._credential.exists() else ""

    def password(self) -> str:
        """Raises `RepositoryMissing` when there is none, `StoreError` when it cannot be read."""
        path = {"file": self._path, "credential": self._credential}.get(self.source)
        if path is None:
            raise RepositoryMissing(
                f"no key for repository {self._name} in HOME/keys",
                hint=f"`holdfast repository key restore {self._name}` takes its recovery kit, or any other password of it",
            )
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_FILE_BYTES + 1).decode("utf-8-sig").strip(SPACE)
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"the key of repository {self._name} cannot be read: {error}", hint="it is one line of text") from error
        if not text or len(text) > _MAX_FILE_BYTES:
            raise StoreError(f"the key of repository {self._name} is empty or far too long", hint="it is one line of text")
        return text

    def new_password(self) -> str:
        """256 random bits; nowhere yet."""
        return self._entropy.token_bytes(_PASSWORD_BYTES).hex()

    def save_password(self, password: str) -> None:
        """The key file, 0600, replaced at once and durable."""
        make_private_folder(self._path.parent)
        write_private(self._path, password.encode() + b"\n")

    def put_aside(self) -> str:
        """Keep a key file that does not open the repository under another name: it may open what was here before. Returns where, if any."""
        if not self._path.exists():
            return ""
        aside = self._path.with_name(f".{self._name}.{now(self._clock):%Y%m%dT%H%M%SZ}")
        self._path.rename(aside)
        sync_folder(self._path.parent)
        return str(aside)

    def rotation(self) -> Rotation | None:
        """The one that was begun and not ended."""
        return load_record(self._rotation, Rotation)

    def begin(self, rotation: Rotation) -> None:
        make_private_folder(self._folder)
        save_record(self._rotation, rotation)

    def end_rotation(self) -> None:
        self._rotation.unlink(missing_ok=True)

    def note_kit(self, slot: str, last_group: str) -> None:
        """A kit was made: keep by what its last group is known again."""
        salt = self._entropy.token_bytes(16)
        kits = self._load_kits()
        self._save_kits(_Kits(proofs=(*kits.proofs, _Proof(slot=slot, salt=salt, digest=_digest(salt, last_group))), kept=kits.kept))

    def kit_with(self, last_group: str, slots: frozenset[str]) -> str:
        """The slot of a kit that ends so, among `slots`; the newest. Empty when there is none."""
        for proof in reversed(self._load_kits().proofs):
            if proof.slot in slots and hmac.compare_digest(proof.digest, _digest(proof.salt, last_group)):
                return proof.slot
        return ""

    def kept(self) -> frozenset[str]:
        """Slots of kits that somebody keeps."""
        return frozenset(kept.slot for kept in self._load_kits().kept)

    def keep(self, slot: str) -> None:
        """Somebody keeps this kit. What proved it is not needed any more."""
        kits = self._load_kits()
        kept = (*(each for each in kits.kept if each.slot != slot), _Kept(slot=slot, at=now(self._clock)))
        self._save_kits(_Kits(proofs=tuple(proof for proof in kits.proofs if proof.slot != slot), kept=kept))

    @property
    def _rotation(self) -> Path:
        return self._folder / "rotation.json"

    def _load_kits(self) -> _Kits:
        """A record that cannot be read is as good as none: then `status` asks for a kit again."""
        return load_record(self._folder / "kits.json", _Kits) or _Kits()

    def _save_kits(self, kits: _Kits) -> None:
        make_private_folder(self._folder)
        save_record(self._folder / "kits.json", kits)


def _digest(salt: bytes, last_group: str) -> bytes:
    return sha256(salt + last_group.encode()).digest()
