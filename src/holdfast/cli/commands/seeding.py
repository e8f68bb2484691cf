"""Seeding a far repository from a carried disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from holdfast.cli import exit_codes
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import note, one_line, print_json, say
from holdfast.cli.reach import ask_agent, plain
from holdfast.cli.sections import new_group
from holdfast.core.errors import ProtocolError
from holdfast.core.units import format_size

seed_app = new_group("Fill a far repository from a carried disk; afterwards only increments travel.")

_TIMEOUT_S = 30 * 86_400.0
NameArgument = Annotated[str, typer.Argument(help="Name of the repository.")]
PathArgument = Annotated[Path, typer.Argument(help="Folder on the disk, for this alone.")]
PasswordOption = Annotated[Path | None, typer.Option("--password-file", help="File with the disk's password; `-` reads standard input.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


@seed_app.command("export")
def export_(
    name: NameArgument,
    path: PathArgument,
    password_file: PasswordOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all that movers carry on from this repository to the disk, encrypted by a password of its own. On its owner's machine."""
    _seed("export", name, path, (password_file, dry_run), home, as_json=as_json)


@seed_app.command("import")
def import_(
    name: NameArgument,
    path: PathArgument,
    password_file: PasswordOption = None,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take what lies on the disk into this repository, every chunk verified. On the far owner's machine, with the flow in force."""
    _seed("import", name, path, (password_file, dry_run), home, as_json=as_json)


def _seed(
    verb: Literal["export", "import"], name: str, path: Path, how: tuple[Path | None, bool], home: Path | None, *, as_json: bool
) -> None:
    from holdfast.cli.typed_secrets import read_secret
    from holdfast.model.seeding import AskSeed, Seeded

    password_file, dry_run = how
    password = read_secret("password of the disk", password_file, is_new=verb == "export")
    ask = AskSeed(verb=verb, repository=name, path=str(path.absolute()), password=password, dry_run=dry_run)
    answer = ask_agent(resolve_home(home), ask, _TIMEOUT_S)
    if not isinstance(answer, Seeded):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    failed = [each for each in answer.datasets if each.error is not None]
    if as_json:
        told: dict[str, Any] = plain(answer)
        print_json(told)
    else:
        for each in answer.datasets:
            went = "would go" if dry_run else f"went, {format_size(each.sent_bytes)} of content"
            say(one_line(f"{each.dataset} {'to' if verb == 'export' else 'from'} {each.receiver}: {each.points} points {went}"))
            if each.error is not None:
                note(one_line(f"{each.dataset}: {each.error.message} [{each.error.code}]"))
    raise typer.Exit(exit_codes.FAILED if failed else exit_codes.OK)
