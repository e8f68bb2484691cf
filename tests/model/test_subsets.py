"""Parts of what a mover carries: which datasets, which paths, and the epoch that commits of a part bear."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.ids import Epoch, is_id
from holdfast.model.subsets import epoch_of_part, line_of, part_of, takes

EPOCH = Epoch("0123456789abcdef" * 2)
PATHS = st.lists(st.sampled_from("abc"), max_size=3).map(lambda names: "/" + "/".join(names))


def below(path: str, folder: str) -> bool:
    return (path.rstrip("/") + "/").startswith(folder.rstrip("/") + "/")


def test_names_choose_sources_and_datasets() -> None:
    assert takes((), "files1", "documents")
    assert takes(("/srv",), "files1", "documents")
    assert takes(("files1",), "files1", "documents")
    assert takes(("files2", "files1/documents"), "files1", "documents")
    assert not takes(("files1/mail", "files2"), "files1", "documents")


def test_a_part_is_what_lies_in_both() -> None:
    assert part_of(["/srv/documents"], []) == ("/srv/documents",)
    assert part_of(["/srv/documents"], ["/srv/documents/contracts"]) == ("/srv/documents/contracts",)
    assert part_of(["/srv/documents", "/srv/mail"], ["/srv"]) == ("/srv/documents", "/srv/mail")
    assert part_of(["/srv/documents"], ["/srv/documents/a", "/srv/documents/a/b", "/srv/documentsx"]) == ("/srv/documents/a",)
    assert part_of(["/srv/documents"], ["/home"]) == ()


@given(st.lists(PATHS, min_size=1, max_size=4), st.lists(PATHS, min_size=1, max_size=4), PATHS)
def test_a_path_is_in_the_part_when_it_is_in_a_root_and_in_a_path(roots: list[str], paths: list[str], path: str) -> None:
    part = part_of(roots, paths)
    wanted = any(below(path, root) for root in roots) and any(below(path, each) for each in paths)
    assert any(below(path, each) for each in part) == wanted
    assert not any(one != other and below(one, other) for one in part for other in part)


def test_a_part_has_an_epoch_of_its_own_on_the_same_line() -> None:
    part = epoch_of_part(EPOCH, ["/a", "/b"])
    assert epoch_of_part(EPOCH, []) == EPOCH
    assert is_id(part)
    assert part == epoch_of_part(EPOCH, ["/b", "/a", "/a"])
    again = epoch_of_part(part, ["/a"])
    assert len({EPOCH, part, again, epoch_of_part(EPOCH, ["/a"])}) == 4
    assert len({line_of(epoch) for epoch in (EPOCH, part, again)}) == 1
