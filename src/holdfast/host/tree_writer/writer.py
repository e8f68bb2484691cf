"""`TreeWriter`: see the package's docstring."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.core.errors import Conflict
from holdfast.host.tree_writer.attributes import Attributes, Report
from holdfast.host.tree_writer.draft import Draft, libc, write_pieces, write_sparse_pieces
from holdfast.host.tree_writer.faults import Typed, store_error
from holdfast.host.tree_writer.folders import Folder, Folders, check_name
from holdfast.host.tree_writer.leftovers import claim, leftovers, temp_prefix
from holdfast.host.tree_writer.names import make_special, split_path
from holdfast.host.tree_writer.removal import make_accessible, make_movable, remove_tree
from holdfast.model.entry import Entry, Kind, display_path
from holdfast.model.jobs import Finding, Severity

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_JOIN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_IN_THE_WAY = frozenset({errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST})
_NOT_MADE = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})


class TreeWriter:
    """Writes entries below `root`, an absolute path that must exist. Its links must be resolved already, by whoever decided that it may be
    written: a link that comes into the way afterwards is refused like one below.

    Paths are relative bytes. Everything that appears under its final name appears there at once and complete (temporary name, then
    rename); `temp`, a folder on the same file system, takes temporary names where it can, else they are beside the final one.
    Raises `NoSpace`, `Conflict` (a file or link where a folder must be) or `StoreError`; what is refused to those who are not root
    goes to `report`. Not thread-safe. Nothing is durable before `sync`.
    """

    def __init__(self, root: Path | bytes, *, temp: bytes = b"", report: Report | None = None) -> None:
        self._root = os.fsencode(root)
        self._report = report or (lambda finding: None)
        with Typed(self._root):
            self._folders = Folders(self._root)
            self._temp = Folders(temp) if temp else None
        self._attributes = Attributes(self._report)
        self._numbers, self._temp_prefix = itertools.count(), temp_prefix()
        self._needs_rights = os.geteuid() != 0

    @property
    def root(self) -> bytes:
        return self._root

    def look_again(self) -> bool:
        """For a writer that is open for long: folders, which others may have renamed, are found anew. False when the root itself moved."""
        self._folders.forget_all()
        with Typed(self._root):
            return self._folders.is_in_place(self._root)

    # Looking

    def stat(self, path: bytes) -> os.stat_result | None:
        """Of the name itself, links not followed. None where nothing is, or the way there is no folder."""
        parent, name = split_path(path)
        try:
            folder = self._folders.open(parent)
            return os.stat(name, dir_fd=folder.fd, follow_symlinks=False) if name else os.fstat(folder.fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
                return None
            raise store_error(error, path, self._root) from error

    def open_file(self, path: bytes) -> int:
        """A descriptor for reading, the caller's to close. Raises `OSError`."""
        parent, name = split_path(path)
        return os.open(name or b".", _READ, dir_fd=self._folders.open(parent).fd)

    def read_link(self, path: bytes) -> bytes:
        parent, name = split_path(path)
        with Typed(path, self._root):
            return os.readlink(name, dir_fd=self._folders.open(parent).fd)

    def names(self, path: bytes) -> list[tuple[bytes, bool]]:
        """What a folder holds, sorted: (name, whether it is a folder)."""
        with Typed(path, self._root), os.scandir(self._folders.open(path).fd) as listing:
            return sorted((os.fsencode(item.name), item.is_dir(follow_symlinks=False)) for item in listing)

    # Folders

    def ensure_folder(self, path: bytes, *, replace: bool = True, mode: int = 0o700) -> bool:
        """True if it was made (with `mode`; `set_attributes` later, deepest first).

        What else stands there is removed, or with `replace=False` refused as `Conflict`.
        """
        self._folders.trim()
        parent, name = split_path(path)
        with Typed(path, self._root):
            folder = self._open_to_write(parent)
            try:
                os.mkdir(name, mode, dir_fd=folder.fd)
            except FileExistsError:
                if stat.S_ISDIR(os.stat(name, dir_fd=folder.fd, follow_symlinks=False).st_mode):
                    return False
                if not replace:
                    raise Conflict(
                        f"not a folder: {display_path(path)}",
                        hint="a link or file stands where a folder must be; it is neither followed nor removed",
                        path=display_path(path),
                    ) from None
                os.unlink(name, dir_fd=folder.fd)
                os.mkdir(name, mode, dir_fd=folder.fd)
            self._folders.forget(path)
            return True

    def sweep(self, path: bytes) -> int:
        """Removes what a writer that was killed left in a folder under temporary names; how many. Never raises."""
        try:
            left = leftovers(self._folders.open(path).fd)
            for name in left:
                remove_tree(self._open_to_write(path).fd, name)
        except OSError:
            return 0
        return len(left)

    # Files

    def create(self, path: bytes) -> Draft:
        """A draft under its own name at once; must not exist. For staging areas."""
        self._folders.trim()
        parent, name = split_path(path)
        with Typed(path, self._root):
            return Draft(os.open(name, _CREATE, 0o600, dir_fd=self._folders.open(parent).fd), self._root, path, name, False)

    def reopen(self, path: bytes) -> Draft:
        """A draft that was created under its own name before. Raises `StoreError`."""
        self._folders.trim()
        parent, name = split_path(path)
        with Typed(path, self._root):
            fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folders.open(parent).fd)
            return Draft(fd, self._root, path, name, False, -1)

    def begin_file(self, path: bytes) -> Draft:
        """A draft under a temporary name, to be given to `finish` or `discard`."""
        self._folders.trim()
        parent, _ = split_path(path)
        with Typed(path, self._root):
            folder, in_temp = self._temp_for(self._open_to_write(parent))
            name, fd = self._create_temp(folder.fd)
            return Draft(fd, self._root, path, name, in_temp)

    def join_file(self, path: bytes, name: bytes, identity: tuple[int, int]) -> Draft:
        """A draft that another process began for `path`, to write to it too; `close` is all that is to be done with it in the end.

        `identity` is the device and inode of that process's file: another one that stands there by now is refused as `Conflict`.
        """
        self._folders.trim()
        parent, _ = split_path(path)
        with Typed(path, self._root):
            folder, in_temp = self._temp_for(self._folders.open(parent))
            fd = os.open(check_name(name), _JOIN, dir_fd=folder.fd)
            found = os.fstat(fd)
            if (found.st_dev, found.st_ino) == identity:
                return Draft(fd, self._root, path, name, in_temp, -1)
            os.close(fd)
            raise Conflict(
                f"{display_path(path)} was replaced while it was written",
                hint="see who writes there, then do it again",
                path=display_path(path),
            )

    def put_file(self, path: bytes, entry: Entry, pieces: Sequence[bytes]) -> None:
        """A whole file in one step: its content in order, size and metadata, then into place, replacing what stands there."""
        self._folders.trim()
        parent, name = split_path(path)
        try:
            folder = self._open_to_write(parent)
            temp, _ = self._temp_for(folder) if self._temp else (folder, False)
            temp_name, fd = self._create_temp(temp.fd)
            try:
                if entry.holes:
                    write_sparse_pieces(Draft(fd, self._root, path, temp_name, False), pieces, entry)
                else:
                    write_pieces(fd, pieces)
                self._attributes.apply_open(fd, entry)
                self._rename(temp.fd, temp_name, folder, name, path)
            except BaseException:
                remove_tree(temp.fd, temp_name)
                raise
            finally:
                os.close(fd)
        except OSError as error:
            raise store_error(error, path, self._root) from error

    def dress(self, draft: Draft, entry: Entry) -> None:
        """Size and metadata of a draft, which stays open under the name it has."""
        with Typed(draft.path, self._root):
            if draft.size_bytes != entry.size_bytes:
                draft.set_size(entry.size_bytes)
            self._attributes.apply_open(draft.fd, entry)

    def finish(self, draft: Draft, entry: Entry) -> os.stat_result:
        """Size and metadata, then into place, replacing what stands there. The stat of the file as it is in place."""
        self._folders.trim()
        try:
            self.dress(draft, entry)
            parent, name = split_path(draft.path)
            with Typed(draft.path, self._root):
                folder = self._folders.open(parent)
                source = self._temp.root if draft.in_temp and self._temp else folder
                self._rename(source.fd, draft.name, folder, name, draft.path)
                return os.fstat(draft.fd)
        except BaseException:
            self.discard(draft)
            raise
        finally:
            draft.close()

    def discard(self, draft: Draft) -> None:
        """Removes the draft. Never raises."""
        draft.close()
        parent, _ = split_path(draft.path)
        try:
            folder = self._temp.root if draft.in_temp and self._temp else self._folders.open(parent)
            os.unlink(draft.name, dir_fd=folder.fd)
        except OSError:
            return

    # Links, FIFOs, devices

    def put_special(self, path: bytes, entry: Entry) -> bool:
        """A symbolic link, FIFO or device, replacing what stands there. False (and a finding) when this user may not make one."""
        self._folders.trim()
        parent, name = split_path(path)
        with Typed(path, self._root):
            folder = self._open_to_write(parent)
            temp, _ = self._temp_for(folder)
            try:
                temp_name = self._under_temp_name(lambda temp_name: make_special(temp.fd, temp_name, entry))
            except OSError as error:
                if error.errno not in _NOT_MADE or entry.kind is Kind.SYMLINK:
                    raise
                self._report(
                    Finding(
                        code="not-created",
                        severity=Severity.WARNING,
                        message=f"{entry.kind.value} could not be made: {error.strerror}",
                        path=display_path(entry.path),
                        hint="devices can be made by root only",
                    )
                )
                return False
            try:
                self._attributes.apply_named(temp.fd, temp_name, entry)
                self._rename(temp.fd, temp_name, folder, name, path)
            except BaseException:
                remove_tree(temp.fd, temp_name)
                raise
        return True

    def set_attributes(self, path: bytes, entry: Entry) -> None:
        """The metadata of what stands at `path` already; its kind must be the entry's."""
        self._folders.trim()
        parent, name = split_path(path)
        with Typed(path, self._root):
            if entry.kind not in (Kind.FILE, Kind.DIRECTORY):
                self._attributes.apply_named(self._folders.open(parent).fd, name, entry)
                return
            fd = self._open_for_attributes(path, entry.kind)
            try:
                self._attributes.apply_open(fd, entry)
            finally:
                os.close(fd)

    # Names

    def link(self, path: bytes, new_path: bytes, into: TreeWriter | None = None) -> None:
        """A further name for a file, replacing what stands at `new_path` (below `into`'s root)."""
        target = into or self
        self._folders.trim()
        target._folders.trim()
        (parent, name), (new_parent, new_name) = split_path(path), split_path(new_path)
        with Typed(new_path, target._root):
            source, folder = self._folders.open(parent), target._open_to_write(new_parent)
            temp, _ = target._temp_for(folder)
            temp_name = self._under_temp_name(
                lambda temp_name: os.link(name, temp_name, src_dir_fd=source.fd, dst_dir_fd=temp.fd, follow_symlinks=False)
            )
            try:
                target._rename(temp.fd, temp_name, folder, new_name, new_path)
            finally:
                # Renaming onto another name of the same file does nothing and leaves both (rename(2)).
                remove_tree(temp.fd, temp_name)

    def move(self, path: bytes, new_path: bytes, into: TreeWriter | None = None) -> None:
        """Renames, replacing what stands at `new_path` (below `into`'s root, on the same file system)."""
        target = into or self
        self._folders.trim()
        target._folders.trim()
        (parent, name), (new_parent, new_name) = split_path(path), split_path(new_path)
        with Typed(path, self._root):
            source = self._open_to_write(parent)
            if self._needs_rights:
                make_movable(source.fd, name)
            target._rename(source.fd, name, target._open_to_write(new_parent), new_name, new_path)
        self._folders.forget(path)

    def remove(self, path: bytes) -> None:
        """The name, and everything below it. Absent is fine."""
        self._folders.trim()
        self._folders.forget(path)
        parent, name = split_path(path)
        with Typed(path, self._root), suppress(FileNotFoundError, NotADirectoryError):
            remove_tree(self._open_to_write(parent).fd, name)

    def remove_folder(self, path: bytes) -> bool:
        """Removes a folder only if it is empty; whether it is gone."""
        self._folders.forget(path)
        parent, name = split_path(path)
        with Typed(path, self._root):
            try:
                os.rmdir(name, dir_fd=self._open_to_write(parent).fd)
            except FileNotFoundError:
                return True
            except OSError as error:
                if error.errno in _IN_THE_WAY:
                    return False
                raise
        return True

    def sync(self) -> None:
        """Returns when everything written on the root's file system is on disk (syncfs), what other programs wrote there among it."""
        with Typed(self._root):
            if libc().syncfs(self._folders.root.fd):
                raise OSError(errno.EIO, "syncfs failed")

    def close(self) -> None:
        self._folders.close()
        if self._temp:
            self._temp.close()

    # Inside

    def _open_to_write(self, path: bytes) -> Folder:
        folder = self._folders.open(path)
        if self._needs_rights and os.fstat(folder.fd).st_mode & 0o300 != 0o300:
            os.fchmod(folder.fd, 0o700)
        return folder

    def _open_for_attributes(self, path: bytes, kind: Kind) -> int:
        parent, name = split_path(path)
        folder = self._folders.open(parent)
        flags = _READ | os.O_DIRECTORY if kind is Kind.DIRECTORY else _READ
        try:
            return os.open(name or b".", flags, dir_fd=folder.fd)
        except PermissionError:
            if kind is not Kind.DIRECTORY:
                raise
            make_accessible(folder.fd, name)
            return os.open(name, flags, dir_fd=folder.fd)

    def _temp_for(self, folder: Folder) -> tuple[Folder, bool]:
        if self._temp and self._temp.root.device == folder.device:
            return self._temp.root, True
        return folder, False

    def _rename(self, source_fd: int, source_name: bytes, folder: Folder, name: bytes, path: bytes) -> None:
        try:
            os.rename(source_name, name, src_dir_fd=source_fd, dst_dir_fd=folder.fd)
        except OSError as error:
            # A folder in the way of a file, or a file in the way of a folder.
            if error.errno not in _IN_THE_WAY and error.errno != errno.ENOTDIR:
                raise
            self._folders.forget(path)
            remove_tree(folder.fd, name)
            os.rename(source_name, name, src_dir_fd=source_fd, dst_dir_fd=folder.fd)

    def _create_temp(self, folder_fd: int) -> tuple[bytes, int]:
        """A new file of ours under a temporary name: its name and descriptor."""
        while True:
            name = self._temp_prefix + b"%d" % next(self._numbers)
            try:
                fd = os.open(name, _CREATE, 0o600, dir_fd=folder_fd)
            except FileExistsError:
                continue
            claim(fd)
            return name, fd

    def _under_temp_name(self, make: Callable[[bytes], None]) -> bytes:
        while True:
            name = self._temp_prefix + b"%d" % next(self._numbers)
            try:
                make(name)
                return name
            except FileExistsError:
                continue
