"""Mirrors as copies to restore from: where each stands, and what that state is called.

A mirror has one state, the newest it was brought to. For people it is NODE:FOLDER; on its own machine it is named by its action.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from holdfast.core.ids import ActionId, DatasetId, PointId
from holdfast.model.change import Cursor
from holdfast.model.moments import address_of
from holdfast.model.points import Point

_PREFIX = "mirror:"


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Which commit a mirror is equal to, when that was captured, and how much it is."""

    cursor: Cursor
    captured_at: datetime
    files: int = 0
    size_bytes: int = 0


class MirrorState(msgspec.Struct, frozen=True, kw_only=True):
    """One mirror of a node. `dataset` is the label; `targets` pairs each root of the source with the folder that is kept equal to it.

    `stand` None = it is equal to no commit: it was never filled, something of it is missing until the next run, or nobody can read it.
    """

    action: ActionId
    dataset: str
    dataset_id: DatasetId
    targets: tuple[tuple[str, str], ...]
    stand: Stand | None = None


class AskMirrors(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Where the mirrors of this node stand; of one dataset (label or id), empty = of all."""

    dataset: str = ""


class Mirrors(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    mirrors: tuple[MirrorState, ...] = ()


def mirror_address(action: ActionId) -> PointId:
    """In the place of a point, for a restore on the mirror's own machine."""
    return PointId(f"{_PREFIX}{action}")


def action_of(address: str) -> ActionId:
    """The mirror that such an address names; empty for everything else."""
    return ActionId(address.removeprefix(_PREFIX)) if address.startswith(_PREFIX) else ActionId("")


def is_mirror_named(copy: str) -> bool:
    """Whether what somebody calls a copy is a mirror: NODE:FOLDER, or NODE: where that node has one mirror of the dataset."""
    return ":" in copy


def is_called(state: MirrorState, node: str, copy: str) -> bool:
    """Whether `copy` (NODE:FOLDER or NODE:) means this mirror of the node of that name."""
    named, _, folder = copy.partition(":")
    return named == node and (not folder or folder.rstrip("/") in [target.rstrip("/") for _, target in state.targets])


def title_of(state: MirrorState, node: str) -> str:
    """What `is_called` understands."""
    return f"{node}:{state.targets[0][1] if state.targets else ''}"


def newest(states: tuple[MirrorState, ...], at: datetime | None = None) -> MirrorState | None:
    """The newest that was captured at or before a time (None = now)."""
    standing = [(s.stand.captured_at, s.stand.cursor.seq, s) for s in states if s.stand and (at is None or s.stand.captured_at <= at)]
    return max(standing, key=lambda each: each[:2])[2] if standing else None


def point_of(state: MirrorState, stand: Stand, node: str) -> Point:
    """The state of a mirror in the form of a point. Its id is the address of the same moment in a repository that keeps it."""
    return Point(
        id=address_of(state.dataset_id, stand.captured_at),
        dataset=state.dataset,
        dataset_id=state.dataset_id,
        operation="replicate",
        repository=title_of(state, node),
        time=stand.captured_at,
        files=stand.files,
        bytes=stand.size_bytes,
        seq=stand.cursor.seq,
        epoch=stand.cursor.epoch,
        paths=tuple(root for root, _ in state.targets),
    )
