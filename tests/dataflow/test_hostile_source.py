"""A malicious source over the real wire: what it is told, what is recorded of it, and that an honest source beside it is unharmed."""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from holdfast.core.ids import ActionId, DatasetId, Epoch, PointId
from holdfast.delivery.abridging import digest_of
from holdfast.model.change import Cursor, Mark, Part, Payload, Put, Remove
from holdfast.model.entry import ChunkRef, Entry, Hole, Kind, Xattr
from holdfast.testing.deliveries import chunk_ref
from holdfast.testing.memory_action import payload_of
from holdfast.testing.waiting import wait_for
from holdfast.wire.data_messages import PROTOCOL, Closed, KnownRun, Needed, Open, Opened, Recall, Segmented, Stopped
from tests.dataflow.hostile import ROOT, Rogue, Sent, carried, changed, file_put, framed, segment
from tests.dataflow.machines import MachineRules, World, dataset, deliver, ended, mirror, store
from tests.dataflow.process_store import ProcessStore
from tests.dataflow.scene import Office, assert_good, assert_restic_clean, office
from tests.dataflow.trees import differences

PLAIN = b"what a hostile source sends, " * 40
REF = chunk_ref(PLAIN)
OWN = ROOT + b"/file"
Messages = Callable[[Rogue], Sequence[Sent]]


@dataclass
class Attacked:
    """An office into whose vault and mirror a second source may deliver a dataset of its own."""

    scene: Office
    rogue: Rogue
    at_mirror: Rogue


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("hostile")
    world = World(folder / "world")
    try:
        scene = office(world, folder / "tree")
        machine = world.machine("rogue")
        plan = MachineRules(machine)
        own = dataset(world, "rogue/own", Path("/srv/own"))
        stored, mirrored = store(world, scene.main), mirror(world, Path("/srv/own"), folder / "world" / "copies" / "own")
        plan.datasets.append(own)
        plan.deliveries += [
            deliver(own, plan, scene.plans["vault"], (stored,), ("backup",)),
            deliver(own, plan, scene.plans["dr"], (mirrored,), ("replicate",)),
        ]
        scene.plans["rogue"] = plan
        scene.activate()
        assert_good(scene.run())
        rogue = Rogue(machine, scene.vault, own.id, (stored.id,))
        yield Attacked(scene=scene, rogue=rogue, at_mirror=Rogue(machine, scene.dr, own.id, (mirrored.id,)))
        # Whatever was tried: what the honest source stored is whole, and nothing of the rogue's became a point.
        assert {point.dataset_id for point in scene.vault.points(scene.main)} == {scene.documents.id}
        assert_restic_clean(scene.vault, scene.main)
        assert differences(scene.source, scene.copy) == []
    finally:
        world.stop()


def refused(victim: Rogue, messages: Sequence[Sent], *, opens: bool = True) -> str:
    """The code with which all of it was refused, which the victim has also recorded under the source's name."""
    before = len(victim.heard())
    answer = victim.deliver(messages, opens=opens)
    if isinstance(answer, Stopped):
        code = answer.error.code
    else:
        (acknowledgement,) = answer.acknowledgements
        assert acknowledgement.error is not None, "it was taken"
        code = acknowledgement.error.code
    wait_for(lambda: len(victim.heard()) > before)
    recorded = [news.event for news in victim.heard()[before:]]
    assert code in {event.code for event in recorded}, recorded
    assert all(victim.machine.name in event.message for event in recorded), recorded
    return code


def one_file(put: Put, *payloads: Payload, offered: Sequence[ChunkRef] = (REF,)) -> Messages:
    return lambda rogue: [rogue.begin(), segment(put, offered=offered), carried(*payloads), rogue.closing()]


def in_stream(*messages: Sent) -> Messages:
    return lambda rogue: [rogue.begin(), *messages, rogue.closing()]


def begun(**changes: object) -> Messages:
    return lambda rogue: [rogue.begin(**changes), segment(), carried(), rogue.closing()]


