"""An estate's certificates on disk, so that a restart breaks nobody's trust.

- One file holds them all, private keys too, so it is for its owner only (0600). Authorities can
  sign there: it is a lab's.
- Kept is what still fits the estate's plans. What has run out on its own, and what is dated from
  the moment of making ("expires tomorrow"), is made anew at the next start; parts of one lab that
  run in several processes take it as it is.
- A file that is not ours is never overwritten.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from mralab.errors import LabError
from mralab.lab.estatepki import KeptCertificate, relative_names
from mralab.lab.pki import Credential, PrivateKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from mralab.config.estate import Estate
    from mralab.lab.estatepki import EstateCertificates

#: The file's name in its folder.
FILE: Final = "certificates.json"
_FORM: Final = "mralab-certificates-1"
_HINT: Final = "name another folder, or remove the file to have all certificates made anew"
#: What reading something else than we write can raise.
_NOT_OURS: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    UnsupportedAlgorithm,
)


def load_certificates(
    folder: Path, estate: Estate, *, now: datetime, as_they_are: bool = False
) -> dict[str, KeptCertificate]:
    """Return the certificates kept in a folder, by name; none if it has no such file.

    Args:
        folder: where they are kept.
        estate: whose plans they may be used for.
        now: aware; what is no longer valid is left out.
        as_they_are: keep what is dated from the moment of making, and what has run out.

    Raises:
        LabError: the file is somebody else's, or cannot be read.
    """
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise LabError(f"{path} cannot be read: {exc}", hint=_HINT) from exc
    try:
        kept = _read(json.loads(text), now)
    except _NOT_OURS as exc:
        raise LabError(f"{path} does not hold an estate's certificates", hint=_HINT) from exc
    if as_they_are:
        return kept
    dated = set(relative_names(estate))
    return {
        name: item
        for name, item in kept.items()
        if name not in dated and not _has_run_out(item, now)
    }


def save_certificates(folder: Path, certificates: EstateCertificates) -> None:
    """Write all certificates of an estate with their keys, whole or not at all.

    Raises:
        LabError: the folder cannot be written to.
    """
    text = json.dumps({"form": _FORM, "certificates": _plain(certificates.kept())}, indent=1)
    path = folder / FILE
    fresh = path.with_name(f".{FILE}.new")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as exc:
        raise LabError(
            f"folder {folder}: {exc.strerror}", hint="name a folder that may be written to"
        ) from exc


def _plain(kept: Mapping[str, KeptCertificate]) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "plan": item.identity,
            "signer": _pem(item.signer),
            "certificate": _pem(item.credential.certificate),
            "key": item.credential.key_pem.decode("ascii"),
        }
        for name, item in kept.items()
    ]


def _read(found: Any, now: datetime) -> dict[str, KeptCertificate]:
    """Read what we write; anything else raises one of :data:`_NOT_OURS`."""
    if found["form"] != _FORM:
        raise ValueError(found["form"])
    return {str(item["name"]): _kept(item, now) for item in found["certificates"]}


def _kept(item: Mapping[str, str], now: datetime) -> KeptCertificate:
    key = load_pem_private_key(item["key"].encode(), password=None)
    certificate = x509.load_pem_x509_certificate(item["certificate"].encode())
    if not isinstance(key, PrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError(item["name"])
    signer = item["signer"]
    return KeptCertificate(
        identity=str(item["plan"]),
        signer=x509.load_pem_x509_certificate(signer.encode()) if signer else None,
        # What is sent along is the plan's to say, each time anew.
        credential=Credential(certificate=certificate, key=key, chain=(), now=now),
    )


def _has_run_out(item: KeptCertificate, now: datetime) -> bool:
    """Whether it was valid for as long as certificates usually are, and no longer is."""
    own = "not_after=None" in item.identity
    return own and item.credential.certificate.not_valid_after_utc < now


def _pem(certificate: x509.Certificate | None) -> str:
    return "" if certificate is None else certificate.public_bytes(Encoding.PEM).decode("ascii")
