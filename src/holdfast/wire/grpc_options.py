"""What data and hub have in common on gRPC: options, and the meaning of its status codes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.core.errors import HoldfastError, NotAuthenticated, NotReachable, ProtocolError, Refused
from holdfast.core.ids import NodeId
from holdfast.wire.codec import MAX_MESSAGE_BYTES
from holdfast.wire.identity import Credentials, key_id_of, node_id_of

if TYPE_CHECKING:
    import grpc

# Sent by a server as soon as it takes a session: what answers without it has refused, and its status says why.
ACCEPTED = ("holdfast-accepted", "1")
# Sent by a client as its last message. Without it the end of its stream means that it died: gRPC does not tell the two apart for a server.
END = b""
Option = tuple[str, int | str]
# A source of credentials is asked at each handshake, so that a renewed certificate needs no restart.
CredentialSource = Credentials | Callable[[], Credentials]


@dataclass(frozen=True)
class Keepalive:
    """A peer that is silent is asked after `time_s` (a client of gRPC's takes no less than 10). It is given up when its machine has not
    acknowledged that for `timeout_s`, or has and its program does not answer for `answer_s`: it stands still, or something between the two
    holds the connection open."""

    time_s: float = 10.0
    timeout_s: float = 8.0
    answer_s: float = 60.0


DEFAULT_KEEPALIVE = Keepalive()
"""For data: on a thin line a question waits behind megabytes that are on their way. With 15 s in place of 60 an upload at 512 kbit/s was
given up after 23 to 45 s, again and again; with 60 it goes through."""
HUB_KEEPALIVE = Keepalive(answer_s=20.0)


def _common(keepalive: Keepalive) -> list[Option]:
    return [
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        # Frames of a whole usual message: a tenth more throughput than with the default 16 KiB.
        ("grpc.http2.max_frame_size", 1024 * 1024),
        ("grpc.keepalive_time_ms", int(keepalive.time_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(keepalive.timeout_s * 1000)),
        ("grpc.http2.ping_timeout_ms", int(keepalive.answer_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def server_options(keepalive: Keepalive = DEFAULT_KEEPALIVE) -> list[Option]:
    """A port already taken is an error, not a share of its connections."""
    return [
        *_common(keepalive),
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 500),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def client_options(target: str, keepalive: Keepalive = DEFAULT_KEEPALIVE) -> list[Option]:
    """`target` is the name the peer's certificate must bear. Each dial is a connection of its own, past any proxy, never retried below."""
    return [
        *_common(keepalive),
        ("grpc.ssl_target_name_override", target),
        ("grpc.default_authority", target),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
    ]


def server_credentials(source: CredentialSource) -> grpc.ServerCredentials:
    """Mutual TLS: a client without a certificate of our CA does not get as far as a call."""
    import grpc

    def configured(current: Credentials) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(current.key_pem, current.cert_pem)], current.ca_pem)

    if not callable(source):
        return grpc.ssl_server_credentials([(source.key_pem, source.cert_pem)], source.ca_pem, require_client_auth=True)
    first = source()
    in_use = [first]
    guard = threading.Lock()

    def ask() -> grpc.ServerCertificateConfiguration | None:
        # None = unchanged. A configuration at every handshake is not only waste: gRPC then mixes up handshakes that run at once.
        with guard:
            current = source()
            if current == in_use[0]:
                return None
            in_use[0] = current
            return configured(current)

    # The stubs do not know that None is an answer.
    return grpc.dynamic_ssl_server_credentials(configured(first), ask, require_client_authentication=True)  # type: ignore[arg-type]


def client_credentials(credentials: Credentials) -> grpc.ChannelCredentials:
    import grpc

    return grpc.ssl_channel_credentials(credentials.ca_pem, credentials.key_pem, credentials.cert_pem)


def peer_of(auth_context: Mapping[str, Any]) -> tuple[NodeId, str]:
    """Node id and key id of the client of a call, from its certificate."""
    certificates = auth_context.get("x509_pem_cert")
    if not certificates:
        raise NotAuthenticated("the caller shows no certificate", hint="join the node again")
    return node_id_of(certificates[0]), key_id_of(certificates[0])


def error_of(code: object, details: str, address: str) -> HoldfastError:
    """What a failed call means in our words."""
    import grpc

    if code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED):
        return Refused(details or f"{address} refused the call", hint="see whether this node was revoked or replaced", address=address)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ProtocolError(f"{address}: {details}", hint="both machines must run versions that understand each other", address=address)
    if "Hostname Verification" in details or "CERTIFICATE_VERIFY_FAILED" in details or "Custom verification" in details:
        return Refused(
            f"{address} is not who it should be: its certificate names another identity or comes from another authority",
            hint="check the address in the environment document; after a reinstalled machine use `holdfast node join --replace`",
            address=address,
        )
    if "onnection refused" in details:
        return NotReachable(f"nothing listens on {address}", hint="start Holdfast there, or check address and port", address=address)
    if "failed to connect" in details and "Socket closed" in details:
        return NotReachable(
            f"{address} hung up during the handshake",
            hint="its log says why; most likely it does not accept our certificate: join the node again",
            address=address,
        )
    return NotReachable(
        f"{address} does not answer: {details or code}", hint="check the network, and that the other machine is up", address=address
    )
