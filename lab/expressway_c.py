"""Expressway-C towards Expressway-E: the edge configuration service, and the way to the nodes.

- ``/<base64 of the domain>/get_edge_config`` and ``get_edge_sso`` are answered here. A user whose
  credentials UDS takes gets an ``X-Auth`` cookie and the configuration.
- ``/<base64 of domain/protocol/host/port>/...`` goes to the traffic server, if its cookie stands
  for a session. A session belongs to its user: credentials of another one beside the cookie are
  refused. What the request asks for is the allow list's and the node's business.
- This service and the traffic server are one hop to the outside, so nothing is added to ``Via``
  and ``X-Forwarded-For`` here: the traffic server adds 127.0.0.1, as the product's log shows.

Source: forms of URLs, 401 and cookie in Cisco 117811 and 211304, lifetime and 429 in the MRA guide
X14.3, the chain of fields in Cisco 225746 (all seen). 404, 405, 503, and that a cookie beside
another user's credentials is refused, are lab defaults.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from aiohttp import hdrs, web

from mralab.config.estate import DiscoveryKind
from mralab.config.settings import Endpoint
from mralab.errors import LabError, RouteError
from mralab.lab import edgeconfig
from mralab.lab.edgerelay import (
    ANSWER_TIMEOUT_S,
    EdgeServer,
    FieldError,
    NextHopError,
    Relay,
    end_to_end,
    own_answer,
    peer_of,
)
from mralab.lab.edgesessions import AuthorisationLimit, EdgeSession, Sessions
from mralab.lab.edgeuds import EdgeAsk, EdgeRefusalError, UdsAsker
from mralab.lab.estateplace import EstatePorts
from mralab.origin.route import split_target
from mralab.trafficlog.edgelines import edge_stamp, error_response, server_refused_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.estate import ExpresswayCPlan
    from mralab.lab.discovery import DiscoveredNode, DiscoveryReport
    from mralab.trafficlog.render import Stamp

#: Server field of the edge configuration service. Source: Cisco 211304 (seen).
SERVER: Final = "CE_C ECS"
#: Realm of its challenge. Source: Cisco 211304 (seen).
REALM: Final = "Cisco-Edge"
#: Name of the cookie. Source: Cisco 117811 (seen).
COOKIE: Final = "X-Auth"
TRACKING_ID: Final = "TrackingID"
#: Expressway-C's port in its absolute URIs. Source: Cisco 218018 (seen).
_OWN_PORT: Final = 8443
_DOCUMENTED_PORTS: Final = EstatePorts()
_ANY_PORT: Final = Endpoint("127.0.0.1", 0)
_KEPT_ASKS: Final = 4096  # TrackingIDs whose requests are remembered
_MAX_TRACKING_ID: Final = 128


class ExpresswayC:
    """The edge service of Expressway-C.

    Attributes:
        endpoint: where it listens; the port is known once it runs.
        sessions: the sessions behind the cookies.
    """

    def __init__(
        self,
        plan: ExpresswayCPlan,
        domain: str,
        *,
        proxy: Endpoint,
        discovered: Callable[[], DiscoveryReport],
        ports: EstatePorts = _DOCUMENTED_PORTS,
        edge: str = "",
        listen: Endpoint = _ANY_PORT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        log: Callable[[str], None] = lambda _lines: None,
        lab_reasons: bool = True,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Describe it; nothing runs yet.

        Args:
            plan: the estate's.
            domain: the MRA domain.
            proxy: where its traffic server listens.
            discovered: tells what discovery has found last.
            ports: the estate's.
            edge: Expressway-E's name, for the configuration and the cookie's domain.
            listen: where to listen.
            clock: aware time, for sessions and log lines.
            log: gets lines for Expressway-C's event log, each ended by a newline.
            lab_reasons: whether answers of its own tell their cause in ``X-Lab-Reason``.
            answer_timeout_s: how long the traffic server may take.
        """
        self.endpoint = listen
        self._plan = plan
        self._domain = domain.lower()
        self._proxy = proxy
        self._discovered = discovered
        self._ports = ports
        self._edge = edge
        self._clock = clock
        self._log = log
        self._lab_reasons = lab_reasons
        self.sessions = Sessions(clock)
        self._authorisations = AuthorisationLimit(clock)
        self._asks: OrderedDict[str, list[EdgeAsk]] = OrderedDict()
        self._relay = Relay(answer_timeout_s=answer_timeout_s)
        self._server = EdgeServer(f"Expressway-C {plan.name}", self._answer)

    async def start(self) -> None:
        """Listen.

        Raises:
            LabError: the address cannot be had.
        """
        await self._relay.start()
        try:
            self.endpoint = await self._server.start(self.endpoint)
        except LabError:
            await self._relay.stop()
            raise

    async def stop(self) -> None:
        """Listen no more and end all connections."""
        await self._server.stop()
        await self._relay.stop()

    def use(self, plan: ExpresswayCPlan, *, proxy: Endpoint | None = None) -> None:
        """Take another plan; sessions and counts stay.

        Args:
            plan: the new one.
            proxy: where the traffic server listens now; None is where it did.
        """
        self._plan = plan
        self._proxy = proxy or self._proxy

    def forget(self) -> None:
        """Forget sessions, counts and past requests, as a restart or an upgrade does."""
        self.sessions.clear()
        self._authorisations.clear()
        self._asks.clear()

    def asks(self, tracking_id: str) -> tuple[EdgeAsk, ...]:
        """Return the requests it made itself for a client's request, in order.

        Args:
            tracking_id: TrackingID that the client sent; the requests carry it too.
        """
        return tuple(self._asks.get(tracking_id, ()))

    # -- requests

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            target, path = split_target(request.raw_path.encode("ascii"))
            segment = edgeconfig.read_segment(target)
        except (RouteError, UnicodeEncodeError) as exc:
            return self._refuse(request, 400, "Bad Request", f"route-invalid; {exc}")
        if segment.domain != self._domain:
            return self._refuse(
                request, 403, "Forbidden", f"unknown-domain; {segment.domain} is not configured"
            )
        tracking_id = request.headers.get(TRACKING_ID, "")[:_MAX_TRACKING_ID] or str(uuid4())
        rest = path.decode("ascii")
        if segment.relayed:
            return await self._relay_to_node(request, f"/{target.decode()}{rest}", tracking_id)
        service, _, query = rest.partition("?")
        service = service.strip("/")
        if service not in {edgeconfig.EDGE_CONFIG, edgeconfig.EDGE_SSO}:
            return self._refuse(request, 404, "Not Found", f"unknown-service; no {service[:80]!r}")
        if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
            answer = self._refuse(request, 405, "Method Not Allowed", "unknown-service; GET only")
            answer.headers[hdrs.ALLOW] = "GET, HEAD"
            return answer
        if service == edgeconfig.EDGE_SSO:
            return _xml(edgeconfig.edge_sso())
        return await self._edge_config(request, query, tracking_id)

    async def _edge_config(
        self, request: web.Request, query: str, tracking_id: str
    ) -> web.StreamResponse:
        authorization = request.headers.get(hdrs.AUTHORIZATION)
        credentials = edgeconfig.read_basic(authorization)
        if credentials is None or authorization is None:
            return self._challenge(request, "not-authenticated; no Basic credentials")
        user, _ = credentials
        plan = self._plan
        wait_s = self._authorisations.take(
            user, count=plan.authorisations, period_s=plan.authorisation_period_s
        )
        if wait_s > 0:
            reason = f"too-many-authorisations; the next may come in {wait_s:.0f} s"
            return self._refuse(request, 429, "Too Many Requests", reason)
        asker = UdsAsker(
            self._relay.client,
            self._proxy,
            authority=f"{plan.name}:{_OWN_PORT}",
            domain=self._domain,
            port=self._ports.uds,
            tracking_id=tracking_id,
            authorization=authorization,
            report=self._book(tracking_id),
        )
        publishers = [node.name for node in self._publishers()]
        try:
            found = await asker.provision(user, publishers)
        except EdgeRefusalError as exc:
            return self._not_provisioned(request, user, exc)
        session = self.sessions.open(user, plan.refresh_interval_s)
        config = edgeconfig.EdgeConfig(
            services=edgeconfig.services_asked(query),
            uds_servers=found.servers,
            uds_port=self._ports.uds,
            tftp_servers=found.servers,
            user_uds=found.servers,
            edge=self._edge,
            edge_port=self._ports.front,
            route_address=plan.address,
        )
        answer = _xml(edgeconfig.edge_config(config))
        answer.headers[hdrs.SET_COOKIE] = self._cookie(session)
        return answer

    async def _relay_to_node(
        self, request: web.Request, path: str, tracking_id: str
    ) -> web.StreamResponse:
        refusal = self._not_in_session(request)
        if refusal:
            return self._refuse(request, 403, "Forbidden", f"no-session; {refusal}")
        try:
            fields = end_to_end(request.raw_headers)
            if TRACKING_ID not in request.headers:
                fields.append((TRACKING_ID, tracking_id))
            return await self._relay.pass_on(
                request, self._proxy, f"{self._plan.name}:{_OWN_PORT}", path, fields
            )
        except FieldError as exc:
            return self._refuse(request, 400, "Bad Request", f"bad-request; {exc}")
        except NextHopError as exc:
            return self._refuse(request, 503, "Service Unavailable", f"traffic-server; {exc}")

    def _not_in_session(self, request: web.Request) -> str:
        """Return why the request is outside any session, "" if it is inside one."""
        token = request.cookies.get(COOKIE, "")
        if not token:
            return f"no {COOKIE} cookie"
        session = self.sessions.find(token)
        if session is None:
            return f"the {COOKIE} cookie is unknown or expired"
        credentials = edgeconfig.read_basic(request.headers.get(hdrs.AUTHORIZATION))
        if credentials is not None and credentials[0] != session.user:
            return f"the {COOKIE} cookie is another user's"
        return ""

    # -- answers

    def _not_provisioned(
        self, request: web.Request, user: str, exc: EdgeRefusalError
    ) -> web.StreamResponse:
        if exc.server is not None:
            host, port = exc.server
            self._log(server_refused_user(self._stamp(), username=user, server=host, port=port))
        if exc.status == web.HTTPUnauthorized.status_code:
            return self._challenge(request, str(exc))
        return self._refuse(request, exc.status, exc.phrase, str(exc))

    def _challenge(self, request: web.Request, reason: str) -> web.StreamResponse:
        """Ask for credentials. Source: Cisco 211304 (fields seen, the body not)."""
        self._log_error(request, 401, "Unauthorized")
        answer = web.Response(status=401, reason="Unauthorized")
        answer.headers[hdrs.WWW_AUTHENTICATE] = f'Basic realm="{REALM}"'
        answer.headers[hdrs.SERVER] = SERVER
        answer.headers[hdrs.AGE] = "0"
        if self._lab_reasons:
            answer.headers["X-Lab-Reason"] = reason.encode("ascii", "replace").decode()
        if request.version >= (1, 1):
            answer.enable_chunked_encoding()
            answer.headers[hdrs.CONNECTION] = "keep-alive"
        return answer

    def _refuse(self, request: web.Request, status: int, phrase: str, reason: str) -> web.Response:
        self._log_error(request, status, phrase)
        return own_answer(status, phrase, SERVER, reason=reason if self._lab_reasons else "")

    def _cookie(self, session: EdgeSession) -> str:
        """Render the cookie. Source: Cisco 117811 (attributes and their order seen).

        Its domain is that of Expressway-E's own name.
        """
        expires = format_datetime(session.expires.astimezone(UTC), usegmt=True)
        domain = self._edge.partition(".")[2] or self._domain
        return f"{COOKIE}={session.token}; Expires={expires}; Domain=.{domain}; Path=/; Secure"

    # -- books

    def _publishers(self) -> tuple[DiscoveredNode, ...]:
        return self._discovered().publishers(DiscoveryKind.UNIFIED_CM)

    def _book(self, tracking_id: str) -> Callable[[EdgeAsk], None]:
        self._asks.pop(tracking_id, None)
        while len(self._asks) >= _KEPT_ASKS:
            self._asks.popitem(last=False)
        return self._asks.setdefault(tracking_id, []).append

    def _stamp(self) -> Stamp:
        return edge_stamp(self._clock(), self._plan.name)

    def _log_error(self, request: web.Request, status: int, phrase: str) -> None:
        host, port = peer_of(request)
        self._log(error_response(self._stamp(), status=status, reason=phrase, ip=host, port=port))


def _xml(body: bytes) -> web.Response:
    answer = web.Response(body=body, content_type="text/xml", charset="UTF-8")
    answer.headers[hdrs.SERVER] = SERVER
    return answer
