"""Key slots: the real restic opens every one of them, and no key file, whoever wrote it, hangs or fells the owner."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.backend.backend import FileType
from holdfast.backend.local import LocalBackend
from holdfast.core.errors import Conflict, RepositoryDamaged, RepositoryMissing, UnknownName, WrongPassword
from holdfast.model.keys import KIT_USER
from holdfast.repository._format.keys import KeyOrigin, Scrypt, decode_key_file, encode_key_file
from holdfast.repository._format.seal import new_master_key
from holdfast.repository.key_slots import MOST_SLOTS, choose_slot, new_slot, open_slot, read_slots, remove_slot, save_slot
from holdfast.testing.repository_scene import CHEAP, PASSWORD, RepositoryScene
from holdfast.testing.stock_restic import StockRestic
from holdfast.testing.virtual_clock import SeededEntropy

needs_restic = pytest.mark.skipif(not StockRestic.is_here(), reason="needs restic")
ENTROPY = SeededEntropy("slots")
MASTER = new_master_key(ENTROPY)
GOOD = encode_key_file(MASTER, "x", KeyOrigin("u", "h", 0), entropy=ENTROPY, cost=Scrypt(16, 8, 1))


def _add(scene: RepositoryScene, password: str, username: str = "anna", cost: Scrypt = CHEAP) -> str:
    place = LocalBackend(scene.place)
    opened = open_slot(place, [PASSWORD])
    slot = new_slot(opened.master, password, username, clock=scene.clock, entropy=SeededEntropy(password), cost=cost)
    save_slot(place, slot)
    return slot.id


def _plant(scene: RepositoryScene, **changes: Any) -> str:
    """A key file with some of its fields changed, under the right name."""
    content = msgspec.json.encode({**msgspec.json.decode(GOOD), **changes})
    name = sha256(content).hexdigest()
    (scene.place / "keys" / name).write_bytes(content)
    return name


@needs_restic
def test_restic_opens_every_slot_and_shows_who_made_it(scene: RepositoryScene, tmp_path: Any) -> None:
    passwords = {"anna": "anna's password ü", KIT_USER: "0A1B2-C3D4E-F5G6H-00000-11111-22222-33333", "bob": "twelve chars"}
    made = {_add(scene, password, user) for user, password in passwords.items()}
    for password in (PASSWORD, *passwords.values()):
        StockRestic(str(scene.place), password).run("cat", "config")
        file = tmp_path / "password"
        file.write_text(password + "\n")
        StockRestic(str(scene.place), "").run("--password-file", str(file), "cat", "config")
    listed = scene.restic.json("key", "list")
    assert {row["userName"] for row in listed} >= set(passwords)
    ours = read_slots(LocalBackend(scene.place))
    assert {slot.id[:8] for slot in ours} == {row["id"][:8] for row in listed}
    assert {slot.id for slot in ours} > made
    assert [slot.username for slot in ours if slot.is_kit] == [KIT_USER]
    assert {slot.hostname for slot in ours} == {row["hostName"] for row in listed}


@needs_restic
def test_slots_of_restic_are_ours_and_one_that_is_gone_opens_nothing(scene: RepositoryScene, tmp_path: Any) -> None:
    file = tmp_path / "password"
    file.write_text("made by restic\n")
    scene.restic.run("key", "add", "--new-password-file", str(file), "--user", "stock")
    place = LocalBackend(scene.place)
    opened = open_slot(place, ["made by restic"])
    slot = choose_slot(read_slots(place), opened.slot[:8])
    assert (slot.username, slot.error) == ("stock", "")
    assert slot.created_at is not None
    own = open_slot(place, [PASSWORD]).slot
    remove_slot(place, slot.id, own=own)
    with pytest.raises(WrongPassword):
        open_slot(place, ["made by restic"])
    with pytest.raises(AssertionError, match=r"wrong password|no key found"):
        StockRestic(str(scene.place), "made by restic").run("cat", "config")
    scene.restic.check()


def test_the_owners_own_slot_is_never_removed_nor_any_when_it_is_gone(scene: RepositoryScene) -> None:
    other = _add(scene, "another password")
    place = LocalBackend(scene.place)
    own = open_slot(place, [PASSWORD]).slot
    with pytest.raises(Conflict, match="the owner itself"):
        remove_slot(place, own, own=own)
    place.remove(FileType.KEY, own)
    with pytest.raises(Conflict, match="not in the repository any more"):
        remove_slot(place, other, own=own)
    assert list(place.names(FileType.KEY)) == [other]


def test_there_are_no_more_slots_than_restic_tries(scene: RepositoryScene) -> None:
    for number in range(MOST_SLOTS - 1):
        _add(scene, f"password number {number}")
    with pytest.raises(Conflict, match="restic tries no more"):
        _add(scene, "one too many")
    assert open_slot(LocalBackend(scene.place), [PASSWORD]).slot


def test_slots_are_chosen_by_an_unambiguous_beginning(scene: RepositoryScene) -> None:
    _add(scene, "another password")
    slots = read_slots(LocalBackend(scene.place))
    assert choose_slot(slots, slots[0].id[:8].upper()) == slots[0]
    for prefix in ("", slots[0].id[:3], "zzzz"):
        with pytest.raises(UnknownName):
            choose_slot(slots, prefix)
    with pytest.raises(UnknownName, match="2 keys begin"):
        choose_slot((slots[0], slots[0]), slots[0].id)


def test_nothing_there_is_no_repository(scene: RepositoryScene) -> None:
    place = LocalBackend(scene.place)
    for name in list(place.names(FileType.KEY)):
        place.remove(FileType.KEY, name)
    for look in (lambda: read_slots(place), lambda: open_slot(place, [PASSWORD])):
        with pytest.raises(RepositoryMissing):
            look()


HOSTILE: list[dict[str, Any]] = [
    {"N": 1 << 40},
    {"N": 1 << 400},
    {"N": 1 << 22},
    {"N": 3},
    {"N": 1},
    {"N": 0},
    {"N": -16},
    {"r": 1 << 30},
    {"r": 0},
    {"p": 1 << 30},
    {"p": -1},
    {"N": 1 << 15, "p": 100},
    {"N": "16"},
    {"N": None},
    {"kdf": "argon2"},
    {"kdf": "x" * 10_000},
    {"salt": ""},
    {"salt": "AAAA"},
    {"salt": "A" * 1368},
    {"salt": "not base64!"},
    {"data": ""},
    {"data": "AAAA"},
    {"data": 7},
    {"username": ["x"]},
    {"created": 5},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=lambda changes: str(changes)[:40])
def test_hostile_key_files_are_damage_and_cost_nothing(scene: RepositoryScene, changes: dict[str, Any]) -> None:
    name = _plant(scene, **changes)
    place = LocalBackend(scene.place)
    began_s, memory_kib = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RepositoryDamaged):
        decode_key_file(place.load(FileType.KEY, name))
    assert open_slot(place, [PASSWORD]).slot != name
    assert next(slot for slot in read_slots(place) if slot.id == name).error
    assert time.process_time() - began_s < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib < 100_000


def test_a_key_file_that_asks_for_much_is_tried_last(scene: RepositoryScene) -> None:
    """Whoever can write to the store may plant keys that take seconds each; the owner's own is tried before."""
    for number in range(30):
        _plant(scene, N=1 << 18, username=f"{number}")
    began_s = time.process_time()
    assert open_slot(LocalBackend(scene.place), [PASSWORD]).slot
    assert time.process_time() - began_s < 1


