"""The `holdfast` command: finds the one that is called, and turns errors into messages and exit codes.

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
from holdfast.cli.output import print_error, print_json
from holdfast.cli.root import MODULES, new_program, register
from holdfast.core.errors import ErrorFacts, HoldfastError, UsageError, facts_of, is_no_space

T = TypeVar("T")


def part_for(words: Sequence[str]) -> typer.Typer:
    """The program with the one command that is called: to build all of them takes as long as to import them. For the list of them, all
    without their options; all of them where it is none of theirs, as for names that are nearly right."""
    if not words or list(words) == ["--help"]:
        return _listed(_whole())
    called = words[0]
    module = next((module for module, names in MODULES.items() if called in names), None)
    if module is None:
        program = _whole()
    else:
        program = new_program()
        register(module, program)
    commands = [info for info in program.registered_commands if _name_of(info) == called]
    groups = [info for info in program.registered_groups if info.name == called]
    if not commands and not groups:
        return program
    return _copy_with(program, registered_commands=commands, registered_groups=groups)


def _whole() -> typer.Typer:
    from holdfast.cli.program import app

    return app


def _listed(program: typer.Typer) -> typer.Typer:
    commands = [_copy_with(info, callback=_without_options(info.callback)) for info in program.registered_commands]
    groups = [
        _copy_with(info, typer_instance=_copy_with(info.typer_instance, registered_commands=[], registered_groups=[]))
        for info in program.registered_groups
    ]
    return _copy_with(program, registered_commands=commands, registered_groups=groups)


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
            (_whole() if _completes() else part_for(sys.argv[1:]))()
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
