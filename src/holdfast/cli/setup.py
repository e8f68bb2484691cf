"""Setting up a Master and joining nodes: the pieces that `up`, `demo`, `master` and `node` share."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from holdfast.cli.client import ApiClient
from holdfast.cli.home import Session, save_session
from holdfast.cli.output import note_to_a_person
from holdfast.cli.room_to_start import run_with_room
from holdfast.cli.services import tell_systemd
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, NotReachable, ProtocolError, Refused, UsageError
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.core.reserve import Reserve

if TYPE_CHECKING:
    from holdfast.master.server import InitResult, Ports
    from holdfast.node.config import NodeConfig
    from holdfast.node.membership.enrol import Joined


_ASK_AGAIN_S = 2.0
_RESERVE_AGAIN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class NodeSetup:
    """What joining needs. `replace` names the dead machine whose identity is taken over; `read`, `write`, `hooks` become limits.toml.
    `download_listen`: HOST:PORT or `off`, empty = the port after that of data; `download_host`: its name in links."""

    url: str
    token: str
    name: str
    home: Path
    listen: str
    replace: str = ""
    address: str = ""
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    hooks: str = ""
    download_listen: str = ""
    download_host: str = ""

    @property
    def has_limits(self) -> bool:
        return bool(self.read or self.write or self.hooks)


def has_master(home: Path) -> bool:
    return (home / "master" / "config.json").is_file()


def has_joined(home: Path) -> bool:
    return (home / "identity" / "node.json").is_file()


def node_name(home: Path) -> str:
    """What this machine's node is called; empty when this home holds none."""
    if not has_joined(home):
        return ""
    from holdfast.node.config import load_config

    return load_config(home).name


@dataclass(frozen=True, kw_only=True)
class MasterSetup:
    """What a Master is made of. `names`: by which nodes reach it; `database`: URL of its records, empty = SQLite in its home."""

    name: str
    host: str
    api_port: int
    hub_port: int
    names: tuple[str, ...] = ()
    database: str = ""


def set_up_master(home: Path, setup: MasterSetup) -> InitResult:
    """Make the Master's authority, database and administrator in `home`, and log this home in. Starts nothing."""
    from holdfast.master.server import MasterConfig, init_master

    if has_master(home):
        raise Conflict(f"{home} holds a Master already", hint="start it with `holdfast master run`")
    make_private_folder(home)
    host = setup.host
    reachable = setup.names or (("127.0.0.1",) if host in ("127.0.0.1", "0.0.0.0") else (host,))
    config = MasterConfig(
        home=home / "master",
        api_host=host,
        api_port=setup.api_port,
        hub_host=host,
        hub_port=setup.hub_port,
        names=(*reachable, socket.gethostname()),
        database_url=setup.database,
    )
    made = init_master(config, setup.name, clock=SystemClock(), entropy=SystemEntropy())
    save_session(home, Session(url=f"https://{reachable[0]}:{setup.api_port}", ca_pem=made.ca_pem, token=made.api_token))
    return made


def database_url(url: str, file: Path | None) -> str:
    """What `--database` and `--database-file` say. Raises `UsageError`: a password in an argument is seen by everybody on the machine."""
    from holdfast.master.records.engines import parsed_url

    if file is None:
        if url and parsed_url(url).password is not None:
            raise UsageError(
                "a password in an argument is seen by everybody on this machine", hint="write the URL to a file: --database-file"
            )
        return url
    if url:
        raise UsageError("--database and --database-file contradict each other", hint="give one of them")
    try:
        found = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the URL in {file}: {error}", hint="name a readable text file") from None
    parsed_url(found)
    return found


def run_master_here(home: Path) -> None:
    """Run the Master of this home until SIGTERM. On a terminal it says when it answers, and where."""
    from holdfast.api.serve import run_master
    from holdfast.core.errors import UnknownName
    from holdfast.core.log import configure_logging
    from holdfast.master.server import load_config

    if not has_master(home):
        raise UnknownName(f"{home} holds no Master", hint="set one up with `holdfast master init`")
    config = load_config(home / "master")

    def tell(ports: Ports) -> None:
        tell_systemd("READY=1\nSTATUS=")
        host = next(iter(config.names), config.api_host)
        url = f"https://{f'[{host}]' if ':' in host else host}:{ports.api}"
        note_to_a_person(f"the Master is up: its console {url}, its home {home}; Ctrl+C ends it")

    reserve = Reserve(home / "master")

    def run() -> None:
        configure_logging(_log_file(home, "master"))
        run_master(config, clock=SystemClock(), entropy=SystemEntropy(), on_ready=tell)

    threading.Thread(target=_keep_reserve, args=(reserve,), name="reserve", daemon=True).start()
    run_with_room(reserve, run, time.sleep)


