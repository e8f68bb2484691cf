"""A network between us and an object store that breaks where it is told to: an HTTP gateway in front of the real one."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """`cut`: the line breaks before the store heard of it; `lost`: the store did it, and its answer does not arrive; `half`: half of the
    answer arrives; `hang`: nothing happens until the client gives up; `answer`: the store says `status` and `code`."""

    kind: Literal["cut", "lost", "half", "hang", "answer"]
    status: int = 503
    code: str = "SlowDown"


@dataclass(frozen=True)
class Request:
    """`number` counts from 1 over all requests; `path` is with the query."""

    number: int
    method: str
    path: str
    headers: dict[str, str]


Plan = Callable[[Request], Fault | None]


def fine(_: Request) -> Fault | None:
    return None


class FaultyGateway:
    """Forwards each request by a connection of its own. `fired` counts faults, so that a test can prove that they happened."""

    def __init__(self, upstream: str, plan: Plan = fine) -> None:
        self.plan = plan
        self.fired = 0
        self.seen: list[Request] = []
        self._host = urlsplit(upstream).netloc
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _next(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        with self._guard:
            request = Request(len(self.seen) + 1, method, path, headers)
            self.seen.append(request)
            fault = self.plan(request)
            self.fired += fault is not None
            return fault

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                fault = gateway._next(self.command, self.path, headers)
                if fault is None:
                    self._send(gateway._forward(self.command, self.path, headers, body))
                    return
                self.close_connection = True
                if fault.kind == "answer":
                    self._send((fault.status, {}, f"<Error><Code>{fault.code}</Code></Error>".encode()))
                elif fault.kind == "hang":
                    gateway._closing.wait()
                elif fault.kind in ("lost", "half"):
                    answer = gateway._forward(self.command, self.path, headers, body)
                    if fault.kind == "half":
                        self._send(answer, len(answer[2]) // 2)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815 the names that http.server looks for

            def _send(self, answer: tuple[int, dict[str, str], bytes], most: int | None = None) -> None:
                status, headers, body = answer
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                if self.close_connection:
                    self.send_header("Connection", "close")
                self.send_header("Content-Length", headers.get("Content-Length", str(len(body))))
                self.end_headers()
                # Who gave up meanwhile has closed the line.
                with suppress(OSError):
                    self.wfile.write(body[:most])

        return Handler

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection(self._host, timeout=60)
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name != "connection":
                    line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            line.close()
