"""What Expressway-C asks of UDS on a user's behalf, through its own traffic server.

The order: ``clusterUser`` on each discovered publisher until one knows the user; on the home
cluster ``user/<u>/devices`` with the user's credentials, which is the check of the password; then
``servers`` and ``user/<u>``.

Rules:

- Every address is an advertised one, so the traffic server judges these requests as it does the
  client's: what it refuses here ends the login.
- A 401 of UDS is a 401 of the edge service; a user nobody knows is one too. Any other error is
  passed on with its status and phrase, ``502 connect failed`` above all: nobody outside can tell
  which request inside has failed, and only the cause's ``X-Lab-Reason`` says.
- All of them carry the client's TrackingID, so that one search of the log finds them (lab default).

Source: the requests and their order in Cisco Preferred Architecture and 211304 (seen); that they
pass the traffic server is inferred from Cisco 218018, whose request comes from 127.0.0.1 and names
Expressway-C itself. What a client sees of an error other than 401 is inferred: no public source
shows the edge service's answer then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from mralab.errors import LabError, RouteError
from mralab.lab.hosts import bracketed
from mralab.lab.udsread import MAX_ANSWER_BYTES, find_home, read_xml, server_hosts
from mralab.origin.route import encode_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from mralab.config.settings import Endpoint

    _Value = TypeVar("_Value")

_LAB_REASON: Final = "X-Lab-Reason"
_REASON: Final = "edge-config; "  # how an X-Lab-Reason of this service begins
_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeAsk:
    """One request that Expressway-C made itself."""

    title: str  #: what it is for
    host: str  #: the node, as advertised
    port: int
    url: str  #: decoded, ``https://host:port/path``
    segment: str  #: first path segment, encoded
    tracking_id: str  #: the client's
    status: int = 0  #: 0: no answer
    phrase: str = ""
    lab_reason: str = ""  #: the traffic server's, if it gives any
    fault: str = ""  #: what is wrong with the answer
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether it got what it asked for."""
        return self.status == HTTPStatus.OK and not self.fault


