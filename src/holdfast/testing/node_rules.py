"""Rules of one node, small and complete: `files1` captures two datasets for `vault`; and the same from the view of `vault`."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from holdfast.core.ids import ActionId, DatasetId, EnvironmentId, NodeId, RepositoryId
from holdfast.model.document import Classification
from holdfast.model.rules import (
    Cascade,
    DatasetRule,
    Delivery,
    OperationRule,
    RepositoryRule,
    Rules,
    SignedRules,
    encode_rules,
    signed_bytes_of_rules,
)
from holdfast.wire.authority import Authority

ENVIRONMENT = EnvironmentId("e" * 32)
FILES1, VAULT, DR = NodeId("1" * 32), NodeId("2" * 32), NodeId("3" * 32)
DOCUMENTS, MAIL = DatasetId("d" * 32), DatasetId("f" * 32)
STORE, MIRROR = ActionId("a" * 32), ActionId("b" * 32)
MAIN = RepositoryId("c" * 32)


def operation(name: str = "backup", kind: str = "backup", **schedule: object) -> OperationRule:
    return OperationRule(name=name, kind=kind, **schedule)  # type: ignore[arg-type]


def dataset(identity: DatasetId, label: str, *operations: OperationRule) -> DatasetRule:
    return DatasetRule(
        id=identity,
        label=label,
        policy=label.rpartition("/")[2],
        classification=Classification(paths=(f"/srv/data/{label.rpartition('/')[2]}",)),
        operations=operations,
    )


def delivery(
    identity: DatasetId, *action_operations: tuple[ActionId, tuple[str, ...]], receiver: NodeId = VAULT, receiver_name: str = "vault"
) -> Delivery:
    return Delivery(
        id=f"{identity[:4]}-{receiver_name}",
        dataset=identity,
        label=f"files1/{'documents' if identity == DOCUMENTS else 'mail'}",
        receiver=receiver,
        receiver_name=receiver_name,
        actions=tuple(action for action, _ in action_operations),
        operations=tuple(name for _, names in action_operations for name in names),
        action_operations=action_operations,
    )


def source_rules(generation: int = 1, every_s: float | None = 3600, extra: tuple[OperationRule, ...] = ()) -> Rules:
    """`files1` sends documents and mail to a store on vault, documents to a mirror there too."""
    return Rules(
        environment=ENVIRONMENT,
        environment_name="office",
        node=FILES1,
        node_name="files1",
        generation=generation,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        datasets=(
            dataset(DOCUMENTS, "files1/documents", operation(every_s=every_s), operation("replicate", "replicate"), *extra),
            dataset(MAIL, "files1/mail", operation(every_s=every_s)),
        ),
        deliveries=(delivery(DOCUMENTS, (STORE, ("backup",)), (MIRROR, ("replicate",))), delivery(MAIL, (STORE, ("backup",)))),
    )


def store_rules(generation: int = 1) -> Rules:
    """`vault` owns the repository main and forwards documents to dr."""
    forward = delivery(DOCUMENTS, (STORE, ("backup",)), receiver=DR, receiver_name="dr")
    return Rules(
        environment=ENVIRONMENT,
        environment_name="office",
        node=VAULT,
        node_name="vault",
        generation=generation,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        repositories=(RepositoryRule(id=MAIN, name="main", location="/srv/holdfast/main"),),
        cascades=(Cascade(id="cascade-1", repository=MAIN, delivery=forward, after="documents/backup"),),
    )


def sign(rules: Rules, authority: Authority) -> SignedRules:
    body = encode_rules(rules)
    return SignedRules(body=body, signature=authority.sign(signed_bytes_of_rules(body)), digest=msgspec.json.encode(rules.generation).hex())
