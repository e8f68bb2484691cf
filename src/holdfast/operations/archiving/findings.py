"""What is said of files that an archive operation does not take, or does not let go of."""

from __future__ import annotations

from holdfast.model.archiving import Verdict
from holdfast.model.entry import display_path
from holdfast.model.jobs import Finding, Severity
from holdfast.operations.archiving.book import Move


def several_names(path: bytes) -> Finding:
    return Finding(
        code="archive-hard-link",
        severity=Severity.INFO,
        message="it has several names, and stays",
        path=display_path(path),
        hint="remove the other names where it shall be archived",
    )


def database(path: bytes) -> Finding:
    return Finding(
        code="archive-database",
        severity=Severity.INFO,
        message="it is a SQLite database, of which a consistent copy is stored, and stays",
        path=display_path(path),
        hint="exclude it, or name it in a policy without `application: sqlite` where it shall be archived",
    )


def no_stub(path: bytes, why: ValueError) -> Finding:
    return Finding(
        code="archive-name-too-long",
        severity=Severity.WARNING,
        message=f"no stub can stand in its place: {why}",
        path=display_path(path),
        hint="it stays where it is; `leave: copy` or `leave: nothing` need no stub",
    )


def unreadable(path: bytes) -> Finding:
    return Finding(
        code="archive-unreadable",
        severity=Severity.WARNING,
        message="the repository does not give every byte of it back",
        path=display_path(path),
        hint="run `holdfast repository check --read-data` there; the file stays where it is",
    )


def not_stored(path: bytes, verdict: Verdict) -> Finding:
    return Finding(
        code="archive-not-stored",
        severity=Severity.INFO,
        message="the repository has another version of it" if verdict is Verdict.CHANGED else "the repository does not have it",
        path=display_path(path),
        hint="its turn comes when it was captured again",
    )


def in_use(path: bytes) -> Finding:
    return Finding(
        code="archive-in-use",
        severity=Severity.INFO,
        message="it is archived, and stays: a program has it open",
        path=display_path(path),
        hint="a later run takes it",
    )


def changed(path: bytes) -> Finding:
    return Finding(
        code="archive-changed",
        severity=Severity.INFO,
        message="it changed while it was archived, and stays",
        path=display_path(path),
        hint="a later run looks again",
    )


def stays(path: bytes) -> Finding:
    return Finding(
        code="archive-stays",
        severity=Severity.WARNING,
        message="it is archived, and its file system lets nobody put a stub in its place",
        path=display_path(path),
        hint="take `leave: copy` for it",
    )


def aside(move: Move) -> Finding:
    return Finding(
        code="archive-aside",
        severity=Severity.WARNING,
        message=f"something else came in its place while it was archived; it is now {display_path(move.private)}",
        path=display_path(move.path),
        hint="keep which of the two you need",
    )
