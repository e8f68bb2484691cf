"""Keeping everybody out of a repository for a while, so that stock restic has it for itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.repository import NameArgument
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import ProgressLine, local_time, note, print_json, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.units import parse_duration_s

_LOOK_S = 0.5


def register(app: typer.Typer) -> None:
    app.command()(pause)
    app.command()(resume)


def pause(
    name: NameArgument,
    duration: Annotated[str, typer.Option("--for", metavar="DURATION", help="It ends by itself after that, like 2h.")] = "",
    wait: Annotated[bool, typer.Option(help="Wait until those who are at work have ended.")] = True,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let nobody begin work in it, so that `restic prune` finds it free. Runs wait, and are caught up with after `resume`."""
    for_s = parse_duration_s(duration) if duration else None
    place = resolve_home(home)
    told, line = _ask(place, name, "pause", {"duration": duration}, for_s), ProgressLine()
    try:
        while wait and told["pause"] and (sessions := told["pause"].get("sessions", 0)):
            line.show(f"{name} is paused; waiting for {_at_work(sessions)} to end ...")
            time.sleep(_LOOK_S)
            told = {**_ask(place, name, "pause", {}, None), "changed": told["changed"]}
    finally:
        line.clear()
    if as_json:
        print_json(told)
        return
    state = told["pause"]
    until = f" until {local_time(state['until'])}" if state.get("until") else ""
    say(f"{name} {'is' if told['changed'] else 'was already'} paused{until}; `holdfast repository resume {name}` ends it")
    if sessions := state.get("sessions", 0):
        note(f"{_at_work(sessions)} began before and go on; `holdfast repository stats {name}` shows when it is free")


def resume(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a pause. What waited is tried again by itself, within five minutes."""
    told = _ask(resolve_home(home), name, "resume", {}, None)
    if as_json:
        print_json(told)
    else:
        say(f"{name} {'works again' if told['changed'] else 'was not paused'}")


def _ask(home: Path, name: str, verb: str, body: dict[str, Any], for_s: float | None) -> dict[str, Any]:
    def by_master(client: ApiClient) -> dict[str, Any]:
        answer: dict[str, Any] = client.post(path_of("repositories", name, verb), body)
        return answer

    def by_agent(place: Path) -> dict[str, Any]:
        from holdfast.model.pausing import AskPause

        answer = plain(ask_agent(place, AskPause(repository=name, paused=verb == "pause", for_s=for_s)))
        return {"pause": None, "changed": False, **answer}

    return through_master_or_agent(home, by_master, by_agent)


def _at_work(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"
