"""Parsing: defaults, every problem with its place, nothing raised whatever comes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.compiler import yaml_tree
from holdfast.compiler.codes import CODES
from holdfast.compiler.parse import Parsed, parse_document
from holdfast.compiler.yaml_tree import load_tree
from holdfast.model.document import Document, KeepRules, Policy, PruneTimes

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def codes(parsed: Parsed) -> list[tuple[str, str]]:
    return [(each.code, each.where.path) for each in parsed.diagnostics]


def policy(text: str) -> Policy:
    parsed = parse_document(f"policies:\n  p:\n    classification: {{paths: [/srv]}}\n    operations:\n      {text}\n")
    assert parsed.document is not None, parsed.diagnostics
    return parsed.document.policies[0]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~", "{}"])
def test_an_empty_text_is_an_empty_environment(text: str) -> None:
    assert parse_document(text) == Parsed(document=Document(environment=""))


def test_an_environment_with_only_a_name() -> None:
    assert parse_document("environment: office").document == Document(environment="office")


def test_every_problem_is_found_in_one_pass() -> None:
    text = """\
nodes: {a: {tgs: []}, a: {}, "b c": {}}
foo: 1
flows: 3
policies:
  d:
    classification: {paths: [x], larger_than: big}
    operations:
      backup: {every: 1z, removed: follow}
"""
    parsed = parse_document(text)
    assert parsed.document is None
    assert codes(parsed) == [
        ("unknown-key", "nodes.a.tgs"),
        ("duplicate-key", "nodes.a"),
        ("bad-name", "nodes.b c"),
        ("unknown-key", "foo"),
        ("wrong-type", "flows"),
        ("bad-path", "policies.d.classification.paths[0]"),
        ("bad-size", "policies.d.classification.larger_than"),
        ("bad-duration", "policies.d.operations.backup.every"),
        ("option-not-of-kind", "policies.d.operations.backup.removed"),
    ]


def test_a_problem_names_place_kind_line_and_nearest_key() -> None:
    text = "policies:\n  documents:\n    classification: {paths: [/srv]}\n    operations:\n      backup: {evry: 1h}\n"
    (problem,) = parse_document(text).diagnostics
    assert (problem.where.path, problem.where.kind, problem.where.name) == (
        "policies.documents.operations.backup.evry",
        "operation",
        "documents/backup",
    )
    assert (problem.where.line, problem.where.column) == (5, 16)
    assert problem.hint.startswith("did you mean `every`?")


def test_a_mover_is_named_by_its_ends() -> None:
    text = "flows:\n  f:\n    vertices: {a: {node: n}}\n    movers:\n      - {from: a, to: b, carries: [p/backup], speed: 1}\n"
    (problem,) = parse_document(text).diagnostics
    assert (problem.where.kind, problem.where.name, problem.where.flow) == ("mover", "a->b", "f")
    assert problem.where.path == "flows.f.movers[0].speed"


def test_the_operation_is_its_name_unless_said_otherwise() -> None:
    found = policy("backup: {}\n      weekly: {operation: backup, every: 1w}")
    assert [(each.name, each.kind, each.when.every_s) for each in found.operations] == [
        ("backup", "backup", None),
        ("weekly", "backup", 604_800.0),
    ]


def test_keep_is_read_with_counts_and_within() -> None:
    assert policy("backup: {keep: {hourly: 24, within: 30d}}").operations[0].keep == KeepRules(hourly=24, within_s=2_592_000.0)


@pytest.mark.parametrize(
    ("written", "removed", "seconds"),
    [
        ("{}", "keep", 604_800.0),
        ("{removed: follow}", "follow", None),
        ("{removed: keep}", "keep", None),
        ("{removed: keep 30d}", "keep", 2_592_000.0),
        ("{removed: {keep: 30d}}", "keep", 2_592_000.0),
    ],
)
def test_removed(written: str, removed: str, seconds: float | None) -> None:
    operation = policy(f"replicate: {written}").operations[0]
    assert (operation.removed, operation.removed_keep_s) == (removed, seconds)


def test_options_of_kinds_that_keep_single_files() -> None:
    text = """\
policies:
  p:
    classification: {paths: [/srv]}
    operations:
      archive: {when: {older_than: 365d, larger_than: 1MB}, keep: 7y, leave: copy}
      version: {last: 5, within: 1d}
