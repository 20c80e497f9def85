"""The files of a running estate: what Expressway-C has on its disk, and both of its logs.

- The hosts file gives every name of the estate its real address, and has what is dialled there end
  on loopback: logs, messages and answers show the estate as it is.
- No address that a route can name leads out of this machine: one that belongs to no node ends on a
  loopback address where nothing listens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from mralab.config.estate import loopback_of
from mralab.config.settings import Endpoint, LogSettings, Settings, Timeouts
from mralab.errors import LabError
from mralab.lab.estatepki import pem_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mralab.config.estate import Estate
    from mralab.lab.estatepki import EstateCertificates

#: Deadlines that suit a machine of its own. Lab defaults.
_TIMEOUTS: Final = Timeouts(connect_timeout_s=3.0, linger_s=0.5)
#: Shift of addresses that belong to no node, far from those of the first labs on this machine.
_STRAYS: Final = 128


@dataclass(frozen=True, slots=True)
class EstateFiles:
    """Where they are; all in one folder."""

    folder: Path

    @property
    def trusted_ca(self) -> Path:
        """Expressway-C's trusted CA list."""
        return self.folder / "trusted-ca.pem"

    @property
    def hosts(self) -> Path:
        """The names of the estate, in the form of a hosts file."""
        return self.folder / "hosts"

    @property
    def allow_list(self) -> Path:
        """The generated allow list, CSV."""
        return self.folder / "allow-list.csv"

    @property
    def event_log(self) -> Path:
        """Expressway-C's log."""
        return self.folder / "event.log"

    @property
    def json_log(self) -> Path:
        """Its JSON twin."""
        return self.folder / "event.json"

    @property
    def edge_log(self) -> Path:
        """Expressway-E's log."""
        return self.folder / "expressway-e.log"

    @property
    def client_cert(self) -> Path:
        """The certificate that Expressway-C shows to nodes, with its chain."""
        return self.folder / "expressway-c-chain.pem"

    @property
    def client_key(self) -> Path:
        """Its private key, readable by the owner only."""
        return self.folder / "expressway-c.key"

    @property
    def front_ca(self) -> Path:
        """What a client must trust to reach Expressway-E: what signed its certificate."""
        return self.folder / "expressway-e-ca.pem"

    def write(
        self, estate: Estate, certificates: EstateCertificates, loopback: Mapping[str, str]
    ) -> None:
        """Write all but the allow list.

        Args:
            estate: whose names.
            certificates: its certificates.
            loopback: where each real address runs; empty: at that address itself.

        Raises:
            LabError: a reference names nothing, or the folder cannot be written to.
        """
        try:
            self.trusted_ca.write_bytes(pem_of(certificates.trusted_ca()))
            self.hosts.write_text(hosts_text(estate, loopback), encoding="ascii")
            self.front_ca.write_bytes(front_ca(certificates))
            certificates.expressway_c.write(self.folder, "expressway-c")
        except OSError as exc:
            raise LabError(
                f"cannot write into folder {self.folder}: {exc.strerror}",
                hint="name a folder that may be written to",
            ) from exc

    def write_allow_list(self, text: str) -> None:
        """Write the allow list.

        Raises:
            LabError: the folder cannot be written to.
        """
        try:
            self.allow_list.write_text(text, encoding="utf-8")
        except OSError as exc:
            raise LabError(f"cannot write {self.allow_list}: {exc.strerror}") from exc

    def settings(self, estate: Estate) -> Settings:
        """Return the traffic server's settings."""
        plan = estate.expressway_c
        return Settings(
            listen=Endpoint("127.0.0.1", 0),
            admin=None,
            release=plan.release,
            upgrade_path=plan.upgrade_path,
            verify_origin_server=plan.verify_origin_server,
            name_rule=plan.name_rule,
            ciphers=plan.ciphers,
            trusted_ca=(self.trusted_ca,),
            hosts=self.hosts,
            allow_list=self.allow_list,
            client_cert=self.client_cert,
            client_key=self.client_key,
            x_lab_reason=True,
            log=LogSettings(
                event_log=self.event_log,
                json_log=self.json_log,
                hostname=plan.name.partition(".")[0],
            ),
            timeouts=_TIMEOUTS,
        )


def changed_settings(settings: Settings, old: Estate, new: Estate) -> Settings:
    """Return settings that follow a change of Expressway-C's plan.

    What the plan says as before stays what it is now, even if it was set another way meanwhile.
    """
    before, after = old.expressway_c, new.expressway_c
    names = ("release", "upgrade_path", "verify_origin_server", "name_rule", "ciphers")
    return replace(
        settings,
        **{
            name: getattr(after, name)
            for name in names
            if getattr(before, name) != getattr(after, name)
        },
    )


def names_of(estate: Estate) -> dict[str, str]:
    """Return the real address behind each name of the estate, in lower case.

    Names are full ones, those that nodes are advertised by, and first labels that are no two
    nodes'.
    """
    hosts = [(node.name, node.address) for node in estate.nodes()]
    hosts += [(item.name, item.address) for item in (estate.expressway_c, estate.expressway_e)]
    found = {name.lower(): address for name, address in hosts}
    for node in estate.nodes():
        if not is_address(node.shown):
            found.setdefault(node.shown.lower(), node.address)
    labels = [name.partition(".")[0].lower() for name, _ in hosts]
    for label, (_, address) in zip(labels, hosts, strict=True):
        if labels.count(label) == 1:
            found.setdefault(label, address)
    return found


def hosts_text(estate: Estate, loopback: Mapping[str, str]) -> str:
    """Return the hosts file: names with their real addresses, addresses with their loopback ones.

    Args:
        estate: whose names.
        loopback: where each real address runs; empty: at that address itself.
    """
    lines = [f"{address} {name}" for name, address in names_of(estate).items()]
    if loopback:
        advertised = (node.shown for node in estate.nodes() if is_address(node.shown))
        strays = {shown: stray_of(shown, loopback) for shown in advertised}
        lines += [f"{own} {address}" for address, own in {**strays, **loopback}.items()]
    return "".join(f"{line}\n" for line in lines)


def stray_of(address: str, loopback: Mapping[str, str]) -> str:
    """Return where an address that is no node's ends: on loopback, where no node runs.

    Args:
        address: IPv4 literal.
        loopback: where each of the estate's addresses runs.
    """
    taken = set(loopback.values())
    own = (loopback_of(address, shift=_STRAYS + more) for more in range(256))
    return next(one for one in own if one not in taken)


def front_ca(certificates: EstateCertificates) -> bytes:
    """Return in PEM what vouches for Expressway-E: the root above it, or itself."""
    estate = certificates.estate
    above = {plan.name: plan.signed_by for plan in estate.authorities}
    name = estate.expressway_e.certificate.signed_by
    while above.get(name):
        name = above[name]
    return certificates.authorities[name].pem if name else certificates.expressway_e.pem


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 literal."""
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
