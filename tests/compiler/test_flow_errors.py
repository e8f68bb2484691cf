"""What would keep each flow of a draft from being activated: as compiling that flow would say."""

from __future__ import annotations

from holdfast.compiler.compile import compile_flows
from holdfast.compiler.flow_errors import FlowErrors, find_flow_errors
from holdfast.compiler.freeze import ActiveFlows
from holdfast.core.clock import utc
from holdfast.model.diagnostics import Level
from holdfast.model.document import Document
from tests.compiler.test_compile_flows import document, inventory

ALTERNATIVES = """\
environment: test
nodes: {a: {}, b: {}}
policies:
  there: {classification: {paths: [/data]}, operations: {replicate: {every: 1h}}}
  back.again: {classification: {paths: [/srv/mirror]}, operations: {replicate: {every: 1h}}}
flows:
  failover:
    vertices: {s: {node: a, policies: [there]}, m: {mirror: b, path: /srv/mirror}}
    movers: [{from: s, to: m, carries: [there/replicate]}]
  failback:
    vertices: {s: {node: b, policies: [back.again]}, m: {mirror: a, path: /data}}
    movers: [{from: s, to: m, carries: [back.again/replicate]}]
"""


def flow(name: str, node: str, path: str) -> str:
    """Mirrors /data of `a` there."""
    vertices = f"{{s: {{node: a, policies: [there]}}, m: {{mirror: {node}, path: {path}}}}}"
    return f"  {name}: {{vertices: {vertices}, movers: [{{from: s, to: m, carries: [there/replicate]}}]}}\n"


def active(draft: Document, *flows: str) -> ActiveFlows:
    known = inventory(*(node.name for node in draft.nodes))
    found = compile_flows(draft, ActiveFlows(activating=flows), known, generations={}, created_at=utc(0))
    assert not found.has_errors
    return found.active


def errors(draft: Document, in_force: ActiveFlows | None = None, newest: Document | None = None) -> FlowErrors:
    return find_flow_errors(draft, newest, in_force or ActiveFlows(), inventory(*(node.name for node in draft.nodes)), utc(0))


def barred(found: FlowErrors) -> set[tuple[str, tuple[str, ...]]]:
    return {(each.error.code, each.flows) for each in found.errors}


def test_alternatives_say_nothing_but_when_one_is_drawn_beside_the_other_in_force() -> None:
    draft = document(ALTERNATIVES)
    assert errors(draft) == FlowErrors()
    assert barred(errors(draft, active(draft, "failover"))) == {("loop-by-location", ("failback",))}
    assert barred(errors(draft, active(draft, "failback"))) == {("loop-by-location", ("failover",))}


def test_a_flow_that_is_kept_as_it_was_is_not_held_against_what_is_in_force() -> None:
    newest = document(ALTERNATIVES + flow("wrong", "nope", "/copy"))
    draft = document(ALTERNATIVES + flow("wrong", "nope", "/copy") + flow("fine", "b", "/copy"))
    assert barred(errors(draft, active(newest, "failover"), newest)) == {("unknown-node", ("wrong",))}


def test_it_says_what_compiling_each_flow_says() -> None:
    draft = document(ALTERNATIVES + flow("wrong", "nope", "/copy") + flow("lost", "b", "/srv/mirror/lost"))
    in_force = active(draft, "failback")
    found = errors(draft, in_force)
    for each in draft.flows:
        alone = compile_flows(draft, in_force.activate(each.name), inventory("a", "b"), generations={}, created_at=utc(0))
        said = {diagnostic for diagnostic in alone.diagnostics if diagnostic.level is Level.ERROR}
        assert {known.error for known in found.errors if each.name in known.flows} == said, each.name


def test_the_flow_that_is_not_in_force_is_told_where_the_error_names_the_one_that_is() -> None:
    draft = document(ALTERNATIVES)
    in_force = active(draft, "failover")
    wider = document(ALTERNATIVES + flow("wide", "b", "/srv"))
    found = errors(wider, in_force)
    assert ("mirror-path-clash", ("wide",)) in barred(found)
    assert {each.error.where.flow for each in found.errors if each.flows == ("wide",)} == {"failover"}


def test_what_a_policy_has_wrong_bars_each_flow_that_names_it_and_is_said_once() -> None:
    text = ALTERNATIVES.replace("{replicate: {every: 1h}}}\nflows", "{replicate: {schedule: nights}}}\nflows") + flow("fine", "b", "/copy")
    again = flow("again", "a", "/copy").replace("there", "back.again").replace("node: a", "node: b")
    found = errors(document(text + again))
    assert barred(found) == {("unknown-schedule", ("failback", "again"))}


def test_no_more_than_twenty_are_looked_at_and_fewer_of_a_large_fleet() -> None:
    many = ALTERNATIVES + "".join(flow(f"wrong{number}", f"nope{number}", "/copy") for number in range(23))
    found = errors(document(many))
    assert len(found.errors) == 20
    assert found.untried == ("wrong20", "wrong21", "wrong22", "failover", "failback"), "those that are wrong by themselves come first"
    fleet = ", ".join(f"n{number}: {{}}" for number in range(4_000))
    assert len(errors(document(many.replace("b: {}}", f"b: {{}}, {fleet}}}"))).errors) == 4
