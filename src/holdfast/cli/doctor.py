"""`holdfast node doctor`: who is asked, and how it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.cli import exit_codes
from holdfast.cli.output import one_line, say
from holdfast.cli.reach import ask_agent, plain
from holdfast.core.errors import NotReachable

_MARKS = {"info": "ok", "warning": "warning", "error": "ERROR"}


def examined(home: Path, node: str) -> dict[str, Any]:
    """The findings as the API has them. Of this machine by its agent, whose rights count; without one, as who runs this command."""
    if node:
        from holdfast.cli.client import ApiClient, path_of
        from holdfast.cli.home import load_session

        return dict(ApiClient(load_session(home)).get(path_of("nodes", node, "doctor")))
    from holdfast.core.clock import SystemClock
    from holdfast.model.doctor import AskDoctor
    from holdfast.node.doctor import examine
    from holdfast.node.local.client import has_agent

    if has_agent(home):
        try:
            return plain(ask_agent(home, AskDoctor()))
        except NotReachable:
            # The socket of an agent that was killed.
            pass
    return plain(examine(home, clock=SystemClock()))


def print_examined(found: dict[str, Any], *, is_all: bool) -> None:
    """Errors first; what is all right only where it is asked for, and counted else."""
    order = ("error", "warning", "info") if is_all else ("error", "warning")
    for severity in order:
        for finding in (each for each in found["findings"] if each["severity"] == severity):
            say(one_line(f"{_MARKS[severity]}: {finding['message']} [{finding['code']}]"))
            if finding.get("hint") and severity != "info":
                say(one_line(f"  hint: {finding['hint']}"))
    good = sum(each["severity"] == "info" for each in found["findings"])
    bad = len(found["findings"]) - good
    say(f"{found['node']}: {good} all right, {bad} to look at" if bad else f"{found['node']}: all {good} all right")


def exit_code(found: dict[str, Any]) -> int:
    severities = {each["severity"] for each in found["findings"]}
    return exit_codes.FAILED if "error" in severities else exit_codes.WARNINGS if "warning" in severities else exit_codes.OK
