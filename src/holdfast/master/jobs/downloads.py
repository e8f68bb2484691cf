"""Download links: find the point, choose the owner that gives it, see that browsers can reach that port, sign.

What is downloaded goes from the owner to whoever shows the link; nothing of it comes by here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import shlex
import socket
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from holdfast.core.errors import HoldfastError, NotReachable, ProtocolError, UnknownName, UsageError, error_from
from holdfast.core.units import format_utc
from holdfast.master.answers.wanted_points import Wanted, matching
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.jobs.restores import Restores
from holdfast.master.records.inventory import Node
from holdfast.master.rules.deployment import deployment
from holdfast.model.downloads import (
    LINK_LIFETIME,
    AskDownloadPort,
    DownloadOrder,
    DownloadPort,
    Format,
    link_of,
    saved_name,
    signed_bytes_of_download,
    token_of,
)
from holdfast.model.entry import check_path, display_path
from holdfast.model.points import Point
from holdfast.model.rules import RepositoryRule
from holdfast.model.sight import Reach

_ASK_S = 15.0
_PROBE_S = 3.0


class DownloadWish(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants which path of what, and how. `origin`: the console's page that may read the answer by script, empty = none does;
    `reached_as`: the host by which the caller reached the Master."""

    what: Wanted
    path: bytes
    format: Format
    user: str
    origin: str = ""
    reached_as: str = ""


