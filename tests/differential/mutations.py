"""Small mistakes, one per rule: each must be noticed by a case. Plain data.

A mutation names a file, a piece of it that occurs once, and what stands there instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mralab.truststore.wording import X509_TEXTS_3

NAMES: Final = "truststore/names.py"
OPENSSL: Final = "truststore/openssl.py"
WORDING: Final = "truststore/wording.py"
VERDICT: Final = "truststore/verdict.py"
CERTIFICATE: Final = "truststore/certificate.py"
STORE: Final = "truststore/store.py"
RELEASES: Final = "config/releases.py"
CONNECT: Final = "origin/connect.py"
CONNECTION: Final = "origin/connection.py"
POLICY: Final = "origin/policy.py"
ROUTE: Final = "origin/route.py"
EVENTLOG: Final = "proxy/eventlog.py"
ANSWERS: Final = "proxy/answers.py"
TRANSACTION: Final = "proxy/transaction.py"
REQUEST: Final = "proxy/request.py"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake."""

    name: str  #: what is wrong with the code then
    file: str
    old: str  #: occurs once in the file
    new: str
    sections: tuple[str, ...] = ()  #: run the cases of these first numbers only; empty: all


_N: Final = ("1",)
_CHAIN: Final = ("2", "3", "4", "5")

