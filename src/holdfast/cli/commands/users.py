"""Users, their tokens and sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli.client import path_of
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.cli.typed_secrets import read_password

user_app = new_group("Users: who may log in.")
token_app = new_group("API tokens: for scripts, with what they may and until when.")
session_app = new_group("Browsers that are logged in.")
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="Read it here (- = standard input) instead of asking.")]
_User = Annotated[str, typer.Argument(metavar="USER")]


@user_app.command("add")
def add_user(user: _User, password_file: PasswordFile = None, home: HomeOption = None) -> None:
    """A new user, who may do nothing until something is granted."""
    client = master_client(home)
    client.post("/users", {"name": user, "password": read_password("password", password_file, is_new=True)})
    say(f"{user} is there; `holdfast grant add {user} ROLE` lets them do something")


@user_app.command("ls")
def list_users(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Who there is, and what each is granted."""
    users = master_client(home).get("/users")["users"]
    if as_json:
        print_json(users)
        return
    print_table(("USER", "STATE", "GRANTS"), [(user["name"], _state(user), _granted(user)) for user in users])


@user_app.command("passwd")
def set_password(user: _User, password_file: PasswordFile = None, home: HomeOption = None) -> None:
    """Set a user's password. Their browsers are signed out; tokens stay."""
    client = master_client(home)
    client.post(path_of("users", user, "password"), {"password": read_password("new password", password_file, is_new=True)})
    say(f"{user} has a new password")


@user_app.command()
def disable(user: _User, home: HomeOption = None) -> None:
    """Let a user in no more, with a password, token or session; nothing of theirs is removed."""
    master_client(home).post(path_of("users", user, "disable"))
    say(f"{user} is disabled")


@user_app.command()
def enable(user: _User, home: HomeOption = None) -> None:
    """Let a disabled user in again."""
    master_client(home).post(path_of("users", user, "enable"))
    say(f"{user} is enabled")


@user_app.command("remove")
def remove_user(user: _User, home: HomeOption = None) -> None:
    """Remove a user with all their tokens, sessions and grants."""
    master_client(home).delete(path_of("users", user))
    say(f"{user} is removed")


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    activity: Annotated[list[str] | None, typer.Option("--activity", help="It may do only this; may be repeated.")] = None,
    group: Annotated[str, typer.Option("--group", help="It may do so only on this resource group.")] = "everything",
    expires: Annotated[str, typer.Option("--expires", help="After so long, like 30d; without it until it is revoked.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A token of yours, printed this once. It may what you may, or less."""
    from holdfast.core.units import parse_duration_s

    body = {"name": name, "activities": activity or [], "group": group, "ttl_s": parse_duration_s(expires) if expires else None}
    made = master_client(home).post("/tokens", body)
    if as_json:
        print_json(made)
    else:
        say(made["token"])
        note("it is not shown again" + (f"; it ends {local_time(made['expires_at'])}" if made["expires_at"] else ""))


@token_app.command("ls")
def list_tokens(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Your tokens; everybody's, if you may read about access."""
    tokens = master_client(home).get("/tokens")["tokens"]
    if as_json:
        print_json(tokens)
        return
    rows = [(token["id"][:8], token["user"], one_line(token["name"]), local_time(token["expires_at"]), _scope(token)) for token in tokens]
    print_table(("TOKEN", "USER", "NAME", "ENDS", "MAY ONLY"), rows)


@token_app.command()
def revoke(token: Annotated[str, typer.Argument(help="Its name, or its whole id.")], home: HomeOption = None) -> None:
    """End a token of yours, or as who manages access anybody's. Its next call is refused."""
    master_client(home).delete(path_of("tokens", token))
    say(f"{token} is revoked")


@session_app.command("ls")
def list_sessions(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Your browsers that are logged in; everybody's, if you may read about access."""
    sessions = master_client(home).get("/sessions")["sessions"]
    if as_json:
        print_json(sessions)
    elif sessions:
        rows = [(each["id"], each["user"], each["peer"], local_time(each["used_at"]), one_line(each["agent"])[:40]) for each in sessions]
        print_table(("SESSION", "USER", "FROM", "LAST USED", "BROWSER"), rows)
    else:
        note("no browser is logged in")


@session_app.command()
def end(session: Annotated[str, typer.Argument(metavar="SESSION")], home: HomeOption = None) -> None:
    """Log a browser out, at once."""
    master_client(home).delete(path_of("sessions", session))
    say(f"{session} has ended")


def _state(user: dict[str, Any]) -> str:
    if user["disabled"]:
        return "disabled"
    if not user["directory"]:
        return ""
    until = user["vouched_until"]
    return f"{user['directory']}, until {local_time(until)}" if until else f"{user['directory']}, not any more"


def _granted(user: dict[str, Any]) -> str:
    return ", ".join(f"{grant['role']} on {grant['group']}" for grant in user["grants"]) or "-"


def _scope(token: dict[str, Any]) -> str:
    scope = token["scope"]
    if scope is None:
        return ""
    activities = ", ".join(scope["activities"]) or "all"
    return activities if scope["group"] == "everything" else f"{activities} on {scope['group']}"
