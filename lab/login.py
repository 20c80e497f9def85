"""An MRA login as a client makes it: the walk itself, and the direct way to a traffic server.

- Where the next step goes the answer before decides: home cluster, then its first server. A client
  stops at the first red step; this one goes on as far as it knows where to, so that one run shows
  all that is wrong.
- Directly, each request goes to ``http://<proxy>/<base64 of domain/https/host/port>/...`` in
  absolute form, as Expressway-E sends it on. The way through Expressway-E is in
  :mod:`mralab.lab.edgelogin`.
- Redirects are not followed: the traffic server relays them.
- The proxy or Expressway-E not being there is an error; everything else is a step's result.

Source: order of UDS requests and names of TFTP files in Cisco 218018, 211304 and 225746 (seen); the
order of the files among themselves is inferred.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote
from uuid import uuid4

import aiohttp
from yarl import URL

from mralab.errors import LabError
from mralab.lab import loginread, udsread
from mralab.lab.hosts import bracketed
from mralab.lab.loginresult import LoginResult, LoginStep, Purpose
from mralab.lab.udsread import Place
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from xml.etree.ElementTree import Element

    from mralab.config.settings import Endpoint

_Value = TypeVar("_Value")

#: How long one answer may take: longer than the proxy itself waits for a node. Lab default.
ANSWER_TIMEOUT_S: Final = 90.0
#: What a step says that no answer has led to.
NOT_NAMED: Final = "not asked: no answer has named its server"
_KNOCK_EVERY_S: Final = 0.2
_KNOCK_TIMEOUT_S: Final = 5.0
_FIELDS: Final = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "mralab-login"}
_LAB_REASON: Final = "X-Lab-Reason"
_TRACKING_ID: Final = "TrackingID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who logs in."""

    user: str
    domain: str  #: the MRA domain, first part of every route
    password: str = field(repr=False)

    @property
    def authorization(self) -> str:
        """The user's Basic credentials."""
        credentials = f"{self.user}:{self.password}".encode()
        return f"Basic {b64encode(credentials).decode('ascii')}"


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
    """Walk the part of the sequence that a traffic server relays, once.

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
    async with new_client() as client:
        walk = _DirectWalk(account, _ThroughProxy(client, proxy), ports, show)
        await walk.all_from(node)
    return LoginResult(tuple(walk.steps))


def new_client() -> aiohttp.ClientSession:
    """Return a client that adds nothing of its own and remembers nothing."""
    return aiohttp.ClientSession(
        headers=_FIELDS,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
        auto_decompress=False,
    )


class Way(Protocol):
    """How requests of a walk get to where they are answered."""

    def send(
        self, step: LoginStep, fields: Mapping[str, str], data: bytes | None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Begin a step's request: its method, segment and path, with these fields."""
        ...

    def not_there(self, exc: OSError) -> LabError:
        """Return the error for the other end not being there."""
        ...


