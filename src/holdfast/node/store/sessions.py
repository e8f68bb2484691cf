"""The sessions a store worker takes: who may deliver what, who may read what, and what is done with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from holdfast.core.clock import Clock, now, ns_of
from holdfast.core.errors import HoldfastError, NotGranted, NotReachable, Refused, facts_of
from holdfast.core.ids import DatasetId, NodeId, RepositoryId
from holdfast.delivery.archiving import PutFiles
from holdfast.delivery.copies import GiveBlobs
from holdfast.delivery.forward import ForwardAction
from holdfast.delivery.limit import Limit
from holdfast.delivery.narrowing import OnlyNames, OnlyPaths, OnlyWhile
from holdfast.delivery.ports import Action, Opening
from holdfast.delivery.reading import OpenReader, serve_read
from holdfast.delivery.receiver import serve_delivery
from holdfast.delivery.trials import OnTrial
from holdfast.delivery.verify import Verifier
from holdfast.mirror.mirror import MirrorStore
from holdfast.mirror.reading import MirrorReader
from holdfast.model import rules as model
from holdfast.model.change import Amount, Commit, Cursor
from holdfast.model.jobs import Event, Finding, Severity
from holdfast.model.moments import archive_of
from holdfast.model.orders import RestoreOrder
from holdfast.model.points import Point
from holdfast.model.reading import PointReader
from holdfast.model.rules import archived_by
from holdfast.node.bounds.limits import load_limits
from holdfast.node.drills.records import DrillTools, record_tried
from holdfast.node.drills.verdicts import Tried
from holdfast.node.owned.repositories import Repositories
from holdfast.node.restoring.orders import OrderBook
from holdfast.node.store.copies import give_copy, mirror_action
from holdfast.node.workers.dial import Dialler
from holdfast.node.workers.messages import Configure, EventNews, FromWorker, PointsMade
from holdfast.operations.connecting import timetable_of
from holdfast.repository.archiving.archive import ArchivedFrom
from holdfast.wire.channel import Channel
from holdfast.wire.data_messages import ActionState, DataMessage, DrillOutcome, Open, OpenArchive, OpenCopy, OpenRead
from holdfast.wire.data_server import run_handler
from holdfast.wire.lines import Lines, hand_on_line
from holdfast.wire.queue_channel import QueueChannel

_LONGEST = 2_000
"""So much of what another machine says goes into the book and the log."""


class Sessions:
    """`deliver` and `read` are the handlers of the data server and of the local socket; each call serves one session in its own thread."""

    def __init__(
        self, home: Path, repositories: Repositories, orders: OrderBook, send: Callable[[FromWorker], None], drills: DrillTools
    ) -> None:
        self.lines = Lines()
        self._home = home
        self._repositories = repositories
        self._orders = orders
        self._send = send
        self._drills = drills
        self._clock: Clock = drills.clock
        self._verifier = Verifier()
        self._mirrors = MirrorStore(home)
        self._configured: Configure | None = None

    def configure(self, configured: Configure) -> None:
        """Sessions opened from now on follow these rules; open ones end by theirs."""
        self._configured = configured

    def deliver(self, channel: Channel) -> None:
        with ExitStack() as places:
            serve_delivery(
                channel,
                open_actions=lambda sender, opening: self._open_actions(sender, opening, places),
                verifier=self._verifier,
                on_finding=lambda finding: self._event(finding, channel.peer),
            )

    def read(self, channel: Channel) -> None:
        self._serve(channel, self._open_reader)

    def read_here(self, channel: Channel) -> None:
        """For this machine's own processes, which run as the user who holds the key: without an order they may read every point."""
        self._serve(channel, self._open_reader_here)

    def _serve(self, channel: Channel, open_reader: OpenReader) -> None:
        serve_read(channel, open_reader=open_reader, open_copy=self._open_copy, open_archive=self._open_archive, on_refused=self._refused)

    def park(self, channel: QueueChannel) -> None:
        """For those that dial to be sent something: only whom the rules name."""
        rules = self._must_be_configured().rules
        if channel.peer not in rules.awaited():
            raise NotGranted(
                f"{_name_of(rules, channel.peer)} dials, and no mover to it says `dial: to`",
                hint="activate the flow again",
            )
        self.lines.park(channel)

    def hand_on_line(self, channel: Channel) -> None:
        """For this machine's own processes."""
        hand_on_line(channel, self.lines, {peer.id: peer.name for peer in self._must_be_configured().rules.peers})

    def pulled(self, channel: Channel, first: DataMessage) -> None:
        """A line that this node has dialled, and on which the other end has begun. A vault gives nothing out on it."""
        if isinstance(first, Open):
            run_handler(self.deliver, channel)
        else:
            run_handler(_refuse_reading if load_limits(self._home).vault_s is not None else self.read, channel)

    def close(self) -> None:
        self._verifier.close()

    def _open_actions(self, sender: NodeId, opening: Open, places: ExitStack) -> Opening:
        """`places`: what is given back when the session is over."""
        configured = self._must_be_configured()
        receive = _receive_of(configured.rules, sender, opening.dataset)
        if receive is None:
            raise NotGranted(
                f"this node has no grant for {_name_of(configured.rules, sender)} to deliver this dataset",
                hint="activate the flow again; rules may still be on their way",
                dataset=opening.dataset,
                sender=sender,
            )
        actions: list[Action] = []
        unavailable: list[ActionState] = []
        for rule in receive.actions:
            if rule.id not in opening.actions:
                continue
            try:
                # What cannot be opened leaves its place at once: the session may go on for hours with other actions.
                with ExitStack() as place:
                    if isinstance(rule, model.StoreAction):
                        name = _name_of(configured.rules, sender)
                        place.callback(self._repositories.delivering.take(rule.repository, receive, name))
                    actions.append(self._build(rule, receive, configured.rules, adopt=opening.adopt))
                    places.callback(place.pop_all().close)
            except (HoldfastError, OSError) as error:
                unavailable.append(ActionState(action=rule.id, error=facts_of(error)))
        return Opening(actions=tuple(actions), unavailable=tuple(unavailable))

    def _build(self, rule: model.Action, receive: model.Receive, rules: model.Rules, *, adopt: bool) -> Action:
        match rule:
            case model.StoreAction():
                repository, rule = rule.repository, load_limits(self._home).vaulted(rule)
                return self._repositories.get(repository).store_action(
                    rule, receive, lambda commit, operations, amount: self._points_made(repository, commit, operations, amount)
                )
            case model.MirrorAction():
                limits = load_limits(self._home, [repository.location for repository in rules.repositories])
                return self._mirrors.open_mirror(rule, receive, clock=self._clock, adopt=adopt, check_write=limits.check_mirror)
            case model.ForwardAction():
                return self._forward(rule, rules, adopt=adopt)

    def _forward(self, rule: model.ForwardAction, rules: model.Rules, *, adopt: bool) -> Action:
        delivery = next((delivery for delivery in rules.deliveries if delivery.id == rule.delivery), None)
        if delivery is None:
            raise NotGranted("the relay's rules name no onward delivery", hint="activate the flow again")
        opening = Open(dataset=delivery.dataset, actions=delivery.actions, generation=rules.generation, adopt=adopt)
        timetable = timetable_of(delivery, self._clock)
        limit = Limit(timetable, clock=self._clock, wait=threading.Event().wait) if timetable.is_limiting else None
        dialler = Dialler(self._home, rules, lines=self.lines)

        def dial() -> Channel:
            timetable.check()
            return dialler.deliver(delivery.receiver)

        return ForwardAction(rule.id, opening, dial, limit)

    def _open_reader(self, peer: NodeId, opening: OpenRead) -> tuple[Cursor | None, PointReader | None]:
        configured = self._must_be_configured()
        if opening.order is not None:
            order = self._orders.accept(opening.order, signing_key=configured.signing_key, reader=peer, owner=configured.rules.node)
            if order.mirror:
                mirror = MirrorReader(mirror_action(configured.rules, order.dataset, order.mirror), order.dataset, order.stands_at)
                return mirror.cursor, OnlyPaths(mirror, order.paths)
            point, cursor, reader = self._opened_point(order.repository, order.dataset, order.point, order.paths)
            if order.drill:
                return cursor, OnTrial(reader, lambda outcome: self._tried(outcome, order, point, configured.rules))
            if order.lasting:
                return cursor, self._until_its_end(reader, order)
            return cursor, OnlyNames(reader) if order.names_only else reader
        granted = _granted(configured.rules, peer, opening)
        if granted is not None:
            return self._read_point(granted, opening.dataset, opening.point, ())
        newest = self._repositories.get(_own_store(configured.rules, peer, opening)).newest(opening.dataset)
        # Sources are write-only: to make its lost state anew a source is shown names and chunk ids, never content.
        return (None, None) if newest is None else (newest[0], OnlyNames(newest[1]))

    def _open_reader_here(self, peer: NodeId, opening: OpenRead) -> tuple[Cursor | None, PointReader | None]:
        if opening.order is None and opening.repository and opening.point:
            return self._read_point(opening.repository, opening.dataset, opening.point, ())
        return self._open_reader(peer, opening)

    def _open_copy(self, peer: NodeId, opening: OpenCopy) -> GiveBlobs:
        return give_copy(peer, opening, self._must_be_configured().rules, self._repositories)

    def _open_archive(self, peer: NodeId, opening: OpenArchive) -> PutFiles:
        rules = self._must_be_configured().rules
        receive = _receive_of(rules, peer, opening.dataset)
        action = next((action for action in receive.actions if action.id == opening.action), None) if receive is not None else None
        stored = archived_by(action) if isinstance(action, model.StoreAction) else None
        if receive is None or stored is None or not isinstance(action, model.StoreAction):
            hint = "activate the flow again; rules may still be on their way"
            raise NotGranted(f"{_name_of(rules, peer)} may not archive this dataset here", hint=hint)
        archive = self._repositories.get(action.repository).archive
        whose = ArchivedFrom(receive.dataset, receive.label, receive.sender)
        return lambda archived_ns, files: archive.put(whose, archived_ns, files, stored.keep_s)

    def _read_point(self, id_: RepositoryId, dataset: DatasetId, prefix: str, paths: tuple[bytes, ...]) -> tuple[Cursor, PointReader]:
        return self._opened_point(id_, dataset, prefix, paths)[1:]

    def _opened_point(
        self, id_: RepositoryId, dataset: DatasetId, prefix: str, paths: tuple[bytes, ...]
    ) -> tuple[Point, Cursor, PointReader]:
        repository = self._repositories.get(id_)
        point = repository.point(prefix)
        if point.dataset_id != dataset:
            raise NotGranted("the point is of another dataset", hint="start the restore again; each one gets an order of its own")
        return point, Cursor(point.epoch, point.seq), OnlyPaths(repository.reader(point), paths)

    def _tried(self, outcome: DrillOutcome, order: RestoreOrder, point: Point, rules: model.Rules) -> None:
        """What another machine says came of the drill it was ordered to make, of the point as it was when that began: it may have expired
        meanwhile."""
        repository = self._repositories.get(order.repository)
        tried = Tried(
            job=outcome.job,
            files=outcome.files,
            size_bytes=outcome.size_bytes,
            problem=_plain(outcome.problem),
            note=_plain(outcome.note),
            on=order.reader_name or _name_of(rules, order.reader),
        )
        record_tried(self._drills, repository, point, tried, rules.node)

    def _until_its_end(self, reader: PointReader, order: RestoreOrder) -> PointReader:
        ended = NotGranted(f"the order ended at {order.expires_at.isoformat()}", hint="the reader is to get a new one from the Master")
        return OnlyWhile(reader, lambda: ended if now(self._clock) >= order.expires_at else None)

    def _points_made(self, repository: RepositoryId, commit: Commit, operations: tuple[str, ...], amount: Amount) -> None:
        at_ns, dataset = ns_of(commit.captured_at), commit.dataset
        self._send(PointsMade(repository=repository, dataset=dataset, operations=operations, captured_at_ns=at_ns, amount=amount))

    def _refused(self, peer: NodeId, error: HoldfastError) -> None:
        if isinstance(error, Refused):
            finding = Finding(code=error.code, severity=Severity.ERROR, message=f"a read was refused: {error.message}", hint=error.hint)
            self._event(finding, peer)

    def _event(self, finding: Finding, peer: NodeId) -> None:
        """For the log that people read; the machines' names rather than their ids."""
        configured = self._configured
        if configured is None:
            return
        name = _name_of(configured.rules, peer)
        self._send(
            EventNews(
                event=Event(
                    code=finding.code,
                    severity=finding.severity,
                    message=finding.message.replace(peer, name),
                    node=configured.rules.node,
                    time=now(self._clock),
                    facts={"peer": peer, "name": name},
                )
            )
        )

    def _must_be_configured(self) -> Configure:
        if self._configured is None:
            raise NotReachable("this node is starting and has no rules yet", hint="it is tried again by itself")
        return self._configured


