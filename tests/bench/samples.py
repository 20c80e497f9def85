"""Windows and pairs as a measurement would give them."""

from __future__ import annotations

from bench.peers import OURS, YARDSTICK
from bench.stats import Pair, Window


def window(
    peer: str = OURS,
    *,
    load: str = "ka1k",
    requests: int = 20_000,
    cpu_s: float = 1.0,
    others: float = 0.0,
    origin_connections: int = 0,
    fault: str = "",
) -> Window:
    return Window(
        peer=peer,
        load=load,
        requests=requests,
        wall_s=2.0,
        cpu_s=cpu_s,
        others=others,
        p50_ms=1.0,
        p99_ms=2.0,
        origin_connections=origin_connections,
        fault=fault,
    )


def pair(
    ours: int, theirs: int, *, peer: str = YARDSTICK, load: str = "ka1k", others: float = 0.0
) -> Pair:
    return Pair(
        window(load=load, requests=ours), window(peer, load=load, requests=theirs, others=others)
    )
