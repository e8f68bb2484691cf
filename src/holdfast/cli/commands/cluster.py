"""Setting machines up: `up`, `down`, `demo`, `login`, `master ...`, `node join|run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.home import resolve_home
from holdfast.cli.options import HomeOption, JsonOption
from holdfast.cli.output import local_time, note, print_json, print_table, say
from holdfast.cli.reach import master_client
from holdfast.cli.sections import new_group
from holdfast.cli.typed_secrets import read_password
from holdfast.core.errors import Refused, UsageError

if TYPE_CHECKING:
    pass

master_app = new_group("Set up and run a Master.")
node_app = new_group("Join this machine to a Master and run its agent.")

PortOption = Annotated[
    int, typer.Option("--port", min=1, max=65_532, help="API port; the hub takes the next, node data and downloads those after.")
]
UpPortOption = Annotated[
    int | None,
    typer.Option(
        "--port", min=1, max=65_532, help="API port (default: 7440, or as before); the hub, node data and downloads take those after."
    ),
]
ServiceOption = Annotated[bool, typer.Option("--service", help="Start it now and at each boot, as a service of systemd; needs root.")]
ListenOption = Annotated[str, typer.Option("--listen", help="Address to listen on; 0.0.0.0 lets other machines in.")]


def register(app: typer.Typer) -> None:
    for command in (up, down, demo, login):
        app.command()(command)


def up(
    home: HomeOption = None,
    port: UpPortOption = None,
    name: Annotated[str, typer.Option("--name", help="Name of this machine's node (default: the host's name).")] = "",
    listen: ListenOption = "127.0.0.1",
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything answers; stop with `holdfast down`.")] = False,
) -> None:
    """Run a Master and a node on this machine, nothing to configure."""
    from holdfast.cli.embedded import Embedded, run_detached, run_in_foreground
    from holdfast.cli.room_to_start import naming_the_disk

    embedded = Embedded(home=resolve_home(home), port=port, node_name=name, listen=listen)
    with naming_the_disk(embedded.home):
        if not detach:
            raise typer.Exit(run_in_foreground(embedded))
        lines = run_detached(embedded)
    for line in lines:
        say(line)


def down(home: HomeOption = None) -> None:
    """Stop what `up` started in this home."""
    from holdfast.cli.embedded import stop

    say("stopped" if stop(resolve_home(home)) else "nothing was running")


def demo(
    path: Annotated[Path | None, typer.Argument(help="A folder; it is copied (default: Python's standard library).")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, and say how to look around and how to stop it.")] = False,
) -> None:
    """Show the main job on real data and prove that it worked. Leaves nothing behind."""
    import signal

    from holdfast.cli.demo.scenario import run_demo

    # Told to stop, by whatever, it takes its machines along.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    raise typer.Exit(run_demo(path.expanduser().absolute() if path else None, keep))


def login(
    url: Annotated[str, typer.Argument(help="The Master's address, like https://master.example.net:7440.")],
    user: Annotated[str, typer.Option("--user", help="Account to log in with.")] = "admin",
    password_file: Annotated[Path | None, typer.Option("--password-file", help="Read the password here instead of asking.")] = None,
    directory: Annotated[str, typer.Option("--directory", help="The LDAP directory the account is of; without it a local one.")] = "",
    browser: Annotated[bool, typer.Option("--browser", help="Sign in at the console, whatever way, and allow it there.")] = False,
    fingerprint: Annotated[str, typer.Option("--fingerprint", help="Expected SHA-256 of its authority; asked for when missing.")] = "",
    home: HomeOption = None,
) -> None:
    """Log in to a Master and keep the session in this home."""
    from holdfast.cli.home import Session
    from holdfast.cli.setup import authority_of, log_in, log_in_by_browser, master_url

    address = master_url(url)
    ca_pem, found = authority_of(address)
    if fingerprint and fingerprint.replace(":", "").lower() != found:
        raise Refused(
            f"the authority at {address} has the fingerprint {found}, not {fingerprint}",
            hint="check the address; if it is right, somebody may be in between: do not go on",
        )
    if not fingerprint:
        note(f"the authority at {address} has the fingerprint {found}")
        _need_terminal("--fingerprint")
        if not typer.confirm("is that the one `master init` printed?", err=True):
            raise Refused("not logged in", hint="`holdfast master init` printed the fingerprint on the Master")
    anonymous = Session(url=address, ca_pem=ca_pem, token="")
    if browser:
        user = log_in_by_browser(resolve_home(home), anonymous, _show_request)
    else:
        log_in(resolve_home(home), anonymous, {"user": user, "password": _password(password_file), "directory": directory})
    say(f"logged in to {address} as {user}")


def _show_request(url: str, code: str) -> None:
    say(url)
    note(f"open this in a browser, sign in, and allow the code {code.upper()}; waiting for it, for 10 minutes ...")


def _password(file: Path | None, *, is_new: bool = False) -> str:
    if file is None:
        _need_terminal("--password-file")
    return read_password("new password" if is_new else "password", file, is_new=is_new)


def _need_terminal(option: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"nobody can be asked, and {option} is missing", hint=f"add {option}, or run it on a terminal")


@master_app.command("init")
def master_init(
    home: HomeOption = None,
    name: Annotated[str, typer.Option("--name", help="Name of the environment.")] = "main",
    port: PortOption = 7440,
    listen: ListenOption = "0.0.0.0",
    host: Annotated[list[str] | None, typer.Option("--host", help="A name or address nodes reach this Master by; may be repeated.")] = None,
    database: Annotated[str, typer.Option("--database", help="Where its records are: postgresql://USER@HOST/DATABASE.")] = "",
    database_file: Annotated[Path | None, typer.Option("--database-file", help="A file with that URL, where it has a password.")] = None,
    service: ServiceOption = False,
) -> None:
    """Set up a Master: authority, database, one admin account. Prints the password once."""
    from holdfast.cli.services import Systemd
    from holdfast.cli.setup import MasterSetup, database_url, set_up_master

    systemd = Systemd.here("master", resolve_home(home)) if service else None
    setup = MasterSetup(
        name=name,
        host=listen,
        api_port=port,
        hub_port=port + 1,
        names=tuple(host or ()),
        database=database_url(database, database_file),
    )
    made = set_up_master(resolve_home(home), setup)
    say(f"environment:           {name}")
    say(f"authority fingerprint: {made.ca_fingerprint}")
    say(f"admin password:        {made.admin_password}")
    say("The password is not stored and not shown again.")
    say(systemd.enable() if systemd else "Start the Master with `holdfast master run`.")


@master_app.command("run")
def master_run(home: HomeOption = None) -> None:
    """Run the Master until it is told to stop."""
    from holdfast.cli.setup import run_master_here

    run_master_here(resolve_home(home))


@master_app.command("password")
def master_password(
    user: Annotated[str, typer.Option("--user", help="Whose password.")] = "admin",
    password_file: Annotated[Path | None, typer.Option("--password-file", help="Read the new one here instead of asking.")] = None,
    home: HomeOption = None,
) -> None:
    """Set a new password, on the Master's machine. Ends the user's sessions in browsers."""
    from holdfast.cli.setup import set_password_here

    ended = set_password_here(resolve_home(home), user, lambda: _password(password_file, is_new=True))
    say(f"{user} has a new password" + (f"; {ended} browser sessions have ended" if ended else ""))


@master_app.command("token")
def master_token(
    name: Annotated[str, typer.Option("--name", help="Only a machine of this name may use it.")] = "",
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is valid.")] = "1h",
    replace: Annotated[bool, typer.Option("--replace", help="Lets the machine take over the identity of a dead one.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Let the machine wait until `holdfast nodes authorise` lets it in.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a one-time join token."""
    from holdfast.core.units import parse_duration_s

    body = {"name": name, "ttl_s": int(parse_duration_s(ttl)), "replace": replace, "hold": hold}
    made = master_client(home).post("/nodes/tokens", body)
    if as_json:
        print_json(made)
    else:
        say(made["token"])