def _refuse_reading(channel: Channel) -> None:
    raise NotGranted(f"{channel.peer} asked to read, and this machine is a vault: it gives nothing out", hint="restore on the vault itself")


def _receive_of(rules: model.Rules, sender: NodeId, dataset: DatasetId) -> model.Receive | None:
    return next((receive for receive in rules.receives if receive.sender == sender and receive.dataset == dataset), None)


def _granted(rules: model.Rules, reader: NodeId, opening: OpenRead) -> RepositoryId | None:
    """The repository in which a grant lets this reader read what was archived of the dataset; None where something else is asked for."""
    if opening.point != archive_of(opening.dataset):
        return None
    grants = (grant.repository for grant in rules.reads if (grant.reader, grant.dataset) == (reader, opening.dataset))
    return next((repository for repository in grants if opening.repository in ("", repository)), None)


def _own_store(rules: model.Rules, reader: NodeId, opening: OpenRead) -> RepositoryId:
    """The repository that stores what this reader itself delivers. Raises `NotGranted`, also for any but its newest state."""
    receive = _receive_of(rules, reader, opening.dataset) if not opening.point else None
    stores = [action.repository for action in receive.actions if isinstance(action, model.StoreAction)] if receive else []
    for repository in stores:
        if opening.repository in ("", repository):
            return repository
    raise NotGranted(
        f"{_name_of(rules, reader)} may not read this dataset here without an order",
        hint="restore through the Master, which signs an order",
    )


def _name_of(rules: model.Rules, node: NodeId) -> str:
    if node == rules.node:
        return rules.node_name
    return next((peer.name for peer in rules.peers if peer.id == node), node)


def _plain(text: str) -> str:
    """What another machine says, for a line of the log: not refused for how it is written."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST])
