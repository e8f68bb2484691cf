"""Until which point a repository was filled from a carried disk: `HOME/repositories/NAME/seeds.json`. For people alone, and may be lost."""

from __future__ import annotations

from pathlib import Path

import msgspec

from holdfast.core.private_files import write_private
from holdfast.model.decoding import UNREADABLE_FILE
from holdfast.model.seeding import SeedRecord

_FILE = "seeds.json"


def seed_records(home: Path, repository: str) -> tuple[SeedRecord, ...]:
    """`repository` is a name. Nothing where nothing can be read."""
    try:
        return msgspec.json.decode((home / "repositories" / repository / _FILE).read_bytes(), type=tuple[SeedRecord, ...])
    except UNREADABLE_FILE:
        return ()


def put_seed_record(home: Path, repository: str, record: SeedRecord) -> None:
    """In the place of the one before of the same dataset. Raises `OSError`."""
    others = [each for each in seed_records(home, repository) if each.dataset != record.dataset]
    kept = sorted((*others, record), key=lambda each: each.dataset)
    write_private(home / "repositories" / repository / _FILE, msgspec.json.encode(kept) + b"\n")
