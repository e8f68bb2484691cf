"""Sealing: AES-256-CTR and Poly1305-AES, as restic's design document defines it ("Keys, Encryption and MAC").

Sealed bytes = IV (16) || ciphertext || tag (16). The one-time Poly1305 key is r || AES-128_k(IV).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryDamaged

IV_SIZE = 16
TAG_SIZE = 16
OVERHEAD = IV_SIZE + TAG_SIZE


@dataclass(frozen=True, repr=False)
class MasterKey:
    """The three secrets of a repository, or of one password. Never printed."""

    encrypt: bytes
    mac_k: bytes
    mac_r: bytes


def clamp_r(r: bytes) -> bytes:
    """Poly1305's masking of `r` (D. J. Bernstein, "The Poly1305-AES message-authentication code")."""
    masked = bytearray(r)
    for index in (3, 7, 11, 15):
        masked[index] &= 15
    for index in (4, 8, 12):
        masked[index] &= 252
    return bytes(masked)


def new_master_key(entropy: Entropy) -> MasterKey:
    return MasterKey(entropy.token_bytes(32), entropy.token_bytes(16), clamp_r(entropy.token_bytes(16)))


def key_from_bytes(material: bytes) -> MasterKey:
    """A key from the 64 bytes that scrypt gives."""
    return MasterKey(material[:32], material[32:48], clamp_r(material[48:64]))


def seal_into(key: MasterKey, ivs: bytes, plains: Sequence[bytes], target: bytearray | memoryview) -> None:
    """Seal each of `plains` with its own 16 bytes of `ivs`, one behind the other from the start of `target`.

    One AES context serves all: making one costs more than a small blob.
    """
    nonces = Cipher(algorithms.AES(key.mac_k), modes.ECB()).encryptor().update(ivs)
    context = Cipher(algorithms.AES(key.encrypt), modes.CTR(bytes(IV_SIZE))).encryptor()
    mac_r, tag_of = key.mac_r, Poly1305.generate_tag
    with memoryview(target) as view:
        place = 0
        for start, plain in zip(range(0, len(ivs), IV_SIZE), plains, strict=True):
            iv = ivs[start : start + IV_SIZE]
            body = place + IV_SIZE
            end = body + len(plain)
            view[place:body] = iv
            context.reset_nonce(iv)
            # It asks for up to a block more room than it fills; the tag's place is that.
            context.update_into(plain, view[body : end + TAG_SIZE])
            view[end : end + TAG_SIZE] = tag_of(mac_r + nonces[start : start + IV_SIZE], view[body:end])
            place = end + TAG_SIZE


def seal(key: MasterKey, iv: bytes, plain: bytes) -> bytes:
    sealed = bytearray(len(plain) + OVERHEAD)
    seal_into(key, iv, (plain,), sealed)
    return bytes(sealed)


def unseal_each(key: MasterKey, pieces: Sequence[bytes | memoryview]) -> Iterator[bytes]:
    """The plain bytes of each; raises `RepositoryDamaged` at the first whose tag does not fit. One AES context serves all."""
    ivs = b"".join([sealed[:IV_SIZE] for sealed in pieces])
    # Of a piece too short to have one, and of those behind it, the nonce is wrong; none of them is got to.
    nonces = Cipher(algorithms.AES(key.mac_k), modes.ECB()).encryptor().update(ivs[: len(ivs) // IV_SIZE * IV_SIZE])
    context = Cipher(algorithms.AES(key.encrypt), modes.CTR(bytes(IV_SIZE))).encryptor()
    mac_r, verify_tag = key.mac_r, Poly1305.verify_tag
    place = 0
    for sealed in pieces:
        if len(sealed) < OVERHEAD:
            raise RepositoryDamaged("sealed bytes are too short", hint="run `holdfast repository check NAME --read-data`")
        after = place + IV_SIZE
        body = sealed[IV_SIZE:-TAG_SIZE]
        try:
            verify_tag(mac_r + nonces[place:after], body, bytes(sealed[-TAG_SIZE:]))
        except InvalidSignature:
            raise RepositoryDamaged(
                "sealed bytes were changed, or another key sealed them", hint="run `holdfast repository check NAME`"
            ) from None
        context.reset_nonce(ivs[place:after])
        yield context.update(body)
        place = after


def unseal(key: MasterKey, sealed: bytes) -> bytes:
    """The plain bytes; raises `RepositoryDamaged` when the tag does not fit."""
    return next(unseal_each(key, (sealed,)))