def closed(**changes: object) -> Messages:
    return lambda rogue: [rogue.begin(), segment(), carried(), rogue.closing(**changes)]


def window_of(descriptor: int) -> Callable[[bytes], bytes]:
    """The same block under a header that asks for a window of another size: no single segment, content size in 8 bytes."""

    def spoil(frame: bytes) -> bytes:
        return frame[:4] + bytes((0xC0, descriptor)) + struct.pack("<Q", len(PLAIN)) + raw_block(PLAIN)

    return spoil


def raw_block(plain: bytes, *, last: bool = True) -> bytes:
    return struct.pack("<I", len(plain) << 3 | last)[:3] + plain


def with_dictionary(frame: bytes) -> bytes:
    return frame[:4] + bytes((0xA1, 7)) + struct.pack("<I", len(PLAIN)) + raw_block(PLAIN)


SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"skip"
BOMB = Payload(
    chunk_ref(bytes(8)).id, 8, True, b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", 8) + struct.pack("<I", (1 << 20) << 3 | 3)[:3] + b"\0"
)

BYTES: dict[str, Messages] = {
    "a chunk under the id of another": one_file(file_put(OWN, PLAIN), Payload(REF.id, len(PLAIN), False, PLAIN[::-1])),
    "the same, compressed": one_file(file_put(OWN, PLAIN), changed(payload_of(PLAIN[::-1], compressed=True), id=REF.id)),
    "two frames": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: frame * 2)),
    "a frame and an empty one": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: frame + payload_of(b"", compressed=True).data)),
    "a byte after the frame": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: frame + b"\0")),
    "a skippable frame before": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: SKIPPABLE + frame)),
    "a skippable frame after": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: frame + SKIPPABLE)),
    "only a skippable frame": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: SKIPPABLE)),
    "half a frame": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: frame[: len(frame) // 2])),
    "no frame": one_file(file_put(OWN, PLAIN), framed(PLAIN, lambda frame: b"")),
    "a dictionary": one_file(file_put(OWN, PLAIN), framed(PLAIN, with_dictionary)),
    "a window of 16 MiB": one_file(file_put(OWN, PLAIN), framed(PLAIN, window_of(14 << 3))),
    "a window of 2 TiB": one_file(file_put(OWN, PLAIN), framed(PLAIN, window_of(31 << 3))),
    "more inside than declared": one_file(file_put(OWN, PLAIN, size_bytes=9), framed(PLAIN, bytes, size=9), offered=(ChunkRef(REF.id, 9),)),
    "less inside than declared": one_file(file_put(OWN, PLAIN), framed(PLAIN, bytes, size=len(PLAIN) - 1)),
    "a block that would fill a megabyte": one_file(file_put(OWN, bytes(8)), BOMB, offered=(chunk_ref(bytes(8)),)),
    "plain bytes of another length": one_file(file_put(OWN, PLAIN), Payload(REF.id, len(PLAIN), False, PLAIN + b"x")),
    "a chunk that was not asked for": one_file(file_put(OWN, PLAIN), payload_of(b"something else")),
    "a chunk twice": one_file(file_put(OWN, PLAIN), payload_of(PLAIN), payload_of(PLAIN)),
    "no chunk at all": one_file(file_put(OWN, PLAIN)),
    "an id that is none": one_file(file_put(OWN, PLAIN), changed(payload_of(PLAIN), id=b"short")),
}
PATHS: dict[str, bytes] = {
    "up and out": ROOT + b"/../../etc/cron.d/own",
    "up at the end": ROOT + b"/..",
    "here": ROOT + b"/./x",
    "not absolute": b"srv/own/x",
    "empty": b"",
    "an empty name": ROOT + b"//x",
    "a slash at the end": ROOT + b"/x/",
    "a NUL": ROOT + b"/x\0y",
    "a name too long": ROOT + b"/" + b"x" * 256,
    "outside the roots": b"/etc/cron.d/own",
    "beside the root": b"/srv/own2/x",
}
LIES: dict[str, Messages] = {
    "sizes that do not sum": one_file(file_put(OWN, PLAIN, size_bytes=len(PLAIN) + 1), payload_of(PLAIN)),
    "a negative size": one_file(file_put(OWN, PLAIN, size_bytes=-len(PLAIN)), payload_of(PLAIN)),
    "a time before all times": in_stream(segment(file_put(OWN, mtime_ns=-(1 << 63)))),
    "a time after all times": in_stream(segment(file_put(OWN, atime_ns=1 << 63))),
    "a mode with a kind in it": in_stream(segment(file_put(OWN, mode=0o104755))),
    "a negative owner": in_stream(segment(file_put(OWN, uid=-1))),
    "more links than none": in_stream(segment(file_put(OWN, links=-1))),
    "a hole outside the file": in_stream(segment(file_put(OWN, holes=(Hole(0, 1 << 40),)))),
    "an attribute of a megabyte": in_stream(segment(file_put(OWN, xattrs=(Xattr(b"user.x", bytes(1 << 20)),)))),
    "an attribute with no name": in_stream(segment(file_put(OWN, xattrs=(Xattr(b"", b"x"),)))),
    "a bomb of attributes": in_stream(segment(file_put(OWN, xattrs=tuple(Xattr(b"user.%d" % n, bytes(65_536)) for n in range(800))))),
    "a link to 5,000 bytes": in_stream(segment(Put(Entry(path=OWN, kind=Kind.SYMLINK, mode=0o777, link_target=b"x" * 5_000)))),
    "a link with content": in_stream(
        segment(Put(Entry(path=OWN, kind=Kind.SYMLINK, mode=0o777, link_target=b"/etc", chunks=(REF,))), offered=(REF,)), carried()
    ),
    "a file below a link to elsewhere": in_stream(
        segment(Put(Entry(path=OWN, kind=Kind.SYMLINK, mode=0o777, link_target=b"/etc")), file_put(OWN + b"/passwd")), carried()
    ),
    "a chunk of 9 MiB": in_stream(segment(file_put(OWN, PLAIN), offered=(ChunkRef(REF.id, 9 << 20),))),
    "a chunk of nothing": one_file(file_put(OWN), offered=(ChunkRef(hashlib.sha256(b"").digest(), 0),)),
    "an offer of a hundred megabytes": in_stream(
        segment(file_put(OWN), offered=[ChunkRef(hashlib.sha256(b"%d" % n).digest(), 8 << 20) for n in range(13)])
    ),
    "a chunk offered twice": in_stream(segment(file_put(OWN, PLAIN), offered=(REF, REF))),
    "a chunk that was never offered": in_stream(segment(file_put(OWN, PLAIN))),
    "a part of a version that was not asked for": in_stream(
        Segmented(segment=segment(parts=(Part(OWN, 0, ()),)).segment, known=((KnownRun(0, 0, 1),),))
    ),
    "a part of a version that is not there": lambda rogue: [
        rogue.begin(),
        Recall(path=OWN, digest=digest_of(())),
        Segmented(segment=segment(parts=(Part(OWN, 0, ()),)).segment, known=((KnownRun(0, 0, 1),),)),
    ],
    "a run without end": in_stream(Segmented(segment=segment(parts=(Part(OWN, 0, ()),)).segment, known=((KnownRun(0, 0, 1 << 62),),))),
    "a file that its parts do not make up": in_stream(
        segment(file_put(OWN, chunks=(), size_bytes=len(PLAIN) + 1), parts=(Part(OWN, 0, (REF,)),)), carried(payload_of(PLAIN))
    ),
    "a path twice": in_stream(segment(file_put(OWN), file_put(OWN))),
    "out of order": in_stream(segment(file_put(ROOT + b"/z"), file_put(ROOT + b"/a"))),
    "a removal outside": in_stream(segment(Remove(b"/srv/own/../../x"))),
    "a flood of segments": in_stream(*(segment(Remove(ROOT + b"/%06d" % n), number=n) for n in range(100))),
    "a segment that is empty": in_stream(Segmented(segment=changed(segment().segment, number=0, changes=()))),
    "numbers that go back": in_stream(segment(number=0), segment(Remove(OWN), number=0)),
    "a negative number": in_stream(segment(Remove(OWN), number=-1)),
    "a million roots": begun(roots=(ROOT,) * 1_000_000),
    "a root that is no path": begun(roots=(b"/srv/../etc",)),
    "a label with control characters": begun(label="own\x1b[2J\n"),
    "an epoch that is a path": begun(epoch="../../x"),
    "another seq at the end": closed(seq=2),
    "a time that no catalog holds": closed(captured_at=datetime(1, 1, 1, tzinfo=UTC)),
    "a time without a zone": closed(captured_at=datetime(2026, 1, 1)),
    "counts that overflow": closed(files=1 << 63),
    "a point that is a path": closed(marks=(Mark(operation="backup", kind="backup", point=PointId("../../x")),)),
    "ten thousand points of one commit": closed(
        marks=tuple(Mark(operation="backup", kind="backup", point=PointId(f"{n:032x}")) for n in range(10_000))
    ),
}
TURNS: dict[str, Messages] = {
    "a commit that nobody began": lambda rogue: [rogue.closing()],
    "a segment that nobody began": lambda rogue: [segment(), rogue.closing()],
    "chunks that nobody asked for": lambda rogue: [rogue.begin(), carried(payload_of(PLAIN))],
    "begun twice": lambda rogue: [rogue.begin(), rogue.begin()],
    "opened twice": lambda rogue: [rogue.opening],
    "closed before all came": lambda rogue: [rogue.begin(), segment(file_put(OWN, PLAIN), offered=(REF,)), rogue.closing()],
    "answers for a segment to come": lambda rogue: [rogue.begin(), segment(), carried(number=5)],
    "an answer that never ends": lambda rogue: [rogue.begin(), segment(file_put(OWN, PLAIN), offered=(REF,)), *[carried(last=False)] * 50],
    "a commit of another dataset": lambda rogue: [rogue.begin(dataset="d" * 32)],
    "an action that was not opened": lambda rogue: [changed(rogue.begin(), actions=(ActionId("f" * 32),))],
    "no action": lambda rogue: [changed(rogue.begin(), actions=())],
    "a million actions": lambda rogue: [changed(rogue.begin(), actions=rogue.actions * 1_000_000)],
    "what a receiver says": lambda rogue: [Opened(actions=()), Needed(number=0, ids=())],
    "random bytes": lambda rogue: [bytes(range(256)) * 100],
    "a message cut short": lambda rogue: [msgspec.msgpack.encode(rogue.begin())[:-7]],
    "nested beyond measure": lambda rogue: [b"\x91" * 500_000 + b"\xc0"],
    "an array of four thousand millions": lambda rogue: [b"\xdd\xff\xff\xff\xff"],
    "a map of four thousand millions": lambda rogue: [b"\xdf\xff\xff\xff\xff" + b"\xa1x\x01"],
    "bytes that are not there": lambda rogue: [b"\xc6\xff\xff\xff\xffabc"],
    "a version asked for out of turn": lambda rogue: [Recall(path=OWN, digest=bytes(32))],
    "a digest of one byte": lambda rogue: [rogue.begin(), Recall(path=OWN, digest=b"x")],
    "two messages in one": lambda rogue: [msgspec.msgpack.encode(rogue.begin()) * 2],
    "an unknown kind": lambda rogue: [msgspec.msgpack.encode({"type": "Destroy", "all": True})],
}
ALL = {**BYTES, **LIES, **TURNS}


