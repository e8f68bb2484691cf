"""The console's pages: what `scripts/build-console` made, read once at the start and answered from memory.

Only names that were found then are answered, so no path leads anywhere else, and a Master that is upgraded beneath its feet goes on showing
one whole version. Screens are addresses of the page, not files: whatever is no file gets the page, which then shows the screen or says that
there is none. Files under `/assets` bear the hash of their content in their name and may be kept for ever.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from holdfast.core.entropy import Entropy

STATIC = Path(__file__).resolve().parent / "static"
_PAGE = "/index.html"
_ASSETS = "/assets/"
_PACKED = ".gz"
_NONCE = "{{csp_nonce}}"
_NONCE_BYTES = 18
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
# Downloads come from the machines that own repositories, whose addresses nobody knows when the page is loaded (docs/decisions, 35).
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; font-src 'self';"
    " connect-src 'self' https:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Holdfast</title>
<h1>The console is not built</h1>
<p>This Master runs from its source, where the console has to be built once: run <code>make console</code> there, and start the Master anew.
<p>Everything the console does can be done with the command <code>holdfast</code>, too; <code>holdfast --help</code> lists it.
</html>
"""


@dataclass(frozen=True)
class _File:
    """`packed` is the content by gzip, None where it was not packed. `digest` names the content."""

    content: bytes
    packed: bytes | None
    kind: str
    digest: str
    is_hashed: bool


class Console:
    """Reads `folder` when it is built and never again."""

    def __init__(self, folder: Path) -> None:
        self._files = _read(folder)
        page = self._files.pop(_PAGE, None)
        self._page = None if page is None else page.content.decode()

    def answer(self, request: Request, entropy: Entropy) -> Response:
        """What a GET of this path gets; HEAD is the server's to cut. Raises `HTTPException` 404 for an asset that is not there."""
        path: str = request.scope["path"]
        found = self._files.get(path)
        if found is not None:
            return _answer_file(found, request.headers)
        if path.startswith(_ASSETS):
            raise HTTPException(404)
        return self._answer_page(entropy)

    def _answer_page(self, entropy: Entropy) -> Response:
        headers = {"Cache-Control": "no-cache"}
        if self._page is None:
            return Response(_NOT_BUILT, status_code=503, media_type="text/html", headers=headers)
        nonce = entropy.token_bytes(_NONCE_BYTES).hex()
        headers["Content-Security-Policy"] = _POLICY.format(nonce=nonce)
        return Response(self._page.replace(_NONCE, nonce), media_type="text/html", headers=headers)


@functools.cache
def packaged_console() -> Console:
    """The one of this package, read once in a process."""
    return Console(STATIC)


def _read(folder: Path) -> dict[str, _File]:
    """By the path they are asked for by. Hidden files are of the build, `.gz` beside a file is the same packed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix != _PACKED and not name.startswith("."):
            content, packed = path.read_bytes(), path.with_name(path.name + _PACKED)
            found[f"/{name}"] = _File(
                content=content,
                packed=packed.read_bytes() if packed.is_file() else None,
                kind=_TYPES.get(path.suffix, "application/octet-stream"),
                digest=hashlib.sha256(content).hexdigest()[:32],
                is_hashed=f"/{name}".startswith(_ASSETS),
            )
    return found


def _answer_file(file: _File, asked: Mapping[str, str]) -> Response:
    is_packed = file.packed is not None and _takes_gzip(asked.get("accept-encoding", ""))
    tag = f'"{file.digest}-gzip"' if is_packed else f'"{file.digest}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=31536000, immutable" if file.is_hashed else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if _is_known(tag, asked.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = file.kind
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    return Response(file.packed if is_packed else file.content, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _is_known(tag: str, known: str) -> bool:
    """Whether the browser has this very answer (If-None-Match, RFC 9110, section 13.1.2)."""
    return known.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in known.split(","))