_NAME_RULE: Final = (
    Mutation(
        "the CN counts only without dNSNames",
        NAMES,
        "        if not matched:\n            matched = _match_cn(",
        "        if not matched and not names.dns:\n            matched = _match_cn(",
        _N,
    ),
    Mutation(
        "the CN counts only without a SAN",
        NAMES,
        "        if not matched:\n            matched = _match_cn(",
        "        if not matched and not names.has_san:\n            matched = _match_cn(",
        _N,
    ),
    Mutation(
        "the CN never counts",
        NAMES,
        "            matched = _match_cn(host, names, tried, rule)",
        "            matched = False",
        _N,
    ),
    Mutation(
        "a CN that cannot be converted does not match",
        NAMES,
        "return rule is NameRule.ATS and bool(host)",
        "return False",
        _N,
    ),
    Mutation(
        "an iPAddress counts",
        NAMES,
        "if not matched and rule is NameRule.EXPRESSWAY and names.ips:",
        "if not matched and names.ips:",
        _N,
    ),
    Mutation(
        "case counts",
        NAMES,
        "    pattern, host = pattern.lower(), host.lower()\n    star",
        "    star",
        _N,
    ),
    Mutation(
        "case counts in dNSNames only",
        NAMES,
        "        if name and equal(name, host):",
        "        if name and name.lower() == name and equal(name, host):",
        _N,
    ),
    Mutation(
        "final dots do not count",
        NAMES,
        "        return pattern == host\n    before",
        "        return pattern.rstrip(b'.') == host.rstrip(b'.')\n    before",
        _N,
    ),
    Mutation(
        "leading dots do not count",
        NAMES,
        "        return pattern == host\n    before",
        "        return pattern.lstrip(b'.') == host\n    before",
        _N,
    ),
    Mutation(
        "a leading dot stands for hosts below",
        NAMES,
        "        return pattern == host\n    before",
        "        return pattern == host or (pattern[:1] == b'.' and host.endswith(pattern))"
        "\n    before",
        _N,
    ),
    Mutation(
        "blanks do not count",
        NAMES,
        "        return pattern == host\n    before",
        "        return pattern.strip() == host\n    before",
        _N,
    ),
    Mutation(
        "NUL ends a name",
        NAMES,
        "        return pattern == host\n    before",
        "        return pattern.partition(b'\\0')[0] == host\n    before",
        _N,
    ),
    Mutation(
        "NUL ends a wildcard",
        NAMES,
        "    before, after = pattern[:star], pattern[star + 1 :]",
        "    before, after = pattern[:star], pattern[star + 1 :].partition(b'\\0')[0]",
        _N,
    ),
    Mutation(
        "hosts of five characters match wildcards",
        NAMES,
        "_MAX_LITERAL_HOST: Final = 5",
        "_MAX_LITERAL_HOST: Final = 4",
        _N,
    ),
    Mutation(
        "hosts of six characters match none",
        NAMES,
        "_MAX_LITERAL_HOST: Final = 5",
        "_MAX_LITERAL_HOST: Final = 6",
        _N,
    ),
    Mutation(
        "one dot after a star is enough",
        NAMES,
        "not 0 <= star < first_dot < last_dot",
        "not 0 <= star < first_dot <= last_dot",
        _N,
    ),
    Mutation(
        "a final dot is the second one",
        NAMES,
        'pattern.rfind(b".", 0, len(pattern) - 1)',
        'pattern.rfind(b".")',
        _N,
    ),
    Mutation(
        "a star may stand in a later label",
        NAMES,
        '    star = pattern.find(b"*")\n',
        '    star = pattern.find(b"*")\n    if star > first_dot:\n        return star\n',
        _N,
    ),
    Mutation(
        "a star may stand inside a label",
        NAMES,
        "(star > 0 and star != first_dot - 1)",
        "False",
        _N,
    ),
    Mutation(
        "a star may stand at the start only",
        NAMES,
        "(star > 0 and star != first_dot - 1)",
        "star > 0",
        _N,
    ),
    Mutation(
        "a star may stand at the end only",
        NAMES,
        "(star > 0 and star != first_dot - 1)",
        "star != first_dot - 1",
        _N,
    ),
    Mutation(
        "only whole-label stars count",
        NAMES,
        "    if not whole and (idna or ",
        "    if not whole and (True or ",
        _N,
    ),
    Mutation("partial stars match A-labels", NAMES, "(idna or ", "(False or ", _N),
    Mutation(
        "A-labels are told by their case",
        NAMES,
        "idna=host.startswith(_IDNA)",
        "idna=host.startswith(b'XN--')",
        _N,
    ),
    Mutation(
        "no star matches A-labels",
        NAMES,
        "    if not whole and (idna or ",
        "    if idna or not whole and (False or ",
        _N,
    ),
    Mutation(
        "a partial star stands for something",
        NAMES,
        "return bool(before) or after[0] != _DOT",
        "return False",
        _N,
    ),
    Mutation(
        "a partial star at the start stands for something",
        NAMES,
        "return bool(before) or after[0] != _DOT",
        "return bool(before)",
        _N,
    ),
    Mutation(
        "a partial star at the end stands for something",
        NAMES,
        "return bool(before) or after[0] != _DOT",
        "return after[0] != _DOT",
        _N,
    ),
    Mutation(
        "what stands before a star does not count",
        NAMES,
        "        or not host.startswith(before)\n",
        "",
        _N,
    ),
    Mutation(
        "what stands behind a star does not count",
        NAMES,
        "        or not host.endswith(after)\n",
        "",
        _N,
    ),
    Mutation(
        "a star spans dots",
        NAMES,
        'return covered == b"*" or _LABEL_BYTES.issuperset(covered)',
        "return True",
        _N,
    ),
    Mutation("a star stands for letters only", NAMES, "0123456789-_", "-_", _N),
    Mutation("a star stands for no underscore", NAMES, "0123456789-_", "0123456789-", _N),
    Mutation("a star stands for no hyphen", NAMES, "0123456789-_", "0123456789_", _N),
    Mutation(
        "only the first dNSName counts",
        NAMES,
        "    for name in dns:\n",
        "    for name in dns[:1]:\n",
        _N,
    ),
    Mutation(
        "rule expressway", RELEASES, "name_rule=NameRule.ATS", "name_rule=NameRule.EXPRESSWAY", _N
    ),
    Mutation("rule strict", RELEASES, "name_rule=NameRule.ATS", "name_rule=NameRule.STRICT", _N),
    Mutation(
        "the last CN counts",
        CERTIFICATE,
        "        for rdn in _attributes(subject):\n            for oid, value in rdn:\n"
        "                if oid == _OID_COMMON_NAME:",
        "        for rdn in reversed(_attributes(subject)):\n"
        "            for oid, value in rdn:\n"
        "                if oid == _OID_COMMON_NAME:",
        _N,
    ),
    Mutation(
        "a BMPString is not converted",
        CERTIFICATE,
        'return value.decode("utf-16-be")',
        "return None",
        _N,
    ),
    Mutation(
        "a UniversalString is not converted",
        CERTIFICATE,
        'return value.decode("utf-32-be")',
        "return None",
        _N,
    ),
    Mutation(
        "a TeletexString is not converted", CERTIFICATE, "0x12, 0x13, 0x14,", "0x12, 0x13,", _N
    ),
    Mutation(
        "a NumericString is not converted", CERTIFICATE, "0x12, 0x13, 0x14,", "0x13, 0x14,", _N
    ),
    Mutation(
        "of two SAN extensions the first counts",
        CERTIFICATE,
        "        if len(values) != 1:\n",
        "        if not values:\n",
        _N,
    ),
    Mutation(
        "URIs count",
        CERTIFICATE,
        "(value for tag, value in alternatives or () if tag == _DNS_NAME)",
        "(value for tag, value in alternatives or () if tag in (_DNS_NAME, 0x86))",
        _N,
    ),
    Mutation(
        "rfc822Names count",
        CERTIFICATE,
        "(value for tag, value in alternatives or () if tag == _DNS_NAME)",
        "(value for tag, value in alternatives or () if tag in (_DNS_NAME, 0x81))",
        _N,
    ),
    Mutation(
        "the host is compared for an IP literal",
        OPENSSL,
        "return self.peer_ip if self.is_ip else self.requested",
        "return self.requested",
        _N,
    ),
    Mutation(
        "the peer's address is compared always",
        OPENSSL,
        "return self.peer_ip if self.is_ip else self.requested",
        "return self.peer_ip",
        _N,
    ),
    Mutation(
        "IP literals are sent as SNI",
        OPENSSL,
        "        if not inspection.is_ip:\n            connection.set_tlsext",
        "        if True:\n            connection.set_tlsext",
        _N,
    ),
    Mutation(
        "SNI is in lower case",
        OPENSSL,
        "set_tlsext_host_name(inspection.requested.encode())",
        "set_tlsext_host_name(inspection.requested.lower().encode())",
        _N,
    ),
    Mutation(
        "SNI loses the final dot",
        OPENSSL,
        "set_tlsext_host_name(inspection.requested.encode())",
        "set_tlsext_host_name(inspection.requested.rstrip('.').encode())",
        _N,
    ),
    Mutation(
        "no SNI",
        OPENSSL,
        "        if not inspection.is_ip:\n            connection.set_tlsext",
        "        if False:\n            connection.set_tlsext",
        _N,
    ),
    Mutation(
        "Host without brackets",
        ROUTE,
        'f"[{host}]" if isinstance(address, IPv6Address) else host',
        "host",
        _N,
    ),
)