@pytest.mark.parametrize("what", ALL)
def test_a_malicious_source_is_refused_recorded_and_harms_nobody(attacked: Attacked, what: str) -> None:
    assert refused(attacked.rogue, ALL[what](attacked.rogue)) in ("protocol", "conflict")


@pytest.mark.parametrize("what", PATHS)
@pytest.mark.parametrize("where", ["rogue", "at_mirror"])
def test_no_path_leads_out_of_the_dataset(attacked: Attacked, what: str, where: str) -> None:
    victim: Rogue = getattr(attacked, where)
    path = PATHS[what]
    for kind, linked in ((Kind.FILE, b""), (Kind.DIRECTORY, b""), (Kind.SYMLINK, b"/etc")):
        put = Put(Entry(path=path, kind=kind, mode=0o755, link_target=linked))
        assert refused(victim, [victim.begin(), segment(put), carried(), victim.closing()]) == "protocol", kind
    if what not in ("outside the roots", "beside the root"):
        assert refused(victim, [victim.begin(), segment(parts=(Part(path, 0, ()),)), carried(), victim.closing()]) == "protocol"
    assert not Path("/etc/cron.d/own").exists()


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.DIRECTORY, Kind.FIFO])
def test_a_mirror_follows_no_link_that_the_source_itself_has_sent(attacked: Attacked, tmp_path: Path, kind: Kind) -> None:
    """A link to a folder elsewhere, and then something below it: in one commit, and in the next."""
    rogue = attacked.at_mirror
    link = Put(Entry(path=ROOT + b"/link", kind=Kind.SYMLINK, mode=0o777, link_target=bytes(tmp_path)))
    below = Put(Entry(path=ROOT + b"/link/below", kind=kind, mode=0o777))
    epoch = f"{list(Kind).index(kind):032x}"
    start, end = rogue.begin(epoch=epoch), rogue.closing(epoch=epoch)
    assert isinstance(rogue.deliver([start, segment(link, below), carried(), end]), Closed)
    later = rogue.begin(epoch=epoch, seq=2, base=Cursor(Epoch(epoch), 1))
    rogue.deliver([later, segment(below, number=1), carried(number=1), rogue.closing(epoch=epoch, seq=2)])
    assert list(tmp_path.iterdir()) == []


