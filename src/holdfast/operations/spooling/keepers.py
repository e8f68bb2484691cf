"""All spools of a source, by the rules in force."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import ErrorFacts
from holdfast.core.ids import ActionId, DatasetId
from holdfast.core.private_files import make_private_folder
from holdfast.delivery.spool.cipher import SpoolUnread, load_key
from holdfast.delivery.spool.run_file import runs_in
from holdfast.delivery.spool.spool import Spool
from holdfast.host.disk import free_bytes
from holdfast.host.home_records import load_record, save_record
from holdfast.model.following import GAPS_SHOWN, Spooled
from holdfast.model.gaps import Gap
from holdfast.model.rules import DatasetRule, Delivery, Rules
from holdfast.operations.spooling.keeper import Keeper
from holdfast.operations.spooling.patience import Patience
from holdfast.operations.spooling.sending import Sender, SendTools
from holdfast.operations.spooling.standing import keeping_actions

logger = logging.getLogger(__name__)

FOLDER, KEYS = "spool", "keys"
_PURPOSE = "purpose.json"
DEFAULT_BYTES = 1 << 30
_AGAIN_S = 2.0
_UNREAD = ErrorFacts("store", "the spool was not read yet", "it is tried again", True)


class _Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What a spool is for, in its folder: actions of a dataset. `seal`: the delivery that it began for, by which its runs are sealed."""

    seal: str
    dataset: DatasetId
    actions: tuple[ActionId, ...]


@dataclass(frozen=True)
class _Kept:
    keeper: Keeper
    sender: Sender


_Wanted = Mapping[str, tuple[DatasetRule, Delivery]]


@dataclass
class _Unread:
    """A delivery whose spool cannot be read now. `missed_at`: what changed since then was kept by nobody."""

    what: tuple[DatasetRule, Delivery]
    tools: SendTools
    is_local: bool
    error: ErrorFacts
    patience: Patience
    tried_s: float
    missed_at: datetime | None = None


