"""A compose file for an estate: one container a machine, each at its real address. *Pure*.

- All of them are in one network that holds every address of the estate. Its gateway and the
  addresses that the engine hands out itself are none of the estate's.
- Certificates are made once, by the service ``certificates``, into a volume that all others read.
- Every scalar is quoted as JSON, which YAML reads alike, so no name can end one.

Checked with ``docker-compose config``; never run in a container engine here.
"""

from __future__ import annotations

import json
from collections import Counter
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final

from mralab.errors import LabError
from mralab.lab.estatefiles import is_address
from mralab.lab.estateplace import EstatePorts, addresses_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mralab.config.estate import Estate

#: Where the estate file and the certificates are inside each container.
ESTATE_FILE: Final = "/etc/mralab/estate.toml"
VOLUME: Final = "/lab"
VOLUME_NAME: Final = "certificates"
_MAKER: Final = "certificates"
_CLIENT: Final = "client"
_SMALLEST: Final = 24  # prefix of a network that no estate needs larger
_LARGEST: Final = 8
_POOL: Final = 28  # prefix of what the engine hands out itself


def compose_file(estate: Estate, *, file: str = "") -> str:
    """Return the compose file of an estate.

    Args:
        estate: a checked one.
        file: path of its estate file, as the compose file is to name it; "" is the sample, which
            needs none.

    Raises:
        LabError: its addresses are in no one private network, or a name is taken by ours.
    """
    networks = _networks(estate)
    mounts = [f"{VOLUME_NAME}:{VOLUME}:ro", *_estate_mount(file)]
    named = [ESTATE_FILE] if file else []
    up = ["lab", "up", *named, f"--folder={VOLUME}"]
    lines = [*_header(estate), "services:"]
    lines += _service(
        _MAKER,
        command=[*up, "--prepare"],
        volumes=[f"{VOLUME_NAME}:{VOLUME}", *_estate_mount(file)],
        extra=["network_mode: none"],
    )
    for name, address, aliases in _machines(estate):
        if name in {_MAKER, _CLIENT}:
            raise LabError(f"a machine cannot be called {name!r}: a service of ours is")
        dns = [f"--dns={address}:53"] if name == estate.expressway_e.name else []
        lines += _service(
            name,
            command=[*up, f"--only={name}", *dns],
            volumes=mounts,
            extra=[*_after_the_maker(), *_attached(address, aliases)],
        )
    lines += _client(estate, mounts)
    lines += ["networks:", "  lab:", "    ipam:", "      config:", *networks, ""]
    lines += ["volumes:", f"  {VOLUME_NAME}: {{}}"]
    return "\n".join(lines) + "\n"


def _header(estate: Estate) -> list[str]:
    front, user = estate.expressway_e, _first_user(estate)
    return [
        "# An MRA estate, one container a machine. Written by `mralab lab compose`.",
        "#",
        "#   docker-compose up --build --detach",
        "#   docker-compose run --rm client; echo $?" if user else "#",
        "#",
        "# Each machine has its real address in the network, so a client on this host reaches",
        f"# Expressway-E at {front.address}:8443; the estate's DNS is at {front.address}:53.",
        "# What Expressway-C says:  docker-compose logs " + _bare(estate.expressway_c.name),
        "# All certificates anew:   docker-compose down --volumes",
        "",
    ]


def _machines(estate: Estate) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    """Yield name, address and further names of each machine."""
    for node in estate.nodes():
        own = () if is_address(node.shown) else (node.shown,)
        label = node.name.partition(".")[0]
        yield node.name, node.address, tuple(dict.fromkeys((*own, label)))
    for plan in (estate.expressway_c, estate.expressway_e):
        yield plan.name, plan.address, (plan.name.partition(".")[0],)


def _service(
    name: str, *, command: Sequence[str], volumes: Sequence[str], extra: Sequence[str]
) -> list[str]:
    """Return the lines of a service."""
    return [
        f"  {_quoted(name)}:",
        "    image: mralab",
        "    build: .",
        f"    command: {_list(command)}",
        f"    volumes: {_list(volumes)}",
        "    healthcheck:",
        "      disable: true",
        "    cap_drop: [ALL]",
        '    security_opt: ["no-new-privileges:true"]',
        *(f"    {line}" for line in extra),
        "",
    ]


