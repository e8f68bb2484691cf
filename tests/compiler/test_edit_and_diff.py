"""Edits leave every other byte alone; differences say what changed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.compiler.compile import compile_flows
from holdfast.compiler.diff import DocumentChange, diff_documents, diff_rules
from holdfast.compiler.edit import Protection, Wish, protect, protection_at
from holdfast.compiler.freeze import ActiveFlows
from holdfast.compiler.identities import derived_id
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.parse import parse_document
from holdfast.core.clock import utc
from holdfast.core.errors import Conflict, InvalidDocument, UsageError
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.document import Document
from holdfast.model.rules import Identity, Rules

TEXT = """\
# office
environment: office   # the name

nodes:
  files1: {tags: [linux,   prod]}   # odd  spacing stays
  # a note at the end of the nodes

policies: {}   # none yet
flows:
    # four columns here
    old:
        vertices: {}
        movers: []


# the end"""


def parsed(text: str) -> Document:
    found = parse_document(text).document
    assert found is not None
    return found


def protected(text: str, **changes: str) -> str:
    repository_name = changes.pop("repository_name", "main")
    return protect(text, Wish(**{"node": "files1", "path": "/srv/documents", "location": "/backup", **changes}), repository_name)


def is_subsequence(lines: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(line in rest for line in lines)


def test_protect_adds_what_is_missing_and_touches_nothing_else() -> None:
    after = protected(TEXT)
    kept = [line for line in TEXT.splitlines() if not line.startswith("policies:")]
    assert is_subsequence([*kept], after.splitlines())
    assert "policies:   # none yet" in after or "policies: # none yet" in after
    document = parsed(after)
    assert [flow.name for flow in document.flows] == ["old", "protect-documents"]
    assert document.policies[0].operations[0].keep.daily == 30
    assert (document.repositories[0].node, document.repositories[0].location) == ("files1", "/backup")
    found = protection_at(document, Wish(node="files1", path="/srv/documents/", location="/backup"))
    assert found == Protection(flow="protect-documents", policy="documents", repository="main")
    assert protection_at(document, Wish(node="files1", path="/srv/documents", location="/elsewhere")) is None


def test_protect_can_ask_for_every_moment() -> None:
    document = parsed(protected(TEXT, cdp="24h"))
    assert [(each.name, each.within_s) for each in document.policies[0].operations] == [("backup", None), ("cdp", 86_400)]
    assert document.flows[-1].movers[0].carries == ("documents/backup", "documents/cdp")
    with pytest.raises(UsageError):
        protected(TEXT, cdp="for ever")


def test_protect_twice_changes_nothing() -> None:
    after = protected(TEXT)
    assert protected(after) == after
    assert protected(after, path="/srv/documents/") == after


@pytest.mark.parametrize("wish", [{"every": "15m"}, {"cdp": "24h"}, {"every": "1h", "cdp": "2d"}])
def test_protect_again_with_another_promise_is_refused(wish: dict[str, str]) -> None:
    with pytest.raises(Conflict, match="policy 'documents'"):
        protected(protected(TEXT), **wish)


def test_protect_again_with_the_same_promise_in_other_words_changes_nothing() -> None:
    after = protected(TEXT, every="2h", cdp="1d")
    assert protected(after, every="120m", cdp="24h") == after
    assert protected(after) == after


def test_protect_uses_the_repository_that_is_there_and_makes_names_unique() -> None:
    after = protected(protected(TEXT), path="/home/documents")
    document = parsed(after)
    assert [policy.name for policy in document.policies] == ["documents", "documents-2"]
    assert len(document.repositories) == 1
    elsewhere = parsed(protected(after, path="/home/documents", location="/other"))
    assert [each.name for each in elsewhere.repositories] == ["main", "main-2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "{}",
        "{environment: x}",
        "{nodes: {}, policies: ~}",
        "---\nenvironment: x\n",
        "nodes: {a: {}}  # c\n",
        "nodes:   # here\n  a:   # yes\n  # tail\n# end\n",
        "nodes: ~ # x\nflows: {}",
        "nodes:\n    a:\n        tags: [x]\n\n\npolicies:",
        "nodes:\r\n  a: {}\r\nflows:\r\n",
        "nodes: {\n  a: {}, # c\n}\n",
        "# first\nenvironment: office\n\nnodes:\n  here: {}\n\nrepositories: {}\n\npolicies: {}\n\nflows: {}\n",
        "# first\nenvironment: 'my \"office\": #1'\n",
    ],
)
def test_protect_in_any_shape_of_text(text: str) -> None:
    before, after = parsed(text), parsed(protected(text))
    assert {each.name for each in after.nodes} == {each.name for each in before.nodes} | {"files1"}
    assert [each.name for each in after.flows] == ["protect-documents"]
    assert after.environment == before.environment


