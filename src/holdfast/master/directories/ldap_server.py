"""One LDAP directory: who somebody is there, whether the password is theirs, and in which groups they are.

A user is looked up with the account of the Master, then bound as with the password. Nothing is said before TLS, referrals are not followed,
and what was typed goes into filters escaped (RFC 4515). Calls block, and are made in threads. ldap3 comes with the extra `holdfast[ldap]`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from holdfast.core.errors import NotAuthenticated, NotReachable, UsageError
from holdfast.master.directories.fetching import tls_context
from holdfast.master.directories.provider import secret_in
from holdfast.master.directory_settings import LdapDirectory
from holdfast.master.records.directory_users import Outsider

_TIMEOUT_S = 10
_SUCCESS, _WRONG_PASSWORD, _NO_SUCH_OBJECT = 0, 49, 32
_MOST_GROUPS = 1_000
_PLACE = re.compile(r"\{(user|dn)\}")
_WRONG = "user or password is wrong"


def has_library() -> bool:
    try:
        import ldap3  # noqa: F401
    except ImportError:
        return False
    return True


def check_library() -> None:
    """Raises `UsageError` where the extra is not installed."""
    if not has_library():
        hint = "install the extra on its machine, `pip install 'holdfast[ldap]'`, and restart it; local accounts still work"
        raise UsageError("this Master cannot speak LDAP", hint=hint)


def filled(pattern: str, user: str, dn: str = "") -> str:
    """A filter with user and DN in it, whatever they are made of: as values, never as a part of the filter."""
    from ldap3.utils.conv import escape_filter_chars

    values = {"user": user, "dn": dn}
    # At once, so that a user called {dn} is looked for by that name.
    return _PLACE.sub(lambda found: str(escape_filter_chars(values[found.group(1)])), pattern)


class LdapServer:
    def __init__(self, directory: LdapDirectory) -> None:
        self._directory = directory

    def prove(self, user: str, password: str) -> Outsider:
        """Who this is. Raises `NotAuthenticated`, `NotReachable`, `UsageError` where the Master's own account is refused."""
        if not password:
            # A bind with a name and no password is an anonymous one, and succeeds (RFC 4513, 5.1.2).
            raise NotAuthenticated(_WRONG, hint="type the password of the directory")
        with self._bound() as connection:
            entry = self._find(connection, user)
            if entry is None:
                raise NotAuthenticated(_WRONG, hint="it is an account of the directory, with its password there")
            found = self._outsider(connection, entry)
            if found.name != user.lower():
                again = self._find(connection, found.name)
                if again is None or again["dn"] != entry["dn"]:
                    what = f"{self._directory.shown} does not find {found.name!r} again by that name"
                    raise NotAuthenticated(what, hint="`filter` has to find users by `name_attribute`, too")
        with self._open() as own:
            if not self._bind(own, entry["dn"], password):
                raise NotAuthenticated(_WRONG, hint="it is an account of the directory, with its password there")
        return found

    def look(self, users: tuple[str, ...]) -> dict[str, Outsider]:
        """Those of them that the directory knows and the filter finds. Raises as `prove`, but `NotAuthenticated`."""
        found = {}
        with self._bound() as connection:
            for user in users:
                entry = self._find(connection, user)
                if entry is not None:
                    found[user] = self._outsider(connection, entry)
        return found

    @contextmanager
    def _bound(self) -> Iterator[Any]:
        """A connection as the Master's own account."""
        directory = self._directory
        with self._open() as connection:
            password = secret_in(directory.bind_password_file, "bind_password_file")
            if not self._bind(connection, directory.bind_dn, password):
                what = f"{directory.shown} refuses the Master's own account {directory.bind_dn or '(anonymous)'}"
                raise UsageError(what, hint="compare bind_dn and the password in bind_password_file with what is there")
            yield connection

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """A connection with TLS and without anybody bound."""
        import ldap3
        from ldap3.core.exceptions import LDAPException

        check_library()
        directory, parts = self._directory, urlsplit(self._directory.url)
        is_ldaps = parts.scheme == "ldaps"
        try:
            tls = ldap3.Tls(validate=ssl.CERT_REQUIRED)
            tls.wrap_socket = _wrapping(directory.ca_file)
            server = ldap3.Server(
                parts.hostname,
                port=parts.port or (636 if is_ldaps else 389),
                use_ssl=is_ldaps,
                tls=tls,
                get_info=ldap3.NONE,
                connect_timeout=_TIMEOUT_S,
            )
            connection = ldap3.Connection(server, receive_timeout=_TIMEOUT_S, auto_referrals=False, check_names=False, read_only=True)
            try:
                connection.open()
                if not is_ldaps and not connection.start_tls():
                    hint = "nothing is said without it: use ldaps://, or give the directory a certificate"
                    raise NotReachable(f"{parts.netloc} does not begin TLS", hint=hint)
                yield connection
            finally:
                _end(connection)
        except (LDAPException, OSError) as error:
            what = " ".join(str(error).split())[:300]
            raise NotReachable(f"{parts.netloc}: {what}", hint="see whether it is up, and `ca_file`; local accounts still work") from None

    def _bind(self, connection: Any, dn: str, password: str) -> bool:
        """Whether it is their password. Raises `NotReachable` for another answer than yes or no."""
        import ldap3

        connection.authentication = ldap3.SIMPLE if dn else ldap3.ANONYMOUS
        # As bytes, as they were typed: prepared as RFC 4513 wants it, a password of soft hyphens would become an empty one.
        connection.user, connection.password = dn or None, password.encode() or None
        connection.bind()
        code = connection.result["result"]
        if code not in (_SUCCESS, _WRONG_PASSWORD):
            said = f"{connection.result['description']} {connection.result.get('message') or ''}".strip()
            raise NotReachable(f"{self._directory.shown} answers a bind with {said[:200]}", hint="its own log says why")
        return code == _SUCCESS and bool(connection.bound)

    def _find(self, connection: Any, user: str) -> dict[str, Any] | None:
        """The one entry; None for none and for several: who is not told apart is nobody."""
        directory = self._directory
        wanted = [directory.name_attribute, directory.id_attribute, directory.group_attribute]
        found = self._search(connection, directory.base, filled(directory.filter, user), wanted)
        return found[0] if len(found) == 1 else None

    def _outsider(self, connection: Any, entry: dict[str, Any]) -> Outsider:
        directory = self._directory
        name, subject = _first(entry, directory.name_attribute), _first(entry, directory.id_attribute)
        for field, value in (("name_attribute", name), ("id_attribute", subject)):
            if not value:
                what = f"{directory.shown} holds no {getattr(directory, field)} for this user"
                raise NotAuthenticated(what, hint=f"name another attribute in `{field}`, or let the Master's account read it")
        return Outsider(directory=directory.name, subject=subject, name=name.lower(), groups=self._groups(connection, entry, name))

    def _groups(self, connection: Any, entry: dict[str, Any], user: str) -> tuple[str, ...]:
        directory = self._directory
        if not directory.group_base:
            return _by_dn_and_name(_texts(entry, directory.group_attribute))
        pattern = filled(directory.group_filter, user, entry["dn"])
        found = self._search(connection, directory.group_base, pattern, ["cn"])
        return tuple(name for group in found for name in (group["dn"], *_texts(group, "cn")))

    def _search(self, connection: Any, base: str, pattern: str, attributes: list[str]) -> list[dict[str, Any]]:
        connection.search(base, pattern, attributes=attributes, size_limit=_MOST_GROUPS, time_limit=_TIMEOUT_S)
        code = connection.result["result"]
        if code == _NO_SUCH_OBJECT:
            raise UsageError(f"{self._directory.shown} has nothing at {base!r}", hint="compare `base` and `group_base` with what is there")
        if code != _SUCCESS:
            said = connection.result["description"]
            raise NotReachable(
                f"{self._directory.shown} answers a search with {said}", hint="narrow `base` or `filter`; its own log says why"
            )
        return [each for each in connection.response or () if each["type"] == "searchResEntry"]


