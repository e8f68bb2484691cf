"""The client of the Master's HTTP API: one JSON value in, one out, on the standard library so that commands start fast."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from holdfast.cli.home import Session
from holdfast.core.errors import ApprovalWanted, ErrorFacts, HoldfastError, NotReachable, ProtocolError, UnknownName, error_from

if TYPE_CHECKING:
    import ssl

Json = dict[str, Any]
HELD = 202


def path_of(collection: str, name: str, *rest: str) -> str:
    """`/flows/NAME/compile` and the like. A name that cannot be one is unknown, before anybody is asked."""
    if not name or "/" in name or name in (".", ".."):
        raise UnknownName(f"{name!r} is not the name of one of the {collection}", hint="`holdfast status` shows what there is")
    return "/".join(("", collection, quote(name, safe=""), *rest))


class ApiClient:
    """Calls `/api/v1` of one Master. Errors of the Master come out as the errors it raised; silence is `NotReachable`."""

    def __init__(self, session: Session, timeout_s: float = 60) -> None:
        self._session = session
        self._parts = urlsplit(session.url)
        self._timeout_s = timeout_s
        self._context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return self._session.url

    def get(self, path: str, /, **query: str | int | bool | None) -> Json:
        given = {key: value for key, value in query.items() if value is not None and value != ""}
        return self._call("GET", path + ("?" + urlencode(given) if given else ""), None)

    def post(self, path: str, body: Json | None = None) -> Json:
        return self._call("POST", path, body or {})

    def put(self, path: str, body: Json) -> Json:
        return self._call("PUT", path, body)

    def delete(self, path: str) -> Json:
        return self._call("DELETE", path, None)

    def is_answered(self) -> bool:
        with suppress(NotReachable):
            return bool(self.get("/health")["ok"])
        return False

    def online_nodes(self) -> set[str]:
        """Their names; none while the Master does not answer."""
        with suppress(NotReachable):
            return {node["name"] for node in self.get("/nodes")["nodes"] if node["state"] == "online"}
        return set()

    def _call(self, method: str, path: str, body: Json | None) -> Json:
        # Loaded when something is asked, so that `--help` does not wait for them.
        import http.client
        import ssl

        self._context = self._context or ssl.create_default_context(cadata=self._session.ca_pem)
        host, port = self._parts.hostname or "localhost", self._parts.port or 7440
        connection = http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=self._context)
        headers = {"Authorization": f"Bearer {self._session.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            status, payload = response.status, response.read()
        except ssl.SSLCertVerificationError as error:
            raise NotReachable(
                f"the server at {self.url} is not the Master of this session: {error.verify_message}",
                hint="log in again with `holdfast login` if the Master was set up anew",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise NotReachable(
                f"no Master answers at {self.url}: {error}", hint="is it running? `holdfast up --detach` or `holdfast master run`"
            ) from None
        finally:
            connection.close()
        return self._decoded(status, payload)

    def _decoded(self, status: int, payload: bytes) -> Json:
        try:
            value = json.loads(payload) if payload else {}
        except ValueError:
            raise ProtocolError(f"the Master at {self.url} answered {status} with something that is not JSON") from None
        if status == HELD and isinstance(value, dict):
            raise _held(value)
        if status < 400 and isinstance(value, dict):
            return value
        raise _error_of(status, value)


def _held(approval: Json) -> ApprovalWanted:
    """The call waits for a second person."""
    given = str(approval.get("id", ""))
    hint = f"somebody else says `holdfast approvals approve {given[:8]}`, within a day; `holdfast approvals show {given[:8]}` tells"
    return ApprovalWanted("this needs the approval of a second person; nothing is done yet", hint=hint, approval=given)


def _error_of(status: int, value: object) -> HoldfastError:
    facts = value.get("error") if isinstance(value, dict) else None
    if not isinstance(facts, dict) or "code" not in facts:
        return ProtocolError(f"the Master answered {status}: {str(value)[:200]}")
    context = {str(key): str(item) for key, item in dict(facts.get("context") or {}).items()}
    retryable = bool(facts.get("retryable"))
    return error_from(ErrorFacts(str(facts["code"]), str(facts.get("message", "")), str(facts.get("hint", "")), retryable, context))
