"""The Master as a whole: set up once, served over TLS, stopped in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import time
from pathlib import Path

import httpx
import pytest

from holdfast.api.app import create_app
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, UsageError
from holdfast.master.master import Master
from holdfast.master.membership.enrolment import JoinRequest
from holdfast.master.server import MasterConfig, Ports, init_master, listen, load_config, run, serve
from holdfast.testing.simulated_node import SimulatedNode
from holdfast.wire.identity import make_csr, new_key
from tests.master.masters import identity_of

CLOCK, ENTROPY = SystemClock(), SystemEntropy()


def _config(home: Path) -> MasterConfig:
    return MasterConfig(home=home, api_host="127.0.0.1", api_port=0, hub_host="127.0.0.1", hub_port=0, names=("master.test",))


def test_init_is_once_and_keeps_its_secrets(tmp_path: Path) -> None:
    config = _config(tmp_path / "master")
    made = init_master(config, "office", clock=CLOCK, entropy=ENTROPY)
    assert load_config(config.home) == config
    assert len(made.admin_password) >= 20
    assert made.admin_password not in repr(made)
    assert made.api_token not in repr(made)
    assert stat.S_IMODE(config.home.stat().st_mode) == 0o700
    records = (config.home / "records.db").read_bytes()
    assert made.api_token.encode() not in records
    assert made.admin_password.encode() not in records
    with pytest.raises(Conflict):
        init_master(config, "office", clock=CLOCK, entropy=ENTROPY)
    with pytest.raises(UsageError):
        init_master(_config(tmp_path / "other"), "two\nlines", clock=CLOCK, entropy=ENTROPY)


def test_no_master_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_config(tmp_path)
    with pytest.raises(UsageError):
        run(_config(tmp_path / "none"), create_app, clock=CLOCK, entropy=ENTROPY)


def test_it_serves_both_ends_and_stops_in_time(tmp_path: Path) -> None:
    config = _config(tmp_path / "master")
    made = init_master(config, "office", clock=CLOCK, entropy=ENTROPY)
    masters: list[Master] = []

    def make_app(master: Master) -> object:
        masters.append(master)
        return create_app(master)

    async def main() -> float:
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(config, make_app, stop, clock=CLOCK, entropy=ENTROPY, on_ready=ready.set_result)  # type: ignore[arg-type]
        )
        ports: Ports = await ready
        trusting = ssl.create_default_context(cadata=made.ca_pem)
        bearer = {"Authorization": f"Bearer {made.api_token}"}
        async with httpx.AsyncClient(verify=trusting, base_url=f"https://127.0.0.1:{ports.api}/api/v1", headers=bearer) as http:
            assert (await http.get("/health")).json()["environment"] == "office"
            token = (await http.post("/nodes/tokens", json={"name": "n"})).json()["token"]
            key = new_key()
            joined = await masters[0].enrolment.join(
                JoinRequest(token=token, name="n", csr_pem=make_csr(key).decode()), f"127.0.0.1:{ports.hub}"
            )
            node = SimulatedNode(identity_of(joined, key))
            await node.connect(joined.hub_address)
            assert [n["state"] for n in (await http.get("/nodes")).json()["nodes"]] == ["online"]
            (first,) = (await http.get("/logs", params={"code": "session-began"})).json()["events"]
            assert (first["node"], first["facts"]["before"]) == ("", "first")
            assert (await http.get("/logs", params={"session": first["session"][:8]})).json()["events"] == [first]
            waiting = asyncio.create_task(http.get("/triggers/none?wait_s=60"))
            assert (await waiting).status_code == 404
            async with http.stream("GET", "/events", timeout=60) as events:
                lines = events.aiter_lines()
                while "snapshot" not in await anext(lines):
                    pass
                begun = time.monotonic()
                stop.set()
                # The stream ends in order: a broken one would raise here.
                assert all(["end" not in line async for line in lines if line.startswith("event:")])
        await serving
        await node.ended()
        assert node.farewell is not None
        assert "shutting down" in node.farewell.message
        await node.disconnect()
        return time.monotonic() - begun

    # The question above would be waited for a minute long.
    assert asyncio.run(main()) < 30


def test_small_answers_do_not_wait(tmp_path: Path) -> None:
    """asyncio turns the kernel's delay of small packets off only on sockets that name their protocol."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_taken_port_is_a_conflict(tmp_path: Path) -> None:
    config = _config(tmp_path / "master")
    init_master(config, "office", clock=CLOCK, entropy=ENTROPY)

    async def main() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        taken = MasterConfig(home=config.home, api_host="127.0.0.1", api_port=port, hub_host="127.0.0.1", hub_port=0)
        with pytest.raises(Conflict, match=str(port)):
            await serve(taken, create_app, asyncio.Event(), clock=CLOCK, entropy=ENTROPY)
        taken = MasterConfig(home=config.home, api_host="127.0.0.1", api_port=0, hub_host="127.0.0.1", hub_port=port)
        with pytest.raises(Conflict, match=str(port)):
            await serve(taken, create_app, asyncio.Event(), clock=CLOCK, entropy=ENTROPY)
        server.close()
        await server.wait_closed()

    asyncio.run(main())
