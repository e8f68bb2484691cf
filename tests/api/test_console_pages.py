"""The console's pages: what is answered and what never, strict about scripts, kept by browsers no longer than it is true."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from holdfast.api.app import create_app
from holdfast.api.console import Console
from tests.master.masters import running_master

PAGE = '<!doctype html><meta name="csp-nonce" content="{{csp_nonce}}"><div id="root"></div>'
SCRIPT = "console.log('x');" * 100
GZIP = {"Accept-Encoding": "br, gzip;q=0.8"}
PLAIN = {"Accept-Encoding": "identity"}


def build(folder: Path) -> Path:
    """What the build leaves, in small; and a secret beside it."""
    static = folder / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text(PAGE)
    (static / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (static / ".built-from").write_text("digest")
    (static / "assets/index-AbC1.js").write_text(SCRIPT)
    (static / "assets/index-AbC1.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (static / "assets/inter-1.woff2").write_bytes(b"wOF2")
    (folder / "secret.txt").write_text("a secret")
    return static


Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_pages(scenario: Scenario) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        async def main() -> None:
            async with running_master(tmp_path) as running:
                app = create_app(running.master, Console(build(tmp_path)))
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://master.test:7440") as client:
                    await scenario(client)

        asyncio.run(main())

    test.__name__ = scenario.__name__  # type: ignore[attr-defined]
    return test


def nonce_of(answer: httpx.Response) -> str:
    found = re.search(r"style-src 'self' 'nonce-([0-9a-f]{36})'", answer.headers["content-security-policy"])
    assert found is not None
    return found[1]


@with_pages
async def test_every_screen_is_the_page(client: httpx.AsyncClient) -> None:
    screens = ["/", "/flows", "/flows/a%2Fb/monitor", "/nodes/x.js", "/index.html", "/nothing/at/all?x=1", "/apis", "/.built-from"]
    for path in screens:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.text == PAGE.replace("{{csp_nonce}}", nonce_of(answer)), path


@with_pages
async def test_pages_may_do_little_and_every_nonce_is_new(client: httpx.AsyncClient) -> None:
    answers = [await client.get("/") for _ in range(5)]
    assert len({nonce_of(each) for each in answers}) == 5
    policy = answers[0].headers["content-security-policy"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == parts["font-src"] == parts["form-action"] == "'self'"
    assert parts["connect-src"] == "'self' https:"
    assert parts["img-src"] == "'self' data: blob:"
    assert parts["frame-ancestors"] == parts["base-uri"] == "'none'"
    assert "unsafe" not in policy
    assert answers[0].headers["x-content-type-options"] == "nosniff"
    assert answers[0].headers["cross-origin-opener-policy"] == "same-origin"
    assert "set-cookie" not in answers[0].headers


@with_pages
async def test_assets_are_kept_for_ever_and_packed(client: httpx.AsyncClient) -> None:
    packed = await client.get("/assets/index-AbC1.js", headers=GZIP)
    plain = await client.get("/assets/index-AbC1.js", headers=PLAIN)
    unwanted = await client.get("/assets/index-AbC1.js", headers={"Accept-Encoding": "gzip;q=0, *"})
    assert packed.text == plain.text == unwanted.text == SCRIPT
    assert (packed.headers["content-encoding"], int(packed.headers["content-length"])) == ("gzip", len(gzip.compress(SCRIPT.encode())))
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in unwanted.headers
    assert packed.headers["etag"] != plain.headers["etag"]
    for answer in (packed, plain):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    font = await client.get("/assets/inter-1.woff2")
    assert (font.headers["content-type"], font.content) == ("font/woff2", b"wOF2")


@with_pages
async def test_what_the_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    for path in ("/icon.svg", "/assets/index-AbC1.js"):
        first = await client.get(path)
        tag = first.headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
    icon = await client.get("/icon.svg")
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")


@with_pages
async def test_no_path_leads_out(client: httpx.AsyncClient) -> None:
    secrets = ("a secret", "digest")
    paths = [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets//etc/passwd",
        "/assets/%00",
        "/assets/..%5c..%5csecret.txt",
        "/assets/",
        "/assets/index-AbC1.js/",
        "/assets/index-AbC1.js.gz",
        "/assets/" + "x" * 5000,
        "/assets/%ff%fe",
        "//assets/index-AbC1.js",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/<script>alert(1)</script>",
    ]
    for path in paths:
        answer = await client.get(httpx.URL("https://master.test:7440", raw_path=path.encode()))
        assert not any(secret in answer.text for secret in secrets), path
        assert "alert(1)" not in answer.text or answer.headers["content-type"] == "application/json", path
        if path.startswith("/assets/") and ".." not in path:
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown-name"), path


@with_pages
async def test_the_api_has_no_pages(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/nothing", "/api", "/api/", "/api/v2/nodes"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown-name"), path
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await client.request(method, "/flows")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json"), method
    assert (await client.post("/api/v1/health")).status_code == 405
    assert (await client.get("/api/v1/nodes")).status_code == 401


@with_pages
async def test_head_tells_what_get_would(client: httpx.AsyncClient) -> None:
    for path in ("/", "/flows/x", "/icon.svg", "/assets/index-AbC1.js", "/assets/nothing.js"):
        got, told = await client.get(path, headers=PLAIN), await client.head(path, headers=PLAIN)
        assert told.status_code == got.status_code
        assert told.headers["content-length"] == got.headers["content-length"]
        assert told.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_console_that_is_not_built_says_how(tmp_path: Path, is_empty: bool) -> None:
    async def main() -> None:
        folder = tmp_path / "static"
        if is_empty:
            folder.mkdir()
        async with running_master(tmp_path) as running:
            app = create_app(running.master, Console(folder))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://master.test:7440") as client:
                answer = await client.get("/flows")
                assert answer.status_code == 503
                assert "make console" in answer.text
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert (await client.get("/api/v1/health")).status_code == 200

    asyncio.run(main())
