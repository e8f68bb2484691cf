"""What the owner of a repository can be asked to do to it as a job: one closed union of tasks, and what came of one."""

from __future__ import annotations

import msgspec


class _Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """Base; the tag on the wire is the class name, in lower case the job's kind."""


class Check(_Task, frozen=True, kw_only=True):
    """Look for damage; never repairs. With `read_data` every byte is read, too."""

    read_data: bool = False


class Prune(_Task, frozen=True, kw_only=True):
    """Give back the space of what nothing needs any more. `max_unused`: so much of what stays may be needless, as a part of what is
    needed; `max_repack_bytes`: copy no more than that. `grace_s`: for how long packs stay that are taken out of use; 0 = not at all."""

    max_unused: float = 0.05
    max_repack_bytes: int | None = None
    grace_s: float = 82_800.0


Task = Check | Prune


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
