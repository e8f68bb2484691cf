"""What is changing now in a flow, as it is delivered."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import harmless, local_time, note, one_line, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.cli.spooled import spooled_lines
from holdfast.core.clock import SystemClock, now
from holdfast.core.errors import NotReachable
from holdfast.core.units import format_duration, format_size

_POLL_S = 0.5
_LAG_TOLD_S = 2.0
_PATIENCE_S = 60.0


def register(app: typer.Typer) -> None:
    app.command()(tail)


def tail(
    flow: Annotated[str, typer.Argument(help="An active flow with something continuous in it.")],
    dataset: Annotated[str, typer.Option("--dataset", help="Only this dataset, like files1/documents.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=500, help="Begin with so many of the newest.")] = 10,
    once: Annotated[bool, typer.Option("--once", help="Show the newest and end.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is changing now: each change as it is delivered, the lag, and gaps as they begin and end. Ctrl-C ends it."""
    teller = _Teller(as_json=as_json)
    for page in _pages(resolve_home(home), flow, dataset, lines):
        teller.tell(page)
        if once:
            return


class _Teller:
    """Prints a page, and remarks only when they are others than before."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._remarks: tuple[str, ...] = ()

    def tell(self, page: dict[str, Any]) -> None:
        for event in page["events"]:
            if self._as_json:
                # One object a line, so that a pipe can be read as it comes.
                sys.stdout.write(json.dumps(event) + "\n")
            else:
                say(one_line(_line(event)))
        sys.stdout.flush()
        for node in page.get("skipped") or ():
            note(f"{node}: some are not shown: they came too fast, or the node began anew")
        remarks = (*_lags(page), *(f"{each['node']}: {each['error']['message']}" for each in page.get("unreachable") or ()))
        for remark in remarks if remarks != self._remarks else ():
            note(one_line(remark))
        self._remarks = remarks


def _pages(home: Path, flow: str, dataset: str, lines: int) -> Iterator[dict[str, Any]]:
    first = _ask(home, flow, dataset, {"limit": max(1, lines)})
    yield first if lines else {**first, "events": []}
    page = first
    lost_s: float | None = None
    while True:
        if not page.get("more"):
            time.sleep(_POLL_S)
        try:
            page = _ask(home, flow, dataset, {"after": page["after"]})
        except NotReachable as error:
            lost_s = time.monotonic() if lost_s is None else lost_s
            if time.monotonic() - lost_s > _PATIENCE_S:
                raise
            page = {
                **page,
                "events": [],
                "more": False,
                "following": [],
                "unreachable": [{"node": "the Master", "error": {"message": error.message}}],
            }
        else:
            lost_s = None
        yield page


def _ask(home: Path, flow: str, dataset: str, how: dict[str, Any]) -> dict[str, Any]:
    def by_master(client: ApiClient) -> dict[str, Any]:
        return client.get(path_of("flows", flow, "tail"), dataset=dataset, **how)

    return through_master_or_agent(home, by_master, lambda place: _ask_here(place, flow, dataset, how))


def _ask_here(home: Path, flow: str, dataset: str, how: dict[str, Any]) -> dict[str, Any]:
    """Of this node's own datasets; `after` is `LIFE.NUMBER` here, and of a Master's answer what concerns any node: then all is new."""
    from holdfast.model.tail import AskTail

    front, _, number = str(how.get("after", "")).rpartition(".")
    life = front.rpartition(".")[2]
    ask = AskTail(flow=flow, dataset=dataset, after=int(number) if number.isdigit() else None, life=life, limit=how.get("limit", 200))
    told = plain(ask_agent(home, ask, 10))
    return {**told, "after": f"{told['life']}.{told['last']}", "skipped": ["this machine"] if told.get("skipped") else []}


def _lags(page: dict[str, Any]) -> Iterator[str]:
    for each in page.get("following") or ():
        yield from spooled_lines(each, now(SystemClock()))
        state = each["state"]
        if error := each.get("error"):
            yield f"{each['dataset']}: {state}: {error['message']} [{error['code']}]"
        elif until := each.get("waits_until"):
            yield f"{each['dataset']}: {each.get('pending', 0)} pending, waits for its window until {local_time(until)}"
        elif state != "following":
            yield f"{each['dataset']}: {state}"
        elif since := each.get("pending_since"):
            from datetime import datetime

            lag_s = (now(SystemClock()) - datetime.fromisoformat(since)).total_seconds()
            if lag_s >= _LAG_TOLD_S:
                yield f"{each['dataset']}: {each.get('pending', 0)} pending, the oldest for {format_duration(lag_s // 1)}"


def _line(event: dict[str, Any]) -> str:
    kind = event["kind"]
    head = f"{local_time(event['time'])}  {event['dataset']}  {kind:<9}"
    to = f"  to {', '.join(event['to'])}" if event.get("to") else ""
    if kind in ("behind", "caught-up", "waiting", "following"):
        why = f": {event['error']['message']} [{event['error']['code']}]" if event.get("error") else ""
        if kind == "waiting" and event.get("until"):
            why = f"for its window until {local_time(event['until'])}"
        return f"{head} {', '.join(event.get('to') or ())}{why}"
    if kind in ("gap-began", "gap-ended"):
        span = f"since {local_time(event.get('since'))}" + (f" until {local_time(event['until'])}" if event.get("until") else "")
        where = f" below {event['path']}" if event.get("path") else ""
        return f"{head} {span}{where}{' (' + event['reason'] + ')' if event.get('reason') else ''}"
    size = f"  {format_size(event.get('size_bytes', 0))}" if event.get("file_kind") == "file" else ""
    was = f"  from {event['was']}" if event.get("was") else ""
    below = f" and {event['below']} below it" if event.get("below") else ""
    return f"{head} {harmless(event['path'])}{below}{was}{size}{_who(event.get('who'))}{to}"


def _who(who: dict[str, Any] | None) -> str:
    if not who:
        return ""
    program, user = who.get("program") or f"pid {who['pid']}", who.get("user") or who.get("uid")
    return f"  by {program}" + (f" ({user})" if user is not None else "")
