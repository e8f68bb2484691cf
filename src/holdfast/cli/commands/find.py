"""Searching over all time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli.commands.look import (
    DatasetOption,
    LimitOption,
    RepositoryOption,
    exit_for_unreachable,
    print_rows,
)
from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.clock import SystemClock, now, utc
from holdfast.core.errors import UsageError

_PAGE = 1_000
_WITHIN_S = 5
_SPAN = "like 2026-01-01..2026-01-31, '7d ago..' or one day or time"


def register(app: typer.Typer) -> None:
    app.command()(find)


def find(
    pattern: Annotated[str, typer.Argument(help="A glob; with a / it is matched against the whole path.")] = "",
    is_part: Annotated[bool, typer.Option("--part", help="PATTERN is a part of the name (with a / of the path), as it is.")] = False,
    is_regex: Annotated[bool, typer.Option("--regex", help="PATTERN is a regular expression, matched anywhere in the name.")] = False,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", "-i", help="Capital and small letters are the same.")] = False,
    under: Annotated[str, typer.Option("--under", metavar="FOLDER", help="Only below this folder, as on the source.")] = "",
    size: Annotated[str, typer.Option("--size", help="Like '>1MB', '<=4KiB' or 1MB..2MB.")] = "",
    modified: Annotated[str, typer.Option("--modified", help=f"When the file was changed: {_SPAN}.")] = "",
    existed: Annotated[str, typer.Option("--existed", help=f"It was there then: {_SPAN}.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="A user's name or number.")] = "",
    kind: Annotated[str, typer.Option("--type", help="file, folder, link or other; several with commas.")] = "",
    ending: Annotated[str, typer.Option("--ending", help="How the name ends, like pdf.")] = "",
    deleted: Annotated[bool, typer.Option("--deleted", help="Only what is not there any more.")] = False,
    existing: Annotated[bool, typer.Option("--existing", help="Only what is there now.")] = False,
    versions: Annotated[bool, typer.Option("--versions", help="Each version by itself, by name alone.")] = False,
    dataset: DatasetOption = "",
    repository: RepositoryOption = "",
    limit: LimitOption = 1_000,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find files over all time, deleted ones too. Exit 3 when a repository could not be asked."""
    place = resolve_home(home)
    filters = {"under": quote(os.fsencode(under)), "size": size, "modified": modified, "existed": existed, "owner": owner}
    filters |= {"type": kind, "ending": ending, "state": _state(deleted=deleted, existing=existing)}
    where = {"dataset": dataset, "repository": repository}
    if versions:
        if is_part or is_regex or any(filters.values()):
            raise UsageError("--versions goes with a glob alone", hint="without it every filter can be used; `history PATH` lists versions")
        _find_versions(place, pattern, where, limit, ignore_case=ignore_case, as_json=as_json)
        return
    parameters = {"name": pattern, "match": _match(is_part=is_part, is_regex=is_regex), "case": "ignore" if ignore_case else "", **filters}
    answer = _pages(place, parameters, where, limit)
    if dataset and not answer["rows"]:
        refuse_unknown_dataset(place, dataset)
    if as_json:
        print_json({"rows": answer["rows"], "more": answer["more"], "missing": answer["unreachable"]})
    else:
        for row in answer["rows"]:
            say(one_line(_line(row)))
        if not answer["rows"]:
            note("nothing found")
    if answer["more"]:
        note(f"more than {limit} found; narrow the search or raise --limit")
    exit_for_unreachable(answer)


def _match(*, is_part: bool, is_regex: bool) -> str:
    if is_part and is_regex:
        raise UsageError("a pattern is either a part or a regular expression", hint="leave out --part or --regex")
    return "part" if is_part else "regex" if is_regex else "glob"


def _state(*, deleted: bool, existing: bool) -> str:
    if deleted and existing:
        raise UsageError("nothing is deleted and existing", hint="leave out --deleted or --existing; without both all is found")
    return "deleted" if deleted else "existing" if existing else ""


