"""Every parser of bytes that come from a disk, a wire or a hand: whatever it gets, it answers or raises an error of the one tree.

`PARSERS` names each with an example it understands; examples are then damaged in many ways. A test holds the table complete.
"""

from __future__ import annotations

import ast
import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.backend.capabilities import load_capabilities
from holdfast.backend.credentials import read_credentials
from holdfast.capture.state import CaptureState
from holdfast.cli.home import load_session
from holdfast.compiler.edits import apply_edits
from holdfast.compiler.merge import merge_texts
from holdfast.compiler.parse import parse_document
from holdfast.core import units
from holdfast.core.entropy import SystemEntropy
from holdfast.core.errors import ErrorFacts, HoldfastError, NotGranted
from holdfast.core.ids import ActionId, DatasetId, Epoch, JobId, NodeId, PointId, RepositoryId
from holdfast.delivery.frame import check_frame
from holdfast.delivery.spool.cipher import load_key as load_spool_key
from holdfast.delivery.spool.run_file import RunFile
from holdfast.delivery.spool.stand import Stand, load_stand
from holdfast.delivery.unpack import content_of
from holdfast.delivery.verify import verify_payload
from holdfast.master.config import load_config as load_master_config
from holdfast.master.people.access import secret_hash
from holdfast.master.safety.sealing import load_export_key
from holdfast.mirror.mirror import MirrorStore
from holdfast.model import kit, rules, spans, windows
from holdfast.model.adoption import parse_bind
from holdfast.model.approvals import parse_acts
from holdfast.model.archiving import parse_lineage_path, parse_stub, parse_time_name
from holdfast.model.audit import StoredRecord, decode_line, decode_record
from holdfast.model.change import Cursor, Payload
from holdfast.model.decoding import UNREADABLE
from holdfast.model.downloads import parse_token, token_of
from holdfast.model.drills import parse_sample
from holdfast.model.edit import Edit
from holdfast.model.entry import ChunkRef, Entry, Kind, check_path
from holdfast.model.gaps import Gap, GapReason
from holdfast.model.jobs import Job, State
from holdfast.model.maintenance import parse_subset
from holdfast.model.moments import parse_address
from holdfast.model.object_location import parse_object_location
from holdfast.model.orders import RestoreOrder, SignedOrder, parse_owner_change, signed_bytes_of_order
from holdfast.model.regular_syntax import parse_regular
from holdfast.model.rules import MirrorAction, Receive
from holdfast.model.searching import Place, decode_cursor, encode_cursor
from holdfast.node.bounds.limits import load_limits
from holdfast.node.config import load_config as load_node_config
from holdfast.node.membership.enrol import parse_join_token
from holdfast.node.membership.rule_store import RuleStore, load_signing_key, save_signing_key
from holdfast.node.records.journal import Journal
from holdfast.node.restoring.orders import OrderBook, open_order
from holdfast.node.workers import link as worker_link
from holdfast.node.workers import messages as worker_messages
from holdfast.repository import moment_record
from holdfast.repository._format import config, frames, index, keys, lock, pack, seal, snapshot, text, tree, unpacked
from holdfast.repository.care.last_check import LastCheck, load_last_check
from holdfast.repository.care.scrubbing import ScrubRecord, load_scrub
from holdfast.repository.catalog.search_pattern import search_pattern
from holdfast.repository.continuous.lineage import parse_name
from holdfast.repository.facts import facts_of
from holdfast.testing.deliveries import DATASET, begin_of, commit_of, opening_of, puts_of
from holdfast.testing.memory_action import payload_of
from holdfast.testing.node_rules import ENVIRONMENT, FILES1, sign, source_rules
from holdfast.testing.virtual_clock import SeededEntropy, VirtualClock
from holdfast.wire import codec, identity
from holdfast.wire.authority import Authority
from holdfast.wire.data_messages import Carried, Closing, KnownRun, Recall, Segmented, Started
from holdfast.wire.hub_messages import Farewell
from tests.scratch import SCRATCH

