"""Looking: status, jobs, ls, history."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli import exit_codes
from holdfast.cli.client import path_of
from holdfast.cli.commands.change_job import change_job
from holdfast.cli.commands.monitor import print_strip
from holdfast.cli.commands.run import print_bottlenecks, print_job_problems, print_jobs_result, print_steps
from holdfast.cli.datasets import naming
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import age, local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import ask_agent, master_client, plain, through_master_or_agent
from holdfast.cli.spooled import spooled_lines
from holdfast.cli.waiting import progress_text
from holdfast.cli.waits import wait_words
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import UsageError
from holdfast.core.units import format_duration, format_size, format_utc, parse_time
from holdfast.host.zone import zone_name

DatasetOption = Annotated[str, typer.Option("--dataset", help="Only this dataset, like files1/documents.")]
RepositoryOption = Annotated[str, typer.Option("--repository", help="Only this repository.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")]


_MOST_ROWS = 1_000


def register(app: typer.Typer) -> None:
    for command in (status, jobs, ls, history):
        app.command()(command)


def status(
    days: Annotated[int | None, typer.Option("--days", min=1, max=90, help="How each dataset did on so many days instead.")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, max=10_000, help="At most so many rows of each list, the worst first; 1000, or with --json all."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How everything does. Exit 3 when something is overdue, failed, in a gap or not known."""
    client = master_client(home)
    if days is not None:
        strip = client.get("/status/days", days=days, zone=zone_name())
        print_json(strip) if as_json else print_strip(strip)
        return
    answer = {**client.get("/status", limit=limit if limit or as_json else _MOST_ROWS), "flows": client.get("/flows")["flows"]}
    if as_json:
        print_json(answer)
        raise typer.Exit(exit_codes.OK if answer["ok"] else exit_codes.WARNINGS)
    say(answer["verdict"])
    moment = now(SystemClock())
    rows = [
        (p["dataset"], p["operation"], _where(p), _protection_state(p), _last_good(p, moment), local_time(p.get("due_at")))
        for p in answer["protections"]
    ]
    if rows:
        say()
        print_table(("DATASET", "OPERATION", "WHERE", "STATE", "LAST GOOD", "NEXT DUE"), rows)
        if (more := answer["totals"]["protections"] - len(rows)) > 0:
            note(f"and {more} more that do no worse; `--limit 10000` shows them")
    if answer["following"]:
        say()
        print_table(
            ("DATASET", "FOLLOWED", "BY", "PENDING", "LAG", "NEWEST GAP"), [_following(each, moment) for each in answer["following"]]
        )
    if drilled := [{"repository": each["name"], **drill} for each in answer["repositories"] for drill in each.get("drills") or ()]:
        # Here and not above: that module builds on this one.
        from holdfast.cli.commands.drills import print_drills

        say()
        print_drills(drilled)
    if not rows:
        note("`holdfast protect PATH --to FOLDER` protects a folder")
    _print_remarks(answer)
    raise typer.Exit(exit_codes.OK if answer["ok"] else exit_codes.WARNINGS)