def _keep_reserve(reserve: Reserve) -> None:
    """For the life of the process, beside a Master; a node's agent does it at each look at its schedule."""
    while True:
        reserve.keep()
        time.sleep(_RESERVE_AGAIN_S)


def set_password_here(home: Path, user: str, ask: Callable[[], str]) -> int:
    """Set the password that `ask` gives, in the Master of this home; returns how many browsers' sessions that ends."""
    from holdfast.core.errors import UnknownName
    from holdfast.master.config import load_config
    from holdfast.master.people.passwords import set_password

    if not has_master(home):
        raise UnknownName(f"{home} holds no Master", hint="run this on the Master's machine, with its --home")
    return set_password(load_config(home / "master"), user, ask())


def join_node(setup: NodeSetup) -> Joined:
    """Enrol this home with a one-time token and write its limits, if any were given. Starts nothing.

    What can be seen to be wrong is refused before the token is shown to anybody, because it works only once.
    """
    from holdfast.node.membership.enrol import JoinRequest, join

    _check_join(setup)
    request = JoinRequest(
        url=setup.url,
        token=setup.token,
        name=setup.replace or setup.name,
        replace=bool(setup.replace),
        data_listen=setup.listen,
        data_address=setup.address or _advertised(setup),
        download_listen=setup.download_listen,
        download_host=setup.download_host,
    )
    joined = join(setup.home, request, clock=SystemClock(), entropy=SystemEntropy())
    if setup.has_limits:
        _write_limits(setup)
    return joined


def run_node_here(home: Path, metrics: str) -> None:
    """Run this home's agent until SIGTERM; on a terminal it says that it has begun. `metrics`: where it gives them, empty = nowhere."""
    from holdfast.core.errors import UnknownName
    from holdfast.core.log import configure_logging
    from holdfast.core.ready_types import make_types_ready
    from holdfast.node.agent import Surroundings, run_agent
    from holdfast.node.config import load_config
    from holdfast.node.processes.fork_server import fork_server

    if not has_joined(home):
        raise UnknownName(f"{home} has not joined a Master", hint="join it with `holdfast node join URL --token T --name N`")
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    # For the recall mount: mfusepy takes the library of this name; without it, libfuse 2 where both are there.
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    config, reserve = load_config(home), Reserve(home)
    untold = [f"node {config.name} runs: its Master {config.master_url}, its home {home}; Ctrl+C ends it"]

    def alive() -> None:
        tell_systemd("READY=1\nWATCHDOG=1\nSTATUS=")
        reserve.keep()
        while untold:
            note_to_a_person(untold.pop())

    make_types_ready()
    with fork_server(Path(given) if given else None) as start:
        around = Surroundings(clock=SystemClock(), entropy=SystemEntropy(), start=start, metrics=metrics, alive=alive)

        def run() -> None:
            configure_logging(_log_file(home, "agent"))
            run_agent(home, around)

        run_with_room(reserve, run, time.sleep)


def master_url(text: str) -> str:
    """A Master's address as people write it, `HOST`, `HOST:PORT` or `https://HOST:PORT`, in full. Raises `UsageError`."""
    from holdfast.node.membership.enrol import host_and_port

    host, port = host_and_port(text)
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def authority_of(url: str) -> tuple[str, str]:
    """The authority's certificate at an address, and its fingerprint. Not verified: the caller compares the fingerprint."""
    import hashlib
    import http.client
    import ssl

    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.hostname or "localhost", parts.port or 7440, timeout=20, context=context)
    try:
        connection.request("GET", "/api/v1/ca")
        answer = json.loads(connection.getresponse().read())
        pem = str(answer["ca_pem"])
        return pem, hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except (OSError, http.client.HTTPException) as error:
        raise NotReachable(f"no Master answers at {url}: {error}", hint="check address and port") from None
    except (ValueError, KeyError):
        raise ProtocolError(f"what answers at {url} is not a Master", hint="check address and port") from None
    finally:
        connection.close()