def test_a_store_takes_nothing_below_a_link(attacked: Attacked) -> None:
    rogue = attacked.rogue
    link = Put(Entry(path=ROOT + b"/link", kind=Kind.SYMLINK, mode=0o777, link_target=b"/etc"))
    messages = [rogue.begin(), segment(link, file_put(ROOT + b"/link/passwd")), carried(), rogue.closing()]
    assert refused(rogue, messages) == "protocol"


@pytest.mark.parametrize("what", BYTES)
def test_a_mirror_takes_no_wrong_byte(attacked: Attacked, what: str) -> None:
    assert refused(attacked.at_mirror, BYTES[what](attacked.at_mirror)) == "protocol"


@pytest.mark.parametrize("where", ["the dataset", "the action", "both"])
def test_what_others_may_deliver_it_may_not(attacked: Attacked, where: str) -> None:
    """With its own certificate, and the honest source's dataset or action."""
    scene, rogue = attacked.scene, attacked.rogue
    dataset_id: DatasetId = rogue.dataset if where == "the action" else scene.documents.id
    actions = rogue.actions if where == "the dataset" else (scene.store_action.id,)
    opening = Open(dataset=dataset_id, actions=actions, generation=1)
    if where == "the action":
        # Opened says that it is not granted; who goes on all the same breaks the contract.
        messages = [opening, changed(rogue.begin(), actions=actions), rogue.closing()]
        assert refused(rogue, messages, opens=False) == "protocol"
    else:
        assert refused(rogue, [opening], opens=False) == "not-granted"


