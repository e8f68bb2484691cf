"""One examination from beginning to end. Whatever fails is a finding; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from holdfast import __version__
from holdfast.core.clock import Clock, now
from holdfast.core.errors import HoldfastError
from holdfast.model.doctor import Examined
from holdfast.model.jobs import Finding, Severity
from holdfast.model.object_location import is_object_location, parse_object_location
from holdfast.model.rules import Rules
from holdfast.node.bounds.limits import check_rules, load_limits
from holdfast.node.config import NodeConfig, load_config, socket_path
from holdfast.node.doctor import facts, judged, reaching
from holdfast.node.membership.enrol import renewal_due
from holdfast.node.membership.rule_store import RuleStore
from holdfast.wire.identity import certificate_of, load_credentials


def examine(home: Path, *, clock: Clock) -> Examined:
    """Blocks for a few seconds where somebody does not answer. Raises `UsageError` when no node lives in `home`."""
    config = load_config(home)
    found: list[Finding] = []
    rules = None
    try:
        store = RuleStore(home, environment=config.environment, node=config.node)
        rules = store.current
        if rules is None:
            hint = "activate a flow in which this node stands"
            found.append(Finding(code="no-rules", severity=Severity.INFO, message="it has no rules yet", hint=hint))
    except HoldfastError as error:
        found.append(Finding.of_error("rules-damaged", error.facts()))
    if not socket_path(home).exists():
        hint = "`systemctl start holdfast-node`, or `holdfast node run`"
        found.append(Finding(code="agent-stopped", severity=Severity.ERROR, message="no agent runs here", hint=hint))
    found += [*_machine(rules, clock), *_home(home, rules), *_certificate(home, clock), *_reached(home, config, rules, clock)]
    return Examined(node=config.name, version=__version__, findings=tuple(found))


def _machine(rules: Rules | None, clock: Clock) -> Iterator[Finding]:
    yield judged.kernel(*facts.kernel_release())
    yield judged.rights(os.geteuid(), facts.missing_capabilities())
    yield judged.memory(*facts.memory())
    refusal = facts.fanotify_refusal()
    allowed = facts.number_in("/proc/sys/fs/inotify/max_user_watches")
    yield judged.watching(refusal, facts.count_folders(_followed(rules), allowed + 1, clock) if refusal else 0, allowed)
    yield judged.fuse(*facts.has_fuse())
    for dataset in () if rules is None else rules.datasets:
        for root in dataset.classification.paths:
            kind, can_snapshot, shares = facts.file_system_of(root)
            wants = dataset.classification.consistent == "snapshot"
            yield judged.file_system(root, kind, wants_snapshot=wants, can_snapshot=can_snapshot, shares=shares)


def _followed(rules: Rules | None) -> list[str]:
    if rules is None:
        return []
    continuous = {delivery.dataset for delivery in rules.deliveries if delivery.mode == "continuous"}
    return [path for dataset in rules.datasets if dataset.id in continuous for path in dataset.classification.paths]


def _home(home: Path, rules: Rules | None) -> Iterator[Finding]:
    places = [("HOME", str(home)), ("the spool", str(home / "spool"))]
    repositories = () if rules is None else rules.repositories
    places += [(f"repository {each.name}", each.location) for each in repositories if not is_object_location(each.location)]
    for what, path in places:
        if (space := facts.space_at(path)) is not None:
            yield judged.space(what, path, *space)
    try:
        limits = load_limits(home, [each.location for each in repositories])
    except HoldfastError as error:
        yield from judged.limits((error.facts(),))
        return
    yield from limits.findings or judged.limits(() if rules is None else check_rules(rules, limits))


def _certificate(home: Path, clock: Clock) -> Iterator[Finding]:
    try:
        pem = load_credentials(home / "identity").cert_pem
    except HoldfastError as error:
        yield Finding.of_error("certificate", error.facts())
        return
    yield judged.certificate(certificate_of(pem).not_valid_after_utc, now(clock), is_due=renewal_due(pem, clock))


def _reached(home: Path, config: NodeConfig, rules: Rules | None, clock: Clock) -> Iterator[Finding]:
    try:
        refusal, theirs, ahead_s = reaching.ask_master(config.master_url, load_credentials(home / "identity").ca_pem, clock)
    except HoldfastError:
        return
    yield judged.reach("the Master", config.master_url, refusal)
    if theirs:
        yield judged.version(__version__, theirs)
    if ahead_s is not None:
        yield judged.clock(ahead_s)
    needed = [("the Master's hub", config.hub_address), *_needed(rules)]
    with ThreadPoolExecutor(max_workers=16) as asking:
        refusals = asking.map(lambda each: reaching.refusal_at(*reaching.host_and_port(each[1])), needed)
        yield from (judged.reach(who, address, refused) for (who, address), refused in zip(needed, refusals, strict=True))


def _needed(rules: Rules | None) -> list[tuple[str, str]]:
    """Whom this node dials for what its rules ask: receivers that do not dial themselves, senders that do not, and object stores."""
    if rules is None:
        return []
    sent = (*rules.deliveries, *(cascade.delivery for cascade in rules.cascades))
    dialled = {delivery.receiver for delivery in sent if delivery.dial == "from"} | {pull.sender for pull in rules.pulls}
    nodes = [(f"node {peer.name}", peer.address) for peer in rules.peers if peer.id in dialled - {rules.node} and peer.address]
    stores = [each for each in rules.repositories if is_object_location(each.location)]
    return nodes + [(f"the store of repository {each.name}", parse_object_location(each.location).url) for each in stores]