SOURCES = Path(__file__).resolve().parent.parent / "src/holdfast"
ENTROPY = SeededEntropy("parsers")
KEY = seal.new_master_key(ENTROPY)
PLAIN = b"the plain bytes of a chunk " * 20
ID = "1f" * 32
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENT = b"""environment: office
nodes: {files1: {tags: [linux]}, vault: {}}
repositories: {main: {node: vault, location: /srv/main}}
policies: {documents: {classification: {paths: [/srv/d]}, operations: {backup: {every: 1h, keep: {hourly: 24}}}}}
flows:
  office:
    vertices: {files: {node: files1, policies: [documents]}, store: {repository: main}}
    movers: [{from: files, to: store, carries: [documents/backup]}]
"""
SNAPSHOT = msgspec.json.encode(
    {
        "time": "2026-01-01T00:00:00.5+01:00",
        "tree": ID,
        "paths": ["/srv/d"],
        "hostname": "h",
        "tags": ["hf:v=1", "hf:point=" + "9" * 32, "hf:dataset=" + "d" * 32, "hf:op=backup", "hf:seq=1", "hf:epoch=" + "e" * 32],
    }
)
INDEX = index.encode_index([index.IndexedPack(b"\1" * 32, (pack.PackedBlob(b"\2" * 32, pack.BlobType.DATA, 0, 100, 200),))])
MARKS = index.encode_marks([index.MarkedPack(b"\1" * 32, 1_700_000_000_000_000_000, ())])
LOCKED_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"password")
)
NODE = tree.encode_node(Entry(path=b"/srv/d\xff", kind=Kind.SYMLINK, mode=0o777, link_target=b"x\xfe"))
JOB = Job(id=JobId("1" * 32), node=NodeId("2" * 32), kind="run", rule="r", state=State.QUEUED, created_at=MOMENT)
HEADER = b"\0" + (100).to_bytes(4, "little") + b"\3" * 32 + b"\2" + (50).to_bytes(4, "little") + (90).to_bytes(4, "little") + b"\4" * 32


FOLLOWED = moment_record.Followed(dataset=DatasetId("d" * 32), label="files1/d", sender="n" * 32, hostname="files1", roots=(b"/srv/d",))
RECORD = moment_record.Record(
    1,
    Epoch("e" * 32),
    7,
    1_700_000_000_000_000_000,
    b"\1" * 32,
    b"",
    (
        moment_record.Gone(b"/srv/d/gone"),
        moment_record.Written(Entry(path=b"/srv/d/\xff", kind=Kind.FILE, mode=0o644, size_bytes=3, chunks=(ChunkRef(b"\2" * 32, 3),))),
    ),
    gaps=(Gap(path=b"/srv/d", since=MOMENT, until=MOMENT, reason=GapReason.RESTART),),
)
LOG = moment_record.LogPart(moment_record.FORM, FOLLOWED, (RECORD,))


def decode_and_merge(data: bytes) -> object:
    """A record that can be read is then applied."""
    return moment_record.merge(moment_record.decode_part(data).records)


@dataclass(frozen=True)
class Parser:
    """`names`: the functions this drives, as `module.function`. `call` gets a folder of its own and the damaged bytes."""

    names: str
    call: Callable[[Path, bytes], object]
    examples: tuple[bytes, ...]
    also: tuple[type[Exception], ...] = ()


def of_bytes(names: str, call: Callable[[bytes], object], *examples: bytes, also: tuple[type[Exception], ...] = ()) -> Parser:
    return Parser(names, lambda folder, data: call(data), examples, also)


def of_text(names: str, call: Callable[[str], object], *examples: str) -> Parser:
    return of_bytes(names, lambda data: call(data.decode("utf-8", "surrogateescape")), *map(str.encode, examples))


def of_file(names: str, name: str, call: Callable[[Path], object], *examples: bytes, also: tuple[type[Exception], ...] = ()) -> Parser:
    def run(folder: Path, data: bytes) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
        path.write_bytes(data)
        path.chmod(0o600)
        return call(folder)

    return Parser(names, run, examples, also)


def sealed(plain: bytes) -> bytes:
    return seal.seal(KEY, bytes(16), plain)


def packed(header: bytes) -> bytes:
    return bytes(150) + sealed(header) + (len(header) + seal.OVERHEAD).to_bytes(4, "little")


