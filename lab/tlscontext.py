"""The TLS side of one service: its certificates and parameters, loaded once.

- One context holds an RSA and an ECDSA certificate and obeys the client's order, as CUCM does
  (Cisco 218018: which of the two is served depends on the cipher list of Expressway-C).
- Sessions are not resumed, so every connection shows its certificate.
- What is wrong with a certificate is for the client to judge: nothing is refused here for its age,
  digest or key size.
"""

from __future__ import annotations

import ssl
import tempfile
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from mralab.config.releases import TlsVersion
from mralab.errors import LabError
from mralab.lab import tlswire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography import x509

    from mralab.lab.pki import Credential

KeyFamily = Literal["RSA", "EC"]

#: Security level 0 lets old certificates be served (SHA-1, RSA 1024): the client is to judge them.
DEFAULT_CIPHERS: Final = "HIGH:!aNULL:!PSK:!SRP:@SECLEVEL=0"


_VERSIONS: Final = {
    TlsVersion.TLS1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.TLS1_3: ssl.TLSVersion.TLSv1_3,
}
#: Signature schemes by what can sign with them under TLS 1.3 (RFC 8446, 4.2.3).
_SCHEMES: Final[dict[int, tuple[KeyFamily, str]]] = {
    0x0403: ("EC", "secp256r1"),
    0x0503: ("EC", "secp384r1"),
    0x0804: ("RSA", ""),
    0x0805: ("RSA", ""),
    0x0806: ("RSA", ""),
}


class ClientCertificate(Enum):
    """Whether a service asks its clients for a certificate."""

    NOT_ASKED = "not asked"  #: 8443 of CUCM
    ASKED = "asked"  #: 6971 and 6972: none will do, but one that is shown must be trusted
    REQUIRED = "required"


class ServerTls:
    """Certificates and TLS parameters of one service, built once and shared by its connections.

    Attributes:
        credentials: by name, such as ``CallManager-ECDSA``; in the order given.
        context: what the connections are made of.
    """

    __slots__ = ("_suite_names", "context", "credentials")

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        *,
        client_certificate: ClientCertificate = ClientCertificate.NOT_ASKED,
        trusted: Sequence[x509.Certificate] = (),
        ciphers: str = DEFAULT_CIPHERS,
        max_tls: TlsVersion = TlsVersion.TLS1_2,
    ) -> None:
        """Load everything.

        Args:
            credentials: at most one of each key family; each is sent with its own chain.
            client_certificate: whether clients are asked for theirs.
            trusted: what a client's certificate must lead to. A refused one gets the alert that
                OpenSSL finds right, 48 unknown_ca if its CA is missing.
            ciphers: OpenSSL cipher string. The client's order counts.
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
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _set_parameters(self.context, ciphers, max_tls)
        for credential in credentials.values():
            _load(self.context, credential)
        if client_certificate is not ClientCertificate.NOT_ASKED:
            required = client_certificate is ClientCertificate.REQUIRED
            self.context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
            if trusted:
                bundle = "".join(item.public_bytes(Encoding.PEM).decode() for item in trusted)
                self.context.load_verify_locations(cadata=bundle)
        self._suite_names = {
            cipher["id"] & 0xFFFF: str(cipher["name"]) for cipher in self.context.get_ciphers()
        }

    def suite_name(self, number: int) -> str:
        """Return OpenSSL's name of a cipher suite, or its number in hexadecimal."""
        return self._suite_names.get(number, f"0x{number:04X}")

    def served(self, hello: tlswire.ClientHello, sent: bytes) -> str | None:
        """Find which credential a client got.

        Args:
            hello: what the client offered.
            sent: raw bytes sent to the client.

        Returns:
            Its name; None if the server did not get that far.

        Under TLS 1.2 this is read off the wire. Under TLS 1.3 the certificate is encrypted, and the
        rule is applied by which OpenSSL chooses: the first of the client's signature schemes that
        one of the keys can make.
        """
        shown = tlswire.certificates(sent)
        if shown:
            leafs = {item.der: name for name, item in self.credentials.items()}
            return leafs.get(shown[0])
        chosen = tlswire.server_hello(sent)
        if chosen is None or chosen.version != TlsVersion.TLS1_3.value:
            return None
        by_ability = {_ability(item): name for name, item in self.credentials.items()}
        abilities = (_SCHEMES.get(scheme) for scheme in hello.signature_algorithms)
        return next((by_ability[item] for item in abilities if item in by_ability), None)


def _ability(credential: Credential) -> tuple[KeyFamily, str]:
    match credential.key:
        case rsa.RSAPrivateKey():
            return "RSA", ""
        case ec.EllipticCurvePrivateKey():
            return "EC", credential.key.curve.name


def _set_parameters(context: ssl.SSLContext, ciphers: str, max_tls: TlsVersion) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = _VERSIONS[max_tls]
    # Python's server contexts prefer their own order until told otherwise.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as exc:
        raise LabError(
            f"cipher string {ciphers!r} selects nothing", hint="see 'openssl ciphers'"
        ) from exc


def _load(context: ssl.SSLContext, credential: Credential) -> None:
    """Load a credential; the context reads files only, so it passes through a private one."""
    with tempfile.TemporaryDirectory(prefix="mralab-") as folder:
        path = Path(folder) / "credential.pem"
        path.write_bytes(credential.key_pem + credential.chain_pem)
        try:
            context.load_cert_chain(path)
        except ssl.SSLError as exc:
            raise LabError(
                f"certificate {credential.subject!r} cannot be served: {exc.reason}",
                hint="its key must be its own, and the security level in the ciphers must allow it",
            ) from exc
