"""A run that looks only where something changed ends as a run of everything would: same rows, same changes, same totals."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.capture.ports import CaptureRequest, Moved, Place
from holdfast.capture.rows import COLUMNS, DIRECTORY_CODE, Row
from holdfast.capture.scan import Capture
from holdfast.capture.state import CaptureState
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import SourceVanished
from holdfast.model.change import Put
from holdfast.model.entry import Kind, path_of
from holdfast.testing.capture_model import ModelReceiver
from tests.capture.accounts_check import check_accounts
from tests.capture.conftest import SCRATCH, Machine

NAMES = ("a", "a-b", "b", "x1", "\udcff", "CACHEDIR.TAG")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
CONTENTS = st.sampled_from((b"", b"1", b"22", b"Signature: 8a477f597d28d172789f06886806bc55"))
EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, CONTENTS),
    st.tuples(st.just("write"), PATHS, CONTENTS),
    st.tuples(st.just("mkdir"), PATHS, st.none()),
    st.tuples(st.just("remove"), PATHS, st.none()),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("link"), PATHS, PATHS),
    st.tuples(st.just("symlink"), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from((0o600, 0o755))),
)
CLASSIFICATIONS: dict[str, dict[str, Any]] = {
    "all": {"exclude_caches": False},
    "no caches": {},
    "excluding": {"exclude": ("x*", "b/a")},
    "with exceptions": {"exclude": ("b/*", "!b/x1")},
    "including": {"include": ("a", "x*")},
    "large": {"larger_than_bytes": 1},
}
SELECTIVE = {"including", "large"}
ROOTS = ((".",), ("a",), (".", "a/b"), ("a", "b"), ("a/b",))
DATASETS = st.lists(st.tuples(st.sampled_from(sorted(CLASSIFICATIONS)), st.sampled_from(ROOTS)), min_size=1, max_size=3)
STEPS = st.tuples(
    st.lists(EDITS, max_size=7),
    st.booleans(),
    st.sampled_from(("least", "each", "below")),
    st.lists(st.tuples(PATHS, st.booleans()), max_size=2),
)


def edit_tree(source: Path, edit: tuple[str, str, object], moves: list[Moved]) -> None:
    kind, name, value = edit
    path = source / name
    with suppress(OSError, shutil.Error):
        if kind == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)  # type: ignore[arg-type]
        elif kind == "mkdir":
            path.mkdir(parents=True)
        elif kind == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif kind == "rename":
            inode = path.lstat().st_ino
            path.rename(source / str(value))
            moves.append(Moved(os.fsencode(path), os.fsencode(source / str(value)), inode))
        elif kind == "link":
            os.link(path, source / str(value), follow_symlinks=False)
        elif kind == "symlink":
            os.symlink(str(value), path)
        elif kind == "chmod":
            os.chmod(path, value, follow_symlinks=True)  # type: ignore[arg-type]


def seen(source: Path) -> dict[bytes, tuple[object, ...]]:
    """What a look at every name says."""
    found = {}
    pending = [os.fsencode(source)]
    while pending:
        path = pending.pop()
        status = os.lstat(path)
        found[path] = (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink)
        if os.path.isdir(path) and not os.path.islink(path):
            pending += [os.path.join(path, name) for name in os.listdir(path)]
    return found


def places_of(before: dict[bytes, Any], after: dict[bytes, Any], how: str) -> list[Place]:
    """What a watch would say: `least` names new and vanished folders once, `each` every name, `below` all that is below parents."""
    touched = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    if how == "each":
        return [Place(path) for path in touched]
    if how == "below":
        return [Place(os.path.dirname(path), below=True) for path in touched]
    places = []
    for path in touched:
        kept = before.get(path, (0, 0))[:2] == after.get(path, (1, 1))[:2]
        parent = os.path.dirname(path)
        if any(before.get(above, (0, 0))[:2] != after.get(above, (1, 1))[:2] for above in _above(parent, before, after)):
            continue
        places.append(Place(path, below=not kept and path in after))
    return places


def _above(path: bytes, before: dict[bytes, Any], after: dict[bytes, Any]) -> list[bytes]:
    found = []
    while path in before or path in after:
        found.append(path)
        path = os.path.dirname(path)
    return found


def rows_of(path: Path, below: bytes) -> dict[bytes, Row]:
    """Rows at and below the source, without access times; nobody knows what else happens above."""
    with closing(sqlite3.connect(path)) as database:
        found = [Row(*values) for values in database.execute(f"SELECT {COLUMNS} FROM rows ORDER BY key")]
    rows = {}
    for row in found:
        if path_of(row.key) == below or path_of(row.key).startswith(below + b"/"):
            entry = msgspec.structs.replace(row.entry(), atime_ns=0)
            rows[row.key] = msgspec.structs.replace(row, record=msgspec.msgpack.encode(entry))
    return rows


class Twin:
    """A copy of a machine's state, for a run of everything beside the run of places."""

    def __init__(self, machine: Machine) -> None:
        self.path = machine.home / "twin.db"
        with closing(sqlite3.connect(machine.state.path)) as from_, closing(sqlite3.connect(self.path)) as to:
            from_.backup(to)
        self.state = CaptureState.open(self.path, entropy=SystemEntropy())
        self.capture = Capture(self.state, clock=machine.clock, home_reserve_bytes=0)

    def close(self) -> None:
        self.state.close()
        for path in self.path.parent.glob("twin.db*"):
            path.unlink()


