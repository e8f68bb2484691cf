"""Where this node's repositories lie: backends opened as their owner, with the credentials of this machine."""

from __future__ import annotations

import socket
from pathlib import Path

from holdfast.backend.backend import Backend
from holdfast.backend.credentials import Credentials, read_credentials
from holdfast.backend.location import open_backend
from holdfast.backend.owner import Owner
from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.model.object_location import is_object_location, parse_object_location
from holdfast.model.rules import RepositoryRule
from holdfast.node.config import is_joined, load_config


class Places:
    """Opens nothing by itself. `credentials`: the folder that systemd gave this service; HOME/keys goes first."""

    def __init__(self, home: Path, *, clock: Clock, entropy: Entropy, credentials: Path | None = None) -> None:
        self._home = home
        self._clock = clock
        self._entropy = entropy
        self._folders = (home / "keys", *(() if credentials is None else (credentials,)))

    def open(self, rule: RepositoryRule) -> Backend:
        """Raises `UsageError` for a location this version does not know."""
        return open_backend(rule.location, self._owner(rule))

    def for_restic(self, rule: RepositoryRule) -> tuple[str, dict[str, str]]:
        """What stock restic takes as `-r`, and the variables it needs beside the password. Raises `StoreDenied` when there are no keys."""
        if not is_object_location(rule.location):
            return rule.location, {}
        where = parse_object_location(rule.location)
        return where.restic, {**_variables(read_credentials(self._keys(rule))), "AWS_DEFAULT_REGION": where.region}

    def _owner(self, rule: RepositoryRule) -> Owner:
        node = load_config(self._home).node if is_object_location(rule.location) or is_joined(self._home) else ""
        return Owner(
            node=node,
            hostname=socket.gethostname(),
            home=self._home / "repositories" / rule.name,
            keys=self._keys(rule),
            clock=self._clock,
            entropy=self._entropy,
        )

    def _keys(self, rule: RepositoryRule) -> tuple[Path, ...]:
        return tuple(folder / f"{rule.name}.s3" for folder in self._folders)


def _variables(keys: Credentials) -> dict[str, str]:
    found = {"AWS_ACCESS_KEY_ID": keys.access_key_id, "AWS_SECRET_ACCESS_KEY": keys.secret_access_key}
    return found | ({"AWS_SESSION_TOKEN": keys.session_token} if keys.session_token else {})
