"""Capture by scan: what is captured, what is not read again, and what receivers hear of it."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from holdfast.capture.ports import CaptureRequest
from holdfast.core.errors import Cancelled, Conflict, NoSpace, UsageError
from holdfast.model.change import RemoveReason
from holdfast.model.entry import Kind
from holdfast.model.jobs import Severity


def _hostile(source: Path) -> None:
    base = os.fsencode(source)
    (source / "plain").write_bytes(b"plain")
    (source / "empty").write_bytes(b"")
    (source / "empty folder").mkdir()
    (source / "new\nline").write_bytes(b"newline")
    Path(os.fsdecode(base + b"/not-utf8-\xff\xfe")).write_bytes(b"bytes")
    (source / ("n" * 255)).write_bytes(b"long")
    deep = source
    for level in range(40):
        deep = deep / f"level{level}"
        deep.mkdir()
    (deep / "bottom").write_bytes(b"bottom")
    os.symlink("nowhere", source / "dangling")
    os.symlink("loop", source / "loop")
    os.symlink(b"target-\xff", base + b"/raw-link")
    os.mkfifo(source / "fifo")
    os.mknod(source / "null", 0o20666, os.makedev(1, 3))
    os.mknod(source / "disk", 0o60660, os.makedev(7, 99))
    os.link(source / "plain", source / "plain-again")
    (source / "set-uid").write_bytes(b"x")
    os.chmod(source / "set-uid", 0o4755)
    os.utime(source / "empty", ns=(1, 1_234_567_891_123_456_789))
    with (source / "sparse").open("wb") as file:
        file.seek(20 << 20)
        file.write(b"end")
        file.truncate(40 << 20)
    os.setxattr(source / "plain", "user.colour", b"b\x00lue")
    subprocess.run(["setfacl", "-m", "u:1234:r", source / "set-uid"], check=True)


def test_everything_linux_has(machine):
    _hostile(machine.source)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(machine.source / "socket"))
        docs = machine.dataset()
        result = machine.run(docs)
    assert machine.below(docs) == machine.facts()
    at = {path.rsplit(b"/", 1)[1]: entry for path, entry in docs.tree.items() if path.startswith(machine.root + b"/")}
    assert at[b"plain"].links == 2
    assert at[b"plain"].inode == at[b"plain-again"].inode
    assert [(x.name, x.value) for x in at[b"plain"].xattrs] == [(b"user.colour", b"b\x00lue")]
    assert b"system.posix_acl_access" in [x.name for x in at[b"set-uid"].xattrs]
    assert at[b"null"].device_number == os.makedev(1, 3)
    assert at[b"sparse"].holes
    assert at[b"sparse"].size_bytes == 40 << 20
    assert at[b"plain"].user == "root"
    assert [finding.code for finding in result.findings] == ["socket-skipped"]
    assert result.findings[0].severity is Severity.INFO
    assert result.totals[docs.dataset].warnings == 0
    # Hard links and holes are not read: only what is really there, once.
    assert result.counters.read_bytes < 200_000


def test_parents_of_the_root_are_folders_of_the_dataset(machine):
    docs = machine.dataset()
    machine.run(docs)
    assert docs.tree[b"/"].kind is Kind.DIRECTORY
    assert docs.tree[os.fsencode(machine.source.parent)].kind is Kind.DIRECTORY
    assert os.fsencode(machine.home) not in docs.tree


def test_unchanged_files_are_not_opened_again(machine):
    for number in range(20):
        (machine.source / f"f{number}").write_bytes(os.urandom(1000))
    docs = machine.dataset()
    first = machine.run(docs)
    assert machine.last.reader.opened == 20
    assert first.counters.read_bytes == 20_000
    assert first.totals[docs.dataset].files == 20
    assert first.totals[docs.dataset].size_bytes == 20_000
    second = machine.run(docs)
    assert machine.last.reader.opened == 0
    assert second.counters.read_bytes == 0
    assert machine.puts(docs) == 0
    assert second.totals == first.totals


def test_links_are_no_files_whether_they_changed_or_not(machine):
    """As a point counts: its run and the point say the same."""
    (machine.source / "one").write_bytes(b"1")
    os.symlink("one", machine.source / "link")
    docs = machine.dataset()
    first, second = machine.run(docs), machine.run(docs)
    assert [run.counters.files for run in (first, second)] == [1, 1]
    assert second.totals[docs.dataset].files == 1


def test_a_suspect_file_is_read_again_but_not_sent_again(machine):
    # Behind, so that it is suspect however long the machine takes to come to it.
    machine.clock.ahead_ns = -1_000_000_000
    (machine.source / "fresh").write_bytes(b"fresh")
    docs = machine.dataset()
    machine.run(docs)
    machine.clock.ahead_ns = 1_000_000_000
    machine.run(docs)
    assert machine.last.reader.opened == 1
    assert machine.puts(docs) == 0
    machine.run(docs)
    assert machine.last.reader.opened == 0


def test_changes_of_every_sort(machine):
    source = machine.source
    for name in ("stays", "grows", "goes", "mode", "becomes-folder"):
        (source / name).write_bytes(name.encode())
    (source / "folder/sub").mkdir(parents=True)
    (source / "folder/sub/file").write_bytes(b"x")
    (source / "becomes-file").mkdir()
    (source / "becomes-file/below").write_bytes(b"y")
    docs = machine.dataset()
    machine.run(docs)
    (source / "grows").write_bytes(b"much longer")
    (source / "goes").unlink()
    (source / "mode").chmod(0o600)
    (source / "becomes-folder").unlink()
    (source / "becomes-folder").mkdir()
    (source / "becomes-folder/new").write_bytes(b"z")
    (source / "becomes-file/below").unlink()
    (source / "becomes-file").rmdir()
    (source / "becomes-file").write_bytes(b"now a file")
    (source / "folder").rename(source / "renamed")
    result = machine.run(docs)
    assert machine.below(docs) == machine.facts()
    gone = {path[len(machine.root) :] for path in docs.removed}
    assert gone == {b"/goes", b"/becomes-file/below", b"/folder", b"/folder/sub", b"/folder/sub/file"}
    assert result.counters.removed == 5
    assert all(change.reason is RemoveReason.REMOVED for change in docs.removed.values())


def test_receivers_at_different_places_in_one_walk(machine):
    (machine.source / "a").write_bytes(b"1")
    (machine.source / "b").write_bytes(b"1")
    quick, slow, new = machine.dataset(), machine.dataset(), machine.dataset()
    machine.run(quick, slow)
    (machine.source / "a").write_bytes(b"22")
    (machine.source / "b").unlink()
    machine.run(quick)
    (machine.source / "c").write_bytes(b"333")
    machine.run(quick, slow, new)
    assert machine.below(quick) == machine.below(slow) == machine.below(new) == machine.facts()
    assert list(slow.removed) == [machine.root + b"/b"]
    assert not quick.removed


def test_catch_up_reads_only_what_is_asked_for(machine):
    (machine.source / "a").write_bytes(b"a" * 1000)
    (machine.source / "big").write_bytes(random.Random(1).randbytes(20 << 20))
    docs, late = machine.dataset(), machine.dataset()
    machine.run(docs)
    (machine.source / "unseen").write_bytes(b"not in this run")
    result = machine.run(late, scan=False)
    assert machine.last.run == docs.seq == late.seq
    assert machine.below(late) == machine.below(docs)
    assert result.counters.read_bytes == 1000 + (20 << 20)
    assert machine.last.reader.opened == 0
    again = machine.dataset()
    again.chunks = docs.chunks
    assert machine.run(again, scan=False).counters.read_bytes == 0
    assert machine.below(again) == machine.below(docs)


def test_a_withdrawn_chunk_is_captured_and_sent_next_time(machine):
    path = machine.source / "a"
    path.write_bytes(b"first")
    docs, late = machine.dataset(), machine.dataset()
    machine.run(docs)
    path.write_bytes(b"other")
    machine.run(late, scan=False)
    assert late.withdrawn
    assert os.fsencode(path) not in late.tree
    machine.run(docs, late)
    assert machine.below(late) == machine.below(docs) == machine.facts()


def test_withdrawn_by_one_file_is_given_by_its_twin(machine):
    (machine.source / "a").write_bytes(b"same")
    (machine.source / "b").write_bytes(b"same")
    docs, late = machine.dataset(), machine.dataset()
    machine.run(docs)
    (machine.source / "a").write_bytes(b"changed")
    machine.run(late, scan=False)
    assert not late.withdrawn
    assert late.content(os.fsencode(machine.source / "b")) == b"same"


def test_a_withdrawn_version_is_sent_again_even_if_it_looks_the_same(machine):
    path = machine.source / "a"
    path.write_bytes(b"first")
    docs = machine.dataset()
    machine.run(docs)
    machine.state.mark_withdrawn(os.fsencode(path))
    machine.run(docs)
    assert machine.puts(docs) == 1
    machine.run(docs)
    assert machine.puts(docs) == 0


def test_overlapping_datasets_are_read_once(machine):
    (machine.source / "in").mkdir()
    for number in range(10):
        (machine.source / "in" / f"f{number}").write_bytes(os.urandom(500))
        (machine.source / f"o{number}").write_bytes(os.urandom(500))
    whole, part = machine.dataset("whole"), machine.dataset("part", machine.source / "in")
    result = machine.run(whole, part)
    assert result.counters.read_bytes == 10_000
    assert machine.below(whole) == machine.facts()
    assert result.totals[part.dataset].files == 10
    assert {path for path in part.tree if path.startswith(machine.root)} == {
        machine.root,
        machine.root + b"/in",
        *(machine.root + b"/in/f%d" % number for number in range(10)),
    }
    # A third dataset over the same files later: rows are there, nothing is opened to find out.
    third = machine.dataset("third", machine.source / "in")
    third.chunks = dict(whole.chunks)
    assert machine.run(third).counters.read_bytes == 0
    assert machine.last.reader.opened == 0
    assert len([p for p in third.tree if b"/f" in p[len(machine.root) :]]) == 10


def test_one_dataset_captures_what_the_other_excludes(machine):
    (machine.source / "in/deep").mkdir(parents=True)
    (machine.source / "in/deep/f").write_bytes(b"f")
    (machine.source / "in/other").write_bytes(b"o")
    whole = machine.dataset("whole", exclude=("in/",))
    part = machine.dataset("part", machine.source / "in/deep")
    machine.run(whole, part)
    assert machine.root + b"/in" not in whole.tree
    assert machine.root + b"/in/deep/f" in part.tree
    assert machine.root + b"/in" in part.tree
    assert machine.root + b"/in/other" not in part.tree


def test_a_path_that_leaves_the_classification_has_left(machine):
    (machine.source / "cache").mkdir()
    (machine.source / "cache/x").write_bytes(b"x")
    (machine.source / "keep").write_bytes(b"k")
    docs = machine.dataset()
    machine.run(docs)
    machine.dataset("docs", exclude=("cache/",))
    result = machine.run(docs)
    assert {p[len(machine.root) :]: r.reason for p, r in docs.removed.items()} == {
        b"/cache": RemoveReason.LEFT,
        b"/cache/x": RemoveReason.LEFT,
    }
    assert result.counters.removed == 0
    machine.dataset("docs")
    machine.run(docs)
    assert machine.last.reader.opened == 0
    assert machine.below(docs) == machine.facts()


def test_a_root_that_leaves_the_classification_has_left(machine):
    for name in ("one", "two"):
        (machine.source / name).mkdir()
        (machine.source / name / "f").write_bytes(name.encode())
    docs = machine.dataset("docs", machine.source / "one", machine.source / "two")
    machine.run(docs)
    machine.dataset("docs", machine.source / "two")
    machine.run(docs)
    assert {p[len(machine.root) :] for p in docs.removed} == {b"/one", b"/one/f"}
    assert all(change.reason is RemoveReason.LEFT for change in docs.removed.values())


def test_only_folders_that_lead_to_a_match(machine):
    for name in ("a/b/yes.txt", "a/c/no.bin", "d/no.bin", "e/yes.txt"):
        (machine.source / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.source / name).write_bytes(b"x")
    docs = machine.dataset(include=("*.txt",))
    machine.run(docs)
    below = {path[len(machine.root) :] for path in machine.below(docs)}
    assert below == {b"", b"/a", b"/a/b", b"/a/b/yes.txt", b"/e", b"/e/yes.txt"}
    (machine.source / "d/yes.txt").write_bytes(b"x")
    (machine.source / "e/yes.txt").unlink()
    machine.run(docs)
    below = {path[len(machine.root) :] for path in machine.below(docs)}
    assert below == {b"", b"/a", b"/a/b", b"/a/b/yes.txt", b"/d", b"/d/yes.txt"}


def test_cache_folders_keep_only_their_tag(machine):
    cache = machine.source / "cache"
    cache.mkdir()
    (cache / "CACHEDIR.TAG").write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    (cache / "data").write_bytes(b"x")
    (machine.source / "false").mkdir()
    (machine.source / "false/CACHEDIR.TAG").write_bytes(b"nothing")
    (machine.source / "false/data").write_bytes(b"x")
    docs = machine.dataset()
    machine.run(docs)
    below = {path[len(machine.root) :] for path in machine.below(docs)}
    assert below == {b"", b"/cache", b"/cache/CACHEDIR.TAG", b"/false", b"/false/CACHEDIR.TAG", b"/false/data"}
    machine.run(docs)
    assert machine.puts(docs) == 0
    assert not docs.removed


def test_excluded_paths_by_name_and_by_inode(machine):
    store = machine.source / "store"
    store.mkdir()
    (store / "pack").write_bytes(b"p")
    (machine.source / "kept").write_bytes(b"k")
    alias = machine.source.parent / "alias"
    alias.symlink_to(store)
    for excluded in (store, alias):
        docs = machine.dataset("docs" + excluded.name, exclude_paths=(str(excluded),))
        machine.run(docs)
        assert {path[len(machine.root) :] for path in machine.below(docs)} == {b"", b"/kept"}


def test_the_state_never_captures_itself(machine):
    docs = machine.dataset("docs", machine.home)
    (machine.home / "node.db").write_bytes(b"n")
    machine.run(docs)
    home = os.fsencode(machine.home)
    assert {path for path in docs.tree if path.startswith(home + b"/")} == {home + b"/node.db"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_an_unreadable_file_keeps_its_last_version(machine, monkeypatch):
    (machine.source / "a").write_bytes(b"first")
    (machine.source / "b").write_bytes(b"b")
    docs = machine.dataset()
    machine.run(docs)
    (machine.source / "a").write_bytes(b"second")
    really_open = os.open

    def refusing(path, *rest, **named):
        if isinstance(path, bytes) and path.endswith(b"/a"):
            raise PermissionError(13, "Permission denied")
        return really_open(path, *rest, **named)

    monkeypatch.setattr(os, "open", refusing)
    result = machine.run(docs)
    monkeypatch.undo()
    assert [finding.code for finding in result.findings] == ["unreadable"]
    assert result.totals[docs.dataset].warnings == 1
    assert docs.content(os.fsencode(machine.source / "a")) == b"first"
    assert not docs.removed
    machine.run(docs)
    assert machine.below(docs) == machine.facts()


def test_an_unreadable_folder_keeps_what_was_below(machine, monkeypatch):
    (machine.source / "dir").mkdir()
    (machine.source / "dir/a").write_bytes(b"a")
    docs = machine.dataset()
    machine.run(docs)
    really_scan = os.scandir

    def refusing(path):
        if path.endswith(b"/dir"):
            raise PermissionError(13, "Permission denied")
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    result = machine.run(docs)
    assert [finding.code for finding in result.findings] == ["unreadable"]
    assert not docs.removed
    assert machine.below(docs) == machine.facts()


def test_leaving_early_loses_nothing(machine):
    for number in range(30):
        (machine.source / f"f{number}").write_bytes(os.urandom(1 << 20))
    docs = machine.dataset()
    run = machine.capture.run(CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None}))
    next(iter(run))
    with pytest.raises(UsageError):
        run.result()
    machine.run(docs)
    assert machine.below(docs) == machine.facts()


def test_one_run_at_a_time(machine):
    for number in range(30):
        (machine.source / f"f{number}").write_bytes(os.urandom(1 << 20))
    docs = machine.dataset()
    request = CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None})
    first = iter(machine.capture.run(request))
    next(first)
    with pytest.raises(Conflict):
        next(iter(machine.capture.run(request)))
    first.close()


def test_cancelled_and_progress(machine):
    (machine.source / "a").write_bytes(b"a")
    docs = machine.dataset()
    request = CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None})
    with pytest.raises(Cancelled):
        list(machine.capture.run(request, cancelled=lambda: True))
    machine.run(docs)
    seen: list[tuple[str, int, int, int]] = []
    list(machine.capture.run(request, on_progress=lambda *facts: seen.append(facts)))
    assert seen[0][0] == "scan"


def test_a_first_run_sends_before_it_knows_how_much_there_is(machine):
    for number in range(8):
        folder = machine.source / f"f{number}"
        folder.mkdir()
        (folder / "a").write_bytes(os.urandom(5 << 20))
    docs = machine.dataset()
    run = machine.capture.run(CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None}))
    rounds = iter(run)
    docs.begin(None)
    docs.take(next(rounds))
    assert run.expected_bytes(docs.dataset, None) is None
    for round_ in rounds:
        docs.take(round_)
    assert run.expected_bytes(docs.dataset, None) == 8 * (5 << 20)
    docs.commit(run.run)
    assert machine.below(docs) == machine.facts()


def test_low_disk_stops_before_it_is_full(machine):
    from holdfast.capture.scan import Capture

    docs = machine.dataset()
    capture = Capture(machine.state, clock=machine.clock, home_reserve_bytes=1 << 60)
    with pytest.raises(NoSpace) as refused:
        capture.run(CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None}))
    assert refused.value.hint


def test_payloads_from_many_threads_compress_once(machine):
    (machine.source / "a").write_bytes(b"x" * 100_000)
    (machine.source / "noise").write_bytes(os.urandom(100_000))
    docs = machine.dataset()
    rounds = list(machine.capture.run(CaptureRequest((machine.rules[docs.dataset],), {docs.dataset: None})))
    outgoing = rounds[0][docs.dataset]
    ids = [ref.id for ref in outgoing.segment.offered]
    answers: list[list[object]] = []
    threads = [threading.Thread(target=lambda: answers.append(list(outgoing.chunks.payloads(ids, "auto")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [payload.compressed for payload in answers[0]] == [True, False]
    assert all(one[0].data is answers[0][0].data for one in answers)
    assert not next(iter(outgoing.chunks.payloads(ids[:1], "off"))).compressed
    assert next(iter(outgoing.chunks.payloads(ids[:1], "max"))).compressed
