"""Downloads by people: from the owner's own machine, and by links over HTTPS; hostile links, and machines that die meanwhile."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from holdfast.cli.home import load_session
from holdfast.core.errors import HoldfastError
from tests.e2e.world import World, by_hand_only, descendants, eventually, world_in

pytestmark = [pytest.mark.e2e, pytest.mark.big]
TO_TWO = """\
environment: test
nodes: {{files1: {{}}, vault: {{}}, dr: {{}}}}
repositories:
  main: {{node: vault, location: {folder}/vault/main}}
  far: {{node: dr, location: {folder}/dr/far}}
policies: {{documents: {{classification: {{paths: [{folder}/data]}}, operations: {{backup: {{{when}}}}}}}}}
flows:
  office:
    vertices: {{files: {{node: files1, policies: [documents]}}, store: {{repository: main}}, copy: {{repository: far}}}}
    movers:
      - {{from: files, to: store, carries: [documents/backup]}}
      - {{from: files, to: copy, carries: [documents/backup]}}
"""
LARGE = 96 << 20


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all of them: downloading changes nothing in it, and what is killed is started again."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "data" / "sub").mkdir(parents=True)
    for number in range(10):
        (folder / "data" / "sub" / f"file {number}.txt").write_bytes(b"line %d\n" % number * 1000)
    (folder / "data" / "page.html").write_bytes(b"<script>alert(1)</script>")
    (Path(os.fsdecode(os.fsencode(folder) + b"/data/odd-\xff"))).write_bytes(b"odd")
    (folder / "data" / "large").write_bytes(os.urandom(LARGE))
    with world_in(folder, "files1", "vault", "dr") as world:
        world.apply(TO_TWO.format(folder=folder, when=by_hand_only()), "office")
        world.run("trigger", "office", "--wait", expect=None)
        yield world


@pytest.fixture
def data(office: World) -> Path:
    return office.folder / "data"


def newest(world: World) -> str:
    return str(world.points("main")[-1]["id"])


def link(world: World, path: Path | str, **more: str) -> dict[str, Any]:
    return world.client.post("/downloads", {"point": newest(world), "path": str(path), "repository": "main", **more})


def get(world: World, url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """By a client that trusts the environment's authority and nothing else."""
    context = ssl.create_default_context(cadata=load_session(world.home("master")).ca_pem)
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=60, context=context)
    try:
        connection.request(method, parts.path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def refusal(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    return answer[0], str(json.loads(answer[2])["error"]["message"])


def giver_pid(world: World) -> int:
    for pid in descendants(world.child("vault").pid):
        if b"holdfast.node.downloads.giver" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("nothing gives downloads")


def events(world: World, code: str) -> list[str]:
    return [str(event["message"]) for event in world.client.get("/logs", limit=200)["events"] if event["code"] == code]


def test_a_folder_comes_as_zip_and_as_tar(office: World, data: Path) -> None:
    made = link(office, data / "sub")
    assert made["reachable"], made
    assert made["node"] == "vault"
    status, headers, body = get(office, made["url"])
    assert (status, headers["content-type"]) == (200, "application/zip")
    assert headers["content-disposition"].startswith('attachment; filename="sub.zip"')
    with zipfile.ZipFile(io.BytesIO(body)) as found:
        assert {name: found.read(name) for name in found.namelist() if not name.endswith("/")} == {
            f"sub/{file.name}": file.read_bytes() for file in (data / "sub").iterdir()
        }
    body = get(office, link(office, data, format="tar")["url"])[2]
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert "data/odd-\udcff" in archive.getnames()


def test_nothing_that_is_stored_runs_in_a_browser(office: World, data: Path) -> None:
    status, headers, body = get(office, link(office, data / "page.html")["url"])
    assert (status, body) == (200, b"<script>alert(1)</script>")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers


def test_a_file_that_broke_off_goes_on_and_is_given_once(office: World, data: Path) -> None:
    content = (data / "large").read_bytes()
    url = link(office, data / "large")["url"]
    status, headers, nothing = get(office, url, "HEAD")
    assert (status, headers["content-length"], nothing) == (200, str(LARGE), b"")
    half = LARGE // 2
    status, headers, first = get(office, url, Range=f"bytes=0-{half - 1}")
    assert (status, headers["content-range"]) == (206, f"bytes 0-{half - 1}/{LARGE}")
    assert refusal(get(office, url))[1] == "this part was given before"
    assert refusal(get(office, url, Range="bytes=1-"))[1] == "this part was given before"
    status, _, rest = get(office, url, Range=f"bytes={half}-", If_Range=headers["etag"])
    assert status == 206
    assert hashlib.sha256(first + rest).digest() == hashlib.sha256(content).digest()
    assert refusal(get(office, url, Range=f"bytes={half}-")) == (403, "the link was used before")


def test_hostile_links(office: World, data: Path) -> None:
    url = link(office, data / "sub")["url"]
    token = urlsplit(url).path.split("/")[2]
    body, _, signature = token.partition(".")
    order = base64.urlsafe_b64decode(body + "===")
    forged = base64.urlsafe_b64encode(order.replace(b'"format":"auto"', b'"format":"tar" ')).rstrip(b"=").decode()
    for bad in (f"{forged}.{signature}", f"{body}.{signature[:-4]}AAAA", f"{body}.", body, "..", "%2e%2e", "a" * 20_000):
        assert get(office, url.replace(token, bad))[0] in (403, 404, 400), bad[:40]
    other = office.client.post("/downloads", {"point": newest(office), "path": str(data / "sub"), "repository": "far"})
    swapped = url.replace(token, urlsplit(other["url"]).path.split("/")[2])
    assert refusal(get(office, swapped)) == (403, "the link is for another node")
    assert get(office, url)[0] == 200
    assert refusal(get(office, url)) == (403, "the link was used before")
    assert get(office, url, "POST")[0] == 404
    assert get(office, f"https://{urlsplit(url).netloc}/")[0] == 404
    assert get(office, link(office, data / "nothing")["url"])[0] == 404
    assert get(office, link(office, data / "sub", format="file")["url"])[0] == 400
    eventually(lambda: any("used before" in words for words in events(office, "download-refused")), "the refusal is in the log")
    assert any("admin downloads" in words for words in events(office, "download"))


def test_who_has_logged_out_gets_no_more_links(office: World, data: Path) -> None:
    made = office.client.post("/tokens", {"name": "gone", "ttl_s": None})
    office.client.delete(f"/tokens/{made['id']}")
    parts = urlsplit(office.client.url)
    context = ssl.create_default_context(cadata=load_session(office.home("master")).ca_pem)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context)
    body = json.dumps({"point": newest(office), "path": str(data)})
    connection.request("POST", "/api/v1/downloads", body, {"Authorization": f"Bearer {made['token']}", "Content-Type": "application/json"})
    assert connection.getresponse().status == 401
    connection.close()


def test_the_command_takes_links_and_goes_on_when_the_giver_is_killed(office: World, data: Path, tmp_path: Path) -> None:
    to = tmp_path / "large"
    command = [
        sys.executable,
        "-m",
        "holdfast.cli.main",
        "download",
        newest(office),
        str(data / "large"),
        "--repository",
        "main",
        "-o",
        "-",
    ]
    environment = {**os.environ, "HOLDFAST_HOME": str(office.home("master"))}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        first = running.stdout.read(1 << 20)
        os.kill(giver_pid(office), signal.SIGKILL)
        rest, words = running.communicate()
    assert running.returncode == 0, words
    assert b"going on at" in words
    assert hashlib.sha256(first + rest).digest() == hashlib.sha256((data / "large").read_bytes()).digest()
    office.run("download", newest(office), str(data / "sub" / "file 1.txt"), "-o", str(to))
    assert to.read_bytes() == (data / "sub" / "file 1.txt").read_bytes()
    assert office.run("download", newest(office), str(data / "sub"), "-o", str(to), expect=None).returncode != 0


def test_the_owner_downloads_with_the_master_gone(office: World, data: Path, tmp_path: Path) -> None:
    point = newest(office)
    office.stop("master")
    try:
        office.run("download", point, str(data / "sub"), "--format", "tar.zst", "-o", str(tmp_path / "a.tar.zst"), home="vault")
        assert (tmp_path / "a.tar.zst").stat().st_size > 0
        assert office.run("download", point, str(data), "-o", str(tmp_path / "b"), home="files1", expect=None).returncode != 0
    finally:
        office.restart("master")
        office.machines.wait_for_nodes({"files1", "vault", "dr"})


def test_what_is_being_downloaded_is_held_against_prune(office: World, data: Path) -> None:
    short_lived = data / "short-lived"
    content = os.urandom(64 << 20)
    short_lived.write_bytes(content)
    office.run("trigger", "office", "--wait", expect=None)
    point = newest(office)
    made = link(office, short_lived)
    short_lived.unlink()
    office.run("trigger", "office", "--wait", expect=None)
    context = ssl.create_default_context(cadata=load_session(office.home("master")).ca_pem)
    parts = urlsplit(made["url"])
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=60, context=context)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    digest = hashlib.sha256(response.read(1 << 20))
    office.run("points", "forget", point, "--repository", "main", "--yes")
    for _ in range(2):
        office.run("repository", "prune", "main", "--grace", "0s", expect=None)
    while block := response.read(1 << 20):
        digest.update(block)
    connection.close()
    assert digest.digest() == hashlib.sha256(content).digest()
    assert get(office, link_again(office, point, short_lived) or made["url"])[0] in (403, 404)


def link_again(world: World, point: str, path: Path) -> str:
    """Empty once the point is gone everywhere."""
    try:
        return str(world.client.post("/downloads", {"point": point, "path": str(path), "repository": "main"})["url"])
    except HoldfastError:
        return ""


def test_limits_of_the_machine_forbid_downloads(office: World, data: Path) -> None:
    url = link(office, data / "sub")["url"]
    limits = office.home("vault") / "limits.toml"
    limits.write_text('write = ["/"]\nread = ["/"]\ndownloads = false\n')
    limits.chmod(0o600)
    try:
        assert refusal(get(office, url)) == (403, "this machine gives no downloads")
        with pytest.raises(HoldfastError, match="gives no downloads"):
            link(office, data / "sub")
    finally:
        limits.unlink()