_CHAINS: Final = (
    Mutation(
        "8 intermediates pass",
        OPENSSL,
        "MAX_INTERMEDIATES: Final = 7",
        "MAX_INTERMEDIATES: Final = 8",
        _CHAIN,
    ),
    Mutation(
        "7 intermediates do not pass",
        OPENSSL,
        "MAX_INTERMEDIATES: Final = 7",
        "MAX_INTERMEDIATES: Final = 6",
        _CHAIN,
    ),
    Mutation(
        "the list is searched from its end",
        OPENSSL,
        "for certificate in store.effective:",
        "for certificate in reversed(store.effective):",
        _CHAIN,
    ),
    Mutation(
        "expired certificates are not listed",
        STORE,
        "    listed = tuple(kept.values())\n",
        "    listed = tuple(c for c in kept.values() if not list(_date_notes(c, now)))\n",
        _CHAIN,
    ),
    Mutation(
        "only the first of a subject is listed",
        RELEASES,
        "subject_policy=SubjectPolicy.OPENSSL",
        "subject_policy=SubjectPolicy.FIRST_SUBJECT",
        _CHAIN,
    ),
    Mutation("security level 1", RELEASES, "security_level=2", "security_level=1", _CHAIN),
    Mutation("security level 3", RELEASES, "security_level=2", "security_level=3", _CHAIN),
    Mutation(
        "SHA-1 passes",
        OPENSSL,
        "            return pass_sha1 and signed_with_sha1",
        "            return signed_with_sha1",
        _CHAIN,
    ),
    Mutation(
        "the name is judged before the chain",
        OPENSSL,
        "        if ok:\n            if depth or",
        "        if ok:\n            if (not depth and inspection.faults) or depth or",
        _CHAIN,
    ),
    Mutation(
        "depths are not told",
        OPENSSL,
        "Fault(Reason.CHAIN_REFUSED, *wording_of(code, wording), depth)",
        "Fault(Reason.CHAIN_REFUSED, *wording_of(code, wording), 0)",
        _CHAIN,
    ),
    Mutation(
        "a kind of fault is told once at a depth",
        OPENSSL,
        "        inspection.faults.append(fault)\n",
        "        if fault in inspection.faults:\n            return True\n"
        "        inspection.faults.append(fault)\n",
        _CHAIN,
    ),
    Mutation(
        "explicit curves are let pass",
        OPENSSL,
        "        return old and code == _EXPLICIT_CURVE",
        "        return code == _EXPLICIT_CURVE",
        _CHAIN,
    ),
    Mutation(
        "only one fault per certificate is told",
        OPENSSL,
        "        inspection.faults.append(fault)\n",
        "        if not ok and depth in inspection.certificates:\n            return True\n"
        "        inspection.faults.append(fault)\n",
        _CHAIN,
    ),
    Mutation(
        "only one fault per text is told",
        OPENSSL,
        "        inspection.faults.append(fault)\n",
        "        if any(fault.text == other.text for other in inspection.faults):\n"
        "            return True\n        inspection.faults.append(fault)\n",
        _CHAIN,
    ),
    Mutation(
        "faults of the chain are let pass",
        OPENSSL,
        "return action(fault) is Action.CONTINUE",
        "return fault.reason is Reason.CHAIN_REFUSED or action(fault) is Action.CONTINUE",
        _CHAIN,
    ),
    Mutation(
        "faults of the name are let pass",
        OPENSSL,
        "return action(fault) is Action.CONTINUE",
        "return fault.reason is Reason.NAME_REFUSED or action(fault) is Action.CONTINUE",
        ("1", "4"),
    ),
    Mutation(
        "Off is Permissive",
        "proxy/snapshot.py",
        "verify=mode is not VerifyMode.OFF",
        "verify=True",
        _CHAIN,
    ),
    Mutation(
        "Permissive terminates",
        POLICY,
        "Action.TERMINATE if mode is VerifyMode.ENFORCED else Action.CONTINUE",
        "Action.TERMINATE",
        _CHAIN,
    ),
    Mutation(
        "On lets pass",
        POLICY,
        "Action.TERMINATE if mode is VerifyMode.ENFORCED else Action.CONTINUE",
        "Action.CONTINUE",
        _CHAIN,
    ),
    Mutation(
        "wording of 1.1.1",
        RELEASES,
        "wording=ErrorWording.OPENSSL_3,",
        "wording=ErrorWording.OPENSSL_1_1_1,",
        _CHAIN,
    ),
)

