"""An estate in plain words: what ``mralab lab check`` shows, as text and as JSON. *Pure*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mralab.config.estatedefaults import EXPRESSWAY_CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mralab.config.estate import AuthorityPlan, CertificatePlan, Estate, Moment, NodePlan

_UNITS: Final = (("y", 365 * 86_400), ("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def describe_estate(estate: Estate) -> dict[str, Any]:
    """Return an estate as JSON holds it: dates as text, ``None`` for what is not set.

    Passwords are left out. Source: lab form.
    """
    c, e = estate.expressway_c, estate.expressway_e
    return {
        "domain": estate.domain,
        "expressway_c": {
            "name": c.name,
            "address": c.address,
            "release": c.release.value,
            "upgrade_path": c.upgrade_path.value,
            "verify_origin_server": c.verify_origin_server and c.verify_origin_server.value,
        },
        "expressway_e": {"name": e.name, "address": e.address},
        "nodes": [_node(cluster, node) for cluster, node in _nodes(estate)],
        "authorities": [
            {"name": plan.name, "cn": plan.common_name or plan.name, **_made(plan)}
            for plan in estate.authorities
        ],
        "certificates": [
            _certificate(reference, plan) for reference, plan in _certificates(estate)
        ],
        "trust_lists": [
            {"owner": owner, "list": name, "certificates": list(references)}
            for owner, name, references in _trust_lists(estate)
        ],
        "discoveries": [
            {
                "kind": plan.kind.value,
                "address": plan.address,
                "tls_verify_mode": "On" if plan.tls_verify_mode else "Off",
            }
            for plan in c.discoveries
        ],
        "users": [
            {
                "id": user.user_id,
                "cluster": user.cluster,
                "im_presence": user.im_presence,
                "voicemail": user.voicemail or None,
            }
            for user in estate.users
        ],
    }


def changed_parts(old: Estate, new: Estate) -> tuple[str, ...]:
    """Return what differs between two estates, by name: ``("imp.steven.lab", "user emusk (new)")``.

    Where the file describes a part does not count.
    """
    before, after = _parts(old), _parts(new)
    found = []
    for name in {**before, **after}:
        if name not in before:
            found.append(f"{name} (new)")
        elif name not in after:
            found.append(f"{name} (gone)")
        elif before[name] != after[name]:
            found.append(name)
    return tuple(found)


def _parts(estate: Estate) -> dict[str, object]:
    """Return each part of an estate by what to call it."""
    c, e = estate.expressway_c, estate.expressway_e
    return {
        "the domain": estate.domain,
        **{f"authority {plan.name}": _plain(plan) for plan in estate.authorities},
        **{node.name: (cluster, _plain(node)) for cluster, node in _nodes(estate)},
        c.name: _plain(c),
        e.name: _plain(e),
        **{f"user {user.user_id}": _plain(user) for user in estate.users},
    }


def _plain(value: object) -> object:
    """Return a plan as plain values, without the lines of the file."""
    if is_dataclass(value):
        names = (item.name for item in fields(value) if item.name != "line")
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value


def moment_text(moment: Moment) -> str:
    """Return a date (UTC) or a distance as an estate file has it."""
    if isinstance(moment, datetime):
        midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
        return moment.strftime("%Y-%m-%d" if midnight else "%Y-%m-%dT%H:%M:%SZ")
    seconds = int(abs(moment).total_seconds())
    unit, length = next(item for item in _UNITS if seconds % item[1] == 0)
    return f"{'-' if moment < timedelta() else '+'}{seconds // length}{unit}"


def _nodes(estate: Estate) -> Iterator[tuple[str | None, NodePlan]]:
    """Yield each node with the name of its cluster; a Unity node has none."""
    for cluster in estate.clusters:
        for node in cluster.nodes:
            yield cluster.name, node
    for node in estate.unity:
        yield None, node


def _node(cluster: str | None, node: NodePlan) -> dict[str, Any]:
    return {
        "name": node.name,
        "role": node.role.value,
        "cluster": cluster,
        "address": node.address,
        "advertised": node.shown,
        "version": node.version,
        "https_ciphers": node.https_ciphers.value,
        "tls_ciphers": node.tls_ciphers.value,
        "services": {name: state.value for name, state in node.services.items()},
    }


def _certificates(estate: Estate) -> Iterator[tuple[str, CertificatePlan]]:
    """Yield every certificate but those of authorities, with its reference."""
    for node in estate.nodes():
        for kind, plan in node.certificates.items():
            yield f"{node.name}/{kind.value}", plan
    for expressway in (estate.expressway_c, estate.expressway_e):
        yield f"{expressway.name}/{EXPRESSWAY_CERTIFICATE}", expressway.certificate


def _certificate(reference: str, plan: CertificatePlan) -> dict[str, Any]:
    if plan.reuse:
        return {"certificate": reference, "reuse": plan.reuse}
    names = {"cn": plan.cn, "sans": [*plan.dns, *plan.ips]}
    return {"certificate": reference, "reuse": None, **names, **_made(plan)}


def _made(plan: AuthorityPlan | CertificatePlan) -> dict[str, Any]:
    """Return who has signed it, its key and its dates."""
    first, last = plan.not_before, plan.not_after
    return {
        "signed_by": plan.signed_by or None,
        "key": plan.key.value,
        "digest": plan.digest.value,
        "not_before": None if first is None else moment_text(first),
        "not_after": None if last is None else moment_text(last),
    }


def _trust_lists(estate: Estate) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for node in estate.nodes():
        for name, references in node.trust.items():
            yield node.name, name, references
    yield estate.expressway_c.name, "trusted CA list", estate.expressway_c.trusted_ca
