"""Who can open a repository: its passwords and its recovery kit. Answered by the owner's agent over its local socket alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, print_json, print_table, say
from holdfast.cli.sections import new_group
from holdfast.core.errors import Conflict, ProtocolError, Refused

if TYPE_CHECKING:
    from holdfast.model.keys import KeyDone, KeyQuestion, Keys, KeySlot, Kit

key_app = new_group("Who can open a repository: passwords and the recovery kit. On its owner's machine only.")

NameArgument = Annotated[str, typer.Argument(help="Name of the repository.")]
PasswordFileOption = Annotated[
    Path | None, typer.Option("--password-file", help="Read it here instead of asking; - is standard input.", show_default=False)
]
_TIMEOUT_S = 150


@key_app.command("ls")
@key_app.command("list", hidden=True)  # Its first name, which scripts know.
def list_keys(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The keys of a repository: who made them, which one this machine uses, which is the recovery kit."""
    keys = _ask_keys(name, home)
    if as_json:
        slots = [_plain_slot(slot) for slot in keys.slots]
        print_json({"repository": keys.repository, "location": keys.location, "kit": keys.kit.value, "source": keys.source, "slots": slots})
        return
    rows = [(slot.id[:8], _moment(slot), slot.username or "-", slot.hostname or "-", _use_of(slot, keys)) for slot in keys.slots]
    print_table(("KEY", "MADE", "BY", "ON", "USE"), rows)
    if not any(slot.in_use for slot in keys.slots):
        note(f"this machine has no key that opens {keys.repository}; `holdfast repository key restore {keys.repository}` makes one")


