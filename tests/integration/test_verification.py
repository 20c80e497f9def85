"""Each release towards origins, over the wire: attempts, alerts, offers, answers, log lines."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.harness import (
    HOST,
    Origin,
    Proxy,
    TlsStream,
    ok,
    request,
    running,
    server_context,
    settings_for,
    settle,
    target,
)

from mralab.config.releases import NameRule, Release, UpgradePath, VerifyMode
from mralab.lab import tlswire
from mralab.lab.pki import (
    CLIENT_AUTH,
    CertificateFields,
    Credential,
    Digest,
    KeyCache,
    KeyKind,
    root_ca,
    self_signed,
)
from mralab.trafficlog.records import CoreVerificationFailed, SniNotInCertificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.harness import Answer

_X12_5, _X14_0_7, _X14_2, _X15_5, _ATS = Release
_ENFORCING = [_X14_2, _X15_5, _ATS]
_OLD = [_X12_5, _X14_0_7]
_ATTEMPTS = {_X14_2: 2, _X15_5: 2, _ATS: 4}
_EC = KeyKind.EC_P256
_VERIFY_FAILED_1_1_1 = (
    "error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed"
)

_UNKNOWN_CA = (2, 48)
_INTERNAL_ERROR = (2, 80)


@dataclass(slots=True)
class Visit:
    """One request through one proxy to one origin, and what was seen on all sides."""

    answer: Answer
    peers: list[TlsStream]
    proxy: Proxy

    @property
    def verdicts(self) -> list[CoreVerificationFailed | SniNotInCertificate]:
        return [
            record
            for record in self.proxy.records
            if isinstance(record, CoreVerificationFailed | SniNotInCertificate)
        ]

    @property
    def errors(self) -> list[str]:
        """Texts of the ERROR lines."""
        return [
            line.partition("ERROR: ")[2].strip() for line in self.proxy.lines if "ERROR: " in line
        ]


class Visitor:
    """Makes visits; what is not said is what lets every release pass."""

    def __init__(self, folder: Path, ca_file: Path) -> None:
        self.folder = folder
        self._ca_file = ca_file

    def forget_log(self) -> None:
        """Make place for the next visit's log."""
        (self.folder / "event.log").unlink()

    async def __call__(
        self,
        *credentials: Credential,
        release: Release = _X14_2,
        host: str = HOST,
        trusted: tuple[Path, ...] | None = None,
        server: dict[str, Any] | None = None,
        reply: bytes = ok(),
        requests: int = 1,
        **changes: Any,
    ) -> Visit:
        context = server_context(*credentials, folder=self.folder, **server or {})
        trusted = (self._ca_file,) if trusted is None else trusted
        settings = settings_for(self.folder, *trusted, release=release, **changes)
        async with Origin(context) as origin, running(settings) as proxy:
            origin.answer_all(reply)
            client = await proxy.connect()
            answers = []
            for _ in range(requests):
                client.send(request(b"GET", target(origin, host=host)))
                answers.append(await client.answer())
            await settle()
            await proxy.stop()
            peers = [stream for stream in origin.streams if isinstance(stream, TlsStream)]
        return Visit(answers[-1], peers, proxy)


@pytest.fixture
def visit(tmp_path: Path, ca_file: Path) -> Visitor:
    return Visitor(tmp_path, ca_file)


@pytest.fixture(scope="session")
def own_signed(keys: KeyCache, ca: Credential) -> Credential:
    """The self-signed ECDSA certificate of Cisco 218018."""
    fields = CertificateFields(cn="cucm-EC.steven.lab", dns=(HOST,))
    return self_signed(fields, now=ca.now, key=keys.get("own", KeyKind.EC_P384))


# -- On, Off, Permissive by release


@pytest.mark.parametrize("release", _OLD)
async def test_before_x14_2_nothing_is_verified(
    visit: Visitor, own_signed: Credential, release: Release
) -> None:
    seen = await visit(own_signed, release=release, host="other.steven.lab")
    assert seen.answer.status == 200
    assert len(seen.peers) == 1
    assert seen.verdicts == []
    assert seen.errors == []


