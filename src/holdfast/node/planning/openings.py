"""When what waits for the windows of movers may start. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from holdfast.model.rate_table import opens_at
from holdfast.model.rules import Delivery, Rules
from holdfast.node.workers.messages import RunCascade, RunDatasets


def opening_of(rules: Rules, request: RunCascade | RunDatasets, moment: datetime) -> datetime | None:
    """When the first of the movers that a job serves opens; None = one is open, or none ever does: then the job says so."""
    if isinstance(request, RunCascade):
        return first_opening((cascade.delivery for cascade in rules.cascades if cascade.id == request.cascade), moment)
    return first_opening(
        (
            delivery
            for delivery in rules.deliveries
            if delivery.dataset in request.datasets
            and (request.catch_up or not set(delivery.operations).isdisjoint(request.operations.get(delivery.dataset, ())))
        ),
        moment,
    )


def first_opening(deliveries: Iterable[Delivery], moment: datetime) -> datetime | None:
    """When the first of these opens; None = one is open now, or none does within a year."""
    found = [opens_at(delivery.windows, moment) for delivery in deliveries]
    opens = min((each for each in found if each is not None), default=None)
    return None if opens is None or opens <= moment else opens
