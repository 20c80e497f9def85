"""The TLS side of one service: its certificates and parameters, loaded once.

- One context holds an RSA and an ECDSA certificate and obeys the client's order, as CUCM does
  (Cisco 218018: which of the two is served depends on the cipher list of Expressway-C), or puts
  its own ECDSA suites first.
- What is sent is a credential's own chain and never more: OpenSSL would complete a chain from the
  list of trusted client CAs, and a missing intermediate would never show.
- Sessions are not resumed, so every connection shows its certificate.
- What is wrong with a certificate is for the client to judge: nothing is refused here for its age,
  digest or key size.
"""

from __future__ import annotations

import ssl
import tempfile
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from OpenSSL import SSL, crypto

from mralab.config.releases import TlsVersion
from mralab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography import x509

    from mralab.lab.pki import Credential

KeyFamily = Literal["RSA", "EC"]

#: Security level 0 lets old certificates be served (SHA-1, RSA 1024): the client is to judge them.
DEFAULT_CIPHERS: Final = "HIGH:!aNULL:!PSK:!SRP:@SECLEVEL=0"


_VERSIONS: Final = {TlsVersion.TLS1_2: SSL.TLS1_2_VERSION, TlsVersion.TLS1_3: SSL.TLS1_3_VERSION}
#: SSL_MODE_NO_AUTO_CHAIN of OpenSSL's ssl.h, which pyOpenSSL does not name.
_MODE_NO_AUTO_CHAIN: Final = 0x8


class ClientCertificate(Enum):
    """Whether a service asks its clients for a certificate."""

    NOT_ASKED = "not asked"  #: 8443 of CUCM
    ASKED = "asked"  #: 6971 and 6972: none will do, but one that is shown must be trusted
    REQUIRED = "required"


class CipherOrder(Enum):
    """Whose order of cipher suites decides, and so which of two certificates is served."""

    CLIENT = "client"
    ECDSA_FIRST = "ECDSA first"  #: the server's own, with its ECDSA certificate first


class ServerTls:
    """Certificates and TLS parameters of one service, built once and shared by its connections.

    Attributes:
        credentials: by name, such as ``CallManager-ECDSA``; in the order given.
        trusted: what a client's certificate must lead to.
        context: what the connections are made of.
    """

    __slots__ = ("context", "credentials", "trusted")

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        *,
        client_certificate: ClientCertificate = ClientCertificate.NOT_ASKED,
        trusted: Sequence[x509.Certificate] = (),
        ciphers: str = DEFAULT_CIPHERS,
        cipher_order: CipherOrder = CipherOrder.CLIENT,
        max_tls: TlsVersion = TlsVersion.TLS1_2,
    ) -> None:
        """Load everything.

        Args:
            credentials: at most one of each key family; each is sent with its own chain.
            client_certificate: whether clients are asked for theirs.
            trusted: what a client's certificate must lead to. A refused one gets the alert that
                OpenSSL finds right, 48 unknown_ca if its CA is missing.
            ciphers: OpenSSL cipher string.
            cipher_order: whose order counts.
            max_tls: highest version spoken. TLS 1.2 is the lowest.

        Raises:
            LabError: no credential, two of one family, or a wrong cipher string.
        """
        families = [credential.family for credential in credentials.values()]
        if not families or len(set(families)) != len(families):
            raise LabError(
                f"a TLS service takes one RSA and one EC certificate, not {families}",
                hint="give it a tomcat and a tomcat-ECDSA certificate, or one of them",
            )
        self.credentials = dict(credentials)
        self.trusted = tuple(trusted)
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        _set_parameters(self.context, ciphers, max_tls)
        if cipher_order is CipherOrder.ECDSA_FIRST:
            # It puts the server's signature algorithms first too, which decide under TLS 1.3.
            self.context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
            self.context.set_cipher_list(f"HIGH+aECDSA:{ciphers}".encode())
        for credential in credentials.values():
            _load(self.context, credential)
        _ask(self.context, client_certificate, trusted)

    def new_connection(self) -> SSL.Connection:
        """Make the server side of one more connection, over memory BIOs."""
        connection = SSL.Connection(self.context, None)
        connection.set_accept_state()
        return connection

    def served(self, connection: SSL.Connection) -> str | None:
        """Return the name of the credential that OpenSSL chose; call it once one has been sent."""
        chosen = connection.get_certificate(as_cryptography=True)
        found = (name for name, item in self.credentials.items() if item.certificate == chosen)
        return next(found, None)


@cache
def _suites() -> dict[int, str]:
    """Names of all suites that can be met, by IANA number; pyOpenSSL tells only the names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return {cipher["id"] & 0xFFFF: str(cipher["name"]) for cipher in context.get_ciphers()}


def suite_name(number: int) -> str:
    """Return OpenSSL's name of a cipher suite, or its number in hexadecimal."""
    return _suites().get(number, f"0x{number:04X}")


_ASKING: Final = {
    ClientCertificate.NOT_ASKED: SSL.VERIFY_NONE,
    ClientCertificate.ASKED: SSL.VERIFY_PEER,
    ClientCertificate.REQUIRED: SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}


def _set_parameters(context: SSL.Context, ciphers: str, max_tls: TlsVersion) -> None:
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(_VERSIONS[max_tls])
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(_MODE_NO_AUTO_CHAIN)
    try:
        context.set_cipher_list(ciphers.encode())
    except SSL.Error as exc:
        raise LabError(
            f"cipher string {ciphers!r} selects nothing", hint="see 'openssl ciphers'"
        ) from exc


def _load(context: SSL.Context, credential: Credential) -> None:
    """Load a credential; only a file gives each certificate its own chain, so one is lent."""
    with tempfile.TemporaryDirectory(prefix="mralab-") as folder:
        path = Path(folder) / "chain.pem"
        path.write_bytes(credential.chain_pem)
        context.use_certificate_chain_file(path)
    try:
        context.use_privatekey(credential.key)
    except SSL.Error as exc:
        raise LabError(
            f"certificate {credential.subject!r} cannot be served: its key is another one's",
            hint="give it the key that it was made for",
        ) from exc


def _ask(
    context: SSL.Context, policy: ClientCertificate, trusted: Sequence[x509.Certificate]
) -> None:
    store = cast("crypto.X509Store", context.get_cert_store())
    for certificate in trusted:
        store.add_cert(crypto.X509.from_cryptography(certificate))
    context.set_verify(_ASKING[policy])