@key_app.command()
def add(
    name: NameArgument,
    password_file: PasswordFileOption = None,
    user: Annotated[str, typer.Option("--user", help="Who it is for, as `key ls` shows it.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a password of your choice; stock restic takes it, too."""
    from holdfast.cli.typed_secrets import read_secret
    from holdfast.model.keys import AskKeyAdd, check_password

    password = check_password(read_secret(f"new password of {name}", password_file, is_new=True))
    done = _ask_done(AskKeyAdd(repository=name, password=password, username=user), home)
    _tell(done, f"key {done.slot.id[:8]} of {name} was added", as_json)


@key_app.command()
def remove(
    name: NameArgument,
    key: Annotated[str, typer.Argument(help="The key's id or the beginning of it, as `key ls` shows it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a key; its password opens nothing any more. Never this machine's own, and so never the last."""
    from holdfast.model.keys import AskKeyRemove

    planned = _ask_done(AskKeyRemove(repository=name, slot=key, dry_run=True), home)
    slot = planned.slot
    if dry_run or not yes:
        made = f"made {_moment(slot)} by {slot.username or '?'} on {slot.hostname or '?'}"
        _tell(planned, f"key {slot.id[:8]} of {name} would be removed: {made}", as_json and dry_run)
        if not dry_run:
            raise Refused("nothing was removed", hint=f"`holdfast repository key remove {name} {slot.id[:8]} --yes` does it")
        return
    done = _ask_done(AskKeyRemove(repository=name, slot=slot.id), home)
    _tell(done, f"key {slot.id[:8]} of {name} was removed", as_json)


@key_app.command()
def rotate(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Give this machine a new password for the repository; the old one opens nothing any more."""
    from holdfast.model.keys import AskKeyRotate

    done = _ask_done(AskKeyRotate(repository=name), home)
    _tell(done, f"this machine opens {name} with key {done.slot.id[:8]} from now on", as_json)


@key_app.command()
def kit(
    name: NameArgument,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page to print to this file, instead.", show_default=False)] = None,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Say that the kit is kept: type back the last group of its code.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Make a recovery kit: a code that opens the repository when this machine is lost. It is shown once and stored nowhere."""
    from holdfast.cli.kit_page import kit_text
    from holdfast.model.keys import AskKit, Kit

    if acknowledge:
        _acknowledge(name, home)
        return
    with _new_private_file(html) as file:
        answer = _ask(AskKit(repository=name), home)
        if not isinstance(answer, Kit):
            raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
        if file is None:
            say(kit_text(answer))
        else:
            try:
                _write_page(file, answer)
            except OSError:
                # The code is nowhere else.
                say(kit_text(answer))
                raise
    if html is not None:
        say(f"written to {html}, which only you can read. Print it, then delete the file.")
    note(f"Once it lies where it is safe: `holdfast repository key kit {name} --acknowledge`")
    for earlier in answer.earlier:
        short = earlier.id[:8]
        note(f"the kit made {_moment(earlier)} (key {short}) opens it, too; `holdfast repository key remove {name} {short}` ends that")


@key_app.command()
def restore(name: NameArgument, password_file: PasswordFileOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Give this machine a key again when its own is lost, with the code of a recovery kit or any password of the repository."""
    from holdfast.cli.typed_secrets import read_secret
    from holdfast.model.keys import AskKeyRestore

    typed = read_secret(f"code of the recovery kit of {name}, or a password of it", password_file)
    done = _ask_done(AskKeyRestore(repository=name, password=typed), home)
    _tell(done, f"this machine opens {name} again, with key {done.slot.id[:8]}", as_json)


def _acknowledge(name: str, home: Path | None) -> None:
    from holdfast.cli.typed_secrets import read_line
    from holdfast.model.keys import AskKitKept

    done = _ask_done(AskKitKept(repository=name, typed=read_line(f"last group of the code on the recovery kit of {name}")), home)
    say(f"noted: somebody keeps the recovery kit of {name}, key {done.slot.id[:8]}")


def _ask(question: KeyQuestion, home: Path | None) -> object:
    from holdfast.cli.home import resolve_home
    from holdfast.cli.reach import ask_agent

    return ask_agent(resolve_home(home), question, _TIMEOUT_S)


def _ask_done(question: KeyQuestion, home: Path | None) -> KeyDone:
    from holdfast.model.keys import KeyDone

    answer = _ask(question, home)
    if not isinstance(answer, KeyDone):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    return answer


def _ask_keys(name: str, home: Path | None) -> Keys:
    from holdfast.model.keys import AskKeys, Keys

    answer = _ask(AskKeys(repository=name), home)
    if not isinstance(answer, Keys):
        raise ProtocolError(f"unexpected answer: {type(answer).__name__}")
    return answer


def _tell(done: KeyDone, words: str, as_json: bool) -> None:
    if as_json:
        print_json({"slot": _plain_slot(done.slot), "also": list(done.also)})
        return
    say(words)
    for sentence in done.also:
        note(sentence)


def _plain_slot(slot: KeySlot) -> dict[str, Any]:
    """What is as by default is not on the wire, and is in the JSON."""
    import msgspec

    return {name: msgspec.to_builtins(getattr(slot, name)) for name in slot.__struct_fields__}


def _moment(slot: KeySlot) -> str:
    return local_time(slot.created_at.isoformat() if slot.created_at else None)


def _use_of(slot: KeySlot, keys: Keys) -> str:
    if slot.error:
        return f"unreadable: {slot.error}"
    if slot.in_use:
        return "in use here, from a systemd credential" if keys.source == "credential" else "in use here"
    if slot.is_kit:
        return "recovery kit, kept" if slot.is_acknowledged else "recovery kit, not acknowledged"
    return "-"


@contextlib.contextmanager
def _new_private_file(path: Path | None) -> Iterator[int | None]:
    """Open before the kit is made, so that no code is lost for a file that cannot be written; gone again when none was made."""
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} is there already", hint="name a file that is not: a kit is written once") from None
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _write_page(descriptor: int, kit: Kit) -> None:
    from holdfast.cli.kit_page import kit_html

    with open(descriptor, "wb", closefd=False) as file:
        file.write(kit_html(kit).encode())
        file.flush()
        os.fsync(descriptor)
