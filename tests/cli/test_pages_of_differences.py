"""What `diff` says of all pages together."""

from __future__ import annotations

from holdfast.cli.commands.compare import with_weaker


def test_of_pages_that_were_compared_by_different_means_the_weakest_is_said() -> None:
    first = {"by": "content", "rows": []}
    assert with_weaker(first, {"by": "metadata"}) == {**first, "by": "metadata"}
    assert with_weaker({"by": "metadata"}, {"by": "content"}) == {"by": "metadata"}
    assert with_weaker({"rows": []}, {"rows": []}) == {"rows": []}
