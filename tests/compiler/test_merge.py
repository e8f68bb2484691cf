"""Merging two people's documents: nobody's change is lost without a word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.compiler.edit_text import block_lines, line_text
from holdfast.compiler.edit_values import apply_edit, same
from holdfast.compiler.edits import apply_edits, document_values
from holdfast.compiler.merge import MergeConflict, Side, merge_texts, merge_values
from holdfast.compiler.merge_lines import merged_lines
from holdfast.core.errors import InvalidDocument
from holdfast.model.edit import Edit, Path

OFFICE = """\
# our office
environment: office
nodes:
  files1: {tags: [linux, prod]}   # the first
  vault: {}
repositories:
  main: {node: vault, location: /srv/main}   # on disk
policies:
  documents:
    classification: {paths: [/srv/documents], exclude: ["*.tmp"]}
    operations:
      backup: {every: 1h, keep: {last: 50}}
flows:
  office:
    vertices:
      files: {node: files1, policies: [documents]}
      store: {repository: main}   # here it stays
    movers:
      # the way
      - {from: files, to: store, carries: [documents/backup]}
"""
BASE = document_values(OFFICE)
VERTICES = ("flows", "office", "vertices")
MOVERS = ("flows", "office", "movers")


def put(*path: str | int, value: Any) -> Edit:
    return Edit(op="set", path=path, value=value)


def remove(*path: str | int) -> Edit:
    return Edit(op="remove", path=path)


def rename(*path: str | int, to: str) -> Edit:
    return Edit(op="rename", path=path, value=to)


def edited(*edits: Edit) -> str:
    return apply_edits(OFFICE, edits)


def clean(mine: str, theirs: str) -> str:
    found = merge_texts(OFFICE, mine, theirs)
    assert found.conflicts == ()
    return found.text


def conflicts(mine: str, theirs: str) -> list[Path]:
    """Whichever side is whose, and whichever is preferred."""
    found = merge_texts(OFFICE, mine, theirs)
    other = merge_texts(OFFICE, theirs, mine, "theirs")
    assert leaves(document_values(found.text)) == leaves(document_values(other.text))
    assert sorted(map(str, (each.path for each in found.conflicts))) == sorted(map(str, (each.path for each in other.conflicts)))
    return [each.path for each in found.conflicts]


def test_changes_of_different_things_are_both_there() -> None:
    theirs = edited(put("policies", "documents", "operations", "backup", "every", value="15m"), put("nodes", "mail", value={}))
    mine = edited(put(*VERTICES, "store", "place", value=[1, 2]), put("environment", value="bureau"))
    merged = clean(mine, theirs)
    assert merged == theirs.replace("{repository: main}", "{repository: main, place: [1, 2]}").replace("office\nnodes", "bureau\nnodes")


def test_comments_of_both_stay_where_their_lines_do_not_meet() -> None:
    mine = OFFICE.replace("# our office", "# our house").replace("last: 50", "last: 9")
    theirs = OFFICE.replace("# the way", "# the long way").replace("prod]", "new]")
    merged = clean(mine, theirs)
    assert merged == mine.replace("# the way", "# the long way").replace("prod]", "new]")
    assert clean(theirs, mine) == merged


def test_where_lines_meet_the_newest_text_keeps_its_comments() -> None:
    mine = OFFICE.replace("prod]}   # the first", "prod], address: 'a:1'}   # mine")
    theirs = OFFICE.replace("prod]}   # the first", "prod, new]}   # theirs")
    assert clean(mine, theirs) == theirs.replace("new]", 'new], address: "a:1"')


def test_a_large_document_is_merged_at_once_with_the_comments_of_both() -> None:
    """Hundreds of nodes with the same lines: a plain diff goes through all pairs of them, which takes minutes."""
    base = "environment: e\nnodes:\n" + "".join(f"  n{number}:\n    tags:\n      - prod\n    address: a\n" for number in range(3_000))
    mine, theirs = base, base
    for number in range(0, 3_000, 6):
        mine = mine.replace(f"  n{number}:\n", f"  n{number}:   # mine\n")
        theirs = theirs.replace(f"  n{number + 3}:\n", f"  n{number + 3}:   # theirs\n")
    merged = merged_lines(base, mine, theirs)
    assert merged is not None
    assert (merged.count("# mine"), merged.count("# theirs"), len(merged.splitlines())) == (500, 500, len(base.splitlines()))
    blank = "environment: e\nnodes:\n" + "\n" * 100_000
    assert merged_lines(blank, blank + "\n" * 10, blank.replace(": e", ": f")) is None


def test_lists_without_an_order_take_what_both_added_and_took_out() -> None:
    tags = ("nodes", "files1", "tags")
    merged = document_values(clean(edited(put(*tags, value=["linux", "mine"])), edited(put(*tags, value=["theirs", "linux", "prod"]))))
    assert merged["nodes"]["files1"]["tags"] == ["theirs", "linux", "mine"]
    exclude = ("policies", "documents", "classification", "exclude")
    mine = edited(put(*exclude, value=["*.tmp", "a"]))
    assert 'exclude: ["*.tmp", b, a]' in clean(mine, edited(put(*exclude, value=["*.tmp", "b"])))
    assert conflicts(mine, edited(put(*exclude, value=["*.tmp", "!b"]))) == [exclude]
    place = (*VERTICES, "store", "place")
    assert conflicts(edited(put(*place, value=[1, 2])), edited(put(*place, value=[1, 3]))) == [place]


def test_movers_are_told_apart_by_their_ends() -> None:
    more = {"from": "store", "to": "far", "carries": ["documents/backup"]}
    mine = edited(put(*MOVERS, 0, "limit", value="5MB/s"), put(*MOVERS, 1, value=more))
    theirs = edited(put(*MOVERS, value=[{**more, "to": "there"}, {**BASE["flows"]["office"]["movers"][0], "compression": "max"}]))
    merged = document_values(clean(mine, theirs))["flows"]["office"]["movers"]
    assert [(each["from"], each["to"]) for each in merged] == [("store", "there"), ("files", "store"), ("store", "far")]
    assert (merged[1]["limit"], merged[1]["compression"]) == ("5MB/s", "max")
    where = (*MOVERS, "files->store")
    assert conflicts(edited(remove(*MOVERS, 0)), edited(put(*MOVERS, 0, "limit", value="1MB/s"))) == [where]
    assert conflicts(edited(put(*MOVERS, 0, "limit", value="2MB/s")), edited(put(*MOVERS, 0, "limit", value="1MB/s"))) == [
        (*where, "limit")
    ]
    twice = edited(put(*MOVERS, 1, value={"from": "files", "to": "store", "carries": ["documents/other"]}))
    assert document_values(clean(twice, edited(put("environment", value="x"))))["flows"]["office"]["movers"][1]["carries"]


def test_removed_here_and_changed_there_is_a_conflict() -> None:
    mine, theirs = edited(remove("nodes", "files1")), edited(put("nodes", "files1", "tags", value=["x"]))
    assert conflicts(mine, theirs) == [("nodes", "files1")]
    (found,) = merge_texts(OFFICE, mine, theirs).conflicts
    expected = MergeConflict(path=("nodes", "files1"), base={"tags": ["linux", "prod"]}, mine=None, theirs={"tags": ["x"]})
    assert found == expected
    assert "files1:" not in merge_texts(OFFICE, mine, theirs).text
    assert merge_texts(OFFICE, mine, theirs, "theirs").text == theirs


def test_two_things_of_one_name_are_a_conflict() -> None:
    new = (*VERTICES, "new")
    assert conflicts(edited(put(*new, value={"node": "files1"})), edited(put(*new, value={"repository": "main"}))) == [new]
    files = (*VERTICES, "files")
    mine = edited(remove(*files, "node"), put(*files, "group", value="all"))
    assert conflicts(mine, edited(remove(*files, "node"), put(*files, "relay", value="vault"))) == [files]
    schedules = edited(put("schedules", "nights", value={"at": ["01:00"]}))
    assert conflicts(schedules, edited(put("schedules", "days", value={"at": ["01:00"]}))) == []


def test_a_renamed_thing_takes_the_changes_of_the_other_side() -> None:
    mine, theirs = edited(rename(*VERTICES, "store", to="vault")), edited(put(*VERTICES, "store", "place", value=[7, 8]))
    for merged in (clean(mine, theirs), clean(theirs, mine)):
        assert "vault: {repository: main, place: [7, 8]}   # here it stays" in merged
        assert "store: {" not in merged
    gone = edited(remove(*VERTICES, "store"))
    assert conflicts(mine, gone) == [(*VERTICES, "vault")]
    assert set(conflicts(mine, edited(rename(*VERTICES, "store", to="box")))) == {(*VERTICES, "vault"), (*VERTICES, "box")}


def test_equal_changes_are_no_conflict() -> None:
    both = edited(put("environment", value="bureau"), remove("nodes", "vault"))
    assert clean(both, both + "# more\n") == both + "# more\n"


def test_what_is_no_document_cannot_be_merged() -> None:
    with pytest.raises(InvalidDocument):
        merge_texts(OFFICE, "a: [", OFFICE + "# x\n")
    assert merge_texts(OFFICE, "a: [", OFFICE).text == "a: ["


# Documents of a grammar's shape, and edits of them.
NAMES = st.sampled_from(["a", "b", "c", "d"])
WORDS = st.sampled_from(["v", "w", "x", "y", "z"])
LISTS = st.lists(WORDS, max_size=3, unique=True)
NODE = st.fixed_dictionaries({}, optional={"tags": LISTS, "address": WORDS})
OPERATION = st.fixed_dictionaries({}, optional={"every": WORDS, "keep": st.dictionaries(WORDS, st.integers(1, 9), max_size=2)})
POLICY = st.fixed_dictionaries(
    {
        "classification": st.fixed_dictionaries({"paths": LISTS}, optional={"exclude": st.lists(st.sampled_from(["!v", "w"]), max_size=2)}),
        "operations": st.dictionaries(NAMES, OPERATION, max_size=2),
    }
)
VERTEX = st.one_of(
    st.fixed_dictionaries({"node": WORDS}, optional={"policies": LISTS}),
    st.fixed_dictionaries({"repository": WORDS}, optional={"place": st.lists(st.integers(0, 3), min_size=2, max_size=2)}),
)
MOVER = st.fixed_dictionaries({"from": NAMES, "to": NAMES, "carries": LISTS}, optional={"limit": WORDS})
FLOW = st.fixed_dictionaries({"vertices": st.dictionaries(NAMES, VERTEX, max_size=3), "movers": st.lists(MOVER, max_size=3)})
SECTIONS = {"nodes": NODE, "policies": POLICY, "flows": FLOW}
DOCUMENT = st.fixed_dictionaries(
    {"environment": WORDS}, optional={section: st.dictionaries(NAMES, value, max_size=3) for section, value in SECTIONS.items()}
)


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """What is not a mapping, by its keys; movers by their ends. Of lists without an order, each member."""
    if isinstance(value, dict):
        return {inner: leaf for key, item in value.items() for inner, leaf in leaves(item, (*path, key)).items()}
    if isinstance(value, list) and path[-1] == "movers":
        ends = [(mover["from"], mover["to"]) for mover in value]
        named = {f"{ends[at]} {ends[:at].count(ends[at])}": mover for at, mover in enumerate(value)}
        return leaves(named, path)
    if isinstance(value, list) and path[-1] in ("tags", "paths", "policies", "carries"):
        return {(*path, str(item)): True for item in value}
    return {path: line_text(value)}


@st.composite
def changed(draw: st.DrawFn, values: dict[str, Any], sections: list[str]) -> dict[str, Any]:
    """The values after some edits of things in these sections."""
    for _ in range(draw(st.integers(0, 3))):
        section = draw(st.sampled_from(sections))
        name = draw(NAMES)
        thing = values.get(section, {}).get(name)
        if thing is not None and draw(st.booleans()):
            values = apply_edit(values, remove(section, name))
        elif thing and draw(st.booleans()):
            key = draw(st.sampled_from(sorted(thing)))
            fresh = draw(SECTIONS[section])
            values = apply_edit(values, put(section, name, key, value=fresh[key]) if key in fresh else remove(section, name, key))
        else:
            values = apply_edit(values, put(section, name, value=draw(SECTIONS[section])))
    return values


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_merging_with_nothing_new_gives_the_other(data: st.DataObject) -> None:
    base = data.draw(DOCUMENT)
    other = data.draw(changed(base, list(SECTIONS)))
    for mine, theirs in ((other, base), (base, other), (other, other)):
        found = merge_values(base, mine, theirs)
        assert (found.conflicts, same(found.values, other)) == ((), True)
    text = "\n".join(block_lines(base, 0)) + "\n"
    edited_text = "# mine\n" + "\n".join(block_lines(other, 0)) + "\n"
    assert merge_texts(text, edited_text, text).text == edited_text
    assert merge_texts(text, text, edited_text).text == edited_text


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_edits_of_different_sections_are_both_done(data: st.DataObject) -> None:
    base = data.draw(DOCUMENT)
    mine, theirs = data.draw(changed(base, ["nodes", "policies"])), data.draw(changed(base, ["flows"]))
    both = {**mine, **({"flows": theirs["flows"]} if "flows" in theirs else {})}
    found = merge_values(base, mine, theirs)
    assert (found.conflicts, same(found.values, both)) == ((), True)
    base_text, mine_text, their_text = ("\n".join(block_lines(each, 0)) + "\n" for each in (base, mine, theirs))
    assert same(document_values(merge_texts(base_text, mine_text, their_text).text), both)


def swapped(conflict: MergeConflict) -> MergeConflict:
    return MergeConflict(path=conflict.path, base=conflict.base, mine=conflict.theirs, theirs=conflict.mine)


def in_order(found: tuple[MergeConflict, ...]) -> list[str]:
    return sorted(map(repr, found))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_nothing_is_lost_and_sides_are_equal(data: st.DataObject) -> None:
    base = data.draw(DOCUMENT)
    mine, theirs = data.draw(changed(base, list(SECTIONS))), data.draw(changed(base, list(SECTIONS)))
    prefer: Side = data.draw(st.sampled_from(["mine", "theirs"]))
    found = merge_values(base, mine, theirs, prefer)
    other = merge_values(base, theirs, mine, "theirs" if prefer == "mine" else "mine")
    assert in_order(found.conflicts) == in_order(tuple(map(swapped, other.conflicts)))
    assert leaves(found.values) == leaves(other.values)
    after: Any = theirs
    for edit in found.edits:
        after = apply_edit(after, edit)
    assert same(after, found.values)
    if not found.conflicts:
        was, result = leaves(base), leaves(found.values)
        for side in map(leaves, (mine, theirs)):
            lost = {path for path in side.keys() | was.keys() if side.get(path) != was.get(path) and side.get(path) != result.get(path)}
            assert not lost