def changes_of(capture: Capture, request: CaptureRequest, below: bytes) -> tuple[dict[str, Any], Any]:
    """By dataset what was emitted below the source, in order; and the run."""
    run = capture.run(request)
    told: dict[str, Any] = {rule.id: [] for rule in request.datasets}
    for round_ in run:
        for id, outgoing in round_.items():
            for change in outgoing.segment.changes:
                path = change.entry.path if isinstance(change, Put) else change.path
                if path == below or path.startswith(below + b"/"):
                    told[id].append(Put(msgspec.structs.replace(change.entry, atime_ns=0)) if isinstance(change, Put) else change)
    return told, run


def refused_by(capture: Capture, request: CaptureRequest, below: bytes) -> tuple[Any, Any, Any]:
    try:
        told, run = changes_of(capture, request, below)
    except SourceVanished as error:
        return None, None, str(error)
    return told, run, {id: str(error) for id, error in run.refused.items()}


def compare_rows(partial: dict[bytes, Row], whole: dict[bytes, Row], selective: int, stay: bool) -> None:
    if not stay:
        assert partial == whole
        return
    for key in {*partial, *whole}:
        mine, its = partial.get(key), whole.get(key)
        if mine is not None and mine.kind == DIRECTORY_CODE and (its is None or (mine.members & ~its.members) & selective):
            extra = mine.members & ~(its.members if its is not None else 0)
            assert not extra & ~selective
            continue
        assert mine == its, path_of(key)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(datasets=DATASETS, start=st.lists(EDITS, max_size=12), steps=st.lists(STEPS, min_size=1, max_size=4), suspicious=st.booleans())
def test_places_end_as_a_walk_of_everything(datasets, start, steps, suspicious):
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        machine = Machine(Path(folder))
        machine.clock.ahead_ns = -10_000_000_000 if suspicious else 1_000_000_000
        for root in {name for _, roots in datasets for name in roots}:
            (machine.source / root).mkdir(parents=True, exist_ok=True)
            (machine.source / root / "kept").write_bytes(b"kept")
        moves: list[Moved] = []
        for edit in start:
            edit_tree(machine.source, edit, moves)
        receivers = []
        for number, (name, roots) in enumerate(datasets):
            paths = [machine.source / root for root in roots]
            receivers.append(machine.dataset(f"d{number}", *paths, exclude_paths=(str(machine.source / "a/a"),), **CLASSIFICATIONS[name]))
        with suppress(SourceVanished):
            machine.run(*receivers)
            follow(machine, receivers, steps, [name in SELECTIVE for name, _ in datasets])
        machine.state.close()


def follow(machine: Machine, receivers: list[ModelReceiver], steps: list[Any], selective: list[bool]) -> None:
    if machine.last.refused:
        return
    mask = sum(1 << number for number, chosen in enumerate(selective) if chosen)
    before = seen(machine.source)
    moves: list[Moved] = []
    for edits, accept, how, extra in steps:
        for edit in edits:
            edit_tree(machine.source, edit, moves)
        if not machine.source.is_dir():
            return
        after = seen(machine.source)
        places = places_of(before, after, how)
        places += [Place(os.fsencode(machine.source / name), below) for name, below in extra]
        places += [Place(path) for path in machine.flagged()]
        places += [Place(end, below=True) for move in moves for end in (move.moved_from, move.path)]
        places += [Place(b"/nowhere/at-all", below=True), *places[:1]]
        twin = Twin(machine)
        try:
            rules = tuple(machine.rules[receiver.dataset] for receiver in receivers)
            bases = {receiver.dataset: machine.state.run for receiver in receivers}
            told, whole, refused = refused_by(twin.capture, CaptureRequest(rules, bases, accept), machine.root)
            asked = CaptureRequest(rules, bases, accept, places=tuple(places), moves=tuple(moves))
            told_here, partial, refused_here = refused_by(machine.capture, asked, machine.root)
            assert refused_here == refused
            if partial is None or partial.refused:
                # What is refused stays to be looked at.
                continue
            compare_rows(rows_of(machine.state.path, machine.root), rows_of(twin.path, machine.root), mask, bool(mask))
            if not mask:
                assert told_here == told
                # Files only: what is above the source is looked at by the one alone.
                assert partial.result().totals == whole.result().totals
            check_accounts(machine.state.path)
            before, moves = after, []
        finally:
            twin.close()


ANYWHERE = st.lists(st.tuples(PATHS, st.booleans()), max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.lists(EDITS, max_size=12),
    steps=st.lists(st.tuples(st.lists(EDITS, max_size=6), ANYWHERE, st.booleans()), min_size=1, max_size=5),
    late=st.integers(0, 4),
)
def test_wherever_was_looked_the_next_walk_puts_all_right(start, steps, late):
    """Places that miss what changed do no harm: what a receiver holds is a tree at any time, and a walk of everything makes it whole."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        machine = Machine(Path(folder))
        (machine.source / "kept").write_bytes(b"kept")
        moves: list[Moved] = []
        for edit in start:
            edit_tree(machine.source, edit, moves)
        docs, slow = machine.dataset(exclude_caches=False), machine.dataset(exclude_caches=False)
        machine.run(docs, slow)
        for number, (edits, places, all_moves) in enumerate(steps):
            for edit in edits:
                edit_tree(machine.source, edit, moves)
            looked = [Place(os.fsencode(machine.source / name), below) for name, below in places]
            told = moves if all_moves else moves[::2]
            looked += [Place(end, below=True) for move in told for end in (move.moved_from, move.path)]
            receivers = (docs, slow) if number == late else (docs,)
            machine.run(*receivers, accept=True, places=tuple(looked), moves=tuple(told))
            moves.clear()
            for receiver in receivers:
                for path in receiver.tree:
                    if path != b"/":
                        assert receiver.tree[os.path.dirname(path)].kind is Kind.DIRECTORY
        check_accounts(machine.state.path)
        machine.run(docs, slow, accept=True)
        assert machine.below(docs) == machine.below(slow) == machine.facts()
        machine.state.close()