#: Codes whose text a case shows.
_CODES: Final = (
    *(2, 7, 9, 10, 13, 14, 18, 19, 20, 22, 25, 26, 34, 40, 47, 48, 66, 67, 68, 79, 94),
)
_TEXTS: Final = tuple(
    Mutation(
        f"another text for {X509_TEXTS_3[code]!r}",
        WORDING,
        f'    {code}: "{X509_TEXTS_3[code]}",\n',
        f'    {code}: "{X509_TEXTS_3[code]}.",\n',
        ("2", "3"),
    )
    for code in _CODES
)

_LINES: Final = (
    Mutation(
        "IPv6 hosts without brackets in the log",
        EVENTLOG,
        'f"[{route.host}]" if ":" in route.host else route.host',
        "route.host",
        _N,
    ),
    Mutation(
        "the host instead of the name compared",
        EVENTLOG,
        "    name = inspection.checked_name\n    last",
        "    name = route.host\n    last",
        _N,
    ),
    Mutation(
        "the host instead of the name in the error line",
        EVENTLOG,
        "name=inspection.checked_name,",
        "name=route.host,",
        _N,
    ),
    Mutation(
        "Action=Continue for a refusal",
        EVENTLOG,
        "Action.TERMINATE if refused and index == last else Action.CONTINUE",
        "Action.CONTINUE",
        ("1",),
    ),
    Mutation(
        "Action=Terminate for what passes",
        EVENTLOG,
        "Action.TERMINATE if refused and index == last else Action.CONTINUE",
        "Action.TERMINATE",
        ("1",),
    ),
    Mutation(
        "what passes is not told",
        TRANSACTION,
        "            log_let_pass(self._server, self._destination.route, self.let_pass)\n",
        "",
        ("1",),
    ),
    Mutation(
        "the address instead of the host",
        EVENTLOG,
        "server=host,\n                    ip=inspection.peer_ip,\n                    depth",
        "server=inspection.peer_ip,\n                    ip=inspection.peer_ip,\n"
        "                    depth",
        ("2", "3"),
    ),
    Mutation(
        "error lines after the handshake",
        EVENTLOG,
        "    if inspection is None:  # below TLS, or after the handshake\n        return\n",
        "    if inspection is None:\n        from mralab.truststore.openssl import "
        "HandshakeInspection\n        inspection = HandshakeInspection(route.host, '', "
        "is_ip=False)\n",
        ("5", "7"),
    ),
    Mutation(
        "error numbers as in 1.1.1",
        VERDICT,
        "_LIB_SSL << 23 | number_3",
        "_LIB_SSL << 24 | number_3",
        ("1",),
    ),
    Mutation(
        "the newest words of OpenSSL",
        VERDICT,
        "return TLS_NEWER_TEXTS.get(reason, reason)",
        "return reason",
        ("7",),
    ),
    Mutation(
        "alerts in the newest words",
        VERDICT,
        'reason = reason.replace("tls alert ", "sslv3 alert ", 1)',
        "pass",
        ("5", "7"),
    ),
    Mutation(
        "another number for an alert",
        WORDING,
        '"sslv3 alert handshake failure": (1040,',
        '"sslv3 alert handshake failure": (1041,',
        ("5", "7"),
    ),
)

