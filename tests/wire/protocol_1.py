"""The greetings of the hub as protocol 1 spoke them, kept as they were: what a Master and a node of the version before say and read.

Later fields are not in them. Structs read messages as that version did: a field they do not know is passed over.
"""

from __future__ import annotations

import msgspec


class Hello(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    environment: str
    node: str
    generation: int
    version: str
    time_ns: int
    data_address: str = ""
    findings: tuple[msgspec.Raw, ...] = ()
    anchors: tuple[msgspec.Raw, ...] = ()
    epoch: int = 0
    name: str = ""
    protocol: int = 1


class Welcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    time_ns: int
    audit: msgspec.Raw | None = None
    epoch: int = 0
    since_ns: int = 0
    generation: int = -1


def is_let_in(hello: bytes) -> bool:
    """How a Master of protocol 1 looked at a greeting: one number, its own, or the session ended."""
    return msgspec.msgpack.decode(hello, type=Hello).protocol == 1
