"""Restore points: list them, tag, lock, expire and forget them, and forget a dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from holdfast.cli.choosing_points import Like, chosen, moment_of, points_listed, points_meant
from holdfast.cli.client import ApiClient
from holdfast.cli.commands.look import DatasetOption, RepositoryOption, exit_for_unreachable
from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, print_json, print_table, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.cli.sections import new_group
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import Refused, UsageError
from holdfast.core.units import format_size, format_utc, parse_duration_s, parse_time

if TYPE_CHECKING:
    from holdfast.model.point_changes import PointChange

points_app = new_group("Restore points: list, tag, lock, expire, forget.", says_what_there_is=False)
dataset_app = new_group("Datasets as repositories hold them.")

PointsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of points, or their beginnings.")]
OfDatasetOption = Annotated[str, typer.Option("--dataset", help="In place of ids: of this dataset ...")]
OfOperationOption = Annotated[str, typer.Option("--operation", help="... and made by this operation ...")]
OfTagOption = Annotated[str, typer.Option("--tag", help="... and with this tag, given by hand or inherited ...")]
BeforeOption = Annotated[str, typer.Option("--before", metavar="TIME", help="... and earlier than this: ISO 8601, or like '90d ago'.")]
# In one call of the API.
_MOST_AT_ONCE = 1_000
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would become of each.")]


@points_app.callback(invoke_without_command=True)
def points(
    context: typer.Context,
    dataset: DatasetOption = "",
    repository: RepositoryOption = "",
    tag: Annotated[str, typer.Option("--tag", help="Only those that bear it, given by hand or inherited.")] = "",
    operation: Annotated[str, typer.Option("--operation", help="Only those that this operation made.")] = "",
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Not those captured earlier, like '7d ago'.")] = "",
    before: Annotated[str, typer.Option("--before", metavar="TIME", help="Only those captured earlier, like '90d ago'.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The restore points, oldest first. Exit 3 when a repository could not be asked."""
    if context.invoked_subcommand is not None:
        return
    answer = points_listed(resolve_home(home), dataset, repository, tag)
    is_narrowed = bool(tag or operation or since or before)
    answer["points"] = chosen(answer["points"], operation, moment_of(before), moment_of(since))
    rows = sorted(answer["points"], key=lambda p: (p["time"], p["repository"]))
    if dataset and not rows and not is_narrowed:
        refuse_unknown_dataset(resolve_home(home), dataset)
    if as_json:
        print_json(rows)
    elif not rows:
        is_chosen = bool(dataset or repository or is_narrowed)
        note("no point is like that" if is_chosen else "there is none yet; `holdfast trigger FLOW --first --wait` makes one now")
    else:
        cells = [
            (
                p["id"][:8],
                p["dataset"],
                p["operation"],
                p["repository"],
                local_time(p["time"]),
                p["files"],
                format_size(p["bytes"]),
                _marks(p),
            )
            for p in rows
        ]
        print_table(("POINT", "DATASET", "OPERATION", "REPOSITORY", "TIME", "FILES", "SIZE", ""), cells, right=frozenset({5, 6}))
    exit_for_unreachable(answer)


