"""OpenSSL contexts for the origin leg: one per trust snapshot, judging inside the handshake.

Rules:

- The chain is OpenSSL's business, at the release's security level and with the trusted CA list
  only; the name is ours. Both are judged in the verify callback, so that a refusal becomes a fatal
  alert before any Finished or client certificate of ours is sent.
- The callback reports to the :class:`HandshakeInspection` of its connection and knows nothing else
  of it. What is to be done about a fault is asked of ``action``.
- A connection refers to its inspection, never to its owner, and nothing here refers back to a
  connection: it is freed as soon as its owner drops it.
- Sessions are never resumed, so each new connection is verified. Neither the environment nor the
  system's certificate folders are looked at. A context is frozen by its first connection: other
  ciphers, certificates or rules need another context.
- Only public interfaces of pyOpenSSL are used.

Source: Traffic Server 9.2.9 with OpenSSL 3.0 (order of faults, depths, alerts, depth limit; seen);
Cisco 218018 (alert 48, no client certificate after a refusal; seen in its capture).
"""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from mralab.config.releases import ErrorWording, NameRule, TlsVersion
from mralab.errors import ConfigError
from mralab.truststore.certificate import certificate_facts, names_of, signed_with_sha1
from mralab.truststore.names import NameVerdict, match_name
from mralab.truststore.verdict import Action, Fault, Reason, wording_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from mralab.truststore.store import TrustStore
    from mralab.truststore.verdict import CertificateFacts

#: Intermediate CAs between leaf and root. Traffic Server sets 7 (seen: 7 pass, 8 do not).
MAX_INTERMEDIATES: Final = 7
#: Verdicts kept by certificate and name. Lab default: many times the nodes of a large cluster.
_MAX_CACHED_VERDICTS: Final = 1024

_HOSTNAME_MISMATCH: Final = 62
_IP_ADDRESS_MISMATCH: Final = 64
_CA_MD_TOO_WEAK: Final = 68
_EXPLICIT_CURVE: Final = 94
#: The highest security level at which OpenSSL 1.1.1 takes SHA-1 signatures.
_SHA1_LEVEL: Final = 1

_KEY_TYPES: Final = (
    RSAPrivateKey,
    EllipticCurvePrivateKey,
    Ed25519PrivateKey,
    Ed448PrivateKey,
)
_KEY_EXPECTED: Final = "expected a PEM file with an RSA, EC or Ed25519 key and no pass phrase"

_VERSIONS: Final = {
    TlsVersion.TLS1_2: SSL.TLS1_2_VERSION,
    TlsVersion.TLS1_3: SSL.TLS1_3_VERSION,
}


class HandshakeInspection:
    """What one handshake showed of its origin. Plain and mutable: one is made per connection."""

    __slots__ = ("certificates", "faults", "is_ip", "name_verdict", "peer_ip", "requested")

    def __init__(self, requested: str, peer_ip: str, *, is_ip: bool) -> None:
        """Start with nothing seen.

        Args:
            requested: host as in the route, IPv6 without brackets; the SNI unless ``is_ip``.
            peer_ip: address of the connected peer as canonical text.
            is_ip: ``requested`` is an IP literal.
        """
        self.requested = requested
        self.peer_ip = peer_ip
        self.is_ip = is_ip
        #: In the order OpenSSL met them; one only, if it ended the handshake.
        self.faults: list[Fault] = []
        #: The certificate of each fault by its depth. A later fault at one depth has the same one.
        self.certificates: dict[int, crypto.X509] = {}
        #: None until the chain is good, or let pass, down to the leaf.
        self.name_verdict: NameVerdict | None = None

    @property
    def checked_name(self) -> str:
        """The name compared with the certificate: for an IP literal the peer's address as text."""
        return self.peer_ip if self.is_ip else self.requested

    def facts(self, depth: int) -> CertificateFacts | None:
        """Return what there is to tell of the certificate at fault at ``depth``, if any."""
        certificate = self.certificates.get(depth)
        return None if certificate is None else certificate_facts(_der(certificate))