@pytest.mark.parametrize("release", _ENFORCING)
async def test_an_unknown_ca_is_refused(
    visit: Visitor, own_signed: Credential, release: Release
) -> None:
    seen = await visit(own_signed, release=release)
    expressway = release is not _ATS
    assert seen.answer.status == 502
    assert seen.answer.reason == (b"connect failed" if expressway else b"")
    assert b"<title>Could Not Connect</title>" in seen.answer.body
    attempts = _ATTEMPTS[release]
    assert len(seen.peers) == attempts
    for peer in seen.peers:
        assert "unknown ca" in peer.error.lower().replace("_", " ")
        assert peer.alert == _UNKNOWN_CA
        assert peer.bytes_after_alert == 0
    assert len(seen.verdicts) == attempts
    for verdict in seen.verdicts:
        assert isinstance(verdict, CoreVerificationFailed)
        assert (verdict.name, verdict.server, verdict.ip) == (HOST, HOST, "127.0.0.1")
        assert (verdict.action, verdict.depth, verdict.thread) == ("Terminate", 0, 0)
        assert verdict.error == (
            "self signed certificate" if expressway else "self-signed certificate"
        )
    expected = f"SSL connection failed for '{HOST}': {_VERIFY_FAILED_1_1_1}"
    assert seen.errors == [expected] * (attempts if expressway else 0)


@pytest.mark.parametrize("release", _ENFORCING)
@pytest.mark.parametrize("host", ["other.steven.lab", "127.0.0.1"])
async def test_a_name_that_is_not_in_the_certificate_is_refused(
    visit: Visitor, leaf: Credential, release: Release, host: str
) -> None:
    seen = await visit(leaf, release=release, host=host)
    attempts = _ATTEMPTS[release]
    assert seen.answer.status == 502
    assert len(seen.peers) == attempts
    for peer in seen.peers:
        assert peer.alert == _INTERNAL_ERROR
        assert peer.bytes_after_alert == 0
        assert peer.hello.server_name == (None if host == "127.0.0.1" else host)
    assert len(seen.verdicts) == attempts
    for verdict in seen.verdicts:
        assert isinstance(verdict, SniNotInCertificate)
        assert (verdict.name, verdict.server, verdict.ip) == (host, host, "127.0.0.1")
        assert verdict.action == "Terminate"
    assert len(seen.errors) == (0 if release is _ATS else attempts)


@pytest.mark.parametrize("release", _ENFORCING)
async def test_a_good_certificate_passes_with_one_connection(
    visit: Visitor, leaf: Credential, release: Release
) -> None:
    seen = await visit(leaf, release=release, requests=3)
    assert seen.answer.status == 200
    assert len(seen.peers) == 1
    assert seen.verdicts == []
    assert seen.errors == []


@pytest.mark.parametrize("release", list(Release))
@pytest.mark.parametrize("mode", list(VerifyMode))
async def test_the_mode_can_be_set_in_every_release(
    visit: Visitor, own_signed: Credential, release: Release, mode: VerifyMode
) -> None:
    seen = await visit(
        own_signed, release=release, host="other.steven.lab", verify_origin_server=mode
    )
    match mode:
        case VerifyMode.OFF:
            assert seen.answer.status == 200
            assert seen.verdicts == []
        case VerifyMode.PERMISSIVE:
            assert seen.answer.status == 200
            assert len(seen.peers) == 1
            chain, name = seen.verdicts
            assert isinstance(chain, CoreVerificationFailed)
            assert isinstance(name, SniNotInCertificate)
            assert (chain.action, name.action) == ("Continue", "Continue")
        case VerifyMode.ENFORCED:
            assert seen.answer.status == 502
            assert {verdict.action for verdict in seen.verdicts} == {"Terminate"}
            assert all(isinstance(one, CoreVerificationFailed) for one in seen.verdicts)
    if mode is not VerifyMode.ENFORCED:
        assert seen.errors == []


