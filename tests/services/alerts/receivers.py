"""Servers on this machine that take what is sent, or hang, or close, or speak nonsense."""

from __future__ import annotations

import socketserver
import ssl
import threading

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
ERROR = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/elsewhere\r\nContent-Length: 0\r\n\r\n"
CLOSE = b""
HANG = None


class Server(socketserver.ThreadingTCPServer):
    """Answers each request with the same bytes; with none it says nothing until the test is over."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, answer=OK, tls: ssl.SSLContext | None = None, speaks=None):
        self.answer, self.tls, self.requests, self.over = answer, tls, [], threading.Event()
        self.speaks = speaks or answer_request
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def get_request(self):
        connection, address = super().get_request()
        return (self.tls.wrap_socket(connection, server_side=True) if self.tls else connection), address

    def handle_error(self, *_arguments):
        """Say nothing of clients that go away."""

    def close(self):
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(socketserver.StreamRequestHandler):
    """Lets the server speak."""

    def handle(self):
        self.server.speaks(self)


def answer_request(handler):
    """Read one request over HTTP, keep it, and answer."""
    head = []
    while (line := handler.rfile.readline()) not in {b"\r\n", b""}:
        head.append(line.decode().strip())
    headers = dict(line.lower().split(": ", 1) for line in head[1:])
    raw = dict(line.split(": ", 1) for line in head[1:])
    body = handler.rfile.read(int(headers.get("content-length", 0)))
    handler.server.requests.append((head[0], raw, body))
    say(handler)


def say(handler):
    """Say what the server says, whatever it is asked."""
    if handler.server.answer is None:
        handler.server.over.wait(30)
    else:
        handler.wfile.write(handler.server.answer)
