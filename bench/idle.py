"""Clients that made a request and stay connected, as most MRA clients do most of the time."""

from __future__ import annotations

import contextlib
import resource
import socket
from typing import TYPE_CHECKING, Final, Self

from bench import BenchError
from bench.origin import CLIENT_HOST

if TYPE_CHECKING:
    from types import TracebackType

_PATIENCE_S: Final = 10.0
_READ: Final = 65_536


def allow_many_files() -> None:
    """Let this process and its children open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class IdleClients:
    """Connections to a proxy, each after one answered request."""

    def __init__(self, count: int, port: int, path: str) -> None:
        """Connect ``count`` clients to a proxy and let each ask for ``path`` once.

        Raises:
            BenchError: a connection or an answer is missing.
        """
        self._sockets: list[socket.socket] = []
        request = f"GET {path} HTTP/1.1\r\nHost: {CLIENT_HOST}:{port}\r\n\r\n".encode("ascii")
        try:
            for _ in range(count):
                client = socket.create_connection((CLIENT_HOST, port), _PATIENCE_S)
                self._sockets.append(client)
                client.sendall(request)
                _read_answer(client)
        except OSError as exc:
            self._close()
            raise BenchError(f"idle client {len(self._sockets)} of {count}: {exc}") from exc

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._close()

    def lost(self) -> int:
        """Return how many connections the proxy has closed."""
        return sum(map(_is_closed, self._sockets))

    def _close(self) -> None:
        for client in self._sockets:
            client.close()


def _read_answer(client: socket.socket) -> None:
    """Read one answer with Content-Length to its end."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(client)
    head, _, body = received.partition(b"\r\n\r\n")
    fields = head.lower().split(b"\r\n")
    (length,) = (int(line[15:]) for line in fields if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _some(client)


def _some(client: socket.socket) -> bytes:
    data = client.recv(_READ)
    if not data:
        raise ConnectionResetError("closed before the end of the answer")
    return data


def _is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        try:
            return client.recv(1) == b""
        except ConnectionResetError:
            return True
    return False