@points_app.command()
def tag(
    ids: PointsArgument = None,
    add: Annotated[list[str] | None, typer.Option("--add", help="A word to add; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A word to take away; may be repeated.")] = None,
    dataset: OfDatasetOption = "",
    operation: OfOperationOption = "",
    tag: OfTagOption = "",
    before: BeforeOption = "",
    repository: RepositoryOption = "",
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give points words of your own, or take them away."""
    from holdfast.model.point_changes import Tag

    place = resolve_home(home)
    meant = points_meant(place, ids, Like(dataset=dataset, operation=operation, tag=tag, before=before), repository)
    body = {"points": meant, "repository": repository, "dry_run": dry_run, "add": add or [], "remove": remove or []}
    change = Tag(add=tuple(add or ()), remove=tuple(remove or ()))
    _tell(_change(place, "/points/tag", body, change), as_json)


@points_app.command()
def lock(
    ids: PointsArgument = None,
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="ISO 8601.")] = "",
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="From now on, like 30d.")] = "",
    dataset: OfDatasetOption = "",
    operation: OfOperationOption = "",
    tag: OfTagOption = "",
    before: BeforeOption = "",
    repository: RepositoryOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let nothing remove points before a time. A lock is only ever lengthened: think before you lock for years."""
    from holdfast.model.point_changes import Lock

    moment = parse_time(until, now(SystemClock()), None) if until else None
    if moment is not None and moment <= now(SystemClock()):
        raise UsageError(f"{until} has passed: a lock until then locks nothing", hint="give a time to come, or --for 30d")
    place = resolve_home(home)
    body = {
        "points": points_meant(place, ids, Like(dataset=dataset, operation=operation, tag=tag, before=before), repository),
        "repository": repository,
        "dry_run": dry_run,
        "until": format_utc(moment) if moment else "",
        "duration": duration,
    }
    change = Lock(until=moment, for_s=parse_duration_s(duration) if duration else None)
    planned = _change(place, "/points/lock", {**body, "dry_run": True}, change)
    if not dry_run:
        _ask_first(planned, yes, _LOCKING)
    _tell(planned if dry_run else _change(place, "/points/lock", body, change), as_json)


@points_app.command()
def expire(
    ids: PointsArgument = None,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="ISO 8601.")] = "",
    at_once: Annotated[bool, typer.Option("--now", help="From now on.")] = False,
    never: Annotated[bool, typer.Option("--never", help="Take back what was said before.")] = False,
    dataset: OfDatasetOption = "",
    operation: OfOperationOption = "",
    tag: OfTagOption = "",
    before: BeforeOption = "",
    repository: RepositoryOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before those that were chosen, not named, expire now.")] = False,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say when points end: from then on no keep rule keeps them, and the next run lets them go."""
    from holdfast.model.point_changes import Expire

    if sum((bool(at), at_once, never)) != 1:
        raise UsageError("when do they expire?", hint="give --at TIME, --now or --never, one of them")
    moment = None if never else parse_time(at or "now", now(SystemClock()), None)
    place = resolve_home(home)
    meant = points_meant(place, ids, Like(dataset=dataset, operation=operation, tag=tag, before=before), repository)
    body = {"points": meant, "repository": repository, "dry_run": dry_run, "at": format_utc(moment) if moment else ""}
    if not (ids or never or dry_run):
        _ask_first(_change(place, "/points/expire", {**body, "dry_run": True}, Expire(at=moment)), yes, _EXPIRING)
    _tell(_change(place, "/points/expire", body, Expire(at=moment)), as_json)


