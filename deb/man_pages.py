"""Manual pages and completions, made from the commands themselves: what `--help` says and what `man` says is one text.

The page of a command with commands below lists them; each of these has a page of its own, like `holdfast-node-join(1)`.
"""

from __future__ import annotations

import gzip
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import typer
from typer._completion_shared import get_completion_script

from holdfast.cli.exit_codes import FAILED, INTERRUPTED, NOT_REACHABLE, OK, REFUSED, USAGE, WARNINGS
from holdfast.cli.program import app

_EXIT_CODES = (
    (OK, "it worked"),
    (FAILED, "it failed"),
    (USAGE, "the command or the document is wrong"),
    (WARNINGS, "with warnings; of status: something is overdue, failed or in a gap"),
    (NOT_REACHABLE, "who was to be asked does not answer"),
    (REFUSED, "it was refused"),
    (10, "there is no repository"),
    (11, "the repository is locked"),
    (12, "the password is wrong"),
    (INTERRUPTED, "it was interrupted"),
)
_ENVIRONMENT = (("HOLDFAST_HOME", "The folder of this machine's Holdfast: --home, when that is not given."),)
_SHELLS = {
    "bash": "usr/share/bash-completion/completions/holdfast",
    "zsh": "usr/share/zsh/vendor-completions/_holdfast",
    "fish": "usr/share/fish/vendor_completions.d/holdfast.fish",
}


def man_pages(version: str, date: str) -> dict[str, bytes]:
    """Path below the root of the file system to the compressed page. `date` is what the footer says, like 2026-05-01."""
    pages = {}
    for names, command in _commands((), typer.main.get_command(app)):
        title = "-".join(("holdfast", *names))
        text = _page(names, command, f'.TH "{title.upper()}" "1" "{date}" "holdfast {version}" "Holdfast"')
        pages[f"usr/share/man/man1/{title}.1.gz"] = gzip.compress(text.encode(), 9, mtime=0)
    return pages


def completions() -> dict[str, bytes]:
    """Path below the root of the file system to the script of each shell."""
    return {
        path: (get_completion_script(prog_name="holdfast", complete_var="_HOLDFAST_COMPLETE", shell=shell) + "\n").encode()
        for shell, path in _SHELLS.items()
    }


def _commands(names: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield names, command
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if not below.hidden:
            yield from _commands((*names, name), below)


def _page(names: tuple[str, ...], command: Any, head: str) -> str:
    paragraphs = [" ".join(each.split()) for each in (command.help or "").split("\n\n")]
    first, _, rest = paragraphs[0].partition(". ")
    lines = [head, ".nh", ".ad l", ".SH NAME", f"{_escaped('-'.join(('holdfast', *names)))} \\- {_escaped(first.rstrip('.'))}"]
    lines += [".SH SYNOPSIS", _synopsis(names, command)]
    if rest or paragraphs[1:]:
        lines += [".SH DESCRIPTION", "\n.PP\n".join(_escaped(each) for each in (rest, *paragraphs[1:]) if each)]
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    lines += _section("ARGUMENTS", [(_argument(each), each.help or "") for each in shown if each.param_type_name == "argument"])
    lines += _section("OPTIONS", [(_option(each), _option_text(each)) for each in shown if each.param_type_name == "option"])
    below = [each for each in _commands(names, command) if len(each[0]) == len(names) + 1]
    lines += _section("COMMANDS", [(f"\\fB{_escaped('-'.join(('holdfast', *n)))}\\fR(1)", c.help or "") for n, c in below])
    lines += _section("EXIT STATUS", [(f"\\fB{code}\\fR", text) for code, text in _EXIT_CODES])
    lines += _section("ENVIRONMENT", [(f"\\fB{name}\\fR", text) for name, text in _ENVIRONMENT])
    if names:
        lines += [".SH SEE ALSO", f".BR {_escaped('-'.join(('holdfast', *names[:-1])))} (1)"]
    return "\n".join(lines) + "\n"


def _section(title: str, entries: list[tuple[str, str]]) -> list[str]:
    if not entries:
        return []
    lines = [f".SH {title}"]
    for term, text in entries:
        lines += [".TP", term, _escaped(" ".join(text.split())) or "."]
    return lines


def _synopsis(names: tuple[str, ...], command: Any) -> str:
    words = [f"\\fB{_escaped(' '.join(('holdfast', *names)))}\\fR", "[\\fIOPTIONS\\fR]"]
    words += [_argument(each) for each in command.params if each.param_type_name == "argument"]
    return " ".join([*words, "\\fICOMMAND\\fR ..."] if getattr(command, "commands", None) else words)


def _argument(parameter: Any) -> str:
    name = f"\\fI{_escaped((parameter.metavar or parameter.name).upper())}\\fR" + (" ..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(f"\\fB{_escaped(each)}\\fR" for each in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag or parameter.count else f"{names} \\fI{_escaped((parameter.metavar or parameter.name).upper())}\\fR"


def _option_text(parameter: Any) -> str:
    notes = ["required"] if parameter.required else []
    default = parameter.default
    if not parameter.is_flag and isinstance(default, str | int) and str(default) and "default" not in (parameter.help or ""):
        notes.append(f"default: {default}")
    return f"{parameter.help or ''}{' [' + ', '.join(notes) + ']' if notes else ''}"


def _escaped(text: str) -> str:
    """For roff: a backslash, a hyphen that is to be copied as one, and a line that would begin a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(aq").replace("'", "\\(aq")
    plain = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", plain)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in textwrap.wrap(plain, 110, break_on_hyphens=False))
