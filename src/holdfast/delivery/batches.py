"""Chunks grouped into messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.model.change import Payload
from holdfast.model.stream import Withdrawn

BATCH_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Batch:
    payloads: tuple[Payload, ...]
    withdrawn: tuple[bytes, ...]
    size_bytes: int


def batched(ids: Sequence[bytes], items: Iterable[Payload | Withdrawn], batch_bytes: int = BATCH_BYTES) -> Iterator[Batch]:
    """Groups of about `batch_bytes` (a chunk is never split, so at most that and one chunk). The last one, perhaps empty, withdraws every
    id for which no item came; items that were not asked for are left out.
    """
    left = dict.fromkeys(ids)
    payloads: list[Payload] = []
    withdrawn: list[bytes] = []
    size = 0
    for item in items:
        if item.id not in left:
            continue
        del left[item.id]
        if isinstance(item, Withdrawn):
            withdrawn.append(item.id)
            continue
        if payloads and size + len(item.data) > batch_bytes:
            yield Batch(tuple(payloads), tuple(withdrawn), size)
            payloads, withdrawn, size = [], [], 0
        payloads.append(item)
        size += len(item.data)
    yield Batch(tuple(payloads), (*withdrawn, *left), size)