def _end(connection: Any) -> None:
    """ldap3 leaves the socket open where something went wrong before."""
    opened = connection.socket
    try:
        connection.unbind()
    finally:
        if opened is not None:
            opened.close()


def _wrapping(ca_file: str) -> Callable[..., None]:
    """TLS by Python's own rules, the name in the certificate included; ldap3 compares names by a function that Python has given up."""
    context = tls_context(ca_file)

    def wrap(connection: Any, do_handshake: bool = True) -> None:
        connection.socket = context.wrap_socket(connection.socket, server_hostname=connection.server.host)

    return wrap


def _by_dn_and_name(groups: tuple[str, ...]) -> tuple[str, ...]:
    """`cn=people,ou=groups` is known as `people`, too."""
    names = (re.match(r"(?i)cn=([^,+\\]+)", group) for group in groups)
    return (*groups, *(found.group(1) for found in names if found))


def _texts(entry: dict[str, Any], attribute: str) -> tuple[str, ...]:
    """Values as text; what is no text (an objectGUID) as hex."""
    wanted = attribute.casefold()
    values = next((values for name, values in entry["raw_attributes"].items() if name.casefold() == wanted), ())
    return tuple(_text(value) for value in values)


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


def _first(entry: dict[str, Any], attribute: str) -> str:
    return next(iter(_texts(entry, attribute)), "")
