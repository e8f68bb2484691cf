"""`MirrorStore` opens the mirrors of a node; each is one `delivery.ports.Action`.

Where things are: a root of the classification that is a folder becomes the target folder, with its metadata; a root that is a single
file becomes the file at the target path. Beside the target lies its side folder `.holdfast-BASENAME/` (0700) with `mirror.db`, `tmp/`
and `removed/<UTC time>/<path inside the target>`. Folders above the roots, which the stream carries, are left out.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from holdfast.core.clock import Clock
from holdfast.core.errors import Conflict, HoldfastError, NotAdopted, RepositoryLocked, StoreError
from holdfast.core.ids import ActionId
from holdfast.delivery.ports import VerifiedChunk
from holdfast.host.tree_writer import TreeWriter, store_error
from holdfast.mirror.records import RECORDS, Records
from holdfast.mirror.soundness import records_errors
from holdfast.mirror.target import REMOVED, TEMP, Target, side_of
from holdfast.mirror.tree import MirrorTree
from holdfast.model.change import Acknowledgement, Begin, Commit, Cursor, Durability, Segment
from holdfast.model.entry import ChunkRef, check_path, display_path, is_below
from holdfast.model.jobs import Finding
from holdfast.model.rules import MirrorAction, Receive

_logger = logging.getLogger(__name__)
_MOST_FINDINGS = 1_000
CheckWrite = Callable[[bytes], None]


class Mirror:
    """The action: all targets of one dataset here, written by one session at a time."""

    def __init__(self, action: ActionId, trees: tuple[MirrorTree, ...], locks: tuple[int, ...]) -> None:
        self._id = action
        self._trees = trees
        self._locks = locks
        self._closed = False

    @property
    def id(self) -> ActionId:
        return self._id

    @property
    def reads_plain(self) -> bool:
        return True

    def cursor(self) -> Cursor | None:
        """The lowest of the targets: a crash between two targets' commits leaves them apart, and the next commit brings them together."""
        cursors = []
        for tree in self._trees:
            with tree.errors:
                cursors.append(tree.cursor())
        known = [cursor for cursor in cursors if cursor is not None]
        if len(known) < len(cursors) or len({cursor.epoch for cursor in known}) != 1:
            return None
        return min(known, key=lambda cursor: cursor.seq)

    def begin(self, begin: Begin) -> None:
        for tree in self._trees:
            with tree.errors:
                tree.begin(begin)

    def recorded(self, path: bytes) -> tuple[ChunkRef, ...]:
        for tree in self._trees:
            with tree.errors:
                if refs := tree.recorded(path):
                    return refs
        return ()

    def wanted(self, segment: Segment) -> frozenset[bytes]:
        wanted: set[bytes] = set()
        for tree in self._trees:
            with tree.errors:
                wanted |= tree.wanted(segment)
        return frozenset(wanted)

    def apply(self, segment: Segment, chunks: Mapping[bytes, VerifiedChunk], withdrawn: frozenset[bytes]) -> None:
        for tree in self._trees:
            with tree.errors:
                tree.apply(segment, chunks, withdrawn)

    def commit(self, commit: Commit) -> Acknowledgement:
        findings, stored_bytes = list[Finding](), 0
        for tree in self._trees:
            with tree.errors:
                outcome = tree.commit(commit)
            findings.extend(outcome.findings)
            stored_bytes += outcome.stored_bytes
        return Acknowledgement(
            action=self._id,
            durability=Durability.SEALED,
            cursor=self.cursor(),
            stored_bytes=stored_bytes,
            findings=tuple(findings[:_MOST_FINDINGS]),
        )

    def abort(self) -> None:
        for tree in self._trees:
            tree.abort()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for tree in self._trees:
            tree.close()
        for lock in self._locks:
            os.close(lock)


