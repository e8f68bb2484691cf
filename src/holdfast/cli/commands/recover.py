"""Getting data back, and taking that back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.anomalies import found_anomalies
from holdfast.cli.commands.run import print_job_problems, print_steps
from holdfast.cli.datasets import naming
from holdfast.cli.home import resolve_home
from holdfast.cli.local_times import in_local_time
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, print_json, say
from holdfast.cli.reach import ask_agent, local_job, plain, through_master_or_agent
from holdfast.cli.waiting import wait_for_local_jobs, wait_for_trigger
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import ProtocolError, UnknownName, UsageError
from holdfast.core.units import format_utc, parse_duration_s, parse_rate_bytes_s, parse_time

if TYPE_CHECKING:
    from holdfast.model.orders import RestoreRequest

_CONFLICTS, _OWNERS = ("skip", "overwrite", "rename"), ("numeric", "name", "none")


def register(app: typer.Typer) -> None:
    app.command()(restore)


def restore(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[POINT] [PATH]... | undo JOB", help="A point, then paths in it; or take a restore back.")
    ] = None,
    to: Annotated[str, typer.Option("--to", help="Folder below which the full source paths are written; / is in place.")] = "",
    dataset: Annotated[str, typer.Option("--dataset", help="Instead of a point: this dataset ...")] = "",
    at: Annotated[str, typer.Option("--at", help="... at this time: ISO 8601, like '2h ago', or last-clean (default: the newest).")] = "",
    before: Annotated[str, typer.Option("--before-deletion", metavar="PATH", help="... as it was before PATH was deleted.")] = "",
    source: Annotated[str, typer.Option("--from", metavar="COPY", help="Only from this repository, or mirror NODE:FOLDER.")] = "",
    node: Annotated[str, typer.Option("--node", help="Machine to write on (default: where the data came from).")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    conflict: Annotated[str, typer.Option("--conflict", help="What to do with existing files: skip, overwrite or rename.")] = "overwrite",
    limit: Annotated[str, typer.Option("--limit", help="At most this rate, like 50MB/s.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Owners by their ids (numeric), by name, or whoever restores (none).")] = "numeric",
    map_owner: Annotated[list[str] | None, typer.Option("--map-owner", metavar="FROM:TO", help="Another owner: names or ids.")] = None,
    map_group: Annotated[list[str] | None, typer.Option("--map-group", metavar="FROM:TO", help="Another group: names or ids.")] = None,
    undo_for: Annotated[str, typer.Option("--undo-for", help="How long what is replaced is kept, 0s = not at all.")] = "7d",
    exact: Annotated[bool, typer.Option("--exact", help="In place: what came later and is not in the point goes, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a point, or a dataset as it was at a time. Waits until it is done. `restore undo JOB` takes one back."""
    given = list(arguments or [])
    place = resolve_home(home)
    if given and given[0] == "undo":
        _undo(place, given[1:], dry_run=dry_run, as_json=as_json)
    paths = _paths_of(given, dataset, before)
    if not to:
        raise UsageError("where to? --to is missing", hint="--to DIR writes the full paths below DIR, --to / restores in place")
    _check_word("--conflict", conflict, _CONFLICTS)
    _check_word("--owner", owner, _OWNERS)
    order: dict[str, Any] = {
        **_what(place, given, dataset, at, before),
        "paths": [quote(os.fsencode(path), safe="/") for path in paths],
        "to": to if node else str(Path(to).expanduser().absolute()),
        "node": node,
        "repository": source,
        "dry_run": dry_run,
        "conflict": conflict,
        "limit_bytes_s": parse_rate_bytes_s(limit) if limit else None,
        "owner": owner,
        "map_owners": map_owner or [],
        "map_groups": map_group or [],
        "undo_for": undo_for,
        "exact": exact,
    }
    # Who named a copy is told of that.
    with naming(place, "" if source else dataset):
        jobs = through_master_or_agent(place, lambda client: _by_master(client, order), lambda h: _by_agent(h, order, paths, before))
    tell(jobs, f"below {order['to']}", dry_run=dry_run, as_json=as_json)


def _what(place: Path, given: list[str], dataset: str, at: str, before: str) -> dict[str, str]:
    """Of which point, or of which dataset when."""
    if before and at:
        raise UsageError("--before-deletion is a time of its own", hint="leave --at out")
    return {
        "point": "" if dataset else given[0],
        "dataset": dataset,
        "at": _moment(place, dataset, at) if dataset and not before else "",
        "before_deletion": quote(os.fsencode(before), safe="/"),
    }


