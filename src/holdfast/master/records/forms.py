"""The form of the tables: which there have been, which they have, and from one to another.

Alembic makes the changes. It is loaded only where there is one to make: loading it takes half a second of processor time, and nearly no
start of a Master has any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect, text

from holdfast.core.errors import Refused

MIGRATIONS = Path(__file__).parent / "migrations"
FORM_TABLE = "alembic_version"


def forms() -> tuple[str, ...]:
    """All that this version knows, oldest first (`0001`): the names of the migrations begin with them."""
    return tuple(sorted(path.name[1:5] for path in (MIGRATIONS / "versions").glob("m????_*.py")))


def form_of(connection: Connection) -> str:
    """That of the tables there; empty = there are none."""
    has_any = inspect(connection).has_table(FORM_TABLE)
    return (connection.scalar(text(f"SELECT version_num FROM {FORM_TABLE}")) if has_any else None) or ""


def check_form(form: str) -> None:
    """Raises `Refused` where only a newer version knows it."""
    if form and form not in forms():
        raise Refused(
            f"the Master's records are those of a newer Holdfast: they have form {form}, and this one knows them up to {forms()[-1]}",
            hint="install that version again, or restore with this one the export from before the upgrade (docs/master-backup.md)",
        )


def change_form(connection: Connection, direction: Literal["upgrade", "downgrade"], to: str) -> None:
    """`to`: a form, `head` or `base`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    (command.upgrade if direction == "upgrade" else command.downgrade)(config, to)
