"""Free space."""

from __future__ import annotations

import shutil

import pytest

from holdfast.core.errors import NoSpace
from holdfast.host.disk import check_free, free_bytes


def test_free_bytes_agrees_with_the_system(tmp_path):
    assert abs(free_bytes(tmp_path) - shutil.disk_usage(tmp_path).free) < 1 << 30


def test_enough_is_silent_and_too_little_says_what_to_do(tmp_path):
    check_free(tmp_path, 1)
    with pytest.raises(NoSpace, match="is free on the disk") as refused:
        check_free(tmp_path, 1 << 62)
    assert str(tmp_path) in refused.value.hint
    assert refused.value.retryable
