"""Stubs of archived files are read through the recall mount: the very bytes, or an error in time, whatever is killed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.host.mountpoint import is_dead, kind_at
from holdfast.model.archiving import Stub, stub_target
from holdfast.model.jobs import State
from holdfast.model.recalling import AskRecall
from holdfast.node.workers.messages import EventNews, RunRecall
from holdfast.operations.mount.edge import KIND
from holdfast.testing.waiting import wait_for
from holdfast.wire.codec import encode
from holdfast.wire.data_messages import DataMessage
from holdfast.wire.queue_channel import QueueChannel
from tests.dataflow.archived import Archived, archived_world
from tests.dataflow.machines import World, ended
from tests.dataflow.process_store import ProcessStore

pytestmark = pytest.mark.skipif(
    not os.path.exists("/dev/fuse") or shutil.which("fusermount3") is None, reason="needs FUSE: fuse3 and /dev/fuse"
)
ERROR_WITHIN_S = 20.0
BIG = 96 << 20
HUGE = 1 << 30
# Chunks of coarse files are up to 8 MiB long; the kernel reads ahead of who reads, and so a second one may come with it.
FEW_CHUNKS_BYTES = 2 * (8 << 20) + (1 << 20)
# The kernel function in which a process waits for a file system in user space.
WAITS_FOR_MOUNT = "request_wait_answer"
ODD = b"odd@\xff name"


@pytest.fixture
def archived(world: World, tmp_path: Path) -> Archived:
    source = tmp_path / "data"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "text").write_text("one line\nthe needle\n" * 1_000)
    (source / "big").write_bytes(os.urandom(BIG))
    (source / "empty").touch()
    (source / "secret").write_bytes(b"for its owner")
    (source / "secret").chmod(0o600)
    Path(os.fsdecode(os.fsencode(source) + b"/" + ODD)).write_bytes(b"odd")
    return archived_world(world, source)


def paths(archived: Archived) -> list[bytes]:
    root = os.fsencode(archived.source)
    return [root + name for name in (b"/sub/text", b"/big", b"/empty", b"/secret", b"/" + ODD)]


@pytest.fixture
def sent_bytes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """What this process has sent to others from now on: the owner's answers, where the owner is in this process."""
    sizes: list[int] = []
    send = QueueChannel.send

    def counted(channel: QueueChannel, message: DataMessage) -> None:
        sizes.append(len(encode(message)))
        send(channel, message)

    monkeypatch.setattr(QueueChannel, "send", counted)
    return lambda: sum(sizes)


def tried(read: Callable[[], bytes]) -> bytes:
    with contextlib.suppress(OSError):
        return read()
    return b""


