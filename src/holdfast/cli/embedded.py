"""`holdfast up`: a Master and a node of this machine under one supervising process, in one home."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from holdfast.cli.client import ApiClient
from holdfast.cli.home import has_session, load_session
from holdfast.cli.processes import Child, is_port_free, stop_all, wait_until
from holdfast.cli.room_to_start import no_room
from holdfast.core.errors import Conflict, HoldfastError, NotReachable
from holdfast.core.private_files import make_private_folder
from holdfast.core.single_instance import is_held, only_one

DEFAULT_PORT = 7440
_RESTART_AFTER_S = (1, 2, 5, 15, 30)
_UP_S = 180.0
"""Master and node may take a minute each until they answer (`wait_until`)."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What `up` is asked for. `port` None = as the home was set up, 7440 for a new one."""

    home: Path
    port: int | None
    node_name: str
    listen: str

    @property
    def name(self) -> str:
        """The node's name: as given, or the host's, cut to what a name may hold."""
        return self.node_name or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).strip("-._")[:63] or "this"

    @property
    def pid_file(self) -> Path:
        return self.home / "run" / "up.pid"

    @property
    def ready_file(self) -> Path:
        return self.home / "run" / "up.ready"

    @property
    def lock_file(self) -> Path:
        return self.home / "run" / "up.lock"


def run_in_foreground(embedded: Embedded) -> int:
    """Set up what is missing, start both, keep them running until SIGTERM or SIGINT. Returns the exit code."""
    make_private_folder(embedded.home / "run")
    embedded.home.chmod(0o700)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with _single_instance(embedded):
        children: list[Child] = []
        try:
            _start_everything(embedded, children)
            embedded.ready_file.write_text(str(os.getpid()))
            sys.stdout.write("\n".join(_greeting(embedded, is_read_now=sys.stdout.isatty())) + "\n")
            sys.stdout.flush()
            _supervise(children, stopping)
        finally:
            embedded.ready_file.unlink(missing_ok=True)
            stop_all(children)
    return 0


def run_detached(embedded: Embedded) -> list[str]:
    """Start `up` in the background and return when everything answers; what to tell the user comes back."""
    if is_held(embedded.lock_file):
        return ["already running", *_greeting(embedded, is_read_now=True)]
    port = _free_port(embedded)
    log = embedded.home / "log" / "up.log"
    arguments = ["up", "--home", str(embedded.home), "--port", str(port), "--name", embedded.name, "--listen", embedded.listen]
    embedded.ready_file.unlink(missing_ok=True)
    child = Child("holdfast up", arguments, log)
    child.start()
    try:
        wait_until(embedded.ready_file.exists, "everything answers", [child], timeout_s=_UP_S, obstacle=lambda: no_room(embedded.home))
    except HoldfastError:
        # It stops what it has started, which it cannot while it waits for that to answer. Killed before, it would leave all of it running.
        child.stop(_UP_S)
        raise
    return _greeting(embedded, is_read_now=True)


def stop(home: Path, patience_s: float = 25) -> bool:
    """Stop the supervisor of this home and all it started. False when none was running."""
    embedded = Embedded(home=home, port=None, node_name="", listen="")
    if not is_held(embedded.lock_file):
        return False
    pid = 0
    with contextlib.suppress(ValueError, OSError):
        pid = int(embedded.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while is_held(embedded.lock_file) or _lives(pid):
        if time.monotonic() > deadline:
            raise NotReachable(f"`holdfast up` of {home} does not stop", hint=f"see {home}/log/up.log")
        time.sleep(0.05)
    return True


def _start_everything(embedded: Embedded, children: list[Child]) -> None:
    from holdfast.cli.setup import MasterSetup, NodeSetup, has_joined, has_master, join_node, set_up_master

    home, port = embedded.home, _free_port(embedded)
    if not has_master(home):
        set_up_master(home, MasterSetup(name=embedded.name, host=embedded.listen, api_port=port, hub_port=port + 1))
    client = ApiClient(load_session(home))
    _start(Child("master", ["master", "run", "--home", str(home)], home / "log" / "master.out"), children)
    wait_until(client.is_answered, "the Master answers", children, obstacle=lambda: no_room(home))
    if not has_joined(home):
        token = client.post("/nodes/tokens", {"name": embedded.name, "ttl_s": 600, "replace": False})["token"]
        listen = f"{embedded.listen}:{port + 2}"
        join_node(NodeSetup(url=client.url, token=token, name=embedded.name, home=home, listen=listen))
    _start(Child("node", ["node", "run", "--home", str(home)], home / "log" / "node.out"), children)
    wait_until(lambda: bool(client.online_nodes()), "the node is online", children, obstacle=lambda: no_room(home))


def _free_port(embedded: Embedded) -> int:
    """The first of the ports, which nobody else has. Raises `Conflict`."""
    from holdfast.cli.setup import has_master

    home = embedded.home
    settled = urlsplit(load_session(home).url).port if has_master(home) else None
    if settled and embedded.port not in (None, settled):
        raise Conflict(f"the Master in {home} was set up for port {settled}", hint="leave --port out, or choose another --home")
    first = settled or embedded.port or DEFAULT_PORT
    # Where its node listens is in its own settings; only a new one is sure to take the two after.
    for number in range(first, first + (2 if settled else 4)):
        if not is_port_free(embedded.listen, number):
            hint = "something else listens there; stop it" if settled else "choose another with --port; four in a row are needed"
            raise Conflict(f"port {number} is taken", hint=hint)
    return first


def _start(child: Child, children: list[Child]) -> None:
    child.start()
    children.append(child)


def _supervise(children: list[Child], stopping: threading.Event) -> None:
    """Start again what dies, slower each time."""
    failures = dict.fromkeys(range(len(children)), 0)
    while not stopping.wait(0.5):
        for number, child in enumerate(children):
            if child.exit_code() is not None:
                pause_s = _RESTART_AFTER_S[min(failures[number], len(_RESTART_AFTER_S) - 1)]
                failures[number] += 1
                sys.stdout.write(f"{child.name} ended with {child.exit_code()}; starting it again in {pause_s} s\n")
                if stopping.wait(pause_s):
                    return
                child.start()


@contextlib.contextmanager
def _single_instance(embedded: Embedded) -> Iterator[None]:
    with only_one(embedded.lock_file, f"`holdfast up` runs in {embedded.home} already", hint="stop it with `holdfast down`"):
        embedded.pid_file.write_text(str(os.getpid()))
        try:
            yield
        finally:
            embedded.pid_file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    """False also for a zombie, which has no command line any more: it only waits for its parent."""
    try:
        return pid > 0 and bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def _greeting(embedded: Embedded, *, is_read_now: bool) -> list[str]:
    """`is_read_now`: by a person on a terminal. A link that signs in belongs in no log."""
    url = load_session(embedded.home).url if has_session(embedded.home) else "?"
    return [
        f"Holdfast is up. Its console: {url}",
        *(_link(embedded) if is_read_now else ()),
        f"  export HOLDFAST_HOME={embedded.home}",
        "  holdfast protect PATH --to FOLDER      protect something",
        "  holdfast status                        see how it does",
        "  holdfast console                       a new link that signs in to the console",
        f"  holdfast down --home {embedded.home}",
    ]


def _link(embedded: Embedded) -> list[str]:
    """None while the Master does not answer: the link is no reason to say that nothing is up."""
    with contextlib.suppress(HoldfastError):
        link = ApiClient(load_session(embedded.home)).post("/session/links")
        return [f"  {link['url']}", "                                         signs your browser in: once, within 10 minutes"]
    return []
