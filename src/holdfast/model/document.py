"""The environment document as values: the grammar, defaults filled in,
units resolved, names not yet resolved.

Text becomes these values in `compiler.parse`; they become rules in `compiler.compile`. Fields that hold seconds or bytes
say so in their names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from holdfast.model.anomalies import AnomalyPlan
from holdfast.model.rate_table import RateTable


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the document's parts: frozen, keyword only."""


class KeepRules(_Part, frozen=True, kw_only=True):
    """Which points stay: a point stays if any rule keeps it. All zero = keep everything (`is_empty`)."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within_s: float = 0

    def is_empty(self) -> bool:
        return self == KeepRules()


class Classification(_Part, frozen=True, kw_only=True):
    """Which data. Patterns are gitignore's; ages and sizes are exclusive limits; `types` are file name endings without the dot."""

    paths: tuple[str, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_caches: bool = True
    one_file_system: bool = True
    larger_than_bytes: int | None = None
    smaller_than_bytes: int | None = None
    older_than_s: float | None = None
    newer_than_s: float | None = None
    owners: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    granularity: Literal["auto", "coarse", "fine"] = "auto"
    application: Literal["", "sqlite"] = ""
    consistent: Literal["none", "snapshot"] = "none"
    max_removed_ratio: float = 0.5


class ScheduleTimes(_Part, frozen=True, kw_only=True):
    """When runs may start, and when they do (`model.windows`). `missed`: what becomes of trigger times that came while the node could not
    run. `jitter_s`: runs that would begin at one moment are spread over so much."""

    windows: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    zone: str = "UTC"
    missed: Literal["once", "skip"] = "once"
    jitter_s: float = 0


class Schedule(_Part, frozen=True, kw_only=True):
    """When. `every_s` is an RPO; `at` are trigger times in the zone of the schedule; `after` names an operation; `schedule` a schedule
    object, `inline` is one that is written in the operation itself."""

    every_s: float | None = None
    at: tuple[str, ...] = ()
    schedule: str = ""
    inline: ScheduleTimes | None = None
    after: str = ""

    def is_empty(self) -> bool:
        return self == Schedule()


class OperationUse(_Part, frozen=True, kw_only=True):
    """A named use of an operation kind in a policy. Options that the kind does not have are refused by the parser."""

    name: str
    kind: str
    when: Schedule = Schedule()
    lock_s: float | None = None
    keep: KeepRules = KeepRules()
    within_s: float | None = None
    last: int | None = None
    removed: Literal["follow", "keep"] = "keep"
    removed_keep_s: float | None = None
    archive_older_than_s: float | None = None
    archive_larger_than_bytes: int | None = None
    archive_keep_s: float | None = None
    archive_leave: Literal["nothing", "copy", "stub", "placeholder"] = "stub"


class Hooks(_Part, frozen=True, kw_only=True):
    """Names of scripts in the machine's own hooks directory."""

    before: str = ""
    after: str = ""
    timeout_s: float = 300


class DrillPlan(_Part, frozen=True, kw_only=True):
    """How often a part of what is stored is restored on trial, and how much (`model.drills.parse_sample`). `check`: the name of a script in
    the hooks directory of the machine where that is done: the owner of the repository, or the node `on`."""

    every_s: float = 604_800.0
    sample: str = "100 files"
    check: str = ""
    timeout_s: float = 600.0
    on: str = ""


class Policy(_Part, frozen=True, kw_only=True):
    """`drill` None = what is stored of it is not restored on trial by itself. `anomaly` None = nobody looks whether it is destroyed.
    `tags`: its jobs and points inherit them."""

    name: str
    classification: Classification
    operations: tuple[OperationUse, ...]
    hooks: Hooks = Hooks()
    drill: DrillPlan | None = None
    anomaly: AnomalyPlan | None = AnomalyPlan()
    was: str = ""
    tags: tuple[str, ...] = ()


class NodeEntry(_Part, frozen=True, kw_only=True):
    """`parallel_jobs`: so many of its jobs run at once at most; None = no limit."""

    name: str
    tags: tuple[str, ...] = ()
    address: str = ""
    was: str = ""
    parallel_jobs: int | None = None


class Group(_Part, frozen=True, kw_only=True):
    """Either `nodes` by name or every node that bears all of `tags`."""

    name: str
    nodes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class PruneTimes(_Part, frozen=True, kw_only=True):
    """When its owner prunes a repository by itself: once a week, in `windows` where there are some; or not at all (`off`)."""

    off: bool = False
    windows: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    zone: str = "UTC"


class RepositoryEntry(_Part, frozen=True, kw_only=True):
    """`scrub_ratio`: so much of it is read each day; 0 = none. `parallel_jobs`: so many jobs deliver to it at once at most; None = no
    limit."""

    name: str
    node: str
    location: str
    trust: Literal["node", "repository"] = "node"
    scrub_ratio: float = 0.05
    prune: PruneTimes = PruneTimes()
    parallel_jobs: int | None = None


class ScheduleEntry(ScheduleTimes, frozen=True, kw_only=True):
    name: str


class Vertex(_Part, frozen=True, kw_only=True):
    """One of `node`, `group`, `repository`, `mirror`, `relay` is set. `path` or `path_map` (root -> target) is where a mirror keeps it.
    `place`: where it stands on the canvas, in pixels to the right and down; it means nothing for what is done."""

    name: str
    node: str = ""
    group: str = ""
    policies: tuple[str, ...] = ()
    repository: str = ""
    mirror: str = ""
    path: str = ""
    path_map: dict[str, str] = {}
    relay: str = ""
    place: tuple[int, int] | None = None

    @property
    def kind(self) -> Literal["node", "group", "repository", "mirror", "relay"]:
        for kind in ("group", "repository", "mirror", "relay"):
            if getattr(self, kind):
                return kind
        return "node"


class Mover(_Part, frozen=True, kw_only=True):
    """`carries` are `POLICY/OPERATION`. `mode` is None when not written. `limit_bytes_s` None = no limit, `window` None = always open."""

    source: str
    target: str
    carries: tuple[str, ...]
    mode: Literal["batch", "continuous"] | None = None
    limit_bytes_s: int | None = None
    window: RateTable | None = None
    compression: Literal["auto", "off", "max"] = "auto"
    dial: Literal["from", "to"] = "from"
    after: str = ""
    keep: KeepRules = KeepRules()
    only: tuple[str, ...] = ()


class Flow(_Part, frozen=True, kw_only=True):
    name: str
    vertices: tuple[Vertex, ...]
    movers: tuple[Mover, ...]
    tags: tuple[str, ...] = ()


class Document(_Part, frozen=True, kw_only=True):
    """The whole environment. Parts keep the order of the text."""

    environment: str
    nodes: tuple[NodeEntry, ...] = ()
    groups: tuple[Group, ...] = ()
    repositories: tuple[RepositoryEntry, ...] = ()
    schedules: tuple[ScheduleEntry, ...] = ()
    policies: tuple[Policy, ...] = ()
    flows: tuple[Flow, ...] = ()


class Revision(_Part, frozen=True, kw_only=True):
    """One stored state of the document."""

    number: int
    text: str
    created_at: datetime
    author: str
    comment: str = ""
