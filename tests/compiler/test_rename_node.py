"""A node's new name in the document: everywhere it stands, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.compiler.edits import apply_edits, document_values
from holdfast.compiler.parse import parse_document
from holdfast.compiler.rename_node import moved_mirrors, rename_edits, renamed_document
from tests.master.masters import ONE_TO_TWO

_SAMPLES = sorted(Path("samples/valid").glob("*.yaml"))


@pytest.mark.parametrize("sample", _SAMPLES, ids=lambda path: path.stem)
def test_text_and_values_get_the_new_name_alike(sample: Path) -> None:
    text = sample.read_text()
    document = parse_document(text).document
    assert document is not None
    for node in document.nodes:
        renamed = apply_edits(text, rename_edits(document_values(text), node.name, "quite-another"))
        assert parse_document(renamed).document == renamed_document(document, node.name, "quite-another")
        back = apply_edits(renamed, rename_edits(document_values(renamed), "quite-another", node.name))
        assert parse_document(back).document == document


@given(st.sampled_from(["files1", "vault", "dr", "nobody"]), st.sampled_from(["a", "007", "12", "no", "Null", "x.y-z_1"]))
def test_names_that_mean_something_to_yaml_are_names(old: str, new: str) -> None:
    document = parse_document(ONE_TO_TWO).document
    assert document is not None
    renamed = apply_edits(ONE_TO_TWO, rename_edits(document_values(ONE_TO_TWO), old, new))
    assert parse_document(renamed).document == renamed_document(document, old, new)
    again = apply_edits(renamed, rename_edits(document_values(renamed), new, old))
    assert parse_document(again).document == document


def test_comments_and_order_stay() -> None:
    text = "environment: office\nnodes:\n  a: {tags: [x]} # first\n  b: {was: c} # second\ngroups: {all: {nodes: [a, b]}} # both\n"
    renamed = apply_edits(text, rename_edits(document_values(text), "b", "c"))
    assert renamed == text.replace("b: {was: c}", "c: {}").replace("[a, b]", "[a, c]")


def test_a_mirror_with_the_name_in_its_path_is_told() -> None:
    text = ONE_TO_TWO.replace("path: /srv/mirror}", "path: '/srv/{node}'}")
    document = parse_document(text).document
    assert document is not None
    assert moved_mirrors(document, "files1") == ("office/copy",)
    assert moved_mirrors(document, "vault") == ()
