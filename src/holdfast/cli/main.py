"""The `holdfast` command: collects the commands and turns errors into messages and exit codes.

Heavy imports live inside the commands, so that `holdfast --help` is quick.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.main import get_command_name
from typer.models import CommandInfo

from holdfast.cli import exit_codes
from holdfast.cli.commands import (
    anomalies,
    approvals,
    archive,
    audit,
    cluster,
    compare,
    console,
    directories,
    download,
    drills,
    environment,
    explain,
    find,
    grants,
    keep,
    keys,
    logs,
    look,
    master_backup,
    mirrors,
    moments,
    monitor,
    mount,
    nodes,
    notify,
    pausing,
    points,
    prune,
    recall,
    recover,
    report,
    report_schedules,
    repository,
    repository_care,
    run,
    schedules,
    seeding,
    tail,
    users,
)
from holdfast.cli.output import print_error, print_json
from holdfast.cli.sections import SectionedGroup
from holdfast.core.errors import ErrorFacts, HoldfastError, UsageError, facts_of, is_no_space

T = TypeVar("T")

app = typer.Typer(
    name="holdfast",
    cls=SectionedGroup,
    help="Draw what is to happen with your data; every machine keeps it.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
for module in (
    cluster,
    console,
    environment,
    keep,
    schedules,
    run,
    look,
    logs,
    find,
    moments,
    mirrors,
    compare,
    tail,
    explain,
    monitor,
    recall,
    recover,
    report,
    drills,
    mount,
    download,
    anomalies,
):
    module.register(app)
master_backup.register(cluster.master_app)
app.add_typer(cluster.master_app, name="master")
app.add_typer(cluster.node_app, name="node")
app.add_typer(nodes.nodes_app, name="nodes")
repository.repository_app.command()(prune.prune)
repository_care.register(repository.repository_app)
pausing.register(repository.repository_app)
repository.repository_app.add_typer(keys.key_app, name="key")
repository.repository_app.add_typer(seeding.seed_app, name="seed")
app.add_typer(repository.repository_app, name="repository")
app.add_typer(points.points_app, name="points")
app.add_typer(anomalies.anomaly_app, name="anomaly")
app.add_typer(archive.archive_app, name="archive")
app.add_typer(approvals.approvals_app, name="approvals")
app.add_typer(audit.audit_app, name="audit")
app.add_typer(notify.notify_app, name="notify")
app.add_typer(report_schedules.reports_app, name="reports")
app.add_typer(points.dataset_app, name="dataset")
app.add_typer(users.user_app, name="user")
app.add_typer(directories.directory_app, name="directory")
app.add_typer(users.token_app, name="token")
app.add_typer(users.session_app, name="session")
app.add_typer(grants.role_app, name="role")
app.add_typer(grants.group_app, name="group")
app.add_typer(grants.grant_app, name="grant")
app.add_typer(grants.access_app, name="access")


def _version(wanted: bool) -> None:
    if wanted:
        from holdfast import __version__

        typer.echo(f"holdfast {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and exit."),
) -> None:
    """Draw what is to happen with your data; every machine keeps it."""


def part_for(words: Sequence[str]) -> typer.Typer:
    """The program with the one command that is called: to build all of them takes as long as to import them. For the list of them, all
    without their options; all of them where it is none of theirs, as for names that are nearly right."""
    if not words or list(words) == ["--help"]:
        return _listed()
    called = words[0]
    commands = [info for info in app.registered_commands if _name_of(info) == called]
    groups = [info for info in app.registered_groups if info.name == called]
    if not commands and not groups:
        return app
    return _copy_with(app, registered_commands=commands, registered_groups=groups)


def _listed() -> typer.Typer:
    commands = [_copy_with(info, callback=_without_options(info.callback)) for info in app.registered_commands]
    groups = [
        _copy_with(info, typer_instance=_copy_with(info.typer_instance, registered_commands=[], registered_groups=[]))
        for info in app.registered_groups
    ]
    return _copy_with(app, registered_commands=commands, registered_groups=groups)


def _copy_with(thing: T, **changed: object) -> T:
    made = copy.copy(thing)
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def _without_options(callback: Callable[..., Any] | None) -> Callable[[], None]:
    def named() -> None: ...

    named.__name__, named.__doc__ = getattr(callback, "__name__", ""), callback.__doc__
    return named


def _completes() -> bool:
    """A shell asks what could come next: it tells what was typed in the environment, so that there are no words."""
    return any(name.startswith("_") and name.endswith("_COMPLETE") for name in os.environ)


def _name_of(info: CommandInfo) -> str:
    return info.name or (get_command_name(info.callback.__name__) if info.callback else "")


def main() -> None:
    """Entry point. Exit codes are those of `exit_codes`; a fault of ours shows its traceback and exits 1.

    What the machine refuses (a full disk, a folder that may not be written) is an answer, not a fault.
    """
    # Whatever this or a process it starts leaves in HOME is for its owner alone: databases and logs name people's files.
    os.umask(0o077)
    try:
        try:
            (app if _completes() else part_for(sys.argv[1:]))()
        except SystemExit as ended:
            _tell_usage(ended)
            raise
        finally:
            sys.stdout.flush()
    except HoldfastError as error:
        _fail(error.facts())
    except KeyboardInterrupt:
        sys.exit(exit_codes.INTERRUPTED)
    except BrokenPipeError:
        # The reader has had enough. Python would complain once more when it flushes at its end.
        _silence_output()
        sys.exit(exit_codes.FAILED)
    except OSError as error:
        if not error.filename:
            _silence_output()
        _fail(_facts_of_machine(error))


def _tell_usage(ended: SystemExit) -> None:
    """The parser says itself on standard error what it did not understand, and ends the process: as one value, too, where that is
    asked for. A command that ends with an exit code of its own has said what it had to."""
    words = getattr(ended.__context__, "format_message", None)
    if words is not None and "--json" in sys.argv:
        print_json({"error": {"code": UsageError.code, "message": words(), "hint": "`--help` behind the command shows what it takes"}})


def _fail(facts: ErrorFacts) -> None:
    """Words for people on standard error; with `--json` the same as one value on standard output."""
    print_error(facts)
    if "--json" in sys.argv:
        print_json({"error": {"code": facts.code, "message": facts.message, "hint": facts.hint}})
    sys.exit(exit_codes.exit_code_of(facts.code))


def _facts_of_machine(error: OSError) -> ErrorFacts:
    if is_no_space(error):
        return facts_of(error)
    place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    return ErrorFacts("system", f"{place}{error.strerror or error}", "check the path, its permissions and the free space there")


def _silence_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
