"""The trusted CA list: an ordered list of certificates and what a look-up finds in it.

Rules: order is that of the paths given, in a folder that of the names, in a file that of the file.
One certificate is kept once. An expired one stays, with a warning. Under ``first-subject`` only the
first certificate of a subject can be found; under ``openssl`` all of them. A store never changes;
a reload builds another one, and its fingerprint tells whether anything is different. No clock is
read and the environment is not looked at.

Source: Mobile and Remote Access guide X15.0 (a search stops at the first matching subject) and
CSCwa12905 (no two certificates with one CN): both seen in public documents; that both are one
behaviour is a lab decision.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import certifi

from mralab.config.releases import SubjectPolicy
from mralab.errors import TrustStoreError
from mralab.truststore.atomic import locked, replace_file
from mralab.truststore.bundle import Bundle, TrustedCertificate, parse_bundle, to_pem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from mralab.truststore.certificate import CanonicalName

__all__ = [
    "AppendReport",
    "RemoveReport",
    "TrustStore",
    "TrustedCertificate",
    "append_to_file",
    "build_store",
    "load_store",
    "remove_from_file",
    "select_certificate",
]

#: Names of files in a folder that are read; all others are passed over with a warning.
_SUFFIXES: Final = frozenset((".pem", ".crt", ".cer", ".der", ".p7b", ".p7c"))
#: What a selector must look like to be a fingerprint or its beginning.
_FINGERPRINT: Final = re.compile(r"[0-9A-F]{8,64}")
_POSITION: Final = re.compile(r"#?([0-9]{1,5})")

_SAME_CN: Final = (
    "the product cannot use two certificates with one CN (CSCwa12905): only the first in the list "
    "is found. Remove the other one, or have both signed by a CA and list that CA; to see what "
    "happens with both, append with --keep-same-cn"
)


@dataclass(frozen=True, slots=True)
class TrustStore:
    """One snapshot of the trusted CA list."""

    policy: SubjectPolicy
    certificates: tuple[TrustedCertificate, ...]  #: the list, in order, each once
    effective: tuple[TrustedCertificate, ...]  #: those that a look-up can find
    fingerprint: str  #: SHA-256 over policy and list; equal for equal behaviour
    warnings: tuple[str, ...]  #: what an administrator should know, in order of reading


@dataclass(frozen=True, slots=True)
class AppendReport:
    """What an append did."""

    path: Path
    added: tuple[TrustedCertificate, ...]
    already_listed: tuple[TrustedCertificate, ...]  #: left out, the file has them
    total: int  #: certificates in the file now
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveReport:
    """What a removal did."""

    path: Path
    removed: TrustedCertificate
    total: int  #: certificates in the file now


def load_store(
    paths: Sequence[Path], *, policy: SubjectPolicy, public_roots: bool, now: datetime
) -> TrustStore:
    """Read the trusted CA list from files and folders.

    Args:
        paths: PEM, DER or PKCS#7 files, or folders of such files (subfolders are passed over).
        policy: which of several certificates with one subject can be found.
        public_roots: append the public roots that ``certifi`` carries.
        now: aware time, for warnings about dates only.

    Returns:
        The list. It may be empty: then no origin can be verified, and a warning says so.

    Raises:
        TrustStoreError: a path cannot be read or holds no certificate.
    """
    warnings: list[str] = []
    certificates: list[TrustedCertificate] = []
    files = list(_files(paths, warnings))
    if public_roots:
        files.append(Path(certifi.where()))
    for file in files:
        bundle = _read(file)
        certificates += bundle.certificates
        warnings += bundle.warnings
    return build_store(certificates, policy=policy, now=now, warnings=warnings)


def build_store(
    certificates: Iterable[TrustedCertificate],
    *,
    policy: SubjectPolicy,
    now: datetime,
    warnings: Iterable[str] = (),
) -> TrustStore:
    """Make a store of certificates already read, dropping duplicates.

    Args:
        certificates: in list order.
        policy: which of several certificates with one subject can be found.
        now: aware time, for warnings about dates only.
        warnings: what reading them gave.
    """
    notes = list(warnings)
    kept: dict[bytes, TrustedCertificate] = {}
    for certificate in certificates:
        first = kept.setdefault(certificate.der, certificate)
        if first is not certificate:
            notes.append(f"{certificate.source}: {certificate} is already listed ({first.source})")
    listed = tuple(kept.values())
    for certificate in listed:
        notes += _date_notes(certificate, now)
    effective = listed
    if policy is SubjectPolicy.FIRST_SUBJECT:
        effective = _first_of_each_subject(listed, notes)
    if not listed:
        notes.append("the trusted CA list is empty: no origin can be verified")
    digest = hashlib.sha256(policy.value.encode("ascii"))
    for certificate in listed:
        digest.update(hashlib.sha256(certificate.der).digest())
    return TrustStore(policy, listed, effective, digest.hexdigest(), tuple(notes))


def append_to_file(
    path: Path, data: bytes, *, keep_same_cn: bool = False, now: datetime
) -> AppendReport:
    """Add certificates at the end of a trusted CA file, which is created if need be.

    A killed process leaves the old file or the new one, never something in between. Text of a PEM
    file is kept as it is; a DER or PKCS#7 file becomes a PEM file.

    Args:
        path: the file; of a symbolic link, its target is changed.
        data: one or more certificates in PEM, DER or PKCS#7.
        keep_same_cn: append also what has the CN of another certificate in the file.
        now: aware time, for warnings about dates only.

    Raises:
        TrustStoreError: ``data`` holds no certificate, the file cannot be read or written, or it
            has another certificate with the same CN.

    Source: CSCwa12905 (refusal of a second certificate with one CN, seen in Cisco 218018).
    """
    path = path.resolve()
    new = parse_bundle(data, "the certificates to append")
    if not new.certificates:
        raise TrustStoreError(f"nothing to append to {path}", hint="give at least one certificate")
    with _writing(path):
        content, old = _current(path)
        listed = list(old.certificates)
        added: list[TrustedCertificate] = []
        already: list[TrustedCertificate] = []
        warnings = list(new.warnings)
        for certificate in new.certificates:
            if any(certificate.der == other.der for other in listed):
                already.append(certificate)
                continue
            twin = _same_common_name(certificate, listed)
            if twin is not None:
                where = f"{path} already lists another certificate with CN {twin.common_name!r}"
                if not keep_same_cn:
                    raise TrustStoreError(f"{where} (serial {twin.facts.serial})", hint=_SAME_CN)
                warnings.append(f"{where}: with first-subject, the one listed later is not found")
            warnings += _date_notes(certificate, now)
            listed.append(certificate)
            added.append(certificate)
        if added:
            base = _pem_text(content, old)
            replace_file(path, b"".join((base, *map(to_pem, added))))
    return AppendReport(path, tuple(added), tuple(already), len(listed), tuple(warnings))


def remove_from_file(path: Path, selector: str) -> RemoveReport:
    """Take one certificate out of a trusted CA file, as safely as :func:`append_to_file`.

    Args:
        path: the file; of a symbolic link, its target is changed.
        selector: as for :func:`select_certificate`; places are those in the file.

    Raises:
        TrustStoreError: no certificate or more than one is selected, or the file cannot be read
            or written.
    """
    path = path.resolve()
    with _writing(path):
        content, old = _current(path)
        index = select_certificate(old.certificates, selector, str(path))
        if old.places:
            place = old.places[index]
            content = content[: place.start] + content[place.stop :]
        else:
            rest = (*old.certificates[:index], *old.certificates[index + 1 :])
            content = b"".join(map(to_pem, rest))
        replace_file(path, content)
    return RemoveReport(path, old.certificates[index], len(old.certificates) - 1)


def _first_of_each_subject(
    listed: tuple[TrustedCertificate, ...], notes: list[str]
) -> tuple[TrustedCertificate, ...]:
    """Return what a search finds that stops at the first matching subject; note what it misses."""
    found: dict[CanonicalName, TrustedCertificate] = {}
    for certificate in listed:
        first = found.setdefault(certificate.subject, certificate)
        if first is not certificate:
            notes.append(
                f"{certificate.source}: {certificate} (serial {certificate.facts.serial}) is never "
                f"found: serial {first.facts.serial} has the same subject and stands before it"
            )
    return tuple(found.values())


def _files(paths: Sequence[Path], warnings: list[str]) -> Iterator[Path]:
    """Yield the files to read; folders are listed by name."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        try:
            entries = sorted(path.iterdir())
        except OSError as exc:
            raise TrustStoreError(f"{path}: folder cannot be read: {exc.strerror}") from exc
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                warnings.append(f"{entry}: folders inside a folder are not read")
            elif entry.suffix.lower() not in _SUFFIXES:
                warnings.append(f"{entry}: not read, it is not named like a certificate file")
            else:
                yield entry


