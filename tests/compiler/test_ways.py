"""Every promise that rules make is found on the drawing, over the movers it runs over."""

from __future__ import annotations

import pytest

from holdfast.compiler.ways import find_ways
from holdfast.model.promises import promises_of
from tests.compiler.test_compile_flows import SAMPLES, compiled, document, inventory, sample

VALID = sorted(path.stem for path in (SAMPLES / "valid").glob("*.yaml"))


def _ways(text: str) -> dict[tuple[str, str, str], list[tuple[str, int]]]:
    """Movers by (dataset, operation, title of the action); every promise must be there, and nothing else."""
    compilation = compiled(text)
    ways = find_ways(compilation.active, inventory(*(node.name for node in document(text).nodes)))
    promised = {promise.key: promise for rules in compilation.rules.values() for promise in promises_of(rules)}
    assert set(promised) == set(ways.of)
    titles = {key: dict(promise.delivery.action_titles).get(promise.action, "") for key, promise in promised.items()}  # type: ignore[call-overload]
    return {(promised[key].delivery.label, key[1], titles[key]): list(movers) for key, movers in ways.of.items()}


@pytest.mark.parametrize("name", VALID)
def test_every_promise_of_a_sample_has_a_way(name: str) -> None:
    assert all(_ways(sample(name)).values())


def test_a_promise_through_relays_runs_over_all_of_them() -> None:
    documents = "files1/documents"
    assert _ways(sample("relay")) == {
        (documents, "backup", "forward to vault"): [("office", 0), ("office", 1)],
        (documents, "replicate", "forward to vault"): [("office", 0), ("office", 2)],
        (documents, "backup", "forward to dr"): [("office", 0), ("office", 3), ("office", 4)],
    }


def test_a_cascade_is_a_way_of_its_own() -> None:
    documents = "files1/documents"
    assert _ways(sample("cascade")) == {
        (documents, "backup", "store main"): [("office", 0)],
        (documents, "backup", "store offsite"): [("office", 1)],
        (documents, "backup", "mirror copy"): [("office", 2)],
    }


def test_many_sources_share_a_mover_only_where_it_is_theirs() -> None:
    assert _ways(sample("many-to-one")) == {
        ("files1/documents", "backup", "store main"): [("office", 0)],
        ("mail1/mail", "backup", "store main"): [("office", 1)],
        ("mail1/documents", "backup", "store main"): [("office", 1)],
    }


def test_every_member_of_a_group_runs_over_its_mover() -> None:
    found = _ways(sample("group"))
    assert {key: movers for key, movers in found.items() if key[1] == "backup"} == {
        **{(f"{node}/system", "backup", "store main"): [("office", 0)] for node in ("web1", "web2", "db1")},
        **{(f"{node}/sites", "backup", "store main"): [("office", 1)] for node in ("web1", "web2")},
    }