def nodes_of(data: bytes) -> None:
    for raw in tree.split_tree(data):
        node = tree.decode_node(raw)
        if node is not None:
            tree.entry_of(node, b"", dict.fromkeys(node.content, 1))
    for node in tree.decode_tree(data):
        tree.entry_of(node, b"", dict.fromkeys(node.content, 1))


def snapshot_of(data: bytes) -> None:
    found = snapshot.decode_snapshot(data)
    _ = found.tree_id, found.time_ns
    facts_of(found)


def framed(data: bytes) -> None:
    check_frame(data, len(PLAIN), "here")


def payload(take: Callable[[Payload], object]) -> Callable[[bytes], object]:
    return lambda data: take(Payload(hashlib.sha256(PLAIN).digest(), len(PLAIN), True, data))


AUTHORITY = Authority.create(clock=VirtualClock(MOMENT))
CERTIFICATE = AUTHORITY.issue(identity.make_csr(identity.new_key()), NodeId("1" * 32), clock=VirtualClock(MOMENT))
ORDER = msgspec.json.encode(
    RestoreOrder(
        id="a" * 32,
        reader=NodeId("1" * 32),
        owner=NodeId("2" * 32),
        owner_address="vault:7442",
        repository=RepositoryId("c" * 32),
        dataset=DatasetId("d" * 32),
        point=PointId("5" * 32),
        expires_at=MOMENT + timedelta(minutes=5),
    )
)
THEIRS = DOCUMENT.replace(b"every: 1h", b"every: 2h").replace(b"vault: {}", b"vault: {tags: [big]}")


def certificate(data: bytes) -> None:
    identity.node_id_of(data)
    identity.key_id_of(data)


def signed_order(data: bytes) -> None:
    """As by a Master that signs nonsense: its key, too, may be in wrong hands."""
    open_order(SignedOrder(body=data, signature=AUTHORITY.sign(signed_bytes_of_order(data))), AUTHORITY.signing_public)


def unsigned_order(data: bytes) -> None:
    with pytest.raises(NotGranted):
        open_order(SignedOrder(body=ORDER, signature=data), AUTHORITY.signing_public)
    with pytest.raises(NotGranted):
        open_order(SignedOrder(body=data, signature=AUTHORITY.sign(signed_bytes_of_order(b"x" + data))), AUTHORITY.signing_public)


def use_orders(folder: Path) -> None:
    order = SignedOrder(body=ORDER, signature=AUTHORITY.sign(signed_bytes_of_order(ORDER)))
    with closing(OrderBook(folder / "orders.db", clock=VirtualClock(MOMENT))) as book, suppress(NotGranted):
        book.accept(order, signing_key=AUTHORITY.signing_public, reader=NodeId("1" * 32), owner=NodeId("2" * 32))


def use_journal(folder: Path) -> None:
    with closing(Journal(folder / "node.db", clock=VirtualClock(MOMENT))) as journal:
        journal.unfinished(), journal.protections(), journal.care(), journal.next_report(), journal.newest_jobs(5)
        journal.record_job(JOB)


def use_rules(folder: Path) -> None:
    save_signing_key(folder, AUTHORITY.signing_public)
    RuleStore(folder, environment=ENVIRONMENT, node=FILES1)


def use_state(folder: Path) -> None:
    with closing(CaptureState.open(folder / "state.db", entropy=ENTROPY)) as state, state.errors():
        state.rebuild(source_rules().datasets[0], [Entry(path=b"/srv/data", kind=Kind.DIRECTORY, mode=0o755)])
        state.next_run()
        list(state.lacking.rows({1: -1}, 1 << 40))


def use_mirror(folder: Path) -> None:
    rule = MirrorAction(id=ActionId("a" * 32), targets=(("/data", str(folder / "copy")),))
    receive = Receive(dataset=DATASET, label="x", sender=NodeId("n" * 32), actions=(rule,))
    mirror = MirrorStore(folder / "home").open_mirror(rule, receive, clock=VirtualClock(MOMENT), adopt=True)
    try:
        mirror.cursor()
    finally:
        mirror.close()


