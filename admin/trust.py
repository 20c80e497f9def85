"""The trusted CA list as commands and the admin API show and change it.

Which file a change goes to is decided here: an append goes to the last file of the list, where the
product's own page puts new certificates too; a removal to the file the certificate came from.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from mralab.errors import TrustStoreError
from mralab.truststore.store import remove_from_file, select_certificate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mralab.truststore.store import (
        AppendReport,
        RemoveReport,
        TrustedCertificate,
        TrustStore,
    )

_LIST = "the trusted CA list"


def append_target(paths: Sequence[Path]) -> Path:
    """Return the file of a trusted CA list that takes new certificates: the last one.

    Raises:
        TrustStoreError: the list has no file, only folders or nothing.
    """
    for path in reversed(paths):
        if not path.is_dir():
            return path
    raise TrustStoreError(
        f"{_LIST} names no file that could take a certificate",
        hint="name one with --trusted-ca FILE, after any folders",
    )


def remove_from_list(store: TrustStore, selector: str) -> RemoveReport:
    """Take one certificate of a store out of the file it came from.

    Args:
        store: the list as loaded.
        selector: its place in the whole list (from 1), its SHA-256 fingerprint or the beginning
            of it, its CN or its subject.

    Raises:
        TrustStoreError: no or more than one certificate is meant, or its file cannot be changed.
    """
    index = select_certificate(store.certificates, selector, _LIST)
    certificate = store.certificates[index]
    if certificate.source == certifi.where():
        raise TrustStoreError(
            f"{certificate} is one of certifi's public roots",
            hint="leave --public-roots out, and import those you want into a file",
        )
    return remove_from_file(Path(certificate.source), certificate.facts.sha256)


def describe_store(store: TrustStore) -> dict[str, object]:
    """Return a store as plain values for JSON: certificates in order, places from 1."""
    found = {certificate.der for certificate in store.effective}
    return {
        "policy": store.policy.value,
        "fingerprint": store.fingerprint,
        "certificates": [
            {"place": place, **_describe(certificate), "found": certificate.der in found}
            for place, certificate in enumerate(store.certificates, start=1)
        ],
        "warnings": list(store.warnings),
    }


def describe_append(report: AppendReport) -> dict[str, object]:
    """Return what an append did as plain values for JSON."""
    return {
        "file": str(report.path),
        "added": [str(certificate) for certificate in report.added],
        "already_listed": [str(certificate) for certificate in report.already_listed],
        "total": report.total,
        "warnings": list(report.warnings),
    }


def describe_remove(report: RemoveReport) -> dict[str, object]:
    """Return what a removal did as plain values for JSON."""
    return {"file": str(report.path), "removed": str(report.removed), "total": report.total}


def _describe(certificate: TrustedCertificate) -> dict[str, object]:
    facts = certificate.facts
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "not_before": facts.not_before.isoformat(),
        "not_after": facts.not_after.isoformat(),
        "sans": list(facts.sans),
        "key": facts.key,
        "signature": facts.signature,
        "sha256": facts.sha256,
        "self_issued": facts.self_issued,
        "source": certificate.source,
        "pem": ssl.DER_cert_to_PEM_cert(certificate.der),
    }
