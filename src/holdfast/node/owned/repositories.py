"""The repositories a node owns: made where there is nothing, opened where there is one, named as a problem where neither works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.owner import Ownable
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, ErrorFacts, HoldfastError, NotReachable, RepositoryMissing, UnknownName, error_from, facts_of
from holdfast.core.ids import DatasetId, RepositoryId
from holdfast.core.private_files import make_private_folder
from holdfast.model.keys import AskKeyRestore, KeyAnswer, KeyDone, KeyQuestion
from holdfast.model.questions import RepositoryEnv
from holdfast.model.repository_status import RepositoryStatus
from holdfast.model.rules import RepositoryRule
from holdfast.node.bounds.known_places import remember_place
from holdfast.node.owned.abilities import abilities_of
from holdfast.node.owned.delivery_places import DeliveryPlaces
from holdfast.node.owned.far_status import FarStatus
from holdfast.node.owned.keys import RepositoryKeys
from holdfast.node.owned.places import Places
from holdfast.node.owned.room_book import RoomBook
from holdfast.node.owned.seed_book import seed_records
from holdfast.repository.quarantine import Met
from holdfast.repository.repository import Repository, create_repository, open_repository

OnDamage = Callable[[str, tuple[Met, ...]], None]


class Repositories:
    """One open `Repository` for each rule. Any thread may ask; only the worker's own thread configures. `on_damage` hears, by the
    repository's name, what readers have met."""

    def __init__(
        self, home: Path, *, clock: Clock, entropy: Entropy, credentials: Path | None = None, on_damage: OnDamage = lambda _name, _met: None
    ) -> None:
        self._home = home
        self._on_damage = on_damage
        self._clock = clock
        self._entropy = entropy
        self._places = Places(home, clock=clock, entropy=entropy, credentials=credentials)
        self._keys = RepositoryKeys(home, self._places.open, clock=clock, entropy=entropy, credentials=credentials)
        self._lock = threading.Lock()
        # One for each repository, held while it is opened or closed: opening clears away what an earlier life left unfinished, which must
        # not be what another object of the same repository is at.
        self._changing: dict[RepositoryId, threading.Lock] = {}
        self._rules: dict[RepositoryId, RepositoryRule] = {}
        self._open: dict[RepositoryId, Repository] = {}
        self._errors: dict[RepositoryId, ErrorFacts] = {}
        self._labels: Mapping[DatasetId, str] = {}
        self._owned: dict[RepositoryId, Ownable] = {}
        self._far = FarStatus(self._status, clock)
        self.rooms = RoomBook(home, clock=clock)
        self.delivering = DeliveryPlaces(clock)

    def configure(self, rules: tuple[RepositoryRule, ...]) -> tuple[ErrorFacts, ...]:
        """Opens what is new, closes what is gone, tries again what failed before. What cannot be opened is returned and remembered."""
        self.delivering.configure(rules)
        wanted = {rule.id: rule for rule in rules}
        with self._lock:
            stale = [key for key, rule in self._rules.items() if key not in wanted or _as_opened(wanted[key]) != _as_opened(rule)]
        with ExitStack() as held:
            for key in stale:
                held.enter_context(self._changing_of(key))
            self._replace_rules(wanted, stale)
        for rule in rules:
            if rule.id not in self._open:
                self._try_open(rule)
        return self.problems

    def call_datasets(self, labels: Mapping[DatasetId, str]) -> None:
        """As the rules call them: a node may have been renamed since its points were made."""
        with self._lock:
            self._labels = labels
            opened = tuple(self._open.values())
        for repository in opened:
            repository.call_datasets(labels)

    def _replace_rules(self, wanted: dict[RepositoryId, RepositoryRule], stale: Sequence[RepositoryId]) -> None:
        with self._lock:
            closing = [self._open.pop(key) for key in stale if key in self._open]
            moved = [key for key in stale if key not in wanted or wanted[key].location != self._rules[key].location]
            leaving = [self._owned.pop(key) for key in moved if key in self._owned]
            self._rules = wanted
            self._errors = {}
        for repository in closing:
            repository.close()
        for place in leaving:
            with suppress(HoldfastError):
                # Another node is to have it. Where this cannot be said now, that node's error tells how to take it.
                place.give_up()

    def get(self, repository: RepositoryId) -> Repository:
        """Raises the error it could not be opened with, tried again first, or `UnknownName`."""
        with self._lock:
            found, rule = self._open.get(repository), self._rules.get(repository)
        if found is not None:
            return found
        if rule is None:
            raise UnknownName("this machine's rules name no such repository", hint="activate the flow that uses it", repository=repository)
        self._try_open(rule)
        with self._lock:
            found, error = self._open.get(repository), self._errors.get(repository)
        if found is not None:
            return found
        raise error_from(error) if error else NotReachable("this machine's rules are being changed", hint="it is tried again by itself")

    def named(self, name: str) -> Repository:
        """By name or id."""
        for rule in self.rules():
            if name in (rule.name, rule.id):
                return self.get(rule.id)
        names = ", ".join(rule.name for rule in self.rules()) or "none"
        raise UnknownName(f"no repository {name!r} on this machine", hint=f"repositories here: {names}")

    def rules(self) -> tuple[RepositoryRule, ...]:
        with self._lock:
            return tuple(self._rules.values())

    def opened(self) -> tuple[Repository, ...]:
        """Those that work, in the order of the rules."""
        with self._lock:
            return tuple(self._open[key] for key in self._rules if key in self._open)

    def statuses(self) -> tuple[RepositoryStatus, ...]:
        return tuple(self._with_places(status) for status in self._far.of(self.rules()))

    def _with_places(self, status: RepositoryStatus) -> RepositoryStatus:
        """What is remembered of a far store may be seconds old; this is of now."""
        places = self.delivering.told(status.id)
        return msgspec.structs.replace(
            status,
            parallel_jobs=places.parallel_jobs,
            delivering=places.delivering,
            holders=places.holders,
            waiting=places.waiting,
            waiting_total=places.waiting_total,
        )

    def environment(self, name: str) -> RepositoryEnv:
        """All that stock restic needs; works also when the repository cannot be opened."""
        rule = self._own_rule(name)
        location, variables = self._places.for_restic(rule)
        return RepositoryEnv(location=location, password=self._keys.files(rule).password(), variables=variables)

    def answer_about_keys(self, question: KeyQuestion) -> KeyAnswer:
        """Works also when the repository cannot be opened; one whose key was restored is opened at once. Raises what is wrong."""
        rule = self._own_rule(question.repository)
        answer = self._keys.answer(question, rule)
        if isinstance(question, AskKeyRestore) and isinstance(answer, KeyDone):
            try:
                self.get(rule.id)
            except HoldfastError as error:
                return msgspec.structs.replace(answer, also=(*answer.also, f"it does not open yet: {error.message}"))
        return answer

    def make_key(self, rule: RepositoryRule, password: str) -> None:
        """A key of this machine for a repository that another program made, by any password of it; nothing where there is one."""
        place = self._places.open(rule)
        if not _exists(place):
            raise RepositoryMissing(f"there is no repository at {rule.location}", hint="check the location, and that its disk is mounted")
        if isinstance(place, Ownable):
            place.refuse_others()
        if not self._keys.files(rule).source:
            self._keys.answer(AskKeyRestore(repository=rule.name, password=password), rule)

    def open_apart(self, rule: RepositoryRule) -> Repository:
        """One that the rules do not name yet, to be closed by the caller. Raises `RepositoryLocked` while another program works alone."""
        with self._changing_of(rule.id):
            repository = self._open_or_create(rule)
            try:
                repository.assert_free()
            except BaseException:
                repository.close()
                raise
            return repository

    @property
    def problems(self) -> tuple[ErrorFacts, ...]:
        """Why those that could not be opened could not be."""
        with self._lock:
            return tuple(self._errors.values())

    def close(self) -> None:
        self._far.close()
        with self._lock:
            closing, self._open, self._rules = list(self._open.values()), {}, {}
        for repository in closing:
            repository.close()

    def _status(self, rule: RepositoryRule) -> RepositoryStatus:
        try:
            status = self.get(rule.id).status()
        except HoldfastError as error:
            status = RepositoryStatus(id=rule.id, name=rule.name, location=rule.location, error=facts_of(error))
        status = msgspec.structs.replace(
            status, store=abilities_of(self._home, rule), room=self.rooms.judge(rule), seeds=seed_records(self._home, rule.name)
        )
        keys = self._keys.facts(rule)
        return status if keys is None else msgspec.structs.replace(status, key_slots=keys.slots, kit=keys.kit)

    def _own_rule(self, name: str) -> RepositoryRule:
        for rule in self.rules():
            if name in (rule.name, rule.id):
                return rule
        raise UnknownName(f"no repository {name!r} on this machine", hint="its password and keys are on the machine that owns it")

    def _changing_of(self, repository: RepositoryId) -> threading.Lock:
        with self._lock:
            return self._changing.setdefault(repository, threading.Lock())

    def _try_open(self, rule: RepositoryRule) -> None:
        """Nothing where it is open by now, or the rules say something else of it."""
        with self._changing_of(rule.id):
            with self._lock:
                if rule.id in self._open or self._rules.get(rule.id) != rule:
                    return
            try:
                repository = self._open_or_create(rule)
            except (HoldfastError, OSError) as error:
                facts = facts_of(error)
                with self._lock:
                    self._errors[rule.id] = ErrorFacts(
                        facts.code, facts.message, facts.hint, facts.retryable, {**facts.context, "repository": rule.name}
                    )
                return
            with self._lock:
                repository.call_datasets(self._labels)
                is_wanted = self._rules.get(rule.id) == rule
                if is_wanted:
                    self._open[rule.id] = repository
                    self._errors.pop(rule.id, None)
            if not is_wanted:
                # The worker has begun to stop meanwhile.
                repository.close()

    def _open_or_create(self, rule: RepositoryRule) -> Repository:
        backend = self._places.open(rule)
        home, key = self._home / "repositories" / rule.name, self._keys.files(rule)
        if not _exists(backend):
            if home.exists():
                raise RepositoryMissing(
                    f"repository {rule.name} is not at {rule.location}, and this machine has used it before",
                    hint="mount its disk or bring it back; a new repository needs a name that no other has had",
                )
            if not key.source:
                # Durable before the repository exists: a repository whose password is lost is worth nothing.
                key.save_password(key.new_password())
            create_repository(backend, key.password(), clock=self._clock, entropy=self._entropy)
        elif not key.source:
            raise Conflict(
                f"there is a repository at {rule.location} already, and no key for it in HOME/keys",
                hint=f"`holdfast repository key restore {rule.name}` takes its kit or any password; or choose another location",
            )
        make_private_folder(home)
        remember_place(home, rule.location)
        if isinstance(backend, Ownable):
            backend.take()
            with self._lock:
                self._owned[rule.id] = backend
        with suppress(HoldfastError, OSError):
            # Left for the next time where it cannot be ended now: what opens the repository is there either way.
            self._keys.settle(rule, backend)
        repository = open_repository(
            backend,
            home,
            name=rule.name,
            repository_id=rule.id,
            password=key.password(),
            clock=self._clock,
            entropy=self._entropy,
        )
        repository.hear_damage(lambda met: self._on_damage(rule.name, met))
        return repository


def _as_opened(rule: RepositoryRule) -> RepositoryRule:
    """What of a rule is so for as long as the repository is open: another limit closes it to nobody."""
    return msgspec.structs.replace(rule, parallel_jobs=None)


def _exists(backend: Backend) -> bool:
    try:
        return backend.size(FileType.CONFIG, "") > 0
    except RepositoryMissing:
        return False
