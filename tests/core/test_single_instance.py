"""Only one at a time: the second is refused, and the lock ends with its holder."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import Conflict
from holdfast.core.single_instance import is_held, only_one


def test_the_second_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not is_held(lock)
    with only_one(lock, "it runs already", hint="stop it"):
        assert is_held(lock)
        with pytest.raises(Conflict, match="it runs already"), only_one(lock, "it runs already", hint="stop it"):
            raise AssertionError("never reached")
        assert is_held(lock)
    assert not is_held(lock)
    with only_one(lock, "it runs already", hint="stop it"):
        pass


def test_a_holder_that_fails_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_one(tmp_path / "lock", "taken", hint="wait"):
        raise ZeroDivisionError
    assert not is_held(tmp_path / "lock")
