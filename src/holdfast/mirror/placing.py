"""Carrying out all staged changes of a commit. Every step may be repeated: after a crash the whole is done again, to the same end.

A staged content lies in `tmp/N` until it is in place; when `tmp/N` is not there any more, it is. Contents that get several names, or
that the mirror has under another name, stay (or are linked) in `tmp` until all names are made, so that no order of changes loses them.
"""

from __future__ import annotations

import os
import stat

from holdfast.core.errors import StoreError
from holdfast.host.tree_writer import sync_paths
from holdfast.mirror.findings import incomplete
from holdfast.mirror.moves import Moves
from holdfast.mirror.moving import Moving
from holdfast.mirror.removals import Removals
from holdfast.mirror.rows import Content, Fingerprint, Staged
from holdfast.mirror.target import TEMP, Contents, Target, has_kind, matches_special, temp_path
from holdfast.model.entry import Entry, Kind, display_path, walk_key
from holdfast.model.jobs import Finding


def pin(target: Target, contents: Contents, moves: Moves) -> None:
    """Before anything moves: what is to be used where it is must be exact; what is to get a further name is held in `tmp`.

    Raises `StoreError` when somebody changed the mirror in the meantime.
    """
    for staged in target.records.staged_in_mirror():
        assert staged.file is not None
        content = target.records.file(staged.file)
        assert content is not None
        origin = _origin_of_content(target, staged, content, moves)
        stays = origin is not None and _has_inode(target, origin, content)
        relative = target.at(origin if stays and origin is not None else content.key)
        if not contents.is_exact(content, relative):
            contents.distrust(content.n)
            raise changed_underneath(target, relative)
        if not stays and target.side.stat(temp_path(content.n)) is None:
            target.writer.link(relative, temp_path(content.n), into=target.side)
            found = target.side.stat(temp_path(content.n))
            assert found is not None
            target.records.set_placed(content.n, content.key, Fingerprint.of(found))


def is_in_place(target: Target, staged: Staged, content: Content, moves: Moves) -> bool:
    """Once all has moved."""
    return _origin_of_content(target, staged, content, moves) is not None and _has_inode(target, staged.key, content)


def _origin_of_content(target: Target, staged: Staged, content: Content, moves: Moves) -> bytes | None:
    """Where what comes to stand at the put's place by moves alone stood before, if that is this content."""
    origin = moves.before(staged.key) if content.placed else None
    if origin is None or content.key == origin:
        return origin
    recorded = target.records.entry(origin)
    return origin if recorded is not None and recorded.file == content.n else None


def _has_inode(target: Target, key: bytes, content: Content) -> bool:
    found = target.writer.stat(target.at(key))
    return found is not None and found.st_ino == content.fingerprint.inode


def changed_underneath(target: Target, relative: bytes) -> StoreError:
    shown = display_path(os.path.join(target.writer.root, relative))
    return StoreError(
        f"the mirror was changed while it was being written: {shown}",
        hint="nothing was applied; the next run repeats it. Keep others from writing in a mirror.",
        path=shown,
    )


