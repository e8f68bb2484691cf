"""How fast the console is; `make speed` prints the figures. Wants a machine that does nothing else, so it is no part of `make test`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.sync_api import Locator, Page, Response, expect
from sqlalchemy import insert
from sqlalchemy.orm import Session

from holdfast.core.ids import JobId, NodeId
from holdfast.master.config import load_config
from holdfast.master.records.database import Database
from holdfast.master.records.tables import JobRow
from holdfast.model.jobs import Job, State
from tests.console.person import Person
from tests.e2e.world import World, world_in

pytestmark = [pytest.mark.speed, pytest.mark.timeout(600)]

RUNS = 5
VERTICES = 200
MEMBERS = 2_000
JOBS = 100_000
MOST_FIRST_LOAD_BYTES = 300_000
MOST_FIRST_PAINT_S = 1.0
MOST_OPENING_S = 1.5
LEAST_FRAMES = 50
MOST_DRAWN_ROWS = 120
MOVE_S = 2.0

# Once for each page: a second counter would count each frame twice.
COUNT_FRAMES = """() => {
  if (window.frames_seen !== undefined) return;
  window.frames_seen = 0;
  const count = () => { window.frames_seen += 1; requestAnimationFrame(count); };
  requestAnimationFrame(count);
}"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One node, and on record a drawing of 200 vertices, another with a group of 2,000 nodes, and 100,000 jobs."""
    folder = tmp_path_factory.mktemp("large")
    with world_in(folder, "files1") as world:
        world.client.put("/environment", {"text": document(), "base_revision": None, "accept_removals": True, "comment": "large"})
        world.client.post("/flows/fleet/activate")
        node = NodeId(world.client.get("/nodes")["nodes"][0]["id"])
        world.stop("master")
        database = Database(load_config(world.home("master") / "master").url)
        database.run_now(lambda session: put_jobs(session, node))
        database.close()
        world.restart("master")
        yield world


