"""Each diagnostic names the drawn thing it belongs to, and a fix takes its diagnostic away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.compiler.edits import apply_edits, document_values
from holdfast.compiler.fixes import FIXES, with_fixes
from holdfast.compiler.parse import parse_document
from holdfast.compiler.parse_part import parse_classification
from holdfast.compiler.sketch import keys_of
from holdfast.model.diagnostics import Diagnostic, Fix, Where
from tests.compiler.test_samples import check_sample, samples

SAMPLES = [*samples("invalid"), *samples("warnings")]
# Diagnostics of the text itself, and of keys outside of every section.
OF_THE_TEXT = {"yaml-syntax", "yaml-alias", "yaml-tag", "too-deep"}


def found_in(text: str) -> tuple[Diagnostic, ...]:
    """As the Master gives them out."""
    outcome = check_sample(text)
    flows = outcome.compilation.flows if outcome.compilation else None
    return with_fixes(outcome.diagnostics, document_values(text), flows)


def thing(path: str) -> tuple[str, str, str]:
    """Kind, name and flow of what a path of keys belongs to; a mover's name is left to the test."""
    for pattern, kind in (
        (r"flows\.([^.[]+)\.vertices\.([^.[]+).*", "vertex"),
        (r"flows\.([^.[]+)\.(movers)\[\d+\].*", "mover"),
        (r"flows\.(([^.[]+)).*", "flow"),
    ):
        if match := re.fullmatch(pattern, path):
            return kind, match[2], match[1]
    if match := re.fullmatch(r"policies\.([^.[]+)\.operations\.([^.[]+).*", path):
        return "operation", f"{match[1]}/{match[2]}", ""
    if match := re.fullmatch(r"(nodes|groups|repositories|schedules|policies)\.([^.[]+).*", path):
        return {"repositories": "repository", "policies": "policy"}.get(match[1], match[1][:-1]), match[2], ""
    return "document", "", ""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_diagnostic_names_its_drawn_thing(path: Path) -> None:
    text = path.read_text()
    for each in found_in(text):
        kind, name, flow = thing(each.where.path)
        if each.code == "unknown-flow":
            kind, name, flow = "flow", each.where.name, each.where.name
        if kind == "mover":
            written = document_values(text)["flows"][flow]["movers"][int(re.findall(r"\[(\d+)\]", each.where.path)[0])]
            name = f"{written['from']}->{written['to']}"
        assert (each.where.kind, each.where.name, each.where.flow) == (kind, name, flow), each
        assert (kind == "document") == (each.code in OF_THE_TEXT)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("flows: {f: {vertices: {v: {relay: a}, v: {}}}}", ("vertex", "v", "f")),
        ("flows: {f: {vertices: {'a b': {relay: a}}}}", ("vertex", "a b", "f")),
        ("flows: {f: {}, f: {}}", ("flow", "f", "f")),
        ("flows: {f: {movers: [7]}}", ("mover", "?->?", "f")),
        ("policies: {p: {operations: {'a b': {}}, classification: {paths: [/a]}}}", ("operation", "p/a b", "")),
        ("policies: {p: {operations: {a: {operation: backup}, a: {}}, classification: {paths: [/a]}}}", ("operation", "p/a", "")),
        ("policies: {p: {}, p: {}}", ("policy", "p", "")),
    ],
)
def test_what_is_written_twice_or_badly_names_its_thing(text: str, where: tuple[str, str, str]) -> None:
    found = parse_document(text).diagnostics
    assert where in [(each.where.kind, each.where.name, each.where.flow) for each in found]
    assert "document" not in {each.where.kind for each in found}


def cases() -> list[tuple[str, int, int]]:
    return [
        (f"{path.parent.name}/{path.stem}", at, which)
        for path in SAMPLES
        for at, each in enumerate(found_in(path.read_text()))
        for which in range(len(each.fixes))
    ]


@pytest.mark.parametrize(("sample", "at", "which"), cases())
def test_a_fix_takes_its_diagnostic_away(sample: str, at: int, which: int) -> None:
    text = (SAMPLES[0].parents[1] / f"{sample}.yaml").read_text()
    mended = found_in(text)[at]
    after = apply_edits(text, mended.fixes[which].edits)
    assert mended.fixes[which].title[0].isupper()
    left = found_in(after)
    assert (mended.code, mended.where.kind, mended.where.name, mended.message) not in [
        (each.code, each.where.kind, each.where.name, each.message) for each in left
    ]
    assert parse_document(after).document is not None or parse_document(text).document is None


