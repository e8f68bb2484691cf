"""Facts of a machine to findings: pure. What is all right is a finding too, of severity `info`."""

from __future__ import annotations

from datetime import datetime

from holdfast.core.errors import ErrorFacts
from holdfast.core.units import format_duration, format_size
from holdfast.model.jobs import Finding, Severity
from holdfast.model.upgrades import minor_of

_CLOCK_WARNING_S, _CLOCK_ERROR_S = 5.0, 60.0
_LOW_SPACE_BYTES, _NO_SPACE_BYTES = 2 << 30, 256 << 20
_LOW_MEMORY_BYTES = 256 << 20
_WANTED_KERNEL = (5, 17)


def clock(ahead_s: float) -> Finding:
    """`ahead_s`: of the Master's clock, to the second."""
    off_s = abs(ahead_s)
    way = "ahead of" if ahead_s > 0 else "behind"
    if off_s <= _CLOCK_WARNING_S:
        return _good("clock", "the clock agrees with the Master's")
    severity = Severity.ERROR if off_s > _CLOCK_ERROR_S else Severity.WARNING
    text = f"the clock is {format_duration(off_s)} {way} the Master's"
    return Finding(code="clock", severity=severity, message=text, hint="let a time service set it, on both: chrony or systemd-timesyncd")


def rights(user: int, missing: tuple[str, ...]) -> Finding:
    if not missing:
        return _good("rights", "it may read, write and watch everything")
    text = f"the agent runs as user {user} without {', '.join(missing)}"
    hint = "it captures only what that user may read, and restores no owners; run it as root for all of a machine"
    return Finding(code="rights", severity=Severity.WARNING, message=text, hint=hint)


def watching(refusal: str, folders: int, allowed: int) -> Finding:
    """`refusal`: why there is no fanotify, empty = there is. `folders`: below what is followed; `allowed`: watches of inotify."""
    if not refusal:
        return _good("watching", "changes are told by fanotify, for whole file systems")
    if folders >= allowed:
        text = f"no fanotify ({refusal}), and inotify may watch {allowed:,} folders where {folders:,} or more are followed"
        hint = f"echo fs.inotify.max_user_watches={max(2 * folders, 1 << 20)} > /etc/sysctl.d/60-holdfast.conf && sysctl --system"
        return Finding(code="watching", severity=Severity.ERROR, message=text, hint=hint)
    severity = Severity.WARNING if folders else Severity.INFO
    text = f"no fanotify ({refusal}): {folders:,} followed folders are watched by inotify, of {allowed:,} that may be"
    return Finding(code="watching", severity=severity, message=text, hint="run the node as root on Linux 5.17 or later")


def space(what: str, path: str, free_bytes: int, total_bytes: int) -> Finding:
    text = f"{what}: {format_size(free_bytes)} of {format_size(total_bytes)} free"
    if free_bytes >= _LOW_SPACE_BYTES:
        return _good("disk-space", text, path)
    severity = Severity.ERROR if free_bytes < _NO_SPACE_BYTES else Severity.WARNING
    return Finding(code="disk-space", severity=severity, message=text, path=path, hint=f"make room on that disk (`df {path}`)")


def memory(available_bytes: int, total_bytes: int) -> Finding:
    text = f"{format_size(available_bytes)} of {format_size(total_bytes)} memory available"
    if available_bytes >= _LOW_MEMORY_BYTES:
        return _good("memory", text)
    return Finding(code="memory", severity=Severity.WARNING, message=text, hint="a run needs about 250 MiB; see what else takes it")


def reach(who: str, address: str, refusal: str) -> Finding:
    if not refusal:
        return _good("reach", f"{who} answers at {address}")
    text = f"{who} cannot be reached at {address}: {refusal}"
    hint = "see whether it runs, and whether a firewall or the name is in the way"
    return Finding(code="reach", severity=Severity.ERROR, message=text, hint=hint)


def certificate(ends: datetime, here: datetime, *, is_due: bool) -> Finding:
    if ends <= here:
        text = f"this node's certificate ended on {ends:%Y-%m-%d}"
        hint = "let it reach its Master; if that does not renew it: `holdfast node join --replace NAME`"
        return Finding(code="certificate", severity=Severity.ERROR, message=text, hint=hint)
    text = f"this node's certificate is valid until {ends:%Y-%m-%d %H:%M} UTC"
    if is_due:
        hint = "it renews itself once it reaches its Master"
        return Finding(code="certificate", severity=Severity.WARNING, message=f"{text} and should have been renewed", hint=hint)
    return _good("certificate", text)


def limits(problems: tuple[ErrorFacts, ...]) -> tuple[Finding, ...]:
    """What the rules ask that this machine's own limits refuse."""
    found = [Finding(code="limits", severity=Severity.ERROR, message=problem.message, hint=problem.hint) for problem in problems]
    return tuple(found) or (_good("limits", "its limits allow all that its rules ask"),)


def fuse(has_device: bool, has_program: bool) -> Finding:
    if has_device and has_program:
        return _good("fuse", "points can be mounted")
    what = "the program fusermount3" if has_device else "/dev/fuse"
    return Finding(
        code="fuse", severity=Severity.WARNING, message=f"{what} is missing: nothing can be mounted here", hint="apt-get install fuse3"
    )


def kernel(release: str, numbers: tuple[int, int]) -> Finding:
    if numbers >= _WANTED_KERNEL:
        return _good("kernel", f"Linux {release}")
    return Finding(
        code="kernel",
        severity=Severity.WARNING,
        message=f"Linux {release} is older than 5.17: whole file systems cannot be watched",
        hint="update the kernel, or live with one watch for each folder",
    )


def file_system(path: str, kind: str, *, wants_snapshot: bool, can_snapshot: bool, shares: bool) -> Finding:
    if not kind:
        text, hint = f"{path} is to be captured and is not there", "mount it, or correct the policy"
        return Finding(code="file-system", severity=Severity.ERROR, message=text, path=path, hint=hint)
    if wants_snapshot and not can_snapshot:
        text, hint = f"{path} is on {kind}, of which no snapshot can be taken", "put it on a btrfs subvolume, or use hooks"
        return Finding(code="file-system", severity=Severity.ERROR, message=text, path=path, hint=hint)
    able = [word for word, can in (("snapshots", can_snapshot), ("shared content", shares)) if can]
    return _good("file-system", f"{path} is on {kind}{', which has ' + ' and '.join(able) if able else ''}", path)


def version(ours: str, theirs: str) -> Finding:
    """One minor version of difference is allowed, either way."""
    if minor_of(ours) == minor_of(theirs):
        return _good("version", f"node and Master are of version {_shown(ours, theirs)}")
    apart = [abs(a - b) for a, b in zip(minor_of(ours), minor_of(theirs), strict=True)]
    text = f"this node is of version {ours}, the Master of {theirs}"
    is_far = apart[0] > 0 or apart[1] > 1
    return Finding(
        code="version",
        severity=Severity.ERROR if is_far else Severity.WARNING,
        message=text,
        hint="upgrade the Master first, then its nodes",
    )


def _shown(ours: str, theirs: str) -> str:
    return ours if ours == theirs else f"{ours} and {theirs}"


def _good(code: str, text: str, path: str = "") -> Finding:
    return Finding(code=code, severity=Severity.INFO, message=text, path=path)
