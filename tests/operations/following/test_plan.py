"""What is followed by the rules, and what of the work concerns whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.capture.ports import Place
from holdfast.core.ids import DatasetId, NodeId
from holdfast.model.document import Classification
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.rules import DatasetRule, Delivery, OperationRule
from holdfast.operations.following.backlog import Work
from holdfast.operations.following.plan import (
    Followed,
    common_cuts,
    concerns,
    gaps_by_dataset,
    needs_scan,
    part_for,
    real_roots,
    without_large,
)


def followed(*paths: str, name: str = "one", cuts: tuple[str, ...] = ()) -> Followed:
    operations = (
        OperationRule(name="backup", kind="backup", every_s=3600),
        OperationRule(name="live", kind="live", every_s=60),
        OperationRule(name="copy", kind="replicate"),
    )
    rule = DatasetRule(
        id=DatasetId(name),
        label=f"files1/{name}",
        policy=name,
        classification=Classification(paths=paths),
        operations=operations,
        exclude_paths=cuts,
    )
    return Followed(rule, tuple(path.encode() for path in paths), ("copy",))


def batch(rule: DatasetRule, operation: str) -> Delivery:
    return Delivery(
        id="d", dataset=rule.id, label=rule.label, receiver=NodeId("2" * 32), receiver_name="dr", actions=(), operations=(operation,)
    )


def gap(path: bytes) -> Gap:
    return Gap(path=path, since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 2, tzinfo=UTC), reason=GapReason.OVERFLOW)


@pytest.mark.parametrize(
    ("due", "scans"), [(("live",), False), (("live", "copy"), False), (("backup",), True), (("backup", "live", "copy"), True), ((), False)]
)
def test_only_an_operation_of_batches_needs_a_scan(due: tuple[str, ...], scans: bool) -> None:
    assert needs_scan(followed("/data").rule, due, ()) is scans


@pytest.mark.parametrize(("due", "scans"), [(("live",), False), (("live", "copy"), True)])
def test_what_goes_as_a_batch_needs_a_scan_when_it_is_due(due: tuple[str, ...], scans: bool) -> None:
    rule = followed("/data").rule
    assert needs_scan(rule, due, (batch(rule, "copy"),)) is scans
    assert not needs_scan(rule, due, (batch(followed("/other", name="other").rule, "copy"),))


def test_work_is_divided_by_who_it_concerns() -> None:
    one, other = followed("/data/one", "/more"), followed("/data/other", name="other")
    work = Work(places=(Place(b"/data", True), Place(b"/data/one/x"), Place(b"/elsewhere")), gaps=(gap(b"/data/other/deep"), gap(b"/")))
    assert concerns(one, work.places)
    assert concerns(other, work.places)
    assert not concerns(one, (Place(b"/data"), Place(b"/data/oneandmore")))
    assert part_for(one.roots, work).places == (Place(b"/data", True), Place(b"/data/one/x"))
    assert [each.path for each in part_for(other.roots, work).gaps] == [b"/data/other/deep", b"/"]
    # Whose other names those are only the state knows.
    assert part_for(one.roots, replace(work, inodes=frozenset({7}))).inodes == {7}
    told = gaps_by_dataset((one, other), work.gaps)
    assert [each.path for each in told[one.rule.id]] == [b"/data/one", b"/more"]
    assert [each.path for each in told[other.rule.id]] == [b"/data/other/deep", b"/data/other"]


def test_only_what_all_leave_out_is_cut() -> None:
    cuts = common_cuts((followed("/a", cuts=("/home/keys", "/a/tmp")), followed("/b", cuts=("/home/keys",))))
    assert cuts == (b"/home/keys",)
    assert common_cuts(()) == ()


def test_large_files_that_are_put_off_are_left_out_and_trees_are_not() -> None:
    work = Work(places=(Place(b"/data/image"), Place(b"/data/folder", True)))
    assert without_large(work, [b"/data/image", b"/data/folder"]).places == (Place(b"/data/folder", True),)


def test_a_root_behind_a_link_cannot_be_watched(tmp_path: Path) -> None:
    (tmp_path / "real" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    straight, crooked = followed(str(tmp_path / "real" / "data")), followed(str(tmp_path / "link" / "data"), name="crooked")
    roots, behind = real_roots((straight, crooked))
    assert (roots, behind) == (straight.roots, (crooked,))
