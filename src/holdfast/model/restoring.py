"""Questions about restores: begin one, hold one up, go on with it, take it back."""

from __future__ import annotations

import msgspec

from holdfast.core.ids import JobId, PointId
from holdfast.model.orders import RestoreRequest, SignedOrder


class AskRestore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Run a restore here. Without `order` the point is in a repository this node owns (local socket only). `spares`: orders for other
    copies of the same point, the best first."""

    request: RestoreRequest
    order: SignedOrder | None = None
    spares: tuple[SignedOrder, ...] = ()
    point: PointId = PointId("")
    paths: tuple[bytes, ...] = ()
    trigger: str = ""


class AskPauseJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Stop a restore where it is, so that it can go on: what is in place stays, whole files are not written again."""

    job: JobId


class AskResumeJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Go on with a paused restore. `orders`: in the place of the used ones, where it reads by orders."""

    job: JobId
    orders: tuple[SignedOrder, ...] = ()


class AskOrders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """By which orders a job that has not ended reads."""

    job: JobId


class OrdersTold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """None = it reads from a repository of this node's own."""

    orders: tuple[SignedOrder, ...] = ()


class AskUndo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Take back a restore, by its job; a job of its own. `dry_run`: only tell what would come back and go."""

    job: JobId
    dry_run: bool = False
    trigger: str = ""
