"""Which stubs are meant by some paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.model.archiving import Stub, parse_stub
from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity


@dataclass(frozen=True)
class FoundStub:
    """`at`: where the link stands now; its stub says where the file came from."""

    at: bytes
    target: bytes
    stub: Stub


def find_stubs(paths: Sequence[bytes], recall: bytes, *, recursive: bool, report: Callable[[Finding], None]) -> Iterator[FoundStub]:
    """Of these paths, and with `recursive` of all below them on their file systems, those that are stubs of this recall mount. Links are
    not followed. What was named and is none is reported."""
    for path in paths:
        at = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        found = stub_at(at, recall)
        if found is not None:
            yield found
        elif os.path.isdir(at) and not os.path.islink(at):
            if recursive:
                yield from _below(at, recall, os.lstat(at).st_dev, report)
            else:
                report(_finding("not-archived", at, "is a folder", "--recursive recalls all below it"))
        else:
            report(_finding("not-archived", at, "is no archived file" if os.path.lexists(at) else "is not there"))


def stub_at(path: bytes, recall: bytes) -> FoundStub | None:
    try:
        target = os.readlink(path)
    except OSError:
        return None
    stub = parse_stub(recall, target)
    return FoundStub(path, target, stub) if stub is not None else None


def _below(folder: bytes, recall: bytes, device: int, report: Callable[[Finding], None]) -> Iterator[FoundStub]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        report(_finding("unreadable", folder, f"cannot be listed: {error.strerror}"))
        return
    for entry in entries:
        if entry.is_symlink():
            found = stub_at(entry.path, recall)
            if found is not None:
                yield found
        elif entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_dev == device:
            yield from _below(entry.path, recall, device, report)


def _finding(code: str, path: bytes, what: str, hint: str = "") -> Finding:
    return Finding(code=code, severity=Severity.WARNING, message=f"{display_path(path)} {what}", path=display_path(path), hint=hint)
