"""Handshakes between an :class:`OriginContext` and an OpenSSL server, all in memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from OpenSSL import SSL
from tests.truststore.certs import NOW, Made

from mralab.config.releases import ErrorWording, NameRule, SubjectPolicy, TlsVersion
from mralab.truststore.bundle import trusted_certificate
from mralab.truststore.openssl import HandshakeInspection, OriginContext
from mralab.truststore.store import TrustStore, build_store
from mralab.truststore.verdict import Action, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

HOST = "cucm.steven.lab"
PEER = "192.0.2.7"
CIPHERS = "EECDH:EDH:HIGH:-AES256+SHA:!MEDIUM:!LOW:!3DES:!MD5:!PSK:!eNULL:!aNULL:!aDH"


def store_of(
    *certificates: Made, policy: SubjectPolicy = SubjectPolicy.FIRST_SUBJECT
) -> TrustStore:
    entries = [trusted_certificate(made.der, "list.pem") for made in certificates]
    return build_store(entries, policy=policy, now=NOW)


def context_for(
    store: TrustStore,
    *,
    action: Action | Callable[[Fault], Action] = Action.TERMINATE,
    ciphers: str = CIPHERS,
    security_level: int = 1,
    max_tls: TlsVersion = TlsVersion.TLS1_2,
    tls13_suites: str = "",
    wording: ErrorWording = ErrorWording.OPENSSL_1_1_1,
    verify: bool = True,
    name_rule: NameRule = NameRule.EXPRESSWAY,
    client_cert: Path | None = None,
    client_key: Path | None = None,
    keylog: Callable[[bytes], None] | None = None,
    at: datetime | None = None,
) -> OriginContext:
    return OriginContext(
        store,
        ciphers=ciphers,
        security_level=security_level,
        max_tls=max_tls,
        tls13_suites=tls13_suites,
        wording=wording,
        verify=verify,
        name_rule=name_rule,
        action=(lambda _fault: action) if isinstance(action, Action) else action,
        client_cert=client_cert,
        client_key=client_key,
        keylog=keylog,
        at=at,
    )


@dataclass
class Outcome:
    """What both sides know after a handshake."""

    inspection: HandshakeInspection
    client: SSL.Connection
    server: SSL.Connection
    client_error: SSL.Error | None = None
    server_error: SSL.Error | None = None
    sent: bytearray = field(default_factory=bytearray)  #: all bytes from client to server

    @property
    def done(self) -> bool:
        return self.client_error is None and self.server_error is None

    @property
    def faults(self) -> list[tuple[int, str, int]]:
        return [(fault.code, fault.text, fault.depth) for fault in self.inspection.faults]

    @property
    def last_record(self) -> bytes:
        at = last = 0
        while at < len(self.sent):
            last = at
            at += 5 + int.from_bytes(self.sent[at + 3 : at + 5])
        assert at == len(self.sent)
        return bytes(self.sent[last:])

    @property
    def errors(self) -> Sequence[tuple[str, str, str]]:
        assert self.client_error is not None
        queue: Sequence[tuple[str, str, str]] = self.client_error.args[0]
        return queue


def server_context(
    leaf: Made,
    *chain: Made,
    max_tls: int = SSL.TLS1_3_VERSION,
    ask_client: SSL._VerifyCallback | None = None,
) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_max_proto_version(max_tls)
    context.use_privatekey(leaf.key)
    with tempfile.NamedTemporaryFile() as file:
        # By file: the other way asks for certificates that cryptography can read.
        file.write(b"".join(made.pem for made in (leaf, *chain)))
        file.flush()
        context.use_certificate_chain_file(file.name)
    if ask_client is not None:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, ask_client)
    return context


def shake(
    context: OriginContext,
    leaf: Made,
    *chain: Made,
    requested: str = HOST,
    is_ip: bool = False,
    peer_ip: str = PEER,
    ask_client: SSL._VerifyCallback | None = None,
) -> Outcome:
    """Let a client of ``context`` meet a server that presents these certificates."""
    inspection = HandshakeInspection(requested, peer_ip, is_ip=is_ip)
    server = SSL.Connection(server_context(leaf, *chain, ask_client=ask_client), None)
    server.set_accept_state()
    outcome = Outcome(inspection, context.new_connection(inspection), server)
    run(outcome)
    return outcome


def run(outcome: Outcome) -> None:
    """Shuttle records until both sides are done or one has failed."""
    client_open = server_open = True
    while client_open or server_open:
        if client_open:
            try:
                outcome.client.do_handshake()
                client_open = False
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                outcome.client_error = error
                client_open = False
        flight = drain(outcome.client)
        outcome.sent += flight
        if flight:
            outcome.server.bio_write(flight)
        if server_open:
            try:
                outcome.server.do_handshake()
                server_open = False
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                outcome.server_error = error
                server_open = False
        answer = drain(outcome.server)
        if answer:
            outcome.client.bio_write(answer)
        elif not flight:
            return


def drain(connection: SSL.Connection) -> bytes:
    try:
        return connection.bio_read(1 << 20)
    except SSL.WantReadError:
        return b""