_WIRE: Final = (
    Mutation(
        "no alert is sent",
        CONNECTION,
        '        """The handshake failed: write the alert, then close."""\n'
        "        self._pass_on(tls, _FLIGHT)\n",
        '        """The handshake failed: write the alert, then close."""\n',
        ("1", "5"),
    ),
    Mutation(
        "TLS 1.3 is not spoken",
        RELEASES,
        "max_tls=TlsVersion.TLS1_3,\n            tls13_suites=TLS13",
        "max_tls=TlsVersion.TLS1_2,\n            tls13_suites=TLS13",
        ("5",),
    ),
    Mutation(
        "OpenSSL's order for TLS 1.3",
        RELEASES,
        "tls13_suites=TLS13_SUITES_ATS",
        'tls13_suites=""',
        ("5",),
    ),
    Mutation(
        "SHA-1 suites are offered", RELEASES, "!SRP:!SHA1:+CAMELLIA", "!SRP:+CAMELLIA", ("5",)
    ),
    Mutation(
        "no CBC suites are offered",
        RELEASES,
        "!SRP:!SHA1:+CAMELLIA",
        "!SRP:!SHA1:!SHA256:!SHA384:+CAMELLIA",
        ("5",),
    ),
    Mutation("128 bits first", RELEASES, ":+kRSA:@STRENGTH", ":+kRSA", ("5",)),
    Mutation("no RSA key exchange", RELEASES, ":+kRSA:@STRENGTH", ":!kRSA:@STRENGTH", ("5",)),
    Mutation(
        "a client certificate is refused late",
        CONNECTION,
        "            reason = Reason.ORIGIN_ALERT if is_origin_alert(queue) else "
        "Reason.TLS_ERROR\n",
        "            reason = Reason.NO_RESPONSE\n",
        ("5",),
    ),
    Mutation(
        "close_notify in the handshake is an error of TLS",
        CONNECTION,
        "        if isinstance(error, SSL.ZeroReturnError):\n            return OriginFailure(",
        "        if False:\n            return OriginFailure(",
        ("7",),
    ),
    Mutation(
        "one attempt less",
        CONNECT,
        "self._limit = 1 + retries",
        "self._limit = retries",
        ("1", "6"),
    ),
    Mutation(
        "one attempt more",
        CONNECT,
        "self._limit = 1 + retries",
        "self._limit = 2 + retries",
        ("1", "6"),
    ),
    Mutation("three attempts", RELEASES, "retries=3,", "retries=2,", ("6",)),
    Mutation(
        "no retry after a refused certificate",
        CONNECT,
        "        if self.left:\n",
        "        if self.left and failure.inspection is None:\n",
        ("6",),
    ),
    Mutation(
        "no retry below TLS",
        CONNECT,
        "        if self.left:\n",
        "        if self.left and failure.inspection is not None:\n",
        ("6", "7"),
    ),
    Mutation(
        "no retry after a name that is refused",
        CONNECT,
        "        if self.left:\n",
        "        if self.left and failure.reason is not Reason.NAME_REFUSED:\n",
        ("6",),
    ),
    Mutation(
        "PUT is repeated once sent",
        TRANSACTION,
        "methods = IDEMPOTENT_METHODS if pooled else SAFE_METHODS",
        "methods = IDEMPOTENT_METHODS",
        ("6",),
    ),
    Mutation(
        "POST is repeated once sent",
        REQUEST,
        'frozenset({b"GET", b"HEAD", b"OPTIONS"})',
        'frozenset({b"GET", b"HEAD", b"OPTIONS", b"POST"})',
        ("6",),
    ),
    Mutation(
        "HEAD is not repeated",
        REQUEST,
        'frozenset({b"GET", b"HEAD", b"OPTIONS"})',
        'frozenset({b"GET", b"OPTIONS"})',
        ("6",),
    ),
    Mutation(
        "OPTIONS is not repeated",
        REQUEST,
        'frozenset({b"GET", b"HEAD", b"OPTIONS"})',
        'frozenset({b"GET", b"HEAD"})',
        ("6",),
    ),
    Mutation(
        "nothing is repeated once sent",
        TRANSACTION,
        "again = self.request.method in methods and self._rewind()",
        "again = False",
        ("6",),
    ),
)


