"""Parses nodes, groups, repositories and schedules: who and where and when."""

from __future__ import annotations

import posixpath
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import asdict

from holdfast.compiler.fields import Fields, listed
from holdfast.compiler.yaml_tree import Mapping
from holdfast.core.errors import UsageError
from holdfast.model.document import Group, NodeEntry, PruneTimes, RepositoryEntry, ScheduleEntry, ScheduleTimes
from holdfast.model.object_location import is_object_location, parse_object_location
from holdfast.model.schedule import LONGEST_JITTER_S
from holdfast.model.windows import parse_trigger_time, parse_window

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?):([0-9]{1,5})")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")

SCHEDULE_KEYS = ("windows", "exclude", "at", "zone", "missed", "jitter")

Problem = tuple[str, str, str]


def path_problem(path: str) -> Problem | None:
    if not path.startswith("/"):
        return "bad-path", f"{path[:200]!r} is not an absolute path", "begin it with `/`"
    if any(part in (".", "..") for part in path.split("/")):
        return "bad-path", f"{path[:200]!r} has `.` or `..` in it", "write where it leads"
    return None


def clean_path(path: str) -> str:
    """Without doubled and trailing slashes."""
    return "/" + posixpath.normpath(path).lstrip("/")


def time_problem(text: str) -> Problem | None:
    try:
        parse_trigger_time(text[:200])
    except UsageError as error:
        return "bad-time", error.message, error.hint
    return None


def window_problem(text: str) -> Problem | None:
    try:
        parse_window(text[:200])
    except UsageError as error:
        return "bad-window", error.message, error.hint
    return None


def parse_nodes(root: Fields) -> tuple[NodeEntry, ...]:
    found = []
    for name, at, tree in root.named("nodes", "node"):
        fields = Fields(root.notes, at, tree, ("tags", "address", "parallel_jobs", "was"))
        entry = NodeEntry(
            name=name,
            tags=fields.names("tags"),
            address=_address(fields),
            was=fields.name("was"),
            parallel_jobs=fields.integer("parallel_jobs"),
        )
        found.append(entry)
    return tuple(found)


def _address(fields: Fields) -> str:
    address = fields.text("address")
    match = _ADDRESS.fullmatch(address)
    if address and (match is None or not 1 <= int(match.group(3)) <= 65_535):
        fields.bad("bad-address", "address", f"{address[:80]!r} is not an address", "write HOST:PORT, like files1.example.net:7442")
        return ""
    return address


def parse_groups(root: Fields) -> tuple[Group, ...]:
    found = []
    for name, at, tree in root.named("groups", "group"):
        fields = Fields(root.notes, at, tree, ("nodes", "tags"))
        if len(fields.keys()) != 1:
            fields.notes.add("one-of", at, tree.span, "a group has either `nodes` or `tags`", "keep one of the two")
        found.append(Group(name=name, nodes=tuple(dict.fromkeys(fields.names("nodes"))), tags=fields.names("tags")))
    return tuple(found)


def parse_repositories(root: Fields) -> tuple[RepositoryEntry, ...]:
    found = []
    for name, at, tree in root.named("repositories", "repository"):
        fields = Fields(root.notes, at, tree, ("node", "location", "trust", "scrub", "prune", "parallel_jobs"))
        fields.require("node", "location")
        entry = RepositoryEntry(
            name=name,
            node=fields.name("node"),
            location=_location(fields),
            trust=fields.choice("trust", ("node", "repository"), "node"),
            scrub_ratio=_scrub_ratio(fields),
            prune=_prune_times(fields),
            parallel_jobs=fields.integer("parallel_jobs"),
        )
        found.append(entry)
    return tuple(found)


def _scrub_ratio(fields: Fields) -> float:
    text = fields.text("scrub", "5%")
    # YAML 1.1 takes a plain `off` for a boolean, people do not.
    if text in ("off", "false"):
        return 0.0
    match = _SHARE.fullmatch(text)
    ratio = float(match.group(1)) / 100 if match else 0.0
    if 0 < ratio <= 1:
        return ratio
    fields.bad("bad-value", "scrub", f"{text[:40]!r} is not a share to read each day", "write it like 5%, or off")
    return 0.05


def _prune_times(fields: Fields) -> PruneTimes:
    if isinstance(fields.get("prune"), Mapping):
        times = fields.child("prune", ("windows", "exclude", "zone"))
        return PruneTimes(
            windows=times.texts("windows", window_problem), exclude=times.texts("exclude", window_problem), zone=zone_of(times)
        )
    text = fields.text("prune", "weekly")
    if text in ("off", "false"):
        return PruneTimes(off=True)
    if text != "weekly":
        hint = "write weekly, off, or {windows: [sun 02:00-06:00], zone: Europe/Berlin}"
        fields.bad("bad-value", "prune", f"{text[:40]!r} does not say when to prune", hint)
    return PruneTimes()


def _location(fields: Fields) -> str:
    location = fields.text("location")
    if is_object_location(location):
        try:
            parse_object_location(location)
        except UsageError as error:
            fields.bad("bad-location", "location", error.message, error.hint)
            return ""
        return location
    if location and (not location.startswith("/") or path_problem(location) or clean_path(location) == "/"):
        hint = "write an absolute path like /srv/holdfast/main, or s3://BUCKET/PREFIX?endpoint=URL"
        fields.bad("bad-location", "location", f"{location[:200]!r} is not a place for a repository", hint)
        return ""
    return clean_path(location) if location else ""


def parse_schedules(root: Fields) -> tuple[ScheduleEntry, ...]:
    return tuple(
        ScheduleEntry(name=name, **asdict(schedule_times(Fields(root.notes, at, tree, SCHEDULE_KEYS))))
        for name, at, tree in root.named("schedules", "schedule")
    )


def schedule_times(fields: Fields) -> ScheduleTimes:
    """What stands in a schedule, whether it has a name or is written in an operation."""
    if not fields.keys() and fields.span is not None:
        message = "an empty schedule says nothing"
        fields.notes.add("one-of", fields.at, fields.span, message, f"give it {listed(['windows', 'exclude', 'at'])}")
    jitter_s = fields.duration_s("jitter") or 0
    if jitter_s > LONGEST_JITTER_S:
        fields.bad("bad-value", "jitter", "`jitter` must be a day at most", "write it like 10m")
        jitter_s = 0
    return ScheduleTimes(
        windows=fields.texts("windows", window_problem),
        exclude=fields.texts("exclude", window_problem),
        at=fields.texts("at", time_problem),
        zone=zone_of(fields),
        missed=fields.choice("missed", ("once", "skip"), "once"),
        jitter_s=jitter_s,
    )


def zone_of(fields: Fields) -> str:
    """The value of `zone`, UTC by default."""
    zone = fields.text("zone", "UTC")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fields.bad("bad-zone", "zone", f"there is no time zone {zone[:80]!r}", "write it like Europe/Berlin or UTC")
        return "UTC"
    return zone
