"""Names and certificates: any bytes give names, facts and verdicts, and never an exception."""

from __future__ import annotations

from typing import Final

from mralab.config.releases import NameRule
from mralab.truststore.certificate import (
    canonical_subject,
    certificate_facts,
    common_name,
    names_of,
    signed_with_sha1,
)
from mralab.truststore.names import CertificateNames, match_name, packed_address

WORDS: Final = (
    b"*.",
    b"*",
    b"xn--",
    b"\x06\x03\x55\x04\x03",  # CN
    b"\x06\x03\x55\x1d\x11",  # subjectAltName
    b"\x30\x82",
    b"\x82",
    b"\x87\x04",
    b"\x1e",
    b"\x0c",
)
_LINE: Final = 10


def check(data: bytes) -> None:
    """Take the first line as the requested name, the rest as a certificate and as names."""
    requested, _, rest = data.partition(bytes((_LINE,)))
    host = requested.decode("utf-8", "surrogateescape")
    read = names_of(rest)
    _check_verdicts(host, read)
    lines = tuple(rest.split(bytes((_LINE,))))
    text = lines[-1].decode("utf-8", "surrogateescape")
    _check_verdicts(host, CertificateNames(dns=lines[:-1], ips=lines[:-1], first_cn=text))
    facts = certificate_facts(rest)
    assert facts.subject.isprintable()
    assert facts.issuer.isprintable()
    assert all(name.isprintable() for name in facts.sans)
    assert common_name(rest) == read.first_cn
    hash(canonical_subject(rest))
    signed_with_sha1(rest)


def _check_verdicts(host: str, names: CertificateNames) -> None:
    verdicts = {rule: match_name(host, names, rule) for rule in NameRule}
    for verdict in verdicts.values():
        assert all(tried.isprintable() for tried in verdict.tried)
        assert verdict.matched == bool(verdict.by)
        assert not verdict.matched or verdict.tried[-1] == verdict.by
        assert not verdict.matched or host
    expressway, ats = verdicts[NameRule.EXPRESSWAY], verdicts[NameRule.ATS]
    if packed_address(host) is None and not names.cn_unconvertible:
        assert (expressway.matched, expressway.by) == (ats.matched, ats.by)
