"""Certificate files: any bytes give certificates or TrustStoreError."""

from __future__ import annotations

from typing import Final

from mralab.errors import TrustStoreError
from mralab.truststore.bundle import parse_bundle, to_pem

WORDS: Final = (
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"-----BEGIN PKCS7-----\n",
    b"-----END PKCS7-----\n",
    b"-----BEGIN TRUSTED CERTIFICATE-----\n",
    b"PRIVATE KEY-----\n",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
    b"\x30\x82",
    b"\x30\x80",
    b"\xa0\x82",
)


def check(data: bytes) -> None:
    """Read bytes as a file; write what is found and read it again."""
    try:
        bundle = parse_bundle(data, "list.pem")
    except TrustStoreError as error:
        _check_text(str(error))
        return
    for warning in bundle.warnings:
        _check_text(warning)
    for place in bundle.places:
        assert data[place].startswith(b"-----BEGIN ")
    if bundle.certificates:
        again = parse_bundle(b"".join(map(to_pem, bundle.certificates)), "again.pem")
        assert [one.der for one in again.certificates] == [one.der for one in bundle.certificates]
        assert len(again.places) == len(again.certificates)
    else:
        assert bundle.warnings or b"\x30" in data


def _check_text(text: str) -> None:
    assert text.startswith("list.pem")
    assert text.isprintable()
