"""What is changing now in a flow: merged from its sources, each from where it was read to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from holdfast.core.errors import UsageError
from holdfast.core.ids import DatasetId
from holdfast.model.following import Following, FollowState
from holdfast.model.questions import Answer, Question
from holdfast.model.tail import AskTail, Tailed, TailEvent, TailKind
from holdfast.testing.simulated_node import SimulatedNode
from tests.master.masters import Running, with_master

AT = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENT = """\
environment: office
nodes: {files1: {tags: [source]}, files2: {tags: [source]}, vault: {}}
groups: {sources: {tags: [source]}}
repositories:
  main: {node: vault, location: /srv/main}
policies:
  documents:
    classification: {paths: [/srv/documents]}
    operations: {replicate: {removed: follow}, backup: {every: 1h, keep: {last: 3}}}
flows:
  office:
    vertices:
      files: {group: sources, policies: [documents]}
      copy: {mirror: vault, path: "/srv/mirror/{node}"}
    movers:
      - {from: files, to: copy, carries: [documents/replicate], mode: continuous}
  slow:
    vertices:
      files: {group: sources, policies: [documents]}
      store: {repository: main}
    movers:
      - {from: files, to: store, carries: [documents/backup]}
"""


class Source:
    """What a simulated node answers: an event each second from its `first` on."""

    def __init__(self, node: SimulatedNode, name: str, first: int) -> None:
        self.name, self.node, self.first = name, node, first
        self.asked: list[AskTail] = []
        node.answer = self.answer

    def answer(self, question: Question) -> Answer:
        if not isinstance(question, AskTail):
            raise UsageError("what?")
        self.asked.append(question)
        dataset = self.node.taken[-1].datasets[0]
        start = question.after or 0
        events = tuple(
            TailEvent(
                number=number,
                time=AT + timedelta(seconds=2 * number + self.first),
                dataset=dataset.label,
                dataset_id=DatasetId(dataset.id),
                kind=TailKind.PUT,
                path=f"/srv/documents/{number}",
            )
            for number in range(start + 1, start + 1 + min(question.limit, 2))
        )
        following = Following(dataset=dataset.label, dataset_id=dataset.id, state=FollowState.FOLLOWING, pending=self.first)
        return Tailed(events=events, life=self.name, last=start + 2, skipped=start > 2, following=(following,))


async def _sources(running: Running) -> dict[str, Source]:
    await running.connect("files1", "files2", "vault")
    await running.apply(DOCUMENT)
    await running.post("/flows/office/activate")
    return {name: Source(running.nodes[name], name, first) for first, name in enumerate(("files1", "files2"))}


@with_master
async def test_it_is_merged_by_time_and_goes_on_where_it_was(running: Running) -> None:
    sources = await _sources(running)
    first = await running.get("/flows/office/tail", limit=5)
    assert [(event["dataset"], event["number"]) for event in first["events"]] == [
        (f"{name}/documents", number) for number in (1, 2) for name in ("files1", "files2")
    ]
    assert [(row["node"], row["pending"]) for row in first["following"]] == [("files1", 0), ("files2", 1)]
    second = await running.get("/flows/office/tail", after=first["after"])
    assert [event["number"] for event in second["events"]] == [3, 3, 4, 4]
    assert [(ask.after, ask.life, ask.limit) for ask in sources["files2"].asked] == [(None, "", 5), (2, "files2", 200)]
    assert second["skipped"] == []
    assert (await running.get("/flows/office/tail", after=second["after"]))["skipped"] == ["files1", "files2"]


@with_master
async def test_a_silent_node_is_named_and_goes_on_later(running: Running) -> None:
    sources = await _sources(running)
    first = await running.get("/flows/office/tail")
    await sources["files1"].node.disconnect()
    await running.until_offline(sources["files1"].node.identity.node)
    second = await running.get("/flows/office/tail", after=first["after"])
    assert [silent["node"] for silent in second["unreachable"]] == ["files1"]
    assert {event["dataset"] for event in second["events"]} == {"files2/documents"}
    assert f"{sources['files1'].node.identity.node}.files1.2" in second["after"].split(",")


@with_master
async def test_one_dataset_is_asked_of_its_node_and_what_is_not_continuous_is_said(running: Running) -> None:
    sources = await _sources(running)
    found = await running.get("/flows/office/tail", dataset="files2/documents")
    assert {event["dataset"] for event in found["events"]} == {"files2/documents"}
    assert not sources["files1"].asked
    await running.get("/flows/office/tail", dataset="files3/documents", status=404)
    await running.get("/flows/slow/tail", status=404)
    await running.get("/flows/office/tail", after="somewhere", status=400)
    await running.apply(DOCUMENT.replace(", mode: continuous", ""))
    await running.post("/flows/office/activate")
    refused = await running.get("/flows/office/tail", status=400)
    assert "continuous" in refused["error"]["hint"]
