"""Whatever is drawn: no exception, the same result twice, and every delivery has its receiver."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.compiler.compile import Compilation, compile_flows
from holdfast.compiler.diff import diff_rules
from holdfast.compiler.freeze import ActiveFlows
from holdfast.compiler.identities import derived_id
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.parse import parse_document
from holdfast.compiler.summary import format_summary
from holdfast.core.clock import utc
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.document import Document
from holdfast.model.rules import ForwardAction, Identity, StoreAction, decode_rules, encode_rules

NODES = ("a", "b", "c", "d")
REPOSITORIES = {"r1": "a", "r2": "b", "r3": "c"}
CARRIED = ("p/backup", "p/replicate", "q/backup", "q/replicate", "q/weekly")


def environment(flows: dict[str, Any]) -> dict[str, Any]:
    operations = {"backup": {"every": "1h", "keep": {"daily": 3}}, "replicate": {}}
    return {
        "environment": "e",
        "nodes": {name: {"tags": ["even"] if name in "bd" else []} for name in NODES},
        "groups": {"all": {"nodes": list(NODES)}, "even": {"tags": ["even"]}},
        "repositories": {name: {"node": node, "location": f"/srv/{name}"} for name, node in REPOSITORIES.items()},
        "policies": {
            "p": {"classification": {"paths": ["/data", "/srv/r1/x"]}, "operations": operations},
            "q": {"classification": {"paths": ["/home"]}, "operations": {**operations, "weekly": {"operation": "backup"}}},
        },
        "flows": flows,
    }


nodes = st.sampled_from(NODES)
policies = st.lists(st.sampled_from(["p", "q"]), max_size=2, unique=True)
vertices = st.one_of(
    st.builds(lambda node, carried: {"node": node, "policies": carried}, nodes, policies),
    st.builds(lambda group, carried: {"group": group, "policies": carried}, st.sampled_from(["all", "even", "odd"]), policies),
    st.builds(lambda name: {"repository": name}, st.sampled_from([*REPOSITORIES, "r9"])),
    st.builds(
        lambda node, path: {"mirror": node, "path": path}, nodes, st.sampled_from(["/m/{node}/{policy}/{path}", "/m", "/data/m", "/srv"])
    ),
    st.builds(lambda node: {"relay": node}, nodes),
)
names = st.sampled_from(["v0", "v1", "v2", "v3", "v4", "v5"])
movers = st.builds(
    lambda source, target, carries, extra: {"from": source, "to": target, "carries": carries, **extra},
    names,
    names,
    st.lists(st.sampled_from([*CARRIED, "p/none", "x/backup"]), min_size=1, max_size=4),
    st.sampled_from([{}, {"limit": "1MB/s"}, {"after": "p/backup"}, {"keep": {"last": 3}}, {"compression": "max"}]),
)
wild_flows = st.builds(
    lambda found, drawn: {"vertices": {f"v{number}": vertex for number, vertex in enumerate(found)}, "movers": drawn},
    st.lists(vertices, min_size=1, max_size=6),
    st.lists(movers, max_size=8),
)


@st.composite
def sane_flows(draw: st.DrawFn) -> dict[str, Any]:
    """A tree of movers: sources, then relays and repositories, mirrors at the ends. Most of them compile."""
    found: dict[str, Any] = {"s": {"group": draw(st.sampled_from(["all", "even"])), "policies": ["q"]}}
    drawn: list[dict[str, Any]] = []
    onward = {"s": ["q/backup", "q/weekly", "q/replicate"]}
    stores = list(REPOSITORIES)
    for number in range(draw(st.integers(1, 5))):
        start = draw(st.sampled_from(sorted(onward)))
        kind = draw(st.sampled_from(["repository", "mirror", "relay"]))
        backups = [each for each in onward[start] if each != "q/replicate"]
        name = f"t{number}"
        if kind == "repository" and stores and backups:
            found[name], carries = {"repository": stores.pop()}, backups
            onward[name] = [*backups, "q/replicate"]
        elif kind == "relay" and start == "s":
            found[name], carries = {"relay": draw(nodes)}, list(onward[start])
            end = f"e{number}"
            found[end] = {"mirror": draw(nodes), "path": f"/m{number}/{{node}}"}
            carries = ["q/replicate"]
            drawn.append({"from": name, "to": end, "carries": carries})
        else:
            found[name], carries = {"mirror": draw(nodes), "path": f"/m{number}/{{node}}"}, ["q/replicate"]
        drawn.append({"from": start, "to": name, "carries": carries})
    return {"vertices": found, "movers": drawn}


def compiled(flows: dict[str, Any], joined: tuple[str, ...]) -> tuple[Document, Compilation]:
    parsed = parse_document(json.dumps(environment(flows)))
    assert parsed.document is not None, parsed.diagnostics
    known = {name: Identity(id=NodeId(derived_id(name)), name=name, address=f"{name}:1") for name in joined}
    inventory = Inventory(environment=EnvironmentId("e" * 32), nodes=known)
    active = ActiveFlows(activating=tuple(flows))
    return parsed.document, compile_flows(parsed.document, active, inventory, generations={}, created_at=utc(0))


def check(compilation: Compilation) -> None:
    sent: set[tuple[str, str, str, str]] = set()
    received: set[tuple[str, str, str, str]] = set()
    for node, rules in compilation.rules.items():
        assert decode_rules(encode_rules(rules)) == rules
        peers = {peer.id for peer in rules.peers} | {node}
        repositories = {each.id for each in rules.repositories}
        onward = {each.id for each in rules.deliveries}
        ids = [each.id for each in rules.deliveries] + [each.id for each in rules.cascades]
        assert len(ids) == len(set(ids))
        for delivery in (*rules.deliveries, *(cascade.delivery for cascade in rules.cascades)):
            assert delivery.receiver in peers
            assert {operation for _, concerned in delivery.action_operations for operation in concerned} == set(delivery.operations)
            assert tuple(action for action, _ in delivery.action_operations) == delivery.actions
            sent.update((node, delivery.receiver, delivery.dataset, action) for action in delivery.actions)
        keys = [(receive.dataset, receive.sender) for receive in rules.receives]
        assert len(keys) == len(set(keys))
        for receive in rules.receives:
            assert receive.sender in peers
            received.update((receive.sender, node, receive.dataset, action.id) for action in receive.actions)
            for action in receive.actions:
                assert not isinstance(action, StoreAction) or action.repository in repositories
                assert not isinstance(action, ForwardAction) or action.delivery in onward
        assert {cascade.repository for cascade in rules.cascades} <= repositories
        datasets = {each.id for each in rules.datasets}
        assert {dataset for flow in rules.flows for dataset in flow.datasets} == datasets
        assert {cascade for flow in rules.flows for cascade in flow.cascades} == {cascade.id for cascade in rules.cascades}
    assert sent == received
    format_summary(compilation.summary)


@settings(max_examples=120, deadline=None)
@given(st.lists(wild_flows, min_size=1, max_size=2), st.sets(nodes, min_size=1))
def test_any_drawing_is_answered(flows: list[dict[str, Any]], joined: set[str]) -> None:
    named = {f"f{number}": flow for number, flow in enumerate(flows)}
    _, first = compiled(named, tuple(sorted(joined)))
    _, second = compiled(named, tuple(sorted(joined)))
    assert first == second
    check(first)


@settings(max_examples=80, deadline=None)
@given(sane_flows(), st.sampled_from([NODES, ("a", "b", "c")]))
def test_every_delivery_has_its_receiver(flow: dict[str, Any], joined: tuple[str, ...]) -> None:
    _, compilation = compiled({"f": flow}, joined)
    check(compilation)
    assert diff_rules(compilation.rules, compilation.rules) == ()
    if compilation.rules and joined == NODES:
        lines = [line for change in diff_rules({}, compilation.rules) for line in change.starts]
        assert lines
        assert lines == [line for change in diff_rules(compilation.rules, {}) for line in change.stops]
