"""Reading across the wire: entries and chunks interleaved, only what was named, and errors that arrive as themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from holdfast.core.errors import HoldfastError, NotGranted, NotReachable, ProtocolError, RepositoryDamaged, UnknownName, error_from
from holdfast.core.ids import JobId, NodeId, RepositoryId
from holdfast.delivery import reading
from holdfast.delivery.reading import NamedIds, RemoteReader, serve_read
from holdfast.delivery.trials import OnTrial, tell_outcome
from holdfast.delivery.verify import verify_payload
from holdfast.model.change import Cursor
from holdfast.model.entry import ChunkRef, Entry, Kind, walk_key
from holdfast.model.reading import Listed, Lost, PointReader
from holdfast.testing.channel_suite import WAIT_S
from holdfast.testing.deliveries import DATASET, EPOCH, RECEIVER, ROOT, SOURCE, chunk_ref, file_of, folder_of
from holdfast.testing.memory_action import MemoryAction, MemoryReader, payload_of
from holdfast.testing.memory_channel import MemoryChannel, memory_pair
from holdfast.wire.data_messages import (
    AskChunks,
    AskEntries,
    AskMore,
    Carried,
    DrillOutcome,
    Entries,
    Needed,
    OpenedRead,
    OpenRead,
    Stopped,
)

OPENING = OpenRead(repository=RepositoryId("a" * 32), dataset=DATASET)
CURSOR = Cursor(EPOCH, 4)


def dataset(files: int = 300) -> MemoryAction:
    action = MemoryAction()
    action.entries[ROOT] = folder_of(ROOT)
    for number in range(files):
        plain = number.to_bytes(4, "big") * (number * 10)
        path = b"/data/%05d" % number
        action.entries[path] = file_of(path, plain) if plain else file_of(path)
        action.chunks[chunk_ref(plain).id] = plain
    return action


class Served:
    def __init__(self, reader: PointReader | None, cursor: Cursor | None = CURSOR, refusal: HoldfastError | None = None) -> None:
        self.here, there = memory_pair(SOURCE, RECEIVER)
        self.refused: list[str] = []
        self._answer = (cursor, reader)
        self._refusal = refusal
        self._thread = threading.Thread(target=self._serve, args=(there,), daemon=True)
        self._thread.start()

    def wait(self) -> list[str]:
        self._thread.join(100)
        assert not self._thread.is_alive()
        return self.refused

    def _serve(self, channel: MemoryChannel) -> None:
        serve_read(channel, open_reader=self._open, on_refused=lambda peer, error: self.refused.append(error.code))

    def _open(self, peer: NodeId, opening: OpenRead) -> tuple[Cursor | None, PointReader | None]:
        assert (peer, opening) == (SOURCE, OPENING)
        if self._refusal is not None:
            raise self._refusal
        return self._answer


OUTCOME = DrillOutcome(job=JobId("7" * 32), files=3, size_bytes=12)


def test_what_came_of_a_drill_is_told_once_and_after_questions_that_were_given_up() -> None:
    taken: list[DrillOutcome] = []
    served = Served(OnTrial(MemoryReader(dataset()), taken.append))
    reader = RemoteReader(served.here, OPENING)
    next(iter(reader.listing()))
    tell_outcome(served.here, OUTCOME)
    assert taken == [OUTCOME]
    with pytest.raises(ProtocolError, match="once"):
        tell_outcome(served.here, OUTCOME)
    assert served.wait() == ["protocol"]
    assert taken == [OUTCOME]


def test_a_session_that_no_order_for_a_drill_opened_takes_no_outcome() -> None:
    served = Served(MemoryReader(dataset()))
    RemoteReader(served.here, OPENING)
    with pytest.raises(ProtocolError, match="not opened for one"):
        tell_outcome(served.here, OUTCOME)
    assert served.wait() == ["protocol"]


def content(reader: RemoteReader, entry: Entry) -> bytes:
    chunks = {p.id: verify_payload(p).plain for p in reader.payloads([ref.id for ref in entry.chunks])}
    return b"".join(chunks[ref.id] for ref in entry.chunks)


@pytest.fixture(autouse=True)
def _small_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_ENTRIES_PER_MESSAGE", 20)
    monkeypatch.setattr(reading, "_ASK_IDS", 7)


def test_everything_is_read_with_entries_and_chunks_interleaved() -> None:
    action = dataset()
    local = MemoryReader(action)
    served = Served(local)
    reader = RemoteReader(served.here, OPENING)
    assert reader.cursor == CURSOR
    seen = []
    for entry in reader.entries():
        seen.append(entry)
        if entry.kind is Kind.FILE:
            assert content(reader, entry) == action.content(entry.path)
    assert seen == [action.entries[path] for path in sorted(action.entries, key=walk_key)]
    every = [ref.id for entry in seen for ref in entry.chunks]
    assert sorted(payload.id for payload in reader.payloads([*every, *every])) == sorted(set(every))
    assert list(reader.payloads([])) == []
    reader.close()
    assert served.wait() == []
    assert local.closed == 1


def test_iterators_may_be_left_and_several_may_be_open() -> None:
    action = dataset(200)
    served = Served(MemoryReader(action))
    reader = RemoteReader(served.here, OPENING)
    left = reader.entries()
    next(left)
    every = list(reader.entries())
    left.close()
    ids = [ref.id for entry in every for ref in entry.chunks]
    one, two = reader.payloads(ids[:50]), reader.payloads(ids[50:100])
    got = [next(one), next(two), next(one), next(two)]
    two.close()
    got += one
    assert len({payload.id for payload in got}) == 52
    assert [entry.path for entry in reader.entries([b"/data/00007", b"/data/00009"])] == [b"/data/00007", b"/data/00009"]
    assert len(list(reader.payloads(ids))) == len(ids)
    reader.close()
    assert served.wait() == []


def test_nothing_of_the_dataset_is_an_empty_answer() -> None:
    served = Served(None, None)
    reader = RemoteReader(served.here, OPENING)
    assert reader.cursor is None
    assert list(reader.entries()) == []
    reader.close()
    assert served.wait() == []


def test_refusals_and_errors_arrive_as_themselves() -> None:
    served = Served(None, refusal=NotGranted("no grant to read", hint="activate"))
    with pytest.raises(NotGranted, match="no grant"):
        RemoteReader(served.here, OPENING)
    assert served.wait() == ["not-granted"]
    served = Served(MemoryReader(dataset(5)))
    reader = RemoteReader(served.here, OPENING)
    with pytest.raises(UnknownName):
        list(reader.entries([b"/data/none"]))
    assert served.wait() == ["unknown-name"]


def test_a_chunk_that_is_lost_is_named() -> None:
    action = dataset(30)
    served = Served(MemoryReader(action))
    reader = RemoteReader(served.here, OPENING)
    entries = list(reader.entries())
    lost = entries[5].chunks[0].id
    del action.chunks[lost]
    with pytest.raises(RepositoryDamaged, match=lost.hex()):
        list(reader.payloads([ref.id for entry in entries for ref in entry.chunks]))


def test_whoever_goes_on_without_what_is_lost_gets_all_else() -> None:
    action = dataset(60)
    served = Served(MemoryReader(action))
    reader = RemoteReader(served.here, OPENING)
    listed = list(reader.listing())
    assert [entry for some in listed for entry in some.entries] == [action.entries[path] for path in sorted(action.entries, key=walk_key)]
    ids = [ref.id for some in listed for entry in some.entries for ref in entry.chunks]
    lost = {ids[3], ids[11], ids[40]}
    for chunk in lost:
        del action.chunks[chunk]
    questions = [ids[start : start + 9] for start in range(0, len(ids), 9)]
    got: list[set[bytes]] = [set()]
    missing: list[Lost] = []
    for answer in reader.answers(iter(questions)):
        got[-1] |= {payload.id for payload in answer.payloads}
        missing += answer.lost
        if answer.last:
            got.append(set())
    assert got[:-1] == [set(question) - lost for question in questions]
    assert {one.id for one in missing} == lost
    assert all(one.id.hex() in one.reason for one in missing)
    reader.close()
    assert served.wait() == []


def test_places_arrive_with_their_entries() -> None:
    class Placed(MemoryReader):
        def listing(self, paths: Sequence[bytes] = ()) -> Iterator[Listed]:
            for listed in super().listing(paths):
                yield Listed(listed.entries, [ref.size_bytes << 40 for entry in listed.entries for ref in entry.chunks])

    action = dataset(100)
    served = Served(Placed(action))
    reader = RemoteReader(served.here, OPENING)
    count = 0
    for listed in reader.listing():
        assert list(listed.places) == [ref.size_bytes << 40 for entry in listed.entries for ref in entry.chunks]
        count += len(listed.places)
    assert count == 99
    reader.close()


def test_an_entry_with_a_chunk_in_no_index_is_listed_and_not_taken_for_whole() -> None:
    action = dataset(3)
    entry = action.entries[b"/data/00001"]
    action.entries[b"/data/00001"] = msgspec.structs.replace(entry, chunks=(ChunkRef(entry.chunks[0].id, 0),))
    served = Served(MemoryReader(action))
    reader = RemoteReader(served.here, OPENING)
    assert sum(len(listed.entries) for listed in reader.listing()) == 4
    with pytest.raises(RepositoryDamaged, match=entry.chunks[0].id.hex()):
        list(reader.entries())
    reader.close()


def test_chunks_no_entry_named_are_refused() -> None:
    action = dataset(5)
    secret = chunk_ref(b"secret").id
    action.chunks[secret] = b"secret"
    served = Served(MemoryReader(action))
    reader = RemoteReader(served.here, OPENING)
    list(reader.entries())
    with pytest.raises(ProtocolError, match="no entry of this session named"):
        list(reader.payloads([secret]))
    assert served.wait() == ["protocol"]


@pytest.mark.parametrize(
    "messages", [[AskMore()], [AskEntries(), AskMore()], [OPENING], [Needed(number=1, ids=())], [AskChunks(number=1, ids=(bytes(32),))]]
)
def test_messages_out_of_place_end_the_session(messages: Sequence[AskMore]) -> None:
    served = Served(MemoryReader(dataset(3)))
    served.here.send(OPENING)
    for message in messages:
        served.here.send(message)
    last = None
    while (message_back := served.here.receive(WAIT_S)) is not None:
        last = message_back
    assert isinstance(last, Stopped)
    assert error_from(last.error).code == "protocol"
    assert served.wait() == ["protocol"]


def test_an_owner_that_goes_away_is_noticed() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    there.send(OpenedRead(cursor=CURSOR))
    reader = RemoteReader(here, OPENING)
    there.send(Entries(entries=(folder_of(ROOT),)))
    entries: Iterator[Entry] = reader.entries()
    assert next(entries).path == ROOT
    there.close()
    with pytest.raises(NotReachable):
        next(entries)


def test_an_owner_that_answers_nonsense_is_refused() -> None:
    here, there = memory_pair(SOURCE, RECEIVER)
    there.send(Entries(entries=()))
    with pytest.raises(ProtocolError):
        RemoteReader(here, OPENING)


def test_named_ids_stay_exact_over_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_RECENT_IDS", 10)
    named = NamedIds()
    ids = [chunk_ref(number.to_bytes(4, "big")).id for number in range(400)]
    for start in range(0, 300, 3):
        refs = tuple(ChunkRef(chunk_id, 4) for chunk_id in ids[start : start + 3])
        named.add(Entry(path=b"/a", kind=Kind.FILE, mode=0, chunks=refs))
    assert [chunk_id in named for chunk_id in ids] == [True] * 300 + [False] * 100


FILE = file_of(b"/data/x", b"content")
GIVEN = payload_of(b"content")


@pytest.mark.parametrize(
    "answer",
    [
        Entries(entries=(file_of(b"/etc/cron.d/x"),), last=True),
        Entries(entries=(folder_of(ROOT), FILE), last=True),
        Entries(entries=(file_of(b"/data/x-other"),), last=True),
        Entries(entries=(folder_of(b"/"),), last=True),
        Entries(entries=(FILE, file_of(b"/data/y/below")), last=True),
        Entries(entries=()),
        Carried(number=0, payloads=(GIVEN,), last=True),
    ],
)
def test_an_owner_that_gives_entries_nobody_asked_for_is_refused(answer: Entries | Carried) -> None:
    """A restore in place writes where the entries say: no owner may put others among them."""
    here, owner = memory_pair(SOURCE, RECEIVER)
    owner.send(OpenedRead(cursor=CURSOR))
    owner.send(answer)
    with pytest.raises(ProtocolError):
        list(RemoteReader(here, OPENING).entries([b"/data/x", b"/data/x/nested", b"/data/y/x"]))


@pytest.mark.parametrize(
    "answers",
    [
        [Carried(number=1)],
        [Carried(number=1, payloads=(GIVEN,)), Carried(number=1, payloads=(GIVEN,), last=True)],
        [Carried(number=1, payloads=(payload_of(b"other"),), last=True)],
        [Carried(number=2, payloads=(GIVEN,), last=True)],
        [Entries(entries=(FILE,), last=True)],
    ],
)
def test_an_owner_that_gives_chunks_nobody_asked_for_or_without_end_is_refused(answers: list[Entries | Carried]) -> None:
    here, owner = memory_pair(SOURCE, RECEIVER)
    for answer in (OpenedRead(cursor=CURSOR), *answers):
        owner.send(answer)
    with pytest.raises(ProtocolError):
        list(RemoteReader(here, OPENING).payloads([GIVEN.id, chunk_ref(b"more").id]))


def test_what_was_asked_for_is_taken_with_all_below_it() -> None:
    here, owner = memory_pair(SOURCE, RECEIVER)
    given = (folder_of(b"/data"), file_of(b"/data/a"), file_of(b"/data/a-b"), file_of(b"/srv/x"))
    for asked in ((), (b"/",), (b"/srv/x", b"/data/a-b", b"/data", b"/data/a")):
        owner.send(OpenedRead(cursor=CURSOR))
        owner.send(Entries(entries=given, last=True))
        assert tuple(RemoteReader(here, OPENING).entries(asked)) == given
