"""Files that are one sealed JSON document: index, snapshots, locks (and config, which stays uncompressed).

Version 2: plain = 0x02 || zstd(JSON); a plain that begins with `{` or `[` is JSON as it stands (restic's design, "Unpacked Data Format").
"""

from __future__ import annotations

from hashlib import sha256

from holdfast.core.entropy import Entropy
from holdfast.core.errors import RepositoryDamaged
from holdfast.repository._format.frames import compress, decompress
from holdfast.repository._format.seal import IV_SIZE, MasterKey, seal, unseal

_COMPRESSED = b"\x02"
LIMIT_BYTES = 1 << 29


def encode_document(json: bytes, key: MasterKey, entropy: Entropy) -> tuple[str, bytes]:
    """(name, content) of the file to save."""
    content = seal(key, entropy.token_bytes(IV_SIZE), _COMPRESSED + compress(json))
    return sha256(content).hexdigest(), content


def decode_document(content: bytes, key: MasterKey) -> bytes:
    """The JSON bytes; raises `RepositoryDamaged`."""
    plain = unseal(key, content)
    if plain[:1] in (b"{", b"["):
        return plain
    if plain[:1] != _COMPRESSED:
        raise RepositoryDamaged(f"unknown encoding {plain[:1]!r} of a repository file", hint="a newer restic may have written it")
    return decompress(plain[1:], LIMIT_BYTES)


def html_safe(json: bytes) -> bytes:
    """Escapes `<`, `>` and `&` as Go does; in JSON they occur in strings only."""
    return json.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
