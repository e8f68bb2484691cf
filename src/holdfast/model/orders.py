"""Orders: what the Master asks one node to do once, signed, with an end. Questions about what is are in `questions`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from holdfast.core.ids import DatasetId, NodeId, PointId, RepositoryId

ORDER_LIFETIME = timedelta(hours=1)
"""No order is good for longer from when it was signed."""


class RestoreOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Lets `reader` read `paths` (empty = all) of one point from `owner`'s repository until `expires_at`, once. `id` is single use."""

    id: str
    reader: NodeId
    owner: NodeId
    owner_address: str
    repository: RepositoryId
    dataset: DatasetId
    point: PointId
    paths: tuple[bytes, ...] = ()
    expires_at: datetime


class SignedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is the JSON of a `RestoreOrder`; `signature` Ed25519 by the Master's signing key over `signed_bytes_of_order(body)`."""

    body: bytes
    signature: bytes


def signed_bytes_of_order(body: bytes) -> bytes:
    """What the signature is over. The words in front keep an order from ever passing for rules, which the same key signs."""
    return b"holdfast restore order 1\0" + body


Conflict = Literal["skip", "overwrite", "rename"]


class RestoreRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a restore writes and how. `target` is the folder below which the full source paths are written (`/` = in place)."""

    target: str
    conflict: Conflict = "overwrite"
    dry_run: bool = False
    limit_bytes_s: int | None = None
