"""The vanished-source guard: nothing is emitted for a source that is not what it was."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from holdfast.capture.ports import CaptureRequest
from holdfast.core.errors import SourceVanished


def _fill(folder, count):
    for number in range(count):
        (folder / f"f{number:05}").write_bytes(b"")


def test_a_root_that_never_was(machine):
    docs = machine.dataset("docs", machine.source / "nowhere")
    for accept in (False, True):
        with pytest.raises(SourceVanished, match="does not exist") as refused:
            machine.run(docs, accept=accept)
        assert refused.value.hint


def test_a_missing_root_changes_nothing_until_accepted(machine):
    folder = machine.source / "data"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    docs = machine.dataset("docs", folder)
    machine.run(docs)
    tree = dict(docs.tree)
    folder.rename(machine.source / "elsewhere")
    for scan in (True, False):
        with pytest.raises(SourceVanished, match="is gone"):
            machine.run(docs, scan=scan)
    assert docs.tree == tree
    machine.run(docs, accept=True)
    assert {path[len(machine.root) :] for path in docs.removed} == {b"/data", b"/data/a"}
    folder.mkdir()
    machine.run(docs)


def test_another_folder_in_its_place(machine):
    folder = machine.source / "data"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    docs = machine.dataset("docs", folder)
    machine.run(docs)
    folder.rename(machine.source / "elsewhere")
    shutil.copytree(machine.source / "elsewhere", folder)
    with pytest.raises(SourceVanished, match="not the same folder"):
        machine.run(docs)
    machine.run(docs, accept=True)
    machine.run(docs)


def test_a_root_replaced_in_the_middle_of_a_first_run(machine):
    """A first run sends while it walks, so this is found only when much has been sent: nothing of it may be committed."""
    folder = machine.source / "data"
    for number in range(8):
        (folder / f"f{number}").mkdir(parents=True)
        (folder / f"f{number}" / "a").write_bytes(os.urandom(5 << 20))
    docs = machine.dataset("docs", folder)
    run = machine.capture.run(CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None}))
    rounds = iter(run)
    assert next(rounds)
    folder.rename(machine.source / "elsewhere")
    folder.mkdir()
    with pytest.raises(SourceVanished, match="unmounted or replaced"):
        list(rounds)
    assert docs.dataset in run.refused
    with pytest.raises(SourceVanished, match="is empty and was not before"):
        machine.run(docs)
    folder.rmdir()
    (machine.source / "elsewhere").rename(folder)
    machine.run(docs)
    assert len(docs.tree) >= 17


def test_an_emptied_root(machine):
    folder = machine.source / "data"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    docs = machine.dataset("docs", folder)
    machine.run(docs)
    (folder / "a").unlink()
    with pytest.raises(SourceVanished, match="is empty"):
        machine.run(docs)
    machine.run(docs, accept=True)
    assert [path[len(machine.root) :] for path in docs.removed] == [b"/data/a"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_an_unmounted_root(machine):
    folder = machine.source / "data"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount here")
    try:
        (folder / "a").write_bytes(b"a")
        docs = machine.dataset("docs", folder)
        machine.run(docs)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    with pytest.raises(SourceVanished):
        machine.run(docs)
    assert not docs.removed


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_one_file_system(machine):
    inner = machine.source / "inner"
    inner.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(inner)], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        (inner / "a").write_bytes(b"a")
        one, many = machine.dataset("one"), machine.dataset("many", one_file_system=False)
        machine.run(one, many)
        assert {path[len(machine.root) :] for path in machine.below(one)} == {b"", b"/inner"}
        assert {path[len(machine.root) :] for path in machine.below(many)} == {b"", b"/inner", b"/inner/a"}
    finally:
        subprocess.run(["umount", str(inner)], check=True)


def test_too_many_losses(machine):
    _fill(machine.source, 1_800)
    docs = machine.dataset()
    machine.run(docs)
    for number in range(1_000):
        (machine.source / f"f{number:05}").unlink()
    with pytest.raises(SourceVanished, match="1,000 of"):
        machine.run(docs)
    assert not docs.removed
    machine.run(docs, accept=True)
    assert len(docs.removed) == 1_000
    assert machine.below(docs) == machine.facts()


def test_losses_within_the_rule(machine):
    _fill(machine.source, 1_100)
    docs = machine.dataset(max_removed_ratio=0.99)
    machine.run(docs)
    for number in range(1_050):
        (machine.source / f"f{number:05}").unlink()
    machine.run(docs)
    assert len(docs.removed) == 1_050


def test_leaving_the_classification_is_no_loss(machine):
    (machine.source / "keep").mkdir()
    (machine.source / "out").mkdir()
    _fill(machine.source / "out", 1_200)
    docs = machine.dataset()
    machine.run(docs)
    machine.dataset("docs", exclude=("out/",))
    machine.run(docs)
    assert len(docs.removed) == 1_201


def test_one_refused_dataset_does_not_stop_the_others(machine):
    for name in ("good", "bad"):
        (machine.source / name).mkdir()
        (machine.source / name / "a").write_bytes(name.encode())
    good, bad = machine.dataset("good", machine.source / "good"), machine.dataset("bad", machine.source / "bad")
    machine.run(good, bad)
    (machine.source / "bad/a").unlink()
    (machine.source / "good/a").write_bytes(b"changed")
    result = machine.run(good, bad)
    assert list(result.refused) == [bad.dataset]
    assert bad.dataset not in result.totals
    assert good.content(machine.root + b"/good/a") == b"changed"
    assert not bad.removed
    assert bad.seq == 1
    machine.run(bad, accept=True)
    assert list(bad.removed) == [machine.root + b"/bad/a"]


def test_a_refused_overlap_hears_of_it_later(machine):
    (machine.source / "in").mkdir()
    for name in ("in/a", "in/b", "c"):
        (machine.source / name).write_bytes(name.encode())
    whole, part = machine.dataset("whole"), machine.dataset("part", machine.source / "in")
    machine.run(whole, part)
    (machine.source / "in/a").unlink()
    (machine.source / "in/b").unlink()
    result = machine.run(whole, part)
    assert list(result.refused) == [part.dataset]
    assert machine.below(whole) == machine.facts()
    assert machine.root + b"/in/a" in part.tree
    machine.run(part, accept=True)
    assert {path[len(machine.root) :] for path in part.removed} == {b"/in/a", b"/in/b"}


def test_a_file_root_may_be_replaced(machine):
    path = machine.source / "config"
    path.write_bytes(b"one")
    docs = machine.dataset("docs", path)
    machine.run(docs)
    (machine.source / "new").write_bytes(b"two")
    (machine.source / "new").rename(path)
    machine.run(docs)
    assert docs.content(os.fsencode(path)) == b"two"


def test_nothing_of_a_refused_dataset_is_emitted(machine):
    _fill(machine.source, 5)
    docs = machine.dataset()
    machine.run(docs)
    for name in os.listdir(machine.source):
        (machine.source / name).unlink()
    run = machine.capture.run(CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: docs.seq}))
    with pytest.raises(SourceVanished):
        next(iter(run))
    assert docs.dataset in run.refused
