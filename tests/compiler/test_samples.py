"""Samples, codes and documentation say the same: every code has a sample that gives it, and a line in the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from holdfast.compiler.codes import CODES
from holdfast.compiler.compile import Compilation, compile_flows
from holdfast.compiler.freeze import ActiveFlows
from holdfast.compiler.identities import derived_id
from holdfast.compiler.inventory import Inventory
from holdfast.compiler.notes import locate
from holdfast.compiler.parse import parse_document
from holdfast.core.clock import utc
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.model.diagnostics import Diagnostic, Level
from holdfast.model.document import Document
from holdfast.model.rules import Identity

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
ENVIRONMENT = EnvironmentId("e" * 32)


def header(text: str, key: str) -> list[str]:
    found = re.search(rf"^# {key}: (.*)$", text, re.MULTILINE)
    return [word.strip() for word in found.group(1).split(",")] if found else []


def inventory_of(document: Document, text: str) -> Inventory:
    joined = header(text, "joined") or [node.name for node in document.nodes]
    silent, unlimited = header(text, "no address"), header(text, "no limits")
    nodes = {
        name: Identity(
            id=NodeId(derived_id("node", name)),
            name=name,
            address="" if name in silent else f"{name}:7442",
            online=True,
            has_limits=name not in unlimited,
        )
        for name in joined
    }
    return Inventory(environment=ENVIRONMENT, nodes=nodes)


@dataclass(frozen=True)
class Outcome:
    compilation: Compilation | None
    diagnostics: tuple[Diagnostic, ...]


def check_sample(text: str) -> Outcome:
    parsed = parse_document(text)
    if parsed.document is None:
        return Outcome(None, parsed.diagnostics)
    activating = header(text, "activate") or [flow.name for flow in parsed.document.flows]
    compilation = compile_flows(
        parsed.document,
        ActiveFlows(activating=tuple(activating)),
        inventory_of(parsed.document, text),
        generations={},
        created_at=utc(0),
    )
    located = locate(compilation.diagnostics, parsed.places)
    return Outcome(compilation, (*parsed.diagnostics, *located))


def samples(folder: str) -> list[Path]:
    return sorted((SAMPLES / folder).glob("*.yaml"))


@pytest.mark.parametrize("path", samples("valid"), ids=lambda path: path.stem)
def test_valid_sample_compiles_without_a_word(path: Path) -> None:
    outcome = check_sample(path.read_text())
    assert outcome.compilation is not None
    assert outcome.diagnostics == ()


def expected(text: str) -> tuple[str, str]:
    match = re.match(r"# expect: (\S+) at (.+)\n", text)
    assert match is not None
    return match.group(1), "" if match.group(2) == "(text)" else match.group(2)


@pytest.mark.parametrize("path", samples("invalid"), ids=lambda path: path.stem)
def test_invalid_sample_gives_its_error_and_no_other(path: Path) -> None:
    text = path.read_text()
    outcome = check_sample(text)
    errors = [each for each in outcome.diagnostics if each.level is Level.ERROR]
    code, place = expected(text)
    assert (code, place) in [(each.code, each.where.path) for each in errors]
    also = header(text, "also")
    assert [each for each in errors if (each.code, each.where.path) != (code, place) and each.code not in also] == []
    assert all(each.hint and each.where.line for each in errors)
    assert outcome.compilation is None or outcome.compilation.rules == {}


@pytest.mark.parametrize("path", samples("warnings"), ids=lambda path: path.stem)
def test_warning_sample_gives_its_warning_and_compiles(path: Path) -> None:
    text = path.read_text()
    outcome = check_sample(text)
    assert expected(text) in [(each.code, each.where.path) for each in outcome.diagnostics]
    assert not [each for each in outcome.diagnostics if each.level is Level.ERROR]
    assert all(each.hint and each.where.line for each in outcome.diagnostics)
    assert outcome.compilation is not None
    assert outcome.compilation.rules


def test_every_code_has_a_sample() -> None:
    shown = {expected(path.read_text())[0] for folder in ("invalid", "warnings") for path in samples(folder)}
    assert shown == {code for code, entry in CODES.items() if entry.sampled}


def test_every_code_has_a_line_in_the_documentation() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (error|warning|info) \| (.+?) \|", (ROOT / "docs/diagnostics.md").read_text(), re.MULTILINE)
    assert rows == [(code, entry.level.value, entry.meaning) for code, entry in CODES.items()]


def test_a_schedule_that_a_report_goes_by_is_used() -> None:
    text = (SAMPLES / "warnings" / "schedule-unused.yaml").read_text()
    document = parse_document(text).document
    assert document is not None
    known = msgspec.structs.replace(inventory_of(document, text), schedules_of_reports=frozenset({"weekend"}))
    flows = ActiveFlows(activating=tuple(flow.name for flow in document.flows))
    compilation = compile_flows(document, flows, known, generations={}, created_at=utc(0))
    assert "schedule-unused" not in [each.code for each in compilation.diagnostics]
