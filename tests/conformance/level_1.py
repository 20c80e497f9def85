"""Chains of our own for what the public ones leave open: level 1 as OpenSSL 1.1.1 means it.

Each expectation was seen with OpenSSL 1.1.1n at level 1 in the same handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.conformance.cases import Case
from tests.conformance.verdict import ACCEPTED, Verdict, refused
from tests.truststore.certs import (
    CA,
    NOW,
    RSA_MD5,
    RSA_PSS,
    RSA_SHA1,
    Made,
    authority,
    basic_constraints,
    ec_key,
    explicit_p256,
    make,
    rsa_key,
    seq,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_EE_KEY: Final = "EE certificate key too weak"
_CA_KEY: Final = "CA certificate key too weak"
_DIGEST: Final = "CA signature digest algorithm too weak"


def level_1_cases() -> Iterator[tuple[Case, Verdict]]:
    """Yield each chain and OpenSSL 1.1.1's verdict on it."""
    root = authority("RSA root", key=rsa_key(2048))
    sha1_ca = make("SHA-1 CA", root, extensions=CA, algorithm=RSA_SHA1)
    md5_ca = make("MD5 CA", root, extensions=CA, algorithm=RSA_MD5)
    ca_1024 = authority("1024 CA", root, key=rsa_key(1024))
    ca_768 = authority("768 CA", root, key=rsa_key(768))
    root_1024 = authority("1024 root", key=rsa_key(1024))
    root_768 = authority("768 root", key=rsa_key(768))
    sha1_root = make("SHA-1 root", key=rsa_key(2048), extensions=CA, algorithm=RSA_SHA1)
    md5_root = make("MD5 root", key=rsa_key(2048), extensions=CA, algorithm=RSA_MD5)
    no_ca = make("no CA", root, extensions=(basic_constraints(ca=False),))
    explicit = explicit_p256(ec_key("explicit"))
    explicit_ca = make(
        "explicit CA", root, key=ec_key("explicit"), public_key=explicit, extensions=CA
    )
    pss = {"algorithm": RSA_PSS, "algorithm_parameters": seq()}

    yield _case("SHA-1 on the leaf", root, make("leaf", root, algorithm=RSA_SHA1)), ACCEPTED
    yield (
        _case("SHA-1 by default in RSASSA-PSS", root, make("leaf", root, **pss)),  # type: ignore[arg-type]  # two of make's own options
        ACCEPTED,
    )
    yield _case("SHA-1 on an intermediate", root, make("leaf", sha1_ca), sha1_ca), ACCEPTED
    yield _case("SHA-1 on the root", sha1_root, make("leaf", sha1_root)), ACCEPTED
    yield (
        _case(
            "SHA-1 on the leaf, and not right",
            root,
            make("leaf", root, algorithm=RSA_SHA1, signature=b"x" * 256),
        ),
        refused(7, 0, "certificate signature failure"),
    )
    yield (
        _case("MD5 on the leaf", root, make("leaf", root, algorithm=RSA_MD5)),
        refused(68, 0, _DIGEST),
    )
    yield (
        _case("MD5 on an intermediate", root, make("leaf", md5_ca), md5_ca),
        refused(68, 1, _DIGEST),
    )
    yield _case("MD5 on the root", md5_root, make("leaf", md5_root)), ACCEPTED
    yield _case("RSA 1024 leaf", root, make("leaf", root, key=rsa_key(1024))), ACCEPTED
    yield _case("RSA 1024 intermediate", root, make("leaf", ca_1024), ca_1024), ACCEPTED
    yield _case("RSA 1024 root", root_1024, make("leaf", root_1024)), ACCEPTED
    yield _case("RSA 768 leaf", root, make("leaf", root, key=rsa_key(768))), refused(66, 0, _EE_KEY)
    yield _case("RSA 768 intermediate", root, make("leaf", ca_768), ca_768), refused(67, 1, _CA_KEY)
    yield _case("RSA 768 root", root_768, make("leaf", root_768)), refused(67, 1, _CA_KEY)
    yield _case("no CA", root, make("leaf", no_ca), no_ca), refused(24, 1, "invalid CA certificate")
    yield (
        _case("curve of the leaf spelled out", root, make("leaf", root, public_key=explicit)),
        ACCEPTED,
    )
    yield (
        _case("curve of an intermediate spelled out", root, make("leaf", explicit_ca), explicit_ca),
        ACCEPTED,
    )


def _case(title: str, listed: Made, *presented: Made) -> Case:
    return Case(
        id=title,
        trusted=listed.pem,
        presented=tuple(made.der for made in presented),
        at=NOW,
    )
