"""What can be restored of a dataset that is followed: every state of the recent past."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast.cli.commands.look import LimitOption, RepositoryOption, exit_for_unreachable
from holdfast.cli.datasets import refuse_unknown_dataset
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.clock import SystemClock, now
from holdfast.core.units import format_size, format_utc, parse_time


def register(app: typer.Typer) -> None:
    app.command()(moments)


def moments(
    dataset: Annotated[str, typer.Argument(help="A dataset that is followed, like files1/documents.")],
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Only from then on: ISO 8601 or '2h ago'.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Only up to then.")] = "",
    repository: RepositoryOption = "",
    limit: LimitOption = 100,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The states of a followed dataset that can be restored, newest first, and its gaps. Exit 3 when not all could be asked."""
    from holdfast.model.moments import AskMoments

    moment = now(SystemClock())
    begin, end = (parse_time(text, moment, None) if text else None for text in (since, until))
    ask = AskMoments(dataset=dataset, repository=repository, since=begin, until=end, limit=limit)
    span = {name: format_utc(time) for name, time in (("since", begin), ("until", end)) if time is not None}
    answer: dict[str, Any] = through_master_or_agent(
        resolve_home(home),
        lambda client: client.get("/moments", dataset=dataset, repository=repository, limit=limit, **span),
        lambda place: plain(ask_agent(place, ask, 60)),
    )
    if not answer["moments"] and not answer.get("unreachable"):
        refuse_unknown_dataset(resolve_home(home), dataset)
    print_json(answer) if as_json else _print(answer, dataset)
    exit_for_unreachable(answer)


def _print(answer: dict[str, Any], dataset: str) -> None:
    rows = [
        (
            local_time(each["time"]),
            str(each["files"]),
            format_size(each["size_bytes"]),
            ", ".join(point[:8] for point in each.get("points") or ()) or "-",
            f"{dataset}@{each['address'].rpartition('@')[2]}",
        )
        for each in answer["moments"]
    ]
    if not rows:
        note("there is none; `cdp` or `live` makes moments, `holdfast points` lists what runs have made")
        return
    print_table(("TIME", "FILES", "SIZE", "POINTS", "ADDRESS"), rows)
    for gap in answer.get("gaps") or ():
        span = f"{local_time(gap['since'])} to {local_time(gap['until'])}"
        note(one_line(f"gap: {span} ({gap['reason']}): changes of then may be missing"))
    if answer.get("more"):
        note(f"there are more than {len(rows)}; --until {answer['moments'][-1]['time']} goes on, --limit shows more at once")
    if oldest := answer.get("oldest_at"):
        note(f"every state since {local_time(oldest)} can be restored; an address goes wherever a point does")