async def test_permissive_tells_each_fault_once(
    visit: Visitor, ca: Credential, keys: KeyCache
) -> None:
    """Expired, of an issuer that is not listed, under another name: three lines, each once."""
    past = ca.now - timedelta(days=2)
    other = root_ca("other CA", now=ca.now, key=keys.get("other", _EC))
    fields = CertificateFields(
        cn="x", dns=("x.steven.lab",), not_after=past, not_before=past - timedelta(days=9)
    )
    credential = other.issue(fields, key=keys.get("old", _EC))
    seen = await visit(credential, verify_origin_server=VerifyMode.PERMISSIVE, requests=2)
    assert seen.answer.status == 200
    assert len(seen.peers) == 1
    found = [getattr(one, "error", "name") for one in seen.verdicts]
    assert len(found) == len(set(found))
    assert found == [
        "unable to get local issuer certificate",
        "unable to verify the first certificate",
        "certificate has expired",
        "name",
    ]


# -- what is offered


@pytest.mark.parametrize(
    ("release", "version"),
    [
        (_X12_5, "TLSv1.2"),
        (_X14_0_7, "TLSv1.2"),
        (_X14_2, "TLSv1.2"),
        (_X15_5, "TLSv1.3"),
        (_ATS, "TLSv1.3"),
    ],
)
async def test_highest_version(
    visit: Visitor, leaf: Credential, release: Release, version: str
) -> None:
    seen = await visit(leaf, release=release)
    assert seen.answer.status == 200
    assert seen.peers[0].tls.version() == version


_ECDSA_GCM, _RSA_GCM = 0xC02C, 0xC030
_FRESH, _BELOW, _FROM = UpgradePath.FRESH, UpgradePath.BELOW_14_0, UpgradePath.FROM_14_0


@pytest.mark.parametrize(
    ("release", "path", "first"),
    [
        (_X12_5, _FRESH, _ECDSA_GCM),
        (_X14_0_7, _FRESH, _RSA_GCM),
        (_X14_2, _FRESH, _ECDSA_GCM),
        (_X14_2, _BELOW, _ECDSA_GCM),
        (_X14_2, _FROM, _RSA_GCM),
        (_X15_5, _FRESH, _ECDSA_GCM),
        (_X15_5, _FROM, _RSA_GCM),
        (_ATS, _FRESH, _ECDSA_GCM),
    ],
)
async def test_order_of_suites_and_the_certificate_it_brings(
    visit: Visitor,
    *,
    ca: Credential,
    keys: KeyCache,
    leaf: Credential,
    release: Release,
    path: UpgradePath,
    first: int,
) -> None:
    rsa = ca.issue(CertificateFields(cn="rsa", dns=(HOST,)), key=keys.get("rsa"))
    seen = await visit(
        rsa,
        leaf,
        release=release,
        upgrade_path=path,
        server={"max_tls": ssl.TLSVersion.TLSv1_2},
    )
    assert seen.answer.status == 200
    (peer,) = seen.peers
    below_1_3 = [suite for suite in peer.hello.suites if suite >> 8 != 0x13]
    assert below_1_3[0] == first
    cipher = peer.tls.cipher()
    assert cipher is not None
    assert ("ECDSA" in cipher[0]) is (first == _ECDSA_GCM)


#: The suites with CBC and SHA-1 that are in use anywhere (IANA numbers).
_CBC_SHA1 = {0x002F, 0x0035, 0x0033, 0x0039, 0xC009, 0xC00A, 0xC013, 0xC014}


async def test_ats_offers_no_cbc_with_sha1(visit: Visitor, leaf: Credential) -> None:
    seen = await visit(leaf, release=_ATS)
    assert not _CBC_SHA1 & set(seen.peers[0].hello.suites)
    visit.forget_log()
    seen = await visit(leaf, release=_X14_2)
    assert _CBC_SHA1 & set(seen.peers[0].hello.suites)