def log_in(home: Path, anonymous: Session, login: dict[str, str]) -> None:
    """Trade a password for a token and keep the session. `login` is the body of `POST /login`."""
    token = ApiClient(anonymous).post("/login", login)["token"]
    save_session(home, replace(anonymous, token=token))


def log_in_by_browser(home: Path, anonymous: Session, show: Callable[[str, str], None]) -> str:
    """Wait until somebody has allowed it in a browser, and keep the session; returns who. `show` is told the address and the code."""
    client = ApiClient(anonymous)
    asked = client.post("/login/requests")
    show(asked["url"], asked["code"])
    while True:
        taken = client.post("/login/requests/take", {"secret": asked["secret"]})
        if taken["token"] is not None:
            save_session(home, replace(anonymous, token=taken["token"]))
            return str(taken["user"])
        time.sleep(_ASK_AGAIN_S)


def listen_elsewhere(home: Path, *, listen: str, address: str, download_listen: str, download_host: str) -> NodeConfig:
    """What this machine's node listens on, and is reached by, from its next start on. Its identity stays, so nobody lets it in anew.
    Empty = as it was, but for `address`: that is found out anew."""
    from msgspec.structs import replace as with_other

    from holdfast.node.config import load_config, save_config

    known = load_config(home)
    setup = NodeSetup(
        url=known.master_url,
        token="",
        name=known.name,
        home=home,
        listen=listen or known.data_listen,
        address=address,
        download_listen=download_listen or known.download_listen,
        download_host=download_host or known.download_host,
    )
    _check_addresses(setup)
    changed = with_other(
        known,
        data_listen=setup.listen,
        data_advertised=address or _advertised(setup),
        download_listen=setup.download_listen,
        download_host=setup.download_host,
    )
    save_config(home, changed)
    return changed


def _check_addresses(setup: NodeSetup) -> None:
    listens = "" if setup.download_listen == "off" else setup.download_listen
    for option, value in (("--listen", setup.listen), ("--address", setup.address), ("--download-listen", listens)):
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and 0 < int(port) < 65_536):
            raise UsageError(f"{option} {value!r} is not HOST:PORT", hint="write it like 0.0.0.0:7442")


def _check_join(setup: NodeSetup) -> None:
    _check_addresses(setup)
    for option, paths in (("--read", setup.read), ("--write", setup.write), ("--hooks", (setup.hooks,) if setup.hooks else ())):
        for path in paths:
            if not os.path.isabs(path):
                raise UsageError(f"{option} {path!r} is not an absolute path", hint="begin it with /")
    make_private_folder(setup.home)
    if not os.access(setup.home, os.W_OK | os.X_OK):
        raise Refused(f"{setup.home} may not be written", hint="choose another with --home, or run as its owner")


def _advertised(setup: NodeSetup) -> str:
    """The address other nodes are told: as listened on, or, when that is everywhere, the one the Master is reached from."""
    host, _, port = setup.listen.rpartition(":")
    if host not in ("0.0.0.0", "::", "[::]", ""):
        return setup.listen
    parts = urlsplit(setup.url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((parts.hostname or "127.0.0.1", parts.port or 7440))
            return f"{probe.getsockname()[0]}:{port}"
        except OSError:
            return f"{socket.gethostname()}:{port}"


def _write_limits(setup: NodeSetup) -> None:
    """JSON strings are TOML strings, too."""
    lines = []
    if setup.read:
        lines.append(f"read = {json.dumps(list(setup.read))}")
    if setup.write:
        lines.append(f"write = {json.dumps(list(setup.write))}")
    if setup.hooks:
        lines.append(f"hooks = {json.dumps(setup.hooks)}")
    text = "# What the Master may ask of this machine. See docs/limits.md.\n" + "\n".join(lines) + "\n"
    # A package makes the name in the home a link to its configuration.
    write_private((setup.home / "limits.toml").resolve(), text.encode())


def _log_file(home: Path, name: str) -> Path:
    return make_private_folder(home / "log") / f"{name}.log"