def test_every_way_of_reading_gives_the_very_bytes(archived: Archived, tmp_path: Path, sent_bytes: Callable[[], int]) -> None:
    source = archived.source
    before = {path: Path(os.fsdecode(path)).read_bytes() for path in paths(archived)}
    stats = {path: os.stat(path) for path in before}
    archived.archive(list(before))
    with archived.recalling() as (_, heard):
        # In the middle first: nothing before it is fetched, and little behind it.
        told = sent_bytes()
        with (source / "big").open("rb") as file:
            assert os.pread(file.fileno(), 5_000, BIG // 2) == before[os.fsencode(source / "big")][BIG // 2 : BIG // 2 + 5_000]
        assert 5_000 < sent_bytes() - told < FEW_CHUNKS_BYTES
        for path, content in before.items():
            assert os.path.islink(path)
            assert Path(os.fsdecode(path)).read_bytes() == content
            found = os.stat(path)
            assert (found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns) == (
                stats[path].st_mode,
                stats[path].st_uid,
                stats[path].st_size,
                stats[path].st_mtime_ns,
            )
        grepped = subprocess.run(["grep", "-c", "needle", str(source / "sub" / "text")], capture_output=True, text=True, check=True)
        assert grepped.stdout.strip() == "1000"
        assert subprocess.run(["grep", "-r", "needle", str(source)], capture_output=True, check=False).stdout == b"", "no link is followed"
        subprocess.run(["cp", str(source / "big"), str(tmp_path / "copy")], check=True)
        assert (tmp_path / "copy").read_bytes() == before[os.fsencode(source / "big")]
        with (source / "big").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            assert mapped[BIG - 4_096 :] == before[os.fsencode(source / "big")][-4_096:]
        with (source / "big").open("rb") as file, (tmp_path / "sent").open("wb") as out:
            assert os.sendfile(out.fileno(), file.fileno(), 1 << 20, 1 << 20) == 1 << 20
        with ThreadPoolExecutor(8) as pool:
            digests = set(pool.map(lambda _: hashlib.sha256((source / "big").read_bytes()).digest(), range(8)))
        assert digests == {hashlib.sha256(before[os.fsencode(source / "big")]).digest()}
        (source / "later").write_bytes(b"archived while it is mounted")
        archived.archive([os.fsencode(source / "later")])
        assert (source / "later").read_bytes() == b"archived while it is mounted"
        with pytest.raises(OSError, match="Read-only"):
            (source / "sub" / "text").write_bytes(b"")
        gone = stub_target(archived.recall, Stub(dataset=archived.documents.id, archived_ns=1, path=b"/never"))
        with pytest.raises(FileNotFoundError):
            os.stat(gone)
    assert [event.event.code for event in heard.of(EventNews)] == []


@pytest.mark.big
def test_the_middle_of_a_gibibyte_is_there_without_the_rest(world: World, tmp_path: Path, sent_bytes: Callable[[], int]) -> None:
    source = tmp_path / "data"
    source.mkdir()
    chance, middle = random.Random(7), b""
    with (source / "huge").open("wb") as file:
        for at in range(0, HUGE, 64 << 20):
            piece = chance.randbytes(64 << 20)
            file.write(piece)
            middle = piece[:5_000] if at == HUGE // 2 else middle
    archived = archived_world(world, source)
    archived.archive([os.fsencode(source / "huge")])
    with archived.recalling(), (source / "huge").open("rb") as file:
        told, began_s = sent_bytes(), time.monotonic()
        assert os.pread(file.fileno(), 5_000, HUGE // 2) == middle
        taken_s, sent = time.monotonic() - began_s, sent_bytes() - told
    print(f"5,000 bytes from the middle of 1 GiB: {sent:,} bytes fetched, {taken_s * 1_000:.0f} ms")
    assert 5_000 < sent < FEW_CHUNKS_BYTES
    assert taken_s < ERROR_WITHIN_S


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads for others")
def test_users_read_what_the_files_own_mode_lets_them(archived: Archived) -> None:
    # Folders are as they were when it was archived, in the lineage too.
    for folder in (archived.files1.home, *archived.files1.home.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    archived.archive(paths(archived))
    with archived.recalling():

        def read_as_nobody(name: str) -> subprocess.CompletedProcess[bytes]:
            words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat", str(archived.source / name)]
            return subprocess.run(words, capture_output=True, check=False)

        assert read_as_nobody("sub/text").stdout.startswith(b"one line\n")
        refused = read_as_nobody("secret")
        assert refused.returncode != 0
        assert b"Permission denied" in refused.stderr


def test_an_owner_that_is_away_is_an_error_in_time_and_comes_back(archived: Archived) -> None:
    text, big = archived.source / "sub" / "text", archived.source / "big"
    content, whole = text.read_bytes(), hashlib.sha256(big.read_bytes()).digest()
    archived.archive(paths(archived))
    archived.vault.stop()
    with archived.recalling():
        began_s = time.monotonic()
        with pytest.raises(OSError) as caught:
            text.read_bytes()
        assert caught.value.errno == errno.EIO
        assert time.monotonic() - began_s < ERROR_WITHIN_S
        archived.vault.in_process = False
        archived.vault.start()
        wait_for(lambda: tried(text.read_bytes) == content)
        with big.open("rb") as file:
            file.read(4_096)
            archived.vault.kill_store()
            began_s = time.monotonic()
            with pytest.raises(OSError) as caught:
                file.read()
            assert caught.value.errno == errno.EIO
            assert time.monotonic() - began_s < ERROR_WITHIN_S
            archived.vault.start()
            # The open file goes on.
            wait_for(lambda: file.seek(0) == 0 and hashlib.sha256(tried(file.read)).digest() == whole, 90)


def test_a_killed_mount_is_an_error_and_the_next_worker_mounts_anew(archived: Archived) -> None:
    text, big = archived.source / "sub" / "text", archived.source / "big"
    content = text.read_bytes()
    archived.archive(paths(archived))
    recall = archived.recall
    with archived.recalling() as (worker, _):
        assert text.read_bytes() == content
        with big.open("rb") as file:
            file.read(10)
            worker.kill()
            wait_for(lambda: is_dead(recall))
            with pytest.raises(OSError) as caught:
                os.pread(file.fileno(), 1 << 20, BIG // 2)
            assert caught.value.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)
        with pytest.raises(OSError):
            (archived.source / "sub" / "text").read_bytes()
        with archived.recalling():
            wait_for(lambda: tried(text.read_bytes) == content)
    assert kind_at(recall) == ""
    assert os.listdir(recall) == []
    assert os.stat(recall).st_mode & 0o222 == 0, "nobody writes where stubs lead"
    with pytest.raises(FileNotFoundError):
        text.read_bytes()


def test_whoever_is_killed_while_a_file_is_being_opened_it_is_an_error_in_time(archived: Archived) -> None:
    text = archived.source / "sub" / "text"
    content = text.read_bytes()
    archived.archive(paths(archived))
    archived.vault.stop()
    archived.vault.in_process = False
    archived.vault.start()
    owner = archived.vault.store
    assert isinstance(owner, ProcessStore)
    with archived.recalling() as (worker, _):
        with opening(text, owner) as reader:
            archived.vault.kill_store()
            assert_refused_in_time(reader)
        archived.vault.start()
        wait_for(lambda: tried(text.read_bytes) == content)
    with archived.recalling() as (worker, _):
        owner = archived.vault.store
        assert isinstance(owner, ProcessStore)
        with opening(text, owner) as reader:
            worker.kill()
            assert_refused_in_time(reader)
        with archived.recalling():
            wait_for(lambda: tried(text.read_bytes) == content)


@pytest.mark.big
def test_an_owner_that_hangs_is_an_error_in_time_and_goes_on(archived: Archived) -> None:
    text, big = archived.source / "sub" / "text", archived.source / "big"
    content, whole = text.read_bytes(), big.read_bytes()
    archived.archive(paths(archived))
    archived.vault.stop()
    archived.vault.in_process = False
    archived.vault.start()
    owner = archived.vault.store
    assert isinstance(owner, ProcessStore)
    with archived.recalling():
        with opening(text, owner) as reader:
            assert_refused_in_time(reader)
        wait_for(lambda: tried(text.read_bytes) == content)
        with big.open("rb") as file:
            assert file.read(4_096) == whole[:4_096]
            with suspended(owner):
                began_s = time.monotonic()
                with pytest.raises(OSError) as caught:
                    os.pread(file.fileno(), 4_096, BIG // 2)
                assert caught.value.errno == errno.EIO
                assert time.monotonic() - began_s < ERROR_WITHIN_S
            wait_for(lambda: tried(lambda: os.pread(file.fileno(), 4_096, BIG // 2)) == whole[BIG // 2 : BIG // 2 + 4_096], 90)


@contextlib.contextmanager
def suspended(owner: ProcessStore) -> Iterator[None]:
    """The owner has no core for as long as this lasts."""
    owner.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if owner.process.poll() is None:
            owner.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def opening(path: Path, owner: ProcessStore) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who opens the file, and waits for an owner that has no core at this moment."""
    with suspended(owner):
        reader = subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: WAITS_FOR_MOUNT in Path(f"/proc/{reader.pid}/wchan").read_text())
        yield reader


def assert_refused_in_time(reader: subprocess.Popen[bytes]) -> None:
    said, complaint = reader.communicate(timeout=ERROR_WITHIN_S)
    assert reader.returncode != 0
    assert said == b""
    assert complaint


def test_who_reads_much_is_told_and_over_the_limit_refused(archived: Archived) -> None:
    (archived.files1.home / "limits.toml").write_text('read = ["/"]\nwrite = ["/"]\nrecall = 3\n')
    (archived.files1.home / "limits.toml").chmod(0o600)
    archived.archive(paths(archived))
    names = [os.fsdecode(path) for path in paths(archived)]
    with archived.recalling() as (_, heard):
        script = "import sys\nfor name in sys.argv[1:]:\n    open(name, 'rb').close()"
        done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, check=False)
        assert "Disk quota exceeded" in done.stderr
        event = heard.wait(EventNews, lambda news: news.event.code == "recall-many").event
        assert event.facts["uid"] == str(os.getuid())
        assert "python" in event.message
    assert kind_at(archived.recall) != KIND


def test_recall_brings_the_files_back_into_their_places(archived: Archived) -> None:
    before = {path: (Path(os.fsdecode(path)).read_bytes(), os.stat(path)) for path in paths(archived)}
    archived.archive(list(before))
    machine = archived.files1
    job = machine.new_job("recall", "all")
    machine.source.handle(RunRecall(job=job, ask=AskRecall(paths=(os.fsencode(archived.source),), recursive=True)))
    done = ended(machine.source_heard, job)
    assert done.state is State.SUCCEEDED, done.findings
    assert {step.code: step.count for step in done.report.steps} == {"recall": len(before)}
    for path, (content, facts) in before.items():
        assert Path(os.fsdecode(path)).read_bytes() == content
        found = os.lstat(path)
        assert (found.st_mode, found.st_uid, found.st_mtime_ns) == (facts.st_mode, facts.st_uid, facts.st_mtime_ns)
