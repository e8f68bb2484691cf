"""Framing between agent and worker."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from holdfast.core.errors import ErrorFacts, ProtocolError
from holdfast.core.ids import JobId
from holdfast.node.workers.link import WorkerLink, decode_from_worker, encode_frame
from holdfast.node.workers.messages import CancelJob, Ready, StopWorker


def pair() -> tuple[socket.socket, WorkerLink]:
    agent, worker = socket.socketpair()
    return agent, WorkerLink(worker)


def read_all(end: socket.socket) -> bytes:
    parts = []
    while part := end.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_messages_arrive_in_order_however_the_bytes_are_cut() -> None:
    agent, link = pair()
    sent = encode_frame(CancelJob(job=JobId("a" * 32))) + encode_frame(StopWorker())

    def trickle() -> None:
        for at in range(0, len(sent), 3):
            agent.sendall(sent[at : at + 3])

    thread = threading.Thread(target=trickle)
    thread.start()
    assert link.receive() == CancelJob(job=JobId("a" * 32))
    assert link.receive() == StopWorker()
    thread.join()
    agent.close()
    assert link.receive() is None
    link.close()


def test_what_the_worker_says_is_length_and_body() -> None:
    agent, link = pair()
    message = Ready(data_port=7442, problems=(ErrorFacts("store", "no", "do this"),))
    link.send(message)
    link.close()
    data = read_all(agent)
    agent.close()
    (size,) = struct.unpack(">I", data[:4])
    assert size == len(data) - 4
    assert decode_from_worker(data[4:]) == message


@pytest.mark.parametrize("data", [struct.pack(">I", 1 << 30), struct.pack(">I", 3) + b"\xc1\xc1\xc1"])
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    agent, link = pair()
    agent.sendall(data)
    with pytest.raises(ProtocolError):
        link.receive()
    agent.close()
    link.close()


def test_a_frame_cut_short_is_the_end() -> None:
    agent, link = pair()
    agent.sendall(encode_frame(StopWorker())[:-1])
    agent.close()
    assert link.receive() is None
    link.close()


def test_sending_to_an_agent_that_is_gone_is_silent() -> None:
    agent, link = pair()
    agent.close()
    link.send(Ready())
    link.send(Ready())
    link.close()
