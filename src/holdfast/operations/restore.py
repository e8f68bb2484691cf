"""Restore: one state of a dataset, or parts of it, written below a folder. Plan, then execute; a large one by parts (`restore_planning`).

Every path is written with its full source path below `target`, as restic does; `target` `/` is in place. Conflicts, for what is there:
  overwrite   replaced in one step; a file with the same size, mtime and content stays and gets its metadata
  skip        stays as it is, with all below it if it is not a folder
  rename      stays; what is restored lies beside it as NAME.restored-TIME
Folders merge with folders under every rule; only `overwrite` sets the metadata of those that were there. Content is verified (SHA-256)
before it is put in place; a file with a damaged chunk is not put in place and the others go on. What is replaced is kept, where the
restore is given an `Attempt` (`restore_attempt`), and comes back by `restore_undo`.
The end waits for the disk. After a power cut within, files in place may be torn: run it again with `overwrite`, which compares content.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Required, TypedDict, Unpack

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.errors import Cancelled, NoSpace, ReadOnly, UsageError
from holdfast.core.units import format_size
from holdfast.delivery.limit import Limit
from holdfast.host.disk import free_bytes
from holdfast.host.tree_writer import store_error
from holdfast.model.entry import check_path, display_path
from holdfast.model.jobs import Counters, Finding
from holdfast.model.orders import RestoreRequest
from holdfast.model.reading import PointReader
from holdfast.operations.restore_attempt import Attempt
from holdfast.operations.restore_plan import Planner, RestorePlan, Rules
from holdfast.operations.restore_planning import Planning
from holdfast.operations.restore_steps import StepBook
from holdfast.operations.restore_surplus import Captured, Surplus
from holdfast.operations.restore_writing import Execution, Tally, Watch, writers_for

MAX_FINDINGS = 1_000
_PATHS_SHOWN = 10
CheckWrite = Callable[[bytes], None]
# done files, done bytes, total bytes
OnProgress = Callable[[int, int, int], None]


class Surroundings(TypedDict, total=False):
    """What a restore is given. `roots` are the classification's paths: the folders above them are only passed through where they exist.

    `check_write` raises `OutsideLimits` for a path that may not be written, `check_remove` (default: the same) for a folder that may not be
    replaced by a file, because of what is in it. `is_clear`: whether all that is new below a target may be written, so that it is not asked
    about (default: it is). `cancelled` is asked often. `wait` sleeps for `limit_bytes_s`. `writers` is the number of
    processes that write (default: by what there is to write). With an `attempt` it can be taken back, and goes on where an earlier
    attempt was broken off; `may_go_on` is asked when this one is, whether there may be another. `captured`: of what the target is, for a
    restore that is exact.
    """

    clock: Required[Clock]
    check_write: Required[CheckWrite]
    check_remove: NotRequired[CheckWrite]
    is_clear: NotRequired[Callable[[bytes], bool]]
    on_progress: NotRequired[OnProgress | None]
    cancelled: NotRequired[Callable[[], bool] | None]
    wait: NotRequired[Callable[[float], object]]
    roots: NotRequired[Sequence[bytes]]
    writers: NotRequired[int]
    attempt: NotRequired[Attempt | None]
    may_go_on: NotRequired[Callable[[], bool]]
    captured: NotRequired[Captured | None]


@dataclass(frozen=True, kw_only=True)
class RestoreResult:
    """`files` and `bytes` were written (or would be, in a dry run); `kept` files were equal already; `skipped` stayed by the conflict rule;
    `failed` could not be restored, a folder whose listing is lost among them. `removed`: things that the point does not have, a folder with
    all that is in it as one. Findings are cut at 1,000, `findings_total` is not.
    """

    plan: RestorePlan
    files: int
    bytes: int
    kept: int
    skipped: int
    failed: int
    findings: tuple[Finding, ...]
    findings_total: int
    counters: Counters
    removed: int = 0
    removed_bytes: int = 0


def restore(reader: PointReader, request: RestoreRequest, paths: Sequence[bytes] = (), **around: Unpack[Surroundings]) -> RestoreResult:
    """Raises `UnknownName` (a path is not in the point), `RepositoryDamaged` (nothing can be listed), `OutsideLimits` (nothing of it may be
    written), `NoSpace` (before anything is written, and when the disk fills up), `StoreError` (target), `Cancelled` (what was put in place
    stays, each file complete).
    """
    cancelled, attempt = around.get("cancelled"), around.get("attempt")

    def check() -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("the restore was cancelled", hint="files already in place are complete; run it again to restore the rest")

    target = os.path.realpath(check_path(os.path.normpath(os.fsencode(request.target))))
    findings = Findings()
    with StepBook(*(attempt.plan, attempt.steps) if attempt else ()) as book:
        planner = Planner(target, _rules(request, around, target), findings.add)
        surplus = _surplus(request, around, target)
        planning = Planning(reader.listing(tuple(paths)), planner, book, check=check, report=findings.add, surplus=surplus)
        try:
            if paths or request.dry_run or request.exact:
                planning.finish()
            else:
                planning.begin(target)
            if planning.is_over:
                plan = planner.plan()
                if request.dry_run:
                    done = Tally(files=plan.files, bytes=plan.bytes)
                    return _result(plan, findings, done, lost=len(planning.lost), surplus=surplus)
                require_space(plan)
            _make_target(target)
            watch = _watch(check, findings, around, request)
            writers = around.get("writers", writers_for(book))
            done = Execution(reader, target, watch, writers=writers, attempt=attempt).run(book, planning)
        finally:
            planner.close()
    return _result(planner.plan(), findings, done, lost=len(planning.lost), surplus=surplus)


def _surplus(request: RestoreRequest, around: Surroundings, target: bytes) -> Surplus | None:
    captured = around.get("captured")
    if not request.exact:
        return None
    if captured is None:
        hint = "leave --exact out, or restore on the machine that the data came from, with its flow active"
        raise UsageError("what is too much there is known only where the dataset is captured", hint=hint)
    return Surplus(captured, target)


def _watch(check: Callable[[], None], findings: Findings, around: Surroundings, request: RestoreRequest) -> Watch:
    wait = around.get("wait", time.sleep)
    return Watch(
        check=check,
        check_write=around["check_write"],
        limit=Limit(request.limit_bytes_s, clock=around["clock"], wait=wait) if request.limit_bytes_s else None,
        on_progress=around.get("on_progress"),
        report=findings.add,
        may_go_on=around.get("may_go_on", lambda: False),
    )


def _rules(request: RestoreRequest, around: Surroundings, target: bytes) -> Rules:
    attempt, is_clear = around.get("attempt"), around.get("is_clear")
    return Rules(
        conflict=request.conflict,
        suffix=attempt.suffix if attempt else now(around["clock"]).strftime(".restored-%Y%m%dT%H%M%SZ").encode(),
        check_write=around["check_write"],
        check_remove=around.get("check_remove", around["check_write"]),
        is_clear=is_clear is not None and is_clear(target),
        roots=tuple(around.get("roots", ())),
        owners=request.owners,
        is_again=attempt is not None and attempt.number > 1,
        made=attempt.made() if attempt is not None else frozenset(),
    )


def require_space(plan: RestorePlan) -> None:
    """Raises `NoSpace` when a file system has less free than is to be written there."""
    for need in plan.space:
        free = free_bytes(need.path)
        if free < need.bytes:
            raise NoSpace(
                f"{display_path(need.path)} has {format_size(free)} free, the restore needs {format_size(need.bytes)}",
                hint="free some space, restore fewer paths, or choose another target",
                path=display_path(need.path),
            )


class Findings:
    """The first thousand, and how many there were. What a read-only file system kept from being written is one, with the first paths."""

    def __init__(self) -> None:
        self.total = 0
        self.kept: list[Finding] = []
        self._read_only: tuple[int, int] | None = None

    def add(self, finding: Finding) -> None:
        if finding.code == ReadOnly.code and self._read_only is not None:
            self._add_read_only(finding, *self._read_only)
            return
        self.total += 1
        if len(self.kept) < MAX_FINDINGS:
            if finding.code == ReadOnly.code:
                self._read_only = (len(self.kept), 1)
            self.kept.append(finding)

    def _add_read_only(self, finding: Finding, place: int, before: int) -> None:
        self._read_only = (place, before + 1)
        known = self.kept[place]
        first = known.affected or (known.path,)
        self.kept[place] = msgspec.structs.replace(
            known,
            message=f"a file system is read-only: {before + 1:,} paths were not written, the first of them",
            path="",
            affected=(*first, finding.path)[:_PATHS_SHOWN],
        )


def _make_target(target: bytes) -> None:
    try:
        Path(os.fsdecode(target)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise store_error(error, target) from error


def _result(plan: RestorePlan, findings: Findings, done: Tally, *, lost: int, surplus: Surplus | None) -> RestoreResult:
    # Where a folder of the point could not be listed nobody knows what it does not have, and all of it stays.
    surplus = None if lost else surplus
    return RestoreResult(
        plan=plan,
        files=done.files,
        bytes=done.bytes,
        kept=plan.kept,
        skipped=plan.skipped,
        failed=done.failed + lost + plan.refused,
        findings=tuple(findings.kept),
        findings_total=findings.total,
        counters=Counters(files=done.files, changed=done.files, stored_bytes=done.bytes),
        removed=surplus.count if surplus is not None else 0,
        removed_bytes=surplus.size_bytes if surplus is not None else 0,
    )
