"""The program without its commands, and where each of those that stand for themselves is found.

A command that is called is imported alone: to import all of them takes twice as long as to import what one needs.
"""

from __future__ import annotations

from importlib import import_module

import typer

from holdfast.cli.sections import SectionedGroup

# What a module of `commands` registers. Groups of commands (`repository`, `points`) and what belongs to them are in `program` alone.
MODULES: dict[str, tuple[str, ...]] = {
    "cluster": ("up", "down", "demo", "login"),
    "console": ("console",),
    "environment": ("plan", "apply", "export", "compile", "activate", "deactivate", "protect"),
    "keep": ("keep",),
    "schedules": ("schedules",),
    "run": ("trigger",),
    "look": ("status", "jobs", "ls", "history"),
    "logs": ("logs", "acknowledge"),
    "find": ("find",),
    "moments": ("moments",),
    "mirrors": ("mirrors",),
    "compare": ("diff",),
    "tail": ("tail",),
    "explain": ("explain",),
    "monitor": ("monitor",),
    "recall": ("recall",),
    "recover": ("restore",),
    "report": ("report",),
    "drills": ("drill", "drills"),
    "mount": ("mount", "unmount"),
    "download": ("download",),
    "anomalies": ("anomalies",),
}


def new_program() -> typer.Typer:
    program = typer.Typer(
        name="holdfast",
        cls=SectionedGroup,
        help="Draw what is to happen with your data; every machine keeps it.",
        rich_markup_mode=None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    program.callback()(_root)
    return program


def register(module: str, program: typer.Typer) -> None:
    """The commands of this module."""
    import_module(f"holdfast.cli.commands.{module}").register(program)


def _version(wanted: bool) -> None:
    if wanted:
        from holdfast import __version__

        typer.echo(f"holdfast {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and exit."),
) -> None:
    """Draw what is to happen with your data; every machine keeps it."""
