"""Enrolment: tokens, taking over, renewing, revoking; and what the hub says to those who should not be there."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.core.clock import SystemClock
from holdfast.core.errors import HoldfastError, NotReachable
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.master.records import documents
from holdfast.model.document import Revision
from holdfast.testing.simulated_node import SimulatedIdentity, SimulatedNode
from holdfast.wire.authority import Authority
from holdfast.wire.identity import Credentials, expires_at, key_id_of, load_key, make_csr, new_key
from tests.master.masters import ONE_TO_TWO, Running, with_master


async def _try(running: Running, token: str, name: str = "files1", status: int = 403, **more: Any) -> Any:
    body = {"token": token, "name": name, "csr_pem": make_csr(new_key()).decode(), **more}
    answer = await running.anonymous.post("/api/v1/join", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@with_master
async def test_a_token_opens_the_door_once(running: Running) -> None:
    made = await running.post("/nodes/tokens", {"name": "files1", "ttl_s": 60, "replace": False})
    joined = await _try(running, made["token"], status=200)
    assert made["token"].endswith(running.made.ca_fingerprint)
    assert set(joined) == {
        "certificate_pem",
        "ca_pem",
        "node_id",
        "name",
        "environment_id",
        "environment",
        "signing_key",
        "hub_address",
        "master_name",
        "waiting",
    }
    assert joined["hub_address"] == f"master.test:{running.master.hub_port}"
    assert base64.b64decode(joined["signing_key"]) == running.master.base.authority.signing_public
    used = await _try(running, made["token"], name="files1")
    assert used["error"]["code"] == "join-refused"
    assert "used" in used["error"]["message"]


@with_master
async def test_every_refusal_has_its_own_words(running: Running) -> None:
    fingerprint = running.made.ca_fingerprint
    expired = await running.token("files1", ttl_s=5)
    running.clock.offset_s = 6
    other_ca = f"hf1.{expired.split('.')[1]}.{'0' * 64}"
    said = [
        (await _try(running, expired))["error"]["message"],
        (await _try(running, f"hf1.aaaa.{fingerprint}"))["error"]["message"],
        (await _try(running, other_ca))["error"]["message"],
        (await _try(running, "nonsense"))["error"]["message"],
        (await _try(running, await running.token("other")))["error"]["message"],
    ]
    for message, word in zip(said, ("expired", "not known", "CA is not ours", "not a join token", "'other'"), strict=True):
        assert word in message


@with_master
async def test_a_refused_request_does_not_use_the_token_up(running: Running) -> None:
    token = await running.token("files1")
    await _try(running, token, name="other")
    await _try(running, token, csr_pem="no csr")
    await _try(running, token, status=200)


@with_master
async def test_a_taken_name_needs_replace_on_both_sides(running: Running) -> None:
    old = await running.join("files1")
    assert "--replace" in (await _try(running, await running.token("files1")))["error"]["hint"]
    assert "does not allow" in (await _try(running, await running.token("files1"), replace=True))["error"]["message"]
    await old.connect(running.hub_address)
    new = await running.join("files1", replace=True)
    await old.ended()
    assert new.identity.node == old.identity.node
    with pytest.raises(HoldfastError, match="revoked"):
        await old.connect(running.hub_address)
    await new.connect(running.hub_address)


@with_master
async def test_a_replaced_node_gets_its_rules_again(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    old = running.nodes["files1"]
    new = await running.join("files1", replace=True)
    await old.ended()
    await new.connect(running.hub_address)
    await new.until(lambda: bool(new.taken))
    assert new.taken[0].datasets == old.taken[0].datasets


@with_master
async def test_joining_enters_the_document_and_keeps_comments(running: Running) -> None:
    await running.apply("# ours\nenvironment: office # here\nnodes:\n  a: {tags: [x]} # first\n")
    await running.join("b")
    now = await running.get("/environment")
    assert now["text"] == "# ours\nenvironment: office # here\nnodes:\n  a: {tags: [x]} # first\n  b: {}\n"
    assert now["author"] == "system"
    await running.join("a")
    assert (await running.get("/environment"))["revision"] == now["revision"]


@with_master
async def test_revoking_ends_the_session_and_bars_the_key(running: Running) -> None:
    await running.connect("files1")
    node = running.nodes["files1"]
    await running.post("/nodes/files1/revoke")
    await node.ended()
    assert node.farewell is not None
    assert "revoked" in node.farewell.message
    with pytest.raises(HoldfastError, match="revoked"):
        await node.connect(running.hub_address)
    assert [n["state"] for n in (await running.get("/nodes"))["nodes"]] == ["revoked"]
    await running.post("/nodes/nobody/revoke", status=404)


@with_master
async def test_renewal_is_proven_by_the_key(running: Running) -> None:
    node = await running.join("files1")
    credentials = node.identity.credentials
    csr = make_csr(credentials.key_pem)
    signature = load_key(credentials.key_pem).sign(csr, ec.ECDSA(hashes.SHA256()))
    body = {
        "certificate_pem": credentials.cert_pem.decode(),
        "csr_pem": csr.decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    running.clock.offset_s = 86_400
    renewed = await running.anonymous.post("/api/v1/renew", json=body)
    fresh = renewed.json()["certificate_pem"].encode()
    assert expires_at(fresh) > expires_at(credentials.cert_pem)
    assert key_id_of(fresh) == key_id_of(credentials.cert_pem)
    forged = {**body, "signature": base64.b64encode(b"0" * 64).decode()}
    assert (await running.anonymous.post("/api/v1/renew", json=forged)).status_code == 401
    other_key = {**body, "csr_pem": make_csr(new_key()).decode()}
    assert (await running.anonymous.post("/api/v1/renew", json=other_key)).status_code == 401
    await running.post("/nodes/files1/revoke")
    assert (await running.anonymous.post("/api/v1/renew", json=body)).status_code == 401


@with_master
async def test_an_expired_certificate_is_not_renewed(running: Running) -> None:
    node = await running.join("files1")
    credentials = node.identity.credentials
    csr = make_csr(credentials.key_pem)
    signature = load_key(credentials.key_pem).sign(csr, ec.ECDSA(hashes.SHA256()))
    body = {
        "certificate_pem": credentials.cert_pem.decode(),
        "csr_pem": csr.decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    running.clock.offset_s = 91 * 86_400
    answer = await running.anonymous.post("/api/v1/renew", json=body)
    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]["message"]


@with_master
async def test_the_hub_refuses_who_is_not_whom_it_claims(running: Running) -> None:
    node = await running.join("files1")
    with pytest.raises(NotReachable, match="another environment"):
        await node.connect(running.hub_address, environment=EnvironmentId("f" * 32))
    with pytest.raises(NotReachable, match="certificate does not show"):
        await node.connect(running.hub_address, node=NodeId("f" * 32))
    stranger_key = new_key()
    stranger_id = NodeId("a" * 32)
    authority = running.master.base.authority
    certificate = authority.issue(make_csr(stranger_key), stranger_id, clock=SystemClock())
    credentials = Credentials(stranger_key, certificate, authority.ca_pem)
    stranger = SimulatedNode(SimulatedIdentity(stranger_id, node.identity.environment, credentials, b""))
    with pytest.raises(NotReachable, match="does not know"):
        await stranger.connect(running.hub_address)


@with_master
async def test_another_authority_gets_no_session(running: Running) -> None:
    node = await running.join("files1")
    other = Authority.create(clock=SystemClock())
    key = new_key()
    certificate = other.issue(make_csr(key), node.identity.node, clock=SystemClock())
    forged = Credentials(key, certificate, running.master.base.authority.ca_pem)
    intruder = SimulatedNode(SimulatedIdentity(node.identity.node, node.identity.environment, forged, b""))
    with pytest.raises(HoldfastError):
        await intruder.connect(running.hub_address)
    assert running.master.hub.online() == frozenset()


async def _revoked_at(node: SimulatedNode, key_id: str) -> None:
    await node.until(lambda: key_id in node.taken[-1].revoked)


@with_master
async def test_receivers_learn_at_once_of_a_revoked_key(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    follower = asyncio.create_task(running.master.activation.follow_moves())
    stolen = key_id_of(running.nodes["files1"].identity.credentials.cert_pem)
    await running.post("/nodes/files1/revoke")
    for name in ("vault", "dr"):
        await _revoked_at(running.nodes[name], stolen)
        assert all(receive.sender != running.nodes["files1"].identity.node for receive in running.nodes[name].taken[-1].receives)
    follower.cancel()


@with_master
async def test_receivers_learn_of_a_replaced_key_and_sources_are_left_alone(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    old = key_id_of(running.nodes["files1"].identity.credentials.cert_pem)
    new = await running.join("files1", replace=True)
    await new.connect(running.hub_address)
    await running.settle()
    await _revoked_at(running.nodes["vault"], old)
    assert running.nodes["vault"].taken[-1].receives
    await new.until(lambda: bool(new.taken))
    assert new.taken[-1].revoked == ()


@with_master
async def test_a_document_that_compiles_no_more_does_not_hold_a_revocation_up(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    at = running.master.base.now()
    broken = Revision(number=99, text="no: [document", created_at=at, author="test", comment="")
    await running.master.base.database.run(lambda session: documents.add_revision(session, broken))
    stolen = key_id_of(running.nodes["files1"].identity.credentials.cert_pem)
    await running.post("/nodes/files1/revoke")
    await running.settle()
    await _revoked_at(running.nodes["vault"], stolen)


@with_master
async def test_a_receiver_that_was_away_learns_of_it_at_hello(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    vault = running.nodes["vault"]
    await vault.disconnect()
    stolen = key_id_of(running.nodes["files1"].identity.credentials.cert_pem)
    await running.post("/nodes/files1/revoke")
    await running.settle()
    await vault.connect(running.hub_address)
    await _revoked_at(vault, stolen)


@with_master
async def test_a_renamed_node_keeps_all_it_is(running: Running) -> None:
    await running.connect("files1", "vault", "dr")
    await running.apply(ONE_TO_TWO)
    await running.post("/flows/office/activate")
    await running.call("PUT", "/resource-groups/desks", {"nodes": ["files1"]})
    before = {node["name"]: node for node in (await running.get("/nodes"))["nodes"]}
    revision = (await running.get("/environment"))["revision"]
    tried = await running.post("/nodes/files1/rename", {"name": "desk", "dry_run": True})
    assert (tried["flows"], tried["mirrors"], tried["revision"]) == (["office"], [], revision)
    made = await running.post("/nodes/files1/rename", {"name": "desk"})
    await running.settle()
    document = await running.get("/environment")
    assert document["revision"] == made["revision"] == revision + 1
    assert document["text"] == ONE_TO_TWO.replace("files1", "desk")
    after = {node["name"]: node for node in (await running.get("/nodes"))["nodes"]}
    assert {key: after["desk"][key] for key in ("id", "fingerprint")} == {key: before["files1"][key] for key in ("id", "fingerprint")}
    assert [flow["state"] for flow in (await running.get("/flows"))["flows"]] == ["active"]
    old, new = running.nodes["files1"].taken[0], running.nodes["files1"].taken[-1]
    assert [d.label for d in new.datasets] == ["desk/documents"]
    assert [d.id for d in new.datasets] == [d.id for d in old.datasets]
    assert [d.actions for d in new.deliveries] == [d.actions for d in old.deliveries]
    groups = (await running.get("/resource-groups"))["groups"]
    assert [group["nodes"] for group in groups if group["name"] == "desks"] == [["desk"]]
    assert "node-renamed" in [line["code"] for line in (await running.get("/logs"))["events"]]
    await running.join("files1")
    assert "files1: {}" in (await running.get("/environment"))["text"]
    # A mirror whose path has the name in it would begin anew.
    await running.apply(document["text"].replace("path: /srv/mirror}", "path: '/srv/{node}'}"))
    await running.post("/flows/office/activate")
    refused = await running.call("POST", "/nodes/desk/rename", {"name": "bureau"}, status=403)
    assert "office/copy" in refused["error"]["message"]
    made = await running.post("/nodes/desk/rename", {"name": "bureau", "accept_new_copies": True})
    assert made["mirrors"] == ["office/copy"]


@with_master
async def test_a_name_that_is_taken_is_refused(running: Running) -> None:
    await running.connect("files1", "vault")
    await running.apply(ONE_TO_TWO)
    taken = await running.call("POST", "/nodes/files1/rename", {"name": "vault"}, status=409)
    assert "already" in taken["error"]["message"]
    assert taken["error"]["hint"]
    drawn = await running.call("POST", "/nodes/files1/rename", {"name": "dr"}, status=409)
    assert "the document has a node" in drawn["error"]["message"]
    await running.call("POST", "/nodes/files1/rename", {"name": "a b"}, status=400)
    await running.call("POST", "/nodes/nobody/rename", {"name": "x"}, status=404)
    # By hand in two steps: the document first, and the records follow without another revision.
    by_hand = ONE_TO_TWO.replace("files1: {}", "desk: {was: files1}").replace("node: files1", "node: desk")
    revision = (await running.apply(by_hand))["revision"]
    assert (await running.post("/nodes/files1/rename", {"name": "desk"}))["revision"] == revision + 1
    assert (await running.get("/environment"))["text"] == by_hand.replace("{was: files1}", "{}")
