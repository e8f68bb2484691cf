"""What differs between two points or moments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from holdfast.cli import exit_codes
from holdfast.cli.commands.look import LimitOption, exit_for_unreachable, raw_path, say_what_is_partly
from holdfast.cli.datasets import naming
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import HoldfastError, UsageError
from holdfast.core.units import format_size, format_utc, parse_time

_PAGE = 2_000
_BY = {
    "content": "they lie with two owners: compared by recorded hashes of content; what moved is shown as removed and added",
    "metadata": (
        "they lie with two owners: compared by recorded hashes where both have them, else by type, size, time, mode and owner alone;"
        " what moved is shown as removed and added"
    ),
}
_WEAKEST_LAST = ("trees", "content", "metadata")


def register(app: typer.Typer) -> None:
    app.command()(diff)


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A point, or a moment DATASET@TIME; with --dataset a time like '2h ago'.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The same, of what it became.")],
    path: Annotated[str, typer.Argument(help="Only at and below this path.")] = "",
    dataset: Annotated[str, typer.Option("--dataset", help="A and B are times; compare this dataset as it was then.")] = "",
    limit: LimitOption = 1_000,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was added, removed, changed and moved from A to B. Exit 3 when a folder is damaged, not all could be asked, or only a
    part is here."""
    if path and not path.startswith("/"):
        raise UsageError(f"{path} is not an absolute path", hint="paths are as on the source; `holdfast ls POINT` shows where they begin")
    place, sides = resolve_home(home), [_named(each, dataset) for each in (a, b)]
    with naming(place, dataset):
        answer = first = _page(place, sides, os.fsencode(path), min(limit, _PAGE), b"")
    rows: list[dict[str, Any]] = list(answer["rows"])
    lost = {(each["path"], each["reason"]): None for each in answer.get("lost") or ()}
    ended: HoldfastError | None = None
    while answer.get("more") and len(rows) < limit:
        # What came since must not come in between.
        sides = [first["a"]["id"], first["b"]["id"]]
        try:
            answer = _page(place, sides, os.fsencode(path), min(limit - len(rows), _PAGE), raw_path(rows[-1]))
        except HoldfastError as error:
            ended = error
            break
        rows += answer["rows"]
        first = with_weaker(first, answer)
        lost |= {(each["path"], each["reason"]): None for each in answer.get("lost") or ()}
    if as_json:
        told = [{"path": each, "reason": reason} for each, reason in lost]
        print_json({**first, "rows": rows, "more": bool(answer.get("more")), "lost": told})
    else:
        _print(first, rows, more=bool(answer.get("more")))
    for each, reason in lost:
        note(one_line(f"{each}: what is in this folder cannot be compared: {reason} [folder-lost]"))
    if ended is not None:
        # What was found before is shown all the same.
        raise ended
    is_part = say_what_is_partly(first.get("partly") or ())
    exit_for_unreachable(first)
    if lost or is_part:
        raise typer.Exit(exit_codes.WARNINGS)


def with_weaker(first: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """Each page says by what it was compared; of them together the weakest is true. An agent says nothing: it has both trees."""
    if "by" not in first:
        return first
    return {**first, "by": max(first["by"], page.get("by", "trees"), key=_WEAKEST_LAST.index)}


def _named(text: str, dataset: str) -> str:
    """Times of people become times of addresses."""
    moment = now(SystemClock())
    if dataset:
        return f"{dataset}@{format_utc(parse_time(text, moment, None))}"
    named, at, when = text.rpartition("@")
    return f"{named}@{format_utc(parse_time(when, moment, None))}" if at and (when.endswith(" ago") or when == "now") else text


def _page(home: Path, sides: list[str], path: bytes, limit: int, after: bytes) -> dict[str, Any]:
    from holdfast.model.differences import AskDiff

    a, b = sides
    ask = AskDiff(a=a, b=b, path=path, recursive=True, limit=limit, after=after)
    query = {"path": quote(path, safe="/"), "after": quote(after, safe="/")}
    return through_master_or_agent(
        home,
        lambda client: client.get("/diff", a=a, b=b, recursive="true", limit=limit, **query),
        lambda place: plain(ask_agent(place, ask, 120)),
    )


def _print(first: dict[str, Any], rows: list[dict[str, Any]], *, more: bool) -> None:
    for name, side in (("from", first["a"]), ("to", first["b"])):
        what = f"point {side['id'][:8]}" if side.get("snapshot") else "between points"
        note(f"{name:<4} {side['dataset']} as captured {local_time(side['time'])}, {what}")
    for row in rows:
        say(one_line(_line(row)))
    if not rows:
        note("nothing differs")
    if more:
        note(f"there are more than {len(rows)}; name a folder, or raise --limit")
    if totals := first.get("totals"):
        counts = ", ".join(f"{totals.get(name, 0)} {name}" for name in ("added", "removed", "changed", "moved"))
        before, after = (format_size(totals.get(name, 0)) for name in ("before_bytes", "after_bytes"))
        note(f"{counts}; files among them {before} before, {after} after")
    elif first.get("by", "trees") != "trees":
        note(_BY[first["by"]])
    else:
        note("more differs than can be counted at once: what moved is shown as removed and added")


def _line(row: dict[str, Any]) -> str:
    before, after = row.get("before"), row.get("after")
    sizes = [format_size(each["size_bytes"]) for each in (before, after) if each and each["kind"] == "file"]
    size = " -> ".join(dict.fromkeys(sizes))
    was = f"  from {before['path']}" if before and before["path"] != row["path"] else ""
    facts = f"  [{', '.join(row['facts'])}]" if row.get("facts") else ""
    kind = (after or before or {"kind": ""})["kind"]
    return f"{row['change']:<7} {kind:<7} {size:>22}  {row['path']}{was}{facts}"
