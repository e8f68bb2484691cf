"""Machines come and go: with exactly the command that is shown, a real process on the other side, and the same key seen from both."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.console.conftest import Enter
from tests.console.person import Person
from tests.e2e.world import World, eventually
from tests.typed import ForkedChild

PATIENCE_MS = 60_000


def make_token(person: Person, name: str) -> str:
    """Returns the command that is shown, as somebody copies it."""
    person.go("/nodes/-/add").is_live()
    person.field("Name").fill(name)
    person.button("Make the join command").click()
    command = person.page.get_by_test_id("join-command")
    expect(command).to_be_visible()
    return command.inner_text()


def in_a_shell(world: World, name: str, command: str) -> subprocess.CompletedProcess[str]:
    """On the machine of that name, where Holdfast is installed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "HOLDFAST_HOME": str(world.home(name)), "PATH": path}
    return subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, timeout=110, check=False)


def start_agent(world: World, name: str) -> None:
    home = world.home(name)
    child = ForkedChild(name, ["node", "run", "--home", str(home)], home / "log" / "node.out")
    child.start()
    world.machines.children.append(child)


def of_api(world: World, name: str) -> dict[str, str]:
    return next((node for node in world.client.get("/nodes")["nodes"] if node["name"] == name), {"state": "unknown to the Master"})


def is_at(person: Person, step: str, state: str) -> None:
    expect(person.page.locator(f"[data-step={step}][data-state={state}]")).to_be_visible(timeout=PATIENCE_MS)


def row(person: Person, name: str) -> Locator:
    return person.page.get_by_role("table", name="Nodes").get_by_role("row").filter(has_text=name)


def test_a_machine_joins_waits_is_let_in_and_is_sent_away(bare: World, enter: Enter) -> None:
    watcher = enter(bare).go("/nodes")
    watcher.is_live()
    person = enter(bare)
    command = make_token(person, "attic")
    is_at(person, "joined", "now")

    joined = in_a_shell(bare, "attic", command)
    assert joined.returncode == 0, joined.stderr
    (fingerprint,) = re.findall(r"^key fingerprint: (\S+)$", joined.stdout, re.MULTILINE)
    for each in (person, watcher):
        expect(each.page.get_by_role("main").get_by_text(fingerprint, exact=True)).to_be_visible()
    expect(watcher.page.get_by_role("heading", name="1 node waits to be let in")).to_be_visible()
    expect(row(watcher, "attic")).to_contain_text("waiting")
    assert (of_api(bare, "attic")["state"], of_api(bare, "attic")["fingerprint"]) == ("waiting", fingerprint)
    assert in_a_shell(bare, "cellar", command).returncode != 0, "a token works once"

    start_agent(bare, "attic")
    is_at(person, "authorised", "now")
    person.button("Authorise").click()
    for step in ("authorised", "online"):
        is_at(person, step, "done")
    expect(row(watcher, "attic")).to_contain_text("online")
    expect(watcher.page.get_by_role("heading", name=re.compile("to be let in"))).to_be_hidden()
    assert of_api(bare, "attic")["state"] == "online"
    send_away(person, bare)
    expect(row(watcher, "attic")).to_contain_text("revoked")


def send_away(person: Person, world: World) -> None:
    """From the page where it joined; its agent, which runs, is refused from then on."""
    person.page.get_by_role("link", name="See attic").click()
    person.button("Send away").click()
    dialog = person.page.get_by_role("dialog", name="Send attic away?")
    expect(dialog).to_contain_text("No protection depends on it.")
    typed = dialog.get_by_role("textbox", name="Type attic to go on")
    typed.fill("atti")
    expect(dialog.get_by_role("button", name="Send it away")).to_be_disabled()
    typed.fill("attic")
    dialog.get_by_role("button", name="Send it away").click()
    person.sees("attic is sent away")
    expect(dialog).to_be_hidden()
    person.sees("It was sent away: its key is refused.")
    assert of_api(world, "attic")["state"] == "revoked"
    log = world.home("attic") / "log" / "agent.log"
    eventually(lambda: "the key of this node was revoked" in log.read_text(), "its agent is refused")


