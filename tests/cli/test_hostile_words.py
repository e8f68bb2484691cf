"""Names and messages from outside reach people's terminals; what is in them must be read, never obeyed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.cli.commands.look import print_rows
from holdfast.cli.commands.run import print_job_problems
from holdfast.cli.output import harmless, one_line, print_error, print_json, print_table, say
from holdfast.core.errors import ErrorFacts

EVIL = "a\x1b]0;owned\x07\x1b[2J\r\x9b31m\x7f\u202egpj.exe\nroot: succeeded"
ROW = {"kind": "file", "mode": 0o644, "size_bytes": 1, "mtime_ns": 0, "path": EVIL, "user": EVIL, "group": EVIL, "link_target": EVIL}


def is_harmless(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize(
    "show",
    [
        lambda: say(EVIL),
        lambda: print_error(ErrorFacts("internal", EVIL, EVIL)),
        lambda: print_table(["NAME"], [[EVIL]]),
        lambda: print_rows([ROW], False, True),
        lambda: print_rows([ROW], True, True),
        lambda: print_json({EVIL: [EVIL, "\ud800"]}),
        lambda: print_job_problems({"rule": EVIL, "error": {"code": "x", "message": EVIL, "hint": EVIL}, "findings": [], "id": "f" * 32}),
    ],
)
def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str], show: object) -> None:
    show()  # type: ignore[operator]
    out, err = capsys.readouterr()
    assert out + err
    assert is_harmless(out + err)


def test_a_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME"], [[EVIL]])
    print_rows([ROW], False, False)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_json_says_exactly_what_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": EVIL, "plain": "grün 日本"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": EVIL, "plain": "grün 日本"}
    assert "grün 日本" in out


@settings(max_examples=50)
@given(st.text())
def test_readable_text_stays(text: str) -> None:
    assert is_harmless(harmless(text))
    assert one_line(text).isprintable()
    if text.isprintable():
        assert harmless(text) == text
