"""Archived files in the repositories of this machine: what there is, legal holds, and letting go of what is over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.core.ids import DatasetId
from holdfast.model.archive_questions import MOST_FILES, ArchivedDataset, ArchiveTold, AskArchive, AskArchiveHold, HoldView, why_of
from holdfast.model.archiving import ArchivedFile
from holdfast.model.entry import display_path, raw_of
from holdfast.model.rules import Rules, StoredOperation, archived_by
from holdfast.node.owned.repositories import Repositories
from holdfast.node.workers.periodic import Periodic
from holdfast.repository.archiving.archive import ArchiveTotals
from holdfast.repository.repository import Repository

EXPIRE_EVERY_S = 3_600.0
logger = logging.getLogger(__name__)


def operation_in(rules: Rules | None, repository: Repository, dataset: DatasetId) -> StoredOperation | None:
    """The operation in force by which the repository keeps archived files of the dataset."""
    for receive, action in rules.stored_in(repository.id) if rules is not None else ():
        if receive.dataset == dataset and (stored := archived_by(action)) is not None:
            return stored
    return None


def told_archive(ask: AskArchive, chosen: Sequence[Repository], rules: Rules | None) -> ArchiveTold:
    """Raises `UnknownName` when nothing of the dataset that is named is archived here."""
    limit = max(1, min(ask.limit, MOST_FILES))
    datasets: list[ArchivedDataset] = []
    files: list[ArchivedFile] = []
    for repository in chosen:
        for totals in repository.archive.totals():
            if ask.dataset not in ("", totals.dataset, totals.label):
                continue
            stored = operation_in(rules, repository, totals.dataset)
            datasets.append(_shown(repository, totals, stored))
            if ask.dataset:
                files += repository.archive.listing(totals.dataset, ask.path, _keep_s(stored), limit + 1)
    if ask.dataset and not datasets:
        raise _nothing_of(ask.dataset)
    files.sort(key=lambda file: (file.archived_at, file.repository, file.path))
    return ArchiveTold(datasets=tuple(datasets), files=tuple(files[:limit]), more=len(files) > limit)


def change_hold(ask: AskArchiveHold, chosen: Sequence[Repository], rules: Rules | None) -> ArchiveTold:
    """In each of the repositories that has archived files of the dataset. Raises `UnknownName`, `Conflict`, `RepositoryLocked`."""
    found = [repository for repository in chosen if _has(repository, ask.dataset)]
    if not found:
        raise _nothing_of(ask.dataset)
    for repository in found:
        if ask.release:
            repository.archive.release(ask.dataset, ask.name)
        else:
            repository.archive.hold(ask.dataset, ask.name, ask.path)
    told = told_archive(AskArchive(dataset=ask.dataset, limit=1), found, rules)
    return ArchiveTold(datasets=told.datasets)


def _nothing_of(dataset: str) -> UnknownName:
    return UnknownName(f"nothing of {dataset!r} is archived here", hint="`holdfast archive ls` lists what is")


def _has(repository: Repository, dataset: str) -> bool:
    return any(dataset in (totals.dataset, totals.label) for totals in repository.archive.totals())


def _shown(repository: Repository, totals: ArchiveTotals, stored: StoredOperation | None) -> ArchivedDataset:
    return ArchivedDataset(
        dataset=totals.label,
        dataset_id=totals.dataset,
        repository=repository.name,
        files=totals.files,
        size_bytes=totals.size_bytes,
        operation=stored.name if stored is not None else "",
        why=why_of(stored.archive) if stored is not None else "",
        keep_s=_keep_s(stored),
        holds=tuple(
            HoldView(name=hold.name, since=hold.since, path=display_path(hold.path), path_raw=raw_of(hold.path)) for hold in totals.holds
        ),
    )


def _keep_s(stored: StoredOperation | None) -> float | None:
    """Nothing expires by a rule that is in force no more."""
    return stored.keep_s if stored is not None else None


class ArchiveWatch(Periodic):
    """Now and then what is over goes; a failure is met again by the next look, and by whoever uses the repository."""

    def __init__(self, repositories: Repositories, rules: Callable[[], Rules | None]) -> None:
        super().__init__("archives", EXPIRE_EVERY_S)
        self._repositories, self._rules = repositories, rules

    def look(self) -> None:
        rules = self._rules()
        for repository, dataset, keep_s in self._kept(rules) if rules is not None else ():
            if self.is_stopping:
                return
            try:
                gone = repository.archive.expire(dataset, keep_s)
            except HoldfastError as error:
                logger.warning("archived files were not let go of", extra={"facts": {"dataset": dataset, "error": error.message}})
            else:
                if gone:
                    logger.info("archived files were let go of", extra={"facts": {"dataset": dataset, "files": gone}})

    def _kept(self, rules: Rules) -> Iterator[tuple[Repository, DatasetId, float | None]]:
        for repository in self._repositories.opened():
            for receive, action in rules.stored_in(repository.id):
                if (stored := archived_by(action)) is not None:
                    yield repository, receive.dataset, stored.keep_s
