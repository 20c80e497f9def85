"""An MRA login as a client behind Expressway-E makes it, through a running traffic server.

- Each request goes to ``http://<proxy>/<base64 of domain/https/host/port>/...`` in absolute form,
  as Expressway-E sends it on.
- Where the next step goes the answer before decides: home cluster, then its first server. A client
  stops at the first red step; this one goes on as far as it knows where to, so that one run shows
  all that is wrong.
- Redirects are not followed: the traffic server relays them.
- The proxy not being there is an error; everything else is a step's result.

Source: order of UDS requests and names of TFTP files in Cisco 218018, 211304 and 225746 (seen); the
order of the files among themselves is inferred.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from mralab.errors import LabError
from mralab.lab import udsread
from mralab.lab.loginresult import LoginResult, LoginStep, Purpose
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from mralab.config.settings import Endpoint

_Value = TypeVar("_Value")

#: How long one answer may take: longer than the proxy itself waits for a node. Lab default.
ANSWER_TIMEOUT_S: Final = 90.0
_KNOCK_EVERY_S: Final = 0.2
_KNOCK_TIMEOUT_S: Final = 5.0
_FIELDS: Final = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "mralab-login"}
_LAB_REASON: Final = "X-Lab-Reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who logs in."""

    user: str
    domain: str  #: the MRA domain, first part of every route
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePorts:
    """Where the services of every node are. Source: Cisco 218018 (seen)."""

    uds: int = 8443
    tftp: int = 6972