def _read(path: Path) -> Bundle:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise TrustStoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    return parse_bundle(content, str(path))


def _date_notes(certificate: TrustedCertificate, now: datetime) -> list[str]:
    facts = certificate.facts
    if facts.not_after < now:
        return [f"{certificate.source}: {certificate} expired on {_moment(facts.not_after)}"]
    if now < facts.not_before:
        when = _moment(facts.not_before)
        return [f"{certificate.source}: {certificate} is not valid before {when}"]
    return []


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Hold the file's lock and translate what the system refuses."""
    if path.is_dir():
        raise TrustStoreError(f"{path} is a folder", hint="name a file in it")
    try:
        with locked(path):
            yield
    except OSError as exc:
        raise TrustStoreError(f"{path} cannot be changed: {exc.strerror}") from exc


def _current(path: Path) -> tuple[bytes, Bundle]:
    """Return a file's bytes and certificates; both empty if it does not exist yet."""
    if not path.exists():
        return b"", Bundle((), (), ())
    content = path.read_bytes()
    return content, parse_bundle(content, str(path))


def _pem_text(content: bytes, bundle: Bundle) -> bytes:
    """Return the file as text that PEM blocks can follow; its own text if it is that already."""
    if bundle.certificates and not bundle.places:
        return b"".join(map(to_pem, bundle.certificates))
    return content if not content or content.endswith(b"\n") else content + b"\n"


