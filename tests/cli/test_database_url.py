"""Where a Master's records are, as `master init` is told: passwords are never arguments, nor repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.setup import database_url
from holdfast.core.errors import UsageError


def test_a_password_comes_from_a_file_only(tmp_path: Path) -> None:
    url = "postgresql://me:secret-word@host/db"
    file = tmp_path / "url"
    file.write_text(url + "\n")
    assert database_url("", None) == ""
    assert database_url("postgresql://me@host/db", None) == "postgresql://me@host/db"
    assert database_url("", file) == url
    with pytest.raises(UsageError) as told:
        database_url(url, None)
    assert "--database-file" in told.value.hint
    assert "secret-word" not in told.value.message + told.value.hint


@pytest.mark.parametrize("content", [b"mysql://me:secret-word@host/db", b"\xff\xfe", b"secret-word"])
def test_what_is_no_url_of_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "url"
    file.write_bytes(content)
    for given in (file, tmp_path / "not-there"):
        with pytest.raises(UsageError) as told:
            database_url("", given)
        assert "secret-word" not in told.value.message + told.value.hint
    with pytest.raises(UsageError, match="contradict"):
        database_url("postgresql://me@host/db", file)
