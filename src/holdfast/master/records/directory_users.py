"""Users whom a directory outside vouches for, as rows: let in, and not vouched for any more."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from holdfast.core.errors import NotAuthenticated
from holdfast.master.records import permissions
from holdfast.master.records.tables import ApiTokenRow, BrowserSessionRow, GrantRow, UserRow
from holdfast.model.access import Grant


class Outsider(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a directory vouches for. `subject` is theirs alone there and never changes; `name` is what they are called here; `groups` are
    the directory's words."""

    directory: str
    subject: str
    name: str
    groups: tuple[str, ...]


def admit(session: Session, outsider: Outsider, grants: tuple[Grant, ...], at: datetime) -> str:
    """The name of the user that this is here, made at the first sign-in, with `grants` in place of those that groups brought before.

    Raises `NotAuthenticated` where the name is somebody else's, who is disabled, and where nothing is granted: a directory knows many who
    have no business here."""
    row = session.scalars(select(UserRow).where(UserRow.directory == outsider.directory, UserRow.subject == outsider.subject)).one_or_none()
    if row is None:
        row = _new(session, outsider)
    if row.disabled:
        raise NotAuthenticated(f"the user {row.name} is disabled", hint="whoever manages access can enable it: `holdfast user enable`")
    set_grants(session, row.name, grants)
    if session.scalar(select(GrantRow.user).where(GrantRow.user == row.name).limit(1)) is None:
        hint = f"the groups it names are mapped to roles in the Master's configuration; it names {len(outsider.groups)} for {row.name}"
        raise NotAuthenticated(f"the directory {outsider.directory} knows {row.name}, and nothing is granted to them here", hint=hint)
    row.vouched_at = at
    permissions.changed(session)
    return row.name


def set_grants(session: Session, user: str, grants: tuple[Grant, ...]) -> None:
    """What the groups of a directory bring, in place of what they brought before. What somebody here granted stays, and stays theirs; a
    role or resource group that is not there brings nothing."""
    known = permissions.load(session)
    session.execute(delete(GrantRow).where(GrantRow.user == user, GrantRow.directory != ""))
    own = {(row.role, row.resource_group) for row in session.scalars(select(GrantRow).where(GrantRow.user == user))}
    for grant in grants:
        if (grant.role, grant.group) not in own and grant.role in known.roles and grant.group in known.groups:
            session.add(GrantRow(user=user, role=grant.role, resource_group=grant.group, directory=grant.directory))
    session.flush()


def vouch_no_more(session: Session, user: str) -> None:
    """Their directory does not know them any more, or says that they are not to come in: browsers are signed out, tokens are refused, what
    groups brought is gone. The next sign-in that succeeds brings it back."""
    row = session.get(UserRow, user)
    if row is None or row.vouched_at is None:
        return
    row.vouched_at = None
    session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.user == user))
    set_grants(session, user, ())
    permissions.changed(session)


def with_credentials(session: Session, directory: str) -> tuple[str, ...]:
    """Users of the directory who could call now: they have a session or a token, and are not disabled."""
    called = select(BrowserSessionRow.user).union(select(ApiTokenRow.user))
    rows = select(UserRow.name).where(UserRow.directory == directory, UserRow.disabled.is_(False), UserRow.vouched_at.is_not(None))
    return tuple(session.scalars(rows.where(UserRow.name.in_(called)).order_by(UserRow.name)))


def _new(session: Session, outsider: Outsider) -> UserRow:
    """Who bears a name here first keeps it: nobody becomes a local user, or another's, by what a directory calls them."""
    known = session.get(UserRow, outsider.name)
    if known is not None:
        whose = f"of the directory {known.directory}" if known.directory else "with a password of its own"
        raise NotAuthenticated(
            f"the name {outsider.name} belongs to another user here, {whose}", hint="one of the two has to be renamed or removed"
        )
    row = UserRow(name=outsider.name, password_hash="", disabled=False, directory=outsider.directory, subject=outsider.subject)
    session.add(row)
    session.flush()
    return row
