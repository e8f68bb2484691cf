"""The list of all commands, in sections: who looks for one knows what it is about, not what it is called."""

from __future__ import annotations

import re
from typing import Any, Protocol

import typer
from typer.core import TyperGroup

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("First steps", ("up", "protect", "console", "down", "demo", "login")),
    ("How it does", ("status", "monitor", "jobs", "tail", "logs", "acknowledge", "report", "drills", "anomalies")),
    ("What there is", ("points", "moments", "mirrors", "ls", "find", "history", "diff", "explain")),
    ("Getting data back", ("restore", "mount", "unmount", "download", "recall", "drill")),
    ("Drawing and activating", ("export", "plan", "apply", "compile", "activate", "deactivate", "trigger", "schedules", "keep")),
    ("Repositories and what is in them", ("repository", "dataset", "archive", "anomaly")),
    ("Machines", ("master", "node", "nodes")),
    (
        "Administration",
        ("user", "directory", "token", "session", "role", "group", "grant", "access", "approvals", "audit", "notify", "reports"),
    ),
)
_STRONG_ENDS, _CLAUSE_ENDS = re.compile("[:;] "), re.compile(", ")


class _Described(Protocol):
    """A command; of which class it is depends on the version of typer, as with context and formatter."""

    def get_short_help_str(self, limit: int = ...) -> str: ...


class DescribedGroup(TyperGroup):
    """Of each of its commands the whole first sentence of its help, on as many lines as it takes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(10_000)) for name, command in commands if command and not command.hidden])


def new_group(words: str, *, says_what_there_is: bool = True) -> typer.Typer:
    """Commands behind one word. `says_what_there_is`: called without one of them it shows its help; else it does something by itself."""
    return typer.Typer(cls=DescribedGroup, help=words, no_args_is_help=says_what_there_is, rich_markup_mode=None)


class SectionedGroup(TyperGroup):
    """Of the commands that it has those in `SECTIONS` come under their titles, in that order; the others last."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = {name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name)) is not None}
        listed = {name for _, names in SECTIONS for name in names}
        others = tuple(name for name in commands if name not in listed)
        widest = max(map(len, commands), default=0)
        for title, names in (*SECTIONS, ("Other commands", others)):
            rows = [(name.ljust(widest), _short(commands[name], formatter.width - widest - 6)) for name in names if name in commands]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _short(command: _Described, limit: int) -> str:
    """The first sentence of its help; where that is too long, as much of it as makes sense alone and has room."""
    sentence = command.get_short_help_str(10_000).rstrip(".")
    if len(sentence) <= limit:
        return sentence
    for ends in (_STRONG_ENDS, _CLAUSE_ENDS):
        if fitting := [found.start() for found in ends.finditer(sentence) if found.start() <= limit]:
            return sentence[: max(fitting)]
    return command.get_short_help_str(limit)
