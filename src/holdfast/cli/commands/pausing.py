"""Keeping everybody out of a repository for a while, so that stock restic has it for itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.client import ApiClient, path_of
from holdfast.cli.commands.repository import NameArgument
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import ProgressLine, local_time, note, print_json, say
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.errors import Conflict
from holdfast.core.units import parse_duration_s

if TYPE_CHECKING:
    from holdfast.model.pausing import AskPause

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
    from holdfast.model.pausing import AskPause

    for_s = parse_duration_s(duration) if duration else None
    place = resolve_home(home)
    told, line = _ask(place, AskPause(repository=name, for_s=for_s), {"duration": duration}), ProgressLine()
    try:
        while wait and (sessions := told["pause"].get("sessions", 0)):
            line.show(f"{name} is paused; waiting for {_at_work(sessions)} to end ...")
            time.sleep(_LOOK_S)
            told = {**_ask(place, AskPause(repository=name, look=True)), "changed": told["changed"]}
            if told["pause"] is None:
                raise _over(name, sessions)
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
    from holdfast.model.pausing import AskPause

    told = _ask(resolve_home(home), AskPause(repository=name, paused=False))
    if as_json:
        print_json(told)
    else:
        say(f"{name} {'works again' if told['changed'] else 'was not paused'}")


def _ask(home: Path, question: AskPause, body: dict[str, Any] | None = None) -> dict[str, Any]:
    verb = "pause" if question.paused else "resume"

    def by_master(client: ApiClient) -> dict[str, Any]:
        path = path_of("repositories", question.repository, verb)
        answer: dict[str, Any] = client.get(path) if question.look else client.post(path, body or {})
        return answer

    def by_agent(place: Path) -> dict[str, Any]:
        return {"pause": None, "changed": False, **plain(ask_agent(place, question))}

    return through_master_or_agent(home, by_master, by_agent)


def _over(name: str, sessions: int) -> Conflict:
    """It ended by itself, or somebody else has resumed it: who waits for it must not begin another one, of which nobody knows."""
    hint = f"pause it for longer; `holdfast repository stats {name}` shows who is at work"
    return Conflict(f"the pause of {name} has ended, and {_at_work(sessions)} had not", hint=hint)


def _at_work(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"