class OriginContext:
    """One OpenSSL context for one trust snapshot and policy. Building it may take long."""

    __slots__ = ("_context",)

    def __init__(
        self,
        store: TrustStore,
        *,
        ciphers: str,
        security_level: int,
        max_tls: TlsVersion,
        tls13_suites: str = "",
        wording: ErrorWording,
        verify: bool,
        name_rule: NameRule,
        action: Callable[[Fault], Action],
        client_cert: Path | None = None,
        client_key: Path | None = None,
        keylog: Callable[[bytes], None] | None = None,
        at: datetime | None = None,
        max_intermediates: int = MAX_INTERMEDIATES,
    ) -> None:
        """Build the context; this loads every certificate of the store.

        Args:
            store: the trusted CA list; its ``effective`` certificates can be found.
            ciphers: OpenSSL cipher string for TLS 1.2, without security level.
            security_level: 0 to 5. With the wording of 1.1.1, level 1 means what it means there:
                SHA-1 signatures pass, MD5 and RSA keys below 1024 bits do not.
            max_tls: highest version offered; the lowest is TLS 1.2.
            tls13_suites: suites of TLS 1.3 in order, by their IANA names; empty: OpenSSL's own.
            wording: whose error numbers and texts the faults carry. With that of 1.1.1, an EC key
                whose curve is spelled out instead of named is none.
            verify: False checks nothing and records nothing.
            name_rule: how names are compared.
            action: says what to do about a fault; called in the handshake for each one that OpenSSL
                reports: one kind may come twice at one depth, as two CAs may constrain a name.
            client_cert: PEM file with our certificate and its chain, shown if the origin asks.
            client_key: PEM file with its key; None: it is in ``client_cert``.
            keylog: gets each line of the NSS key log, without line end.
            at: aware time at which certificates are judged; None: now, at each handshake.
            max_intermediates: CAs there may be between leaf and root; the product's by default.
                OpenSSL's own limit, for comparisons with it, is 100.

        Raises:
            ConfigError: OpenSSL knows no cipher of ``ciphers``, or the client certificate or key
                cannot be read, do not fit or are too weak for the level.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_max_proto_version(_VERSIONS[max_tls])
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # an idle connection keeps no 34 KB of them
        _set_ciphers(context, ciphers, security_level)
        if tls13_suites:
            context.set_tls13_ciphersuites(tls13_suites.encode("ascii"))
        if client_cert is not None:
            _use_client_certificate(context, client_cert, client_key or client_cert)
        if keylog is not None:
            context.set_keylog_callback(lambda _connection, line: keylog(line))
        if verify:
            _fill_store(context, store, at)
            context.set_verify_depth(max_intermediates)
            tolerates = _tolerance(wording, security_level)
            context.set_verify(
                SSL.VERIFY_PEER, _verify_callback(wording, name_rule, action, tolerates)
            )
        else:
            context.set_verify(SSL.VERIFY_NONE)
        self._context = context

    def new_connection(self, inspection: HandshakeInspection) -> SSL.Connection:
        """Return a client connection over memory BIOs, ready for its handshake.

        Args:
            inspection: where the verify callback reports; it is the connection's app data.

        Returns:
            A connection that offers the requested name as SNI, spelled as written, but none for an
            IP literal (RFC 6066 section 3).
        """
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(inspection)
        if not inspection.is_ip:
            connection.set_tlsext_host_name(inspection.requested.encode())
        connection.set_connect_state()
        return connection


def _set_ciphers(context: SSL.Context, ciphers: str, security_level: int) -> None:
    try:
        context.set_cipher_list(f"{ciphers}:@SECLEVEL={security_level}".encode())
    except SSL.Error as exc:
        raise ConfigError(
            f"cipher string {ciphers!r}: OpenSSL knows no such cipher",
            hint="try it with: openssl ciphers -v 'STRING'",
        ) from exc


def _use_client_certificate(context: SSL.Context, certificate: Path, key: Path) -> None:
    try:
        private_key = _private_key(key.read_bytes())
    except OSError as exc:
        raise ConfigError(f"client key {key}: cannot be read: {exc.strerror}") from exc
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise ConfigError(f"client key {key}: {exc}", hint=_KEY_EXPECTED) from exc
    if not isinstance(private_key, _KEY_TYPES):
        raise ConfigError(f"client key {key}: not a kind TLS can use", hint=_KEY_EXPECTED)
    try:
        context.use_certificate_chain_file(certificate)
        context.use_privatekey(private_key)
        context.check_privatekey()
    except SSL.Error as exc:
        raise ConfigError(
            f"client certificate {certificate} with key {key}: {_reasons(exc)}",
            hint="expected a PEM file, our certificate first, then its CAs; the key must fit it",
        ) from exc


@lru_cache(maxsize=1)
def _private_key(pem: bytes) -> PrivateKeyTypes:
    """Read a key; once while it stays the same, since the check of an RSA key takes 50 ms."""
    return load_pem_private_key(pem, password=None)


def _fill_store(context: SSL.Context, store: TrustStore, at: datetime | None) -> None:
    target = cast("crypto.X509Store", context.get_cert_store())  # each context has one
    for certificate in store.effective:
        target.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der))
    if at is not None:
        target.set_time(at.astimezone(UTC))


def _verify_callback(
    wording: ErrorWording,
    name_rule: NameRule,
    action: Callable[[Fault], Action],
    tolerates: Callable[[int, crypto.X509], bool],
) -> Callable[[SSL.Connection, crypto.X509, int, int, int], bool]:
    """Make the callback that OpenSSL calls for each certificate, root first, and each fault.

    It is a closure, not a method: it must not keep a context alive that nobody uses any more.
    """
    match = _cached_match(name_rule)

    def verify(
        connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int
    ) -> bool:
        inspection: HandshakeInspection = connection.get_app_data()
        if ok:
            if depth or inspection.name_verdict is not None:
                return True
            verdict = inspection.name_verdict = match(certificate, inspection.checked_name)
            if verdict.matched:
                return True
            code = _IP_ADDRESS_MISMATCH if inspection.is_ip else _HOSTNAME_MISMATCH
            fault = Fault(Reason.NAME_REFUSED, code, "", 0)
        else:
            if tolerates(code, certificate):
                return True
            fault = Fault(Reason.CHAIN_REFUSED, *wording_of(code, wording), depth)
        inspection.faults.append(fault)
        inspection.certificates[depth] = certificate
        return action(fault) is Action.CONTINUE

    return verify


def _tolerance(wording: ErrorWording, security_level: int) -> Callable[[int, crypto.X509], bool]:
    """Return what tells whether a fault of the running OpenSSL is none to the release's.

    Source: OpenSSL 1.1.1n (seen, over TLS): SHA-1 signatures pass at level 1; explicit curve
    parameters pass at every level, for only its strict mode refuses them.
    """
    old = wording is ErrorWording.OPENSSL_1_1_1
    pass_sha1 = old and security_level <= _SHA1_LEVEL

    def tolerates(code: int, certificate: crypto.X509) -> bool:
        if code == _CA_MD_TOO_WEAK:
            return pass_sha1 and signed_with_sha1(_der(certificate))
        return old and code == _EXPLICIT_CURVE

    return tolerates


def _cached_match(name_rule: NameRule) -> Callable[[crypto.X509, str], NameVerdict]:
    """Return a name check that reads each certificate only once for each name it is asked for."""
    verdicts: dict[tuple[bytes, str], NameVerdict] = {}

    def match(certificate: crypto.X509, name: str) -> NameVerdict:
        encoded = _der(certificate)
        # Our own digest of the bytes: pyOpenSSL's takes twice as long for its hexadecimal text.
        key = (sha256(encoded).digest(), name)
        verdict = verdicts.get(key)
        if verdict is None:
            if len(verdicts) >= _MAX_CACHED_VERDICTS:
                # An origin could send ever new certificates.
                verdicts.clear()
            verdict = verdicts[key] = match_name(name, names_of(encoded), name_rule)
        return verdict

    return match


def _der(certificate: crypto.X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _reasons(error: SSL.Error) -> str:
    """Return OpenSSL's reasons as text for people."""
    return "; ".join(reason for _, _, reason in error.args[0])
