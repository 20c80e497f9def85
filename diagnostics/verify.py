"""One live origin, judged as each release would judge it.

Rules: every verdict comes from a real handshake with that release's own settings: no table of
expectations is read. Connections are few (one per certificate type, one per release and cipher
list) and carry no HTTP request. Nothing is retried.

Source: release profiles of :mod:`mralab.config.releases`; which certificate a node presents under
TLS 1.2 follows the client's cipher order (Cisco 218018, seen).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL, crypto

from mralab.config.releases import (
    PROFILES,
    NameRule,
    Release,
    ReleaseProfile,
    SubjectPolicy,
    TlsVersion,
    UpgradePath,
    VerifyMode,
    default_ciphers,
)
from mralab.errors import OriginConnectError, OriginNameError, OriginTimeoutError
from mralab.origin.policy import action_for
from mralab.truststore.certificate import certificate_facts, names_of
from mralab.truststore.names import NameVerdict, match_name
from mralab.truststore.openssl import HandshakeInspection, OriginContext
from mralab.truststore.verdict import Reason, tls_error_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mralab.truststore.store import TrustStore
    from mralab.truststore.verdict import CertificateFacts, Fault

_READ: Final = 16_384
_FAMILY_CIPHERS: Final = {
    "RSA": "kRSA+AESGCM:aRSA+AESGCM:aRSA+CHACHA20:aRSA",
    "EC": "aECDSA+AESGCM:aECDSA+CHACHA20:aECDSA",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is looked at."""

    host: str  #: name or IP literal to connect to, IPv6 without brackets
    port: int
    name: str  #: name or IP literal that clients are sent to: SNI and name check
    name_is_ip: bool
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What the origin presents to a client that takes only one kind of certificate."""

    family: str  #: "RSA" or "EC"
    chain: tuple[CertificateFacts, ...]  #: leaf first; empty: it has none of this kind
    names: Mapping[NameRule, NameVerdict]  #: the requested name against the leaf, rule by rule
    error: str = ""  #: why there is no chain


class Outcome(Enum):
    """How one release's handshake ended."""

    ACCEPTED = "accepted"
    NOT_VERIFIED = "not verified"
    REFUSED = "refused"
    FAILED = "failed"  #: TLS itself failed, or the origin ended it


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseVerdict:
    """What one release makes of the origin."""

    release: Release
    path: UpgradePath | None  #: which cipher list, where the release has two
    outcome: Outcome
    version: str  #: TLS version spoken, or ""
    leaf: CertificateFacts | None  #: what it met, if the handshake got that far
    fault: Fault | None  #: the first fault, which ended the handshake
    detail: str  #: the log's words


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginReport:
    """All that was found about one origin."""

    target: Target
    address: str
    presented: tuple[Presented, ...]
    verdicts: tuple[ReleaseVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the origin is judged with."""

    stores: Mapping[SubjectPolicy, TrustStore]  #: the trusted CA list under each policy
    client_cert: Path | None = None
    client_key: Path | None = None


def examine(target: Target, trust: Trust) -> OriginReport:
    """Look at an origin.

    Args:
        target: where, and under which name.
        trust: the trusted CA list and, if the origin asks for one, our certificate.

    Raises:
        OriginConnectError: no TCP connection can be made.
        OriginNameError: the host does not resolve.
    """
    address = _resolve(target)
    presented = tuple(_present(target, trust, family) for family in _FAMILY_CIPHERS)
    verdicts = tuple(
        _judge(target, trust, PROFILES[release], path) for release, path in _releases()
    )
    return OriginReport(target=target, address=address, presented=presented, verdicts=verdicts)


def _releases() -> Iterator[tuple[Release, UpgradePath | None]]:
    for release in Release:
        if release in {Release.X14_2, Release.X15_5}:
            yield release, UpgradePath.FRESH
            yield release, UpgradePath.FROM_14_0
        else:
            yield release, None


def _present(target: Target, trust: Trust, family: str) -> Presented:
    """Ask for one kind of certificate, verifying nothing."""
    profile = replace(PROFILES[Release.X14_2], max_tls=TlsVersion.TLS1_2, security_level=0)
    context = _context(trust, profile, _FAMILY_CIPHERS[family], verify=False)
    handshake = _shake(target, context)
    chain = tuple(certificate_facts(der) for der in handshake.chain)
    names: dict[NameRule, NameVerdict] = {}
    if handshake.chain:
        found = names_of(handshake.chain[0])
        requested = handshake.inspection.checked_name
        names = {rule: match_name(requested, found, rule) for rule in NameRule}
    return Presented(family=family, chain=chain, names=names, error=handshake.error)


def _judge(
    target: Target, trust: Trust, profile: ReleaseProfile, path: UpgradePath | None
) -> ReleaseVerdict:
    """Shake hands as one release does."""
    verify = profile.verify_mode is not VerifyMode.OFF
    ciphers = default_ciphers(profile.release, path or UpgradePath.FRESH)
    handshake = _shake(target, _context(trust, profile, ciphers, verify=verify))
    faults = handshake.inspection.faults
    fault = faults[0] if faults else None
    leaf = certificate_facts(handshake.chain[0]) if handshake.chain else None
    if fault is not None:
        outcome, detail = Outcome.REFUSED, _words(fault, handshake.inspection)
        leaf = leaf or handshake.inspection.facts(0)
    elif handshake.error:
        outcome = Outcome.FAILED
        detail = tls_error_text(handshake.queue, profile.wording) if handshake.queue else ""
        detail = detail or handshake.error
    else:
        outcome = Outcome.ACCEPTED if verify else Outcome.NOT_VERIFIED
        detail = ""
    return ReleaseVerdict(
        release=profile.release,
        path=path,
        outcome=outcome,
        version=handshake.version,
        leaf=leaf,
        fault=fault,
        detail=detail,
    )


def _words(fault: Fault, inspection: HandshakeInspection) -> str:
    if fault.reason is Reason.NAME_REFUSED:
        return f"{inspection.checked_name} not in certificate"
    return f"{fault.text}, depth {fault.depth}"


def _context(trust: Trust, profile: ReleaseProfile, ciphers: str, *, verify: bool) -> OriginContext:
    shows = profile.shows_client_certificate
    return OriginContext(
        trust.stores[profile.subject_policy],
        ciphers=ciphers,
        security_level=profile.security_level,
        max_tls=profile.max_tls,
        tls13_suites=profile.tls13_suites,
        wording=profile.wording,
        verify=verify,
        name_rule=profile.name_rule,
        action=action_for(VerifyMode.ENFORCED),
        client_cert=trust.client_cert if shows else None,
        client_key=trust.client_key if shows else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handshake:
    inspection: HandshakeInspection
    chain: tuple[bytes, ...] = ()  # DER, leaf first, as sent
    version: str = ""
    error: str = ""
    queue: tuple[tuple[str, str, str], ...] = ()


def _shake(target: Target, context: OriginContext) -> _Handshake:
    """Make one connection and one handshake; a failure of TLS is part of the result."""
    with _connected(target) as stream:
        peer = str(stream.getpeername()[0])
        inspection = HandshakeInspection(target.name, peer, is_ip=target.name_is_ip)
        tls = context.new_connection(inspection)
        try:
            while True:
                try:
                    tls.do_handshake()
                    break
                except SSL.WantReadError:
                    _send(tls, stream)
                    data = stream.recv(_READ)
                    if not data:
                        return _Handshake(
                            inspection=inspection, error="closed the connection in the handshake"
                        )
                    tls.bio_write(data)
            _send(tls, stream)
        except SSL.Error as exc:
            _send(tls, stream)
            queue = tuple(exc.args[0]) if exc.args and isinstance(exc.args[0], list) else ()
            why = queue[0][2] if queue else "handshake failed"
            return _Handshake(inspection=inspection, error=why, queue=queue)
        except TimeoutError:
            return _Handshake(
                inspection=inspection, error=f"silent for {target.timeout_s:g} s in the handshake"
            )
        except OSError as exc:
            return _Handshake(inspection=inspection, error=str(exc.strerror or exc))
        chain = tls.get_peer_cert_chain() or []
        return _Handshake(
            inspection=inspection,
            chain=tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, item) for item in chain),
            version=tls.get_protocol_version_name(),
        )


def _send(tls: SSL.Connection, stream: socket.socket) -> None:
    try:
        while True:
            stream.sendall(tls.bio_read(_READ))
    except SSL.WantReadError:
        return


def _resolve(target: Target) -> str:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise OriginNameError(
            f"{target.host} does not resolve: {exc.strerror or exc}",
            hint="give its address, and the name with --name",
        ) from exc
    return str(found[0][4][0])


def _connected(target: Target) -> socket.socket:
    where = f"{target.host}:{target.port}"
    try:
        return socket.create_connection((target.host, target.port), timeout=target.timeout_s)
    except TimeoutError as exc:
        raise OriginTimeoutError(
            f"{where}: no connection within {target.timeout_s:g} s",
            hint="check that it is up and that no firewall drops the packets",
        ) from exc
    except OSError as exc:
        raise OriginConnectError(
            f"{where}: {exc.strerror or exc}", hint="check address, port and firewall"
        ) from exc