class Walk:
    """One login; collects its steps.

    Attributes:
        account: who logs in.
        steps: those taken, in order.
    """

    def __init__(
        self,
        account: Account,
        way: Way,
        *,
        show: Callable[[LoginStep], None],
        look: Callable[[LoginStep], LoginStep] = lambda step: step,
    ) -> None:
        """Take no step yet.

        Args:
            account: who logs in.
            way: how requests go out.
            show: gets each step when it is done.
            look: adds to a step, when it is done, what the lab has seen of it.
        """
        self.account = account
        self.steps: list[LoginStep] = []
        self._way = way
        self._show = show
        self._look = look

    @property
    def last(self) -> int:
        """Number of the last step taken, from 0."""
        return len(self.steps) - 1

    async def take(
        self,
        step: LoginStep,
        place: Place | None,
        read: Callable[[bytes], _Value],
        *,
        because: int | None = None,
        optional: bool = False,
        data: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        fault_in: Callable[[bytes], str] = lambda _body: "",
    ) -> _Value | None:
        """Take one step.

        Args:
            step: its title, purpose and method.
            place: what to ask; None if no answer has named it.
            read: gets what the next steps need out of the body.
            because: number of the step that would have named the place.
            optional: whether the node may well not have it (404): clients then use defaults.
            data: the request's body.
            fields: more of its fields.
            fault_in: gets out of an error's body what it says.

        Returns:
            What was read; None if the step is red, or optional and not there.
        """
        value = None
        if place is None:
            step = replace(step, fault=NOT_NAMED, because=because)
        else:
            step, body, _ = await self.ask(
                self._addressed(step, place), data=data, fields=fields, fault_in=fault_in
            )
            if optional and step.status == HTTPStatus.NOT_FOUND:
                step = replace(step, fault="", hint="")
            elif not step.fault:
                step, value = read_into(step, read, body)
        self.done(step)
        return value

    def done(self, step: LoginStep) -> None:
        """Keep a step and show it."""
        step = self._look(step)
        self.steps.append(step)
        self._show(step)

    async def ask(
        self,
        step: LoginStep,
        *,
        data: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        fault_in: Callable[[bytes], str] = lambda _body: "",
        anonymous: bool = False,
    ) -> tuple[LoginStep, bytes, str]:
        """Ask, and return the step with what came back, the body, and the cookie that was set.

        Raises:
            LabError: nobody is there to ask.
        """
        step = replace(step, tracking_id=str(uuid4()))
        credentials = {} if anonymous else self._credentials()
        sent = {_TRACKING_ID: step.tracking_id, **credentials, **(fields or {})}
        began = perf_counter()
        body, cookie = b"", ""
        try:
            async with self._way.send(step, sent, data) as response:
                step = replace(
                    step,
                    status=response.status,
                    phrase=response.reason or "",
                    lab_reason=response.headers.get(_LAB_REASON, ""),
                )
                cookie = response.headers.get("Set-Cookie", "")
                body = await _bounded(response.content)
        except aiohttp.ClientSSLError as exc:
            fault = f"the client refuses Expressway-E: {_tls_text(exc)}"
            step = replace(step, fault=fault, hint=_front_hint(exc))
        except aiohttp.ClientConnectorError as exc:
            raise self._way.not_there(exc.os_error) from exc
        except TimeoutError:
            step = replace(step, fault=f"no complete answer in {ANSWER_TIMEOUT_S:.0f} s")
        except aiohttp.ClientError as exc:
            step = replace(step, fault=f"no complete HTTP answer: {exc}")
        step = replace(step, seconds=perf_counter() - began)
        if not step.fault and step.status != HTTPStatus.OK:
            said = fault_in(body)
            fault = f"answered {step.status} {step.phrase}".rstrip()
            hint = f"the node says: {said}" if said else ""
            step = replace(step, fault=f"{fault}: {said}" if said else fault, hint=hint)
        return step, body, cookie

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self.account.authorization}

    def _addressed(self, step: LoginStep, place: Place) -> LoginStep:
        segment = encode_segment(self.account.domain, place.scheme, place.host, place.port)
        return replace(
            step,
            segment=segment,
            path=place.path,
            url=f"{place.scheme}://{bracketed(place.host)}:{place.port}{place.path}",
        )


