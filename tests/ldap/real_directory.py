"""A real OpenLDAP server (Debian's `slapd`) in a temporary folder, on ports of its own."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3
import pytest

from holdfast.core.clock import SystemClock
from holdfast.master.directory_settings import GroupRole, LdapDirectory
from holdfast.wire.authority import Authority
from holdfast.wire.identity import save_credentials
from tests.ports import first_of_a_row

BASE = "dc=example,dc=net"
ROOT, ROOT_PASSWORD = f"cn=root,{BASE}", "root of a test"
OURS, OUR_PASSWORD = f"cn=holdfast,{BASE}", "ours in a test"
PASSWORD = "correct horse battery"
_START_S = 60.0
_CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "{base}"
rootdn "{root}"
rootpw {root_password}
directory {folder}/db
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{ours}" read by anonymous auth by * none
"""
_PERSON = """\
dn: uid={uid},ou=people,{base}
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
mail: {uid}@example.net
userPassword: {password}
description: cn=visitors,ou=groups,{base}

"""
_ENTRIES = """\
dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: {ours}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: holdfast
userPassword: {our_password}

dn: ou=people,{base}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{base}
objectClass: organizationalUnit
ou: groups

dn: cn=Backup Admins,ou=groups,{base}
objectClass: groupOfNames
cn: Backup Admins
member: uid=eva,ou=people,{base}

dn: cn=people,ou=groups,{base}
objectClass: groupOfNames
cn: people
member: uid=eva,ou=people,{base}
member: uid=max,ou=people,{base}

"""


@dataclass
class RealDirectory:
    folder: Path
    port: int

    def directory(self, **more: Any) -> LdapDirectory:
        """`port` speaks TLS at once, the next begins it when asked."""
        wanted: dict[str, Any] = {
            "name": "office",
            "title": "The office",
            "url": f"ldaps://localhost:{self.port}",
            "ca_file": str(self.folder / "ca.pem"),
            "bind_dn": OURS,
            "bind_password_file": str(self.folder / "secret"),
            "base": f"ou=people,{BASE}",
            "filter": "(&(|(uid={user})(mail={user}))(!(employeeType=disabled)))",
            "group_base": f"ou=groups,{BASE}",
            "group_filter": "(member={dn})",
            "roles": (GroupRole(group="backup admins", role="admin"), GroupRole(group=f"cn=visitors,ou=groups,{BASE}", role="viewer")),
        }
        return LdapDirectory(**{**wanted, **more})

    def change(self, user: str, changes: dict[str, Any]) -> None:
        """As the directory's administrator."""
        tls = ldap3.Tls(validate=ssl.CERT_NONE)
        server = ldap3.Server("localhost", self.port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, ROOT, ROOT_PASSWORD, auto_bind=True)
        try:
            assert connection.modify(f"uid={user},ou=people,{BASE}", changes), connection.result
        finally:
            connection.unbind()


@contextmanager
def real_directory(folder: Path) -> Iterator[RealDirectory]:
    slapd = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin")
    if slapd is None:
        pytest.skip("needs OpenLDAP (Debian's package slapd)")
    (folder / "db").mkdir(parents=True)
    found = RealDirectory(folder, first_of_a_row())
    save_credentials(folder, Authority.create(clock=SystemClock()).issue_master(clock=SystemClock(), hosts=("localhost", "127.0.0.1")))
    words = {
        "folder": folder,
        "base": BASE,
        "root": ROOT,
        "root_password": f'"{ROOT_PASSWORD}"',
        "ours": OURS,
        "our_password": OUR_PASSWORD,
    }
    (folder / "slapd.conf").write_text(_CONFIG.format(**words))
    people = "".join(_PERSON.format(uid=uid, base=BASE, password=PASSWORD) for uid in ("eva", "max", "admin"))
    (folder / "entries.ldif").write_text(_ENTRIES.format(**words) + people)
    secret = folder / "secret"
    secret.write_text(OUR_PASSWORD + "\n")
    secret.chmod(0o600)
    add = [slapd, "-T", "add", "-f", str(folder / "slapd.conf"), "-l", str(folder / "entries.ldif")]
    subprocess.run(add, check=True, capture_output=True, timeout=_START_S)
    urls = f"ldaps://127.0.0.1:{found.port} ldap://127.0.0.1:{found.port + 1}"
    with (folder / "slapd.log").open("wb") as log:
        process = subprocess.Popen([slapd, "-d", "0", "-f", str(folder / "slapd.conf"), "-h", urls], stdout=log, stderr=log)
    try:
        _wait(process, found.port, folder)
        yield found
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        assert process.poll() is None, (folder / "slapd.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < until, "slapd does not listen"
            signal.sigtimedwait([], 0.05)