class DownloadLink(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is good once, until `expires_at`. `reachable`: the Master reaches that port; if not, `problem` says what it met.

    `own_certificate`: the port shows a certificate that its administrator gave it; else one of the environment's authority, whose
    fingerprint is `ca_fingerprint`. `command`: the line that gets the same without a browser.
    """

    url: str
    host: str
    port: int
    expires_at: datetime
    node: str
    repository: str
    point: Point
    reachable: bool
    problem: str
    own_certificate: bool
    ca_fingerprint: str
    command: str


class _Copy(NamedTuple):
    """A point in one repository."""

    point: Point
    owner: Node
    repository: RepositoryRule


class Downloads:
    def __init__(self, base: Foundation, hub: Hub, restores: Restores, names: Iterable[str]) -> None:
        self._base = base
        self._hub = hub
        self._restores = restores
        self._names = frozenset(names)

    async def link(self, wanted: DownloadWish, reach: Reach) -> DownloadLink:
        """Raises `UnknownName` (point), `UsageError`, `NotReachable` (no owner answers), or why none of the owners gives downloads."""
        if bool(wanted.what.point) == bool(wanted.what.dataset):
            raise UsageError("name either a point or a dataset", hint="`holdfast points` lists both")
        _check_wanted(wanted.path)
        sight = reach.sees.joined(reach.may)
        found, what = await self._restores.found(wanted.what, sight)
        rolled_out = await self._base.database.run(deployment)
        paths = (wanted.path,) if wanted.path else ()
        candidates = [each.point for each in await self._restores.with_all(rolled_out, found, matching(found, what), sight, paths)]
        if not any(reach.may.has_copy(point.dataset_id, point.repository) for point in candidates):
            reach.check_copy(candidates[0].dataset_id, candidates[0].dataset, candidates[0].repository)
        candidates = [point for point in candidates if reach.may.has_copy(point.dataset_id, point.repository)]
        problem: HoldfastError = UnknownName("no owner has this point", hint="`holdfast points` lists them")
        copies = [(point, *rolled_out.repository(point.repository)) for point in candidates]
        for point, owner, repository in sorted(copies, key=lambda copy: copy[1].id not in self._hub.online()):
            try:
                host, port = await self._port_of(owner, wanted.reached_as)
            except HoldfastError as error:
                problem = error
                continue
            return await self._link(wanted, _Copy(point, owner, repository), host, port)
        raise problem

    async def _port_of(self, owner: Node, reached_as: str) -> tuple[str, DownloadPort]:
        """The host for the link, and the port with a certificate for it. Raises what the node says."""
        asked = await asyncio.to_thread(self._host_of, owner, reached_as)
        port = await self._ask(owner, AskDownloadPort(host=asked))
        host = port.host or asked
        if port.csr_pem:
            if port.host and not await asyncio.to_thread(leads_to, port.host, self._hub.host_of(owner.id)):
                raise NotReachable(
                    f"{owner.name} calls itself {port.host}, which does not lead to where it connects from",
                    hint="correct the name in its DNS or in `node join --download-host`, or give its port a certificate of your own",
                )
            certificate = self._base.authority.issue_downloads(port.csr_pem, host, clock=self._base.clock)
            port = await self._ask(owner, AskDownloadPort(host=asked, certificate_pem=certificate))
        return host, port

    async def _ask(self, owner: Node, ask: AskDownloadPort) -> DownloadPort:
        port = await self._hub.ask_for(owner.id, ask, DownloadPort, _ASK_S)
        if port.problem is not None:
            raise error_from(port.problem)
        return port

    def _host_of(self, owner: Node, reached_as: str) -> str:
        """What stands in the link, and so in a certificate: only what leads to the node. A node on the Master's own machine is reached as
        the Master is, by a name that the Master has; of another the name it gave, if that leads to where it connects from."""
        dials_from = self._hub.host_of(owner.id)
        if not dials_from:
            raise NotReachable(f"{owner.name} is not connected", hint="it connects by itself when it runs and reaches the Master")
        named = owner.address.rpartition(":")[0].strip("[]")
        if is_of_this_machine(dials_from):
            is_ours = reached_as in self._names or reached_as in (socket.gethostname(), "localhost") or is_loopback_address(reached_as)
            if is_ours:
                return reached_as
        return named if named and leads_to(named, dials_from) else dials_from

    async def _link(self, wanted: DownloadWish, source: _Copy, host: str, port: DownloadPort) -> DownloadLink:
        point, owner, repository = source
        expires_at = self._base.now() + LINK_LIFETIME
        order = DownloadOrder(
            id=self._base.new_id(),
            owner=owner.id,
            repository=repository.id,
            dataset=point.dataset_id,
            point=point.id,
            path=wanted.path,
            format=wanted.format,
            user=wanted.user,
            origin=wanted.origin,
            expires_at=expires_at,
            label=f"{point.dataset} as of {format_utc(point.time)}",
        )
        body = msgspec.json.encode(order, order="deterministic")
        token = token_of(body, self._base.authority.sign(signed_bytes_of_download(body)))
        problem = await _problem_of(host, port.port)
        return DownloadLink(
            url=link_of(host, port.port, token, saved_name(wanted.path, wanted.format)),
            host=host,
            port=port.port,
            expires_at=expires_at,
            node=owner.name,
            repository=repository.name,
            point=point,
            reachable=not problem,
            problem=problem,
            own_certificate=port.own_certificate,
            ca_fingerprint=self._base.authority.fingerprint,
            command=command_of(point, wanted.path, wanted.format),
        )


def _check_wanted(path: bytes) -> None:
    try:
        check_path(path)
    except ProtocolError as problem:
        raise UsageError(problem.message, hint="begin it with /, without `.`, `..` and empty parts") from None


def command_of(point: Point, path: bytes, format: Format) -> str:
    """The command line that gets the same."""
    chosen = "" if format == "auto" else f" --format {format}"
    return f"holdfast download {shlex.quote(point.id)} {shlex.quote(display_path(path))}{chosen}"


async def _problem_of(host: str, port: int) -> str:
    """Why the port cannot be reached from here; empty = it can. Whoever connects also wakes what answers there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _PROBE_S)
    except TimeoutError:
        return f"{host}:{port} does not answer within {_PROBE_S:g} s; a firewall may be in between"
    except OSError as error:
        return f"{host}:{port} cannot be reached: {error.strerror or error}"
    writer.close()
    return ""


def leads_to(host: str, address: str) -> bool:
    """Whether this name, or address, is of the machine at `address`. Blocks for a look-up."""
    if host == address:
        return True
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return address in found or (is_of_this_machine(address) and any(map(is_of_this_machine, found)))


def is_of_this_machine(address: str) -> bool:
    """Whether it is one of this machine's own addresses: those can be bound to."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except (OSError, UnicodeError):
        return False
    return True


def is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