def test_the_time_a_token_has_left_runs_and_a_cancelled_one_lets_nobody_in(bare: World, enter: Enter) -> None:
    person = enter(bare)
    command = make_token(person, "shed")
    left = person.page.get_by_role("timer", name="Time left")
    expect(left).to_have_text(re.compile(r"^5\d:\d\d$"))
    first = left.inner_text()
    expect(left).not_to_have_text(first)
    assert left.inner_text() < first
    person.button("Cancel the token").click()
    person.sees("The token is cancelled")
    expect(person.button("Make the join command")).to_be_visible()
    assert "shed" not in [token["name"] for token in bare.client.get("/nodes/tokens")["tokens"]]
    refused = in_a_shell(bare, "shed", command)
    assert refused.returncode != 0
    assert "token" in refused.stderr
    assert of_api(bare, "shed")["state"] == "unknown to the Master"


def test_a_token_that_somebody_else_cancels_is_gone_here_too(bare: World, enter: Enter) -> None:
    person, other = enter(bare), enter(bare)
    make_token(person, "barn")
    other.go("/nodes/-/add")
    other.button("Cancel it, the token for barn").click()
    other.sees("The token is cancelled")
    person.sees("This token no longer opens the door")
    assert bare.client.get("/nodes/tokens")["tokens"] == []


def test_before_a_node_goes_it_is_said_what_would_stop(office: World, enter: Enter) -> None:
    office.run("trigger", "office", "--wait")
    person = enter(office).go("/nodes/vault")
    at_once = person.field("Jobs at once")
    at_once.fill("2")
    at_once.press("Enter")
    person.button("Save").click()
    eventually(lambda: "parallel_jobs: 2" in office.client.get("/environment")["text"], "the limit stands in the document")
    person.button("Send away").click()
    dialog = person.page.get_by_role("dialog", name="Send vault away?")
    expect(dialog).to_contain_text("1 dataset of other nodes can no longer be sent to it.")
    expect(dialog).to_contain_text(re.compile(r"1 repository with \d+ points? \(.*B\) cannot be reached"))
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_be_hidden()
    assert of_api(office, "vault")["state"] == "online"


def test_a_failed_job_is_tried_again_and_a_node_is_renamed_and_moved_from_its_page(office: World, enter: Enter) -> None:
    office.stop("vault")
    (failed,) = office.json("trigger", "office", "--wait", expect=1)["jobs"]
    office.restart("vault")
    person = enter(office).go(f"/jobs/{failed['id']}")
    person.button("Try again").click()
    person.sees("This is the page of the new job.")
    expect(person.page).not_to_have_url(re.compile(failed["id"]))

    person.go("/nodes/dr").button("Move").click()
    dialog = person.page.get_by_role("dialog", name="Move dr to another machine")
    expect(dialog.get_by_role("list", name="What to carry")).to_contain_text(f"{office.folder}/dr/offsite")
    dialog.get_by_role("button", name="Make the join command").click()
    expect(dialog).to_contain_text("--replace dr")
    person.press("Escape")

    person.button("Rename").click()
    dialog = person.page.get_by_role("dialog", name="Rename dr")
    dialog.get_by_role("textbox", name="New name").fill("vault")
    expect(dialog.get_by_role("button", name="See what follows")).to_be_disabled()
    dialog.get_by_role("textbox", name="New name").fill("attic2")
    dialog.get_by_role("button", name="See what follows").click()
    expect(dialog.get_by_test_id("follows")).to_have_text("The rules of 1 active flow go out anew.")
    dialog.get_by_role("button", name="Rename it").click()
    person.sees("dr is called attic2")
    expect(person.page.get_by_role("heading", name="attic2", level=1)).to_be_visible()
    assert of_api(office, "attic2")["state"] == "online"