@points_app.command()
def forget(
    ids: PointsArgument = None,
    dataset: OfDatasetOption = "",
    operation: OfOperationOption = "",
    tag: OfTagOption = "",
    before: BeforeOption = "",
    repository: RepositoryOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; also forget the newest point of a dataset.")] = False,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget points now. The space comes back with a prune. Locked points stay, and then nothing is forgotten."""
    from holdfast.model.point_changes import Forget

    place = resolve_home(home)
    meant = points_meant(place, ids, Like(dataset=dataset, operation=operation, tag=tag, before=before), repository)
    body = {"points": meant, "repository": repository, "newest": yes or dry_run}
    planned = _change(place, "/points/forget", {**body, "dry_run": True}, Forget(newest=yes or dry_run))
    if dry_run:
        _tell(planned, as_json)
        return
    _ask_first(planned, yes)
    _tell(_change(place, "/points/forget", {**body, "dry_run": False}, Forget(newest=yes)), as_json)


@dataset_app.command("forget")
def forget_dataset(
    dataset: Annotated[str, typer.Argument(help="The dataset, like files1/documents.")],
    repository: Annotated[str, typer.Option("--repository", help="The repository in which all of it is forgotten.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget all points of a dataset in one repository. Locked ones stay, and are listed."""
    from holdfast.model.point_changes import Forget

    place = resolve_home(home)
    body = {"dataset": dataset, "repository": repository}
    planned = _change(place, "/datasets/forget", {**body, "dry_run": True}, Forget(newest=True))
    if dry_run:
        _tell(planned, as_json)
        return
    _ask_first(planned, yes)
    _tell(_change(place, "/datasets/forget", {**body, "dry_run": False}, Forget(newest=True)), as_json)


def _change(home: Path, path: str, body: dict[str, Any], change: PointChange) -> dict[str, Any]:
    """So many at once as the Master takes: of more, each call for itself is done whole or not at all."""
    if "points" not in body:
        return _change_at_once(home, path, body, change)
    changed: dict[str, Any] = {"changes": [], "unreachable": [], "dry_run": body["dry_run"]}
    for first in range(0, len(body["points"]), _MOST_AT_ONCE):
        some = {**body, "points": body["points"][first : first + _MOST_AT_ONCE]}
        answer = _change_at_once(home, path, some, change)
        changed["changes"] += answer["changes"]
        changed["unreachable"] += [each for each in answer.get("unreachable", ()) if each not in changed["unreachable"]]
    return changed


def _change_at_once(home: Path, path: str, body: dict[str, Any], change: PointChange) -> dict[str, Any]:
    def by_agent(place: Path) -> dict[str, Any]:
        from holdfast.model.point_changes import AskChangePoints

        ask = AskChangePoints(
            change=change,
            points=tuple(body.get("points", ())),
            dataset=body.get("dataset", ""),
            repository=body["repository"],
            dry_run=body["dry_run"],
        )
        return plain(ask_agent(place, ask, 300))

    def by_master(client: ApiClient) -> dict[str, Any]:
        return dict(client.post(path, body))

    return through_master_or_agent(home, by_master, by_agent)


class Irrevocable(NamedTuple):
    """What is asked about first: points with this outcome in the plan. `becomes`: what would become of them."""

    outcome: str
    becomes: str
    question: str
    nothing: str


_FORGETTING = Irrevocable("forgotten", "forgotten for ever", "forget {} for ever?", "nothing was forgotten")
_LOCKING = Irrevocable("changed", "locked, and nobody can end a lock early", "lock {}, with no way back?", "nothing was locked")


_EXPIRING = Irrevocable("changed", "let go by the next run", "expire {}?", "nothing expires")
_DONE = ("changed", "forgotten")


def _ask_first(planned: dict[str, Any], yes: bool, what: Irrevocable = _FORGETTING) -> None:
    """Raises `Refused` where nobody can be asked, or somebody says no."""
    going = [change for change in planned["changes"] if change["outcome"] == what.outcome]
    if yes or not going:
        return
    _print_changes(planned)
    if not sys.stdin.isatty():
        raise Refused(f"{_points(len(going))} would be {what.becomes}", hint="look at the plan with --dry-run, then add --yes")
    sys.stderr.write(f"{what.question.format(_points(len(going)))} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused(what.nothing, hint="answer y to go on")


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        _print_changes(answer)
        if answer.get("dry_run"):
            note("nothing was changed")
    exit_for_unreachable(answer)


def _print_changes(answer: dict[str, Any]) -> None:
    if not answer["changes"]:
        say("nothing to change")
        return
    cells = [
        (
            change["point"]["id"][:8],
            change["point"]["dataset"],
            change["point"]["operation"],
            change["point"]["repository"],
            local_time(change["point"]["time"]),
            f"would be {change['outcome']}" if answer.get("dry_run") and change["outcome"] in _DONE else change["outcome"],
            change.get("why") or _marks(change["point"]),
        )
        for change in answer["changes"]
    ]
    print_table(("POINT", "DATASET", "OPERATION", "REPOSITORY", "TIME", "OUTCOME", ""), cells)


def _marks(point: dict[str, Any]) -> str:
    parts = []
    if point.get("locked_until"):
        parts.append(f"locked until {local_time(point['locked_until'])}")
    if point.get("expires_at"):
        parts.append(f"expires {local_time(point['expires_at'])}")
    proof = point.get("proof") or {}
    if proof.get("doubted_at") and (proof.get("proven_at") or "") <= proof["doubted_at"]:
        parts.append(f"not proven, tried {local_time(proof['doubted_at'])}")
    elif proof.get("proven_at"):
        parts.append(f"proven {local_time(proof['proven_at'])}")
    if point.get("suspect"):
        parts.append("SUSPECT")
    if point.get("held_until"):
        parts.append(f"held until {local_time(point['held_until'])}")
    parts += [f"#{tag}" for tag in point.get("tags") or ()]
    if inherited := point.get("inherited"):
        parts.append(f"inherited {' '.join(inherited)}")
    return ", ".join(parts)
