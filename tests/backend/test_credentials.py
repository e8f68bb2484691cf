"""The keys of an object store: read from private files only, and never repeated in an error."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.backend.credentials import Credentials, read_credentials
from holdfast.core.errors import StoreDenied

WHOLE = Credentials("AK", "s3cr3t/+=")


def written(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.touch()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "access_key_id=AK\nsecret_access_key=s3cr3t/+=\n",
        "# of the office\nAWS_ACCESS_KEY_ID = AK\nexport AWS_SECRET_ACCESS_KEY='s3cr3t/+='\n",
        "[default]\naws_access_key_id = AK\naws_secret_access_key = s3cr3t/+=\n",
        json.dumps({"access_key_id": "AK", "secret_access_key": "s3cr3t/+="}),
    ],
)
def test_the_ways_to_write_them(tmp_path: Path, content: str) -> None:
    assert read_credentials([tmp_path / "absent", written(tmp_path / "main.s3", content)]) == WHOLE


def test_token_and_endpoint(tmp_path: Path) -> None:
    content = "access_key_id=AK\nsecret_access_key=s3cr3t/+=\nsession_token=t\nendpoint=https://s3.example.net\n"
    found = read_credentials([written(tmp_path / "main.s3", content)])
    assert found == Credentials("AK", "s3cr3t/+=", "t", "https://s3.example.net")
    assert "s3cr3t" not in repr(found)
    assert "'t'" not in repr(found)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "main.s3", "access_key_id=AK\nsecret_access_key=s3cr3t/+=\n", mode)
    with pytest.raises(StoreDenied, match="read by others") as caught:
        read_credentials([path])
    assert "chmod 600" in caught.value.hint


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreDenied, match=r"main\.s3 is not there") as caught:
        read_credentials([tmp_path / "main.s3", tmp_path / "other"])
    assert "0600" in caught.value.hint
    (tmp_path / "main.s3").mkdir()
    with pytest.raises(StoreDenied):
        read_credentials([tmp_path / "main.s3"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "s3cr3t",
        "access_key_id=AK",
        "access_key_id=AK\nsecret_access_key=\n",
        "access_key_id=AK\naccess_key_id=s3cr3t\nsecret_access_key=x",
        "access_key_id=AK\nsecret_access_key=s3cr3t\ncolour=s3cr3t",
        '{"access_key_id": "AK", "secret_access_key": "s3cr3t"',
        '{"access_key_id": "AK", "secret_access_key": 7}',
        '["s3cr3t"]',
        b"\xff\xfes3cr3t",
        "access_key_id=AK\nsecret_access_key=" + "s3cr3t" * 10_000,
        '{"a":' * 3000,
    ],
)
def test_what_is_not_understood_is_refused_without_repeating_it(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(StoreDenied) as caught:
        read_credentials([written(tmp_path / "main.s3", content)])
    told, cause = f"{caught.value.message} {caught.value.hint}", caught.value.__cause__
    assert "s3cr3t" not in told
    assert cause is None or "s3cr3t" not in str(cause)
    assert caught.value.hint


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_content_gives_keys_or_a_typed_error(tmp_path: Path, content: bytes) -> None:
    with suppress(StoreDenied):
        assert read_credentials([written(tmp_path / "main.s3", content)]).secret_access_key