class MirrorStore:
    """`home_dir` is the node's HOME: no mirror may lie in it or around it."""

    def __init__(self, home_dir: Path) -> None:
        self._home = os.path.realpath(os.fsencode(home_dir))

    def open_mirror(
        self, action: MirrorAction, receive: Receive, *, clock: Clock, adopt: bool = False, check_write: CheckWrite | None = None
    ) -> Mirror:
        """Finishes what a crash left. Raises `OutsideLimits` (by `check_write`), `NotAdopted` (not empty and not made by this dataset),
        `Conflict` (a mount point, HOME), `RepositoryLocked` (another session writes it), `StoreError`.
        """
        trees, locks = list[MirrorTree](), list[int]()
        try:
            for root, folder in action.targets:
                path = self._checked(os.fsencode(folder), check_write)
                side = _make_side(path)
                locks.append(_lock(side))
                trees.append(_open_tree(check_path(os.fsencode(root)), path, side, action.removed_keep_s, clock))
                with trees[-1].errors:
                    _claim(trees[-1], receive, adopt=adopt)
        except BaseException:
            Mirror(action.id, tuple(trees), tuple(locks)).close()
            raise
        return Mirror(action.id, tuple(trees), tuple(locks))

    def _checked(self, folder: bytes, check_write: CheckWrite | None) -> bytes:
        """The target with links in its way resolved."""
        path = os.path.realpath(check_path(os.path.normpath(folder)))
        if check_write is not None:
            check_write(path)
        shown = display_path(path)
        if path == b"/" or is_below(path, self._home) or is_below(self._home, path):
            raise Conflict(f"a mirror cannot be at {shown}", hint="choose a folder apart from Holdfast's own", path=shown)
        if os.path.ismount(path):
            raise Conflict(
                f"a mirror cannot be a mount point itself: {shown}",
                hint=f"choose a folder on it, such as {shown}/mirror: its side folder lies beside it and must be on the same disk",
                path=shown,
            )
        return path


def _make_side(path: bytes) -> bytes:
    """The side folder of a target, there when this returns."""
    parent, side = os.path.dirname(path), side_of(path)
    try:
        os.makedirs(parent, exist_ok=True)
        for folder in (side, os.path.join(side, TEMP), os.path.join(side, REMOVED)):
            if not os.path.isdir(folder) or os.path.islink(folder):
                os.mkdir(folder, 0o700)
    except OSError as error:
        raise store_error(error, side) from error
    return side


def _open_tree(root: bytes, path: bytes, side: bytes, keep_s: float | None, clock: Clock) -> MirrorTree:
    findings = list[Finding]()

    def report(finding: Finding) -> None:
        if len(findings) < _MOST_FINDINGS:
            findings.append(finding)

    with ExitStack() as opened:
        writer = TreeWriter(os.path.dirname(path), temp=os.path.join(side, TEMP), report=report)
        opened.callback(writer.close)
        beside = TreeWriter(side, report=report)
        opened.callback(beside.close)
        with records_errors(side):
            records = Records(os.path.join(side, RECORDS))
        target = Target(root, os.path.basename(path), writer, beside, records)
        opened.pop_all()
    return MirrorTree(target, keep_s=keep_s, clock=clock, findings=findings)


def _lock(side: bytes) -> int:
    try:
        fd = os.open(os.path.join(side, b"lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise store_error(error, side) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise RepositoryLocked(
            f"another session is writing the mirror beside {display_path(side)}", hint="it is tried again when that one has ended"
        ) from None
    return fd


def _claim(tree: MirrorTree, receive: Receive, *, adopt: bool) -> None:
    """Whose mirror it is; recovers it if it is ours."""
    records = tree.target.records
    owner = records.fact("dataset")
    if owner is not None and (owner == receive.dataset or adopt):
        tree.recover()
    if owner == receive.dataset:
        return
    shown = display_path(os.path.join(tree.target.writer.root, tree.target.base))
    if owner is not None and not adopt:
        raise NotAdopted(
            f"{shown} is the mirror of another dataset",
            hint="choose another folder, or take it over with `holdfast trigger FLOW --adopt`",
            path=shown,
        )
    if owner is None and not _is_empty(tree):
        if not adopt:
            raise NotAdopted(
                f"{shown} is not empty and was not made by this dataset",
                hint="choose an empty folder, or take it over with `holdfast trigger FLOW --adopt`: what is equal stays, the rest is kept",
                path=shown,
            )
        records.set_fact("adopting", "yes")
    records.set_fact("cursor", None)
    records.set_fact("dataset", receive.dataset)
    records.save(durable=True)
    _logger.info("mirror claimed", extra={"facts": {"path": shown, "dataset": receive.dataset, "adopted": adopt}})


def _is_empty(tree: MirrorTree) -> bool:
    found = tree.target.writer.stat(tree.target.base)
    if found is None:
        return True
    try:
        return stat.S_ISDIR(found.st_mode) and not tree.target.writer.names(tree.target.base)
    except HoldfastError as error:
        raise StoreError(error.message, hint=error.hint) from error