def _answer(name: str, old: str, new: str) -> Mutation:
    return Mutation(name, ANSWERS, old, new, ("5", "6", "7", "1"))


_ANSWERS: Final = (
    _answer("a phrase for a refused chain", '    Reason.CHAIN_REFUSED: (502, ""),\n', ""),
    _answer("a phrase for a refused name", '    Reason.NAME_REFUSED: (502, ""),\n', ""),
    _answer("a phrase for an alert", '    Reason.ORIGIN_ALERT: (502, ""),\n', ""),
    _answer("a phrase for an error of TLS", '    Reason.TLS_ERROR: (502, ""),\n', ""),
    _answer(
        "another phrase for a refused port",
        '    Reason.CONNECT_REFUSED: (502, "Broken pipe"),\n',
        "",
    ),
    _answer(
        "the same phrase for a refused port over HTTP",
        '        if scheme == "http":',
        '        if scheme == "":',
    ),
    _answer(
        "another phrase for a closed connection",
        'Reason.ORIGIN_CLOSED: (502, "connect failed")',
        'Reason.ORIGIN_CLOSED: (502, "")',
    ),
    _answer(
        "another phrase for a timeout",
        'Reason.CONNECT_TIMEOUT: (502, "connect failed")',
        'Reason.CONNECT_TIMEOUT: (504, "")',
    ),
    _answer("another phrase for no answer", "Malformed Server Response Status", "Server Hangup"),
    _answer("another phrase for garbage", '"Invalid HTTP Response"', '"Bad Gateway"'),
    _answer(
        "502 for a name without an address",
        '(500, "Cannot find server.")',
        '(502, "Cannot find server.")',
    ),
    _answer(
        "another title",
        '_TITLE_502: Final = "Could Not Connect"',
        '_TITLE_502: Final = "Bad Gateway"',
    ),
    _answer("another title for no answer", '    Reason.NO_RESPONSE: "Web Server Error",\n', ""),
    _answer("another title for garbage", '    Reason.BAD_RESPONSE: "Web Server Error",\n', ""),
    _answer(
        "another title for an unknown host", '    Reason.NAME_NOT_RESOLVED: "Unknown Host",\n', ""
    ),
    _answer("pages may be stored", '            "Cache-Control: no-store",\n', ""),
    _answer("pages without a language", '            "Content-Language: en",\n', ""),
    _answer("pages without a type", '            "Content-Type: text/html",\n', ""),
    _answer(
        "pages of another server",
        'fields.append(f"Server: {server}")',
        'fields.append("Server: CE_C")',
    ),
)

MUTATIONS: Final[tuple[Mutation, ...]] = (
    *_NAME_RULE,
    *_CHAINS,
    *_TEXTS,
    *_LINES,
    *_WIRE,
    *_ANSWERS,
)