def test_cheap_keys_in_numbers_do_not_hide_the_owners_own(scene: RepositoryScene) -> None:
    for number in range(60):
        _plant(scene, N=2, r=1, username=f"{number}")
    assert open_slot(LocalBackend(scene.place), [PASSWORD]).slot


def test_strange_files_in_keys_are_named_and_harmless(scene: RepositoryScene) -> None:
    folder = scene.place / "keys"
    strange = {"0" * 64: b"", "1" * 64: GOOD[:-40], "2" * 64: b"[" * 50_000, "3" * 64: b"{}", "4" * 64: b"\xff\xfe"}
    for name, content in strange.items():
        (folder / name).write_bytes(content)
    with (folder / ("5" * 64)).open("wb") as sparse:
        sparse.truncate(1 << 40)
    place = LocalBackend(scene.place)
    assert {slot.id for slot in read_slots(place) if slot.error} == {*strange, "5" * 64}
    assert open_slot(place, [PASSWORD]).slot
    with pytest.raises(RepositoryDamaged):
        open_slot(place, ["not the password"])


def test_impossible_times_are_no_times(scene: RepositoryScene) -> None:
    for created in ("", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-01T00:00:00Z"):
        name = _plant(scene, created=created)
        assert next(slot for slot in read_slots(LocalBackend(scene.place)) if slot.id == name).created_at is None
    name = _plant(scene, created="2026-01-02T03:04:05.123456789+01:00")
    moment = next(slot for slot in read_slots(LocalBackend(scene.place)) if slot.id == name).created_at
    assert moment is not None
    assert moment.isoformat() == "2026-01-02T02:04:05.123456+00:00"


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_a_key_file_with_any_bytes_changed_opens_or_is_refused(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    with suppress(RepositoryDamaged, WrongPassword):
        file = decode_key_file(bytes(content))
        # What a changed digit may still ask for is bounded, and is not spent here.
        if file.cost.work_bytes <= 1 << 20:
            assert file.open("x") == MASTER
