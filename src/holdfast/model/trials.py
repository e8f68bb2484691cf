"""A drill on a machine that does not own the repository: what the Master asks of it."""

from __future__ import annotations

import msgspec

from holdfast.model.document import DrillPlan
from holdfast.model.orders import SignedOrder
from holdfast.model.points import Point


class AskDrill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Restore a part of a point of another node on trial, as `plan` says, and tell its owner what came of it; a job. `repository` is a
    name, for people."""

    order: SignedOrder
    point: Point
    plan: DrillPlan
    repository: str
    trigger: str = ""
