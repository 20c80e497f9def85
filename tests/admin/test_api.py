"""What the admin API tells and changes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mralab import __version__
from mralab.config.releases import VerifyMode
from mralab.lab.pki import CertificateFields

if TYPE_CHECKING:
    from pathlib import Path

    from mralab.lab.pki import Credential

    from .conftest import Admin


async def command(admin: Admin, text: object) -> tuple[int, dict[str, object]]:
    return await admin.ask("POST", "/xconfiguration", json={"command": text})


def subjects(answer: dict[str, object]) -> list[str]:
    certificates = answer["certificates"]
    assert isinstance(certificates, list)
    return [entry["subject"] for entry in certificates]


async def test_status_is_the_proxys(admin: Admin) -> None:
    status, answer = await admin.ask("GET", "/status")
    assert status == 200
    assert answer == {"version": __version__, **admin.proxy.status()}


async def test_metrics(admin: Admin) -> None:
    url = f"http://{admin.run.admin}/metrics"
    async with admin.session.get(url, headers=admin.authorization) as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = (await response.text()).splitlines()
    assert 'mralab_answers_total{kind="200"} 3' in lines
    assert (
        f'mralab_info{{version="{__version__}",release="X14.2",verify_origin_server="On"}} 1'
        in lines
    )


async def settings_of(admin: Admin) -> dict[str, tuple[object, str]]:
    _, answer = await admin.ask("GET", "/settings")
    rows = answer["settings"]
    assert isinstance(rows, list)
    return {row["key"]: (row["value"], row["source"]) for row in rows}


async def test_settings_tell_where_they_come_from(admin: Admin) -> None:
    rows = await settings_of(admin)
    assert rows["admin"] == ("127.0.0.1:0", "flag --admin")
    assert rows["verify_origin_server"] == ("On", "release profile X14.2")
    assert rows["workers"] == (1, "lab default")
    assert rows["hosts"] == (None, "lab default")


async def test_verify_origin_server_is_switched_live(admin: Admin) -> None:
    status, answer = await command(admin, "xConfiguration EdgeConfigServer VerifyOriginServer: Off")
    assert (status, answer) == (200, {"lines": ["OK"], "changed": True})
    assert admin.proxy.settings.verify_origin_server is VerifyMode.OFF
    rows = await settings_of(admin)
    assert rows["verify_origin_server"] == ("Off", "xConfiguration, until reload or restart")


async def test_reading_applies_nothing(admin: Admin) -> None:
    _, answer = await command(admin, "EdgeConfigServer VerifyOriginServer")
    assert answer == {
        "lines": ['*c xConfiguration EdgeConfigServer VerifyOriginServer: "On"'],
        "changed": False,
    }
    assert admin.proxy.applied == 0


async def test_changes_at_the_same_time_all_stay(admin: Admin) -> None:
    texts = [
        "EdgeConfigServer VerifyOriginServer: Permissive",
        "Ciphers ReverseProxyTLSCiphers Value: ALL",
        "Logger Developer developer.trafficserver.ssl Level: DEBUG",
    ]
    answers = await asyncio.gather(*(command(admin, text) for text in texts))
    assert [status for status, _ in answers] == [200, 200, 200]
    settings = admin.proxy.settings
    assert settings.verify_origin_server is VerifyMode.PERMISSIVE
    assert settings.ciphers == "ALL"
    assert settings.log.debug


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"{", "body is not a command", id="not JSON"),
        pytest.param(b"[]", "body is not a command", id="not a table"),
        pytest.param(b"{}", "body is not a command", id="no command"),
        pytest.param(b"\xff", "body is not a command", id="not text"),
        pytest.param(b"[" * 100_000, "body is not a command", id="nested without end"),
        pytest.param(b'{"command": 1}', "command is not text", id="a number"),
        pytest.param(b'{"command": "foo"}', "command not recognized", id="no such setting"),
    ],
)
async def test_wrong_commands(admin: Admin, body: bytes, error: str) -> None:
    status, answer = await admin.ask("POST", "/xconfiguration", data=body)
    assert status == 400
    assert str(answer["error"]).startswith(error)
    assert answer["hint"]


async def test_what_cannot_be_put_in_force_changes_nothing(admin: Admin) -> None:
    before = admin.proxy.settings
    status, answer = await command(admin, "Ciphers ReverseProxyTLSCiphers Value: NOSUCH")
    assert (status, answer) == (400, {"error": "no cipher matches", "hint": "use others"})
    assert admin.proxy.settings is before


async def test_trusted_ca_list_is_read(admin: Admin, first_ca: Credential) -> None:
    _, answer = await admin.ask("GET", "/trust")
    assert subjects(answer) == ["CN=First CA"]
    assert answer["policy"] == "first-subject"
    certificates = answer["certificates"]
    assert isinstance(certificates, list)
    assert certificates[0]["pem"].encode() == first_ca.pem
    assert certificates[0]["place"] == 1
    assert certificates[0]["found"] is True


async def test_append_and_remove_are_in_force_at_once(
    admin: Admin, trusted: Path, first_ca: Credential, second_ca: Credential
) -> None:
    status, answer = await admin.ask("POST", "/trust", data=second_ca.der)
    assert status == 200
    assert answer["added"] == ["CN=Second CA"]
    assert answer["total"] == 2
    assert len(admin.proxy.trust.certificates) == 2
    status, answer = await admin.ask("DELETE", "/trust/first%20ca")
    assert (status, answer["removed"]) == (200, "CN=First CA")
    assert subjects((await admin.ask("GET", "/trust"))[1]) == ["CN=Second CA"]
    assert first_ca.pem not in await asyncio.to_thread(trusted.read_bytes)


async def test_same_cn_is_refused_unless_wanted(admin: Admin, first_ca: Credential) -> None:
    twin = first_ca.issue(CertificateFields(ca=True, cn="First CA"), key=first_ca.key)
    status, answer = await admin.ask("POST", "/trust", data=twin.pem)
    assert status == 400
    assert "CSCwa12905" in str(answer["hint"])
    status, answer = await admin.ask("POST", "/trust?keep_same_cn=1", data=twin.pem)
    assert status == 200
    _, answer = await admin.ask("GET", "/trust")
    certificates = answer["certificates"]
    assert isinstance(certificates, list)
    assert [entry["found"] for entry in certificates] == [True, False]


@pytest.mark.parametrize(
    ("method", "path", "data", "error"),
    [
        pytest.param("POST", "/trust", b"rubbish", "the certificates to append", id="rubbish"),
        pytest.param("POST", "/trust", b"", "nothing to append", id="nothing"),
        pytest.param("DELETE", "/trust/nobody", None, "the trusted CA list lists no", id="nobody"),
    ],
)
async def test_wrong_trust_requests(
    admin: Admin, method: str, path: str, data: bytes | None, error: str
) -> None:
    status, answer = await admin.ask(method, path, data=data)
    assert status == 400
    assert str(answer["error"]).startswith(error)
