"""Repositories: look at them, check them, and hand them to stock restic."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.look import exit_for_unreachable
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.home import resolve_home
from holdfast.cli.maintaining import do_task
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import ask_agent, master_client, plain, through_master_or_agent
from holdfast.cli.sections import new_group
from holdfast.core.errors import NotReachable, UnknownName
from holdfast.core.units import format_size

repository_app = new_group("List and check repositories, read them with stock restic.")

NameArgument = Annotated[str, typer.Argument(help="Name of the repository.")]
_LEAST_RATIO = 0.1


@repository_app.command()
def check(
    name: NameArgument,
    read_data: Annotated[bool, typer.Option("--read-data", help="Read and verify every byte, too.")] = False,
    subset: Annotated[str, typer.Option("--subset", metavar="PART", help="Read a part: 10%, 3/10 or 500MB.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for damage. Never repairs."""
    from holdfast.model.maintenance import Check, parse_subset

    if subset:
        parse_subset(subset)
    task = Check(read_data=read_data, subset=subset)
    jobs = do_task(resolve_home(home), name, task, {"read_data": read_data, "subset": subset})
    if as_json:
        print_json(jobs)
    else:
        for job in jobs:
            print_job_problems(job)
        say(f"{name}: {'no errors were found' if all(j['state'] == 'succeeded' for j in jobs) else 'see above'}")
    raise typer.Exit(max(map(exit_codes.exit_code_of_job, jobs), default=exit_codes.FAILED))


