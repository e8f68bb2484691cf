"""The keys of the repositories that this node owns: what it opens them with, and all that its administrator does with their slots.

The master key of a repository never changes and never leaves this process; a slot is one password that unwraps it. Whatever is cut off
half-way leaves a repository that the owner's key file opens: a new slot is durable before the file is replaced, and an old one goes after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from holdfast.backend.backend import Backend
from holdfast.backend.owner import Ownable
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, HoldfastError, Refused, RepositoryMoved, StoreError, UnknownName, UsageError, WrongPassword
from holdfast.core.ids import RepositoryId
from holdfast.model.keys import (
    KIT_USER,
    AskKeyAdd,
    AskKeyRemove,
    AskKeyRestore,
    AskKeyRotate,
    AskKeys,
    AskKit,
    AskKitKept,
    KeyAnswer,
    KeyDone,
    KeyFacts,
    KeyQuestion,
    Keys,
    KeySlot,
    Kit,
    KitState,
    check_password,
)
from holdfast.model.kit import GROUP_CHARACTERS, GROUPS, last_group, looks_like_code, new_code, read_code, read_group
from holdfast.model.rules import RepositoryRule
from holdfast.node.owned.key_files import KeyFiles, Rotation
from holdfast.repository.key_slots import NewSlot, Opened, choose_slot, new_slot, open_slot, read_slots, remove_slot, save_slot, this_user
from holdfast.repository.repository import Scrypt

TAKEN_OVER = "taken over from"
FACTS_FRESH_S = 60.0
"""`status` looks into the store no more often; what is done here shows at once."""


class RepositoryKeys:
    """Any thread may call; what changes something is done one after another. No session lock of restic is taken: a slot that goes takes
    nobody's open session along, and that the owner's own is there is looked at right before another goes. `cost` is for tests."""

    def __init__(
        self,
        home: Path,
        open_place: Callable[[RepositoryRule], Backend],
        *,
        clock: Clock,
        entropy: Entropy,
        credentials: Path | None = None,
        cost: Scrypt | None = None,
    ) -> None:
        self._home = home
        self._open_place = open_place
        self._clock = clock
        self._entropy = entropy
        self._credentials = credentials
        self._cost = cost
        self._changing = threading.Lock()
        self._facts: dict[RepositoryId, tuple[float, KeyFacts | None]] = {}

    def files(self, rule: RepositoryRule) -> KeyFiles:
        return KeyFiles(self._home, rule.name, self._credentials, clock=self._clock, entropy=self._entropy)

    def facts(self, rule: RepositoryRule) -> KeyFacts | None:
        """For `status`; None when the place cannot be read."""
        known = self._facts.get(rule.id)
        if known is not None and self._clock.monotonic_s() - known[0] < FACTS_FRESH_S:
            return known[1]
        facts: KeyFacts | None = None
        with suppress(HoldfastError, OSError), self._place(rule) as place:
            facts = _facts(read_slots(place), self.files(rule).kept())
        self._facts[rule.id] = (self._clock.monotonic_s(), facts)
        return facts

    def settle(self, rule: RepositoryRule, place: Backend) -> None:
        """End a rotation that was cut off: of its two slots the one that the key file opens stays. Raises what opening raises."""
        files = self.files(rule)
        begun = files.rotation()
        if begun is None:
            return
        own = open_slot(place, [files.password()]).slot
        for slot in (begun.old, begun.new):
            if slot not in ("", own) and own in (begun.old, begun.new):
                remove_slot(place, slot, own=own)
        files.end_rotation()

    def answer(self, question: KeyQuestion, rule: RepositoryRule) -> KeyAnswer:
        """Raises what is wrong as a `HoldfastError`."""
        if isinstance(question, AskKeys):
            with self._place(rule) as place:
                return self._keys(rule, place)
        with self._changing, self._place(rule) as place:
            try:
                return self._change(question, rule, place)
            finally:
                self._facts.pop(rule.id, None)

    def _change(self, question: KeyQuestion, rule: RepositoryRule, place: Backend) -> KeyAnswer:
        match question:
            case AskKeyAdd():
                return self._add(question, rule, place)
            case AskKeyRemove():
                return self._remove(question, rule, place)
            case AskKeyRotate():
                return self._rotate(rule, place)
            case AskKit():
                return self._make_kit(rule, place)
            case AskKitKept():
                return self._keep_kit(question, rule, place)
            case AskKeyRestore():
                return self._restore(question, rule, place)
            case AskKeys():
                return self._keys(rule, place)

    def _keys(self, rule: RepositoryRule, place: Backend) -> Keys:
        files = self.files(rule)
        kept, own = files.kept(), ""
        # The slots are shown also when the owner's own key is lost: that is when one wants to see them.
        with suppress(HoldfastError):
            own = open_slot(place, [files.password()]).slot
        slots = read_slots(place)
        marked = tuple(msgspec.structs.replace(slot, in_use=slot.id == own, is_acknowledged=slot.id in kept) for slot in slots)
        return Keys(
            repository=rule.name, location=place.location, slots=marked, kit=_facts(slots, kept).kit, source=files.source if own else ""
        )

    def _add(self, ask: AskKeyAdd, rule: RepositoryRule, place: Backend) -> KeyDone:
        if ask.username == KIT_USER:
            raise UsageError(f"{KIT_USER} marks recovery kits", hint=f"`holdfast repository key kit {rule.name}` makes one")
        password = check_password(ask.password)
        opened = self._opened(rule, place)
        with suppress(WrongPassword):
            same = open_slot(place, [password])
            raise Conflict(f"key {same.slot[:8]} has this password already", hint="nothing is to be done")
        username = ask.username or this_user()
        slot = new_slot(opened.master, password, username, clock=self._clock, entropy=self._entropy, cost=self._cost)
        save_slot(place, slot)
        return self._done(place, slot)

    def _remove(self, ask: AskKeyRemove, rule: RepositoryRule, place: Backend) -> KeyDone:
        opened = self._opened(rule, place)
        slot = choose_slot(read_slots(place), ask.slot)
        if slot.id == opened.slot:
            raise Conflict(
                f"key {slot.id[:8]} is the one this machine itself opens {rule.name} with",
                hint=f"`holdfast repository key rotate {rule.name}` puts another in its place",
            )
        kept = self.files(rule).kept()
        also: tuple[str, ...] = ()
        if slot.is_kit and slot.id in kept:
            also = ("it is a recovery kit that somebody keeps; the paper opens nothing any more",)
        if not ask.dry_run:
            remove_slot(place, slot.id, own=opened.slot)
        return KeyDone(slot=msgspec.structs.replace(slot, is_acknowledged=slot.id in kept), also=also)

    def _rotate(self, rule: RepositoryRule, place: Backend) -> KeyDone:
        files = self.files(rule)
        if files.source == "credential":
            raise Refused(
                f"the password of {rule.name} comes from a systemd credential, which only the system's administrator changes",
                hint=f"`holdfast repository key add {rule.name}`, put that password into the credential, restart, and remove the old key",
            )
        self.settle(rule, place)
        opened = self._opened(rule, place)
        password = files.new_password()
        slot = new_slot(opened.master, password, this_user(), clock=self._clock, entropy=self._entropy, cost=self._cost)
        files.begin(Rotation(old=opened.slot, new=slot.id))
        try:
            save_slot(place, slot)
            files.save_password(password)
            # As after a restart: the password from the disk, the slot from the store.
            own = open_slot(place, [files.password()]).slot
            if own != slot.id:
                raise StoreError(f"the new key of {rule.name} does not open it", hint="look at its disk; the old key stays")
            remove_slot(place, opened.slot, own=own)
            files.end_rotation()
        except (HoldfastError, OSError):
            with suppress(HoldfastError, OSError):
                self.settle(rule, place)
            raise
        return self._done(place, slot, f"key {opened.slot[:8]}, which was in use before, is gone")

    def _make_kit(self, rule: RepositoryRule, place: Backend) -> Kit:
        opened = self._opened(rule, place)
        earlier = tuple(slot for slot in read_slots(place) if slot.is_kit)
        code = new_code(self._entropy)
        slot = new_slot(opened.master, code, KIT_USER, clock=self._clock, entropy=self._entropy, cost=self._cost)
        # First what may fail for want of space: a slot whose code nobody was shown would be left behind.
        self.files(rule).note_kit(slot.id, last_group(code))
        save_slot(place, slot)
        made = self._done(place, slot).slot
        return Kit(
            repository=rule.name,
            repository_id=opened.config.id,
            location=place.location,
            node=made.hostname,
            slot=made,
            code=code,
            earlier=earlier,
        )

    def _keep_kit(self, ask: AskKitKept, rule: RepositoryRule, place: Backend) -> KeyDone:
        files = self.files(rule)
        kits = {slot.id: slot for slot in read_slots(place) if slot.is_kit}
        if not kits:
            raise UnknownName(f"{rule.name} has no recovery kit", hint=f"`holdfast repository key kit {rule.name}` makes one")
        found = ""
        if len(ask.typed.strip()) <= GROUP_CHARACTERS + 1:
            found = files.kit_with(read_group(ask.typed, GROUPS - 1), frozenset(kits))
        else:
            with suppress(WrongPassword):
                found = open_slot(place, [read_code(ask.typed)]).slot
        if found not in kits:
            raise WrongPassword(
                f"no recovery kit of {rule.name} ends so, or it was acknowledged before",
                hint="take the newest kit of this repository; all of its code is taken, too",
            )
        files.keep(found)
        return KeyDone(slot=msgspec.structs.replace(kits[found], is_acknowledged=True))

    def _restore(self, ask: AskKeyRestore, rule: RepositoryRule, place: Backend) -> KeyDone:
        files = self.files(rule)
        own: Opened | None = None
        if files.source:
            with suppress(WrongPassword, StoreError):
                own = open_slot(place, [files.password()])
        also = _take_over(place, ask.password)
        if own is not None and not also:
            raise Conflict(f"the key of {rule.name} is there, and opens it", hint="nothing is to be restored")
        if own is not None:
            return KeyDone(slot=choose_slot(read_slots(place), own.slot), also=tuple(also))
        opened = open_slot_typed(place, ask.password)
        left_over = files.rotation()
        if left_over is not None and left_over.new != opened.slot:
            # An earlier restore was cut off, and nobody knows the password of the slot it made.
            remove_slot(place, left_over.new, own=opened.slot)
        password = files.new_password()
        slot = new_slot(opened.master, password, this_user(), clock=self._clock, entropy=self._entropy, cost=self._cost)
        files.begin(Rotation(old="", new=slot.id))
        save_slot(place, slot)
        if aside := files.put_aside():
            also.append(f"the key file that did not open it is now {aside}")
        files.save_password(password)
        files.end_rotation()
        used = next(each for each in read_slots(place) if each.id == opened.slot)
        if used.is_kit:
            # Whoever types all of it has it.
            files.keep(used.id)
        return self._done(place, slot, *also)

    def _opened(self, rule: RepositoryRule, place: Backend) -> Opened:
        return open_slot(place, [self.files(rule).password()])

    def _done(self, place: Backend, slot: NewSlot, *also: str) -> KeyDone:
        return KeyDone(slot=choose_slot(read_slots(place), slot.id), also=also)

    @contextmanager
    def _place(self, rule: RepositoryRule) -> Iterator[Backend]:
        place = self._open_place(rule)
        try:
            yield place
        finally:
            place.close()


def open_slot_typed(place: Backend, typed: str) -> Opened:
    """Open with what somebody typed: a password as it stands, or the code of a kit in any spelling. A typo in a code is named."""
    try:
        code = read_code(typed)
    except UsageError as typo:
        try:
            return open_slot(place, [typed])
        except WrongPassword:
            if looks_like_code(typed):
                raise typo from None
            raise
    return open_slot(place, [code, typed])


def sentence_about(question: KeyQuestion, answer: KeyAnswer) -> str:
    """For the log that people read; empty when nothing was changed. Names slots by their ids, and holds no secret."""
    slot = "" if isinstance(answer, Keys) else answer.slot.id[:8]
    name = question.repository
    match question:
        case AskKeyAdd():
            return f"key {slot} of repository {name} was added"
        case AskKeyRemove(dry_run=False):
            return f"key {slot} of repository {name} was removed"
        case AskKeyRotate():
            return f"this machine's own key of repository {name} was rotated; it is now {slot}"
        case AskKit():
            return f"a recovery kit of repository {name} was made, key {slot}"
        case AskKitKept():
            return f"somebody keeps the recovery kit of repository {name}, key {slot}"
        case AskKeyRestore():
            also = answer.also if isinstance(answer, KeyDone) else ()
            taken = "".join(f", and it was {line}" for line in also if line.startswith(TAKEN_OVER))
            return f"this machine's own key of repository {name} was restored; it is now {slot}{taken}"
        case _:
            return ""


def _take_over(place: Backend, password: str) -> list[str]:
    """The place from another node, by any password of the repository: whoever has one decides. Raises `WrongPassword`."""
    if not isinstance(place, Ownable):
        return []
    try:
        place.refuse_others()
        return []
    except RepositoryMoved:
        open_slot_typed(place, password)
        return [f"{TAKEN_OVER} {place.take_over()}, which writes there no more"]


def _facts(slots: tuple[KeySlot, ...], kept: frozenset[str]) -> KeyFacts:
    kits = {slot.id for slot in slots if slot.is_kit}
    state = KitState.ACKNOWLEDGED if kits & kept else KitState.MADE if kits else KitState.NEVER
    return KeyFacts(slots=len(slots), kit=state)
