"""The table of roles in docs/access.md is what the program has."""

from __future__ import annotations

from pathlib import Path

from holdfast.model.access import BUILTIN_ROLES, GRANTABLE, MEANINGS, WHOLE, Activity

PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def table_of_roles() -> str:
    names = list(BUILTIN_ROLES)
    lines = [f"| activity | what it is | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    for activity in (each for each in Activity if each in GRANTABLE):
        given = ("yes" if activity in BUILTIN_ROLES[name].activities else "" for name in names)
        whole = " (whole)" if activity in WHOLE else ""
        lines.append(f"| `{activity}`{whole} | {MEANINGS[activity]} | {' | '.join(given)} |")
    return "\n".join(lines)


def test_the_table_of_roles_is_right() -> None:
    assert table_of_roles() in PAGE.read_text(), f"put this into docs/access.md:\n{table_of_roles()}"
