"""What each proxy must show before it is measured: that it does the work of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import BenchError
from bench.origin import CLIENT_HOST, FILES, Origin, answers, fetch, wait_for

if TYPE_CHECKING:
    from bench.origin import Site
    from bench.peers import Peer
    from bench.process import Process

_OK: Final = 200
_UPLOAD: Final = b"x" * 65_536


def wait_until_up(site: Site, peer: Peer, process: Process) -> None:
    """Wait until a proxy that was just started passes requests on."""
    wait_for(lambda: answers(CLIENT_HOST, peer.port, peer.path(site, Origin.RSA, "1k")), process)


def check_work(site: Site, peer: Peer) -> tuple[str, ...]:
    """Check bodies both ways and that bad origins are refused.

    Returns:
        The handshakes as the origins saw them, to be equal for all peers.

    Raises:
        BenchError: the proxy does not do the work.
    """

    def ask(
        origin: Origin, rest: str, *, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, bytes]:
        path = peer.path(site, origin, rest)
        return fetch(CLIENT_HOST, peer.port, path, method=method, body=body)

    for file in FILES:
        status, body = ask(Origin.RSA, file)
        if status != _OK or body != (site.folder / "www" / "cucm-uds" / file).read_bytes():
            raise BenchError(f"{peer.name}: {file} came as {status} with {len(body)} bytes")
    status, _ = ask(Origin.RSA, "upload", method="POST", body=_UPLOAD)
    if status != _OK:
        raise BenchError(f"{peer.name}: the upload was answered {status}")
    for origin in (Origin.SELF_SIGNED, Origin.WRONG_NAME):
        status, _ = ask(origin, "1k")
        if status == _OK:
            raise BenchError(f"{peer.name}: the {origin.value} origin was not refused")
    seen = (ask(origin, "handshake") for origin in (Origin.RSA_CLOSE, Origin.EC_CLOSE))
    return tuple(body.decode("ascii", "replace") for _, body in seen)
