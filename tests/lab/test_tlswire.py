"""Reading Hello messages, certificates and alerts from raw bytes, however they are cut."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mralab.lab import tlswire
from mralab.lab.tlswire import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.lab.pki import Credential

ECDHE_RSA, ECDHE_ECDSA = 0xC030, 0xC02C


def record(content_type: int, payload: bytes) -> bytes:
    return bytes((content_type, 3, 3)) + len(payload).to_bytes(2, "big") + payload


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def vector(size: int, body: bytes) -> bytes:
    return len(body).to_bytes(size, "big") + body


def hello_body(extensions: bytes, *, suites: bytes = b"\xc0\x30") -> bytes:
    return b"\3\3" + bytes(32) + vector(1, b"") + vector(2, suites) + vector(1, b"\0") + extensions


def client_hello(extensions: bytes, *, suites: bytes = b"\xc0\x30") -> bytes:
    return record(HANDSHAKE, message(1, hello_body(extensions, suites=suites)))


def server_hello(extensions: bytes, *, version: bytes = b"\3\3") -> bytes:
    body = version + bytes(32) + vector(1, b"") + b"\xc0\x2c" + b"\0" + extensions
    return record(HANDSHAKE, message(2, body))


class Pair:
    """A real TLS client and server over memory BIOs; keeps what each one sent."""

    def __init__(
        self, credential: Credential, folder: Path, *, version: ssl.TLSVersion, name: str | None
    ) -> None:
        files = credential.write(folder, "server")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(files.chain, files.key)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        client.minimum_version = client.maximum_version = version
        client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(to_client, out := ssl.MemoryBIO(), server_hostname=name)
        self.server = server.wrap_bio(to_server, back := ssl.MemoryBIO(), server_side=True)
        self.from_client = self.from_server = b""
        for _ in range(4):
            for side, source, sink in (
                (self.client, out, to_server),
                (self.server, back, to_client),
            ):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
                data = source.read()
                sink.write(data)
                if source is out:
                    self.from_client += data
                else:
                    self.from_server += data


def test_a_real_tls12_handshake(tomcat: Credential, ca: Credential, tmp_path: Path) -> None:
    pair = Pair(
        tomcat.sending(ca), tmp_path, version=ssl.TLSVersion.TLSv1_2, name="cucm.steven.lab"
    )
    hello = tlswire.client_hello(pair.from_client)
    assert hello is not None
    assert hello.server_name == "cucm.steven.lab"
    assert hello.suites[:2] == (ECDHE_ECDSA, ECDHE_RSA)
    assert tlswire.server_hello(pair.from_server) == tlswire.ServerHello("TLSv1.2", ECDHE_RSA)
    assert tlswire.certificates(pair.from_server) == (tomcat.der, ca.der)
    assert tlswire.certificates(pair.from_client) == ()
    assert tlswire.last_alert(pair.from_client) is None


def test_a_real_tls13_handshake_hides_the_certificate(tomcat: Credential, tmp_path: Path) -> None:
    pair = Pair(tomcat, tmp_path, version=ssl.TLSVersion.TLSv1_3, name=None)
    hello = tlswire.client_hello(pair.from_client)
    assert hello is not None
    assert hello.server_name is None
    assert tlswire.server_hello(pair.from_server) == tlswire.ServerHello("TLSv1.3", 0x1302)
    assert tlswire.certificates(pair.from_server) == ()
    assert tlswire.has_certificate(pair.from_server)
    assert not tlswire.has_certificate(server_hello(b""))


@pytest.mark.parametrize(
    "extensions",
    [
        pytest.param(b"", id="no extension block"),
        pytest.param(vector(2, b""), id="an empty one"),
        pytest.param(
            vector(2, b"\0\0" + vector(2, vector(2, b"\7" + vector(2, b"x")))),
            id="a name that is no host name",
        ),
    ],
)
def test_a_client_hello_without_server_name(extensions: bytes) -> None:
    hello = tlswire.client_hello(client_hello(extensions))
    assert hello == tlswire.ClientHello((ECDHE_RSA,), None)


def test_a_server_name_that_is_not_ascii_is_shown_escaped() -> None:
    extensions = vector(2, b"\0\0" + vector(2, vector(2, b"\0" + vector(2, b"c\xfccm"))))
    hello = tlswire.client_hello(client_hello(extensions))
    assert hello is not None
    assert hello.server_name == "c\\xfccm"


def test_an_unknown_version_is_shown_as_a_number() -> None:
    found = tlswire.server_hello(server_hello(b"", version=b"\x7f\x1c"))
    assert found == tlswire.ServerHello("0x7F1C", ECDHE_ECDSA)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(client_hello(b"")[:-1], id="a record cut short"),
        pytest.param(client_hello(b"\0"), id="half a length"),
        pytest.param(client_hello(vector(2, b"\0\0\0\5abc")), id="an extension past the end"),
        pytest.param(client_hello(b"", suites=b"\xc0"), id="half a suite"),
        pytest.param(record(HANDSHAKE, b"\1\0\0\x50abc"), id="a message cut short"),
        pytest.param(record(HANDSHAKE, b"\1\0"), id="half a message header"),
        pytest.param(record(ALERT, b"\2\50"), id="an alert"),
    ],
)
def test_what_is_no_client_hello(raw: bytes) -> None:
    assert tlswire.client_hello(raw) is None


def test_a_broken_server_hello_and_certificate_are_absent() -> None:
    assert tlswire.server_hello(server_hello(b"\0")) is None
    assert tlswire.server_hello(b"") is None
    broken = record(HANDSHAKE, message(11, vector(3, b"\0\0\x09abc")))
    assert tlswire.certificates(broken) == ()


def test_a_message_over_two_records() -> None:
    whole = message(1, hello_body(b""))
    raw = record(HANDSHAKE, whole[:20]) + record(HANDSHAKE, whole[20:])
    assert tlswire.client_hello(raw) == tlswire.ClientHello((ECDHE_RSA,), None)


def test_reading_stops_where_encryption_starts() -> None:
    raw = (
        record(HANDSHAKE, message(16, b"key"))
        + record(CHANGE_CIPHER_SPEC, b"\1")
        + record(HANDSHAKE, message(20, b"encrypted"))
    )
    assert list(tlswire.handshake_messages(raw)) == [(16, b"key")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", None),
        (record(ALERT, b"\2\x30"), tlswire.Alert(2, 48, 0)),
        (record(ALERT, b"\1\x5a") + record(ALERT, b"\2\x50"), tlswire.Alert(2, 80, 0)),
        (record(ALERT, b"\2\x30") + b"more", tlswire.Alert(2, 48, 4)),
        (record(ALERT, bytes(26)), None),
        (record(APPLICATION_DATA, b"\2\x30"), None),
        (record(ALERT, b"\2\x30")[:-1], None),
    ],
)
def test_alerts(raw: bytes, expected: tlswire.Alert | None) -> None:
    assert tlswire.last_alert(raw) == expected


@given(st.binary(max_size=300))
def test_nothing_raises_on_any_bytes(raw: bytes) -> None:
    for data in (
        raw,
        record(HANDSHAKE, raw),
        record(HANDSHAKE, message(raw[0] if raw else 1, raw)),
    ):
        tlswire.client_hello(data)
        tlswire.server_hello(data)
        tlswire.has_certificate(data)
        tlswire.last_alert(data)


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=0, max_value=255))
def test_one_wrong_byte_never_raises(position: int, value: int) -> None:
    extensions = vector(2, b"\0\0" + vector(2, vector(2, b"\0" + vector(2, b"cucm.steven.lab"))))
    raw = bytearray(client_hello(extensions))
    raw[position % len(raw)] = value
    tlswire.client_hello(bytes(raw))
