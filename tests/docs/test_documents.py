"""What the documents say is so: links lead somewhere, examples compile, commands and options exist, tables match the program."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from holdfast.cli import exit_codes
from holdfast.cli.program import app
from holdfast.model.diagnostics import Level
from tests.compiler.test_samples import check_sample

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").glob("*.md")))
SOURCES = sorted((ROOT / "src").rglob("*.py"))
GLOBAL_OPTIONS = {"--help", "--version", "--install-completion", "--show-completion"}


def _commands() -> dict[str, set[str]]:
    """Every command as typed, with its options."""
    return {
        words: {option for parameter in leaf.params for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("-")}
        for words, leaf in _leaves("", typer.main.get_command(app))
    }


def _leaves(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Commands, those in groups of groups too."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    if words and command.invoke_without_command:
        # A group that does something by itself.
        yield words, command
    for name, each in command.commands.items():
        yield from _leaves(f"{words} {name}".strip(), each)


COMMANDS = _commands()
GROUPS = {words.rsplit(" ", count)[0] for words in COMMANDS for count in range(1, words.count(" ") + 1)}


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def _code(text: str) -> Iterator[str]:
    """Lines of code: fenced, indented, and spans in a line."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    prose = re.sub(r"^```[a-z]*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"^    (.*)$", prose, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", prose)


def _uses(text: str) -> Iterator[tuple[str, list[str]]]:
    """`holdfast COMMAND` with the options given to it."""
    for rest in re.findall(r"\bholdfast ([a-z]+\b[^;#`)\n]*)", text):
        words, *others = rest.split()
        while words in GROUPS and others and re.fullmatch(r"[a-z]+", others[0]):
            words += f" {others.pop(0)}"
        yield words, re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_in_a_page_exist(page: Path) -> None:
    for line in _code(page.read_text()):
        for words, options in _uses(line):
            assert words in COMMANDS or words in GROUPS, f"{page.name}: `holdfast {words}`"
            assert set(options) <= COMMANDS.get(words, set()) | GLOBAL_OPTIONS, f"{page.name}: `holdfast {words}` has no {options}"


def test_commands_named_in_messages_and_hints_exist() -> None:
    for source in SOURCES:
        for span in re.findall(r"`(holdfast [^`]+)`", source.read_text()):
            for words, _ in _uses(span):
                assert words in COMMANDS or words in GROUPS, f"{source.name}: `holdfast {words}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_in_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in _code(page.read_text()) for words in re.findall(r"^\s*make ((?:[a-z]+ ?)+)", line) for word in words.split()}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documents_in_a_page_compile(page: Path) -> None:
    for block in _blocks(page, "yaml"):
        outcome = check_sample(block)
        assert [each for each in outcome.diagnostics if each.level is Level.ERROR] == []
        assert outcome.compilation is not None


def test_limits_in_the_page_are_limits(tmp_path: Path) -> None:
    from holdfast.node.bounds.limits import load_limits

    (block,) = _blocks(ROOT / "docs/limits.md", "toml")
    file = tmp_path / "limits.toml"
    file.write_text(block)
    file.chmod(0o600)
    limits = load_limits(tmp_path)
    assert limits is not None
    assert tomllib.loads(block).keys() == {"read", "write", "hooks", "spool", "recall", "downloads", "vault"}


def test_the_page_of_the_command_line_names_every_command_and_option() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    named = {words for words, _ in _uses("\n".join(_code(text)))}
    assert {words for words in COMMANDS if words not in named} == set()
    spelled = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))
    assert {option for options in COMMANDS.values() for option in options} - spelled == set()


def test_the_page_of_the_command_line_has_the_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| ", (ROOT / "docs/cli.md").read_text(), re.MULTILINE)
    used = {exit_codes.exit_code_of(code) for code in exit_codes.CODES} | {exit_codes.OK, exit_codes.WARNINGS, exit_codes.FAILED}
    assert [int(row) for row in rows] == sorted(used)


def test_the_map_of_the_tests_is_right() -> None:
    text = (ROOT / "tests/README.md").read_text()
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    packages = {path.name for path in (ROOT / "src/holdfast").iterdir() if path.is_dir()}
    explained = set(re.findall(r"^\| `([a-z0-9_]+)/` ", text, re.MULTILINE))
    assert folders - packages - explained == set()
    assert explained <= folders


def test_every_decision_is_named_by_its_number() -> None:
    """One may be missing: who worked on it came to no decision."""
    numbers = [int(page.name[:4]) for page in (ROOT / "docs/decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))


def test_commands_and_calls_shown_in_the_console_exist() -> None:
    calls = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", (ROOT / "docs/api.md").read_text()))
    known = [re.compile(re.sub(r"\\\{\w+\\\}", "[^/?]+", re.escape(call)) + r"(\?.*)?$") for call in calls]
    for screen in sorted((ROOT / "console/src").rglob("*.tsx")):
        text = screen.read_text()
        # What a name is put into in place of `${...}` does not matter here.
        spans = [re.sub(r"\$\{.*?\}", "X", span[1:-1]) for span in re.findall(r"\"[^\"\n]*\"|`[^`\n]*`", text)]
        for words, options in (use for span in spans if span.startswith("holdfast ") for use in _uses(span)):
            assert words in COMMANDS or words in GROUPS, f"{screen.name}: `holdfast {words}`"
            assert set(options) <= COMMANDS.get(words, set()) | GLOBAL_OPTIONS, f"{screen.name}: `holdfast {words}` has no {options}"
        for method, path in (found.groups() for span in spans if (found := re.match(r"(GET|POST|PUT|DELETE) /api/v1(/\S*)$", span))):
            # An X at the end may stand for a query.
            assert any(each.match(f"{method} {path}") or each.match(f"{method} {path.removesuffix('X')}") for each in known), (
                f"{screen.name}: {path}"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_are_those_of_the_script_light_and_dark(page: Path) -> None:
    taken = set(re.findall(r'^    "(\w+)": "/', (ROOT / "scripts/screenshots").read_text(), re.MULTILINE)) | {"monitor"}
    shown = set(re.findall(r'(?:src|srcset)="([^":]+)"', page.read_text()))
    assert {re.sub(r"-(light|dark)\.png$", "", Path(name).name) for name in shown} <= taken
    assert {name.replace("-light.png", "-dark.png") for name in shown} <= shown
    assert not (ROOT / "docs/images").is_dir() or all((page.parent / name).is_file() for name in shown)
