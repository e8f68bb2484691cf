"""No bytes from outside reach the decompressor, or anybody above it, unless they are one honest frame."""

from __future__ import annotations

import hashlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import ProtocolError
from holdfast.delivery.frame import _is_usual, _walk, check_frame
from holdfast.delivery.verify import Verifier, verify_payload
from holdfast.model.change import Payload
from holdfast.testing.memory_action import payload_of
from holdfast.wire.codec import MAX_CHUNK_BYTES

PLAIN = bytes(range(256)) * 40
FRAME = zstandard.ZstdCompressor().compress(PLAIN)
EMPTY_LAST_BLOCK = b"\x01\x00\x00"


def as_payload(frame: bytes, plain: bytes = PLAIN, size: int | None = None) -> Payload:
    return Payload(hashlib.sha256(plain).digest(), len(plain) if size is None else size, True, frame)


def streamed(plain: bytes) -> bytes:
    """A frame made without knowing the size."""
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(plain) + compressor.flush()


def header(window_descriptor: int, size: int) -> bytes:
    return b"\x28\xb5\x2f\xfd" + b"\x80" + bytes([window_descriptor]) + size.to_bytes(4, "little")


def dictionary_frame() -> bytes:
    samples = [bytes([n % 7]) * 50 + str(n).encode() * 20 for n in range(300)]
    return zstandard.ZstdCompressor(dict_data=zstandard.train_dictionary(1024, samples)).compress(PLAIN)


