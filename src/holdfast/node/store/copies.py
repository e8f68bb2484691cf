"""Copies of what is stored: where a repository of this node may have lost blobs from, its neighbours here and the copies that the rules
name elsewhere; and the mirrors of this node, which can be read as points are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from holdfast.core.errors import Conflict, HoldfastError, NotGranted, UnknownName
from holdfast.core.ids import ActionId, DatasetId, NodeId, RepositoryId
from holdfast.delivery.copies import GiveBlobs, RemoteCopy
from holdfast.mirror.copies import MirrorCopy
from holdfast.mirror.reading import MirrorReader, standing
from holdfast.model.mirrors import AskMirrors, Mirrors, MirrorState
from holdfast.model.rules import CopyGrant, MirrorAction, OtherCopy, Rules
from holdfast.node.owned.repositories import Repositories
from holdfast.repository.care.healing import BlobCopy, Wanted
from holdfast.repository.diagnosis import BlobKey, blob_key
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import OpenCopy

DialCopy = Callable[[NodeId], Channel]


def copies_for(repository: RepositoryId, repositories: Repositories, rules: Rules, dial: DialCopy) -> list[BlobCopy]:
    """Those on this machine first, then repositories elsewhere, then mirrors, which have no listings. Nothing is dialled yet."""
    own: list[BlobCopy] = [other.copy for other in repositories.opened() if other.id != repository]
    far: dict[tuple[bool, NodeId, str], list[OtherCopy]] = {}
    for copy in rules.other_copies:
        if copy.repository == repository:
            place = copy.their_repository or copy.their_mirror
            far.setdefault((not copy.their_repository, copy.owner, place), []).append(copy)
    return own + [FarCopy(tuple(copies), dial) for _, copies in sorted(far.items(), key=lambda item: item[0])]


@dataclass(frozen=True)
class FarCopy:
    """One place elsewhere, asked for one dataset after the other, as its grants are. A `BlobCopy`."""

    copies: tuple[OtherCopy, ...]
    dial: DialCopy

    @property
    def title(self) -> str:
        return self.copies[0].title

    def blobs(self, wanted: Wanted) -> Iterator[tuple[BlobKey, bytes]]:
        """Raises the first error when all is asked."""
        left = set(wanted)
        problem: HoldfastError | None = None
        for copy in _concerned(self.copies, wanted):
            try:
                for key, plain in self._of(copy, sorted(left)):
                    left.discard(key)
                    yield key, plain
            except HoldfastError as error:
                problem = problem or error
            if not left:
                break
        if problem is not None:
            raise problem

    def _of(self, copy: OtherCopy, keys: Sequence[BlobKey]) -> Iterator[tuple[BlobKey, bytes]]:
        asked = {trees: [key.id for key in keys if key.is_tree is trees] for trees in (True, False)}
        if copy.their_mirror:
            asked[True] = []
        if not any(asked.values()):
            return
        opening = OpenCopy(dataset=copy.dataset, repository=copy.their_repository, mirror=copy.their_mirror)
        with closing(self.dial(copy.owner)) as channel:
            remote = RemoteCopy(channel, opening)
            for trees, ids in asked.items():
                for blob_id, plain in remote.blobs(ids, trees=trees):
                    yield blob_key(blob_id, is_tree=trees), plain


def _concerned(copies: Sequence[OtherCopy], wanted: Wanted) -> list[OtherCopy]:
    """Datasets that are known to need what is lost; all of them, where of some blob nobody knows who needs it."""
    known = {place.dataset for places in wanted.values() for place in places}
    return [copy for copy in copies if copy.dataset in known or not all(wanted.values())]


def give_copy(peer: NodeId, opening: OpenCopy, rules: Rules, repositories: Repositories) -> GiveBlobs:
    """What a grant of the rules lets this peer ask of. Raises `NotGranted`, and what the repository cannot be opened with."""
    granted = CopyGrant(reader=peer, dataset=opening.dataset, repository=opening.repository, mirror=opening.mirror)
    if granted not in rules.copy_grants:
        raise NotGranted("this node has no grant for single blobs of this dataset", hint="rules may still be on their way", reader=peer)
    if opening.mirror:
        return MirrorCopy(mirror_action(rules, opening.dataset, opening.mirror)).give
    stores = {receive.sender for receive, _ in rules.stored_in(opening.repository) if receive.dataset == opening.dataset}
    return repositories.get(opening.repository).copy_for(sorted(stores)).give


def mirror_action(rules: Rules, dataset: DatasetId, mirror: ActionId) -> MirrorAction:
    """Raises `NotGranted` when the rules name no such mirror of this dataset here."""
    for receive in rules.receives:
        for action in receive.actions if receive.dataset == dataset else ():
            if isinstance(action, MirrorAction) and action.id == mirror:
                return action
    raise NotGranted("there is no such mirror here", hint="rules may still be on their way", mirror=mirror)


def mirror_states(ask: AskMirrors, rules: Rules | None) -> Mirrors:
    """Where the mirrors of this node stand. One that cannot be read stands nowhere: the run that brings it on says why."""
    found: list[MirrorState] = []
    for receive in rules.receives if rules is not None else ():
        if ask.dataset not in ("", receive.dataset, receive.label):
            continue
        for action in receive.actions:
            if isinstance(action, MirrorAction):
                try:
                    stand = standing(action, receive.dataset)
                except HoldfastError:
                    stand = None
                found.append(
                    MirrorState(action=action.id, dataset=receive.label, dataset_id=receive.dataset, targets=action.targets, stand=stand)
                )
    return Mirrors(mirrors=tuple(found))


def local_mirror(rules: Rules, action: ActionId) -> tuple[MirrorState, MirrorReader]:
    """To read a mirror of this node as it stands now. Raises `UnknownName` when there is none, `Conflict` when it stands at no state."""
    for state in mirror_states(AskMirrors(), rules).mirrors:
        if state.action == action:
            if state.stand is None:
                raise Conflict("the mirror is equal to no state of its dataset", hint="its next run makes it whole; see `holdfast jobs`")
            rule = mirror_action(rules, state.dataset_id, action)
            return state, MirrorReader(rule, state.dataset_id, state.stand.cursor)
    raise UnknownName("there is no such mirror here", hint="`holdfast mirrors` lists them", mirror=action)
