"""Destruction is told within two minutes and its traces are kept; ordinary work, done for real, is not mistaken for it."""

from __future__ import annotations

import compileall
import gzip
import os
import random
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from holdfast.core.clock import now
from holdfast.core.errors import Refused, UnknownName
from holdfast.model.anomalies import Anomaly, AnomalyKind, AnomalyState
from holdfast.model.document import KeepRules
from holdfast.model.point_changes import Forget
from holdfast.model.retention import kept
from holdfast.repository.points.point_changes import Chosen
from holdfast.testing.repository_scene import DATASET, RepositoryScene
from tests.repository.care.debian_packages import two_versions, unpack
from tests.repository.care.worked_on import HOLD_S, PLANS, WorkedOn, encrypt, spread
from tests.repository.damage import read_point
from tests.repository.followed import FollowedSource, read_all

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
PACKAGE = LIBRARY / "json"
PACKAGES = [LIBRARY / name for name in ("json", "email", "asyncio", "unittest", "logging")]
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorkedOn]:
    made = WorkedOn(tmp_path)
    for package in PACKAGES:
        shutil.copytree(package, made.tree / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for number in range(20):
        (made.tree / f"photo{number}.jpg").write_bytes(JPEG + random.Random(number).randbytes(20_000))
    for path in made.files:
        os.utime(path, ns=(1_700_000_000 * 10**9,) * 2)
    made.minute()
    for _ in range(6):
        made.minute(lambda: (made.tree / "notes.txt").write_text("a note\n" * random.Random(made.feeder.seq).randrange(50, 500)))
    assert made.found == []
    yield made
    made.close()


def test_five_percent_a_minute_in_place_is_told_within_two_minutes_and_can_be_undone(site: WorkedOn) -> None:
    before = {os.fsencode(path): content for path in site.files if (content := path.read_bytes())}
    clean = site.repository.points()[-1]
    left = list(site.files)
    for _ in range(2):
        chosen = list(spread(left, 0.05))
        left = [path for path in left if path not in chosen]
        site.minute(lambda chosen=chosen: [encrypt(path) for path in chosen])  # type: ignore[misc]
        if site.found:
            break
    (anomaly,) = site.found
    assert [signal.kind for signal in anomaly.signals] == [AnomalyKind.ENCRYPTED]
    assert anomaly.clean_at == clean.time
    assert anomaly.clean_point == clean.id
    assert anomaly.paths
    restored = read_point(site.repository, clean.id)
    assert {path: restored[path] for path in before} == before


def test_photos_that_never_compressed_are_told_by_the_mark_of_their_type(site: WorkedOn) -> None:
    photos = [path for path in site.files if path.suffix == ".jpg"]
    site.minute(lambda: [encrypt(path) for path in photos[:8]])
    assert [signal.count for signal in site.found[0].signals] == [8]


def test_files_that_are_replaced_under_a_name_of_theirs_are_told(site: WorkedOn) -> None:
    def lock() -> None:
        for path in spread(site.files, 0.05):
            encrypt(path)
            path.rename(path.with_name(path.name + ".locked"))

    site.minute(lock)
    site.minute(lock)
    assert site.found[0].signals[0].kind is AnomalyKind.ENCRYPTED


def test_one_that_is_slow_adds_up(site: WorkedOn) -> None:
    for number in range(4):
        victims = [path for path in site.files if path.suffix == ".py" and path.stat().st_size > 500][2 * number : 2 * number + 2]
        site.minute(lambda victims=victims: [encrypt(path) for path in victims])  # type: ignore[misc]
    assert site.found
    # Clean is the state before the first of them.
    assert site.found[0].clean_at < site.found[0].since <= site.repository.points()[-3].time


def test_mass_renaming_and_mass_removal_are_told_against_what_is_usual(site: WorkedOn) -> None:
    site.minute(lambda: [path.rename(path.with_suffix(".xyz")) for path in site.files if path.suffix == ".py"])
    assert [signal.kind for signal in site.found[0].signals] == [AnomalyKind.RENAMED]
    site.repository.care.anomalies.decide(site.found[0].id, confirmed=False, by="me", now=site.repository.time.now())
    for number in range(200):
        (site.tree / f"kept{number}").write_text(f"{number}\n")
        os.utime(site.tree / f"kept{number}", ns=(1_700_000_000 * 10**9,) * 2)
    site.minute(minutes=60)
    site.minute(lambda: [path.unlink() for path in list(site.files)[: len(site.files) * 2 // 3]], minutes=60)
    assert [signal.kind for signal in site.found[-1].signals] == [AnomalyKind.REMOVED]


def upgrade_by_hand(site: WorkedOn) -> None:
    """Every file is written anew, many with other content; compiled files come; a folder goes and one of another version comes."""
    for package in PACKAGES:
        for path in (site.tree / package.name).rglob("*.py"):
            path.write_text(path.read_text().replace("self", "this"))
    compileall.compile_dir(site.tree, quiet=2)
    (site.tree / "email").rename(site.tree / "email-2.0")


def build(site: WorkedOn) -> None:
    """With the machine's own compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    for number in range(12):
        source = site.tree / f"unit{number}.c"
        source.write_text(f'#include <stdio.h>\nint f{number}(int a) {{ printf("%d", a); return a * {number}; }}\n' * 1)
        subprocess.run(["gcc", "-g", "-O1", "-c", str(source), "-o", str(source.with_suffix(".o"))], check=True)
    subprocess.run(["ar", "rcs", str(site.tree / "libunits.a"), *map(str, site.tree.glob("*.o"))], check=True)


def build_again(site: WorkedOn) -> None:
    build(site)
    for path in site.tree.glob("*.o"):
        path.unlink()


def photo_import(site: WorkedOn) -> None:
    for number in range(60):
        (site.tree / "album").mkdir(exist_ok=True)
        (site.tree / "album" / f"dsc{number}.jpg").write_bytes(JPEG + os.urandom(15_000))


def log_rotation(site: WorkedOn) -> None:
    for number in range(8):
        log = site.tree / f"service{number}.log"
        log.write_text("".join(f"2026-01-01 line {line} of {number}\n" for line in range(400)))
    site.minute()
    for number in range(8):
        log = site.tree / f"service{number}.log"
        with gzip.open(f"{log}.1.gz", "wb") as packed:
            packed.write(log.read_bytes())
        log.unlink()
        log.touch()


def archive_in_place(site: WorkedOn) -> None:
    """Many texts become compressed ones of a name made of theirs: `zstd --rm`."""
    for path in spread(site.files, 0.3):
        path.with_name(path.name + ".zst").write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
        path.unlink()


def checkout(site: WorkedOn) -> None:
    """Of this project itself, a state of long ago and back."""
    root = Path(__file__).resolve().parents[3]
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("needs git and this project's own history")
    work = site.tree / "work"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(root), str(work)], check=True)
    site.minute()
    known = subprocess.run(["git", "-C", str(work), "rev-list", "HEAD"], check=True, capture_output=True, text=True).stdout.split()
    for commit in (known[min(200, len(known) - 1)], known[0], known[min(40, len(known) - 1)]):
        subprocess.run(["git", "-C", str(work), "checkout", "--quiet", commit], check=True)
        site.minute()


def moving_folders(site: WorkedOn) -> None:
    (site.tree / "old").mkdir()
    for package in PACKAGES[:3]:
        (site.tree / package.name).rename(site.tree / "old" / package.name)


def moving_files_that_are_alike(site: WorkedOn) -> None:
    """Each of them is still called what it was, though the content of another would do as well."""
    state = site.tree / "state"
    state.mkdir()
    for number in range(200):
        (state / f"job{number}").write_text("done\n")
    site.minute()
    state.rename(site.tree / "state of yesterday")


def names_without_an_ending(site: WorkedOn) -> None:
    for number in range(200):
        (site.tree / f"scan {number}").write_text(f"page {number}\n")
    site.minute()
    for number in range(200):
        (site.tree / f"scan {number}").rename(site.tree / f"letter {number}, page 1")


def endings_that_are_numbers(site: WorkedOn) -> None:
    """Logs that are rotated and not compressed."""
    for number in range(100):
        (site.tree / f"service{number}.log").write_text(f"today {number}\n")
        (site.tree / f"service{number}.log.1").write_text(f"yesterday {number}\n")
        (site.tree / f"mail{number}.log").write_text(f"a letter {number}\n")
    site.minute()
    for number in range(100):
        (site.tree / f"service{number}.log.1").rename(site.tree / f"service{number}.log.2")
        (site.tree / f"service{number}.log").rename(site.tree / f"service{number}.log.1")
        (site.tree / f"mail{number}.log").rename(site.tree / f"mail{number}.log-20260101")


def endings_in_small_letters(site: WorkedOn) -> None:
    for number in range(200):
        (site.tree / f"DSC{number}.JPG").write_bytes(JPEG + b"%d" % number)
    site.minute()
    for number in range(200):
        (site.tree / f"DSC{number}.JPG").rename(site.tree / f"beach {number}.jpg")


@pytest.mark.parametrize(
    "work",
    [
        moving_files_that_are_alike,
        names_without_an_ending,
        endings_that_are_numbers,
        endings_in_small_letters,
        upgrade_by_hand,
        build,
        build_again,
        photo_import,
        log_rotation,
        archive_in_place,
        moving_folders,
        pytest.param(checkout, marks=pytest.mark.big),
    ],
    ids=lambda work: work.__name__,
)
def test_ordinary_work_is_no_alarm(site: WorkedOn, work: Callable[[WorkedOn], None]) -> None:
    site.minute(lambda: work(site))
    site.minute()
    assert site.found == []


def test_an_upgrade_of_real_packages_is_no_alarm(tmp_path: Path) -> None:
    before, after = two_versions(tmp_path / "packages")
    site = WorkedOn(tmp_path / "site")
    unpack(site.tree, before)
    site.minute()
    known = {path: path.stat().st_ino for path in site.files}
    site.minute(lambda: unpack(site.tree, after))
    replaced = [path for path in site.files if known.get(path) not in (None, path.stat().st_ino)]
    assert len(replaced) > len(known) / 2
    assert site.found == []
    # It is not that nothing is told of such a tree, once the upgrade is over.
    site.minute(lambda: [encrypt(path) for path in spread(site.files, 0.05)], minutes=11)
    assert [signal.kind for anomaly in site.found for signal in anomaly.signals] == [AnomalyKind.ENCRYPTED]
    site.close()


def test_a_followed_dataset_is_told_within_two_minutes_too(scene: RepositoryScene) -> None:
    source = FollowedSource(scene)
    for number in range(100):
        source.write(f"/data/text{number}".encode(), f"line {number}\n".encode() * 300)
    repository = scene.open()
    source.send(repository, full=True)
    care = repository.care.anomalies
    for _ in range(5):
        scene.clock.advance(60)
        source.write(b"/data/notes", os.urandom(20).hex().encode() * 20)
        source.send(repository)
        repository.tick()
        assert care.look(PLANS, now(scene.clock)) == ()
    clean = now(scene.clock)
    found: list[Anomaly] = []
    for number in range(24):
        scene.clock.advance(5)
        if number % 12 < 5:
            source.write(f"/data/text{number}".encode(), os.urandom(2_000))
            source.send(repository)
        repository.tick()
        found += care.look(PLANS, now(scene.clock))
    (anomaly,) = found
    assert (anomaly.found_at - clean).total_seconds() <= 120
    assert anomaly.clean_at <= clean
    moment = repository.point_at(DATASET, anomaly.clean_at)
    assert not moment.suspect
    source.leave()
    repository.close()


@pytest.mark.parametrize("judged", ["open", "dismissed"])
def test_moments_of_a_dataset_that_has_no_points_are_held_as_well(scene: RepositoryScene, judged: str) -> None:
    source = FollowedSource(scene)
    for number in range(60):
        source.write(f"/data/text{number}".encode(), f"line {number}\n".encode() * 300)
    repository = scene.open()
    source.send(repository, full=True)
    before = dict(source.tree)
    scene.clock.advance(60)
    assert repository.care.anomalies.look(PLANS, now(scene.clock)) == ()
    clean_at = now(scene.clock)
    scene.clock.advance(5)
    for number in range(20):
        source.write(f"/data/text{number}".encode(), os.urandom(2_000))
    source.send(repository)
    scene.clock.advance(65)
    repository.tick()
    (anomaly,) = repository.care.anomalies.look(PLANS, now(scene.clock))
    assert anomaly.moments_from is not None
    if judged == "dismissed":
        repository.care.anomalies.decide(anomaly.id, confirmed=False, by="me", now=now(scene.clock))
    # Two days of a window of one, and what is in the home is all that knows.
    source.leave()
    repository.close()
    repository = scene.open()
    for _ in range(16):
        source.leave()
        scene.clock.advance(3 * 3_600)
        source.write(b"/data/notes", os.urandom(20))
        source.send(repository)
        scene.clock.advance(65)
        repository.tick()
    if judged == "open":
        assert read_all(repository.reader(repository.point_at(DATASET, clean_at))) == before
        # Nor does it stay for ever.
        source.leave()
        scene.clock.advance(HOLD_S)
        source.write(b"/data/notes", b"later")
        source.send(repository)
        scene.clock.advance(65)
        repository.tick()
    with pytest.raises(UnknownName):
        repository.point_at(DATASET, clean_at)
    source.leave()
    repository.close()


def test_without_compression_in_the_store_the_content_tells(tmp_path: Path) -> None:
    site = WorkedOn(tmp_path, compress=False)
    shutil.copytree(PACKAGE, site.tree / "json")
    shutil.copytree(LIBRARY / "email", site.tree / "email")
    site.minute()
    site.minute(lambda: upgrade_text(site))
    assert site.found == []
    site.minute(lambda: [encrypt(path) for path in spread(site.files, 0.3)])
    assert site.found
    site.close()


def upgrade_text(site: WorkedOn) -> None:
    for path in site.tree.rglob("*.py"):
        path.write_text(path.read_text() + "\n# of another version\n")


def attacked(site: WorkedOn) -> None:
    site.minute(lambda: [encrypt(path) for path in spread(site.files, 0.2)])
    assert len(site.found) == 1


def test_the_points_before_are_held_and_those_after_are_marked_until_somebody_judges(site: WorkedOn) -> None:
    attacked(site)
    (anomaly,) = site.found
    points = site.repository.points()
    assert [bool(point.suspect) for point in points] == [False] * (len(points) - 1) + [True]
    assert all(point.held_until is not None for point in points[:-1])
    moment = site.repository.time.now()
    assert kept(points, KeepRules(last=1), moment).remove == ()
    with pytest.raises(Refused):
        site.repository.change_points(Chosen(points=(points[0].id,)), Forget())
    # All of that is in the repository: neither the catalog nor what the home remembers is needed for it.
    (site.scene.home / "anomalies.json").unlink()
    site.repository.care.rebuild()
    site.reopen()
    again = site.repository.points()
    assert [(point.suspect, point.held_until) for point in again] == [(point.suspect, point.held_until) for point in points]
    (told,) = site.repository.care.anomalies.all()
    assert (told.id, told.clean_at, told.state) == (anomaly.id, anomaly.clean_at, AnomalyState.OPEN)
    site.scene.restic.check(read_data=True)
    site.repository.care.anomalies.decide(anomaly.id[:8], confirmed=False, by="me", now=moment)
    released = site.repository.points()
    assert not any(point.suspect or point.held_until for point in released)
    assert len(kept(released, KeepRules(last=1), moment).remove) == len(released) - 1
    with pytest.raises(UnknownName):
        site.repository.care.anomalies.decide("0000", confirmed=True, by="me", now=moment)


def test_what_was_confirmed_stays_held_and_what_comes_later_is_clean(site: WorkedOn) -> None:
    attacked(site)
    site.repository.care.anomalies.decide(site.found[0].id, confirmed=True, by="me", now=site.repository.time.now())
    site.minute(lambda: (site.tree / "notes.txt").write_text("restored\n" * 100), minutes=30)
    suspect = [bool(point.suspect) for point in site.repository.points()]
    assert suspect[-2:] == [True, False]
    assert site.repository.points()[0].held_until is not None
    site.scene.clock.advance(HOLD_S + 3_600)
    held = site.repository.points()
    assert len(kept(held, KeepRules(last=1), site.repository.time.now()).remove) == len(held) - 1


def test_one_attack_is_one_anomaly_and_a_restart_forgets_nothing(site: WorkedOn) -> None:
    attacked(site)
    site.reopen()
    site.minute(lambda: [encrypt(path) for path in list(spread(site.files, 0.2))[1:]])
    assert len(site.found) == 1
    assert len(site.repository.care.anomalies.all()) == 1