class Keepers:
    """Any thread. `limit_bytes` is for all together: each has an equal share, and never more than that of half of what is free."""

    def __init__(self, home: Path, clock: Clock, entropy: Entropy) -> None:
        self._home, self._clock, self._entropy = home, clock, entropy
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._unread: dict[str, _Unread] = {}
        self._gaps: dict[DatasetId, deque[Gap]] = {}
        self._limit_bytes = DEFAULT_BYTES

    def configure(self, rules: Rules, limit_bytes: int, tools: SendTools) -> None:
        """What no delivery needs any more is removed, with what was in it; what one to another machine needs, that has the repository now,
        is for that."""
        self._limit_bytes = limit_bytes
        wanted = _wanted(rules)
        with self._lock:
            going = [kept for id_, kept in self._kept.items() if id_ not in wanted]
            self._kept = {id_: kept for id_, kept in self._kept.items() if id_ in wanted}
            self._unread = {id_: unread for id_, unread in self._unread.items() if id_ in wanted}
        for kept in going:
            kept.sender.close()
        self._remove_strangers(wanted)
        for id_, (rule, delivery) in wanted.items():
            with self._lock:
                self._keep(id_, (rule, delivery), delivery.receiver == rules.node, tools)

    def of(self, delivery: str) -> Keeper | None:
        """None also while its spool cannot be read: see `waiting`."""
        with self._lock:
            self._read_again(delivery)
            kept = self._kept.get(delivery)
        return None if kept is None else kept.keeper

    def waiting(self, delivery: str) -> ErrorFacts | None:
        """Why a delivery must not be connected now."""
        with self._lock:
            self._read_again(delivery)
            kept, unread = self._kept.get(delivery), self._unread.get(delivery)
        if unread is not None:
            return unread.error
        return None if kept is None else kept.keeper.waiting

    def left_out(self, delivery: str) -> None:
        """Something changed, and the spool cannot be read to keep it."""
        with self._lock:
            unread = self._unread.get(delivery)
            if unread is not None and unread.missed_at is None:
                unread.missed_at = now(self._clock)

    def told(self, dataset: DatasetId) -> tuple[Spooled, ...]:
        """What waits for the receivers of the dataset."""
        with self._lock:
            for id_ in list(self._unread):
                self._read_again(id_)
            keepers = [kept.keeper for kept in self._kept.values() if kept.keeper.delivery.dataset == dataset]
        return tuple(told for keeper in keepers if (told := keeper.told()) is not None)

    def missed(self, dataset: DatasetId, gaps: Sequence[Gap]) -> None:
        """A receiver has been told that it will never have these states."""
        with self._lock:
            self._gaps.setdefault(dataset, deque(maxlen=GAPS_SHOWN)).extendleft(gaps)

    def gaps(self, dataset: DatasetId) -> tuple[Gap, ...]:
        """The newest of them, the newest first."""
        with self._lock:
            return tuple(self._gaps.get(dataset, ()))

    def close(self) -> None:
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
        for each in kept:
            each.sender.close()

    def _keep(self, id_: str, what: tuple[DatasetRule, Delivery], is_local: bool, tools: SendTools) -> None:
        rule, delivery = what
        tools = replace(tools, missed=lambda gaps: self.missed(delivery.dataset, gaps))
        known, unread = self._kept.get(id_), self._unread.get(id_)
        if known is not None:
            known.keeper.rule, known.keeper.delivery, known.keeper.is_local = rule, delivery, is_local
            known.keeper.keeping, known.sender.tools = keeping_actions(rule, delivery), tools
            self._note(id_, rule, delivery)
        elif unread is not None:
            unread.what, unread.tools, unread.is_local = what, tools, is_local
        else:
            self._open(id_, _Unread(what, tools, is_local, _UNREAD, Patience(self._clock), self._clock.monotonic_s()))

    def _read_again(self, id_: str) -> None:
        unread = self._unread.get(id_)
        if unread is not None and self._clock.monotonic_s() - unread.tried_s >= _AGAIN_S:
            unread.tried_s = self._clock.monotonic_s()
            self._open(id_, unread)

    def _open(self, id_: str, unread: _Unread) -> None:
        (rule, delivery), folder = unread.what, self._home / FOLDER / _folder_name(id_)
        try:
            key = load_key(self._home / KEYS, self._entropy)
            seal = purpose.seal if (purpose := load_record(folder / _PURPOSE, _Purpose)) is not None else id_
            spool = Spool(folder, (key, seal), self._entropy, lambda: self._share_bytes(spool), is_patient=not unread.patience.is_over)
        except SpoolUnread as error:
            logger.warning("a spool cannot be read", extra={"facts": {"delivery": id_, "error": error.message}})
            unread.patience.has_ended(error)
            unread.error, self._unread[id_] = error.facts(), unread
            return
        except OSError as error:
            logger.warning("there is no spool: its key cannot be kept", extra={"facts": {"error": str(error)}})
            return
        if unread.missed_at is not None and spool.cursor is not None:
            spool.missed(unread.missed_at)
        self._note(id_, rule, delivery)
        keeper = Keeper(rule, delivery, keeping_actions(rule, delivery), unread.is_local, spool, self._clock)
        self._unread.pop(id_, None)
        self._kept[id_] = _Kept(keeper, Sender(keeper, unread.tools))

    def _note(self, id_: str, rule: DatasetRule, delivery: Delivery) -> None:
        """What its spool is for. Without it the spool is of use to this delivery alone."""
        folder = self._home / FOLDER / _folder_name(id_)
        known = load_record(folder / _PURPOSE, _Purpose)
        seal = id_ if known is None else known.seal
        purpose = _Purpose(seal=seal, dataset=delivery.dataset, actions=keeping_actions(rule, delivery))
        if purpose != known:
            with suppress(OSError):
                make_private_folder(folder)
                save_record(folder / _PURPOSE, purpose)

    def _share_bytes(self, spool: Spool) -> int:
        count = max(1, len(self._kept))
        try:
            free = free_bytes(self._home)
        except OSError:
            return 0
        return min(self._limit_bytes // count, spool.size_bytes + free // (2 * count))

    def _remove_strangers(self, wanted: _Wanted) -> None:
        names = {_folder_name(id_) for id_ in wanted}
        with suppress(OSError):
            for path in tuple((self._home / FOLDER).iterdir()):
                if path.name not in names and not self._hand_over(path, wanted):
                    shutil.rmtree(path, ignore_errors=True)

    def _hand_over(self, path: Path, wanted: _Wanted) -> bool:
        """The repository has another owner, which lacks what the one before only held."""
        purpose = load_record(path / _PURPOSE, _Purpose)
        if purpose is None or not runs_in(path):
            return False
        for id_, (rule, delivery) in wanted.items():
            heir, actions = path.with_name(_folder_name(id_)), keeping_actions(rule, delivery)
            if delivery.dataset == purpose.dataset and not heir.exists() and not set(actions).isdisjoint(purpose.actions):
                path.rename(heir)
                return True
        return False


def _wanted(rules: Rules) -> _Wanted:
    datasets = {rule.id: rule for rule in rules.datasets}
    return {
        delivery.id: (datasets[delivery.dataset], delivery)
        for delivery in rules.deliveries
        if delivery.dataset in datasets and keeping_actions(datasets[delivery.dataset], delivery)
    }


def _folder_name(delivery: str) -> str:
    """Ids come from rules; a name in the file system must not depend on what is in them."""
    return sha256(delivery.encode("utf-8", "surrogateescape")).hexdigest()[:32]
