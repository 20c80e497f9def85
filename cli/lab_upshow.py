"""What ``mralab lab up`` prints once an estate runs: what runs where, and how to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

from mralab.cli.output import print_columns, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Name

    from mralab.config.estate import Estate
    from mralab.config.settings import Endpoint
    from mralab.lab.dns import DnsServer
    from mralab.lab.estate import RunningEstate


def show(lab: RunningEstate, server: DnsServer | None, control: Endpoint) -> None:
    """Print what runs where, and how to use it."""
    _print_nodes(lab)
    _print_around(lab, server, control)
    print()
    for note in (*lab.notes, *(server.notes if server else ())):
        _say(f"note: {note}")
    _print_login(lab)
    nodes = f"{len(lab.nodes)} node{'s' if len(lab.nodes) > 1 else ''}"
    _say(f"ready: {lab.estate.domain} with {nodes}; Ctrl-C ends it")


def show_change(lab: RunningEstate, before: Estate) -> None:
    """Print what is not as it was before, and how to log in if Expressway-E has moved."""
    from mralab.config.estatesummary import changed_parts  # noqa: PLC0415 - seldom needed

    parts = ", ".join(changed_parts(before, lab.estate)) or "nothing"
    found = (f"{item.plan.address} {item.status}" for item in lab.report.discoveries)
    _say(f"changed: {parts}; discovery: {', '.join(found) or 'none'}")
    if before.expressway_e.address != lab.estate.expressway_e.address:
        _print_login(lab)


def _print_nodes(lab: RunningEstate) -> None:
    rows = [("Node", "advertised as", "address", "runs on", "ports")]
    for plan in lab.estate.nodes():
        node = lab.nodes[plan.name]
        ports = ", ".join(f"{node.endpoint(s.name).port} {s.name}" for s in node.services)
        rows.append((plan.name, plan.shown, plan.address, node.host, ports))
    print_columns(rows)
    print()
    rows = [("Certificate", "CN", "signed by", "valid until", "")]
    for plan in lab.estate.nodes():
        for name, credential in lab.nodes[plan.name].certificates.items():
            certificate = credential.certificate
            reuse = next((p.reuse for k, p in plan.certificates.items() if k.value == name), "")
            issuer = "itself" if credential.self_issued else _cn(certificate.issuer)
            rows.append(
                (
                    f"{plan.name}/{name}",
                    _cn(certificate.subject),
                    issuer,
                    f"{certificate.not_valid_after_utc:%Y-%m-%d}",
                    f"is {reuse}" if reuse else "",
                )
            )
    print_columns(rows)


def _print_around(lab: RunningEstate, server: DnsServer | None, control: Endpoint) -> None:
    c, e = lab.estate.expressway_c, lab.estate.expressway_e
    settings = lab.proxy.settings
    rows: list[Sequence[str]] = []
    if lab.expressway_e is not None:
        rows.append(("Expressway-E", e.name, e.address, f"https://{lab.expressway_e.endpoint}"))
    rows.append(("Expressway-C", c.name, c.address, f"http://{lab.expressway_c.endpoint}"))
    released = f"{settings.release.value}, {settings.upgrade_path.value}"
    rows.append(("traffic server", released, "", f"http://{lab.proxy.endpoint}"))
    rows.append(("DNS", "", "", str(server.endpoint) if server else "off"))
    rows.append(("control", "", "", f"http://{control}"))
    print()
    print_columns(rows)
    print()
    print_columns(
        [
            ("Discovery", "kind", "status"),
            *(
                (item.plan.address, item.plan.kind.value, item.status)
                for item in lab.report.discoveries
            ),
        ]
    )
    print()
    print_columns([("log", str(lab.event_log)), ("trusted CA list", str(lab.trust_file))])


def _print_login(lab: RunningEstate) -> None:
    if lab.expressway_e is None or not lab.estate.users:
        return
    user = f"{lab.estate.users[0].user_id}@{lab.estate.domain}"
    _say(
        f"log in: mralab login {user} --edge {lab.expressway_e.endpoint} "
        f"--edge-name {lab.estate.expressway_e.name} --ca {lab.files.front_ca}"
    )


def _cn(certificate: Name) -> str:
    """Return the CN of a distinguished name, or all of it."""
    found = certificate.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else certificate.rfc4514_string()


def _say(line: str) -> None:
    print(printable(line), flush=True)
