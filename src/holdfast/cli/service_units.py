"""The systemd units of Master and node: one source for the package and for `--service`.

What the Master is kept from is nearly everything: it administers, so it needs its home and the network. A node is root's own tool: it
reads and writes any file, watches whole file systems, mounts, and runs the administrator's hooks. So it gets no file system namespace of
its own (a recall mount made in there would be seen by nobody else), and no filter of system calls (a hook is any program).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from holdfast.core.errors import UsageError

Service = Literal["master", "node"]

SERVICES: tuple[Service, Service] = ("master", "node")
DEFAULT_HOME = Path("/var/lib/holdfast")
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]+")
"""Nothing in it is a specifier, a variable, a quote or a blank (systemd.syntax(7))."""

_HEAD = """\
[Unit]
Description=Holdfast {what}
Documentation=man:holdfast-{service}-run(1)
Wants=network-online.target
After=network-online.target local-fs.target remote-fs.target{after}
ConditionPathExists={home}/{proof}

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} {service} run{home_option}
Restart=on-failure
RestartSec=2s
# It ends in order within five seconds of SIGTERM; what is left of it after that is killed.
KillMode=mixed
TimeoutStartSec=120s
TimeoutStopSec=30s
UMask=0077
"""

_MASTER = """\
ProtectSystem=strict
ReadWritePaths={home}
# The keys of a node on the same machine are none of its business.
InaccessiblePaths=-{home}/keys -{home}/identity
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
CapabilityBoundingSet=
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
LimitNOFILE=65536
"""

_NODE = """\
# It says so each time it looks at its schedule, at least every 30 s.
WatchdogSec=180s
# A password of a repository that is not to lie in {home}/keys comes as a credential:
#   LoadCredentialEncrypted=NAME:/etc/credstore.encrypted/holdfast-NAME
CapabilityBoundingSet=~CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYSLOG CAP_WAKE_ALARM CAP_BPF
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
LimitNOFILE=65536
"""

_TAIL = """
[Install]
WantedBy=multi-user.target
"""


def unit_name(service: Service) -> str:
    return f"holdfast-{service}.service"


def unit_text(service: Service, program: str, home: Path = DEFAULT_HOME) -> str:
    """The unit file. `program` is what is run, an absolute path; it starts only where the home holds what it needs.

    Raises `UsageError` for a path that a unit cannot name as it is.
    """
    for path in (program, str(home)):
        if _PLAIN.fullmatch(path) is None:
            raise UsageError(f"{path!r} cannot stand in a unit", hint="choose a folder of letters, digits, `.`, `_`, `-` and `/`")
    facts = {
        "service": service,
        "what": "Master" if service == "master" else "node",
        # A Master's node on the same machine finds it up.
        "after": "" if service == "master" else " holdfast-master.service",
        "proof": "master/config.json" if service == "master" else "identity/node.json",
        "home": str(home),
        "program": program,
        "home_option": "" if home == DEFAULT_HOME else f" --home {home}",
    }
    body = _MASTER if service == "master" else _NODE
    return _HEAD.format(**facts) + body.format(**facts) + _TAIL