"""
    parsed = parse_document(text)
    assert parsed.document is not None
    archive, version = parsed.document.policies[0].operations
    assert (archive.archive_older_than_s, archive.archive_larger_than_bytes, archive.archive_leave) == (31_536_000.0, 1_000_000, "copy")
    assert (version.last, version.within_s) == (5, 86_400.0)
    assert codes(parsed) == []


def test_words_stay_words() -> None:
    parsed = parse_document("environment: no\nnodes: {on: {}, 1e3: {tags: [yes, 012]}}")
    assert parsed.document is not None
    assert parsed.document.environment == "no"
    assert [node.name for node in parsed.document.nodes] == ["on", "1e3"]
    assert parsed.document.nodes[1].tags == ("yes", "012")


def test_paths_are_cleaned() -> None:
    parsed = parse_document("policies: {p: {classification: {paths: [/srv//a/, //srv/a, /]}, operations: {}}}")
    assert parsed.document is not None
    assert parsed.document.policies[0].classification.paths == ("/srv/a", "/")


def test_too_large() -> None:
    assert codes(parse_document("#" * ((4 << 20) + 1))) == [("too-large", "")]
    assert codes(parse_document("# " + "ä" * (2 << 20))) == [("too-large", "")]


def test_deep_nesting_does_not_recurse() -> None:
    assert codes(parse_document("a: " + "[" * 100_000)) == [("too-deep", "")]
    assert codes(parse_document("\n".join(" " * depth + "a:" for depth in range(2000)))) == [("too-deep", "")]


def test_alias_bombs_are_refused() -> None:
    bomb = "a: &a [x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20))
    assert codes(parse_document(bomb)) == [("yaml-alias", "")]


def test_many_problems_are_cut() -> None:
    parsed = parse_document("nodes:\n" + "".join(f"  n{number}: {{x: 1}}\n" for number in range(2000)))
    assert len(parsed.diagnostics) == 501
    assert "too-many-problems" in {each.code for each in parsed.diagnostics}


def test_surrogates_never_reach_the_values() -> None:
    assert codes(parse_document('environment: "\\ud800"')) == [("yaml-syntax", "")]


def test_every_problem_has_a_known_code_and_level() -> None:
    for text in ("a: [", "nodes: 3", "flows: {f: {vertices: {v: {}}, movers: [x, {from: v}]}}"):
        for each in parse_document(text).diagnostics:
            assert each.level is CODES[each.code].level
            assert each.hint


WORDS = """
environment nodes groups repositories schedules policies flows tags address was node location trust windows exclude at zone classification
operations hooks before after timeout paths include granularity max_removed backup replicate archive cdp every keep daily within removed
when older_than leave vertices movers from to carries mode limit window compression only path mirror relay a b
"""
KEYS = st.sampled_from(WORDS.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**12),
    st.sampled_from(
        ["a", "/srv", "1h", "5MB/s", "keep 3d", "a/backup", "mon 01:00-02:00", "02:00", "{node}", "", "!", "50%", "s3://x", "\n"]
    ),
    st.text(max_size=8),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, st.text(max_size=4)), inner, max_size=4)),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_any_tree_is_answered_with_values(tree: object) -> None:
    parsed = parse_document(json.dumps(tree))
    assert parsed.document is not None or parsed.diagnostics


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["nodes", "groups", "repositories", "schedules", "policies", "flows"]), st.dictionaries(KEYS, TREES, max_size=3)
    )
)
def test_any_sections_are_answered_with_values(tree: object) -> None:
    parsed = parse_document(json.dumps(tree, ensure_ascii=False))
    assert parsed.document is not None or parsed.diagnostics


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@#?,\\ \n\tx0~\u2028\ufeff\x00\ud800%YAML"), max_size=60))
def test_any_text_is_answered_with_values(text: str) -> None:
    loaded = load_tree(text)
    assert loaded.root is None or not loaded.diagnostics
    parse_document(text)


PLACED = "flows: {f: {vertices: {v: {relay: a, place: %s}}}}"


@pytest.mark.parametrize(("text", "place"), [("[0, 0]", (0, 0)), ("[-100000, 100000]", (-100_000, 100_000)), ("~", None)])
def test_a_place_is_two_whole_numbers(text: str, place: tuple[int, int] | None) -> None:
    document = parse_document(PLACED % text).document
    assert document is not None
    assert document.flows[0].vertices[0].place == place


@pytest.mark.parametrize("text", ["7", "[]", "[1]", "[1, 2, 3]", "[1, x]", "['1', 2]", "[1.5, 2]", "{x: 1}", "[[1], 2]", "[1, ~]"])
def test_what_is_no_place_is_said_at_its_vertex(text: str) -> None:
    (found,) = parse_document(PLACED % text).diagnostics
    assert (found.code, found.where.kind, found.where.path) == ("wrong-type", "vertex", "flows.f.vertices.v.place")


@pytest.mark.parametrize("text", ["[100001, 0]", "[0, -100001]", "[999999999, 0]"])
def test_a_place_far_out_is_refused(text: str) -> None:
    assert codes(parse_document(PLACED % text)) == [("bad-value", "flows.f.vertices.v.place")]


# Lines that begin, end and continue things in all the ways that could make a part of a text mean something else than the whole.
LINES = st.sampled_from(
    ["a: 1", "b:", "nodes: {x: 1}", "  x: 2", "    y: [1, 2]", "  - z", "- z", "c: {", "}", "d: [1,", "2]", "e: |", "f: >-", '"g": 2',
     "h: 'one", "two'", 'i: "one', 'two"', "# note", "  # note", "", " ", "---", "...", "%YAML 1.2", "? k", ": v", "word", "j: &n 1",
     "l: *n", "m: !t x", "n: >", "   text", "o: p: q", "r: {s, t}", "u: # v",
     "\tw: 1", "x : 1", "y:z", "a: b\r", "caf\u00e9: 1", "k: \u2028"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(LINES, min_size=2, max_size=7), st.booleans())
def test_sections_read_by_themselves_are_what_they_are_in_the_text(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended else "")
    apart = yaml_tree._by_sections(text)
    if apart is not None:
        assert apart == yaml_tree._build(text)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_every_sample_that_can_be_read_is_read_by_sections(path: Path) -> None:
    text = path.read_text()
    loaded = load_tree(text)
    if not loaded.diagnostics and path.stem not in ("empty", "name-only"):
        assert yaml_tree._by_sections(text) == loaded.root == yaml_tree._build(text)


@pytest.mark.parametrize(("written", "ratio"), [("", 0.05), (", scrub: 2.5%", 0.025), (", scrub: off", 0.0), (", scrub: 100%", 1.0)])
def test_how_much_of_a_repository_is_read_each_day(written: str, ratio: float) -> None:
    parsed = parse_document(f"nodes: {{vault: {{}}}}\nrepositories: {{main: {{node: vault, location: /srv/main{written}}}}}\n")
    assert parsed.document is not None, parsed.diagnostics
    assert parsed.document.repositories[0].scrub_ratio == ratio


@pytest.mark.parametrize("written", ["0%", "101%", "5", "daily", "-1%"])
def test_a_share_that_makes_no_sense_is_named(written: str) -> None:
    parsed = parse_document(f"nodes: {{vault: {{}}}}\nrepositories: {{main: {{node: vault, location: /srv/main, scrub: {written}}}}}\n")
    assert codes(parsed) == [("bad-value", "repositories.main.scrub")]


@pytest.mark.parametrize(
    ("written", "times"),
    [
        ("", PruneTimes()),
        (", prune: weekly", PruneTimes()),
        (", prune: off", PruneTimes(off=True)),
        (", prune: {windows: [sun 02:00-06:00], zone: Europe/Berlin}", PruneTimes(windows=("sun 02:00-06:00",), zone="Europe/Berlin")),
        (", prune: {exclude: [mon-fri 08:00-18:00]}", PruneTimes(exclude=("mon-fri 08:00-18:00",))),
    ],
)
def test_when_a_repository_is_pruned(written: str, times: PruneTimes) -> None:
    parsed = parse_document(f"nodes: {{vault: {{}}}}\nrepositories: {{main: {{node: vault, location: /srv/main{written}}}}}\n")
    assert parsed.document is not None, parsed.diagnostics
    assert parsed.document.repositories[0].prune == times


@pytest.mark.parametrize(
    ("written", "code", "where"),
    [
        ("daily", "bad-value", ""),
        ("[sun]", "wrong-type", ""),
        ("{windows: [never]}", "bad-window", ".windows[0]"),
        ("{window: []}", "unknown-key", ".window"),
        ("{zone: Mars/Base}", "bad-zone", ".zone"),
    ],
)
def test_times_of_a_prune_that_make_no_sense_are_named(written: str, code: str, where: str) -> None:
    parsed = parse_document(f"nodes: {{vault: {{}}}}\nrepositories: {{main: {{node: vault, location: /srv/main, prune: {written}}}}}\n")
    assert codes(parsed) == [(code, f"repositories.main.prune{where}")]
