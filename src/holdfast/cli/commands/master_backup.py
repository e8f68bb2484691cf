"""The Master's own backup, and a Master made from it: `master backup ...`, `master restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli import exit_codes
from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, one_line, print_json, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.cli.waiting import wait_for_trigger
from holdfast.core.errors import Conflict, UnknownName
from holdfast.core.units import format_size

if TYPE_CHECKING:
    from holdfast.master.safety.restoring import RestoreDone

backup_app = new_group("The backup of the Master's own records.")


def register(master_app: typer.Typer) -> None:
    master_app.add_typer(backup_app, name="backup")
    master_app.command()(restore)


@backup_app.command()
def kit(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make a code that opens exports of this Master on another machine. Printed once; on the Master's machine only."""
    from holdfast.core.clock import SystemClock, now
    from holdfast.core.entropy import SystemEntropy
    from holdfast.core.units import format_utc
    from holdfast.master.safety.sealing import load_export_key, save_export_key, with_new_kit

    place = _master_home(home)
    key, code = with_new_kit(load_export_key(place, SystemEntropy()), format_utc(now(SystemClock())), SystemEntropy())
    save_export_key(place, key)
    if as_json:
        print_json({"code": code, "kit": key.kits[-1].id, "made_at": key.kits[-1].made_at})
        return
    say(code)
    note("write it down and keep it away from this machine and from the repository; it is stored nowhere and not shown again")
    note("it opens exports from the next one on: `holdfast master backup now`")


@backup_app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """How it stands with the Master's own backup. Exit 3 when something is missing."""
    answer = master_client(home).get("/master/backup")
    if as_json:
        print_json(answer)
    else:
        export = answer["export"]
        if export is None:
            say(f"export:   none yet since the Master started; they lie in {answer['folder']}")
        else:
            figures = f"{export['rows']} rows, {format_size(export['size_bytes'])}"
            say(f"export:   {local_time(export['made_at'])}, read back and proven; {figures}")
        for kept in answer["kept"]:
            newest = f"newest point {local_time(kept['last_at'])}" if kept["last_at"] else "no point yet"
            say(one_line(f"kept in:  {kept['repository']} on {kept['repository_node']}, by {kept['dataset']}; {newest}"))
        say(f"kits:     {', '.join(local_time(kit['made_at']) for kit in answer['kits']) or 'none'}")
        if answer["restoration"]:
            say(f"restored: {local_time(answer['restoration']['at'])}, as of {local_time(answer['restoration']['export_at'])}")
        for finding in answer["findings"]:
            note(one_line(f"{finding['message']} ({finding['hint']}) [{finding['code']}]"))
    if answer["findings"]:
        raise typer.Exit(exit_codes.WARNINGS)