HOSTILE = {
    "empty": b"",
    "magic only": FRAME[:4],
    "no zstd": b"plain text that is no frame",
    "cut in the header": FRAME[:6],
    "cut in a block": FRAME[:-1],
    "trailing byte": FRAME + b"\0",
    "two frames": FRAME + FRAME,
    "skippable frame before": b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + FRAME,
    "skippable frame after": FRAME + b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
    "no content size": streamed(PLAIN),
    "needs a dictionary": dictionary_frame(),
    "reserved bit": FRAME[:4] + bytes([FRAME[4] | 8]) + FRAME[5:],
    "another size than declared": zstandard.ZstdCompressor().compress(PLAIN + b"x"),
    "a window of 2 GiB": header(0xA8, len(PLAIN)) + EMPTY_LAST_BLOCK,
    "a window just above 8 MiB": header(13 << 3 | 1, len(PLAIN)) + EMPTY_LAST_BLOCK,
    "reserved block": header(0x50, len(PLAIN)) + b"\x07\0\0",
    "a block above 128 KiB": header(0x50, len(PLAIN)) + ((200_000 << 3) | 1).to_bytes(3, "little") + bytes(200_000),
    "never a last block": header(0x50, len(PLAIN)) + (1 << 3).to_bytes(3, "little") + b"a",
    "less inside than it says": header(0x50, len(PLAIN)) + EMPTY_LAST_BLOCK,
    "nonsense inside": header(0x50, len(PLAIN)) + ((20 << 3) | 5).to_bytes(3, "little") + bytes(range(20)),
    "another content": zstandard.ZstdCompressor().compress(bytes(len(PLAIN))),
    "wrong checksum": zstandard.ZstdCompressor(write_checksum=True).compress(PLAIN)[:-1] + b"\0",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_frames_are_refused(what: str) -> None:
    payload = as_payload(HOSTILE[what])
    with pytest.raises(ProtocolError, match=payload.id.hex()):
        verify_payload(payload, len(PLAIN))


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    blocks = b"".join(((131_072 << 3) | 2).to_bytes(3, "little") + b"a" for _ in range(8_000)) + EMPTY_LAST_BLOCK
    bomb = header(0x50, 8_000 * 131_072) + blocks
    with pytest.raises(ProtocolError, match="declared"):
        verify_payload(as_payload(bomb), len(PLAIN))
    with pytest.raises(ProtocolError, match="limit"):
        verify_payload(as_payload(bomb, size=8_000 * 131_072))
    with pytest.raises(ProtocolError):
        verify_payload(as_payload(header(0x50, len(PLAIN)) + blocks), len(PLAIN))


def test_lying_sizes_and_hashes_of_plain_chunks_are_refused() -> None:
    honest = payload_of(PLAIN)
    for payload, declared in (
        (Payload(honest.id, honest.size_bytes, False, PLAIN[:-1]), len(PLAIN)),
        (honest, len(PLAIN) - 1),
        (Payload(bytes(32), honest.size_bytes, False, PLAIN), len(PLAIN)),
        (payload_of(bytes(MAX_CHUNK_BYTES + 1)), None),
    ):
        with pytest.raises(ProtocolError):
            verify_payload(payload, declared)


def test_honest_chunks_pass_with_frame_and_plain() -> None:
    for plain in (PLAIN, b"", b"x", bytes(MAX_CHUNK_BYTES)):
        for compressed in (False, True):
            for trusted in (False, True):
                payload = payload_of(plain, compressed=compressed)
                chunk = verify_payload(payload, len(plain), trusted=trusted)
                assert (chunk.id, chunk.size_bytes, chunk.plain) == (payload.id, len(plain), plain)
                assert chunk.frame == (payload.data if compressed else None)
    checked = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(PLAIN)
    assert verify_payload(as_payload(checked), len(PLAIN)).plain == PLAIN


def test_trust_skips_the_hash_but_not_the_outline() -> None:
    other = Payload(bytes(32), len(PLAIN), True, FRAME)
    assert verify_payload(other, trusted=True).plain == PLAIN
    with pytest.raises(ProtocolError):
        verify_payload(as_payload(FRAME + b"\0"), trusted=True)


def test_batches_are_verified_together_and_one_bad_chunk_fails_them() -> None:
    verifier = Verifier(2)
    payloads = [payload_of(bytes([n]) * 1000, compressed=bool(n % 2)) for n in range(50)]
    sizes = {payload.id: 1000 for payload in payloads}
    for trusted in (False, True):
        assert [chunk.id for chunk in verifier.submit(payloads, sizes, trusted=trusted).result()] == [p.id for p in payloads]
        bad = Payload(payloads[0].id, 1000, True, b"nonsense")
        with pytest.raises(ProtocolError):
            verifier.submit([*payloads[1:], bad], sizes, trusted=trusted).result()
    verifier.close()


@pytest.mark.parametrize("what", ["body", "hash"])
def test_the_refusal_of_a_batch_names_the_chunk(what: str) -> None:
    payloads = [payload_of(bytes([n]) * 1000, compressed=True) for n in range(9)]
    frame = payloads[4].data
    wrong = frame[:-1] + bytes([frame[-1] ^ 0xFF]) if what == "body" else payloads[5].data
    payloads[4] = Payload(payloads[4].id, 1000, True, wrong)
    verifier = Verifier(1)
    with pytest.raises(ProtocolError, match=payloads[4].id.hex()):
        verifier.submit(payloads, {payload.id: 1000 for payload in payloads}).result()
    verifier.close()


def test_an_empty_chunk_in_a_batch_passes() -> None:
    payloads = [payload_of(b"", compressed=True), payload_of(b"x" * 50, compressed=True), payload_of(b"plain", compressed=False)]
    verifier = Verifier(1)
    chunks = verifier.submit(payloads, {payload.id: payload.size_bytes for payload in payloads}).result()
    assert [chunk.plain for chunk in chunks] == [b"", b"x" * 50, b"plain"]
    verifier.close()


@settings(max_examples=60)
@given(st.binary(max_size=5000), st.integers(-5, 19), st.booleans())
def test_every_frame_the_library_makes_passes(plain: bytes, level: int, checksum: bool) -> None:
    check_frame(zstandard.ZstdCompressor(level=level, write_checksum=checksum).compress(plain), len(plain), "test")


@settings(max_examples=200)
@given(st.data())
def test_damaged_frames_raise_nothing_else(data: st.DataObject) -> None:
    frame = bytearray(FRAME)
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, min(60, len(frame) - 1)))] = data.draw(st.integers(0, 255))
    try:
        chunk = verify_payload(as_payload(bytes(frame)), len(PLAIN))
    except ProtocolError:
        return
    assert chunk.plain == PLAIN


@given(st.binary(min_size=1, max_size=3000), st.integers(0, 2), st.data())
def test_the_quick_look_takes_no_frame_that_the_careful_one_refuses(plain: bytes, changes: int, data: st.DataObject) -> None:
    plain = plain * data.draw(st.sampled_from((1, 20)))
    frame = bytearray(zstandard.ZstdCompressor().compress(plain))
    for _ in range(changes):
        # Where the outline is: in the header and in the first block's.
        frame[data.draw(st.integers(4, min(16, len(frame) - 1)))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        frame += b"\0"
    declared = data.draw(st.sampled_from((len(plain), len(plain) % 256, int.from_bytes(frame[5:7], "little") + 256)))
    if _is_usual(bytes(frame), declared):
        _walk(bytes(frame), declared, "it")


def test_the_quick_look_takes_what_a_source_sends() -> None:
    text = b"the quick brown fox jumps over the lazy dog " * 7
    for size in (100, 300, 3000, 100_000):
        plain = (text * (size // len(text) + 1))[:size]
        assert _is_usual(zstandard.ZstdCompressor(level=3).compress(plain), size)
