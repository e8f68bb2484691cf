"""What the owner of a repository can be asked to do to it as a job: one closed union of tasks, and what came of one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from holdfast.core.errors import UsageError
from holdfast.core.units import parse_size_bytes


class _Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name, in lower case the job's kind."""


class Check(_Task, frozen=True, kw_only=True):
    """Look for damage; never repairs. With `read_data` every byte is read, too; with `subset` (as people write it) those of some packs."""

    read_data: bool = False
    subset: str = ""


class Prune(_Task, frozen=True, kw_only=True):
    """Give back the space of what nothing needs any more. `max_unused`: so much of what stays may be needless, as a part of what is
    needed; `max_repack_bytes`: copy no more than that. `grace_s`: for how long packs stay that are taken out of use; 0 = not at all."""

    max_unused: float = 0.05
    max_repack_bytes: int | None = None
    grace_s: float = 82_800.0


class Repair(_Task, frozen=True, kw_only=True):
    """Mend what is damaged, from other copies where there are some. `forget_damaged`: what cannot be mended is taken out of the points."""

    forget_damaged: bool = False


class Rebuild(_Task, frozen=True, kw_only=True):
    """Throw the catalog away and make it anew from the repository alone."""


class Scrub(_Task, frozen=True, kw_only=True):
    """Read the next packs, as many as make this part of the whole, and go on there next time."""

    ratio: float = 0.05


class Drill(_Task, frozen=True, kw_only=True):
    """Restore a part of a dataset (label or id) on trial, compare it, and have the check script of the rules look at it. `sample` empty =
    as the rules say. `point` empty = the newest, or with `any_point` now and then another one."""

    dataset: str
    sample: str = ""
    point: str = ""
    any_point: bool = False


Task = Check | Prune | Repair | Rebuild | Scrub | Drill


def kind_of(task: Task) -> str:
    """The kind of job that does it."""
    return type(task).__name__.lower()


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a plan, or of what was done: so many (`count`) things of `size_bytes` altogether. `code` is for programs, `message` for
    people; `path` names the one file or point that a line may be about."""

    code: str
    message: str
    count: int = 0
    size_bytes: int = 0
    path: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task did, or with `dry_run` would do, in the order in which it is done."""

    steps: tuple[Step, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True)
class Subset:
    """Which packs a check reads: a part of all, `group` of `groups` by their ids (as restic), or so many bytes. One of the three is set."""

    ratio: float = 0.0
    group: int = 0
    groups: int = 0
    size_bytes: int = 0


def parse_subset(text: str) -> Subset:
    """`10%`, `3/10` (the third of ten groups) or `500MB`. Raises `UsageError`."""
    hint = "write it like 10%, 3/10 or 500MB"
    if share := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", text):
        ratio = float(share[1]) / 100
        if 0 < ratio <= 1:
            return Subset(ratio=ratio)
    elif parts := re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", text):
        group, groups = int(parts[1]), int(parts[2])
        if 1 <= group <= groups <= 256:
            return Subset(group=group, groups=groups)
        hint = "write it like 3/10; there are 1 to 256 groups"
    elif text.isascii() and (size_bytes := parse_size_bytes(text)) > 0:
        return Subset(size_bytes=size_bytes)
    raise UsageError(f"{text[:40]!r} is not a part of a repository", hint=hint)
