"""Any edits in any order, looked at after any of them: who looks only where the facts say knows the true tree."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import WatchUnavailable
from holdfast.host.watch import Means, WatchRequest, open_watch
from holdfast.testing.random_edits import RandomEdits
from holdfast.testing.watch_suite import WatchScene


@pytest.mark.parametrize("means", Means)
@given(random=st.randoms(use_true_random=True), rounds=st.integers(1, 4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_the_follower_knows_the_truth(means: Means, random: Random, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        inside, outside = Path(place, "in"), Path(place, "out")
        (inside / "b").mkdir(parents=True)
        outside.mkdir()
        # By inotify a write through a name that is gone again cannot be placed: a shortfall that it declares.
        edits = RandomEdits(random, inside, outside, hard_links=means is Means.FANOTIFY)
        done = [edits.once() for _ in range(20)]
        request = WatchRequest(roots=(os.fsencode(inside),), cuts=(os.fsencode(inside / "b/c"),), only=means)
        try:
            watch = open_watch(request)
        except WatchUnavailable as error:
            pytest.skip(f"{means.value} does not work here: {error.message}")
        with watch:
            scene = WatchScene(watch)
            for _ in range(rounds):
                for _ in range(random.randrange(40)):
                    done.append(edits.once())
                    if random.random() < 0.1:
                        scene.tree.apply(watch.take(0))
                scene.check()


@pytest.mark.parametrize("means", Means)
def test_edits_while_somebody_looks_all_the_time(means: Means, tmp_path: Path) -> None:
    """What is read of the kernel and looked at on the disk belongs to different moments then."""
    (tmp_path / "in/b").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    request = WatchRequest(roots=(os.fsencode(tmp_path / "in"),), cuts=(os.fsencode(tmp_path / "in/b/c"),), only=means, lull_s=0.0)
    try:
        watch = open_watch(request)
    except WatchUnavailable as error:
        pytest.skip(f"{means.value} does not work here: {error.message}")
    with watch:
        scene = WatchScene(watch)
        for seed in range(4):
            edits = RandomEdits(Random(seed), tmp_path / "in", tmp_path / "out", hard_links=means is Means.FANOTIFY)
            editor = Thread(target=lambda edits=edits: [edits.once() for _ in range(300)])
            editor.start()
            while editor.is_alive():
                scene.tree.apply(watch.take(0.01))
            editor.join()
            scene.check()