def test_titles_are_told_apart_and_every_kind_of_fix_is_shown() -> None:
    shown = set()
    for path in SAMPLES:
        for each in found_in(path.read_text()):
            titles = [fix.title for fix in each.fixes]
            assert len(set(titles)) == len(titles) <= 6
            shown.update([each.code] if titles else [])
    # The samples have one of these at most, and nothing is like the wrong name.
    assert set(FIXES) - shown <= {"unknown-group", "unknown-schedule"}


def titles(sample: str, code: str) -> list[str]:
    text = (SAMPLES[0].parents[1] / f"{sample}.yaml").read_text()
    return next([fix.title for fix in each.fixes] for each in found_in(text) if each.code == code)


def test_fixes_say_what_they_do() -> None:
    assert titles("warnings/no-keep", "no-keep") == ["Keep 24 hourly, 30 daily, 12 monthly"]
    assert titles("warnings/nothing-scheduled", "nothing-scheduled") == ["Run `backup` every hour"]
    assert titles("invalid/unknown-repository", "unknown-repository") == ["Use `main`"]
    assert titles("invalid/unknown-node", "unknown-node") == ["Use `files1`", "Add the node `file1`"]
    assert titles("invalid/mode-batch", "mode-batch") == ["Make it continuous"]
    assert titles("invalid/unknown-policy", "unknown-policy") == ["Take `document/backup` off the mover"]
    assert titles("warnings/not-carried", "not-carried") == ["Remove the operation"]
    assert titles("warnings/policy-not-carried", "not-carried") == ["Carry `documents` to `store`", "Take `documents` off `others`"]
    assert titles("invalid/not-upstream", "not-carried") == ["Carry it to `store`", "Carry it to `far`"]


def test_numbers_and_dots_in_names_are_no_hindrance() -> None:
    text = """\
nodes: {1: {}, a.b: {}}
repositories: {r: {node: a.b, location: /r}}
policies: {2: {classification: {paths: [/p]}, operations: {backup: {every: 1h}, x.y: {operation: backup, every: 1h, keep: {last: 1}}}}}
flows:
  f.g:
    vertices: {v.w: {node: 1, policies: [2]}, 3: {repository: r}}
    movers: [{from: v.w, to: 3, carries: [2/backup]}]
"""
    found = {each.code: each for each in found_in(text)}
    assert apply_edits(text, found["not-carried"].fixes[0].edits) == text.replace("[2/backup]", "[2/backup, 2/x.y]")
    assert "backup: {every: 1h, keep: {hourly: 24, daily: 30, monthly: 12}}" in apply_edits(text, found["no-keep"].fixes[0].edits)


def test_a_path_is_found_by_what_is_there() -> None:
    values = {"a": {"b.c": [{"d": 1}], "b": {"x": 2}}, "a.b": {"y": 3}}
    assert keys_of("a.b.c[0].d", values) == ("a", "b.c", 0, "d")
    assert keys_of("a.b.x", values) == ("a", "b", "x")
    assert keys_of("a.b.y", values) == ("a.b", "y")
    assert keys_of("", values) == ()
    assert all(keys_of(path, values) is None for path in ("b", "a.b.c[1]", "a.b.c[x]", "a.b.x.y", "a[0]", "."))


def test_fixes_draw_only_in_the_flows_that_were_compiled() -> None:
    diagnostic = Diagnostic(
        code="not-carried",
        level=parse_document("x: 1").diagnostics[0].level,
        message="",
        where=Where(path="policies.p.operations.backup", kind="operation", name="p/backup"),
    )
    flow = "{vertices: {s: {node: n, policies: [p]}, r: {repository: r}}, movers: []}"
    values = document_values(f"policies: {{p: {{operations: {{backup: {{}}}}}}}}\nflows: {{one: {flow}, two: {flow}}}\n")

    def fixes(flows: tuple[str, ...] | None) -> tuple[Fix, ...]:
        return with_fixes((diagnostic,), values, flows)[0].fixes

    assert [fix.title for fix in fixes(("two",))] == ["Carry it to `r`"]
    assert [fix.title for fix in fixes(None)] == ["Carry it to `r` in flow `one`", "Carry it to `r` in flow `two`"]
    assert fixes(("gone",)) == ()


def test_a_part_on_its_own_has_no_fixes() -> None:
    """Their edits would be of a document that nobody has."""
    assert all(not each.fixes for each in parse_classification({"paths": ["/a"], "application": "sqlite"}).diagnostics)
