"""Which datasets there are, and what people call them."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.core.ids import DatasetId
from holdfast.repository.catalog.brief import decode_brief
from holdfast.repository.catalog.database import Rows


class DatasetNames:
    """`called`: labels by dataset id that count more than what snapshots say: a node may have been renamed since they were made."""

    def __init__(self, catalog: Rows, called: Mapping[DatasetId, str] | None = None) -> None:
        self._catalog = catalog
        self.called: Mapping[DatasetId, str] = called or {}

    def datasets(self) -> list[tuple[int, str]]:
        """(number, id) of every dataset that has a commit."""
        has_commit = "EXISTS (SELECT 1 FROM commits c WHERE c.dataset = datasets.no AND c.sealed = 1)"
        return [(row[0], row[1]) for row in self._catalog.rows(f"SELECT no, id FROM datasets WHERE {has_commit} ORDER BY no")]

    def label(self, dataset: int) -> str:
        """What people call the dataset now: as whoever uses the repository says, else as its newest snapshot does."""
        if self.called and (known := self._catalog.row("SELECT id FROM datasets WHERE no = ?", (dataset,))) and known[0] in self.called:
            return self.called[known[0]]
        row = self._catalog.row(
            "SELECT brief FROM snapshots WHERE dataset = ? ORDER BY time_ns DESC, commit_no DESC, id DESC LIMIT 1", (dataset,)
        )
        return decode_brief(row[0]).label if row else ""

    def known_as(self, dataset: str) -> list[int]:
        """The numbers of the datasets with a commit that have this id, or are called so."""
        return [number for number, identity in self.datasets() if dataset == identity or dataset == self.label(number)]
