"""The repositories a node owns: made where there is nothing, opened where there is one, named as a problem where neither works."""

from __future__ import annotations

import threading
from pathlib import Path

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.location import open_backend
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, ErrorFacts, HoldfastError, RepositoryMissing, UnknownName, error_from, facts_of
from holdfast.core.ids import RepositoryId
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.model.questions import RepositoryEnv, RepositoryStatus
from holdfast.model.rules import RepositoryRule
from holdfast.repository.repository import Repository, create_repository, open_repository


class Repositories:
    """One open `Repository` for each rule. Any thread may ask; only the worker's own thread configures."""

    def __init__(self, home: Path, *, clock: Clock, entropy: Entropy) -> None:
        self._home = home
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._rules: dict[RepositoryId, RepositoryRule] = {}
        self._open: dict[RepositoryId, Repository] = {}
        self._errors: dict[RepositoryId, ErrorFacts] = {}

    def configure(self, rules: tuple[RepositoryRule, ...]) -> tuple[ErrorFacts, ...]:
        """Opens what is new, closes what is gone, tries again what failed before. What cannot be opened is returned and remembered."""
        wanted = {rule.id: rule for rule in rules}
        with self._lock:
            stale = [key for key, rule in self._rules.items() if wanted.get(key) != rule]
            closing = [self._open.pop(key) for key in stale if key in self._open]
            self._rules = wanted
            self._errors = {}
        for repository in closing:
            repository.close()
        for rule in rules:
            if rule.id not in self._open:
                self._try_open(rule)
        return tuple(self._errors.values())

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
            if repository in self._open:
                return self._open[repository]
            raise error_from(self._errors[repository])

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
        return tuple(self._status(rule) for rule in self.rules())

    def environment(self, name: str) -> RepositoryEnv:
        """Location and password for stock restic; works also when the repository cannot be opened."""
        for rule in self.rules():
            if name in (rule.name, rule.id):
                return RepositoryEnv(location=rule.location, password=self._read_password(rule))
        raise UnknownName(f"no repository {name!r} on this machine", hint="repository env works only on the machine that owns it")

    def close(self) -> None:
        with self._lock:
            closing, self._open, self._rules = list(self._open.values()), {}, {}
        for repository in closing:
            repository.close()

    def _status(self, rule: RepositoryRule) -> RepositoryStatus:
        try:
            return self.get(rule.id).status()
        except HoldfastError as error:
            return RepositoryStatus(id=rule.id, name=rule.name, location=rule.location, error=facts_of(error))

    def _try_open(self, rule: RepositoryRule) -> None:
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
            self._open[rule.id] = repository
            self._errors.pop(rule.id, None)

    def _open_or_create(self, rule: RepositoryRule) -> Repository:
        backend = open_backend(rule.location)
        home, key = self._home / "repositories" / rule.name, self._key_path(rule)
        if not _exists(backend):
            if home.exists():
                raise RepositoryMissing(
                    f"repository {rule.name} is not at {rule.location}, and this machine has used it before",
                    hint="mount its disk or bring it back; a new repository needs a name that no other has had",
                )
            if not key.exists():
                self._make_password(key)
            create_repository(backend, self._read_password(rule), clock=self._clock, entropy=self._entropy)
        elif not key.exists():
            raise Conflict(
                f"there is a repository at {rule.location} already, and no key for it in HOME/keys",
                hint=f"to adopt it, write its password to HOME/keys/{rule.name} (mode 0600); or choose another location",
            )
        make_private_folder(home)
        return open_repository(
            backend,
            home,
            name=rule.name,
            repository_id=rule.id,
            password=self._read_password(rule),
            clock=self._clock,
            entropy=self._entropy,
        )

    def _key_path(self, rule: RepositoryRule) -> Path:
        return self._home / "keys" / rule.name

    def _read_password(self, rule: RepositoryRule) -> str:
        try:
            return self._key_path(rule).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise RepositoryMissing(
                f"no key for repository {rule.name} in HOME/keys", hint="bring the key file back from its recovery kit"
            ) from None

    def _make_password(self, path: Path) -> None:
        # Durable before the repository exists: a repository whose password is lost is worth nothing.
        make_private_folder(path.parent)
        write_private(path, self._entropy.token_bytes(32).hex().encode() + b"\n")


def _exists(backend: Backend) -> bool:
    try:
        return backend.size(FileType.CONFIG, "") > 0
    except RepositoryMissing:
        return False
