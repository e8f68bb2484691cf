"""What is said of the Master's own backup: pure, from what is known of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from holdfast.master.safety.backup import KeptView, KitMade, findings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KITS = (KitMade(id="k", made_at=NOW),)


def _codes(*kept: KeptView, kits: tuple[KitMade, ...] = KITS) -> list[str]:
    return [finding.code for finding in findings(None, kits, kept, NOW, superseded=False)]


def _kept(age: timedelta | None, *, elsewhere: bool = True) -> KeptView:
    last_at = None if age is None else NOW - age
    return KeptView(dataset="m/holdfast-master", node="m", repository="r", repository_node="v", elsewhere=elsewhere, last_at=last_at)


def test_missing_here_old_and_without_a_kit() -> None:
    assert _codes() == ["master-backup-missing"]
    assert _codes(_kept(timedelta(hours=1), elsewhere=False)) == ["master-backup-here"]
    assert _codes(_kept(timedelta(hours=25))) == ["master-backup-old"]
    assert _codes(_kept(timedelta(hours=25)), _kept(timedelta(hours=1))) == []
    assert _codes(_kept(None)) == []
    assert _codes(_kept(None), kits=()) == ["master-kit-missing"]
    # There is nothing yet that a kit would open.
    assert _codes(kits=()) == ["master-backup-missing"]
