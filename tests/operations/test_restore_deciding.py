"""Files in folders that a restore makes are decided on in a shorter way: what is decided is the same, whatever an owner lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HoldfastError, OutsideLimits
from holdfast.model.entry import Entry, Hole, Kind
from holdfast.model.jobs import Finding
from holdfast.model.orders import Conflict, Owners
from holdfast.operations.restore_plan import Planner, RestorePlan, Rules
from holdfast.operations.restore_steps import Step

NAMES = (b"a", b"b", b"c", b"there", b"", b"..", b".", b"n\0", b"n" * 256)
names = st.sampled_from(NAMES[:4]) | st.sampled_from(NAMES)
entries = st.builds(
    lambda path, kind, links, holes, uid: Entry(
        path=b"/" + b"/".join(path), kind=kind, mode=0o644, uid=uid, size_bytes=90, links=links, inode=7, holes=holes
    ),
    st.lists(names, min_size=1, max_size=3),
    st.sampled_from((Kind.FILE, Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)),
    st.sampled_from((1, 1, 1, 2)),
    st.sampled_from(((), (Hole(10, 30),))),
    st.sampled_from((0, 1)),
)
tidy = st.lists(entries, max_size=20).map(lambda some: sorted(some, key=lambda entry: entry.path.replace(b"/", b"\0")))


def refuse_b(path: bytes) -> None:
    if b"/b" in path:
        raise OutsideLimits("not there")


def decided(
    listed: list[Entry], target: Path, conflict: Conflict, *, shorter: bool
) -> tuple[list[object], list[Finding], RestorePlan | str]:
    findings: list[Finding] = []
    owners = Owners(by="none", users=(("1", "5"),))
    rules = Rules(conflict=conflict, suffix=b".r", check_write=refuse_b, check_remove=refuse_b, owners=owners)
    planner = Planner(bytes(target), rules, findings.append)
    steps: list[object] = []
    for entry in listed:
        try:
            step: Step | None = planner.decide_next(entry) if shorter else None
            if step is None and (step := planner.decide(entry)) is not None:
                steps += planner.ways(step.at)
            elif step is not None:
                assert not list(planner.ways(step.at))
            steps.append(step)
        except HoldfastError as error:
            steps.append(str(error))
    planner.close()
    try:
        return steps, findings, planner.plan()
    except OutsideLimits as error:
        return steps, findings, str(error)


@pytest.mark.parametrize("is_there", [False, True])
@settings(max_examples=300, deadline=None)
@given(listed=tidy | st.lists(entries, max_size=20), conflict=st.sampled_from(("overwrite", "skip", "rename")))
def test_the_shorter_way_decides_the_same(
    listed: list[Entry], conflict: Conflict, is_there: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    target = tmp_path_factory.getbasetemp() / f"deciding-{is_there}"
    if is_there:
        (target / "there" / "a").mkdir(parents=True, exist_ok=True)
        (target / "there" / "c").write_bytes(b"")
        (target / "c").write_bytes(b"")
    assert decided(listed, target, conflict, shorter=True) == decided(listed, target, conflict, shorter=False)


def test_it_is_taken_for_all_files_of_a_new_folder_but_the_first(tmp_path: Path) -> None:
    rules = Rules(conflict="overwrite", suffix=b".r", check_write=lambda path: None, check_remove=lambda path: None, owners=Owners())
    planner = Planner(bytes(tmp_path), rules, lambda finding: None)
    planner.decide(Entry(path=b"/new", kind=Kind.DIRECTORY, mode=0o755))
    files = [Entry(path=b"/new/%d" % number, kind=Kind.FILE, mode=0o644) for number in range(3)]
    assert planner.decide_next(files[0]) is None
    planner.decide(files[0])
    assert all(planner.decide_next(entry) == Step("file", entry.path[1:], entry) for entry in files[1:])
    planner.close()


def test_where_nothing_can_be_refused_what_is_new_is_not_asked_about(tmp_path: Path) -> None:
    asked: list[bytes] = []
    (tmp_path / "there").mkdir()
    listed = [Entry(path=path, kind=Kind.DIRECTORY, mode=0o755) for path in (b"/new", b"/new/a", b"/new/a/b", b"/there", b"/there/new")]
    for is_clear in (True, False):
        rules = Rules(
            conflict="overwrite", suffix=b".r", check_write=asked.append, check_remove=asked.append, owners=Owners(), is_clear=is_clear
        )
        planner = Planner(bytes(tmp_path), rules, lambda finding: None)
        for entry in listed:
            planner.decide(entry)
        planner.close()
    root = bytes(tmp_path)
    assert [path.removeprefix(root) for path in asked] == [b"/new", b"/there", b"/there/new", *(entry.path for entry in listed)]
