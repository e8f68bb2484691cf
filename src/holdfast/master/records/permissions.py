"""Users, roles, resource groups and grants as rows. Every change here counts `access_version` up, so that whoever keeps what they come to
sees that it is old: in this process or another (`holdfast master password`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from holdfast.core.errors import Conflict, Refused, UnknownName
from holdfast.master.records.tables import AccessVersionRow, ApiTokenRow, BrowserSessionRow, GrantRow, ResourceGroupRow, RoleRow, UserRow
from holdfast.model.access import (
    ALL,
    BUILTIN_ROLES,
    EVERYTHING,
    Activity,
    Grant,
    ResourceGroup,
    Rights,
    Role,
    Scope,
    may_everywhere,
    rights_of,
)


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: when the directory last said that the user is in order; None = it says so no more."""

    directory: str
    at: datetime | None


class AccessTables(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides who may do what, as of `version`. `users`: by name, whether they are disabled. `vouched`: those of directories."""

    version: int
    users: Mapping[str, bool]
    vouched: Mapping[str, Vouched]
    roles: Mapping[str, Role]
    groups: Mapping[str, ResourceGroup]
    grants: tuple[Grant, ...]

    def rights(self, user: str, scope: Scope | None = None) -> Rights:
        """Of a user who is disabled, or not there: none."""
        if self.users.get(user, True):
            return Rights(user=user)
        return rights_of(user, self.grants, self.roles, self.groups, scope)

    @property
    def managers(self) -> frozenset[str]:
        """Who may manage access."""
        return frozenset(user for user in self.users if may_everywhere(self.rights(user), Activity.ACCESS_MANAGE))

    @property
    def local_managers(self) -> frozenset[str]:
        """Those of them who come in when every directory is away."""
        return self.managers - self.vouched.keys()


def version(session: Session) -> int:
    return session.scalar(select(AccessVersionRow.number)) or 0


def load(session: Session) -> AccessTables:
    own = {row.name: msgspec.json.decode(row.record, type=Role) for row in session.scalars(select(RoleRow))}
    made = {row.name: msgspec.json.decode(row.record, type=ResourceGroup) for row in session.scalars(select(ResourceGroupRow))}
    grants = session.scalars(select(GrantRow).order_by(GrantRow.user, GrantRow.role, GrantRow.resource_group))
    users = session.scalars(select(UserRow).order_by(UserRow.name)).all()
    return AccessTables(
        version=version(session),
        users={row.name: row.disabled for row in users},
        vouched={row.name: Vouched(directory=row.directory, at=row.vouched_at) for row in users if row.directory},
        roles={**BUILTIN_ROLES, **dict(sorted(own.items()))},
        groups={EVERYTHING: ALL, **dict(sorted(made.items()))},
        grants=tuple(Grant(user=row.user, role=row.role, group=row.resource_group, directory=row.directory) for row in grants),
    )


def changed(session: Session) -> None:
    """To be called by whatever changes who may do what, in its transaction."""
    session.flush()
    counted = session.execute(update(AccessVersionRow).values(number=AccessVersionRow.number + 1)).rowcount  # type: ignore[attr-defined]
    if not counted:
        session.add(AccessVersionRow(id=1, number=1))
        session.flush()


def add_user(session: Session, name: str, password_hash: str) -> None:
    """Raises `Conflict` when there is one."""
    if session.get(UserRow, name) is not None:
        raise Conflict(f"there is a user {name!r} already", hint="`holdfast user ls` lists them", user=name)
    session.add(UserRow(name=name, password_hash=password_hash, disabled=False))
    changed(session)


def set_user_password(session: Session, name: str, password_hash: str) -> None:
    """Their browsers are signed out. Raises `UnknownName`, `Refused` for a user of a directory."""
    row = _user(session, name)
    if row.directory:
        raise Refused(f"{name} signs in by the directory {row.directory}, and has no password here", hint="it is changed there", user=name)
    row.password_hash = password_hash
    session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.user == name))


def set_user_disabled(session: Session, name: str, is_disabled: bool) -> None:
    """Raises `UnknownName`, and `Refused` for the last who may manage access."""
    before = load(session)
    _user(session, name).disabled = is_disabled
    if is_disabled:
        session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.user == name))
    changed(session)
    _refuse_lock_out(session, before)


def remove_user(session: Session, name: str) -> None:
    """With all that is theirs: tokens, sessions, grants. Raises as `set_user_disabled`."""
    before = load(session)
    row = _user(session, name)
    session.execute(delete(BrowserSessionRow).where(BrowserSessionRow.user == name))
    session.execute(delete(ApiTokenRow).where(ApiTokenRow.user == name))
    session.execute(delete(GrantRow).where(GrantRow.user == name))
    session.delete(row)
    changed(session)
    _refuse_lock_out(session, before)


def put_role(session: Session, role: Role) -> None:
    """Make it, or change what it gives. Raises `Refused` for a built-in one, and for the last that lets anybody manage access."""
    if role.name in BUILTIN_ROLES:
        raise Refused(f"the role {role.name} is built in and stays as it is", hint="make one of another name", role=role.name)
    before = load(session)
    session.merge(RoleRow(name=role.name, record=msgspec.json.encode(role, order="deterministic")))
    changed(session)
    _refuse_lock_out(session, before)


def remove_role(session: Session, name: str) -> None:
    """Raises `UnknownName`; `Conflict` while a grant names it, `Refused` for a built-in one."""
    if name in BUILTIN_ROLES:
        raise Refused(f"the role {name} is built in", hint="take back the grants that name it", role=name)
    row = session.get(RoleRow, name)
    if row is None:
        raise UnknownName(f"there is no role {name!r}", hint="`holdfast role ls` lists them", role=name)
    _refuse_while_granted(session, GrantRow.role == name, f"role {name}")
    session.delete(row)
    changed(session)


def put_group(session: Session, group: ResourceGroup) -> None:
    """Make it, or change what is in it. Raises `Refused` for the one that has everything."""
    if group.name == EVERYTHING:
        raise Refused(f"the group {EVERYTHING} is built in and stays as it is", hint="make one of another name", group=group.name)
    session.merge(ResourceGroupRow(name=group.name, record=msgspec.json.encode(group, order="deterministic")))
    changed(session)


def rename_node(session: Session, old: str, new: str) -> None:
    """Groups name nodes, and datasets on them, as the document does."""
    for group in load(session).groups.values():
        nodes = frozenset(new if name == old else name for name in group.nodes)
        datasets = frozenset(f"{new}/{label.partition('/')[2]}" if label.startswith(f"{old}/") else label for label in group.datasets)
        if (nodes, datasets) != (group.nodes, group.datasets):
            put_group(session, msgspec.structs.replace(group, nodes=nodes, datasets=datasets))


def remove_group(session: Session, name: str) -> None:
    """Raises `UnknownName`; `Conflict` while a grant names it, `Refused` for the built-in one. Tokens whose scope it was may nothing."""
    if name == EVERYTHING:
        raise Refused(f"the group {name} is built in", hint="take back the grants that name it", group=name)
    row = session.get(ResourceGroupRow, name)
    if row is None:
        raise UnknownName(f"there is no resource group {name!r}", hint="`holdfast group ls` lists them", group=name)
    _refuse_while_granted(session, GrantRow.resource_group == name, f"group {name}")
    session.delete(row)
    changed(session)


def add_grant(session: Session, grant: Grant) -> None:
    """Once more changes nothing. Raises `UnknownName` for a user, role or group that is not there."""
    known = load(session)
    _user(session, grant.user)
    for name, names, kind in ((grant.role, known.roles, "role"), (grant.group, known.groups, "group")):
        if name not in names:
            raise UnknownName(f"there is no {kind} {name!r}", hint=f"there is {', '.join(names)}", name=name)
    session.merge(GrantRow(user=grant.user, role=grant.role, resource_group=grant.group, directory=""))
    changed(session)


def remove_grant(session: Session, grant: Grant) -> None:
    """Raises `UnknownName`, and `Refused` for the last that lets anybody manage access, and for what a directory's groups brought."""
    before = load(session)
    row = session.get(GrantRow, (grant.user, grant.role, grant.group))
    if row is None:
        what = f"{grant.user} has no grant of role {grant.role} on {grant.group}"
        raise UnknownName(what, hint="`holdfast grant ls` lists them", user=grant.user)
    if row.directory:
        what = f"groups of the directory {row.directory} bring {grant.user} this grant, and would bring it again"
        raise Refused(
            what, hint="change the group there, or the mapping in the Master's configuration; or disable the user", user=grant.user
        )
    session.delete(row)
    changed(session)
    _refuse_lock_out(session, before)


def _user(session: Session, name: str) -> UserRow:
    row = session.get(UserRow, name)
    if row is None:
        raise UnknownName(f"there is no user {name!r}", hint="`holdfast user ls` lists them", user=name)
    return row


def _refuse_while_granted(session: Session, which: object, title: str) -> None:
    row = session.scalar(select(GrantRow.user).where(which).limit(1))  # type: ignore[arg-type]
    if row is not None:
        raise Conflict(f"the {title} is granted, to {row} for example", hint="take back the grants first: `holdfast grant ls`")


def _refuse_lock_out(session: Session, before: AccessTables) -> None:
    """The transaction is rolled back, where it would leave nobody who may manage access with a password of this Master's."""
    if before.local_managers and not load(session).local_managers:
        hint = "give another local user the role admin on everything first: `holdfast grant add`"
        raise Refused("nobody could manage access any more, while no directory answers", hint=hint)