def test_content_of_others_is_neither_told_nor_taken_by_its_id(attacked: Attacked) -> None:
    """The id of what the honest source has stored: it is asked for like any other, and naming it without giving it is refused."""
    rogue, theirs = attacked.rogue, (attacked.scene.source / "tool").read_bytes()
    known, unknown = chunk_ref(theirs), chunk_ref(b"nobody has this")
    for offered in ((), (known,)):
        messages = [rogue.begin(), segment(file_put(OWN, theirs), offered=offered), carried(), rogue.closing()]
        assert refused(rogue, messages) == "protocol"
    channel = rogue.channel()
    try:
        channel.send(rogue.opening)
        channel.receive(30)
        channel.send(rogue.begin())
        channel.send(segment(file_put(OWN, theirs), offered=(known, unknown)))
        answer = channel.receive(30)
        assert isinstance(answer, Needed)
        assert answer.ids == (known.id, unknown.id)
    finally:
        channel.close()


def test_a_session_begins_with_an_open(attacked: Attacked) -> None:
    rogue = attacked.rogue
    for first in (
        rogue.begin(),
        segment(),
        changed(rogue.opening, protocol=PROTOCOL + 1),
        changed(rogue.opening, dataset="../x"),
        b"\0" * 1_000_000,
    ):
        assert refused(rogue, [first], opens=False) == "protocol"