def _paths_of(given: list[str], dataset: str, before: str) -> list[str]:
    """The paths among the arguments."""
    if bool(dataset) == bool(given and not given[0].startswith("/")):
        raise UsageError("name either a point or --dataset", hint="holdfast restore POINT --to DIR, or --dataset D --at TIME --to DIR")
    if before and not dataset:
        raise UsageError("--before-deletion goes with --dataset", hint="holdfast restore --dataset D --before-deletion PATH --to DIR")
    paths = given if dataset else given[1:]
    if relative := next((path for path in (*paths, before) if path and not path.startswith("/")), None):
        raise UsageError(f"{relative} is not an absolute path", hint="paths are as on the source; `holdfast ls POINT` shows them")
    return paths or ([before] if before else [])


def _check_word(option: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise UsageError(f"{option} {word} is not one of {', '.join(known)}", hint="take one of these")


def _undo(place: Path, jobs: list[str], *, dry_run: bool, as_json: bool) -> None:
    if len(jobs) != 1:
        raise UsageError("which restore?", hint="holdfast restore undo JOB; `holdfast jobs` lists them")

    def by_master(client: ApiClient) -> list[dict[str, Any]]:
        return waited(client, client.post(path_of("jobs", jobs[0], "undo"), {"dry_run": dry_run}))

    def by_agent(home: Path) -> list[dict[str, Any]]:
        from holdfast.model.questions import JobsStarted
        from holdfast.model.restoring import AskUndo

        answer = ask_agent(home, AskUndo(job=local_job(home, jobs[0]), dry_run=dry_run))
        if not isinstance(answer, JobsStarted):
            raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
        return wait_for_local_jobs(home, tuple(answer.jobs))

    tell(through_master_or_agent(place, by_master, by_agent), "restore taken back", dry_run=dry_run, as_json=as_json)


def _moment(place: Path, dataset: str, at: str) -> str:
    """In UTC; of `last-clean` what the anomalies say. Empty where none is given: the newest may bear a later time than this machine's
    clock shows, or a source's clock was ahead."""
    from holdfast.model.anomalies import LAST_CLEAN, Anomaly, last_clean

    if at != LAST_CLEAN:
        return format_utc(parse_time(at, now(SystemClock()), zone=None)) if at else ""
    import msgspec

    rows = found_anomalies(place, dataset)["anomalies"]
    moment = last_clean(msgspec.convert(rows, tuple[Anomaly, ...]), dataset)
    note(f"the last clean moment of {dataset} is {local_time(moment.isoformat())}")
    return moment.isoformat()


def _by_master(client: ApiClient, order: dict[str, Any]) -> list[dict[str, Any]]:
    started = client.post("/restores", {key: value for key, value in order.items() if value not in ("", None)})
    say_what_lacks(started)
    if started.get("refusal"):
        _say_refusal(started["refusal"], started["point"])
    return waited(client, started)


def say_what_lacks(answer: dict[str, Any]) -> None:
    """Of what the Master gave a copy of that has not all folders."""
    if lacks := answer.get("lacks"):
        repository = answer["point"]["repository"]
        note(f"not in {repository}, which has a part of this point, or the point is older than these folders: {', '.join(lacks)}")


def _say_refusal(refusal: dict[str, Any], point: dict[str, Any]) -> None:
    """Of what was before a deletion that nobody keeps."""
    error, since = refusal["error"], refusal.get("since")
    told = f"the source is refused{f' since {local_time(since)}' if since else ''}: {error['message']} [{error['code']}]"
    note(f"{told}; restored is the last state kept, of {local_time(point['time'])}")


def waited(client: ApiClient, started: dict[str, Any]) -> list[dict[str, Any]]:
    record = wait_for_trigger(client, started["trigger"])
    if not record["jobs"]:
        raise ProtocolError("the restore left no job behind", hint="see `holdfast logs`")
    return list(record["jobs"])


def _by_agent(home: Path, order: dict[str, Any], paths: list[str], before: str) -> list[dict[str, Any]]:
    """Restore on the repository's own machine, without the Master."""
    from holdfast.core.ids import PointId
    from holdfast.model.questions import JobsStarted
    from holdfast.model.restoring import AskRestore

    if order["exact"]:
        raise UsageError("without the Master nobody knows what is too much", hint="leave --exact out, or wait for the Master")
    if order["node"]:
        raise UsageError("without the Master only this machine can be restored to", hint="leave --node out")
    point = _local_mirror(home, order, before) or order["point"] or _newest_point(home, order, before)
    answer = ask_agent(home, AskRestore(request=_request(order), point=PointId(point), paths=tuple(os.fsencode(path) for path in paths)))
    if not isinstance(answer, JobsStarted):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    return wait_for_local_jobs(home, tuple(answer.jobs))


def _request(order: dict[str, Any]) -> RestoreRequest:
    from holdfast.model.orders import Owners, RestoreRequest, parse_owner_change

    return RestoreRequest(
        target=order["to"],
        conflict=order["conflict"],
        dry_run=order["dry_run"],
        limit_bytes_s=order["limit_bytes_s"],
        undo_for_s=parse_duration_s(order["undo_for"]),
        owners=Owners(
            by=order["owner"],
            users=tuple(map(parse_owner_change, order["map_owners"])),
            groups=tuple(map(parse_owner_change, order["map_groups"])),
        ),
    )


def _local_mirror(home: Path, order: dict[str, Any], before: str) -> str:
    """The address of this machine's mirror that is meant: named by --from, or of a dataset that no repository here has. Empty = none is.
    Raises `UnknownName` for one that is named and is not here."""
    from holdfast.model.mirrors import AskMirrors, Mirrors, is_mirror_named, mirror_address, newest

    named = is_mirror_named(order["repository"])
    if before or not order["dataset"]:
        if named:
            raise UsageError("without the Master a mirror is restored by its dataset", hint="--dataset D --from NODE:FOLDER, and no point")
        return ""
    answer = ask_agent(home, AskMirrors(dataset=order["dataset"]))
    states = answer.mirrors if isinstance(answer, Mirrors) else ()
    folder = order["repository"].partition(":")[2]
    if named:
        # The node's name is not asked for: it can be no other machine's.
        states = tuple(s for s in states if not folder or folder.rstrip("/") in [target.rstrip("/") for _, target in s.targets])
    elif order["repository"] or _has_repository(home):
        return ""
    at = parse_time(order["at"], now(SystemClock())) if order["at"] else None
    state = newest(states, at)
    if state is None and named:
        raise UnknownName(f"no mirror {order['repository']} of {order['dataset']} stands here", hint="`holdfast mirrors` lists them")
    return mirror_address(state.action) if state is not None else ""


def _has_repository(home: Path) -> bool:
    from holdfast.model.node_status import NodeStatus
    from holdfast.model.questions import AskStatus

    status = ask_agent(home, AskStatus())
    return isinstance(status, NodeStatus) and bool(status.repositories)


def _newest_point(home: Path, order: dict[str, Any], before: str) -> str:
    from holdfast.model.listing_questions import Points
    from holdfast.model.moments import AskMoment
    from holdfast.model.node_status import NodeStatus
    from holdfast.model.points import newest_of
    from holdfast.model.questions import AskStatus
    from holdfast.model.refusals import refusal_of

    at = parse_time(order["at"], now(SystemClock())) if order["at"] else None
    status = ask_agent(home, AskStatus()) if before else None
    refusal = refusal_of(status, order["dataset"]) if isinstance(status, NodeStatus) else None
    ask = AskMoment(dataset=order["dataset"], at=at, repository=order["repository"], before_deletion=os.fsencode(before), refusal=refusal)
    answer = ask_agent(home, ask)
    if not isinstance(answer, Points):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    newest = newest_of(answer.points)
    if refusal is not None:
        _say_refusal(plain(refusal), plain(newest))
    return newest.id


def tell(jobs: list[dict[str, Any]], where: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(jobs[0] if len(jobs) == 1 else jobs)
    else:
        for job in jobs:
            _print_result(job, where, dry_run)
    raise typer.Exit(max(exit_codes.exit_code_of_job(job) for job in jobs))


def _print_result(job: dict[str, Any], where: str, dry_run: bool) -> None:
    print_job_problems(job)
    if job["state"] not in ("succeeded", "warnings"):
        say(f"{job['kind']} {job['state']}")
        return
    told = {finding["code"]: finding["message"] for finding in job.get("findings") or []}
    summary = next((told[code] for code in ("restored", "dry-run", "undone", "recalled") if code in told), "done")
    say(f"{'dry run: ' if dry_run else ''}{where}: {summary}")
    if dry_run:
        print_steps(job)
    if "copy-chosen" in told:
        say(in_local_time(told["copy-chosen"]))
    if "mirror-alone" in told:
        say(in_local_time(told["mirror-alone"]))
    if "undo-kept" in told:
        say(f"{in_local_time(told['undo-kept'])}: holdfast restore undo {job['id'][:8]}")