async def test_own_ciphers(visit: Visitor, leaf: Credential) -> None:
    seen = await visit(leaf, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    assert [suite for suite in seen.peers[0].hello.suites if suite != 0xFF] == [0xC02B]


@pytest.mark.parametrize("host", [HOST, "CUCM.Steven.lab", "cucm.steven.lab."])
async def test_the_requested_name_is_sent_as_written(
    visit: Visitor, leaf: Credential, host: str
) -> None:
    seen = await visit(leaf, host=host)
    assert seen.peers[0].hello.server_name == host
    assert seen.answer.status == (502 if host.endswith(".") else 200)


async def test_sessions_are_not_resumed(visit: Visitor, leaf: Credential) -> None:
    """Each connection is verified, also right after one to the same origin."""
    seen = await visit(leaf, reply=ok(b"x", b"Connection: close"), requests=3)
    assert seen.answer.status == 200
    assert len(seen.peers) == 3
    assert not any(peer.tls.session_reused for peer in seen.peers)


# -- IP literals and name rules


@pytest.mark.parametrize(
    ("rule", "sans", "status"),
    [
        (NameRule.EXPRESSWAY, {"ips": ("127.0.0.1",)}, 200),
        (NameRule.EXPRESSWAY, {"dns": ("127.0.0.1",)}, 200),
        (NameRule.ATS, {"ips": ("127.0.0.1",)}, 502),
        (NameRule.ATS, {"dns": ("127.0.0.1",)}, 200),
        (NameRule.STRICT, {"ips": ("127.0.0.1",)}, 200),
        (NameRule.STRICT, {"dns": ("127.0.0.1",)}, 502),
    ],
)
async def test_ip_literals(
    visit: Visitor,
    *,
    ca: Credential,
    keys: KeyCache,
    rule: NameRule,
    sans: dict[str, tuple[str, ...]],
    status: int,
) -> None:
    fields = CertificateFields(cn="x", dns=sans.get("dns", ()), ips=sans.get("ips", ()))
    credential = ca.issue(fields, key=keys.get("ip", _EC))
    seen = await visit(credential, host="127.0.0.1", name_rule=rule)
    assert seen.answer.status == status
    assert seen.peers[0].hello.server_name is None


async def test_a_redirected_address_is_verified_and_logged_as_the_address(
    visit: Visitor, leaf: Credential, tmp_path: Path
) -> None:
    hosts = tmp_path / "redirects"
    hosts.write_text("127.0.0.1 10.48.36.215\n10.48.36.215 other.steven.lab\n")
    seen = await visit(leaf, host="10.48.36.215", hosts=hosts)
    assert seen.answer.status == 502
    assert "WARNING: SNI (10.48.36.215) not in certificate. Action=Terminate " in str(
        seen.proxy.lines
    )
    assert all((verdict.server, verdict.ip) == ("10.48.36.215",) * 2 for verdict in seen.verdicts)
    visit.forget_log()
    seen = await visit(leaf, host="other.steven.lab", hosts=hosts)
    assert {(verdict.server, verdict.ip) for verdict in seen.verdicts} == {
        ("other.steven.lab", "10.48.36.215")
    }
    assert 'Dst-ip="10.48.36.215"' in "".join(seen.proxy.lines)


# -- texts, alerts and depths


def _expired(ca: Credential, keys: KeyCache) -> Credential:
    end = ca.now - timedelta(seconds=1)
    fields = CertificateFields(
        cn="x", dns=(HOST,), not_before=end - timedelta(days=9), not_after=end
    )
    return ca.issue(fields, key=keys.get("expired", _EC))


def _early(ca: Credential, keys: KeyCache) -> Credential:
    fields = CertificateFields(cn="x", dns=(HOST,), not_before=ca.now + timedelta(days=1))
    return ca.issue(fields, key=keys.get("early", _EC))


def _no_issuer(ca: Credential, keys: KeyCache) -> Credential:
    other = root_ca("other CA", now=ca.now, key=keys.get("other", _EC))
    return other.issue(CertificateFields(cn="x", dns=(HOST,)), key=keys.get("leaf2", _EC))


def _root_sent(ca: Credential, keys: KeyCache) -> Credential:
    other = root_ca("other CA", now=ca.now, key=keys.get("other", _EC))
    return _no_issuer(ca, keys).sending(other)


def _intermediate_unknown(ca: Credential, keys: KeyCache) -> Credential:
    other = root_ca("other CA", now=ca.now, key=keys.get("other", _EC))
    between = other.issue(CertificateFields(cn="between", ca=True), key=keys.get("between", _EC))
    return between.issue(CertificateFields(cn="x", dns=(HOST,)), key=keys.get("leaf3", _EC))


def _client_only(ca: Credential, keys: KeyCache) -> Credential:
    fields = CertificateFields(cn="x", dns=(HOST,), extended_key_usage=(CLIENT_AUTH,))
    return ca.issue(fields, key=keys.get("purpose", _EC))


@pytest.mark.parametrize(
    ("make", "text_1_1_1", "text_3", "depth", "alert"),
    [
        (_expired, "certificate has expired", None, 0, 45),
        (_early, "certificate is not yet valid", None, 0, 42),
        (_no_issuer, "unable to get local issuer certificate", None, 0, 48),
        (
            _root_sent,
            "self signed certificate in certificate chain",
            "self-signed certificate in certificate chain",
            1,
            48,
        ),
        (_intermediate_unknown, "unable to get local issuer certificate", None, 1, 48),
        (_client_only, "unsupported certificate purpose", "unsuitable certificate purpose", 0, 43),
    ],
)
async def test_texts_depths_and_alerts(
    visit: Visitor,
    *,
    ca: Credential,
    keys: KeyCache,
    make: Callable[[Credential, KeyCache], Credential],
    text_1_1_1: str,
    text_3: str | None,
    depth: int,
    alert: int,
) -> None:
    credential = make(ca, keys)
    for release, text in ((_X14_2, text_1_1_1), (_ATS, text_3 or text_1_1_1)):
        seen = await visit(credential, release=release)
        assert seen.answer.status == 502
        assert {peer.alert for peer in seen.peers} == {(2, alert)}
        assert {peer.bytes_after_alert for peer in seen.peers} == {0}
        assert len(seen.verdicts) == _ATTEMPTS[release]
        for verdict in seen.verdicts:
            assert isinstance(verdict, CoreVerificationFailed)
            assert (verdict.error, verdict.depth) == (text, depth)
        visit.forget_log()


# -- the client certificate


def _failed(code: str, text: str) -> str:
    return f"SSL connection failed for '{HOST}': error:{code}:SSL routines:ssl3_read_bytes:{text}"


async def _asking(
    visit: Visitor,
    leaf: Credential,
    mine: Credential | None,
    release: Release,
    *,
    ca_file: Path,
    host: str = HOST,
    required: bool = True,
    max_tls: Any = None,
) -> Visit:
    changes: dict[str, Any] = {}
    if mine is not None:
        files = mine.write(visit.folder, "mine")
        changes = {"client_cert": files.chain, "client_key": files.key}
    return await visit(
        leaf,
        release=release,
        host=host,
        server={
            "client_ca": ca_file,
            "client_required": required,
            "max_tls": max_tls or ssl.TLSVersion.TLSv1_3,
        },
        **changes,
    )


@pytest.fixture(scope="session")
def mine(ca: Credential, keys: KeyCache) -> Credential:
    """Expressway-C's own certificate."""
    return ca.issue(CertificateFields(cn="expc.steven.lab"), key=keys.get("mine", _EC))


@pytest.mark.parametrize("release", list(Release))
async def test_our_certificate_is_shown_if_the_origin_asks(
    visit: Visitor, leaf: Credential, mine: Credential, ca_file: Path, release: Release
) -> None:
    seen = await _asking(visit, leaf, mine, release, ca_file=ca_file, required=False)
    assert seen.answer.status == 200
    shown = seen.peers[0].tls.getpeercert()
    assert bool(shown) is (release is not _X12_5)


@pytest.mark.parametrize("release", _ENFORCING)
async def test_our_certificate_is_not_shown_to_an_origin_that_is_refused(
    visit: Visitor, leaf: Credential, mine: Credential, ca_file: Path, release: Release
) -> None:
    seen = await _asking(
        visit,
        leaf,
        mine,
        release,
        ca_file=ca_file,
        host="other.steven.lab",
        max_tls=ssl.TLSVersion.TLSv1_2,
    )
    assert seen.answer.status == 502
    for peer in seen.peers:
        assert tlswire.certificates(bytes(peer.raw_in)) == ()
        assert peer.alert == _INTERNAL_ERROR
        assert peer.bytes_after_alert == 0


async def test_an_origin_that_needs_a_certificate_from_x12_5(
    visit: Visitor, leaf: Credential, mine: Credential, ca_file: Path
) -> None:
    seen = await _asking(visit, leaf, mine, _X12_5, ca_file=ca_file)
    assert (seen.answer.status, seen.answer.reason) == (502, b"connect failed")
    assert seen.errors == [_failed("14094410", "sslv3 alert handshake failure")] * 2
    assert [one["reason"] for one in seen.proxy.transactions] == ["origin-alert"]


@pytest.mark.parametrize(("release", "lines"), [(_X14_2, 2), (_X15_5, 0)])
async def test_an_origin_that_does_not_know_our_ca(
    visit: Visitor,
    *,
    leaf: Credential,
    keys: KeyCache,
    ca: Credential,
    release: Release,
    lines: int,
) -> None:
    """The line of Cisco 225746. Under TLS 1.3 our handshake is complete before: no line."""
    other = root_ca("not known", now=ca.now, key=keys.get("other", _EC))
    stranger = other.issue(CertificateFields(cn="expc.steven.lab"), key=keys.get("stranger", _EC))
    ca_file = ca.write(visit.folder, "known").certificate
    seen = await _asking(visit, leaf, stranger, release, ca_file=ca_file)
    assert (seen.answer.status, seen.answer.reason) == (502, b"connect failed")
    assert seen.errors == [_failed("14094418", "tlsv1 alert unknown ca")] * lines
    assert [one["reason"] for one in seen.proxy.transactions] == ["origin-alert"]
    assert len(seen.peers) == 2


# -- strength, same subjects, length


@pytest.mark.parametrize(
    ("digest", "kind", "release", "status"),
    [
        (Digest.SHA1, KeyKind.RSA_2048, _X14_2, 200),
        (Digest.SHA1, KeyKind.RSA_2048, _ATS, 502),
        (Digest.SHA256, KeyKind.RSA_1024, _X14_2, 200),
        (Digest.SHA256, KeyKind.RSA_1024, _ATS, 502),
        (Digest.MD5, KeyKind.RSA_2048, _X14_2, 502),
        (Digest.MD5, KeyKind.RSA_2048, _ATS, 502),
    ],
)
async def test_security_level(
    visit: Visitor,
    *,
    keys: KeyCache,
    ca: Credential,
    digest: Digest,
    kind: KeyKind,
    release: Release,
    status: int,
) -> None:
    root = root_ca("rsa CA", now=ca.now, key=keys.get("rsa CA"))
    trusted = root.write(visit.folder, "rsa-ca").certificate
    fields = CertificateFields(cn="x", dns=(HOST,), digest=digest)
    credential = root.issue(fields, key=keys.get("weak", kind))
    seen = await visit(credential, release=release, trusted=(trusted,))
    assert seen.answer.status == status
    if digest is Digest.MD5 and release is _X14_2:
        assert {peer.alert for peer in seen.peers} == {(2, 42)}


@pytest.mark.parametrize(("release", "status"), [(_X14_2, 502), (_X15_5, 502), (_ATS, 200)])
async def test_of_two_authorities_with_one_subject_the_first_counts(
    visit: Visitor, keys: KeyCache, ca: Credential, release: Release, status: int
) -> None:
    first = root_ca("one name", now=ca.now, key=keys.get("first", _EC))
    second = root_ca("one name", now=ca.now, key=keys.get("second", _EC))
    credential = second.issue(CertificateFields(cn="x", dns=(HOST,)), key=keys.get("two", _EC))
    trusted = (
        first.write(visit.folder, "first").certificate,
        second.write(visit.folder, "second").certificate,
    )
    seen = await visit(credential, release=release, trusted=trusted)
    assert seen.answer.status == status


@pytest.mark.parametrize(("intermediates", "status"), [(7, 200), (8, 502)])
async def test_length_of_the_chain(
    visit: Visitor, ca: Credential, keys: KeyCache, intermediates: int, status: int
) -> None:
    signer = ca
    for number in range(intermediates):
        fields = CertificateFields(cn=f"between {number}", ca=True)
        signer = signer.issue(fields, key=keys.get(f"between {number}", _EC))
    credential = signer.issue(CertificateFields(cn="x", dns=(HOST,)), key=keys.get("end", _EC))
    seen = await visit(credential)
    assert seen.answer.status == status


async def test_the_fix_of_the_document(visit: Visitor, own_signed: Credential) -> None:
    """Listing the self-signed certificate itself lets it pass."""
    trusted = own_signed.write(visit.folder, "own").certificate
    seen = await visit(own_signed, trusted=(trusted,))
    assert seen.answer.status == 200
    assert seen.verdicts == []
