"""Scrub: every byte is read in turn, a part each time, and where the next part begins is kept in the owner's home.

Packs are read in the order of their ids. A pass is over when the last one was read; then all that was there when it began has been read.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from holdfast.host.home_records import load_record, save_record
from holdfast.repository.packs.inventory import Inventory

_FILE = "scrub.json"


class ScrubRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`repository` is the id in the config. `through`: the last pack read, in hex, empty between two passes. `done_ratio`: so much of the
    pass is read. `clean`: it found nothing wrong so far. `full_at`: when the last pass ended, `full_clean` what it found."""

    repository: str
    at: datetime | None = None
    through: str = ""
    pass_began_at: datetime | None = None
    done_ratio: float = 0.0
    clean: bool = True
    full_at: datetime | None = None
    full_clean: bool = True


def load_scrub(home: Path, repository: str) -> ScrubRecord:
    """One that cannot be read, or of another repository, begins anew."""
    found = load_record(home / _FILE, ScrubRecord)
    return found if found is not None and found.repository == repository else ScrubRecord(repository=repository)


def save_scrub(home: Path, record: ScrubRecord) -> None:
    save_record(home / _FILE, record)


class NextPart:
    """The packs behind `through` that make up `ratio` of the bytes, at least one. Asked by the check; then it knows how far that goes."""

    def __init__(self, through: str, ratio: float) -> None:
        self._through = bytes.fromhex(through)
        self._ratio = ratio
        self.chosen: set[bytes] = set()
        self.through = through
        self.is_last = True
        self.done_ratio = 1.0

    def __call__(self, inventory: Inventory) -> set[bytes]:
        total = sum(inventory.sizes)
        wanted_bytes, part_bytes, passed_bytes = total * self._ratio, 0, 0
        for pack in sorted(inventory.pack_ids):
            size_bytes = inventory.sizes[inventory.packs[pack]]
            if pack <= self._through:
                passed_bytes += size_bytes
                continue
            # A little over rather than under: the last part of a pass would be a sliver.
            if self.chosen and part_bytes >= wanted_bytes * 0.999:
                self.is_last = False
                break
            self.chosen.add(pack)
            self.through = pack.hex()
            part_bytes += size_bytes
            passed_bytes += size_bytes
        self.done_ratio = passed_bytes / total if total else 1.0
        return self.chosen


def recorded(before: ScrubRecord, part: NextPart, *, now: datetime, clean: bool) -> ScrubRecord:
    """After this part."""
    began = before.pass_began_at if before.through and before.pass_began_at else now
    clean_so_far = clean and (before.clean or not before.through)
    record = replace(before, at=now, through=part.through, pass_began_at=began, done_ratio=part.done_ratio, clean=clean_so_far)
    if part.is_last:
        return replace(record, through="", full_at=now, full_clean=clean_so_far)
    return record