def _pages(place: Path, parameters: Mapping[str, str], where: Mapping[str, str], limit: int) -> dict[str, Any]:
    """All rows up to the limit, whether there are more, and which repositories did not answer."""
    from holdfast.model.search import parameters_of, search_of

    # Here, where times without a zone are this machine's.
    search = search_of(parameters, now(SystemClock()), None)
    rows: list[dict[str, Any]] = []
    silent: dict[tuple[str, str], dict[str, Any]] = {}
    cursor = ""
    while True:
        page = _page(place, parameters_of(search), {**where, "cursor": cursor}, min(limit - len(rows), _PAGE))
        rows += page["hits"]
        silent |= {(each["repository"], each["node"]): each for each in page["unreachable"]}
        cursor = page["cursor"]
        if not cursor or len(rows) >= limit:
            return {"rows": rows, "more": bool(cursor), "unreachable": list(silent.values())}


def _page(place: Path, parameters: Mapping[str, str], where: Mapping[str, str], limit: int) -> dict[str, Any]:
    return through_master_or_agent(
        place,
        lambda client: client.get("/search", **{**parameters, **where}, limit=limit, within=_WITHIN_S),
        lambda home: _page_of_agent(home, parameters, where, limit),
    )


def _page_of_agent(home: Path, parameters: Mapping[str, str], where: Mapping[str, str], limit: int) -> dict[str, Any]:
    """What the Master would make of this machine's own repositories."""
    from holdfast.core.errors import ProtocolError
    from holdfast.model.search import search_of
    from holdfast.model.searching import AskSearch, FoundHere, decode_cursor, page_of

    before = decode_cursor(where["cursor"])
    ask = AskSearch(
        search=search_of(parameters, now(SystemClock())),
        dataset=where["dataset"],
        repository=where["repository"],
        limit=limit,
        within_s=_WITHIN_S,
        places=before,
    )
    answer = ask_agent(home, ask)
    if not isinstance(answer, FoundHere):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    failed = [{"repository": each.repository, "node": "", "error": plain(each.error)} for each in answer.parts if each.error is not None]
    return {"cursor": "", **plain(page_of(answer.parts, before, limit)), "unreachable": failed}


def _line(row: Mapping[str, Any]) -> str:
    owner = f"{row.get('user') or row.get('uid', 0)}:{row.get('group') or row.get('gid', 0)}"
    target = f" -> {row['link_target']}" if row.get("link_target") else ""
    count = row.get("versions") or 1
    state = "exists" if row.get("exists") else f"deleted, last seen {local_time(row.get('seen_at'))}"
    told = f"{row.get('dataset', '')} in {row.get('repository', '')}, {count} version{'s' if count != 1 else ''}, {state}"
    moment = local_time(utc(row["mtime_ns"]).isoformat())
    return f"{row['kind']:<7} {row['mode']:04o} {owner:<17} {row['size_bytes']:>12} {moment}  {row['path']}{target}  [{told}]"


def _find_versions(place: Path, pattern: str, where: Mapping[str, str], limit: int, *, ignore_case: bool, as_json: bool) -> None:
    from holdfast.model.listing_questions import AskFind

    if not pattern:
        raise UsageError("find what?", hint="holdfast find --versions '*.txt'")
    ask = AskFind(pattern=pattern, dataset=where["dataset"], repository=where["repository"], ignore_case=ignore_case, limit=limit)
    case = "true" if ignore_case else None
    answer: dict[str, Any] = through_master_or_agent(
        place,
        lambda client: client.get("/find", pattern=pattern, **where, ignore_case=case, limit=limit),
        lambda home: plain(ask_agent(home, ask)),
    )
    if where["dataset"] and not answer["rows"]:
        refuse_unknown_dataset(place, where["dataset"])
    print_rows(answer["rows"], as_json, with_times=True)
    if not answer["rows"] and not as_json:
        note("nothing found")
    if answer.get("more"):
        note(f"more than {limit} found; narrow the pattern or raise --limit")
    exit_for_unreachable(answer)
