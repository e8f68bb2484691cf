"""A token that holds: the machine is seen, gets nothing, and is in as soon as somebody lets it in. Open tokens are listed and cancelled."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.core.errors import HoldfastError
from holdfast.master.master import Master
from holdfast.master.membership.enrolment import JoinRequest
from holdfast.testing.simulated_node import SimulatedNode
from holdfast.wire.identity import key_id_of, load_key, make_csr
from tests.api.streams import subscribed
from tests.master.masters import ONE_TO_TWO, Running, with_master


async def _state(running: Running, name: str) -> Any:
    return next(node for node in (await running.get("/nodes"))["nodes"] if node["name"] == name)


async def _knock(running: Running, node: SimulatedNode) -> asyncio.Task[None]:
    """The node says hello and is kept waiting: the Master has seen it when this returns."""
    seen = running.master.base.news.count
    knocking = asyncio.create_task(node.connect(running.hub_address))
    while (await _state(running, "files1"))["address"] != node.address:
        await running.master.base.news.wait(seen, 10)
        seen = running.master.base.news.count
    return knocking


@with_master
async def test_a_held_machine_is_seen_and_gets_nothing(running: Running) -> None:
    await running.connect("vault", "dr")
    await running.apply(ONE_TO_TWO)
    node = await running.join("files1", hold=True)
    knocking = await _knock(running, node)
    seen = await _state(running, "files1")
    assert (seen["state"], seen["fingerprint"]) == ("waiting", key_id_of(node.identity.credentials.cert_pem))
    assert (seen["version"], seen["wanted_generation"]) == ("simulated", 0)
    compiled = await running.post("/flows/office/compile")
    assert "node-not-joined" in [each["code"] for each in compiled["diagnostics"]]
    assert compiled["summary"]["nodes"] == []
    await running.post("/nodes/files1/sample", {"classification": {"paths": ["/srv"]}}, status=503)
    running.master.hub.decided(node.identity.node)
    with pytest.raises(HoldfastError, match="waits to be authorised"):
        await knocking


@with_master
async def test_it_is_in_at_once_when_authorised(running: Running) -> None:
    await running.connect("vault", "dr")
    await running.apply(ONE_TO_TWO.replace("files1: {}, ", ""))
    node = await running.join("files1", hold=True)
    assert "files1: {}" not in (await running.get("/environment"))["text"]
    knocking = await _knock(running, node)
    before = running.master.base.news.count
    let_in = await running.post("/nodes/files1/authorise")
    assert let_in == {"id": node.identity.node, "name": "files1", "state": "authorised"}
    await knocking
    assert running.master.base.news.count > before
    assert (await _state(running, "files1"))["state"] == "online"
    assert "files1" in (await running.get("/environment"))["text"]
    assert (await running.post("/flows/office/activate"))["valid"]
    await node.until(lambda: bool(node.taken))
    assert (await running.post("/nodes/files1/authorise"))["state"] == "authorised"
    await running.post("/nodes/nobody/authorise", status=404)


@with_master
async def test_one_that_is_away_is_in_when_it_comes(running: Running) -> None:
    node = await running.join("files1", hold=True)
    await running.post("/nodes/files1/authorise")
    assert (await _state(running, "files1"))["state"] == "offline"
    await node.connect(running.hub_address)


@with_master
async def test_one_that_nobody_lets_in_is_told_to_come_again(running: Running) -> None:
    running.master.hub.hold_s = 0.01
    node = await running.join("files1", hold=True)
    with pytest.raises(HoldfastError, match="waits to be authorised") as caught:
        await node.connect(running.hub_address)
    assert caught.value.context["code"] == "not-authorised"
    assert (await _state(running, "files1"))["state"] == "waiting"


@with_master
async def test_one_that_is_sent_away_stays_away(running: Running) -> None:
    node = await running.join("files1", hold=True)
    knocking = await _knock(running, node)
    await running.post("/nodes/files1/revoke")
    with pytest.raises(HoldfastError, match="revoked"):
        await knocking
    assert (await _state(running, "files1"))["state"] == "revoked"
    refused = await running.post("/nodes/files1/authorise", status=403)
    assert "--replace" in refused["error"]["hint"]


@with_master
async def test_renewing_is_no_way_in(running: Running) -> None:
    credentials = (await running.join("files1", hold=True)).identity.credentials
    csr = make_csr(credentials.key_pem)
    signature = load_key(credentials.key_pem).sign(csr, ec.ECDSA(hashes.SHA256()))
    body = {
        "certificate_pem": credentials.cert_pem.decode(),
        "csr_pem": csr.decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    assert (await running.anonymous.post("/api/v1/renew", json=body)).status_code == 401
    assert (await _state(running, "files1"))["state"] == "waiting"


@with_master
async def test_a_second_join_is_no_way_in(running: Running) -> None:
    await running.join("files1", hold=True)
    with pytest.raises(HoldfastError, match="has joined already"):
        await running.join("files1")
    assert (await _state(running, "files1"))["state"] == "waiting"


@with_master
async def test_one_that_goes_away_while_it_waits_is_not_waited_for(running: Running) -> None:
    node = await running.join("files1", hold=True)
    knocking = await _knock(running, node)
    knocking.cancel()
    await node.disconnect()
    await running.post("/nodes/files1/authorise")
    await node.connect(running.hub_address)
    assert (await _state(running, "files1"))["state"] == "online"


@with_master
async def test_a_waiting_machine_appears_by_itself(running: Running) -> None:
    async with subscribed(running.app, {"authorization": f"Bearer {running.made.api_token}"}) as browser:
        await browser.next("snapshot")
        node = await running.join("files1", hold=True)
        appeared = (await browser.next("node")).data["node"]
        assert (appeared["name"], appeared["state"], len(appeared["fingerprint"])) == ("files1", "waiting", 64)
        knocking = await _knock(running, node)
        await running.post("/nodes/files1/authorise")
        await knocking
        while (await browser.next("node")).data["node"]["state"] != "online":
            pass


@with_master
async def test_open_tokens_are_listed_and_cancelled(running: Running) -> None:
    made = await running.post("/nodes/tokens", {"name": "files1", "ttl_s": 60, "hold": True})
    used = await running.post("/nodes/tokens", {"name": "vault"})
    short = await running.post("/nodes/tokens", {"ttl_s": 5})
    body = {"token": used["token"], "name": "vault", "csr_pem": "x"}
    await running.anonymous.post("/api/v1/join", json=body)
    assert [token["id"] for token in (await running.get("/nodes/tokens"))["tokens"]] == [made["id"], used["id"], short["id"]]
    await running.join("vault")
    running.clock.offset_s = 6
    listed = (await running.get("/nodes/tokens"))["tokens"]
    assert [token["id"] for token in listed] == [made["id"], used["id"]]
    assert listed[0] == {key: made[key] for key in ("id", "name", "created_at", "expires_at", "replace", "hold")}
    assert made["token"].split(".")[1] not in str(listed)
    await running.call("DELETE", f"/nodes/tokens/{made['id']}")
    await running.call("DELETE", f"/nodes/tokens/{made['id']}", status=404)
    with pytest.raises(HoldfastError, match="not known"):
        await _use(running, made["token"])


async def _use(running: Running, token: str) -> None:
    await running.master.enrolment.join(JoinRequest(token=token, name="files1", csr_pem="x"), running.hub_address)


@with_master
async def test_the_command_is_what_to_run_there(running: Running) -> None:
    named = await running.post("/nodes/tokens", {"name": "files1"})
    assert named["command"] == f"holdfast node join https://master.test:7440 --token {named['token']} --name files1"
    anybody = await running.post("/nodes/tokens", {})
    assert anybody["command"].endswith(' --name "$(hostname)"')
    replacing = await running.post("/nodes/tokens", {"name": "files1", "replace": True})
    assert replacing["command"].endswith(" --name files1 --replace files1")
    await running.post("/nodes/tokens", {"name": "files1", "replace": True, "hold": True}, status=400)
    hostile = await running.http.post("/api/v1/nodes/tokens", json={}, headers={"Host": "x;reboot:7440"})
    assert "https://x;reboot" not in hostile.text or "'https://x;reboot" in hostile.text


@with_master
async def test_the_command_of_one_who_sits_at_the_master_names_it_as_others_do(running: Running) -> None:
    made = running.master
    there = Master(**{**vars(made), "names": ("127.0.0.1", "master.example.net")})
    assert there.api_url("127.0.0.1", 7440) == "https://master.example.net:7440"
    assert there.api_url("fd00::1", 7440) == "https://[fd00::1]:7440"
    assert made.api_url("localhost", 7440) == "https://localhost:7440"