async def wait_for_proxy(proxy: Endpoint, wait_s: float) -> None:
    """Return once something listens there.

    Args:
        proxy: where to knock.
        wait_s: how long to go on knocking; 0 is once.

    Raises:
        LabError: nothing listens.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        try:
            async with asyncio.timeout(_KNOCK_TIMEOUT_S):
                _, writer = await asyncio.open_connection(proxy.host, proxy.port)
        except (OSError, UnicodeError) as exc:  # TimeoutError is one; UnicodeError: an odd name
            if loop.time() >= deadline:
                raise _not_there(proxy, exc) from exc
            await asyncio.sleep(_KNOCK_EVERY_S)
        else:
            writer.close()
            return


async def log_in(
    account: Account,
    node: str,
    proxy: Endpoint,
    *,
    show: Callable[[LoginStep], None] = lambda _step: None,
    ports: NodePorts = NodePorts(),
) -> LoginResult:
    """Walk the sequence once.

    Args:
        account: who logs in.
        node: the CUCM to start at: name or IP literal, IPv6 without brackets.
        proxy: where the traffic server listens.
        show: gets each step as soon as it is done.
        ports: where nodes listen.

    Returns:
        The steps in order, those included that could not be made.

    Raises:
        LabError: the proxy cannot be reached, or no longer.
        RouteError: ``node`` or the domain cannot stand in a route.
    """
    encode_segment(account.domain, "https", node, ports.uds)
    credentials = b64encode(f"{account.user}:{account.password}".encode()).decode("ascii")
    async with aiohttp.ClientSession(
        headers={**_FIELDS, "Authorization": f"Basic {credentials}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
        auto_decompress=False,
    ) as client:
        walk = _Walk(client, account, proxy, ports, show)
        await walk.all_from(node)
    return LoginResult(tuple(walk.steps))


class _Walk:
    """One walk; collects its steps."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        account: Account,
        proxy: Endpoint,
        ports: NodePorts,
        show: Callable[[LoginStep], None],
    ) -> None:
        self._client = client
        self._account = account
        self._proxy = proxy
        self._ports = ports
        self._show = show
        self.steps: list[LoginStep] = []

    async def all_from(self, node: str) -> None:
        user = quote(self._account.user, safe="")
        home = await self._uds(
            "the user's home cluster",
            node,
            f"/cucm-uds/clusterUser?username={user}",
            udsread.home_cluster,
        )
        server = await self._uds(
            "the cluster's servers", home, "/cucm-uds/servers", udsread.first_server
        )
        await self._uds("the user", server, f"/cucm-uds/user/{user}", udsread.read_xml)
        device = await self._uds(
            "the user's devices",
            server,
            f"/cucm-uds/user/{user}/devices?max=100",
            udsread.soft_phone,
        )
        await self._tftp("the Jabber configuration", server, "/jabber-config.xml", optional=True)
        await self._tftp("the service profile", server, "/SPDefault.cnf.xml")
        name = quote(device or f"CSF{self._account.user}", safe="")
        await self._tftp("the phone configuration", server, f"/{name}.cnf.xml")

    async def _uds(
        self, title: str, host: str | None, path: str, read: Callable[[bytes], _Value]
    ) -> _Value | None:
        step = LoginStep(title=title, purpose=Purpose.LOGIN, path=path)
        return await self._take(step, host, self._ports.uds, read)

    async def _tftp(
        self, title: str, host: str | None, path: str, *, optional: bool = False
    ) -> Element | None:
        step = LoginStep(title=title, purpose=Purpose.PHONE, path=path)
        return await self._take(step, host, self._ports.tftp, udsread.read_xml, optional=optional)

    async def _take(
        self,
        step: LoginStep,
        host: str | None,
        port: int,
        read: Callable[[bytes], _Value],
        *,
        optional: bool = False,
    ) -> _Value | None:
        """Take one step.

        Args:
            step: its title, purpose and path.
            host: the node to ask; None if no answer has named it.
            port: its port.
            read: gets what the next steps need out of the body.
            optional: whether the node may well not have it (404): clients then use defaults.

        Returns:
            What was read; None if the step is red, or optional and not there.
        """
        value = None
        if host is None:
            step = replace(step, fault="not asked: no answer has named its server")
        else:
            step, body = await self._ask(step, host, port)
            if optional and step.status == HTTPStatus.NOT_FOUND:
                step = replace(step, fault="")
            elif not step.fault:
                try:
                    value = read(body)
                except LabError as exc:
                    step = replace(step, fault=str(exc), hint=exc.hint)
        self.steps.append(step)
        self._show(step)
        return value

    async def _ask(self, step: LoginStep, host: str, port: int) -> tuple[LoginStep, bytes]:
        """Ask, and return the step with what came back, and the body."""
        segment = encode_segment(self._account.domain, "https", host, port)
        written = f"[{host}]" if ":" in host else host
        step = replace(step, segment=segment, url=f"https://{written}:{port}{step.path}")
        proxy = f"http://{self._proxy}"
        began = perf_counter()
        body = b""
        try:
            async with self._client.get(
                URL(f"{proxy}/{segment}{step.path}", encoded=True),
                proxy=proxy,  # makes the request line an absolute form
                allow_redirects=False,
            ) as response:
                step = replace(
                    step,
                    status=response.status,
                    phrase=response.reason or "",
                    lab_reason=response.headers.get(_LAB_REASON, ""),
                )
                body = await _bounded(response.content)
        except aiohttp.ClientConnectorError as exc:
            raise _not_there(self._proxy, exc.os_error) from exc
        except TimeoutError:
            step = replace(step, fault=f"no complete answer in {ANSWER_TIMEOUT_S:.0f} s")
        except aiohttp.ClientError as exc:
            step = replace(step, fault=f"no complete HTTP answer: {exc}")
        step = replace(step, seconds=perf_counter() - began)
        if not step.fault and step.status != HTTPStatus.OK:
            step = replace(step, fault=f"answered {step.status} {step.phrase}".rstrip())
        return step, body


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    """Read a body, but not much more than is taken."""
    body = bytearray()
    while len(body) <= udsread.MAX_ANSWER_BYTES and (chunk := await stream.readany()):
        body += chunk
    return bytes(body)


def _not_there(proxy: Endpoint, exc: OSError | UnicodeError) -> LabError:
    why = str(exc) or "no answer in time"
    if isinstance(exc, OSError) and exc.errno is not None and exc.errno > 0:
        # asyncio's own text repeats the address in Python's form.
        why = os.strerror(exc.errno)
    return LabError(
        f"no proxy at {proxy}: {why}", hint="start it with `mralab serve`, or wait with --wait"
    )
