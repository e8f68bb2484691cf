"""Which home a command works in, and the session kept there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from holdfast.core.errors import NotAuthenticated, UsageError
from holdfast.core.private_files import make_private_folder, write_private


@dataclass(frozen=True, kw_only=True)
class Session:
    """How to reach and trust a Master. `ca_pem` is its authority's certificate, `token` a bearer token."""

    url: str
    ca_pem: str
    token: str


def resolve_home(option: Path | None) -> Path:
    """`--home`, else `$HOLDFAST_HOME`, else `/var/lib/holdfast` for root and `~/.local/share/holdfast` for others. Absolute."""
    chosen = option or (Path(os.environ["HOLDFAST_HOME"]) if os.environ.get("HOLDFAST_HOME") else None)
    if chosen is None:
        chosen = Path("/var/lib/holdfast") if os.geteuid() == 0 else Path.home() / ".local/share/holdfast"
    return chosen.expanduser().absolute()


def session_file(home: Path) -> Path:
    return home / "client.json"


def has_session(home: Path) -> bool:
    return session_file(home).is_file()


def load_session(home: Path) -> Session:
    import msgspec

    from holdfast.model.decoding import UNREADABLE_FILE

    path = session_file(home)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Session)
    except FileNotFoundError:
        raise NotAuthenticated(
            f"not logged in: {path} does not exist",
            hint="set HOLDFAST_HOME to the folder given to `holdfast up --home`, or run `holdfast login URL`",
        ) from None
    except UNREADABLE_FILE as error:
        raise UsageError(f"{path} is not a session file: {error}", hint="remove it and run `holdfast login URL` again") from None


def save_session(home: Path, session: Session) -> None:
    """Written whole or not at all, readable by its owner only."""
    import msgspec

    make_private_folder(home)
    write_private(session_file(home), msgspec.json.encode(session))