class _ThroughProxy:
    """Straight to a traffic server, in absolute form."""

    def __init__(self, client: aiohttp.ClientSession, proxy: Endpoint) -> None:
        self._client = client
        self._proxy = proxy

    def send(
        self, step: LoginStep, fields: Mapping[str, str], data: bytes | None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        proxy = f"http://{self._proxy}"
        return self._client.request(
            step.method,
            URL(f"{proxy}/{step.segment}{step.path}", encoded=True),
            proxy=proxy,  # makes the request line an absolute form
            headers=fields,
            data=data,
            allow_redirects=False,
        )

    def not_there(self, exc: OSError) -> LabError:
        return _not_there(self._proxy, exc)


class _DirectWalk(Walk):
    """What goes through a traffic server alone: UDS and TFTP."""

    def __init__(
        self,
        account: Account,
        way: Way,
        ports: NodePorts,
        show: Callable[[LoginStep], None],
    ) -> None:
        super().__init__(account, way, show=show)
        self._ports = ports

    async def all_from(self, node: str) -> None:
        own = self.account.user
        user = quote(own, safe="")
        home = await self._uds(
            "the user's home cluster",
            node,
            f"/cucm-uds/clusterUser?username={user}",
            partial(loginread.own_home_cluster, user=own),
        )
        at_home = self.last
        servers = await self._uds(
            "the cluster's servers", home, "/cucm-uds/servers", udsread.server_hosts, at_home
        )
        server = servers[0] if servers else None
        at = self.last if home else at_home
        read_user = partial(loginread.own_user, user=own)
        await self._uds("the user", server, f"/cucm-uds/user/{user}", read_user, at)
        device = await self._uds(
            "the user's devices",
            server,
            f"/cucm-uds/user/{user}/devices?max=100",
            partial(loginread.own_soft_phone, user=own),
            at,
        )
        await self._tftp(
            "the Jabber configuration", server, "/jabber-config.xml", at, optional=True
        )
        await self._tftp("the service profile", server, "/SPDefault.cnf.xml", at)
        name = quote(device or f"CSF{own}", safe="")
        await self._tftp("the phone configuration", server, f"/{name}.cnf.xml", at)

    async def _uds(
        self,
        title: str,
        host: str | None,
        path: str,
        read: Callable[[bytes], _Value],
        because: int | None = None,
    ) -> _Value | None:
        step = LoginStep(title=title, purpose=Purpose.LOGIN, path=path)
        place = Place("https", host, self._ports.uds, path) if host else None
        return await self.take(step, place, read, because=because)

    async def _tftp(
        self, title: str, host: str | None, path: str, because: int, *, optional: bool = False
    ) -> Element | None:
        step = LoginStep(title=title, purpose=Purpose.PHONE, path=path)
        place = Place("https", host, self._ports.tftp, path) if host else None
        return await self.take(step, place, udsread.read_xml, because=because, optional=optional)


def read_into(
    step: LoginStep, read: Callable[[bytes], _Value], body: bytes
) -> tuple[LoginStep, _Value | None]:
    """Read the body of a green step; what is wrong with it makes the step red."""
    if step.fault:
        return step, None
    try:
        return step, read(body)
    except LabError as exc:
        crossed = isinstance(exc, loginread.CrossedError)
        return replace(step, fault=str(exc), hint=exc.hint, crossed=crossed), None


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    """Read a body, but not much more than is taken."""
    body = bytearray()
    while len(body) <= udsread.MAX_ANSWER_BYTES and (chunk := await stream.readany()):
        body += chunk
    return bytes(body)


def _tls_text(exc: aiohttp.ClientSSLError) -> str:
    """Return what OpenSSL says, without its own numbers."""
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        error = exc.certificate_error
        return getattr(error, "verify_message", "") or str(error)
    return getattr(exc.os_error, "reason", "") or str(exc.os_error)


def error_text(exc: OSError | UnicodeError) -> str:
    """Return why something is not there, without the address in Python's form."""
    if isinstance(exc, OSError) and exc.errno is not None and exc.errno > 0:
        return os.strerror(exc.errno)
    return str(exc) or "no answer in time"


_NAME_CODES: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
_DATE_CODES: Final = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED


def _front_hint(exc: aiohttp.ClientSSLError) -> str:
    """Return what to do about a certificate of Expressway-E that the client refuses."""
    error = getattr(exc, "certificate_error", None)
    code = getattr(error, "verify_code", 0)
    if code in _NAME_CODES:
        return (
            "clients give up here: have Expressway-E's certificate signed again, for the name that "
            "DNS has for it; if --edge is an address, say that name with --edge-name"
        )
    if code in _DATE_CODES:
        return "clients give up here: renew Expressway-E's certificate"
    if code:
        return (
            "clients give up here: trust the CA of Expressway-E (--ca), or have its certificate "
            "signed by one that they trust"
        )
    return "clients give up here: look at the port, and at Expressway-E's TLS versions"


def _not_there(proxy: Endpoint, exc: OSError | UnicodeError) -> LabError:
    return LabError(
        f"no proxy at {proxy}: {error_text(exc)}",
        hint="start it with `mralab serve`, or wait with --wait",
    )
