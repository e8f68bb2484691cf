"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of this machine's Holdfast (default: $HOLDFAST_HOME).", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