def _client(estate: Estate, mounts: Sequence[str]) -> list[str]:
    """Return the lines of the client that logs in, if there is a user to log in."""
    user = _first_user(estate)
    if user is None:
        return []
    front = estate.expressway_e.name
    command = [
        "login",
        f"{user}@{estate.domain}",
        f"--edge={front}:{EstatePorts().front}",
        f"--ca={VOLUME}/expressway-e-ca.pem",
    ]
    password = estate.users[0].password
    extra = [
        "profiles: [client]",
        f"depends_on: {_list([front])}",
        f"environment: {{MRALAB_PASSWORD: {_quoted(password)}}}",
        "networks: [lab]",
    ]
    return _service(_CLIENT, command=command, volumes=mounts, extra=extra)


def _first_user(estate: Estate) -> str | None:
    return estate.users[0].user_id if estate.users else None


def _after_the_maker() -> list[str]:
    return [
        "depends_on:",
        f"  {_MAKER}:",
        "    condition: service_completed_successfully",
    ]


def _attached(address: str, aliases: Sequence[str]) -> list[str]:
    return [
        "networks:",
        "  lab:",
        f"    ipv4_address: {_quoted(address)}",
        f"    aliases: {_list(aliases)}",
    ]


def _estate_mount(file: str) -> list[str]:
    return [f"{file}:{ESTATE_FILE}:ro"] if file else []


def _networks(estate: Estate) -> list[str]:
    """Return the lines that describe the one network."""
    taken = {IPv4Address(address) for address in addresses_of(estate)}
    network = _around(taken)
    while True:
        if network.prefixlen < _LARGEST:
            raise _too_far_apart(estate)
        pool = next((one for one in _pools(network) if not any(a in one for a in taken)), None)
        gateway = next((one for one in network.hosts() if _is_free(one, taken, pool)), None)
        if pool is not None and gateway is not None:
            break
        network = network.supernet()
    return [
        f"        - subnet: {_quoted(str(network))}",
        f"          ip_range: {_quoted(str(pool))}",
        f"          gateway: {_quoted(str(gateway))}",
    ]


def _too_far_apart(estate: Estate) -> LabError:
    """Say which machines are not in the /8 that most of them are in."""
    homes = {name: address.partition(".")[0] for name, address, _ in _machines(estate)}
    counted = Counter(homes.values())
    most = max(counted, key=lambda first: counted[first])
    apart = [f"{name} {a}" for name, a, _ in _machines(estate) if homes[name] != most]
    where = f"{', '.join(apart)} outside {most}.0.0.0/8" if apart else f"{most}.0.0.0/8 is full"
    return LabError(
        f"the estate's addresses are in no one network: {where}",
        hint="in the estate file give it an address there, as Expressway-E may have in its DMZ",
    )


def _around(addresses: Iterable[IPv4Address]) -> IPv4Network:
    """Return the smallest network that has all addresses as hosts, and some room."""
    wanted = list(addresses)
    network = IPv4Network((wanted[0], _SMALLEST), strict=False)
    while network.prefixlen and not all(
        one in network and one not in {network.network_address, network.broadcast_address}
        for one in wanted
    ):
        network = network.supernet()
    return network


def _pools(network: IPv4Network) -> Iterable[IPv4Network]:
    """Yield what the engine may hand out, the upper end of the network first."""
    step = 1 << (32 - _POOL)
    first, last = int(network.network_address), int(network.broadcast_address)
    for number in range(min((last - first) // step, 4096)):
        yield IPv4Network((last + 1 - step * (number + 1), _POOL))


def _is_free(one: IPv4Address, taken: set[IPv4Address], pool: IPv4Network | None) -> bool:
    return one not in taken and (pool is None or one not in pool)


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, items))}]"


def _quoted(text: str) -> str:
    """Return a text as a JSON string, its dollar signs safe from compose's variables."""
    return json.dumps(text).replace("$", "$$")


def _bare(text: str) -> str:
    """Return a text for a comment: nothing in it ends the line."""
    return "".join(c if c.isprintable() else "?" for c in text)