class EdgeRefusalError(LabError):
    """The user gets no edge configuration; the message is fit for ``X-Lab-Reason``.

    Attributes:
        status: for the client.
        phrase: for the client.
        server: the node that refused the credentials, as host and port; None if none did.
    """

    def __init__(
        self, message: str, *, status: int, phrase: str, server: tuple[str, int] | None = None
    ) -> None:
        """Keep what the client gets."""
        super().__init__(message)
        self.status = status
        self.phrase = phrase
        self.server = server


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What UDS says of a user who has shown the right password."""

    home: str  #: home cluster as ``clusterUser`` names it
    servers: tuple[str, ...]  #: its servers as advertised


class UdsAsker:
    """Asks for one ``get_edge_config``."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        proxy: Endpoint,
        *,
        authority: str,
        domain: str,
        port: int,
        tracking_id: str,
        authorization: str,
        report: Callable[[EdgeAsk], None],
    ) -> None:
        """Take what all its requests have in common.

        Args:
            client: requests go out by it.
            proxy: the traffic server.
            authority: Expressway-C's name and port, for the absolute URI.
            domain: the MRA domain.
            port: of UDS.
            tracking_id: the client's.
            authorization: the user's, as sent.
            report: gets each request when it is over.
        """
        self._client = client
        self._proxy = f"http://{proxy}"
        self._authority = authority
        self._domain = domain
        self._port = port
        self._tracking_id = tracking_id
        self._authorization = authorization
        self._report = report

    async def provision(self, user: str, publishers: Sequence[str]) -> Provisioned:
        """Ask everything.

        Args:
            user: user id as the client wrote it.
            publishers: discovered publishers as advertised, in order.

        Raises:
            EdgeRefusalError: the user is unknown, the password is wrong, or a node or the traffic
                server does not give what was asked for.
        """
        home = await self._home(user, publishers)
        own = f"/cucm-uds/user/{quote(user, safe='')}"
        await self._ask("the user's devices", home, f"{own}/devices", read_xml, secret=True)
        servers = await self._ask("the cluster's servers", home, "/cucm-uds/servers", server_hosts)
        await self._ask("the user", home, own, read_xml, secret=True)
        return Provisioned(home, servers)

    async def _home(self, user: str, publishers: Sequence[str]) -> str:
        """Ask the publishers until one knows the user; a later one may while an earlier fails."""
        path = f"/cucm-uds/clusterUser?username={quote(user, safe='')}"
        failed: EdgeRefusalError | None = None
        for publisher in publishers:
            try:
                home = await self._ask("the user's home cluster", publisher, path, find_home)
            except EdgeRefusalError as exc:
                failed = failed or exc
            else:
                if home is not None:
                    return home
        if failed is not None:
            raise failed
        if not publishers:
            raise EdgeRefusalError(
                f"{_REASON}no Unified CM publisher has been discovered",
                status=503,
                phrase="Service Unavailable",
            )
        raise EdgeRefusalError(
            f"not-authenticated; no discovered cluster knows the user {user!r}",
            status=401,
            phrase="Unauthorized",
            server=(publishers[-1], self._port),
        )

    async def _ask(
        self,
        title: str,
        host: str,
        path: str,
        read: Callable[[bytes], _Value],
        *,
        secret: bool = False,
    ) -> _Value:
        """Ask once.

        Args:
            title: what for.
            host: the node, as advertised.
            path: what.
            read: gets out of the body what is needed.
            secret: whether the user's credentials go along.
        """
        ask, body = await self._send(self._new(title, host, path), path, secret=secret)
        if ask.status == HTTPStatus.OK:
            try:
                value = read(body)
            except LabError as exc:
                ask = replace(ask, fault=str(exc))
            else:
                self._report(ask)
                return value
        self._report(ask)
        raise self._refusal(ask)

    def _new(self, title: str, host: str, path: str) -> EdgeAsk:
        try:
            segment = encode_segment(self._domain, "https", host, self._port)
        except RouteError as exc:
            raise EdgeRefusalError(_REASON + str(exc), status=502, phrase="Bad Gateway") from exc
        return EdgeAsk(
            title=title,
            host=host,
            port=self._port,
            url=f"https://{bracketed(host)}:{self._port}{path}",
            segment=segment,
            tracking_id=self._tracking_id,
        )

    async def _send(self, ask: EdgeAsk, path: str, *, secret: bool) -> tuple[EdgeAsk, bytes]:
        fields = {"Accept": "*/*", "TrackingID": ask.tracking_id}
        if secret:
            fields["Authorization"] = self._authorization
        began = perf_counter()
        body = bytearray()
        try:
            async with self._client.get(
                URL(f"http://{self._authority}/{ask.segment}{path}", encoded=True),
                proxy=self._proxy,
                headers=fields,
                allow_redirects=False,
            ) as answer:
                ask = replace(
                    ask,
                    status=answer.status,
                    phrase=answer.reason or "",
                    lab_reason=answer.headers.get(_LAB_REASON, ""),
                )
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:  # the reader says so
                        break
        except TimeoutError:
            ask = replace(ask, fault="the traffic server does not answer")
        except aiohttp.ClientConnectorError:
            ask = replace(ask, fault="the traffic server is not there")
        except aiohttp.ClientError as exc:
            ask = replace(ask, fault=f"no complete answer: {exc}")
        return replace(ask, seconds=perf_counter() - began), bytes(body)

    def _refusal(self, ask: EdgeAsk) -> EdgeRefusalError:
        what = f"{ask.title}: {ask.url}"
        if ask.status == HTTPStatus.UNAUTHORIZED:
            return EdgeRefusalError(
                f"not-authenticated; {what} refused the credentials",
                status=401,
                phrase="Unauthorized",
                server=(ask.host, ask.port),
            )
        if ask.status >= _FIRST_ERROR:
            why = ask.lab_reason or f"{_REASON}{what} answered {ask.status} {ask.phrase}".rstrip()
            return EdgeRefusalError(why, status=ask.status, phrase=ask.phrase)
        if not ask.status:
            return EdgeRefusalError(
                f"{_REASON}{what}: {ask.fault}", status=503, phrase="Service Unavailable"
            )
        fault = ask.fault or f"answered {ask.status} {ask.phrase}".rstrip()
        return EdgeRefusalError(f"{_REASON}{what}: {fault}", status=502, phrase="Bad Gateway")