@pytest.mark.parametrize("word", ["Null", "true", "12", "1e3", "no", "0x1f"])
def test_protect_takes_words_that_mean_something_to_yaml(word: str) -> None:
    for before in ("", "{}", "nodes: {}\npolicies: {}\n"):
        after = parsed(protected(before, path=f"/srv/{word}", node=word, repository_name=word))
        assert ([each.name for each in after.nodes], [each.name for each in after.policies]) == ([word], [word])
        assert [each.name for each in after.repositories] == [word]


def test_protect_refuses_what_it_cannot_read() -> None:
    with pytest.raises(InvalidDocument):
        protected("nodes: [")
    with pytest.raises(InvalidDocument):
        protected("nodes: 3")
    with pytest.raises(UsageError):
        protected("", every="often")
    with pytest.raises(UsageError):
        protected("", path="relative")
    with pytest.raises(InvalidDocument):
        protected("", location="ftp://there")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(lambda name: f"/srv/{name}"))
def test_protect_takes_any_path(path: str) -> None:
    if any(part in (".", "..") for part in path.split("/")):
        return
    after = parsed(protected(TEXT, path=path))
    assert after.policies[0].classification.paths[0].rstrip("/") in ("/" + path.strip("/"), *after.policies[0].classification.paths)


OLD = """
nodes: {a: {}, b: {}, vault: {}}
repositories: {main: {node: vault, location: /r}}
policies: {p: {classification: {paths: [/p]}, operations: {backup: {every: 1h, keep: {daily: 7}}}}}
flows: {one: {vertices: {s: {node: a, policies: [p]}, r: {repository: main}}, movers: [{from: s, to: r, carries: [p/backup]}]}}
"""


def test_document_differences() -> None:
    new = OLD.replace("every: 1h", "every: 2h").replace("b: {}", "c: {}").replace("daily: 7", "weekly: 4")
    assert diff_documents(parsed(OLD), parsed(new)) == (
        DocumentChange(kind="added", what="node", name="c"),
        DocumentChange(kind="removed", what="node", name="b"),
        DocumentChange(
            kind="changed",
            what="policy",
            name="p",
            details=(
                "operations.backup.keep.daily: 7 -> default",
                "operations.backup.keep.weekly: default -> 4",
                "operations.backup.when.every: 1h -> 2h",
            ),
        ),
    )
    assert diff_documents(parsed(OLD), parsed(OLD)) == ()


def test_moved_vertices_are_one_quiet_line() -> None:
    moved = OLD.replace("policies: [p]}", "policies: [p], place: [1, 2]}").replace("main}", "main, place: [3, 4]}")
    (change,) = diff_documents(parsed(OLD), parsed(moved))
    assert (change.what, change.name, change.details) == ("flow", "one", ("places on the canvas",))
    (named,) = diff_documents(parsed(OLD), parsed(OLD.replace("r: {rep", "x.place: {rep").replace("to: r", "to: x.place")))
    assert "vertices.x.place: default -> there" in named.details


def test_a_rename_is_no_removal() -> None:
    new = OLD.replace("b: {}", "c: {was: b}")
    (change,) = diff_documents(parsed(OLD), parsed(new))
    assert (change.kind, change.name, change.details, change.is_removal) == ("changed", "c", ("renamed from b",), False)


def rules(text: str) -> dict[NodeId, Rules]:
    document = parsed(text)
    known = {node.name: Identity(id=NodeId(derived_id(node.name)), name=node.name, address="h:1") for node in document.nodes}
    inventory = Inventory(environment=EnvironmentId("e" * 32), nodes=known)
    found = compile_flows(document, ActiveFlows(activating=("one",)), inventory, generations={}, created_at=utc(0))
    return dict(found.rules)


def test_rules_differences() -> None:
    old, new = rules(OLD), rules(OLD.replace("node: a", "node: b").replace("daily: 7", "daily: 9"))
    changes = {change.node_name: change for change in diff_rules(old, new)}
    assert changes["a"].stops == ("captures a/p", "sends a/p to vault (backup)")
    assert changes["b"].starts == ("captures b/p", "sends b/p to vault (backup)")
    assert "stores b/p in repository main" in changes["vault"].starts
    assert changes["vault"].changes == ()
    kept = diff_rules(old, rules(OLD.replace("daily: 7", "daily: 9")))
    assert [(change.node_name, change.changes) for change in kept] == [("vault", ("stores a/p in repository main",))]
