"""Which packs a prune removes, and which it copies together: a pure plan from what each pack holds.

Source of the choice: restic's `decidePackAction` (prune.go). Added here: small packs are joined once they make up a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from holdfast.repository._format.pack import TARGET_BYTES, BlobType
from holdfast.repository.packs.reachable import PackContent

_MANY_SMALL = 50


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """`max_unused`: so much of what stays may be needless, as a part of what is needed. `max_repack_bytes` None = as much as it takes."""

    max_unused: float = 0.05
    max_repack_bytes: int | None = None
    target_bytes: int = TARGET_BYTES


@dataclass(frozen=True, kw_only=True)
class PrunePlan:
    """`remove`: nothing in them is needed. `repack`: what is needed of them is copied, then they go. `kept_unused_bytes` is needless and
    stays where it is."""

    remove: tuple[PackContent, ...] = ()
    repack: tuple[PackContent, ...] = ()
    kept_unused_bytes: int = 0
    used_bytes: int = 0

    @property
    def goes(self) -> frozenset[int]:
        return frozenset(pack.number for pack in (*self.remove, *self.repack))

    @property
    def repacked_bytes(self) -> int:
        return sum(pack.used_bytes for pack in self.repack)

    @property
    def freed_bytes(self) -> int:
        return sum(pack.size_bytes - pack.used_bytes for pack in (*self.remove, *self.repack))


def plan_prune(packs: Iterable[PackContent], in_use: frozenset[int], thresholds: Thresholds) -> PrunePlan:
    """Packs `in_use` stay as they are."""
    remove: list[PackContent] = []
    whole: list[PackContent] = []
    partly: list[PackContent] = []
    used_bytes = unused_bytes = 0
    for pack in packs:
        used_bytes += pack.used_bytes
        if pack.number in in_use:
            unused_bytes += _unused(pack)
        elif not pack.used_blobs:
            remove.append(pack)
        else:
            unused_bytes += _unused(pack)
            (partly if pack.type is None or pack.used_blobs < pack.blobs else whole).append(pack)
    repack, unused_bytes = _choose(partly, used_bytes, unused_bytes, thresholds)
    chosen = {pack.number for pack in repack}
    rest = [*whole, *(pack for pack in partly if pack.number not in chosen)]
    for kind in BlobType:
        joined = _small_ones(rest, [pack for pack in repack if pack.type is kind], kind, thresholds)
        if sum(pack.used_bytes for pack in (*repack, *joined)) <= _limit(thresholds):
            repack += joined
            unused_bytes -= sum(map(_unused, joined))
    return PrunePlan(remove=tuple(remove), repack=tuple(repack), kept_unused_bytes=unused_bytes, used_bytes=used_bytes)


def _choose(partly: Sequence[PackContent], used_bytes: int, unused_bytes: int, thresholds: Thresholds) -> tuple[list[PackContent], int]:
    """What to copy, and how much stays needless: trees and mixed packs always, data from the most needless on until little enough is."""
    allowed_bytes = thresholds.max_unused * used_bytes
    chosen: list[PackContent] = []
    copied_bytes = 0
    for pack in sorted(partly, key=lambda pack: (pack.type is BlobType.DATA, -_unused(pack) / pack.size_bytes, pack.number)):
        if copied_bytes + pack.used_bytes > _limit(thresholds):
            continue
        if pack.type is BlobType.DATA and unused_bytes <= allowed_bytes:
            break
        chosen.append(pack)
        copied_bytes += pack.used_bytes
        unused_bytes -= _unused(pack)
    return chosen, unused_bytes


def _small_ones(rest: Sequence[PackContent], repack: Sequence[PackContent], kind: BlobType, thresholds: Thresholds) -> list[PackContent]:
    """Small packs to copy too. Each byte is copied this way only while its pack is small, so a few times at most."""
    small = [pack for pack in rest if pack.type is kind and pack.size_bytes < thresholds.target_bytes // 2]
    total_bytes = sum(pack.used_bytes for pack in (*small, *repack))
    worth_it = len(small) + bool(repack) > 1 and (total_bytes >= thresholds.target_bytes or len(small) >= _MANY_SMALL)
    return small if worth_it else []


def _unused(pack: PackContent) -> int:
    return pack.size_bytes - pack.used_bytes


def _limit(thresholds: Thresholds) -> float:
    return float("inf") if thresholds.max_repack_bytes is None else thresholds.max_repack_bytes
