"""Until which point a repository was filled from a carried disk: `HOME/repositories/NAME/seeds.json`. For people alone, and may be lost."""

from __future__ import annotations

from pathlib import Path

from holdfast.host.home_records import load_record, save_record
from holdfast.model.seeding import SeedRecord

_FILE = "seeds.json"


def seed_records(home: Path, repository: str) -> tuple[SeedRecord, ...]:
    """`repository` is a name. Nothing where nothing can be read."""
    return load_record(home / "repositories" / repository / _FILE, tuple[SeedRecord, ...]) or ()


def put_seed_record(home: Path, repository: str, record: SeedRecord) -> None:
    """In the place of the one before of the same dataset. Raises `OSError`."""
    others = [each for each in seed_records(home, repository) if each.dataset != record.dataset]
    kept = sorted((*others, record), key=lambda each: each.dataset)
    save_record(home / "repositories" / repository / _FILE, kept)
