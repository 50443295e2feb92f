"""Clients that keep their connections, and what they see."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.lateness import percentile

WORKERS, CLIENTS = 2, 4


@dataclass(frozen=True)
class Call:
    """One of those that are measured: who sends what."""

    name: str
    token: str
    bare: str
    """The name of what it is compared with."""
    requests: list[tuple[str, str, Any]]
    """(method, path, body), sent in turn."""
    expected: int


@dataclass(frozen=True)
class Figures:
    """What one call did in one round; latencies in seconds."""

    rate: float
    p50: float
    p95: float
    p99: float


class Client:
    """A connection that is kept. Bare sockets: the client must not take the processor from the server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> tuple[int, bytes]:
        """Send one request, and return status and body of the answer."""
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), body

    def _receive(self) -> bytes:
        found = self._socket.recv(65_536)
        if not found:
            raise ConnectionError("The server closed the connection.")
        return found

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def as_bytes(method: str, path: str, token: str = "", body: Any = None) -> bytes:
    """Return a request as it is sent."""
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
    lines += [f"Authorization: Token {token}"] if token else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if content else []
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextmanager
def clients(port: int) -> Iterator[list[Client]]:
    """Open as many connections to each worker; the kernel alone may give all of them to one."""
    kept: list[Client] = []
    others: list[Client] = []
    by_worker: Counter[bytes] = Counter()
    while len(kept) < CLIENTS:
        client = Client(port)
        _, pid = client.send(as_bytes("GET", "/worker/"))
        by_worker[pid] += 1
        (kept if by_worker[pid] <= CLIENTS // WORKERS else others).append(client)
    for client in others:
        client.close()
    yield kept
    for client in kept:
        client.close()


def measure(call: Call, opened: list[Client], seconds: float) -> Figures:
    """Let all clients send *call* for *seconds*."""
    latencies: list[list[float]] = [[] for _ in opened]
    wrong: list[str] = []

    def run(client: Client, taken: list[float], first: int) -> None:
        texts = [as_bytes(method, path, call.token, body) for method, path, body in call.requests]
        sent = itertools.islice(itertools.cycle(texts), first, None)
        until = time.perf_counter() + seconds
        began = time.perf_counter()
        while began < until:
            status, body = client.send(next(sent))
            ended = time.perf_counter()
            taken.append(ended - began)
            began = ended
            if status != call.expected:
                wrong.append(f"{call.name}: {status} {body[:300]!r}")
                return

    threads = [
        threading.Thread(target=run, args=(client, latencies[number], number * 7))
        for number, client in enumerate(opened)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if wrong:
        raise RuntimeError(wrong[0])
    found = [latency for each in latencies for latency in each]
    return Figures(len(found) / took, *(percentile(found, share) for share in (0.5, 0.95, 0.99)))