def document() -> str:
    """Sources at the left, each with a repository of its own at the right; and a fleet."""
    half = VERTICES // 2
    fleet = [f"m{number:04}" for number in range(MEMBERS)]
    sources = [f"n{number}" for number in range(half)]
    lines = ["environment: test", "nodes:", "  files1: {}", *(f"  {name}: {{}}" for name in (*sources, *fleet)), "groups:"]
    lines += [f"  fleet: {{nodes: [{', '.join(fleet)}]}}", "repositories:"]
    lines += [f"  r{number}: {{node: n{number}, location: /srv/r{number}}}" for number in range(half)]
    lines += ["policies:", "  documents:", "    classification: {paths: [/srv/data]}"]
    lines += ["    operations: {backup: {every: 1h, keep: {last: 5}}}", "flows:", "  wide:", "    vertices:"]
    for number in range(half):
        x, y = (number // 20) * 560, (number % 20) * 120
        lines.append(f"      s{number}: {{node: n{number}, policies: [documents], place: [{x}, {y}]}}")
        lines.append(f"      d{number}: {{repository: r{(number + 1) % half}, place: [{x + 280}, {y}]}}")
    lines += ["    movers:", *(f"      - {{from: s{number}, to: d{number}, carries: [documents/backup]}}" for number in range(half))]
    lines += ["  fleet:", "    vertices:", "      all: {group: fleet, policies: [documents]}", "      store: {repository: r0}"]
    lines += ["    movers:", "      - {from: all, to: store, carries: [documents/backup]}", ""]
    return "\n".join(lines)


def put_jobs(session: Session, node: NodeId) -> None:
    """Straight into the table: one after the other, as nodes report them, they take minutes."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    session.execute(insert(JobRow), [row_of(node, number, first + timedelta(minutes=number)) for number in range(JOBS)])


def row_of(node: NodeId, number: int, at: datetime) -> dict[str, object]:
    job = Job(
        id=JobId(f"{number:032x}"),
        node=node,
        kind="run",
        rule=f"files1/documents{number % 50}",
        state=State.SUCCEEDED,
        created_at=at,
        started_at=at,
        ended_at=at + timedelta(seconds=40),
    )
    columns = ("id", "node", "rule", "created_at", "ended_at", "trigger")
    return {**{name: getattr(job, name) for name in columns}, "state": job.state.value, "record": msgspec.json.encode(job)}


def told(what: str, figures: list[float], unit: str) -> float:
    """The median, printed with all it was made of."""
    middle = statistics.median(figures)
    print(f"\n{what}: median {middle:.3g} {unit} of {', '.join(f'{each:.3g}' for each in figures)}")
    return middle


def frames_while(page: Page, work: Callable[[], None]) -> float:
    """Frames a second that the page drew."""
    page.evaluate(COUNT_FRAMES)
    before, began = page.evaluate("[window.frames_seen, performance.now()]")
    work()
    after, ended = page.evaluate("[window.frames_seen, performance.now()]")
    return float(after - before) * 1000 / (ended - began)


def test_the_first_load_is_small(office: World, enter: Callable[..., Person]) -> None:
    person = enter(office, fresh=True)
    answers: list[Response] = []
    person.page.on("response", lambda answer: answers.append(answer))
    person.go("/")
    expect(verdict(person)).to_be_visible()
    # Before the page fetches, in peace, what it may need later.
    files = [answer for answer in answers if "/api/" not in answer.url]
    sizes = [answer.request.sizes()["responseBodySize"] for answer in files]
    print(f"\nfirst load: {sum(sizes) / 1000:.0f} kB in {len(files)} files")
    assert sum(sizes) <= MOST_FIRST_LOAD_BYTES


def verdict(person: Person) -> Locator:
    return person.page.get_by_test_id("verdict")


def test_home_is_there_at_once(office: World, enter: Callable[..., Person]) -> None:
    """Each time a browser that has nothing kept."""
    times = []
    for _ in range(RUNS):
        person = enter(office, fresh=True)
        began = time.monotonic()
        person.page.goto(person.base, wait_until="commit")
        verdict(person).wait_for()
        times.append(time.monotonic() - began)
        person.page.close()
    assert told("home with its verdict", times, "s") <= MOST_FIRST_PAINT_S


def test_two_hundred_vertices_are_dragged_smoothly(large: World, enter: Callable[..., Person]) -> None:
    person = enter(large).go("/flows/wide")
    vertex = person.vertex("s50")
    expect(vertex).to_be_visible()
    expect(person.page.locator("[data-id^='vertex:']")).to_have_count(VERTICES)
    rates = []
    for run in range(RUNS):
        box = vertex.bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        person.page.mouse.move(x, y)
        person.page.mouse.down()
        way = 80 if run % 2 == 0 else -80
        rates.append(frames_while(person.page, lambda x=x, y=y, way=way: sweep(person.page, x, y, way)))
        person.page.mouse.up()
    assert told(f"dragging one of {VERTICES} vertices", rates, "frames/s") >= LEAST_FRAMES
    person.sees("not saved")


def sweep(page: Page, x: float, y: float, way: float) -> None:
    """Move the mouse for two seconds, and a little further at the end."""
    began = time.monotonic()
    while (part := (time.monotonic() - began) / MOVE_S) < 1:
        page.mouse.move(x + way * part, y + way * part / 2)


@pytest.mark.parametrize("view", ["", "/monitor", "/list"])
def test_a_flow_with_a_large_group_opens_at_once(large: World, enter: Callable[..., Person], view: str) -> None:
    times = []
    for _ in range(RUNS):
        person = enter(large, fresh=True)
        began = time.monotonic()
        person.page.goto(f"{person.base}/flows/fleet{view}?select=vertex%3Aall", wait_until="commit")
        if view == "/list":
            person.page.locator("main").get_by_role("row").filter(has_text="all").first.wait_for()
        else:
            person.vertex("all").wait_for()
        if view == "":
            person.page.get_by_role("table", name="Nodes of fleet").get_by_text("m0000").wait_for()
        times.append(time.monotonic() - began)
        person.page.close()
    assert told(f"a flow with {MEMBERS} nodes in a group, {view or '/draw with its members'}", times, "s") <= MOST_OPENING_S


def test_a_hundred_thousand_jobs_scroll(large: World, enter: Callable[..., Person]) -> None:
    person = enter(large).go("/jobs")
    body = person.page.get_by_role("rowgroup", name="Jobs: rows")
    expect(body.get_by_role("row").first).to_be_visible()
    began = time.monotonic()
    while not person.page.get_by_role("heading", name=f"{JOBS:,} jobs", exact=True).is_visible():
        assert time.monotonic() - began < 120, "never at the end"
        body.evaluate("each => { each.scrollTop = each.scrollHeight }")
        person.page.wait_for_function("() => true")
    print(f"\nread to the end of {JOBS:,} jobs: {time.monotonic() - began:.1f} s")
    for share in (0.5, 1, 0):
        body.evaluate("(each, share) => { each.scrollTop = each.scrollHeight * share }", share)
        first = 2 + int(JOBS * share)
        expect(body.locator(f"[aria-rowindex='{min(JOBS - 1, first + 3)}']")).to_be_visible()
        assert body.get_by_role("row").count() <= MOST_DRAWN_ROWS
    rates = [frames_while(person.page, lambda: scroll(body)) for _ in range(RUNS)]
    assert body.get_by_role("row").count() <= MOST_DRAWN_ROWS
    assert told(f"scrolling through {JOBS:,} rows", rates, "frames/s") >= LEAST_FRAMES


def scroll(body: Locator) -> None:
    """As a wheel does: some rows with every frame."""
    body.evaluate(
        """(each, ms) => new Promise(resolve => {
          const end = performance.now() + ms;
          const step = now => { each.scrollTop += 60; now < end ? requestAnimationFrame(step) : resolve(); };
          requestAnimationFrame(step);
        })""",
        MOVE_S * 1000,
    )
