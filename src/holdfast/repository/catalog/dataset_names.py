"""Which datasets there are, and what people call them."""

from __future__ import annotations

from holdfast.repository.catalog.brief import decode_brief
from holdfast.repository.catalog.database import Rows


class DatasetNames:
    def __init__(self, catalog: Rows) -> None:
        self._catalog = catalog

    def datasets(self) -> list[tuple[int, str]]:
        """(number, id) of every dataset that has a commit."""
        has_commit = "EXISTS (SELECT 1 FROM commits c WHERE c.dataset = datasets.no AND c.sealed = 1)"
        return [(row[0], row[1]) for row in self._catalog.rows(f"SELECT no, id FROM datasets WHERE {has_commit} ORDER BY no")]

    def label(self, dataset: int) -> str:
        """What people call the dataset now: as its newest snapshot says."""
        row = self._catalog.row(
            "SELECT brief FROM snapshots WHERE dataset = ? ORDER BY time_ns DESC, commit_no DESC, id DESC LIMIT 1", (dataset,)
        )
        return decode_brief(row[0]).label if row else ""

    def known_as(self, dataset: str) -> list[int]:
        """The numbers of the datasets with a commit that have this id, or are called so."""
        return [number for number, identity in self.datasets() if dataset == identity or dataset == self.label(number)]
