"""Whether those are there whom this machine needs: its Master, the nodes it delivers to, its object stores."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from holdfast.core.clock import Clock, now

TIMEOUT_S = 3.0


def refusal_at(host: str, port: int) -> str:
    """Why nobody takes a connection there; empty = somebody does."""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_S):
            return ""
    except OSError as error:
        return error.strerror or str(error) or "no answer"


def host_and_port(address: str) -> tuple[str, int]:
    """Of `HOST:PORT` or a URL; port 0 where there is none."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    usual = {"https": 443, "http": 80}.get(parts.scheme, 0)
    try:
        return parts.hostname or "", parts.port or usual
    except ValueError:
        return parts.hostname or "", 0


def ask_master(url: str, ca_pem: bytes, clock: Clock) -> tuple[str, str, float | None]:
    """Why it does not answer (empty = it does), its version, and how many seconds this clock is before its own (to the second)."""
    host, port = host_and_port(url)
    context = ssl.create_default_context(cadata=ca_pem.decode())
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    try:
        connection.request("GET", "/api/v1/health")
        answer = connection.getresponse()
        told, body = answer.getheader("date"), json.loads(answer.read(65_536))
        return "", str(body["version"]), _ahead_s(told, now(clock))
    except (OSError, http.client.HTTPException) as error:
        return str(error) or "no answer", "", None
    except (ValueError, KeyError, TypeError):
        return "what answers there is no Master", "", None
    finally:
        connection.close()


def _ahead_s(told: str | None, here: datetime) -> float | None:
    return None if told is None else (here - parsedate_to_datetime(told)).total_seconds()