@backup_app.command("now")
def export_now(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Export the records now, and take the export to its repository. Waits until it is there."""
    client = master_client(home)
    done = client.post("/master/backup/export")
    record = wait_for_trigger(client, done["trigger"]) if done["trigger"] else None
    state = record["state"] if record else "not kept"
    if as_json:
        print_json({**done, "state": state})
    else:
        say(f"exported: {done['rows']} rows, {format_size(done['size_bytes'])}, read back and proven")
        say(f"kept:     {state}" if record else "kept:     nowhere else; `holdfast master backup setup` draws the flow")
    if state not in ("succeeded", "warnings"):
        raise typer.Exit(exit_codes.WARNINGS if record is None else exit_codes.FAILED)


@backup_app.command()
def setup(
    node: Annotated[str, typer.Option("--node", help="The node on the Master's machine (default: this home's, or the only one).")] = "",
    to: Annotated[str, typer.Option("--to", help="A repository of the document (default: one on another machine).")] = "",
    every: Annotated[str, typer.Option("--every", help="How often a point is due.")] = "15m",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw and activate the flow `holdfast-master`, which keeps the Master's exports in a repository."""
    from holdfast.cli.setup import node_name

    wish = {"node": node or node_name(resolve_home(home)), "repository": to, "every": every}
    drawn = master_client(home).post("/master/backup/flow", wish)
    if as_json:
        print_json(drawn)
    else:
        say(f"{drawn['node']} keeps the Master's exports in {drawn['repository']} on {drawn['repository_node']}, every {every}")
        if not drawn["elsewhere"]:
            note("that is the Master's own machine: add a mover to a repository on another one")
        note("`holdfast master backup kit` makes the code that opens them")
    if not drawn["activation"]["valid"] or drawn["activation"]["rolled_back"]:
        for diagnostic in drawn["activation"]["diagnostics"]:
            note(one_line(f"{diagnostic['message']} [{diagnostic['code']}]"))
        raise typer.Exit(exit_codes.FAILED)


def restore(
    source: Annotated[Path, typer.Argument(help="An export (`master.export`), or a folder that holds it, such as a restored point.")],
    code_file: Annotated[Path | None, typer.Option("--code-file", help="Read the code of the kit here instead of asking.")] = None,
    host: Annotated[list[str] | None, typer.Option("--host", help="A name or address it is reached by (default: as before).")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_532, help="API port; the hub takes the next (default: as before).")
    ] = None,
    listen: Annotated[str, typer.Option("--listen", help="Address to listen on; 0.0.0.0 lets other machines in.")] = "0.0.0.0",
    database: Annotated[str, typer.Option("--database", help="Empty records to fill: postgresql://USER@HOST/DATABASE.")] = "",
    database_file: Annotated[Path | None, typer.Option("--database-file", help="A file with that URL, where it has a password.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the Master of this home from an export: the same authority, environment and history. Its nodes find it by themselves."""
    from holdfast.cli.setup import database_url, has_master
    from holdfast.cli.typed_secrets import read_secret
    from holdfast.core.clock import SystemClock
    from holdfast.core.entropy import SystemEntropy
    from holdfast.master.safety.restoring import RestoreWish, restore_master

    place = resolve_home(home)
    if has_master(place):
        raise Conflict(f"{place} holds a Master already", hint="restore into another home, or move that one away")
    wish = RestoreWish(
        source=source.expanduser().absolute(),
        code=read_secret("code of the kit", code_file),
        home=place / "master",
        api_host=listen,
        api_port=port,
        hub_port=None if port is None else port + 1,
        names=tuple(host) if host else None,
        database_url=database_url(database, database_file),
    )
    done = restore_master(wish, clock=SystemClock(), entropy=SystemEntropy())
    url = _log_in(place, done)
    told = done.restoration
    if as_json:
        facts = {"environment": done.environment, "url": url, "epoch": told.epoch, "audit_number": told.audit_number}
        print_json({**facts, "export_at": told.export_at.isoformat()})
        return
    say(f"environment:    {done.environment}")
    say(f"as it was at:   {local_time(told.export_at.isoformat())}")
    say(f"audit log:      goes on behind record {told.audit_number}")
    say("Start it with `holdfast master run`. Where its address is another than before, run `holdfast node moved URL` on each node.")
    note("stop the old Master if it still runs: the nodes follow the younger one")


def _log_in(place: Path, done: RestoreDone) -> str:
    """This home's session, by the token that came with the restore."""
    from holdfast.cli.home import Session, save_session

    config = done.config
    first = next(iter(config.names), "127.0.0.1") if config.api_host == "0.0.0.0" else config.api_host
    url = f"https://[{first}]:{config.api_port}" if ":" in first else f"https://{first}:{config.api_port}"
    if done.api_token:
        save_session(place, Session(url=url, ca_pem=done.ca_pem, token=done.api_token))
    return url


def _master_home(home: Path | None) -> Path:
    from holdfast.cli.setup import has_master

    place = resolve_home(home)
    if not has_master(place):
        raise UnknownName(f"{place} holds no Master", hint="run this on the Master's machine, with its --home")
    return place / "master"