class Placing:
    """One commit being carried out. `full`: what nobody put is moved out too. Findings are in `removals` and `findings`."""

    def __init__(self, target: Target, contents: Contents, removals: Removals, moves: Moves, *, full: bool) -> None:
        self._target = target
        self._contents = contents
        self._removals = removals
        self._moves = moves
        self._moving = Moving(target, removals, moves)
        self._full = full
        self._touched: set[bytes] = set()
        self._dressed: set[bytes] = set()
        self._sound: set[bytes] = set()
        self._temps: set[bytes] = set()
        self.findings: list[Finding] = []

    def run(self) -> None:
        shared = {n for n, names, _ in self._target.records.staged_files() if names > 1}
        self._temps = {name for name, _ in self._target.side.names(TEMP)}
        self._moving.leave(self._touched)
        for staged in self._target.records.staged():
            if staged.what != "keep":
                # Also where an earlier attempt has done the change itself already: its folder was not dressed then.
                self._touch_parent(self._target.at(staged.key))
            if staged.what == "remove":
                self._remove(staged.key)
            elif staged.what == "put" and staged.entry is not None:
                self._put(staged, staged.entry, shared)
        self._contents.close()
        if self._full:
            self._move_out_strangers()
        self._remove_temps()
        self._dress_folders()
        self._take_fingerprints()

    def make_durable(self) -> None:
        """Returns when all that was done is on disk."""
        if self._full:
            self._target.writer.sync()
            return
        sync_paths(self._target.side, {TEMP, *self._removals.folders})
        sync_paths(self._target.writer, self._touched | self._dressed)

    # Each change

    def _remove(self, key: bytes) -> None:
        relative, known_as = self._target.at(key), self._moves.before(key)
        found = self._target.writer.stat(relative)
        recorded = None if known_as is None else self._target.records.entry(known_as)
        if known_as is None or found is None:
            return
        if (
            recorded is not None
            and self._target.records.is_handed_on(known_as, recorded)
            and self._contents.is_ours(recorded, relative, found)
        ):
            # Renamed, though not as a whole tree: it is not lost, so nothing of it is kept.
            self._target.writer.remove(relative)
        else:
            self._removals.take_out(relative, known_as)

    def _put(self, staged: Staged, entry: Entry, shared: set[int]) -> None:
        relative = self._target.relative(entry.path)
        tree = self._moves.to(staged.key)
        if tree is not None:
            self._moving.come(tree, entry.kind, lambda _: self._make_way(relative, staged.key, entry.kind))
        if entry.kind is Kind.DIRECTORY:
            self._put_folder(relative, staged.key)
        elif entry.kind is Kind.FILE:
            self._put_file(relative, staged, entry, shared)
        else:
            self._put_special(relative, staged.key, entry)

    def _make_way(self, relative: bytes, key: bytes, kind: Kind) -> None:
        self._mend_way(relative)
        self._clear(relative, self._moves.inherited(key), kind, self._target.writer.stat(relative))

    def _put_folder(self, relative: bytes, key: bytes) -> None:
        self._mend_way(relative)
        found = self._target.writer.stat(relative)
        if found is None or not stat.S_ISDIR(found.st_mode):
            self._clear(relative, self._moves.before(key), Kind.DIRECTORY, found)
            self._target.writer.ensure_folder(relative)
        self._touched.add(relative)

    def _put_special(self, relative: bytes, key: bytes, entry: Entry) -> None:
        self._mend_way(relative)
        found = self._target.writer.stat(relative)
        if found is not None and matches_special(self._target, relative, found, entry):
            self._target.writer.set_attributes(relative, entry)
            return
        self._clear(relative, self._moves.before(key), entry.kind, found)
        self._target.writer.put_special(relative, entry)

    def _put_file(self, relative: bytes, staged: Staged, entry: Entry, shared: set[int]) -> None:
        assert staged.file is not None
        content = self._target.records.file(staged.file)
        assert content is not None
        if is_in_place(self._target, staged, content, self._moves):
            if not self._is_dressed(relative, staged.key, entry, content):
                self._dress(relative, entry)
            return
        temp, name = temp_path(content.n), b"%d" % content.n
        if name not in self._temps:
            return
        self._mend_way(relative)
        found = self._target.writer.stat(relative)
        if found is None or not self._is_temp(temp, found):
            self._clear(relative, self._moves.before(staged.key), Kind.FILE, found)
            if content.placed or content.n in shared:
                self._target.side.link(temp, relative, into=self._target.writer)
            else:
                self._target.side.move(temp, relative, into=self._target.writer)
                self._temps.discard(name)
        if content.placed:
            self._dress(relative, entry)

    def _is_temp(self, temp: bytes, found: os.stat_result) -> bool:
        """Whether what was found in the mirror is that content already."""
        held = self._target.side.stat(temp)
        return held is not None and os.path.samestat(held, found)

    def _is_dressed(self, relative: bytes, key: bytes, entry: Entry, content: Content) -> bool:
        """Whether its metadata is what it should be already, as that of files is in a folder that was renamed."""
        known_as = self._moves.before(key)
        recorded = None if known_as is None else self._target.records.entry(known_as)
        found = self._target.writer.stat(relative)
        return (
            recorded is not None
            and found is not None
            and Fingerprint.of(found) == content.fingerprint
            and _dress_of(recorded.entry) == _dress_of(entry)
        )

    def _dress(self, relative: bytes, entry: Entry) -> None:
        self._target.writer.set_attributes(relative, entry)
        self._dressed.add(relative)

    def _clear(self, relative: bytes, key: bytes | None, kind: Kind, found: os.stat_result | None) -> None:
        """Makes way of what was `found`. `key`: under which the records know what should stand there, if anything. What is of the same
        sort and ours stays, to be replaced in one step."""
        if found is None:
            return
        recorded = None if key is None else self._target.records.entry(key)
        if key is not None and stat.S_ISDIR(found.st_mode):
            self._removals.take_out(relative, key)
        elif key is None or not self._contents.is_ours(recorded, relative, found):
            self._removals.take_out_edited(relative)
        elif kind is Kind.DIRECTORY:
            self._removals.take_out(relative, key)

    def _mend_way(self, relative: bytes) -> None:
        """Folders on the way that somebody removed or replaced are made again; what else was in them needs a full commit."""
        parent = relative.rpartition(b"/")[0]
        if not parent or parent in self._sound:
            return
        self._mend_way(parent)
        found = self._target.writer.stat(parent)
        if found is None or not stat.S_ISDIR(found.st_mode):
            if found is not None:
                self._removals.take_out_edited(parent)
            self._target.writer.ensure_folder(parent)
            self._touched.add(parent)
            self._report_incomplete(parent, "a folder of the mirror was removed or replaced by somebody else")
        self._sound.add(parent)

    def _report_incomplete(self, relative: bytes, message: str) -> None:
        self.findings.append(incomplete(relative, message))

    def _touch_parent(self, relative: bytes) -> None:
        parent, slash, _ = relative.rpartition(b"/")
        if slash:
            self._touched.add(parent)

    # After all of them

    def _remove_temps(self) -> None:
        """Before fingerprints are taken: a name that goes changes a time of what keeps another."""
        if self._temps:
            for n, _, _ in self._target.records.staged_files():
                if b"%d" % n in self._temps:
                    self._target.side.remove(temp_path(n))

    def _move_out_strangers(self) -> None:
        """In a full commit every name is known; what else is there came from somebody else."""
        found = self._target.writer.stat(self._target.base)
        stack = [self._target.base] if found is not None and has_kind(found, Kind.DIRECTORY) else []
        while stack:
            folder = stack.pop()
            for name, is_folder in self._target.writer.names(folder):
                relative = folder + b"/" + name
                staged = self._target.records.staged_at(self._target.key_of(relative))
                if staged is None or staged.what == "remove":
                    self._removals.take_out_edited(relative)
                    self._touched.add(folder)
                elif is_folder:
                    stack.append(relative)

    def _dress_folders(self) -> None:
        """Deepest first, because what is done below a folder changes its times."""
        folders = [(relative, self._target.key_of(relative)) for relative in sorted(self._touched, key=walk_key, reverse=True)]
        self._target.records.foresee_staged([key for _, key in folders])
        for relative, key in folders:
            staged = self._target.records.staged_at(key)
            known_as = self._moves.before(key)
            recorded = None if known_as is None else self._target.records.entry(known_as)
            entry = staged.entry if staged is not None and staged.what == "put" else recorded.entry if recorded is not None else None
            found = self._target.writer.stat(relative)
            if entry is not None and entry.kind is Kind.DIRECTORY and found is not None and has_kind(found, Kind.DIRECTORY):
                self._target.writer.set_attributes(relative, entry)

    def _take_fingerprints(self) -> None:
        placed = []
        for n, _, key in self._target.records.staged_files():
            found = self._target.writer.stat(self._target.at(key))
            if found is not None and stat.S_ISREG(found.st_mode):
                placed.append((n, key, Fingerprint.of(found)))
                continue
            self._report_incomplete(self._target.at(key), "vanished from the mirror while it was being written")
        self._target.records.set_all_placed(placed)


def _dress_of(entry: Entry) -> tuple[object, ...]:
    return entry.mode, entry.uid, entry.gid, entry.mtime_ns, entry.atime_ns, entry.xattrs


def clean_temp(target: Target) -> None:
    """Removes from `tmp` what no record names."""
    known = {b"%d" % n for n in target.records.temp_files()}
    for name, _ in target.side.names(TEMP):
        if name not in known:
            target.side.remove(TEMP + b"/" + name)