def database(make: Callable[[Path], object], name: str) -> bytes:
    """The file that this makes where there is none."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        make(Path(folder))
        return (Path(folder) / name).read_bytes()


def merged(text: str) -> None:
    for base, mine, theirs in permutations((text, DOCUMENT.decode(), THEIRS.decode())):
        with suppress(HoldfastError):
            merge_texts(base, mine, theirs)


def edited(text: str) -> None:
    with suppress(HoldfastError):
        apply_edits(text, [Edit(op="set", path=("nodes", "new"), value={"tags": ["a"]}), Edit(op="remove", path=("policies", "documents"))])
    apply_edits(DOCUMENT.decode(), [Edit(op="set", path=("nodes", text or "x"), value={"tags": [text]})])


FRAME = payload_of(PLAIN, compressed=True).data
SESSION = puts_of(0, {b"/data/a": PLAIN}, first=True).segment
MESSAGES = (
    codec.encode(opening_of("a")),
    codec.encode(Started(begin=begin_of(2, 1), actions=opening_of("a").actions)),
    codec.encode(Segmented(segment=SESSION)),
    codec.encode(Segmented(segment=SESSION, known=((KnownRun(0, 1, 2),),))),
    codec.encode(Recall(path=b"/data/a", digest=bytes(32))),
    codec.encode(Carried(number=0, payloads=(payload_of(PLAIN),), last=True)),
    codec.encode(Closing(commit=commit_of(1))),
)
PARSERS = (
    of_bytes("wire.codec.decode_data wire.codec.decode_unchecked", codec.decode_data, *MESSAGES),
    of_bytes("wire.codec.decode_hub", codec.decode_hub, codec.encode(Farewell(error=ErrorFacts("protocol", "m", context={"a": "b"})))),
    of_bytes(
        "node.workers.link.decode_to_worker", worker_link.decode_to_worker, worker_link.encode_frame(worker_messages.StopWorker())[4:]
    ),
    of_bytes(
        "node.workers.link.decode_from_worker",
        worker_link.decode_from_worker,
        worker_link.encode_frame(worker_messages.JobNews(job=JOB))[4:],
    ),
    of_bytes("delivery.frame.check_frame", framed, FRAME),
    of_bytes("delivery.verify.verify_payload", payload(verify_payload), FRAME),
    of_bytes("delivery.unpack.content_of", payload(content_of), FRAME),
    of_bytes("model.entry.check_path", check_path, b"/srv/d/x"),
    of_bytes("repository._format.config.decode_config", lambda data: config.decode_config(data, KEY), sealed(b"{}")),
    of_bytes(
        "(the config inside)",
        lambda data: config.decode_config(sealed(data), KEY),
        msgspec.json.encode(config.new_config(ENTROPY)),
    ),
    of_bytes("repository._format.unpacked.decode_document", lambda data: unpacked.decode_document(data, KEY), sealed(b'{"a":1}')),
    of_bytes("(the document inside)", lambda data: unpacked.decode_document(sealed(data), KEY), b"\2" + FRAME, b"{}"),
    of_bytes("repository._format.index.decode_index", index.decode_index, INDEX, b'{"packs":null}'),
    of_bytes("repository._format.index.decode_marks", index.decode_marks, MARKS),
    of_bytes("repository._format.snapshot.decode_snapshot repository.facts.facts_of", snapshot_of, SNAPSHOT),
    of_bytes("(tags changed)", lambda data: snapshot.retag(data, ("a",), ID), SNAPSHOT),
    of_bytes(
        "repository._format.tree.decode_node repository._format.tree.decode_tree repository._format.tree.split_tree",
        nodes_of,
        tree.encode_tree([NODE]),
    ),
    of_bytes(
        "repository._format.lock.decode_lock", lock.decode_lock, b'{"time":"2026-01-01T00:00:00Z","exclusive":false,"hostname":"h","pid":1}'
    ),
    of_bytes(
        "repository._format.keys.decode_key_file",
        keys.decode_key_file,
        keys.encode_key_file(KEY, "p", keys.KeyOrigin("u", "h", None), entropy=ENTROPY, cost=keys.Scrypt(n=16, r=8, p=1)),
    ),
    of_bytes("repository._format.pack.read_pack_header", lambda data: pack.read_pack_header(KEY, data), packed(HEADER)),
    of_bytes("(the header inside)", lambda data: pack.read_pack_header(KEY, packed(data)), HEADER),
    of_bytes("repository._format.pack.open_blob", lambda data: pack.open_blob(KEY, data, len(PLAIN)), sealed(FRAME)),
    of_bytes("(the blob inside)", lambda data: pack.open_blob(KEY, sealed(data), len(PLAIN)), FRAME),
    of_bytes("repository._format.seal.unseal", lambda data: seal.unseal(KEY, data), sealed(PLAIN)),
    of_bytes("repository._format.frames.decompress", lambda data: frames.decompress(data, 1 << 16), FRAME),
    of_text("repository._format.text.unquote", text.unquote, r"a\xff\u00e4\"\n"),
    of_text("repository._format.text.time_ns", text.time_ns, "2026-01-01T00:00:00.123456789+01:00", "0000-01-01T00:00:00Z"),
    of_text("model.archiving.parse_time_name", parse_time_name, "20260501T140533.123456789Z"),
    of_bytes("model.archiving.parse_lineage_path", parse_lineage_path, b"/20260501T140533.123456789Z/srv/a"),
    of_bytes(
        "model.archiving.parse_stub",
        lambda target: parse_stub(b"/h/recall", target),
        b"/h/recall/0123456789abcdef0123456789abcdef/20260501T140533.123456789Z/srv/a",
    ),
    of_text("model.downloads.parse_token", parse_token, token_of(b'{"id":"0"}', b"signature")),
    of_text("model.moments.parse_address", parse_address, "files1/documents@2026-01-31T12:00:00.5Z", "d@2026-01-31T12:00:00+01:00"),
    of_bytes("repository.continuous.lineage.parse_name", parse_name, b"letter\xff@2026-01-31T12:00:00.5Z"),
    of_bytes("repository.moment_record.decode_followed", moment_record.decode_followed, moment_record.encode(FOLLOWED)),
    of_bytes("repository.moment_record.decode_part", decode_and_merge, moment_record.encode(LOG)),
    of_text("repository.catalog.search_pattern.search_pattern", search_pattern, "/srv/**/[a-z]*.txt"),
    of_file(
        "repository.care.last_check.load_last_check host.home_records.load_record",
        "last-check.json",
        lambda folder: load_last_check(folder, ID),
        msgspec.json.encode(LastCheck(repository=ID, at=MOMENT, ok=True, read_data=True)),
    ),
    of_file(
        "repository.care.scrubbing.load_scrub",
        "scrub.json",
        lambda folder: load_scrub(folder, ID),
        msgspec.json.encode(ScrubRecord(repository=ID, at=MOMENT)),
    ),
    of_file(
        "delivery.spool.stand.load_stand",
        "stand",
        load_stand,
        msgspec.msgpack.encode(Stand(Cursor(Epoch("e" * 32), 7), MOMENT)),
    ),
    of_file("delivery.spool.cipher.load_key", ".spool", lambda folder: load_spool_key(folder, SystemEntropy()), b"ab" * 32 + b"\n"),
    of_file("delivery.spool.RunFile", "7.run", lambda folder: RunFile(folder / "7.run", bytes(32), "d"), b"\xf5HS1" + bytes(60)),
    of_file(
        "backend.capabilities.load_capabilities",
        "capabilities.json",
        lambda folder: load_capabilities(folder / "capabilities.json"),
        b'{"probed_at":"2026-01-01T00:00:00Z","conditional_put":true,"versioned":false}',
    ),
    of_file(
        "backend.credentials.read_credentials",
        "main.s3",
        lambda folder: read_credentials([folder / "main.s3"]),
        b"access_key_id=A\nsecret_access_key=S\n",
        b'{"access_key_id":"A","secret_access_key":"S"}',
    ),
    of_file("node.bounds.limits.load_limits", "limits.toml", load_limits, b'read = ["/srv"]\nwrite = ["/srv/x"]\nhooks = "/etc/h"\n'),
    of_file("node.config.load_config", "config/node.json", load_node_config, b'{"environment":"e","node":"n"}'),
    of_file("node.membership.rule_store.load_signing_key", "rules/signing.key", load_signing_key, bytes(32)),
    of_file(
        "master.safety.sealing.load_export_key",
        "export-key.json",
        lambda folder: load_export_key(folder, SystemEntropy()),
        b'{"key":"AAAA","kits":[{"id":"a","made_at":"t","salt":"AAAA","wrapped":"AAAA"}]}',
    ),
    of_file("master.config.load_config", "master.json", load_master_config, b'{"environment":"office","names":["a"],"home":"/x"}'),
    of_file("cli.home.load_session", "client.json", load_session, b'{"url":"https://h","token":"t"}'),
    of_bytes(
        "model.rules.decode_rules",
        rules.decode_rules,
        b'{"environment":"e","environment_name":"n","node":"n","node_name":"n","generation":1,"created_at":"2026-01-01T00:00:00Z"}',
        also=UNREADABLE,
    ),
    of_bytes("wire.identity.load_key", identity.load_key, identity.new_key(), LOCKED_KEY),
    of_bytes("(certificates)", certificate, CERTIFICATE),
    of_bytes("(signing requests)", identity.key_id_of_csr, identity.make_csr(identity.new_key())),
    of_bytes("(orders, signed)", signed_order, ORDER),
    of_bytes("(orders, unsigned)", unsigned_order, ORDER),
    of_file("(used orders)", "orders.db", use_orders, database(use_orders, "orders.db"), also=(sqlite3.Error,)),
    of_file("(the journal)", "node.db", use_journal, database(use_journal, "node.db"), also=(sqlite3.Error,)),
    of_file("(rules on disk)", "rules/current.json", use_rules, msgspec.json.encode(sign(source_rules(), AUTHORITY))),
    of_file("(the state of a source)", "state.db", use_state, database(use_state, "state.db")),
    of_file("(the records of a mirror)", ".holdfast-copy/mirror.db", use_mirror, database(use_mirror, ".holdfast-copy/mirror.db")),
    of_text("node.membership.enrol.parse_join_token", parse_join_token, "hf1.mfrggzdfmztwq2lk." + ID),
    of_text("(secrets of tokens, sessions and links)", secret_hash, "a secret"),
    of_text("(texts merged)", merged, DOCUMENT.decode(), THEIRS.decode()),
    of_text("(texts edited)", edited, DOCUMENT.decode()),
    of_text("compiler.parse.parse_document compiler.yaml_tree.load_tree", parse_document, DOCUMENT.decode()),
    of_text("model.kit.read_code", kit.read_code, kit.new_code(ENTROPY)),
    of_text("model.windows.parse_window", windows.parse_window, "Mon-Fri 20:00-06:00", "1,15 00:00-24:00"),
    of_text("model.windows.parse_trigger_time", windows.parse_trigger_time, "03:30", "first sat 01:00", "day last 23:00"),
    of_text("model.spans.parse_zone", spans.parse_zone, "Europe/Berlin", "../../etc/passwd"),
    of_text("model.approvals.parse_acts", lambda text: parse_acts(text.split(",")), "prune,forget"),
    of_text("model.maintenance.parse_subset", parse_subset, "1/7", "5%", "2G"),
    of_text("model.drills.parse_sample", parse_sample, "100 files", "1%", "all"),
    of_text("model.regular_syntax.parse_regular", parse_regular, "a(b|c)*[d-f]{2,3}$", "^\\w+?\\.[^x]"),
    of_bytes("model.audit.decode_record", decode_record, b'{"number":1}'),
    of_bytes("model.audit.decode_line", decode_line, msgspec.json.encode(StoredRecord("{}", "0" * 64))),
    of_text("model.searching.decode_cursor", decode_cursor, encode_cursor({"a": Place(b"name", 3), "b": None})),
    of_text("model.orders.parse_owner_change", parse_owner_change, "ann:1005", "1000:ben"),
    of_text("model.adoption.parse_bind", parse_bind, "files1/documents=old:/srv/documents"),
    of_text("model.object_location.parse_object_location", parse_object_location, "s3://bucket/prefix?endpoint=https://s3.example.net"),
    of_text("core.units.parse_duration_s", units.parse_duration_s, "1h30m", "365d"),
    of_text("core.units.parse_size_bytes", units.parse_size_bytes, "50MB", "3 GiB"),
    of_text("core.units.parse_rate_bytes_s", units.parse_rate_bytes_s, "50MB/s"),
    of_text(
        "core.units.parse_time",
        lambda words: units.parse_time(words, MOMENT),
        "2026-01-01T10:00:00+02:00",
        "3h ago",
        "0001-01-01T00:00:00+14:00",
        "9999y ago",
    ),
    of_text("core.units.parse_since", lambda words: units.parse_since(words, MOMENT), "30d", "9999y", "2026-01-01T10:00:00+02:00"),
)
# Named like parsers, and why they are not in the table.
ELSEWHERE = {
    "backend.caching.load_tree": "the name of a seam; it gives bytes",
    "backend.read_cache.load_tree": "gives bytes of a file, whose name is their hash",
    "compiler.parse_flows.parse_flows": "through parse_document",
    "compiler.parse_operations.parse_keep": "through parse_document",
    "compiler.parse_window.parse_mover_window": "through parse_document",
    "compiler.parse_operations.parse_operation": "through parse_document",
    "compiler.parse_part.parse_classification": "through the API (api/test_hostile_callers.py), of values that JSON has made",
    "compiler.parse_part.parse_keep_part": "as parse_classification",
    "compiler.parse_part.parse_schedule_part": "as parse_classification",
    "compiler.parse_places.parse_groups": "through parse_document",
    "compiler.parse_places.parse_nodes": "through parse_document",
    "compiler.parse_places.parse_repositories": "through parse_document",
    "compiler.parse_places.parse_schedules": "through parse_document",
    "compiler.parse_policies.parse_policies": "through parse_document",
    "repository.packs.storage.load_blob": "open_blob, and the hash of what comes out",
    "repository.packs.storage.load_document": "decode_document, and the hash of what was read",
    "repository.packs.trees.load_many": "open_blob; trees are decoded by split_tree and decode_tree",
    "wire.identity.load_credentials": "gives bytes; load_key and the TLS library read them",
}

NASTY = (
    *(b"", b"\0", b"\xff\xfe", b"\xc3\x28", b"null", b"[]", b"{}", b'"\xff"', b"-1", b"1e999", b"9" * 400, b"\x00" * 4_096),
    *(b"[" * 200_000, b'{"a":' * 100_000, b"\x91" * 200_000, b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff"),
    *(b"\xc6\xff\xff\xff\xff", b"\xef\xbb\xbf{}"),
)


@st.composite
def damaged(draw: st.DrawFn, examples: tuple[bytes, ...]) -> bytes:
    """An example with bits flipped, cut, pieces doubled, taken out, or put in from elsewhere: numbers, brackets, bytes that are no text."""
    data = bytearray(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.sampled_from(("flip", "cut", "double", "delete", "insert", "replace"))):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at:]
            case "double":
                data[at:at] = data[at:end]
            case "delete":
                del data[at:end]
            case "insert":
                data[at:at] = draw(st.sampled_from(_PIECES))
            case _:
                data[at:end] = draw(st.binary(max_size=8))
    return bytes(data)


_PIECES = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"99999999999999999999999",
    b"-1",
    b"1e400",
    b"null",
    b"[",
    b"{",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"\xc1",
    b"%00",
    b"../",
)


def survive(parser: Parser, folder: Path, data: bytes) -> None:
    with suppress(HoldfastError, *parser.also):
        parser.call(folder, data)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        yield Path(folder)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.names)
def test_a_parser_answers_or_raises_an_error_of_ours(parser: Parser, folder: Path) -> None:
    for data in (*parser.examples, *NASTY):
        survive(parser, folder, data)

    @settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
    @given(st.one_of(damaged(parser.examples), damaged(parser.examples), st.binary(max_size=200)))
    def fuzz(data: bytes) -> None:
        survive(parser, folder, data)

    fuzz()


def test_no_parser_is_missing_from_the_table() -> None:
    known = {name for parser in PARSERS for name in parser.names.split()} | set(ELSEWHERE)
    found = {
        ".".join(path.relative_to(SOURCES).with_suffix("").parts) + "." + node.name
        for path in SOURCES.rglob("*.py")
        if "testing" not in path.relative_to(SOURCES).parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(("decode_", "parse_", "load_"))
    }
    assert sorted(found - known) == []
    assert sorted(set(ELSEWHERE) - found) == []
