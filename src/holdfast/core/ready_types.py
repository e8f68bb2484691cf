"""Message types are made ready before a process has threads.

msgspec looks at a `Struct` type when it is first decoded, and keeps with the type what it is to find in each field. It keeps that before it
is complete, for types that contain themselves. Whoever decodes the same type in another thread meanwhile follows a null pointer, and the
process dies (msgspec 0.22; seen in a source worker at work).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec


def make_types_ready() -> None:
    """All that are loaded: 0.08 s for the 720 of the whole program, and next to nothing where it was done before."""
    for kind in _all_below(msgspec.Struct):
        # Some are only ever encoded, and have fields that could not be decoded.
        with contextlib.suppress(TypeError, NameError):
            msgspec.msgpack.Decoder(kind)


def _all_below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _all_below(each)
