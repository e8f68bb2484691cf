"""The operation kinds: what each needs and which options it has. A kind that rides with runs needs no more than its spec here."""

from __future__ import annotations

from typing import Literal

import msgspec


class OperationSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`receiver` is the kind of vertex that can take it; `continuous` = needs a continuous mover; `options` beyond the common ones.

    `available` is False for kinds that parse but have no engine in this version. `keeps_moments`: of use to it are states between points.
    """

    kind: str
    receiver: Literal["repository", "mirror", "none"]
    options: tuple[str, ...]
    continuous: bool = False
    available: bool = True
    makes_points: bool = False
    keeps_moments: bool = False


COMMON_OPTIONS = ("operation", "every", "at", "schedule", "after", "lock")

SPECS: dict[str, OperationSpec] = {
    spec.kind: spec
    for spec in (
        OperationSpec(kind="backup", receiver="repository", options=("keep",), makes_points=True),
        OperationSpec(kind="live", receiver="repository", options=("keep",), continuous=True, makes_points=True),
        OperationSpec(kind="cdp", receiver="repository", options=("within",), continuous=True, keeps_moments=True),
        OperationSpec(kind="version", receiver="repository", options=("last", "within"), continuous=True, keeps_moments=True),
        OperationSpec(kind="replicate", receiver="mirror", options=("removed",)),
        OperationSpec(kind="archive", receiver="repository", options=("when", "keep", "leave")),
        OperationSpec(kind="snapshot", receiver="none", options=("keep",), available=False),
        OperationSpec(kind="track", receiver="none", options=("within",), continuous=True, available=False),
        OperationSpec(kind="block", receiver="none", options=(), available=False),
    )
}
