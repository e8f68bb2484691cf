"""Archived files, as the owners of repositories and the sources tell of them; legal holds."""

from __future__ import annotations

import asyncio

import msgspec

from holdfast.core.errors import HoldfastError, NotReachable, UnknownName
from holdfast.master.answers.found import Unreachable
from holdfast.master.answers.queries import owners_of
from holdfast.master.foundation import Foundation
from holdfast.master.hub.hub import Hub
from holdfast.master.rules.deployment import deployment
from holdfast.model.archive_questions import (
    ArchivedDataset,
    ArchivePlanned,
    ArchiveTold,
    AskArchive,
    AskArchiveHold,
    AskArchivePlan,
    PlannedArchive,
)
from holdfast.model.archiving import ArchivedFile
from holdfast.model.sight import Reach, Sight

_TIMEOUT_S = 60.0


class FoundArchive(msgspec.Struct, frozen=True, kw_only=True):
    """What is archived, by dataset and repository; of a dataset that was named its versions, oldest first. `more` = a limit cut them."""

    datasets: tuple[ArchivedDataset, ...]
    files: tuple[ArchivedFile, ...] = ()
    more: bool = False
    unreachable: tuple[Unreachable, ...] = ()


class FoundPlans(msgspec.Struct, frozen=True, kw_only=True):
    """What would be archived now. `silent`: nodes that gave no answer."""

    plans: tuple[PlannedArchive, ...]
    silent: tuple[str, ...] = ()


class ArchiveDesk:
    def __init__(self, base: Foundation, hub: Hub) -> None:
        self._base = base
        self._hub = hub

    async def find(self, ask: AskArchive, sight: Sight) -> FoundArchive:
        """Raises `UnknownName` when nobody has archived files of the dataset and everybody answered."""
        if ask.dataset:
            sight.check_asked(ask.dataset, ask.repository)
        told, unreachable = await self._owners(ask, ask.repository, sight)
        if ask.dataset and not told and not unreachable:
            raise UnknownName(f"nothing of {ask.dataset!r} is archived", hint="`holdfast archive ls` lists what is")
        files = sorted((file for each in told for file in each.files), key=lambda file: (file.archived_at, file.repository, file.path))
        return FoundArchive(
            datasets=tuple(dataset for each in told for dataset in each.datasets if sight.has_copy(dataset.dataset_id, dataset.repository)),
            files=tuple(files[: ask.limit]),
            more=len(files) > ask.limit or any(each.more for each in told),
            unreachable=unreachable,
        )

    async def hold(self, ask: AskArchiveHold, reach: Reach) -> FoundArchive:
        """In every repository that has archived files of the dataset. Raises `UnknownName`, or what an owner refuses."""
        if not reach.may.everything:
            # In every repository that has it: so it has to be the dataset that is granted, not one of the places where it lies.
            reach.check_dataset(ask.dataset)
        told, unreachable = await self._owners(ask, ask.repository, reach.may)
        if not told and not unreachable:
            raise UnknownName(f"nothing of {ask.dataset!r} is archived", hint="`holdfast archive ls` lists what is")
        return FoundArchive(datasets=tuple(dataset for each in told for dataset in each.datasets), unreachable=unreachable)

    async def plan(self, dataset: str, limit: int, sight: Sight) -> FoundPlans:
        """Of the nodes whose rules have archive operations. Raises `UnknownName` when there is none of that dataset."""
        rolled_out = await self._base.database.run(deployment)
        nodes = [
            node
            for node, rules in rolled_out.rules.items()
            for rule in rules.datasets
            if dataset in ("", rule.id, rule.label)
            and sight.has_dataset(rule.id)
            and any(operation.archive is not None for operation in rule.operations)
        ]
        if dataset and not nodes:
            raise UnknownName(f"no archive operation of {dataset!r} is in force", hint="`holdfast archive plan` lists those that are")
        asked = dict.fromkeys(nodes)
        question = AskArchivePlan(dataset=dataset, limit=limit)
        answers = await asyncio.gather(
            *(self._hub.ask_for(node, question, ArchivePlanned, _TIMEOUT_S) for node in asked), return_exceptions=True
        )
        plans: list[PlannedArchive] = []
        silent: list[str] = []
        for node, answer in zip(asked, answers, strict=True):
            if isinstance(answer, ArchivePlanned):
                plans += (plan for plan in answer.plans if sight.has_dataset(plan.dataset_id))
            elif isinstance(answer, HoldfastError):
                silent.append(rolled_out.name(node))
            else:
                raise answer
        return FoundPlans(plans=tuple(sorted(plans, key=lambda plan: (plan.dataset, plan.operation))), silent=tuple(silent))

    async def _owners(
        self, question: AskArchive | AskArchiveHold, repository: str, sight: Sight
    ) -> tuple[list[ArchiveTold], tuple[Unreachable, ...]]:
        owners = owners_of(await self._base.database.run(deployment), repository, sight)
        asked = (self._hub.ask_for(owner.node.id, question, ArchiveTold, _TIMEOUT_S) for owner in owners)
        told: list[ArchiveTold] = []
        gaps: list[Unreachable] = []
        for owner, answer in zip(owners, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(answer, ArchiveTold):
                told.append(answer)
            elif isinstance(answer, NotReachable):
                gaps += [Unreachable(repository=rule.name, node=owner.node.name, error=answer.facts()) for rule in owner.repositories]
            elif not isinstance(answer, UnknownName):
                raise answer
        return told, tuple(gaps)
