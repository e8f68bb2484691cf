"""Random edits of a tree against receivers at random places: whoever takes part in a run holds exactly what is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.capture.ports import CaptureRequest
from tests.scratch import SCRATCH

NAMES = ("a", "a-b", "b", "x1", "a\n", "\udcff")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)

EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.binary(max_size=3)),
    st.tuples(st.just("mkdir"), PATHS, st.none()),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("link"), PATHS, PATHS),
    st.tuples(st.just("symlink"), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from((0o600, 0o755))),
)
RUNS = st.tuples(
    st.lists(EDITS, max_size=6),
    st.sets(st.integers(0, 3), min_size=1),
    st.sampled_from(("scan", "scan", "scan", "leave", "reopen", "exclude", "include")),
)


def _edit(source: Path, edit: tuple[str, str, object]) -> None:
    kind, name, value = edit
    path = source / name
    with contextlib.suppress(OSError, shutil.Error):
        if kind == "write":
            path.write_bytes(value)  # type: ignore[arg-type]
        elif kind == "mkdir":
            path.mkdir()
        elif kind == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif kind == "rename":
            path.rename(source / str(value))
        elif kind == "link":
            os.link(path, source / str(value), follow_symlinks=False)
        elif kind == "symlink":
            os.symlink(str(value), path)
        elif kind == "chmod":
            os.chmod(path, value, follow_symlinks=True)  # type: ignore[arg-type]


def _expected(machine, exclude):
    facts = machine.facts()
    if exclude:
        skipped = [path for path in facts if path.rsplit(b"/", 1)[1].startswith(b"x")]
        facts = {path: fact for path, fact in facts.items() if not any(path == s or path.startswith(s + b"/") for s in skipped)}
    return facts


@settings(max_examples=60, deadline=None)
@given(runs=st.lists(RUNS, min_size=1, max_size=6))
def test_receivers_follow_the_tree(machine_class, runs):
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        machine = machine_class(Path(folder))
        machine.clock.ahead_ns = 0
        exclude = False
        receivers = [machine.dataset("one"), machine.dataset("one"), machine.dataset("two"), machine.dataset("two")]
        for edits, chosen, how in runs:
            for edit in edits:
                _edit(machine.source, edit)
            if how == "reopen":
                machine.state.close()
                machine.open()
            if how in ("exclude", "include"):
                exclude = how == "exclude"
                machine.dataset("two", exclude=("x*",) if exclude else ())
            taking = [receivers[number] for number in sorted(chosen)]
            if how == "leave":
                rules = tuple({receiver.dataset: machine.rules[receiver.dataset] for receiver in taking}.values())
                run = iter(machine.capture.run(CaptureRequest(rules, dict.fromkeys((rule.id for rule in rules), None), True)))
                next(run, None)
                run.close()  # type: ignore[attr-defined]
                continue
            machine.run(*taking, accept=True)
            for receiver in taking:
                two = receiver in receivers[2:]
                assert machine.below(receiver) == _expected(machine, exclude and two)
            oldest = min((receiver.seq for receiver in receivers if receiver.dataset == taking[0].dataset), key=lambda seq: seq or 0)
            if oldest is not None:
                machine.state.drop_tombstones(taking[0].dataset, oldest)
        machine.state.close()
