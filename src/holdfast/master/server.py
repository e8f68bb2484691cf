"""A Master as a process, served until it is told to stop.

One asyncio loop carries both ends: uvicorn with the API, grpc.aio with the hub. The application is handed in, because HTTP is the
layer above; `api.serve.run_master` puts the two together.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from holdfast import __version__
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, HoldfastError, Refused, UsageError
from holdfast.core.ids import NodeId
from holdfast.core.log_session import log_session
from holdfast.core.single_instance import only_one
from holdfast.master.config import MasterConfig, load_config
from holdfast.master.foundation import Foundation
from holdfast.master.initialising import InitResult, init_master
from holdfast.master.master import Master, build_master, is_loopback
from holdfast.master.records import documents, happenings, restorations
from holdfast.master.records.database import Database
from holdfast.master.safety.exporting import export_before_upgrade
from holdfast.model.log_sessions import began_event
from holdfast.wire.authority import Authority
from holdfast.wire.hub import HubServer, HubStream
from holdfast.wire.identity import CERTIFICATE_FILE, KEY_FILE, Credentials, save_credentials
from holdfast.wire.impatience import ImpatientProtocol

__all__ = ["InitResult", "MasterConfig", "Ports", "init_master", "load_config", "run", "serve"]

CERTIFICATE_LIFETIME_S = 365 * 86_400.0
RENEW_EVERY_S = 86_400.0
_COLLECTOR = (10_000, 10, 10)
"""New objects until the young ones are looked through for cyclic garbage; such looks until the next older ones are, twice: everything
after a million. A look at everything keeps all answers waiting, with 2,000 nodes for half a second, and by default there is one each time a
quarter more is alive: while they come back, all the time."""
_log = logging.getLogger(__name__)

MakeApp = Callable[[Master], ASGIApp]


@dataclass(frozen=True)
class Ports:
    api: int
    hub: int


def run(
    config: MasterConfig,
    make_app: MakeApp,
    *,
    clock: Clock,
    entropy: Entropy,
    on_ready: Callable[[Ports], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then end within five seconds. Must run in the main thread.

    Raises `UsageError` when `config.home` holds no Master, `Conflict` when one runs there already or a port is taken.
    """

    def ready(ports: Ports) -> None:
        # What was loaded at the start stays: no look passes it any more.
        gc.freeze()
        if on_ready is not None:
            on_ready(ports)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(config, make_app, stop, clock=clock, entropy=entropy, on_ready=ready)

    gc.set_threshold(*_COLLECTOR)
    with _only_master(config.home):
        asyncio.run(main())


async def serve(
    config: MasterConfig,
    make_app: MakeApp,
    stop: asyncio.Event,
    *,
    clock: Clock,
    entropy: Entropy,
    on_ready: Callable[[Ports], None] | None = None,
) -> None:
    """As `run`, in a loop that is there already, until `stop` is set."""
    base = open_foundation(config, clock=clock, entropy=entropy)
    identity = _Identity(base.authority, config, clock)
    with closing(base.database), listen(config.api_host, config.api_port) as listener, _session_of(base):
        hub_server = HubServer(
            f"{_bracketed(config.hub_host)}:{config.hub_port}",
            lambda: identity.credentials,
            lambda stream: master.hub.serve(stream, _host_of(stream)),
            lambda key_id: master.hub.is_barred(key_id),
        )
        # The port is known once it listens, and no session can come before `master` stands: nothing is awaited in between.
        hub_port = await hub_server.start()
        master = build_master(base, hub_port, () if is_loopback(config.api_host) else config.names)
        await master.start()
        api = _Server(_api_config(make_app(master), identity))
        serving = asyncio.create_task(api.serve(sockets=[listener]))
        background = [asyncio.create_task(_keep_fresh(identity, api.config)), asyncio.create_task(master.activation.follow_moves())]
        background.append(asyncio.create_task(master.hub.watch()))
        _log.info("the Master is up", extra={"facts": {"hub_port": hub_port, "environment": base.environment.name}})
        if on_ready is not None:
            on_ready(Ports(api=listener.getsockname()[1], hub=hub_port))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((stopping, serving), return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, *background):
            task.cancel()
        api.should_exit = True
        await master.say_farewell()
        await hub_server.stop(1.0)
        await serving


