"""How much of a point a repository here has, as far as this machine knows by itself: a mover with `only` brings a part. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.core.ids import RepositoryId
from holdfast.model.jobs import Finding, Severity
from holdfast.model.points import Point, paths_of_point
from holdfast.model.rules import Rules, StoreAction
from holdfast.model.subsets import holds_all


def how_much_is_here(rules: Rules, repository: RepositoryId, point: Point, paths: Sequence[bytes]) -> Finding | None:
    """What is to be said without the Master, which would know who has the whole; None = all of `paths` (none = of the point) is here."""
    wanted = paths_of_point(paths)
    if not point.dataset_id or (wanted and holds_all(point.paths, wanted)):
        return None
    here = [
        receive
        for receive in rules.receives
        if receive.dataset == point.dataset_id
        and any(isinstance(action, StoreAction) and action.repository == repository for action in receive.actions)
    ]
    has = f"{point.repository} has {', '.join(point.paths) or 'a copy'} of {point.dataset}"
    if not here:
        message = f"{has}; no rule of this machine says whether that is all of it"
        hint = "another repository may have more of it; the Master would know"
        return Finding(code="whole-not-known", severity=Severity.INFO, message=message, hint=hint)
    if not all(receive.part for receive in here):
        return None
    part = sorted({path for receive in here for path in receive.part})
    message = f"{has}: by the rules only what lies below {', '.join(part)} comes here"
    return Finding(
        code="only-a-part", severity=Severity.WARNING, message=message, hint="restore the rest from the repository that it comes from"
    )
