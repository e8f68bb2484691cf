"""inotify, against the suites and at its limits."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.core.errors import WatchLimited
from holdfast.host.watch import Means, Reason, Shortfall, open_watch
from holdfast.testing.watch_mounts_suite import WatchMountsSuite
from holdfast.testing.watch_suite import covers, gaps_of


class TestInotify(WatchMountsSuite):
    means = Means.INOTIFY

    def test_more_folders_than_may_be_watched(self, root: Path) -> None:
        with pytest.raises(WatchLimited) as caught:
            open_watch(replace(self.request(root), most_folders=3))
        assert "max_user_watches" in caught.value.hint

    def test_more_folders_than_may_be_watched_while_it_works(self, root: Path) -> None:
        """It ends, and the taker learns it: a scan is better than a watch that sees half."""
        with self.watching(replace(self.request(root), most_folders=7)) as scene:
            scene.check()
            (root / "many/more/folders").mkdir(parents=True)
            with pytest.raises(WatchLimited):
                scene.watch.sync(60)
            with pytest.raises(WatchLimited):
                scene.watch.take(0)

    def test_a_queue_that_overflows_is_a_gap_and_healed(self, root: Path) -> None:
        bound = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if bound > 100_000:
            pytest.skip(f"a queue of {bound} events is not filled in a moment")
        # The pause that lets events merge, made so long that the queue is not read before `sync`.
        with self.watching(replace(self.request(root), lull_s=100.0)) as scene:
            os.rename(root / "a/deep", root / "a/deeper")
            for number in range(bound // 2 + 2):
                os.chmod(root / "a", 0o700 + number % 2)
                os.chmod(root / "b", 0o700 + number % 2)
            os.rename(root / "a/deeper", root / "b/deep")
            (root / "b/deep/new").mkdir()
            assert gaps_of(scene.check()) == [(os.fsencode(root), Reason.OVERFLOW)]
            (root / "b/deep/new/later").write_bytes(b"x")
            assert covers(scene.check(), root / "b/deep/new/later")

    def test_it_says_what_it_does_not_see(self, root: Path) -> None:
        with self.watching(self.request(root)) as scene:
            (coverage,) = scene.watch.coverage()
        assert coverage.means is Means.INOTIFY
        assert coverage.shortfalls == {Shortfall.NOT_CHOSEN, Shortfall.NO_ONE_KNOWN, Shortfall.OTHER_NAMES}