@repository_app.command("ls")
def list_repositories(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All repositories: where each lies, what it holds, whether something is wrong. Exit 3 when something is, or one cannot be asked."""
    answer = _all_of(resolve_home(home))
    if as_json:
        print_json(answer)
    elif answer["repositories"]:
        print_table(("REPOSITORY", "NODE", "STATE", "POINTS", "NEWEST", "STORED", "LOCATION"), map(_row, answer["repositories"]))
    elif not answer["unreachable"]:
        note("there is none; `holdfast protect PATH --to FOLDER` makes one")
    for row in answer["repositories"]:
        if row["error"] and not as_json:
            note(f"{row['name']}: {row['error']['message']} [{row['error']['code']}]")
    if any(row["error"] for row in answer["repositories"]):
        raise typer.Exit(exit_codes.WARNINGS)
    exit_for_unreachable(answer)


@repository_app.command()
def stats(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What it holds, what that takes, what deduplication and compression save, and when it was last checked."""
    row = _status_of(resolve_home(home), name)
    if as_json:
        print_json(row)
        raise typer.Exit(exit_codes.WARNINGS if row["error"] else exit_codes.OK)
    unique, stored = row["unique_bytes"], row["stored_bytes"]
    say(one_line(f"{row['name']} on {row['node']}, {row['location']}"))
    say(f"points:     {row['points']}, the newest {local_time(row['newest_at'])}")
    say(f"restored:   {format_size(row['points_bytes'])} if every point were")
    say(f"unique:     {format_size(unique)}{savings('deduplication', row['points_bytes'], unique)}")
    say(f"stored:     {format_size(stored)}{savings('compression', unique, stored)}")
    if row["room"]:
        say(f"room:       {_room_words(row['room'])}")
    say(f"last check: {_last_check(row)}")
    say(f"scrubbed:   {_last_scrub(row)}")
    if row.get("parallel_jobs"):
        say(f"jobs:       {row['delivering']} deliver to it now, of {row['parallel_jobs']} at once at most")
        for line in _place_lines(row):
            say(one_line(f"            {line}"))
    if store := row["store"]:
        say(one_line(f"store:      {_store_words(store)}"))
    if pause := row["pause"]:
        say(one_line(f"paused:     since {local_time(pause['since'])}, by {pause['by']}; {pause.get('sessions', 0)} at work still"))
    for lock in row["locks"]:
        say(one_line(f"in use by:  {_lock_words(lock)}"))
    if row["error"]:
        note(f"{row['error']['message']} [{row['error']['code']}]")
        raise typer.Exit(exit_codes.WARNINGS)


@repository_app.command()
def growth(
    name: NameArgument,
    days: Annotated[int, typer.Option("--days", min=1, max=3_660, help="How far back.")] = 400,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How it grew: what it held each day, as the Master has it on record."""
    found = master_client(home).get(path_of("repositories", name, "growth"), days=days)
    if as_json:
        print_json(found)
        return
    sizes = list(found["sizes"])
    if found["now"] and (not sizes or sizes[-1]["at"] != found["now"]["at"]):
        sizes.append(found["now"])
    cells = [
        (local_time(each["at"]), each["points"], *(format_size(each[key]) for key in ("points_bytes", "unique_bytes", "stored_bytes")))
        for each in sizes
    ]
    print_table(("TIME", "POINTS", "RESTORED", "UNIQUE", "STORED"), cells, right=frozenset({1, 2, 3, 4}))
    if not found["now"]:
        note(f"{name} does not say at the moment what it holds")


@repository_app.command()
def env(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print what stock restic needs, for `eval`. Works on the owner's machine only."""
    from holdfast.model.questions import AskRepositoryEnv

    answer = plain(ask_agent(resolve_home(home), AskRepositoryEnv(repository=name)))
    variables = {"RESTIC_REPOSITORY": answer["location"], "RESTIC_PASSWORD": answer["password"], **answer.get("variables", {})}
    if as_json:
        print_json(variables)
        return
    for variable, value in variables.items():
        say(f"export {variable}={shlex.quote(value)}")


def _status_of(home: Path, name: str) -> dict[str, Any]:
    """The Master's row of it, or this machine's own. Raises `UnknownName`, and `NotReachable` when its owner is away."""
    answer = _all_of(home)
    silent = next((each for each in answer["unreachable"] if each["repository"] == name), None)
    if silent is not None:
        raise NotReachable(f"{silent['node']}, which owns {name}, does not answer", hint=silent["error"]["hint"])
    rows: list[dict[str, Any]] = answer["repositories"]
    found = next((row for row in rows if name in (row["name"], row["id"])), None)
    if found is None:
        from holdfast.compiler.nearest import nearest_hint

        names = [row["name"] for row in rows]
        raise UnknownName(f"there is no repository {name!r}", hint=nearest_hint(name, names, f"there is: {', '.join(names) or 'none'}"))
    return found


def _all_of(home: Path) -> dict[str, Any]:
    """The Master's rows and whom it could not ask; or of this machine's own repositories."""

    def by_agent(place: Path) -> dict[str, Any]:
        from holdfast.model.node_status import NodeStatus
        from holdfast.model.questions import AskStatus

        answer = ask_agent(place, AskStatus())
        assert isinstance(answer, NodeStatus)
        told = [(row, plain(row)) for row in answer.repositories]
        # What is as by default is not on the wire.
        rows = [{"node": answer.node, **{key: said.get(key, getattr(row, key)) for key in row.__struct_fields__}} for row, said in told]
        return {"repositories": rows, "unreachable": []}

    def by_master(client: ApiClient) -> dict[str, Any]:
        return dict(client.get("/repositories"))

    answer: dict[str, Any] = through_master_or_agent(home, by_master, by_agent)
    return answer


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    state = "in trouble" if row["error"] else "paused" if row["pause"] else "ok"
    held = (row["points"], local_time(row["newest_at"]), format_size(row["stored_bytes"]))
    return one_line(row["name"]), one_line(row["node"]), state, *held, one_line(row["location"])


def savings(saving: str, before: int, after: int) -> str:
    """Empty where nothing is saved that one could see: what belongs to files is all there is of a tiny repository."""
    ratio = before / after if after else 0.0
    return f" ({saving} {ratio:.1f} x)" if ratio >= _LEAST_RATIO else ""


def _room_words(room: dict[str, Any]) -> str:
    import msgspec

    from holdfast.core.clock import SystemClock, now
    from holdfast.model.room import Room, room_words

    return room_words(msgspec.convert(room, Room), now(SystemClock()))


def _store_words(store: dict[str, Any]) -> str:
    lock = store.get("object_lock")
    words = [
        "object lock" if lock else "no object lock" if lock is False else f"object lock not known ({store.get('object_lock_problem')})"
    ]
    words += ["locks every new file by itself, session locks too"] if store.get("default_retention") else []
    words.append("keeps versions" if store.get("versions") else "keeps no versions")
    words.append("one owner at a time" if store.get("one_owner") else "cannot keep two owners apart that come at one moment")
    return ", ".join(words)


def _place_lines(row: dict[str, Any]) -> Iterator[str]:
    """Who has a place, and who waits for one. Of very many some are named."""
    for job in row.get("holders") or ():
        yield f"delivers:  {_job_words(job)}"
    waiting = row.get("waiting") or ()
    for job in waiting:
        yield f"waits:     {_job_words(job)}"
    if (more := row.get("waiting_total", 0) - len(waiting)) > 0:
        yield f"{more} more wait"


def _job_words(job: dict[str, Any]) -> str:
    what = f"{job['node']}, its cascade of {job['dataset']}" if job.get("dataset") else job["node"]
    return f"{what}, since {local_time(job['since'])}"


def _lock_words(lock: dict[str, Any]) -> str:
    if not lock.get("at"):
        return f"somebody whose lock cannot be read ({lock['id'][:8]})"
    who = "the owner" if lock.get("own") else f"{lock['username']}@{lock['hostname']}"
    how = ", alone" if lock.get("exclusive") else ""
    gone = ", who is gone" if lock.get("stale") else ""
    return f"{who}, process {lock['pid']}{how}{gone}, last heard of {local_time(lock['at'])}"


def _last_check(row: dict[str, Any]) -> str:
    if not row["checked_at"]:
        return f"never; `holdfast repository check {row['name']}` does it"
    found = "nothing wrong" if row["checked_ok"] else "damage was found"
    return f"{local_time(row['checked_at'])}, {found}{', every byte read' if row['checked_data'] else ''}"


def _last_scrub(row: dict[str, Any]) -> str:
    proven = f"every byte was proven readable {local_time(row['proven_at'])}" if row["proven_at"] else "not every byte was read yet"
    if not row["scrubbed_at"]:
        return f"never; {proven}"
    return f"{local_time(row['scrubbed_at'])}, {row['scrub_done_ratio']:.0%} of this pass; {proven}"
