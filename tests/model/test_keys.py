"""Values about keys: what a password may be, what `status` says of kits, and that nothing printed holds a password."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.core.errors import UsageError
from holdfast.model.jobs import Severity
from holdfast.model.keys import AskKeyAdd, AskKeyRestore, KeySlot, Kit, KitState, check_password, kit_findings


@pytest.mark.parametrize("password", ["correct horse", "zwölf Zeichen", "x" * 1024, "7K3MQ-7K3MQ-7K3MQ"])
def test_passwords_that_a_slot_takes(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "0 characters"),
        ("elevenchars", "11 characters"),
        ("x" * 1025, "1025 characters"),
        (" correct horse", "white space"),
        ("correct horse\n", "white space"),
        ("correct horse\u3000", "white space"),
        ("correct\nhorse staple", "cannot be typed"),
        ("correct\0horse staple", "cannot be typed"),
        ("correct horse \ud800", "cannot be typed"),
    ],
)
def test_passwords_that_could_not_be_given_back_are_refused(password: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_password(password)


def test_findings_stand_until_a_kit_is_kept() -> None:
    found = kit_findings([("a", KitState.NEVER), ("b", KitState.MADE), ("c", KitState.ACKNOWLEDGED), ("d", None)])
    assert [(finding.code, finding.severity) for finding in found] == [("kit-missing", Severity.WARNING)] * 2
    assert [finding.path for finding in found] == ["a", "b"]
    assert "`holdfast repository key kit a` makes one" in found[0].message
    assert "`holdfast repository key kit b --acknowledge`" in found[1].message


def test_no_message_shows_its_secret_when_printed() -> None:
    secret = "correct horse"
    slot = KeySlot(id="a" * 64)
    for message in (
        AskKeyAdd(repository="main", password=secret),
        AskKeyRestore(repository="main", password=secret),
        Kit(repository="main", repository_id="r", location="/srv", node="vault", slot=slot, code=secret),
    ):
        assert secret.encode() in msgspec.json.encode(message)
        assert secret not in f"{message!r} {message}"
