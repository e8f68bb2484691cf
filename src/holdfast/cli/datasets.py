"""Datasets that people name: one that nobody knows is told as that, with the nearest there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.cli.client import ApiClient
from holdfast.cli.home import has_session, load_session
from holdfast.cli.reach import ask_agent, plain, through_master_or_agent
from holdfast.core.errors import NotReachable, UnknownName


@contextmanager
def naming(place: Path, dataset: str) -> Iterator[None]:
    """What is not found within may be so because there is no such dataset: then that is said. Empty = none was named."""
    try:
        yield
    except UnknownName:
        if dataset:
            refuse_unknown_dataset(place, dataset)
        raise


def refuse_unknown_dataset(place: Path, dataset: str) -> None:
    """Raises `UnknownName` with the nearest dataset, unless it is known by a point or promised by rules: then it has none yet."""
    from holdfast.model.listing_questions import AskPoints

    stored = through_master_or_agent(place, lambda client: client.get("/points"), lambda home: plain(ask_agent(home, AskPoints())))
    if stored.get("unreachable"):
        return
    known = {name for point in stored["points"] for name in (point["dataset"], point["dataset_id"])}
    if has_session(place):
        with suppress(NotReachable):
            known |= {protection["dataset"] for protection in ApiClient(load_session(place)).get("/status")["protections"]}
    if dataset not in known:
        from holdfast.compiler.nearest import nearest_hint

        raise UnknownName(f"there is no dataset {dataset!r}", hint=nearest_hint(dataset, sorted(known), "`holdfast status` lists them"))