def _following(each: dict[str, Any], moment: datetime) -> tuple[str, ...]:
    since = each.get("pending_since")
    lag = "-" if since is None else format_duration((moment - datetime.fromisoformat(since)).total_seconds() // 1)
    gap = each["gaps"][0] if each["gaps"] else None
    told = "-" if gap is None else f"{local_time(gap['since'])} to {local_time(gap['until'])} ({gap['reason']})"
    if each.get("open_gap_since"):
        told = f"since {local_time(each['open_gap_since'])}"
    state = each["state"]
    if each.get("waits_until") and not each.get("error"):
        state = f"{state}, window closed until {local_time(each['waits_until'])}"
    pending = f"{each['pending']} ({format_size(each['pending_bytes'])})" if each.get("pending_bytes") else str(each["pending"])
    return each["dataset"], state, ", ".join(each["means"]) or "-", pending, lag, told


def _print_remarks(answer: dict[str, Any]) -> None:
    """What the table of `status` cannot say: flows whose draft is another, errors (each once), findings."""
    for flow in answer["flows"]:
        if flow["state"] == "changed":
            note(f"flow {flow['name']}: changed, not active; `holdfast activate {flow['name']}` puts it into force")
        elif flow["state"] == "removed":
            note(f"flow {flow['name']}: not in the document any more, still active; `holdfast deactivate {flow['name']}` ends it")
    told: dict[tuple[str, str], list[str]] = {}
    for protection in answer["protections"]:
        if error := protection.get("error"):
            names = told.setdefault((protection["dataset"], f"{error['message']} [{error['code']}]"), [])
            names += [protection["operation"]] if protection["operation"] not in names else []
    for (dataset, text), operations in told.items():
        note(f"{dataset} ({', '.join(operations)}): {text}")
    for each in answer["following"]:
        for line in spooled_lines(each, now(SystemClock())):
            note(line)
    if count := answer.get("unacknowledged"):
        note(f"{count} errors in the log that nobody has acknowledged; `holdfast logs --severity error --open` lists them")
    for finding in answer["findings"]:
        place = f"{finding['node']}: " if finding.get("node") else ""
        note(f"{finding['severity']}: {place}{finding['message']} [{finding['code']}]")


def jobs(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JOB | pause JOB | resume JOB | cancel JOB | retry JOB]", help="A job's id or the beginning of it."),
    ] = None,
    limit: LimitOption = 30,
    node: Annotated[str, typer.Option("--node", help="Only of this machine.")] = "",
    flow: Annotated[str, typer.Option("--flow", help="Only of this active flow.")] = "",
    rule: Annotated[str, typer.Option("--rule", help="Only of this dataset, or rule as RULE shows it.")] = "",
    state: Annotated[str, typer.Option("--state", help="Only those that are queued, running, succeeded, warnings, failed ...")] = "",
    trigger: Annotated[str, typer.Option("--trigger", help="Only those that this trigger started.")] = "",
    tag: Annotated[str, typer.Option("--tag", help="Only those that inherited it, of their node, policy or flow.")] = "",
    before: Annotated[str, typer.Option("--before", help="Only those listed behind this one: its whole id.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest jobs, or one job in full. `pause` and `resume` are for restores, `cancel` for all, `retry` for runs and cascades."""
    if words and len(words) > 1:
        change_job(resolve_home(home), words, as_json=as_json)
        return
    client = master_client(home)
    if words:
        record = client.get(path_of("jobs", words[0]))
        if as_json:
            print_json(record)
        else:
            _print_job(record)
        return
    chosen = {"node": node, "flow": flow, "rule": rule, "state": state, "trigger": trigger, "tag": tag, "before": before}
    answer = client.get("/jobs", limit=limit, **{name: value for name, value in chosen.items() if value})
    if as_json:
        print_json(answer["jobs"])
        return
    rows = [
        (j["id"][:8], _kind(j), j["rule"], j["state"], local_time(j.get("started_at") or j["created_at"]), j.get("cause") or "-")
        for j in answer["jobs"]
    ]
    if not rows:
        note("no job is like that" if any(chosen.values()) else "nothing has run yet; `holdfast trigger FLOW` runs a flow now")
        return
    print_table(("JOB", "KIND", "RULE", "STATE", "STARTED", "CAUSE"), rows)
    for each in answer["jobs"]:
        if each.get("wait"):
            note(f"{each['id'][:8]} {wait_words(each['wait'])}")
    if answer["more"]:
        note(f"there are more; --before {answer['jobs'][-1]['id']} goes on, --limit shows more at once")


def ls(
    point: Annotated[str, typer.Argument(help="A point's id or the beginning of it; with --dataset the folder.")] = "",
    path: Annotated[str, typer.Argument(help="A folder in it (default: its roots).")] = "",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Everything below.")] = False,
    dataset: Annotated[str, typer.Option("--dataset", help="In place of a point: a dataset's newest, like files1/documents.")] = "",
    at: Annotated[str, typer.Option("--at", help="With --dataset: as it was at this time, like 2026-05-01T12:00 or '2h ago'.")] = "",
    repository: Annotated[str, typer.Option("--repository", help="With --dataset: only in this repository.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a folder at a point, or a dataset's folder at a time. Exit 3 when a folder below it is damaged, not all could be asked, or the
    repository has a part of it."""
    if dataset:
        if path:
            raise UsageError("name either a point or a dataset", hint="holdfast ls --dataset files1/documents --at '2h ago' /srv/documents")
        point, path = "", point
    elif not point:
        raise UsageError("which point?", hint="`holdfast points` lists them; or --dataset, with --at TIME")
    elif at or repository:
        raise UsageError("--at and --repository go with --dataset", hint="a point has its time")
    if path and not path.startswith("/"):
        raise UsageError(
            f"{path} is not an absolute path", hint=f"paths are as on the source; `holdfast ls {point}` shows where they begin"
        )
    place, folder = resolve_home(home), os.fsencode(path)
    what = {"point": point} if point else {"dataset": dataset, "at": at, "repository": repository}
    with naming(place, dataset):
        answer = first = _ls_page(place, what, folder, recursive, b"")
    rows: list[dict[str, Any]] = list(answer["rows"])
    lost = {folder["path"]: folder["reason"] for folder in answer.get("lost") or ()}
    while answer.get("more"):
        # What came since must not come in between.
        what = {"point": answer["point"]["id"]} if answer.get("point") else what
        answer = _ls_page(place, what, folder, recursive, raw_path(rows[-1]))
        rows += answer["rows"]
        lost |= {folder["path"]: folder["reason"] for folder in answer.get("lost") or ()}
    if dataset and first.get("point"):
        named = "between points" if first["point"].get("snapshot", "") == "" else f"point {first['point']['id'][:8]}"
        note(f"as captured {local_time(first['point']['time'])}, {named}")
    for gap in first.get("gaps") or ():
        span = f"{local_time(gap['since'])} to {local_time(gap['until'])}"
        note(f"this time lies in a gap, {span} ({gap['reason']}): changes of then may be missing")
    print_rows(rows, as_json, with_times=False)
    for folder_lost, reason in lost.items():
        note(one_line(f"{folder_lost}: what is in this folder cannot be listed: {reason} [folder-lost]"))
    is_part = say_what_is_partly(first.get("partly") or ())
    exit_for_unreachable(first)
    if lost or is_part:
        raise typer.Exit(exit_codes.WARNINGS)


def history(
    path: Annotated[str, typer.Argument(help="A file or folder, as on the source.")],
    dataset: DatasetOption = "",
    repository: RepositoryOption = "",
    limit: LimitOption = 1_000,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every version of one path, newest first, and what to restore it from. Exit 3 when a repository could not be asked."""
    from holdfast.model.listing_questions import AskHistory
    from holdfast.model.never_kept import never_kept

    if not path.startswith("/"):
        raise UsageError(f"{path} is not an absolute path", hint="paths are as on the source; `holdfast find NAME` shows them")
    raw, there = os.fsencode(path), resolve_home(home)
    ask = AskHistory(path=raw, dataset=dataset, repository=repository, limit=limit)
    with naming(there, dataset):
        answer: dict[str, Any] = through_master_or_agent(
            there,
            lambda client: client.get("/history", path=_percent(raw), dataset=dataset, repository=repository, limit=limit),
            lambda place: plain(ask_agent(place, ask)),
        )
        if not answer["rows"] and not answer.get("unreachable"):
            raise never_kept(raw, dataset)
    print_rows(answer["rows"], as_json, with_times=True, tell_how=True)
    if answer["rows"] and not as_json:
        note("to get one back: holdfast restore WHAT PATH --to DIR, with WHAT and PATH as listed")
    if answer.get("more"):
        note(f"more than {limit} found; --limit shows more")
    exit_for_unreachable(answer)


def _ls_page(home: Path, what: dict[str, str], path: bytes, recursive: bool, after: bytes) -> dict[str, Any]:
    """`what`: a point; or dataset, time and repository."""
    from holdfast.model.listing_questions import AskListing

    at = parse_time(what["at"], now(SystemClock()), None) if what.get("at") else None
    ask = AskListing(
        point=what.get("point", ""),
        dataset=what.get("dataset", ""),
        at=at,
        repository=what.get("repository", ""),
        path=path,
        recursive=recursive,
        after=after,
    )
    query = {name: value for name, value in what.items() if value and name != "at"}
    return through_master_or_agent(
        home,
        lambda client: client.get(
            "/ls",
            **query,
            at=format_utc(at) if at else None,
            path=_percent(path),
            recursive="true" if recursive else None,
            after=_percent(after) if after else None,
        ),
        lambda place: plain(ask_agent(place, ask)),
    )


def _percent(path: bytes) -> str:
    """Bytes as the API takes them: percent-encoded once more than the query string needs, so that any byte survives."""
    return quote(path, safe="/")


def raw_path(row: dict[str, Any]) -> bytes:
    """The path of a row, whatever bytes it is of."""
    import base64

    return base64.b64decode(row["path_raw"]) if row.get("path_raw") else row["path"].encode()


def print_rows(rows: list[dict[str, Any]], as_json: bool, with_times: bool, tell_how: bool = False) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        owner = f"{row.get('user') or row.get('uid', 0)}:{row.get('group') or row.get('gid', 0)}"
        moment = local_time(_iso_of_ns(row["mtime_ns"]))
        target = f" -> {row['link_target']}" if row.get("link_target") else ""
        held = f", in {row['points']} point{'' if row['points'] == 1 else 's'}" if row.get("points") else ""
        line = f"{row['kind']:<7} {row['mode']:04o} {owner:<17} {row['size_bytes']:>12} {moment}  {row['path']}{target}"
        if with_times:
            until = local_time(row["valid_to"]) if row.get("valid_to") else "now"
            line += f"  [{row.get('dataset', '')} in {row.get('repository', '')}, {local_time(row.get('valid_from'))} to {until}{held}]"
        if tell_how:
            line += f"  restore {_restorable(row)}"
        say(one_line(line))


def _restorable(row: dict[str, Any]) -> str:
    """What to name to `restore`: a point that holds the version, or the moment at which it began. What is in no state of the whole dataset
    any more has a name of its own."""
    from holdfast.model.moments import is_address

    point = str(row.get("point") or "")
    return point if is_address(point) else point[:12] or f"{row.get('dataset', '')}@{row.get('valid_from', '')}"


def _iso_of_ns(ns: int) -> str:
    from holdfast.core.clock import utc

    return utc(ns).isoformat()


def _where(protection: dict[str, Any]) -> str:
    """`store main on vault`; the same dataset may go to several places of one machine."""
    return f"{protection['action']} on {protection['receiver']}" if protection.get("action") else str(protection["receiver"])


def _last_good(protection: dict[str, Any], moment: datetime) -> str:
    """A Master that has not heard of it since its start does not know; that is not "never"."""
    is_unheard = protection["state"] == "unknown" and protection.get("error") and not protection.get("last_at")
    return "-" if is_unheard else age(protection.get("last_at"), moment)


def _protection_state(protection: dict[str, Any]) -> str:
    never_run = protection["state"] == "unknown" and not protection.get("last_at") and not protection.get("error")
    state = "not run yet" if never_run else str(protection["state"])
    if protection.get("retry_at") and protection["state"] == "failed":
        state = f"{state}, next try at {local_time(protection['retry_at'])}"
    state = f"{state}, overdue" if protection.get("overdue") else state
    return f"{state}, {wait_words(protection['wait'])}" if protection.get("wait") else state


def _kind(job: dict[str, Any]) -> str:
    return f"{job['kind']}, dry run" if (job.get("report") or {}).get("dry_run") else str(job["kind"])


def _print_job(record: dict[str, Any]) -> None:
    say(f"{_kind(record)} {record['rule']}  {record['state']}  ({record['id']})")
    say(f"created {local_time(record['created_at'])}, ended {local_time(record.get('ended_at'))}, cause {record.get('cause') or '-'}")
    if record.get("tags"):
        say(f"tags {', '.join(record['tags'])}")
    if record.get("wait"):
        say(wait_words(record["wait"]))
    print_jobs_result([record])
    print_steps(record)
    if figures := record.get("progress"):
        say(progress_text([record], [figures]))
        print_bottlenecks((f"{lane['dataset']} to {lane['receiver']}", lane) for lane in figures.get("lanes") or ())
    print_bottlenecks((f"{task['name']} on {task['receiver']}", task) for task in record.get("tasks") or ())
    if not record.get("tasks"):
        print_job_problems(record)


def say_what_is_partly(findings: Iterable[dict[str, Any]]) -> bool:
    """Of what an owner has a part of by its own rules. Whether it is known to be one."""
    told = list(findings)
    for each in told:
        note(one_line(f"{each['message']}; {each['hint']} [{each['code']}]"))
    return any(each["severity"] == "warning" for each in told)


def exit_for_unreachable(answer: dict[str, Any]) -> None:
    if is_anyone_silent(answer):
        raise typer.Exit(exit_codes.WARNINGS)


def is_anyone_silent(answer: dict[str, Any]) -> bool:
    """Whether there is an owner that did not answer; each is told."""
    silent = answer.get("unreachable") or []
    for entry in silent:
        note(f"not asked: repository {entry.get('repository') or '?'} on {entry.get('node') or '?'}: {entry['error']['message']}")
    return bool(silent)