def _same_common_name(
    certificate: TrustedCertificate, listed: list[TrustedCertificate]
) -> TrustedCertificate | None:
    if not certificate.common_name:
        return None
    wanted = _folded(certificate.common_name)
    return next((other for other in listed if _folded(other.common_name or "") == wanted), None)


def select_certificate(
    certificates: Sequence[TrustedCertificate], selector: str, where: str
) -> int:
    """Return the index of the one certificate that a selector means.

    Args:
        certificates: in list order.
        selector: a place (``3`` or ``#3``, from 1), a SHA-256 fingerprint or the first 8 digits or
            more of it (colons do not matter), a CN, or a whole subject; case does not matter.
        where: what the list is called in messages.

    Raises:
        TrustStoreError: no certificate or more than one is meant.
    """
    if place := _POSITION.fullmatch(selector.strip()):
        matches = [i for i in range(len(certificates)) if i + 1 == int(place[1])]
    else:
        matches = [i for i, one in enumerate(certificates) if _is_called(one, selector)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise TrustStoreError(
            f"{where} lists no certificate {selector!r}",
            hint="give its place, SHA-256 fingerprint, CN or subject as 'trust list' shows them",
        )
    places = ", ".join(f"#{i + 1} ({certificates[i].facts.sha256[:23]})" for i in matches)
    raise TrustStoreError(
        f"{where} lists {len(matches)} certificates {selector!r}: {places}",
        hint="give the place or the fingerprint",
    )


def _is_called(certificate: TrustedCertificate, selector: str) -> bool:
    """Tell whether a fingerprint, CN or subject is this certificate's."""
    digits = selector.strip().replace(":", "").upper()
    if _FINGERPRINT.fullmatch(digits):
        fingerprint = certificate.facts.sha256.replace(":", "")
        if fingerprint.startswith(digits):
            return True
    names = (certificate.common_name or "", certificate.facts.subject)
    return bool(_folded(selector)) and _folded(selector) in map(_folded, names)


def _folded(name: str) -> str:
    """Return a name for comparison by people's measure: case and extra blanks do not matter."""
    return " ".join(name.split()).casefold()