@contextmanager
def _session_of(base: Foundation) -> Iterator[None]:
    """The lines of the log that this Master writes meanwhile are of one session, and the first of them says so."""
    with log_session(base.config.home, __version__, clock=base.clock, entropy=base.entropy) as session:
        base.database.call_session(session.id)
        base.database.run_now(lambda s: happenings.record_own_events(s, NodeId(""), (began_event(session, NodeId("")),)))
        yield


def open_foundation(config: MasterConfig, *, clock: Clock, entropy: Entropy) -> Foundation:
    """Authority and records of the Master in `config.home`, its tables brought up to date. Raises `UsageError` when there is none."""
    if not config.authority_folder.is_dir():
        raise UsageError(f"there is no Master in {config.home}", hint="make one with `holdfast master init`, or use `holdfast up`")
    database = Database(config.url)
    form = database.form()
    if kept := export_before_upgrade(config, form, clock=clock, entropy=entropy):
        _log.info("the records are brought up to date", extra={"facts": {"export": str(kept)}})
    database.migrate(form)
    environment = database.run_now(documents.environment)
    if environment is None:
        raise UsageError(f"the Master in {config.home} was never finished", hint="run `holdfast master init` again")
    authority = Authority.load(config.authority_folder)
    return Foundation(
        database=database,
        authority=authority,
        environment=environment,
        clock=clock,
        entropy=entropy,
        config=config,
        restoration=database.run_now(restorations.newest),
    )


class _Identity:
    """The Master's own certificate, for both ends; on disk only because TLS libraries read files."""

    def __init__(self, authority: Authority, config: MasterConfig, clock: Clock) -> None:
        self._authority = authority
        self._clock = clock
        self._hosts = ("127.0.0.1", "::1", *config.names)
        self._folder = config.home / "tls"
        self.credentials: Credentials
        self.renew()

    @property
    def cert_path(self) -> Path:
        return self._folder / CERTIFICATE_FILE

    @property
    def key_path(self) -> Path:
        return self._folder / KEY_FILE

    def renew(self) -> None:
        self.credentials = self._issue()
        save_credentials(self._folder, self.credentials)

    def _issue(self) -> Credentials:
        try:
            return self._issue_for((*self._hosts, socket.gethostname()))
        except Refused:
            # A machine may be called what no certificate can say; the names given on purpose must work.
            return self._issue_for(self._hosts)

    def _issue_for(self, hosts: tuple[str, ...]) -> Credentials:
        return self._authority.issue_master(clock=self._clock, hosts=hosts, lifetime_s=CERTIFICATE_LIFETIME_S)


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would end before the hub has said farewell."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _api_config(app: ASGIApp, identity: _Identity) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ssl_certfile=identity.cert_path,
        ssl_keyfile=str(identity.key_path),
        lifespan="off",
        http=ImpatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


async def _keep_fresh(identity: _Identity, api: uvicorn.Config) -> None:
    """A Master that runs for a year must not show an expired certificate; new connections see the new one. What fails, on a full disk for
    example, is tried again the next time."""
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        try:
            await asyncio.to_thread(identity.renew)
        except (HoldfastError, OSError) as error:
            _log.warning("the Master's certificate was not renewed", extra={"facts": {"reason": str(error)}})
            continue
        if api.ssl is not None:
            api.ssl.load_cert_chain(identity.cert_path, identity.key_path)


@contextmanager
def _only_master(folder: Path) -> Iterator[None]:
    if not folder.is_dir():
        yield
        return
    with only_one(folder / "lock", f"a Master runs in {folder} already", hint="stop it first, or use another home"):
        yield


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there. Raises `Conflict` for a port or address that is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns the delay of small answers off only where the protocol is named: without it each takes 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise Conflict(f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another port with --port") from error
        listener.listen(512)
        listener.setblocking(False)
        yield listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host_of(stream: HubStream) -> str:
    """The address a node dials from, where the transport tells it."""
    return str(getattr(stream, "host", ""))