def test_an_honest_source_delivers_unharmed_while_all_of_it_is_tried(attacked: Attacked) -> None:
    scene, rogue = attacked.scene, attacked.rogue
    before = len(scene.vault.points(scene.main))
    (scene.source / "meanwhile").write_bytes(bytes(range(256)) * 100_000)
    job = scene.files1.begin_run(scene.documents)
    for victim, cases in ((rogue, ALL), (attacked.at_mirror, BYTES)):
        for messages in cases.values():
            victim.deliver(messages(victim))
    assert_good(ended(scene.files1.source_heard, job))
    assert len(scene.vault.points(scene.main)) == before + 1
    (scene.source / "after").write_bytes(b"and after all that")
    assert_good(scene.run())
    assert differences(scene.source, scene.copy) == []


def test_the_memory_of_the_store_worker_stays_bounded(attacked: Attacked) -> None:
    """Floods of what costs the sender little and the receiver much, two at a time, against a worker in a process of its own."""
    scene, rogue = attacked.scene, attacked.rogue
    scene.vault.stop()
    scene.vault.in_process = False
    scene.vault.start()
    scene.activate()
    try:
        before = _peak_bytes(scene)
        for flood in FLOODS.values():
            attackers = [threading.Thread(target=rogue.deliver, args=(flood(rogue),)) for _ in range(2)]
            for attacker in attackers:
                attacker.start()
            for attacker in attackers:
                attacker.join(100)
                assert not attacker.is_alive()
        assert _peak_bytes(scene) - before < 700 << 20
        assert_good(scene.run())
    finally:
        scene.vault.stop()
        scene.vault.in_process = True
        scene.vault.start()
        scene.activate()


def _peak_bytes(scene: Office) -> int:
    assert isinstance(scene.vault.store, ProcessStore)
    status = Path(f"/proc/{scene.vault.store.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _offer_many(number: int) -> Segmented:
    refs = [ChunkRef(number.to_bytes(16) + n.to_bytes(16), 1) for n in range(100_000)]
    return segment(Remove(ROOT + b"/%04d" % number), number=number, offered=refs)


def _put_many(number: int) -> Segmented:
    puts = (Put(Entry(path=ROOT + b"/%04d-%06d" % (number, n), kind=Kind.FILE, mode=0)) for n in range(20_000))
    return segment(*puts, number=number)


def _name_parts(number: int) -> Segmented:
    return segment(number=number, parts=[Part(ROOT + b"/%04d-%06d" % (number, n), 0, ()) for n in range(20_000)])


def _dress_heavily(number: int) -> Segmented:
    xattrs = tuple(Xattr(b"user.%d" % n, bytes(65_536)) for n in range(200))
    return segment(file_put(ROOT + b"/%04d" % number, xattrs=xattrs), number=number)


FLOODS: dict[str, Messages] = {
    "offers": lambda rogue: [rogue.begin(), *map(_offer_many, range(20))],
    "puts": lambda rogue: [rogue.begin(), *map(_put_many, range(30))],
    "empty parts": lambda rogue: [rogue.begin(), *map(_name_parts, range(30))],
    "attributes": lambda rogue: [rogue.begin(), *map(_dress_heavily, range(40))],
}
