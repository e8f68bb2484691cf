"""An activation is all or nothing, also when the Master or its database dies in it.

What it does is written in one transaction with a note of what was before; the note goes when the activation is over. A note that is found
later is of one that was cut off: it is taken back when a node refused, else it stands, and who has not answered yet gets its rules at its
next hello.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from holdfast.master.foundation import Foundation
from holdfast.master.records import documents, inventory
from holdfast.master.records.documents import ActiveFlow, Unsettled
from holdfast.master.rules.rollout import Issued, issue_previous
from holdfast.model.rules import decode_rules


def note_activation(session: Session, before: tuple[ActiveFlow, ...], issued: tuple[Issued, ...]) -> None:
    """To be called in the transaction that changes the flows in force."""
    generations = {
        one.stored.node: (one.stored.generation, one.previous.generation if one.previous else 0) for one in issued if one.changed
    }
    documents.begin_activation(session, Unsettled(before=before, generations=generations))


def take_back(session: Session, base: Foundation, before: tuple[ActiveFlow, ...], issued: tuple[Issued, ...]) -> tuple[Issued, ...]:
    """Everybody gets the old rules again, under new numbers."""
    documents.set_active(session, before)
    documents.end_activation(session)
    return issue_previous(session, base, issued)


def settle(session: Session, base: Foundation) -> tuple[Issued, ...]:
    """End the activation that was cut off, if one was. Returns rules to push: those that take it back."""
    unsettled = documents.unsettled_activation(session)
    if unsettled is None:
        return ()
    issued = _issued(session, unsettled)
    if any(one.stored.state == inventory.REFUSED for one in issued):
        return take_back(session, base, unsettled.before, issued)
    documents.end_activation(session)
    return ()


def _issued(session: Session, unsettled: Unsettled) -> tuple[Issued, ...]:
    found = []
    for node, (generation, earlier) in unsettled.generations.items():
        stored = inventory.rules_of_generation(session, node, generation)
        if stored is not None:
            before = inventory.rules_of_generation(session, node, earlier)
            previous = decode_rules(before.signed.body) if before is not None else None
            found.append(Issued(rules=decode_rules(stored.signed.body), stored=stored, previous=previous, changed=True))
    return tuple(found)
