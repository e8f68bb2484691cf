"""Where the mirrors of the environment stand, as their machines tell it: copies that data can be restored from."""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec

from holdfast.core.errors import HoldfastError, UnknownName
from holdfast.master.hub.hub import Hub
from holdfast.master.records.inventory import Node
from holdfast.master.rules.deployment import Deployment
from holdfast.model.entry import display_path
from holdfast.model.mirrors import AskMirrors, Mirrors, MirrorState, Stand, is_called, title_of
from holdfast.model.rules import MirrorAction

_ANSWER_S = 10.0


class MirrorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One mirror. `name` is what `--from` calls it. `stand` null = it is equal to no state now, or `online` is false and nobody knows."""

    name: str
    node: str
    dataset: str
    targets: tuple[tuple[str, str], ...]
    online: bool
    stand: Stand | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A mirror that is equal to a state, and its machine."""

    node: Node
    state: MirrorState
    stand: Stand

    @property
    def name(self) -> str:
        return title_of(self.state, self.node.name)


def places_in_mirror(state: MirrorState, path: bytes) -> list[str]:
    """Where a mirror keeps this path of the source."""
    found = []
    for root, target in state.targets:
        top = root.encode("utf-8", "surrogatepass").rstrip(b"/")
        if path == top or path.startswith(top + b"/"):
            found.append(target.rstrip("/") + display_path(path[len(top) :]))
    return found


async def ask_mirrors(hub: Hub, rolled_out: Deployment, dataset: str = "") -> list[tuple[Node, MirrorState, bool]]:
    """Every mirror that the rules name, of one dataset (label or id) or of all, and whether its machine answered."""
    expected = {node: _named_in_rules(rolled_out, node, dataset) for node in rolled_out.nodes.values()}
    asked = [node for node, states in expected.items() if states]
    answers = await asyncio.gather(*(_answer(hub, node, dataset) for node in asked))
    found: list[tuple[Node, MirrorState, bool]] = []
    for node, answer in zip(asked, answers, strict=True):
        found += [(node, state, answer is not None) for state in (expected[node] if answer is None else answer.mirrors)]
    return found


async def standing_mirrors(hub: Hub, rolled_out: Deployment, dataset: str) -> list[Standing]:
    """Those of a dataset (label or id) that can be read now."""
    found = await ask_mirrors(hub, rolled_out, dataset)
    return [Standing(node=node, state=state, stand=state.stand) for node, state, _ in found if state.stand is not None]


async def mirror_rows(hub: Hub, rolled_out: Deployment, dataset: str) -> tuple[MirrorRow, ...]:
    """By dataset and name."""
    rows = [
        MirrorRow(
            name=title_of(state, node.name),
            node=node.name,
            dataset=state.dataset,
            targets=state.targets,
            online=online,
            stand=state.stand,
        )
        for node, state, online in await ask_mirrors(hub, rolled_out, dataset)
    ]
    return tuple(sorted(rows, key=lambda row: (row.dataset, row.name)))


def called(mirrors: list[Standing], copy: str, dataset: str) -> Standing:
    """The one that `copy` (NODE:FOLDER or NODE:) means. Raises `UnknownName`, also when it means several."""
    meant = [each for each in mirrors if is_called(each.state, each.node.name, copy)]
    if len(meant) != 1:
        there = ", ".join(each.name for each in meant or mirrors) or "none that stands at a state and can be reached"
        what = "several mirrors" if meant else "no mirror"
        raise UnknownName(f"{copy!r} names {what} of {dataset!r}", hint=f"`holdfast mirrors` lists them; there is {there}")
    return meant[0]


def newest_at(mirrors: list[Standing], at: datetime | None) -> Standing | None:
    """The newest that was captured at or before a time, None = now."""
    past = [each for each in mirrors if at is None or each.stand.captured_at <= at]
    return max(past, key=lambda each: (each.stand.captured_at, each.stand.cursor.seq), default=None)


def _named_in_rules(rolled_out: Deployment, node: Node, dataset: str) -> tuple[MirrorState, ...]:
    rules = rolled_out.rules.get(node.id)
    return tuple(
        MirrorState(action=action.id, dataset=receive.label, dataset_id=receive.dataset, targets=action.targets)
        for receive in (rules.receives if rules else ())
        if dataset in ("", receive.dataset, receive.label)
        for action in receive.actions
        if isinstance(action, MirrorAction)
    )


async def _answer(hub: Hub, node: Node, dataset: str) -> Mirrors | None:
    try:
        return await hub.ask_for(node.id, AskMirrors(dataset=dataset), Mirrors, _ANSWER_S)
    except HoldfastError:
        return None
