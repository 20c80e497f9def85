"""A folder with a node's certificates, made once, so that a restart breaks nobody's trust.

- The set belongs together: ``ca.pem`` (its key is not kept, so nobody can sign more),
  ``tomcat``, ``CallManager`` and ``expressway-c`` signed by it, and ``cucm-EC``, self-signed; each
  as ``.pem`` and ``.key`` (0600).
- It is kept as long as it is whole, fits together, names the node and is valid. Once a certificate
  has run out all are made anew.
- Files that do not make up such a set are somebody else's and are never overwritten.
- Of ``ca.pem`` only the first certificate counts: what was appended to it stays.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from mralab.errors import LabError
from mralab.lab import documented
from mralab.lab.pki import Credential, KeyKind, PrivateKey, root_ca, self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

CA_FILE: Final = "ca.pem"
HOSTS_FILE: Final = "hosts"
#: Expressway-C's own certificate, by the first part of its files' names.
EXPRESSWAY_C: Final = "expressway-c"
#: The node's certificates by the names that its services know, each with that of its files.
NODE_FILES: Final[Mapping[str, str]] = {
    "tomcat": "tomcat",
    "CallManager": "CallManager",
    "CallManager-ECDSA": "cucm-EC",
}
_STEMS: Final = (*NODE_FILES.values(), EXPRESSWAY_C)
_SELF_SIGNED: Final = NODE_FILES["CallManager-ECDSA"]
_PUBLIC: Final = 0o644
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSet:
    """What a node's folder holds."""

    ca: x509.Certificate
    credentials: Mapping[str, Credential]  #: by the first part of the files' names
    made: bool  #: it was made just now, not kept

    @property
    def for_node(self) -> dict[str, Credential]:
        """The node's certificates, by the names that its services know."""
        return {name: self.credentials[stem] for name, stem in NODE_FILES.items()}


def prepare(folder: Path, *, name: str, domain: str, now: datetime) -> CertificateSet:
    """Return the certificates of a folder, making them and it if need be.

    Args:
        folder: where they are kept.
        name: the node's name, which its certificates must have as a dNSName.
        domain: Expressway-C's domain, in which its certificate must name it.
        now: aware clock.

    Raises:
        LabError: the folder holds something else, or cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = {path.name for path in _files(folder) if path.exists()}
        if present:
            kept = _load(folder, _expected_names(name, domain), now)
            if _is_valid(kept, now):
                return kept
        return _make(folder, name=name, domain=domain, now=now)
    except OSError as exc:
        raise LabError(
            f"folder {folder}: {exc.strerror}", hint="name a folder that may be written to"
        ) from exc


def write_hosts(folder: Path, name: str, addresses: tuple[str, ...]) -> None:
    """Write ``hosts`` anew: the node's name with its addresses, in hosts(5) form.

    Raises:
        LabError: the folder cannot be written to.
    """
    lines = "".join(f"{address} {name}\n" for address in addresses)
    try:
        _place(folder / HOSTS_FILE, lines.encode("ascii"), _PUBLIC)
    except OSError as exc:
        raise LabError(
            f"folder {folder}: {exc.strerror}", hint="name a folder that may be written to"
        ) from exc


def _files(folder: Path) -> Iterator[Path]:
    yield folder / CA_FILE
    for stem in _STEMS:
        yield folder / f"{stem}.pem"
        yield folder / f"{stem}.key"


def _expected_names(name: str, domain: str) -> dict[str, str]:
    return {
        **dict.fromkeys(NODE_FILES.values(), name),
        EXPRESSWAY_C: documented.expressway_c_name(domain),
    }


def _make(folder: Path, *, name: str, domain: str, now: datetime) -> CertificateSet:
    ca = root_ca(documented.CA_NAME, now=now)
    credentials = {
        "tomcat": ca.issue(documented.tomcat(name)),
        "CallManager": ca.issue(documented.call_manager(name)),
        _SELF_SIGNED: self_signed(documented.call_manager_ec(name), now=now, key=KeyKind.EC_P384),
        EXPRESSWAY_C: ca.issue(documented.expressway_c(domain)),
    }
    for stem, credential in credentials.items():
        _place(folder / f"{stem}.key", credential.key_pem, _PRIVATE)
        _place(folder / f"{stem}.pem", credential.chain_pem, _PUBLIC)
    _place(folder / CA_FILE, ca.pem, _PUBLIC)
    return CertificateSet(ca=ca.certificate, credentials=credentials, made=True)


def _load(folder: Path, names: Mapping[str, str], now: datetime) -> CertificateSet:
    """Read the set and check that it is one, whatever its dates.

    Raises:
        LabError: it is not.
        OSError: a file cannot be read.
    """
    missing = [path.name for path in _files(folder) if not path.exists()]
    if missing:
        raise _foreign(folder, f"some of the node's files, but no {', no '.join(missing)}")
    ca = _certificate(folder / CA_FILE)
    credentials = {}
    for stem in _STEMS:
        path = folder / f"{stem}.pem"
        certificate = _certificate(path)
        issuer = certificate if stem == _SELF_SIGNED else ca
        if not _is_issued_by(certificate, issuer):
            raise _foreign(folder, f"{path.name}, which {CA_FILE} did not sign")
        if not _has_name(certificate, names[stem]):
            raise _foreign(folder, f"{path.name}, which is not for {names[stem]}")
        key = _key(path.with_suffix(".key"))
        if _public(key) != _public(certificate):
            raise _foreign(folder, f"{path.name} with a key that is not its own")
        credentials[stem] = Credential(certificate=certificate, key=key, chain=(), now=now)
    return CertificateSet(ca=ca, credentials=credentials, made=False)


def _is_valid(kept: CertificateSet, now: datetime) -> bool:
    certificates = (kept.ca, *(item.certificate for item in kept.credentials.values()))
    return all(
        item.not_valid_before_utc <= now <= item.not_valid_after_utc for item in certificates
    )


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except ValueError as exc:
        raise _foreign(path.parent, f"{path.name}, which is no certificate in PEM") from exc


def _key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as exc:  # TypeError: it is encrypted
        raise _foreign(path.parent, f"{path.name}, which is no private key in PEM") from exc
    if not isinstance(key, PrivateKey):
        raise _foreign(path.parent, f"{path.name}, which is neither an RSA nor an EC key")
    return key


def _public(holder: PrivateKey | x509.Certificate) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _has_name(certificate: x509.Certificate, name: str) -> bool:
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return name in san.value.get_values_for_type(x509.DNSName)


def _foreign(folder: Path, what: str) -> LabError:
    return LabError(
        f"folder {folder} holds {what}",
        hint="name another folder, or empty this one to have new certificates made",
    )


def _place(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all; a private one is never readable by others."""
    fresh = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(fresh, flags, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
    fresh.replace(path)
