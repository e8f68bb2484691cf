"""The keys of an owner: rotation that may be killed anywhere, kits, the way back when the key file is lost, credentials, private files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from holdfast.backend.backend import Backend, FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.clock import SystemClock
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import Conflict, HoldfastError, NoSpace, Refused, RepositoryMissing, UnknownName, UsageError, WrongPassword
from holdfast.core.ids import RepositoryId
from holdfast.model.keys import (
    AskKeyAdd,
    AskKeyRemove,
    AskKeyRestore,
    AskKeyRotate,
    AskKeys,
    AskKit,
    AskKitKept,
    KeyDone,
    Keys,
    Kit,
    KitState,
)
from holdfast.model.kit import last_group
from holdfast.model.rules import RepositoryRule
from holdfast.node.owned.key_files import Rotation
from holdfast.node.owned.keys import RepositoryKeys, open_slot_typed, sentence_about
from holdfast.node.owned.repositories import Repositories
from holdfast.repository.key_slots import read_slots
from holdfast.repository.repository import create_repository, unlock
from holdfast.testing.child import run_until_killed
from holdfast.testing.faulty_backend import FaultyBackend, always_from
from holdfast.testing.repository_scene import CHEAP
from holdfast.testing.stock_restic import StockRestic

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
needs_restic = pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")
# What a process does to a disk; it is killed before each of them.
DEADLY = ("write", "fsync", "rename", "replace", "unlink", "mkdir")


class Owner:
    """A home, a store with a repository in it, and what looks after its keys."""

    def __init__(self, folder: Path, credentials: Path | None = None) -> None:
        self.folder = folder
        self.home, self.store = folder / "home", folder / "store"
        self.rule = RepositoryRule(id=RepositoryId("c" * 32), name="main", location=str(self.store))
        self.credentials = credentials
        self.keys = self.of(lambda backend: backend)

    def of(self, wrap: object) -> RepositoryKeys:
        def place(rule: RepositoryRule) -> Backend:
            return wrap(LocalBackend(Path(rule.location)))  # type: ignore[operator, no-any-return]

        return RepositoryKeys(self.home, place, clock=CLOCK, entropy=ENTROPY, credentials=self.credentials, cost=CHEAP)

    @property
    def key_file(self) -> Path:
        return self.home / "keys" / "main"

    def create(self) -> None:
        files = self.keys.files(self.rule)
        if not files.source:
            files.save_password(files.new_password())
        create_repository(LocalBackend(self.store), files.password(), clock=CLOCK, entropy=ENTROPY, cost=CHEAP)

    def ask(self, question: object) -> object:
        return self.keys.answer(question, self.rule)  # type: ignore[arg-type]

    def listed(self) -> Keys:
        answer = self.ask(AskKeys(repository="main"))
        assert isinstance(answer, Keys)
        return answer

    def done(self, question: object) -> KeyDone:
        answer = self.ask(question)
        assert isinstance(answer, KeyDone)
        return answer

    def kit(self) -> Kit:
        answer = self.ask(AskKit(repository="main"))
        assert isinstance(answer, Kit)
        return answer

    def opens_with(self, password: str) -> bool:
        try:
            unlock(LocalBackend(self.store), password)
        except WrongPassword:
            return False
        return True

    def state(self) -> KitState:
        facts = self.keys.facts(self.rule)
        assert facts is not None
        assert facts.slots == len(list(self.store.joinpath("keys").iterdir()))
        return facts.kit


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    owner = Owner(tmp_path)
    owner.create()
    return owner


def _files(home: Path) -> Iterator[Path]:
    return (path for path in home.rglob("*") if path.is_file())


def test_a_new_repository_has_one_slot_the_owners(owner: Owner) -> None:
    keys = owner.listed()
    (slot,) = keys.slots
    assert (slot.in_use, slot.is_kit, keys.source, keys.kit) == (True, False, "file", KitState.NEVER)
    assert keys.location == str(owner.store)
    assert owner.state() is KitState.NEVER


@needs_restic
def test_a_password_is_added_and_removed(owner: Owner) -> None:
    made = owner.done(AskKeyAdd(repository="main", password="correct horse battery", username="anna")).slot
    assert (made.username, made.in_use) == ("anna", False)
    StockRestic(str(owner.store), "correct horse battery").check()
    with pytest.raises(Conflict, match="has this password already"):
        owner.done(AskKeyAdd(repository="main", password="correct horse battery"))
    with pytest.raises(UsageError, match="marks recovery kits"):
        owner.done(AskKeyAdd(repository="main", password="another long one", username="recovery-kit"))
    with pytest.raises(UsageError, match="5 characters"):
        owner.done(AskKeyAdd(repository="main", password="short"))
    planned = owner.done(AskKeyRemove(repository="main", slot=made.id[:8], dry_run=True))
    assert planned.slot == made
    assert owner.opens_with("correct horse battery")
    assert owner.done(AskKeyRemove(repository="main", slot=made.id[:8])).slot == made
    assert not owner.opens_with("correct horse battery")


def test_the_owners_own_and_so_the_last_is_not_removed(owner: Owner) -> None:
    (own,) = owner.listed().slots
    for dry_run in (True, False):
        with pytest.raises(Conflict, match="this machine itself"):
            owner.done(AskKeyRemove(repository="main", slot=own.id, dry_run=dry_run))
    with pytest.raises(UnknownName):
        owner.done(AskKeyRemove(repository="main", slot="00000000"))
    assert owner.listed().slots == (own,)


def test_rotation_puts_a_new_password_in_the_place_of_the_old(owner: Owner) -> None:
    old, (slot,) = owner.key_file.read_text().strip(), owner.listed().slots
    made = owner.done(AskKeyRotate(repository="main")).slot
    new = owner.key_file.read_text().strip()
    assert len(new) == 64
    assert new != old
    assert (owner.opens_with(old), owner.opens_with(new)) == (False, True)
    (now,) = owner.listed().slots
    assert now.in_use
    assert now.id == made.id != slot.id
    assert stat.S_IMODE(owner.key_file.stat().st_mode) == 0o600
    assert not (owner.home / "repositories/main/rotation.json").exists()


def _rotate_in(folder: Path) -> None:
    owner = Owner(folder)
    owner.done(AskKeyRotate(repository="main"))


def test_a_rotation_that_is_killed_anywhere_leaves_what_opens(tmp_path: Path) -> None:
    """At every step the key file opens the repository, and the next start leaves one slot of the owner and one of somebody else."""
    owner = Owner(tmp_path)
    owner.create()
    owner.done(AskKeyAdd(repository="main", password="somebody else's"))
    interrupted = 0
    while not run_until_killed(DEADLY, interrupted, _rotate_in, tmp_path):
        interrupted += 1
        before = owner.key_file.read_text().strip()
        assert owner.opens_with(before), f"killed at step {interrupted}"
        assert owner.opens_with("somebody else's")
        again = Owner(tmp_path)
        again.keys.settle(owner.rule, LocalBackend(owner.store))
        slots = again.listed().slots
        assert len(slots) == 2, f"killed at step {interrupted}"
        assert sum(slot.in_use for slot in slots) == 1
        assert again.keys.files(owner.rule).rotation() is None
    assert interrupted > 10
    assert len(owner.listed().slots) == 2


@pytest.mark.parametrize("step", [1, 2])
def test_a_rotation_that_the_disk_refuses_is_undone(owner: Owner, step: int) -> None:
    before, slots = owner.key_file.read_bytes(), owner.listed().slots
    made: list[FaultyBackend] = []

    def faulty(backend: Backend) -> Backend:
        made.append(FaultyBackend(backend, always_from(step, NoSpace("full"))))
        return made[-1]

    if step == 1:
        with pytest.raises(NoSpace):
            owner.of(faulty).answer(AskKeyRotate(repository="main"), owner.rule)
        assert sum(each.fired for each in made)
        assert owner.key_file.read_bytes() == before
        assert owner.listed().slots == slots
    else:
        owner.of(faulty).answer(AskKeyRotate(repository="main"), owner.rule)
        assert owner.key_file.read_bytes() != before
    assert owner.opens_with(owner.key_file.read_text().strip())
    assert len(owner.listed().slots) == 1


def test_an_old_slot_that_cannot_be_removed_goes_the_next_time(owner: Owner) -> None:
    def faulty(backend: Backend) -> Backend:
        return FaultyBackend(backend, lambda _step, verb, _kind: NoSpace("read-only") if verb == "remove" else None)

    with pytest.raises(NoSpace):
        owner.of(faulty).answer(AskKeyRotate(repository="main"), owner.rule)
    assert [slot.in_use for slot in owner.listed().slots].count(True) == 1
    assert len(owner.listed().slots) == 2
    owner.done(AskKeyRotate(repository="main"))
    assert len(owner.listed().slots) == 1


def test_a_start_ends_what_a_killed_rotation_began(owner: Owner) -> None:
    owner.keys.files(owner.rule).begin(Rotation(old="0" * 64, new=owner.listed().slots[0].id))
    repositories = Repositories(owner.home, clock=CLOCK, entropy=ENTROPY)
    assert repositories.configure((owner.rule,)) == ()
    assert owner.keys.files(owner.rule).rotation() is None
    (status,) = repositories.statuses()
    assert (status.key_slots, status.kit) == (1, KitState.NEVER)
    repositories.close()


@needs_restic
def test_a_kit_opens_with_restic_alone_and_is_stored_nowhere(owner: Owner) -> None:
    kit = owner.kit()
    assert owner.state() is KitState.MADE
    assert (kit.repository, kit.location, kit.slot.is_kit, kit.earlier) == ("main", str(owner.store), True, ())
    StockRestic(str(owner.store), kit.code).check()
    for path in (*_files(owner.home), *_files(owner.store)):
        content = path.read_bytes()
        assert kit.code.encode() not in content
        assert last_group(kit.code).encode() not in content
        if path.is_relative_to(owner.home):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    again = owner.kit()
    assert [slot.id for slot in again.earlier] == [kit.slot.id]


def test_a_kit_is_acknowledged_by_its_last_group_or_all_of_it(owner: Owner) -> None:
    with pytest.raises(UnknownName, match="no recovery kit"):
        owner.done(AskKitKept(repository="main", typed="0A1B2"))
    kit = owner.kit()
    group = last_group(kit.code)
    with pytest.raises(UsageError, match="typo in group 7"):
        owner.done(AskKitKept(repository="main", typed=group[:-1] + ("0" if group[-1] != "0" else "2")))
    other = owner.kit()
    for slot, typed in ((kit.slot, f" {group.lower()} "), (other.slot, other.code.lower())):
        done = owner.done(AskKitKept(repository="main", typed=typed))
        assert done.slot.id == slot.id
        assert owner.state() is KitState.ACKNOWLEDGED
    with pytest.raises(WrongPassword, match="no recovery kit of main ends so"):
        owner.done(AskKitKept(repository="main", typed=group))
    assert [slot.is_acknowledged for slot in owner.listed().slots] == [slot.is_kit for slot in owner.listed().slots]
    warned = owner.done(AskKeyRemove(repository="main", slot=kit.slot.id, dry_run=True))
    assert "somebody keeps" in warned.also[0]
    owner.done(AskKeyRemove(repository="main", slot=kit.slot.id))
    assert owner.state() is KitState.ACKNOWLEDGED
    owner.done(AskKeyRemove(repository="main", slot=other.slot.id))
    assert owner.state() is KitState.NEVER


def test_records_that_cannot_be_read_are_asked_for_again(owner: Owner) -> None:
    kit = owner.kit()
    owner.done(AskKitKept(repository="main", typed=last_group(kit.code)))
    (owner.home / "repositories/main/kits.json").write_text('{"kept": 7}')
    again = Owner(owner.folder)
    assert again.state() is KitState.MADE
    again.done(AskKitKept(repository="main", typed=kit.code))
    assert again.state() is KitState.ACKNOWLEDGED


@pytest.mark.parametrize("way", ["kit", "password"])
def test_a_lost_key_file_is_made_anew(owner: Owner, way: str) -> None:
    kit = owner.kit()
    owner.done(AskKeyAdd(repository="main", password="somebody else's"))
    owner.key_file.unlink()
    keys = owner.listed()
    assert keys.source == ""
    assert not any(slot.in_use for slot in keys.slots)
    with pytest.raises(RepositoryMissing, match="no key for repository main"):
        owner.done(AskKeyRotate(repository="main"))
    typed = kit.code.lower().replace("-", " ") if way == "kit" else "somebody else's"
    made = owner.done(AskKeyRestore(repository="main", password=typed)).slot
    now = owner.listed()
    assert [slot.id for slot in now.slots if slot.in_use] == [made.id]
    assert len(now.slots) == 4
    assert owner.opens_with(owner.key_file.read_text().strip())
    assert stat.S_IMODE(owner.key_file.stat().st_mode) == 0o600
    assert owner.state() is (KitState.ACKNOWLEDGED if way == "kit" else KitState.MADE)
    with pytest.raises(Conflict, match="opens it"):
        owner.done(AskKeyRestore(repository="main", password=typed))


def test_what_does_not_open_restores_nothing_and_a_typo_is_named(owner: Owner) -> None:
    kit = owner.kit()
    owner.key_file.unlink()
    files = sorted(_files(owner.folder))
    wrong = kit.code[:6] + ("0" if kit.code[6] != "0" else "2") + kit.code[7:]
    with pytest.raises(UsageError, match="typo in group 2"):
        owner.done(AskKeyRestore(repository="main", password=wrong))
    for typed in ("not the password", ""):
        with pytest.raises(WrongPassword):
            owner.done(AskKeyRestore(repository="main", password=typed))
    assert sorted(_files(owner.folder)) == files


def test_a_password_that_looks_like_a_code_with_a_typo_opens_too(owner: Owner) -> None:
    odd = "ABCDE-" * 6 + "ABCDE"
    owner.done(AskKeyAdd(repository="main", password=odd))
    assert open_slot_typed(LocalBackend(owner.store), odd).slot


def test_a_key_file_of_another_repository_is_put_aside_not_lost(owner: Owner) -> None:
    kit = owner.kit()
    owner.key_file.write_text("the key of what was here before\n")
    done = owner.done(AskKeyRestore(repository="main", password=kit.code))
    (aside,) = (path for path in owner.key_file.parent.iterdir() if path.name.startswith(".main."))
    assert aside.read_text() == "the key of what was here before\n"
    assert str(aside) in done.also[0]
    assert owner.opens_with(owner.key_file.read_text().strip())


def _restore_in(folder: Path, code: str) -> None:
    Owner(folder).done(AskKeyRestore(repository="main", password=code))


def test_a_restore_that_is_killed_anywhere_can_be_done_again(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    owner.create()
    kit = owner.kit()
    slots = len(owner.listed().slots)
    owner.key_file.unlink()
    interrupted = 0
    while not run_until_killed(DEADLY, interrupted, _restore_in, tmp_path, kit.code):
        interrupted += 1
        assert owner.opens_with(kit.code)
        if owner.key_file.exists():
            assert owner.opens_with(owner.key_file.read_text().strip())
            owner.keys.settle(owner.rule, LocalBackend(owner.store))
            ours = next(slot for slot in owner.listed().slots if slot.in_use)
            LocalBackend(owner.store).remove(FileType.KEY, ours.id)
            owner.key_file.unlink()
        assert len(owner.listed().slots) <= slots + 1
    assert interrupted > 10
    assert len(owner.listed().slots) == slots + 1


def test_a_systemd_credential_is_the_password_where_no_file_is(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "main").write_text("given by systemd\n")
    owner = Owner(tmp_path, credentials)
    repositories = Repositories(owner.home, clock=CLOCK, entropy=ENTROPY, credentials=credentials)
    assert repositories.configure((owner.rule,)) == ()
    assert owner.opens_with("given by systemd")
    assert not owner.key_file.exists()
    assert owner.listed().source == "credential"
    assert repositories.environment("main").password == "given by systemd"
    with pytest.raises(Refused, match="systemd credential"):
        owner.done(AskKeyRotate(repository="main"))
    repositories.close()
    (credentials / "main").write_text("another, which does not open it")
    kit_less = Repositories(owner.home, clock=CLOCK, entropy=ENTROPY, credentials=credentials)
    assert [problem.code for problem in kit_less.configure((owner.rule,))] == ["wrong-password"]
    done = kit_less.answer_about_keys(AskKeyRestore(repository="main", password="given by systemd"))
    assert isinstance(done, KeyDone)
    assert kit_less.problems == ()
    assert owner.listed().source == "file"
    kit_less.close()


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00", b"x" * 100_000])
def test_a_key_file_that_is_none_is_said_to_be_so(owner: Owner, content: bytes) -> None:
    owner.key_file.write_bytes(content)
    with pytest.raises(HoldfastError, match="the key of repository main") as caught:
        owner.keys.files(owner.rule).password()
    assert caught.value.code == "store"


def test_a_repository_without_its_key_opens_as_soon_as_it_is_restored(owner: Owner) -> None:
    kit = owner.kit()
    owner.key_file.unlink()
    repositories = Repositories(owner.home, clock=CLOCK, entropy=ENTROPY)
    (problem,) = repositories.configure((owner.rule,))
    assert problem.code == "conflict"
    assert "`holdfast repository key restore main`" in problem.hint
    (status,) = repositories.statuses()
    assert (status.kit, status.key_slots) == (KitState.MADE, 2)
    assert status.error is not None
    repositories.answer_about_keys(AskKeyRestore(repository="main", password=kit.code))
    assert repositories.problems == ()
    (status,) = repositories.statuses()
    assert (status.error, status.kit, status.key_slots) == (None, KitState.ACKNOWLEDGED, 3)
    with pytest.raises(UnknownName, match="no repository 'other'"):
        repositories.answer_about_keys(AskKeys(repository="other"))
    repositories.close()


def test_a_place_that_is_away_has_no_facts(owner: Owner) -> None:
    owner.store.rename(owner.folder / "away")
    assert owner.keys.facts(owner.rule) is None
    with pytest.raises(RepositoryMissing):
        owner.listed()


def test_what_is_told_of_a_change_names_slots_and_no_secret(owner: Owner) -> None:
    password = "correct horse battery"
    added = AskKeyAdd(repository="main", password=password)
    done = owner.done(added)
    assert sentence_about(added, done) == f"key {done.slot.id[:8]} of repository main was added"
    kit = owner.kit()
    told = sentence_about(AskKit(repository="main"), kit)
    assert kit.slot.id[:8] in told
    assert kit.code not in told
    assert sentence_about(AskKeyRemove(repository="main", slot=done.slot.id, dry_run=True), done) == ""
    assert sentence_about(AskKeys(repository="main"), owner.listed()) == ""


def test_slots_are_the_same_for_all_who_look(owner: Owner) -> None:
    assert [slot.id for slot in read_slots(LocalBackend(owner.store))] == [slot.id for slot in owner.listed().slots]
    assert msgspec.json.encode(owner.listed())
    assert os.listdir(owner.store / "keys") == [owner.listed().slots[0].id]