@master_app.command("tokens")
def master_tokens(
    cancel: Annotated[str, typer.Option("--cancel", help="Take the token of this id back.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The join tokens that still open the door."""
    from holdfast.cli.client import path_of

    client = master_client(home)
    answer = client.delete(path_of("nodes/tokens", cancel)) if cancel else client.get("/nodes/tokens")
    if as_json:
        print_json(answer if cancel else answer["tokens"])
    elif cancel:
        say("nobody joins with that token any more")
    elif not answer["tokens"]:
        note("there is none; `holdfast master token --name NAME` makes one")
    else:
        kinds = [", ".join(kind for kind in ("replace", "hold") if token[kind]) or "-" for token in answer["tokens"]]
        rows = [(t["id"], t["name"] or "any", local_time(t["expires_at"]), k) for t, k in zip(answer["tokens"], kinds, strict=True)]
        print_table(("TOKEN", "FOR", "EXPIRES", "KIND"), rows)


@node_app.command("join")
def node_join(
    url: Annotated[str, typer.Argument(help="The Master's address, like https://master.example.net:7440.")],
    token: Annotated[str, typer.Option("--token", help="The one-time token of `holdfast master token`.")],
    name: Annotated[str, typer.Option("--name", help="This machine's name.")],
    replace: Annotated[str, typer.Option("--replace", help="Take over the identity of this dead machine.")] = "",
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT where other nodes deliver data.")] = "0.0.0.0:7442",
    address: Annotated[str, typer.Option("--address", help="HOST:PORT by which other nodes reach it (default: found out).")] = "",
    download_listen: Annotated[
        str, typer.Option("--download-listen", help="HOST:PORT for downloads by browsers, or off (default: the port after --listen).")
    ] = "",
    download_host: Annotated[str, typer.Option("--download-host", help="What this machine is called in links (default: found out).")] = "",
    read: Annotated[list[str] | None, typer.Option("--read", help="Only below these folders may be captured; may be repeated.")] = None,
    write: Annotated[list[str] | None, typer.Option("--write", help="Only below these folders may be written; may be repeated.")] = None,
    hooks: Annotated[str, typer.Option("--hooks", help="Folder of the scripts that policies may name.")] = "",
    service: ServiceOption = False,
    home: HomeOption = None,
) -> None:
    """Join this machine to a Master."""
    from holdfast.cli.services import Systemd
    from holdfast.cli.setup import NodeSetup, join_node, master_url

    systemd = Systemd.here("node", resolve_home(home)) if service else None
    setup = NodeSetup(
        url=master_url(url),
        token=token,
        name=name,
        home=resolve_home(home),
        replace=replace,
        listen=listen,
        address=address,
        read=tuple(read or ()),
        write=tuple(write or ()),
        hooks=hooks,
        download_listen=download_listen,
        download_host=download_host,
    )
    joined = join_node(setup)
    say(f"key fingerprint: {joined.fingerprint}")
    say(f"{name} has joined" + ("" if systemd else "; start it with `holdfast node run`"))
    if systemd:
        say(systemd.enable())
    if joined.waiting:
        note(f"the Master lets it wait: compare the fingerprint there, then `holdfast nodes authorise {name}` lets it in")
    if not setup.has_limits:
        note("this machine sets no limits: its Master may read and write everywhere (see --read, --write and docs/limits.md)")


@node_app.command("moved")
def node_moved(
    url: Annotated[str, typer.Argument(help="Where the Master is now, like https://master.example.net:7440.")],
    home: HomeOption = None,
) -> None:
    """Tell this machine's node that its Master has another address. It must prove that it is the same; nothing is restarted."""
    from holdfast.cli.setup import master_url
    from holdfast.node.membership.enrol import follow

    moved = follow(resolve_home(home), master_url(url))
    say(f"{moved.name} dials {moved.hub_address} from now on")


@node_app.command("listen")
def node_listen(
    listen: Annotated[str, typer.Argument(metavar="[HOST:PORT]", help="Where other nodes deliver data.")] = "",
    address: Annotated[str, typer.Option("--address", help="HOST:PORT by which other nodes reach it (default: found out anew).")] = "",
    download_listen: Annotated[str, typer.Option("--download-listen", help="HOST:PORT for downloads by browsers, or off.")] = "",
    download_host: Annotated[str, typer.Option("--download-host", help="What this machine is called in links.")] = "",
    home: HomeOption = None,
) -> None:
    """Give this machine's node another address or port, from its next start on. It stays who it is: nobody has to let it in anew."""
    from holdfast.cli.setup import listen_elsewhere

    changed = listen_elsewhere(
        resolve_home(home), listen=listen, address=address, download_listen=download_listen, download_host=download_host
    )
    say(f"{changed.name} listens on {changed.data_listen} from its next start on; others reach it by {changed.data_advertised}")
    note("an `address` of it in the environment document goes before that")


@node_app.command("doctor")
def node_doctor(
    node: Annotated[str, typer.Argument(help="Ask another machine, through the Master (default: this one).")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Say what is all right, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine a machine: can it do what its rules ask? Exit code 3 for warnings, 1 for errors."""
    from holdfast.cli.doctor import examined, exit_code, print_examined

    found = examined(resolve_home(home), node)
    if as_json:
        print_json(found)
    else:
        print_examined(found, is_all=all_)
    raise typer.Exit(exit_code(found))


@node_app.command("run")
def node_run(
    metrics: Annotated[str, typer.Option(help="Give metrics to Prometheus here: 127.0.0.1:9742 or unix:PATH. Off without it.")] = "",
    home: HomeOption = None,
) -> None:
    """Run this machine's agent until it is told to stop."""
    from holdfast.cli.setup import run_node_here

    run_node_here(resolve_home(home), metrics)
