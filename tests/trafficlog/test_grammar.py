"""Emitter and parser share one grammar: real lines, and every line of ours, pass through both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import assert_never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mralab.trafficlog import render
from mralab.trafficlog.grammar import CONCEALED, CONCEALED_FIELDS, Verb
from mralab.trafficlog.parse import parse_line, parse_log
from mralab.trafficlog.records import (
    ConfigurationChanged,
    CoreVerificationFailed,
    FieldLine,
    Head,
    HttpErrorResponse,
    LogRecord,
    Message,
    RequestAllowed,
    RequestDenied,
    RequestFailed,
    SniNotInCertificate,
    SslConnectionFailed,
    ThreadMessage,
    TransactionLine,
    UnknownLine,
)

GOLDEN = Path(__file__).parents[1] / "golden"
SAMPLE = re.compile(r"# \[(?P<id>[\w-]+)\] (?P<source>[^|]+) \| (?P<mark>SEEN|INFERRED) \| .+")
CEST = timezone(timedelta(hours=2))
EST = timezone(timedelta(hours=-5))
EDT = timezone(timedelta(hours=-4))


@dataclass(frozen=True)
class Sample:
    source: str
    mark: str
    text: str


def read_samples() -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for path in sorted(GOLDEN.glob("*.log")):
        name = ""
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if match := SAMPLE.fullmatch(line.rstrip("\n")):
                name = match["id"]
                assert name not in samples, f"two samples are called {name}"
                samples[name] = Sample(match["source"], match["mark"], "")
            elif name:
                old = samples[name]
                samples[name] = Sample(old.source, old.mark, old.text + line)
            else:
                assert line.startswith("# "), f"{path.name}: a sample without its source"
    return samples


SAMPLES = read_samples()


# ---- a record back to text, by the templates


def stamp_of(head: Head) -> render.Stamp:
    moment = head.utc or head.time
    process = f"{head.process}[{head.pid}]: "
    if moment is None or head.time is None:
        return render.Stamp(f"{head.host} ", process, "")
    offset = head.time.utcoffset()
    assert offset is not None
    return render.make_stamp(
        round(moment.timestamp() * 1000),
        hostname=head.host,
        pid=head.pid or 0,
        offset_minutes=offset // timedelta(minutes=1),
    )


def transaction_text(record: TransactionLine) -> str:
    stamp = stamp_of(record.head)
    tag = render.tag_fields(record.txn_id or 0, render.escape(record.tracking_id))
    fields = render.src_fields if record.verb.is_receive else render.dst_fields
    peer = fields(render.escape(record.ip), record.port or 0)
    if record.message is not None:
        block = render.http_message(
            record.message.start_line.encode("latin-1"),
            [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in record.message.fields
            ],
        )
        return render.debug_message(stamp, record.verb, tag, peer, block)
    template = {
        Verb.RECEIVE_REQUEST: render.receive_request,
        Verb.SEND_REQUEST: render.send_request,
        Verb.RECEIVE_RESPONSE: render.receive_response,
        Verb.SEND_RESPONSE: render.send_response,
    }[record.verb]
    assert record.msg is not None
    return template(stamp, tag, peer, render.escape(record.msg))


def text_of(record: LogRecord) -> str:
    """Render a record of one of the forms that we write."""
    escape = render.escape
    match record:
        case TransactionLine():
            return transaction_text(record)
        case RequestAllowed():
            return render.request_allowed(
                stamp_of(record.head),
                reason=escape(record.reason),
                username=escape(record.username),
                deployment=escape(record.deployment),
                method=escape(record.method),
                request=escape(record.request),
                rule_fields=render.rule_fields(record.rule, record.match, record.kind),
            )
        case RequestDenied():
            return render.request_denied(
                stamp_of(record.head),
                reason=escape(record.reason),
                username=escape(record.username),
                deployment=escape(record.deployment),
                method=escape(record.method),
                request=escape(record.request),
            )
        case RequestFailed():
            return render.request_failed(
                stamp_of(record.head),
                reason=escape(record.reason),
                request=escape(record.request),
                src=render.src_fields(escape(record.ip), record.port or 0),
            )
        case HttpErrorResponse():
            return render.http_error_response(
                stamp_of(record.head),
                status=record.status or 0,
                reason=escape(record.reason),
                dst=render.dst_fields(escape(record.ip), record.port or 0),
            )
        case CoreVerificationFailed():
            return render.core_verification_failed(
                stamp_of(record.head),
                thread=record.thread,
                name=record.name,
                action=record.action,
                error=record.error,
                server=record.server,
                ip=record.ip,
                depth=record.depth,
            )
        case SniNotInCertificate():
            return render.sni_not_in_certificate(
                stamp_of(record.head),
                thread=record.thread,
                name=record.name,
                action=record.action,
                server=record.server,
                ip=record.ip,
            )
        case SslConnectionFailed():
            return render.ssl_connection_failed(
                stamp_of(record.head), thread=record.thread, name=record.name, error=record.error
            )
        case ConfigurationChanged():
            return render.configuration_changed(
                stamp_of(record.head),
                detail=escape(record.detail),
                node=escape(record.node),
                process_id=escape(record.process_id),
            )
        case ThreadMessage() | FieldLine() | UnknownLine():
            raise TypeError(f"not a form of ours: {record}")
    assert_never(record)


# ---- public lines


def head(
    time: datetime | None,
    host: str,
    process: str = "",
    pid: int | None = None,
    utc: datetime | None = None,
) -> Head:
    return Head(time=time, host=host, process=process, pid=pid, utc=utc)


def at_218018(second: int, ms: int, *, utc: bool) -> Head:
    """A head of Cisco 218018: 18:55 local time, with or without ``UTCTime`` in the line."""
    moment = datetime(2022, 7, 11, 16, 55, second, ms * 1000, tzinfo=UTC)
    return head(moment.astimezone(CEST), "vcsc", "traffic_server", 18242, moment if utc else None)


TRACKING = "6af9a674-9ebc-41ea-868e-90e7309a758c"
UDS_2014 = datetime(2014, 9, 25, 17, 46, 20, 92_000, tzinfo=UTC)
UDS_TIME = datetime(2014, 9, 25, 13, 46, 20, tzinfo=EDT)
TVCS_TIME = datetime(2017, 9, 20, 10, 49, 18, 724_000, tzinfo=EDT)

EXPECTED: dict[str, LogRecord] = {
    "chain-refused": CoreVerificationFailed(
        head=at_218018(26, 16, utc=False),
        thread=0,
        name="cucm.steven.lab",
        action="Terminate",
        error="self signed certificate",
        server="cucm.steven.lab",
        ip="10.48.36.215",
        depth=0,
    ),
    "connection-failed": SslConnectionFailed(
        head=at_218018(26, 16, utc=False),
        thread=0,
        name="cucm.steven.lab",
        error="error:1416F086:SSL routines:tls_process_server_certificate:"
        "certificate verify failed",
    ),
    "name-refused": SniNotInCertificate(
        head=Head(),
        thread=2,
        name="10.48.36.215",
        action="Terminate",
        server="10.48.36.215",
        ip="10.48.36.215",
    ),
    "allowed-cut": RequestAllowed(head=at_218018(25, 917, utc=False)),
    "receive-request": TransactionLine(
        head=at_218018(25, 910, utc=True),
        verb=Verb.RECEIVE_REQUEST,
        level="INFO",
        txn_id=189,
        tracking_id=TRACKING,
        ip="127.0.0.1",
        port=30044,
        msg="GET http://vcs_control.steven.lab:8443/c3RldmVuLmxhYi9odHRwcy9jdWNtLnN0ZXZlbi5sYWIvODQ0Mw"
        "/cucm-uds/user/emusk/devices HTTP/1.1",
    ),
    "allowed": RequestAllowed(
        head=at_218018(25, 916, utc=True),
        reason="In allow list",
        username="emusk",
        deployment="1",
        method="GET",
        request="https://cucm.steven.lab:8443/cucm-uds/user/emusk/devices",
        rule="https://cucm.steven.lab:8443/cucm-uds/user/",
        match="prefix",
        kind="Automatically generated rule for CUCM server",
    ),
    "send-request": TransactionLine(
        head=at_218018(25, 916, utc=True),
        verb=Verb.SEND_REQUEST,
        level="INFO",
        txn_id=189,
        tracking_id=TRACKING,
        ip="10.48.36.215",
        port=8443,
        msg="GET /cucm-uds/user/emusk/devices HTTP/1.1",
    ),
    "receive-response": TransactionLine(
        head=at_218018(25, 955, utc=True),
        verb=Verb.RECEIVE_RESPONSE,
        level="INFO",
        txn_id=189,
        ip="10.48.36.215",
        port=8443,
        msg="HTTP/1.1 200 ",
    ),
    "send-response": TransactionLine(
        head=at_218018(26, 24, utc=True),
        verb=Verb.SEND_RESPONSE,
        level="INFO",
        txn_id=190,
        ip="127.0.0.1",
        port=30044,
        msg="HTTP/1.1 502 connect failed",
    ),
    "debug-request": TransactionLine(
        head=head(
            datetime(2026, 1, 29, 14, 1, 16, 974_000, tzinfo=EST),
            "exp-c",
            "traffic_server",
            2030,
            datetime(2026, 1, 29, 19, 1, 16, 974_000, tzinfo=UTC),
        ),
        verb=Verb.SEND_REQUEST,
        level="DEBUG",
        txn_id=3028,
        tracking_id="fxxxxxxx-86f6-4030-8259-0b768c07723e",
        ip="xxx.xxx.xxx.xxx",
        port=6972,
        message=Message(
            start_line="GET /CSFmarcoalh.cnf.xml HTTP/1.1",
            fields=(
                ("Host", "expc.cisco.com:6972"),
                ("Accept", "*/*"),
                ("Cookie", CONCEALED),
                ("User-Agent", "WebEx/0.0.0.0 "),
                ("TrackingID", "fxxxxxxx-86f6-4030-8259-0b768c07723e"),
                ("Client-ip", "xxx.xxx.xxx.xxx"),
                ("X-Forwarded-For", "xxx.xxx.xxx.xxx, 127.0.0.1"),
                (
                    "Via",
                    (
                        "https/1.1 vcs[0fxxxxxx-c853-xxxx-aa16-0a290bf56fc8] (ATS), "
                        "http/1.1 vcs[5xxxxxxx-7feb-4xxx-91e0-757d251d9116] (ATS)"
                    ),
                ),
            ),
        ),
    ),
    "origin-alert": SslConnectionFailed(
        head=head(
            datetime(2026, 1, 29, 14, 1, 16, 974_000, tzinfo=EST), "exp-c", "traffic_server", 2030
        ),
        thread=1,
        name="expc.cisco.com",
        error="error:14094418: SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
    ),
    "debug-response": TransactionLine(
        head=head(None, "ExpresswayE", "traffic_server", 15550),
        verb=Verb.SEND_RESPONSE,
        level="DEBUG",
        txn_id=2,
        ip="10.48.79.80",
        port=50314,
        message=Message(
            start_line="HTTP/1.1 403 Forbidden",
            fields=(
                ("Date", "Wed, 21 May 2014 14:31:18 GMT"),
                ("Connection", "close"),
                ("Server", "CE_E"),
                ("Content-Length", "0"),
            ),
        ),
    ),
    "error-response": HttpErrorResponse(
        head=head(None, "ExpresswayE", "traffic_server", 15550),
        status=403,
        reason="Forbidden",
        ip="10.48.79.80",
        port=50314,
    ),
    "xcp-connecting": FieldLine(
        head=head(
            None,
            "xwayc",
            "XCP_JABBERD",
            23843,
            datetime(2014, 3, 25, 17, 19, 45, 843_000, tzinfo=UTC),
        ),
        fields=(
            ("UTCTime", "2014-03-25 17:19:45,843"),
            ("ThreadID", "139747212576512"),
            ("Module", "Jabber"),
            ("Level", "INFO "),
            ("CodeLocation", "mio.c:1109"),
            ("Detail", "Connecting on fd 28 to host '10.48.36.171', port 7400"),
        ),
    ),
    "xcp-refused": FieldLine(
        head=head(
            None,
            "xwayc",
            "XCP_JABBERD",
            23843,
            datetime(2014, 3, 25, 17, 19, 45, 847_000, tzinfo=UTC),
        ),
        fields=(
            ("UTCTime", "2014-03-25 17:19:45,847"),
            ("ThreadID", "139747212576512"),
            ("Module", "Jabber"),
            ("Level", "ERROR"),
            ("CodeLocation", "mio.c:1121"),
            (
                "Detail",
                " Unable to connect to host '10.48.36.171', port 7400 :(111) Connection refused",
            ),
        ),
    ),
    "traversal-name": FieldLine(
        head=Head(),
        fields=(
            ("Event", "Outbound TLS Negotiation Error"),
            ("Service", "SIP"),
            ("Src-ip", "10.48.80.161"),
            ("Src-port", "25697"),
            ("Dst-ip", "10.48.36.171"),
            ("Dst-port", "7001"),
            ("Detail", "Peer's TLS certificate identity was unacceptable"),
            ("Protocol", "TLS"),
            ("Common-name", "10.48.36.171"),
        ),
    ),
    "traversal-password": FieldLine(
        head=Head(),
        fields=(
            ("Event", "Authentication Failed"),
            ("Service", "SIP"),
            ("Src-ip", "10.48.80.161"),
            ("Src-port", "25723"),
            ("Detail", " Incorrect authentication credential for user "),
            ("Protocol", "TLS"),
            ("Method", "OPTIONS"),
            ("Level", "1"),
        ),
    ),
    "uds-401": FieldLine(
        head=head(UDS_TIME, "RTP-TBTP-EXPRWY-C", "edgeconfigprovisioning", None, UDS_2014),
        fields=(
            ("UTCTime", "2014-09-25 17:46:20,92"),
            ("Module", "network.http.edgeconfigprovisioning"),
            ("Level", "DEBUG"),
            ("Action", "Received"),
            ("Request-url", "https://xx.xx.97.131:8443/cucm-uds/user/pstojano/devices"),
        ),
        message=Message(
            start_line="HTTP/1.1 401 Unauthorized",
            fields=(
                ("Expires", "Wed, 31 Dec 1969 19:00:00 EST"),
                ("Server", ""),
                ("Cache-Control", "private"),
                ("Date", "Thu, 25 Sep 2014 17:46:20 GMT"),
                ("Content-Type", "text/html;charset=utf-8"),
                ("WWW-Authenticate", 'Basic realm="Cisco Web Services Realm"'),
            ),
        ),
    ),
    "uds-developer": FieldLine(
        head=head(UDS_TIME, "RTP-TBTP-EXPRWY-C", "", None, UDS_2014),
        fields=(
            ("UTCTime", "2014-09-25 17:46:20,92"),
            ("Module", "developer.edgeconfigprovisioning.server"),
            ("Level", "DEBUG"),
            ("CodeLocation", "edgeprotocol(1018)"),
            ("Detail", "Failed to authenticate user against server"),
            ("Username", "pstojano"),
            ("Server", "('https', 'xx.xx.97.131', 8443) "),
            ("Reason", "<twisted.python.failure.Failure <type 'exceptions.Exception'>> "),
        ),
    ),
    "uds-password": FieldLine(
        head=head(UDS_TIME, "RTP-TBTP-EXPRWY-C", "edgeconfigprovisioning", None, UDS_2014),
        fields=(
            ("Level", "INFO"),
            ("Detail", "Failed to authenticate user against server"),
            ("Username", "pstojano"),
            ("Server", "('https', 'xx.xx.97.131', 8443)"),
            ("Reason", "<twisted.python.failure.Failure <type 'exceptions.Exception'>>"),
            ("UTCTime", "2014-09-25 17:46:20,92"),
        ),
    ),
    "tls-progress": FieldLine(
        head=head(
            datetime(2017, 9, 20, 10, 49, 18, 427_000, tzinfo=EDT),
            "amer-expressway01",
            "tvcs",
            None,
            datetime(2017, 9, 20, 14, 49, 18, 426_000, tzinfo=UTC),
        ),
        fields=(
            ("UTCTime", "2017-09-20 14:49:18,426"),
            ("Module", "developer.ssl"),
            ("Level", "INFO"),
            ("CodeLocation", "ppcmains/ssl/ttssl/ttssl_openssl.cpp(1974)"),
            ("Method", "::ttssl_continueHandshake"),
            ("Thread", "0x7f29ddefa700"),
            ("Detail", " Handshake in progress "),
            ("Reason", "want read/write"),
        ),
    ),
    "sip-untrusted": FieldLine(
        head=head(TVCS_TIME, "amer-expressway01", "tvcs", None, TVCS_TIME),
        fields=(
            ("Event", " Inbound TLS Negotiation Error "),
            ("Service", "SIP"),
            ("Src-ip", "146.20.193.73"),
            ("Src-port", "58531"),
            ("Dst-ip", "172.16.2.2"),
            ("Dst-port", "5062"),
            ("Detail", " self signed certificate in certificate chain "),
            ("Protocol", "TLS"),
            ("Level", "1"),
            ("UTCTime", "2017-09-20 14:49:18,724"),
        ),
    ),
    "sip-ssl-error": FieldLine(
        head=head(TVCS_TIME, "amer-expressway01", "tvcs", None, TVCS_TIME),
        fields=(
            ("UTCTime", "2017-09-20 14:49:18,724"),
            ("Module", "developer.ssl"),
            ("Level", "ERROR"),
            ("CodeLocation", "ppcmains/ssl/ttssl/ttssl_openssl.cpp(68)"),
            ("Method", "::TTSSLErrorOutput"),
            ("Thread", "0x7f29ddefa700"),
            ("iResult", "-1"),
            ("error", "1"),
            ("bServer", "true"),
            ("localAddress", "['IPv4''TCP''172.16.2.2:5062']"),
            ("remoteAddress", "['IPv4''TCP''146.20.193.73:58531']"),
            (
                "ssl_error_reason",
                (
                    "error:14089086:SSL routines:ssl3_get_client_certificate: "
                    "certificate verify failed "
                ),
            ),
        ),
    ),
    "sip-closed": FieldLine(
        head=head(
            datetime(2017, 9, 20, 11, 17, 42, 701_000, tzinfo=EDT),
            "amer-expressway01",
            "tvcs",
            None,
            datetime(2017, 9, 20, 15, 17, 42, 700_000, tzinfo=UTC),
        ),
        fields=(
            ("UTCTime", "2017-09-20 15:17:42,700"),
            ("Module", "network.tcp"),
            ("Level", "DEBUG"),
            ("Src-ip", "146.20.193.45"),
            ("Src-port", "46049"),
            ("Dst-ip", "172.16.2.2"),
            ("Dst-port", " 5062 "),
            ("Detail", "TCP Connection Closed"),
            ("Reason", " Peer's TLS certificate identity was unacceptable "),
        ),
    ),
    "configuration-changed": ConfigurationChanged(
        head=head(
            datetime(2018, 7, 9, 14, 9, 11, 187_000, tzinfo=CEST),
            "vcsc",
            "",
            None,
            datetime(2018, 7, 9, 12, 9, 11, 187_000, tzinfo=UTC),
        ),
        node="clusterdb@127.0.0.1",
        process_id="<0.488.0>",
        detail="xconfiguration edgeCmsServerAddresses uuid cb7d5de8-1ab3-4a0d-a52a-8dbc885effeb "
        "name: joinext.vngtp.cms guid: 81db7b67-2aa9-4f64-8d74-04c4037397a8 ",
    ),
    "denied": RequestDenied(
        head=at_218018(25, 910, utc=True),
        reason="Not in allow list",
        deployment="1",
        method="GET",
        request="https://cucm.steven.lab:8443/ccmadmin/",
    ),
    "failed": RequestFailed(
        head=at_218018(25, 910, utc=True),
        reason="the first segment is not base64",
        request="/favicon.ico",
        ip="127.0.0.1",
        port=30044,
    ),
    "name-newer-ats": SniNotInCertificate(
        head=at_218018(26, 16, utc=False),
        thread=0,
        name="cucm.steven.lab",
        action="Continue",
        server="cucm.steven.lab",
        ip="10.48.36.215",
    ),
    "chain-openssl-3": CoreVerificationFailed(
        head=at_218018(26, 16, utc=False),
        thread=0,
        name="cucm.steven.lab",
        action="Continue",
        error="self-signed certificate in certificate chain",
        server="cucm.steven.lab",
        ip="10.48.36.215",
        depth=2,
    ),
}

#: Samples in a form that we write ourselves.
EMITTED = (
    "chain-refused",
    "connection-failed",
    "receive-request",
    "allowed",
    "send-request",
    "receive-response",
    "send-response",
    "debug-request",
    "error-response",
    "configuration-changed",
    "denied",
    "failed",
    "chain-openssl-3",
)


def test_every_sample_has_an_expectation() -> None:
    assert EXPECTED.keys() == SAMPLES.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_sample_is_read(name: str) -> None:
    assert parse_line(SAMPLES[name].text) == EXPECTED[name]


@pytest.mark.parametrize("name", EMITTED)
def test_sample_is_written_back_byte_for_byte(name: str) -> None:
    assert text_of(EXPECTED[name]) == SAMPLES[name].text


def test_name_line_is_written_as_seen() -> None:
    text = text_of(EXPECTED["name-refused"])
    assert text.endswith(f"]: {SAMPLES['name-refused'].text}")


def test_all_samples_together_are_read_as_one_log() -> None:
    lines = [line for sample in SAMPLES.values() for line in sample.text.splitlines(keepends=True)]
    assert list(parse_log(lines)) == [EXPECTED[name] for name in SAMPLES]


# ---- our own lines, with anything in their values

hosts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
values = st.text(max_size=30) | st.text(alphabet="\\\"'()= \n\r\t|:x0aé\u2028\ud800", max_size=20)
#: What comes off the wire is decoded as Latin-1.
wire = st.text(st.characters(max_codepoint=255), max_size=30)
names = st.from_regex(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", fullmatch=True)
numbers = st.integers(min_value=0, max_value=2**63 - 1)
threads = st.integers(min_value=0, max_value=999)
ports = st.integers(min_value=0, max_value=65535)
actions = st.sampled_from(["Terminate", "Continue"])


@st.composite
def heads(draw: st.DrawFn, *, utc: bool = True, process: bool = True) -> Head:
    epoch_ms = draw(st.integers(min_value=0, max_value=4_000_000_000_000))
    offset = timezone(timedelta(minutes=draw(st.integers(min_value=-14 * 60, max_value=14 * 60))))
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms)
    return Head(
        time=moment.astimezone(offset),
        host=draw(hosts),
        process="traffic_server" if process else "",
        pid=draw(st.integers(min_value=1, max_value=4_194_304)) if process else None,
        utc=moment if utc else None,
    )


@st.composite
def messages(draw: st.DrawFn) -> Message:
    fields = draw(st.lists(st.tuples(names, wire), max_size=8))
    return Message(
        start_line=draw(wire.filter(bool)),
        fields=tuple(
            (name, CONCEALED if name.lower().encode() in CONCEALED_FIELDS else value)
            for name, value in fields
        ),
    )


infos = st.builds(
    TransactionLine,
    head=heads(),
    verb=st.sampled_from(Verb),
    level=st.just("INFO"),
    txn_id=numbers,
    tracking_id=values,
    ip=values,
    port=ports,
    msg=values,
)
debugs = st.builds(
    TransactionLine,
    head=heads(),
    verb=st.sampled_from(Verb),
    level=st.just("DEBUG"),
    txn_id=numbers,
    tracking_id=values,
    ip=values,
    port=ports,
    message=messages(),
)
events = st.one_of(
    st.builds(
        RequestAllowed,
        head=heads(),
        reason=values,
        username=values,
        deployment=values,
        method=values,
        request=values,
        rule=values,
        match=values,
        kind=values,
    ),
    st.builds(
        RequestDenied,
        head=heads(),
        reason=values,
        username=values,
        deployment=values,
        method=values,
        request=values,
    ),
    st.builds(RequestFailed, head=heads(), reason=values, request=values, ip=values, port=ports),
    st.builds(
        HttpErrorResponse,
        head=heads(utc=False),
        status=st.integers(min_value=100, max_value=999),
        reason=values,
        ip=values,
        port=ports,
    ),
    st.builds(
        ConfigurationChanged,
        head=heads(process=False),
        node=values,
        process_id=values,
        detail=values,
    ),
)
thread_lines = st.one_of(
    st.builds(
        CoreVerificationFailed,
        head=heads(utc=False),
        thread=threads,
        name=values,
        action=actions,
        error=values,
        server=values,
        ip=values,
        depth=st.integers(min_value=0, max_value=100),
    ),
    st.builds(
        SniNotInCertificate,
        head=heads(utc=False),
        thread=threads,
        name=values,
        action=actions,
        server=values,
        ip=values,
    ),
    st.builds(
        SslConnectionFailed, head=heads(utc=False), thread=threads, name=values, error=values
    ),
)
ours = st.one_of(infos, debugs, events, thread_lines)


@given(record=ours)
@settings(deadline=None)
def test_what_is_written_is_read_back(record: LogRecord) -> None:
    assert parse_line(text_of(record)) == record


@given(records=st.lists(ours, max_size=6))
@settings(deadline=None)
def test_a_whole_log_is_read_back(records: list[LogRecord]) -> None:
    text = "".join(map(text_of, records))
    assert list(parse_log(text.splitlines(keepends=True))) == records
    assert list(parse_log(text.split("\n")[:-1])) == records
