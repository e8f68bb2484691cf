"""A certified OpenID provider (npm `oidc-provider`) as a process, and a browser that goes there and comes back."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.core.clock import SystemClock
from holdfast.master.directory_settings import GroupRole, OidcDirectory
from holdfast.wire.authority import Authority
from holdfast.wire.identity import save_credentials
from tests.ports import first_of_a_row

HERE = Path(__file__).parent
SECRET = "a secret of & for % tests"
RETURN = "https://master.test:7440/sign-in/return"
ACCOUNTS: dict[str, dict[str, Any]] = {
    "s-eva": {"preferred_username": "Eva", "groups": ["Backup-Admins", "people"], "email": "eva@example.net", "email_verified": True},
    "s-max": {"preferred_username": "max", "groups": ["people"], "email": "max@example.net", "email_verified": False},
    "s-imp": {"preferred_username": "admin", "groups": ["backup-admins"]},
    "s-odd": {"preferred_username": "../etc", "groups": ["backup-admins"]},
}


@dataclass
class RealProvider:
    folder: Path
    port: int

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def directory(self, **more: Any) -> OidcDirectory:
        wanted: dict[str, Any] = {
            "name": "corp",
            "title": "Example Corp",
            "issuer": self.issuer,
            "client_id": "holdfast",
            "client_secret_file": str(self.folder / "secret"),
            "ca_file": str(self.ca_file),
            "roles": (GroupRole(group="backup-admins", role="admin"), GroupRole(group="Visitors", role="viewer")),
        }
        return OidcDirectory(**{**wanted, **more})

    def comes(self, account: str) -> None:
        """Who sits at the browser from now on."""
        (self.folder / "who").write_text(account)

    def knows(self, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        (self.folder / "accounts.json").write_text(json.dumps(accounts))

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    async def visit(self, url: str) -> dict[str, str]:
        """A browser goes there and is sent back to the Master: with this query."""
        async with httpx.AsyncClient(verify=self.trust(), timeout=30) as browser:
            for _ in range(10):
                answer = await browser.get(url)
                assert answer.has_redirect_location, answer.text
                url = str(answer.next_request.url if answer.next_request else "")
                if url.startswith("https://master.test:7440/"):
                    return dict(httpx.URL(url).params)
        raise AssertionError("the provider does not send the browser back")


@contextmanager
def real_provider(
    folder: Path, redirect_urls: tuple[str, ...] = (RETURN,), port: int = 0, *, is_lean: bool = False
) -> Iterator[RealProvider]:
    """`is_lean`: names and groups are not in its tokens; one has to ask."""
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("needs Node.js and the provider of tests/openid (scripts/install-test-tools)")
    folder.mkdir(exist_ok=True)
    found = RealProvider(folder, port or first_of_a_row())
    authority = Authority.create(clock=SystemClock())
    save_credentials(folder, authority.issue_master(clock=SystemClock(), hosts=("localhost", "127.0.0.1")))
    found.ca_file.write_bytes(authority.ca_pem)
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    found.knows(ACCOUNTS)
    found.comes("s-eva")
    client = {"client_id": "holdfast", "client_secret": SECRET, "redirect_uris": redirect_urls}
    files = {"key": "key.pem", "certificate": "cert.pem", "accounts": "accounts.json", "who": "who"}
    wanted = {"port": found.port, "lean": is_lean, "clients": [client], **{key: str(folder / name) for key, name in files.items()}}
    (folder / "provider.json").write_text(json.dumps(wanted))
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(
            [node, str(HERE / "provider.mjs"), str(folder / "provider.json")], stdout=subprocess.PIPE, stderr=log, cwd=HERE
        )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"listening"), (folder / "provider.log").read_text()
        yield found
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
