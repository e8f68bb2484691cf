"""What a snapshot says of itself, as the catalog keeps it."""

from __future__ import annotations

import msgspec

from holdfast.core.ids import Epoch
from holdfast.model.points import Point


class Brief(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot says of itself, kept so that it is read fast. `point` is None for heads and for impossible times, and names no
    repository: that is the reader's to know. Foreign ones have neither epoch nor ordinal."""

    revision: int
    ordinal: int
    epoch: Epoch
    seq: int
    sender: str
    label: str
    point: Point | None


encode_brief = msgspec.msgpack.Encoder().encode
decode_brief = msgspec.msgpack.Decoder(Brief).decode
