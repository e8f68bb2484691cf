"""The rules in force, durable in `HOME/rules/`: `current.json`, `previous.json` (both as signed), `signing.key` (the Master's, raw), and
the epoch of the Master (`greeting`).

Nothing is believed that the stored signing key did not sign, on disk neither. A damaged `current.json` falls back to the previous rules.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from holdfast.core.errors import ErrorFacts, NoSpace, StaleRules, StoreError, UsageError, is_no_space
from holdfast.core.ids import EnvironmentId, NodeId
from holdfast.core.private_files import make_private_folder, write_private
from holdfast.model.decoding import UNREADABLE, UNREADABLE_FILE
from holdfast.model.rate_table import validate_tables
from holdfast.model.rules import Rules, SignedRules, decode_rules, signed_bytes_of_rules
from holdfast.model.schedule import validate_schedule
from holdfast.wire.authority import verify_signature

EPOCH_FILE = "epoch"


def rules_folder(home: Path) -> Path:
    return home / "rules"


def save_signing_key(home: Path, key: bytes) -> None:
    make_private_folder(rules_folder(home))
    write_private(rules_folder(home) / "signing.key", key)


def load_signing_key(home: Path) -> bytes:
    """32 raw bytes of Ed25519. Raises `UsageError` when they are not there."""
    try:
        key = (rules_folder(home) / "signing.key").read_bytes()
    except OSError as error:
        raise UsageError(
            f"the Master's signing key cannot be read: {error}", hint="join again with `holdfast node join --replace NAME`"
        ) from error
    if len(key) != 32:
        raise UsageError("the Master's signing key is damaged", hint="join again with `holdfast node join --replace NAME`")
    return key


def forget_rules(home: Path) -> None:
    """Of an earlier life in another environment or as another node."""
    for name in ("current.json", "previous.json", EPOCH_FILE):
        (rules_folder(home) / name).unlink(missing_ok=True)


class RuleStore:
    """`current` is None until rules were taken once. `fallback` says why it is not the newest that was taken, if so."""

    def __init__(self, home: Path, *, environment: EnvironmentId, node: NodeId) -> None:
        self._folder = make_private_folder(rules_folder(home))
        self._environment = environment
        self._node = node
        self._key = load_signing_key(home)
        self.current: Rules | None = None
        self.fallback: ErrorFacts | None = None
        self._signed: SignedRules | None = None
        self._load()

    @property
    def signing_key(self) -> bytes:
        return self._key

    @property
    def signed(self) -> SignedRules | None:
        """What is in force, as it came."""
        return self._signed

    @property
    def generation(self) -> int:
        return 0 if self.current is None else self.current.generation

    def is_current(self, signed: SignedRules) -> bool:
        """Whether exactly these are in force: pushed again because the answer was lost."""
        return self.current is not None and signed == self._signed

    def verify(self, signed: SignedRules) -> Rules:
        """The rules inside, if this node must take them. Raises `StaleRules` otherwise. Changes nothing."""
        rules = self._open(signed)
        if rules.generation <= self.generation:
            raise StaleRules(
                f"generation {rules.generation} is not above {self.generation}, which is in force",
                hint="activate the flow again",
                in_force=str(self.generation),
            )
        return rules

    def put(self, signed: SignedRules) -> Rules:
        """In force and on disk when this returns. Raises as `verify`, and `NoSpace` or `StoreError` where the disk does not take them; then
        those that were in force still are."""
        rules = self.verify(signed)
        current = self._folder / "current.json"
        # The fallback is what was in force, not what may lie damaged on disk.
        try:
            if self._signed is not None and self.fallback is None:
                write_private(self._folder / "previous.json", msgspec.json.encode(self._signed))
            write_private(current, msgspec.json.encode(signed))
        except OSError as error:
            kind = NoSpace if is_no_space(error) else StoreError
            hint = "make room on the file system of the node's home; the Master sends them again by itself"
            raise kind(f"the rules cannot be written down: {error.strerror}: {self._folder}", hint=hint) from error
        self.current, self.fallback, self._signed = rules, None, signed
        return rules

    def _open(self, signed: SignedRules) -> Rules:
        hint = "activate the flow again from the Master this node has joined"
        if not verify_signature(self._key, signed_bytes_of_rules(signed.body), signed.signature):
            raise StaleRules("the rules are not signed by this environment's Master", hint=hint)
        try:
            rules = decode_rules(signed.body)
            for dataset in rules.datasets:
                for operation in dataset.operations:
                    validate_schedule(operation)
            for delivery in (*rules.deliveries, *(cascade.delivery for cascade in rules.cascades)):
                validate_tables(delivery.windows)
            for pull in rules.pulls:
                for windows in pull.windows:
                    validate_tables(windows)
        except (*UNREADABLE, UsageError) as error:
            raise StaleRules(f"the rules cannot be read: {error}", hint="bring Master and node to one version") from error
        if rules.environment != self._environment or rules.node != self._node:
            raise StaleRules("the rules are for another node or environment", hint=hint)
        return rules

    def _load(self) -> None:
        for name in ("current.json", "previous.json"):
            try:
                signed = msgspec.json.decode((self._folder / name).read_bytes(), type=SignedRules)
                self.current, self._signed = self._open(signed), signed
            except FileNotFoundError:
                if name == "current.json" and not (self._folder / "previous.json").exists():
                    return
                error: Exception = StaleRules(f"{name} is missing")
            except (*UNREADABLE_FILE, StaleRules) as caught:
                error = caught
            else:
                return
            self.fallback = ErrorFacts("rules-damaged", f"rules/{name}: {error}", "the Master sends them again when it is reached")


def claimed_generation(signed: SignedRules) -> int:
    """Only to name it in the answer; nothing is believed before the signature is checked."""
    with suppress(*UNREADABLE):
        return decode_rules(signed.body).generation
    return 0
