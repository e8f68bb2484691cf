"""Setting up a Master: its authority, its records, the admin account."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from holdfast.core.clock import Clock, now
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, UsageError
from holdfast.core.ids import EnvironmentId, new_id
from holdfast.core.private_files import make_private_folder
from holdfast.master.config import MasterConfig, save_config
from holdfast.master.documents.environment import first_revision
from holdfast.master.people.access import ADMIN, new_secret, new_token
from holdfast.master.people.passwords import hash_password
from holdfast.master.records import access, documents, permissions
from holdfast.master.records.database import Database
from holdfast.master.records.documents import Environment
from holdfast.model.access import ADMIN_ROLE, EVERYTHING, Grant
from holdfast.wire.authority import Authority


@dataclass(frozen=True)
class InitResult:
    """Shown once. `api_token` does not expire; `admin_password` is of the user `admin`."""

    admin_password: str = field(repr=False)
    api_token: str = field(repr=False)
    ca_pem: str
    ca_fingerprint: str


def init_master(config: MasterConfig, name: str, *, clock: Clock, entropy: Entropy) -> InitResult:
    """Make a Master in `config.home`. Raises `Conflict` when there is one, `UsageError` for a name that cannot be."""
    if not 0 < len(name) <= 63 or not name.isprintable():
        raise UsageError(f"{name!r} cannot be the name of an environment", hint="at most 63 characters on one line")
    make_private_folder(config.home)
    database = Database(config.url)
    try:
        database.migrate()
        if database.run_now(documents.environment) is not None:
            raise Conflict(f"there is a Master in {config.home} already", hint="start it with `holdfast master run`")
        # The authority first: should we die between the two, the next call finds no environment and begins anew.
        authority = Authority.create(clock=clock)
        authority.save(config.authority_folder)
        made = database.run_now(lambda s: _found(s, name, authority, clock, entropy))
        save_config(config)
        return made
    finally:
        database.close()


def _found(session: Session, name: str, authority: Authority, clock: Clock, entropy: Entropy) -> InitResult:
    at = now(clock)
    documents.found(session, Environment(EnvironmentId(new_id(entropy)), name), at)
    documents.add_revision(session, first_revision(name, at))
    password = new_secret(entropy, 15)
    access.set_password(session, ADMIN, hash_password(password))
    permissions.add_grant(session, Grant(user=ADMIN, role=ADMIN_ROLE.name, group=EVERYTHING))
    token, secret = new_token(entropy, ADMIN, "init", at, None)
    access.add_api_token(session, token)
    return InitResult(admin_password=password, api_token=secret, ca_pem=authority.ca_pem.decode(), ca_fingerprint=authority.fingerprint)
