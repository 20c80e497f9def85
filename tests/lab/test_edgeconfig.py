"""Segments and bodies of the edge configuration service."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from mralab.errors import RouteError
from mralab.lab.edgeconfig import (
    EdgeConfig,
    Segment,
    edge_config,
    edge_sso,
    encode_domain,
    read_basic,
    read_segment,
    services_asked,
)
from mralab.lab.edgesessions import AuthorisationLimit, Sessions

CONFIG = EdgeConfig(
    uds_servers=("cucm.steven.lab", "10.48.36.216"),
    tftp_servers=("cucm.steven.lab",),
    user_uds=("cucm.steven.lab",),
    edge="vcse.steven.lab",
    route_address="10.48.36.46",
)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = datetime(2022, 7, 11, 16, 55, 25, 910_000, UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def outline(element: ET.Element) -> list[object]:
    """Names and texts, nested, in order."""
    inside: list[object] = [outline(child) for child in element]
    return [element.tag, *inside] if inside else [element.tag, element.text or ""]


# -- segments


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        pytest.param(b"dm5ndHAubGFi", Segment("vngtp.lab", False), id="domain as documented"),
        pytest.param(b"ZXUuY2hlZ2cuY29t", Segment("eu.chegg.com", False), id="longer domain"),
        pytest.param(b"dGJ0cC5jb20=", Segment("tbtp.com", False), id="padded"),
        pytest.param(b"dGJ0cC5jb20%3D", Segment("tbtp.com", False), id="padding escaped"),
        pytest.param(b"U1RFVkVOLkxBQg", Segment("steven.lab", False), id="capitals"),
        pytest.param(
            b"c3RldmVuLmxhYi9odHRwcy8xMC40OC4zNi4yMTUvODQ0Mw",
            Segment("steven.lab", True),
            id="route of Cisco 218018",
        ),
    ],
)
def test_segments(segment: bytes, expected: Segment) -> None:
    assert read_segment(segment) == expected


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"ZeW50LXBhLmNvbQ", id="the misprint of the documented sample"),
        pytest.param(b"cucm.steven.lab", id="a name in clear"),
        pytest.param(b"!!!!", id="no base64"),
        pytest.param(b"A", id="a length that no base64 has"),
        pytest.param(b"====", id="padding alone"),
        pytest.param(b"L2h0dHBz", id="no domain before the slash"),
        pytest.param(b64encode("müller.lab".encode()), id="not ASCII"),
        pytest.param(b64encode(b"steven.lab\r\nX: y"), id="line ends"),
        pytest.param(b64encode(b"steven lab"), id="a blank"),
        pytest.param(b"QQ" * 2000, id="far too long"),
    ],
)
def test_refused_segments(segment: bytes) -> None:
    with pytest.raises(RouteError):
        read_segment(segment)


@pytest.mark.parametrize("domain", ["steven.lab", "eu.chegg.com", "a.b"])
def test_encoding_a_domain(domain: str) -> None:
    encoded = encode_domain(domain)
    assert "=" not in encoded
    assert read_segment(encoded.encode()) == Segment(domain, False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ("_cisco-phone-tftp", "_cuplogin", "_cisco-uds")),
        ("service_name=_cisco-uds&service_name=_cuplogin", ("_cisco-uds", "_cuplogin")),
        ("service_name=_cisco-uds&service_name=_cisco-uds", ("_cisco-uds",)),
        ("other=1", ("_cisco-phone-tftp", "_cuplogin", "_cisco-uds")),
        ("service_name=%5Fcuplogin", ("_cuplogin",)),
    ],
    ids=["none named", "as Jabber asks", "twice the same", "another parameter", "escaped"],
)
def test_services_asked(query: str, expected: tuple[str, ...]) -> None:
    assert services_asked(query) == expected


def test_a_flood_of_services_is_cut() -> None:
    assert len(services_asked("&".join(f"service_name=s{n}" for n in range(1000)))) == 16


# -- the configuration


def test_the_documented_structure() -> None:
    body = edge_config(CONFIG)
    assert body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n")
    root = ET.fromstring(body)  # noqa: S314 - our own
    assert root.attrib == {"version": "1.0"}
    uds = [
        ["server", ["priority", "1"], ["weight", "1"], ["port", "8443"], ["address", name]]
        for name in CONFIG.uds_servers
    ]

    def server(address: str, port: str) -> list[object]:
        return ["server", ["address", address], ["tlsPort", port]]

    assert outline(root) == [
        "getEdgeConfigResponse",
        [
            "serviceConfig",
            ["service", ["name", "_cisco-phone-tftp"], ["error", "NameError"]],
            ["service", ["name", "_cuplogin"], ["error", "NameError"]],
            ["service", ["name", "_cisco-uds"], *uds],
            ["service", ["name", "tftpServer"], ["address", "cucm.steven.lab"]],
        ],
        [
            "edgeConfig",
            ["sipEdgeServer", server("vcse.steven.lab", "5061")],
            [
                "sipRequest",
                ["route", "<sip:10.48.36.46:5061;transport=tls;zone-id=3;directed;lr>"],
            ],
            ["xmppEdgeServer", server("vcse.steven.lab", "5222")],
            ["httpEdgeServer", server("vcse.steven.lab", "8443")],
            ["turnEdgeServer", ""],
            ["userUdsServer", server("cucm.steven.lab", "8443")],
        ],
    ]


def test_without_servers_the_service_is_a_name_error() -> None:
    root = ET.fromstring(edge_config(EdgeConfig(uds_servers=())))  # noqa: S314 - our own
    errors = [item.findtext("error") for item in root.iterfind("serviceConfig/service")]
    assert errors == ["NameError", "NameError", "NameError", None]
    assert root.find("edgeConfig/userUdsServer/server") is None
    assert root.find("edgeConfig/sipEdgeServer/server") is None


def test_names_are_escaped() -> None:
    body = edge_config(EdgeConfig(services=("<x>&",), uds_servers=()))
    assert ET.fromstring(body).findtext("serviceConfig/service/name") == "<x>&"  # noqa: S314 - our own


def test_an_ipv6_route_is_bracketed() -> None:
    body = edge_config(EdgeConfig(uds_servers=(), route_address="2001:db8::1"))
    assert b"&lt;sip:[2001:db8::1]:5061;" in body


def test_sso_offers_neither_single_sign_on_nor_tokens() -> None:
    root = ET.fromstring(edge_sso())  # noqa: S314 - our own
    assert [root.tag, *(item.get("enabled") for item in root.iterfind("Response/*/*"))] == [
        "SSOResult",
        "false",
        "false",
    ]


# -- credentials


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Basic ZW11c2s6cm9ja2V0", ("emusk", "rocket")),
        ("basic  ZW11c2s6cm9ja2V0 ", ("emusk", "rocket")),
        ("Basic ZW11c2s6YTpi", ("emusk", "a:b")),
        ("Basic ZW11c2s6", ("emusk", "")),
        (None, None),
        ("", None),
        ("Basic", None),
        ("Basic !!!", None),
        ("Basic ZW11c2s", None),
        ("Basic OnJvY2tldA==", None),
        ("Basic /w==", None),
        ("Basic ZW0KdXNrOng=", None),
        ("Bearer ZW11c2s6cm9ja2V0", None),
    ],
    ids=[
        "sound",
        "odd case and blanks",
        "colon in the password",
        "no password",
        "no field",
        "empty field",
        "nothing behind the scheme",
        "no base64",
        "no colon",
        "no user",
        "no UTF-8",
        "line end in the user",
        "another scheme",
    ],
)
def test_credentials(field: str | None, expected: tuple[str, str] | None) -> None:
    assert read_basic(field) == expected


# -- sessions


def test_a_session_lasts_as_long_as_it_was_given() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    session = sessions.open("emusk", 28_800)
    assert len(session.token) == 64
    clock.pass_by(28_799.9)
    assert sessions.find(session.token) == session
    clock.pass_by(0.1)
    assert sessions.find(session.token) is None
    assert len(sessions) == 0


def test_no_two_sessions_share_a_token() -> None:
    sessions = Sessions(Clock())
    assert len({sessions.open("emusk", 60).token for _ in range(100)}) == 100


def test_an_unknown_token_is_no_session() -> None:
    sessions = Sessions(Clock())
    sessions.open("emusk", 60)
    assert sessions.find("") is None
    assert sessions.find("0" * 64) is None


def test_expired_sessions_go_when_one_is_made() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    for _ in range(5):
        sessions.open("emusk", 60)
    clock.pass_by(60)
    sessions.open("emusk", 60)
    assert len(sessions) == 1


def test_the_oldest_session_makes_room() -> None:
    sessions = Sessions(Clock(), limit=3)
    first, *others = (sessions.open(f"user{n}", 60) for n in range(4))
    assert len(sessions) == 3
    assert sessions.find(first.token) is None
    assert all(sessions.find(item.token) for item in others)


def test_authorisations_over_a_sliding_period() -> None:
    clock = Clock()
    limit = AuthorisationLimit(clock)

    def take(user: str = "emusk") -> float:
        return limit.take(user, count=2, period_s=60)

    assert take() == 0
    clock.pass_by(20)
    assert take() == 0
    assert take() == pytest.approx(40)
    assert take("jdoe") == 0  # users do not share it
    clock.pass_by(39)
    assert take() == pytest.approx(1)
    clock.pass_by(1)
    assert take() == 0  # refused ones did not count
    assert take() == pytest.approx(20)
    limit.clear()
    assert take() == 0


def test_no_limit() -> None:
    limit = AuthorisationLimit(Clock())
    assert {limit.take("emusk", count=0, period_s=60) for _ in range(100)} == {0.0}
    assert len(limit) == 0


def test_counted_users_are_bounded() -> None:
    limit = AuthorisationLimit(Clock(), limit=10)
    for number in range(100):
        limit.take(f"user{number}", count=1, period_s=60)
    assert len(limit) == 10
    assert limit.take("user99", count=1, period_s=60) > 0
