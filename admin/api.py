"""What the admin API does: status, settings with their sources, xConfiguration, trusted CA list.

Handlers read the proxy's present state each time and keep none of their own. Changes run one after
another, each as one :meth:`~mralab.proxy.workers.RunningProxy.apply`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import web

import mralab
from mralab.admin.metrics import CONTENT_TYPE, render_metrics
from mralab.admin.trust import (
    append_target,
    describe_append,
    describe_remove,
    describe_store,
    remove_from_list,
)
from mralab.config.schema import SETTINGS
from mralab.config.xconfiguration import execute, parse_command
from mralab.errors import ConfigError
from mralab.truststore.store import append_to_file

if TYPE_CHECKING:
    from mralab.config.load import SettingsSource
    from mralab.config.settings import Settings
    from mralab.proxy.workers import RunningProxy

#: Source of a value that was changed in the running proxy only.
LIVE = "xConfiguration, until reload or restart"


@dataclass(slots=True)
class AdminState:
    """What all handlers share."""

    proxy: RunningProxy
    source: SettingsSource
    token: str
    admin_host: str  #: name or address the listener was told to bind
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)  #: held while settings change


STATE = web.AppKey("state", AdminState)


async def health(_request: web.Request) -> web.Response:
    """Tell that the process answers; needs no token."""
    return web.Response(text="ok\n")


async def metrics(request: web.Request) -> web.Response:
    """Return the counters as Prometheus text."""
    proxy = request.app[STATE].proxy
    info = {
        "version": mralab.__version__,
        "release": proxy.settings.release.value,
        "verify_origin_server": proxy.settings.effective_verify_mode.value,
    }
    body = render_metrics(proxy.status(), info).encode()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


async def status(request: web.Request) -> web.Response:
    """Return what runs, how it is set and what it has counted."""
    state = request.app[STATE]
    return web.json_response({"version": mralab.__version__, **state.proxy.status()})


async def settings(request: web.Request) -> web.Response:
    """Return every setting in force and where it came from."""
    state = request.app[STATE]
    return web.json_response({"settings": _settings_now(state.proxy.settings, state.source)})


async def xconfiguration(request: web.Request) -> web.Response:
    """Carry out ``{"command": "xConfiguration ..."}``; a change is in force when this answers."""
    state = request.app[STATE]
    try:
        body = await request.json()
        command = body["command"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ConfigError("body is not a command", hint='send {"command": "..."}') from exc
    if not isinstance(command, str):
        raise ConfigError("command is not text", hint='send {"command": "..."}')
    async with state.changing:
        before = state.proxy.settings
        answer = execute(parse_command(command), before)
        changed = answer.settings != before
        if changed:
            await state.proxy.apply(answer.settings)
    return web.json_response({"lines": answer.lines, "changed": changed})


async def trust_list(request: web.Request) -> web.Response:
    """Return the trusted CA list in force."""
    return web.json_response(describe_store(request.app[STATE].proxy.trust))


async def trust_append(request: web.Request) -> web.Response:
    """Append the body's certificates (PEM, DER, PKCS#7); ``?keep_same_cn=1`` also twins."""
    state = request.app[STATE]
    data = await request.read()
    keep_same_cn = request.query.get("keep_same_cn") == "1"
    async with state.changing:
        now = state.proxy.settings
        report = await asyncio.to_thread(
            append_to_file,
            append_target(now.trusted_ca),
            data,
            keep_same_cn=keep_same_cn,
            now=datetime.now(UTC),
        )
        await state.proxy.apply(now)
    return web.json_response(describe_append(report))


async def trust_remove(request: web.Request) -> web.Response:
    """Remove the certificate that the path's last part selects."""
    state = request.app[STATE]
    selector = request.match_info["selector"]
    async with state.changing:
        report = await asyncio.to_thread(remove_from_list, state.proxy.trust, selector)
        await state.proxy.apply(state.proxy.settings)
    return web.json_response(describe_remove(report))


API = (
    web.get("/metrics", metrics),
    web.get("/api/v1/status", status),
    web.get("/api/v1/settings", settings),
    web.post("/api/v1/xconfiguration", xconfiguration),
    web.get("/api/v1/trust", trust_list),
    web.post("/api/v1/trust", trust_append),
    web.delete("/api/v1/trust/{selector}", trust_remove),
)


def _settings_now(now: Settings, source: SettingsSource) -> list[dict[str, object]]:
    loaded = source.loaded
    return [
        {
            "key": setting.key,
            "value": setting.plain(now),
            "source": loaded.sources[setting.key]
            if setting.of(now) == setting.of(loaded.settings)
            else LIVE,
        }
        for setting in SETTINGS
    ]
