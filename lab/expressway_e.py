"""Expressway-E: the TLS front that clients from outside meet, on 8443.

- Everything goes on to Expressway-C over plain HTTP, as through the product's tunnel; it decides
  nothing itself. What the client sent stays, ``Client-ip``, ``X-Forwarded-For`` and ``Via`` are
  added, and a TrackingID if there is none.
- Without Expressway-C it answers ``502 Next Hop Connection Failed``.
- How a login ended is read off the answer to ``get_edge_config`` and logged.

Source: port and leg in the MRA guide X15.0, the 502 in the MRA guide X12.5, form of its own answers
in Cisco 117811, the added fields in Cisco 225746 (all seen). 504 for an Expressway-C that is silent
and 400 are lab defaults.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from aiohttp import hdrs, web

from mralab.config.settings import Endpoint
from mralab.errors import LabError, RouteError
from mralab.lab.edgeconfig import EDGE_CONFIG, read_basic
from mralab.lab.edgerelay import (
    ANSWER_TIMEOUT_S,
    EdgeServer,
    FieldError,
    NextHopError,
    Relay,
    appended,
    end_to_end,
    own_answer,
    peer_of,
)
from mralab.origin.route import split_target
from mralab.trafficlog.edgelines import edge_stamp, error_response, login_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from mralab.config.estate import ExpresswayEPlan
    from mralab.lab.pki import Credential

#: Server field of its own answers. Source: Cisco 117811 (seen).
SERVER: Final = "CE_E"
#: Phrase of the 502. Source: MRA guide X12.5 (seen).
NEXT_HOP_FAILED: Final = "Next Hop Connection Failed"
_FRONT: Final = Endpoint("127.0.0.1", 8443)
_TRACKING_ID: Final = "TrackingID"
_CLIENT_IP: Final = "Client-ip"
_OK: Final = 200
_UNAUTHORIZED: Final = 401


class ExpresswayE:
    """The front.

    Attributes:
        endpoint: where it listens; the port is known once it runs.
    """

    def __init__(
        self,
        plan: ExpresswayEPlan,
        credential: Credential,
        *,
        next_hop: Callable[[], Endpoint | None],
        listen: Endpoint = _FRONT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        log: Callable[[str], None] = lambda _lines: None,
        lab_reasons: bool = True,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Describe it; nothing runs yet.

        Args:
            plan: the estate's.
            credential: its certificate, sent with its own chain.
            next_hop: tells where Expressway-C's edge service listens now; None: it is not there.
            listen: where to listen.
            clock: aware time of log lines.
            log: gets lines for the event log, each ended by a newline.
            lab_reasons: whether answers of its own tell their cause in ``X-Lab-Reason``.
            answer_timeout_s: how long Expressway-C may take.
        """
        self.endpoint = listen
        self._plan = plan
        self._credential = credential
        self._next_hop = next_hop
        self._clock = clock
        self._log = log
        self._lab_reasons = lab_reasons
        self._via = f"https/1.1 vcs[{uuid4()}] (ATS)"
        self._relay = Relay(answer_timeout_s=answer_timeout_s)
        self._server = EdgeServer(f"Expressway-E {plan.name}", self._answer)

    async def start(self) -> None:
        """Listen.

        Raises:
            LabError: the address cannot be had, or the certificate cannot be served.
        """
        tls = _server_context(self._credential)
        await self._relay.start()
        try:
            self.endpoint = await self._server.start(self.endpoint, tls)
        except LabError:
            await self._relay.stop()
            raise

    async def stop(self) -> None:
        """Listen no more and end all connections."""
        await self._server.stop()
        await self._relay.stop()

    async def restart(self, plan: ExpresswayEPlan, credential: Credential) -> None:
        """End all connections and go on with another plan and certificate on the same port.

        Raises:
            LabError: as :meth:`start`.
        """
        await self.stop()
        self._plan, self._credential = plan, credential
        await self.start()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            segment, path = split_target(request.raw_path.encode("ascii"))
            fields = self._fields(request)
        except (RouteError, UnicodeEncodeError, FieldError) as exc:
            return self._refuse(request, 400, "Bad Request", f"bad-request; {exc}")
        next_hop = self._next_hop()
        if next_hop is None:
            return self._refuse(request, 502, NEXT_HOP_FAILED, "next-hop; Expressway-C is down")
        target = f"/{segment.decode()}{path.decode()}"
        try:
            answer = await self._relay.pass_on(request, next_hop, str(next_hop), target, fields)
        except NextHopError as exc:
            if exc.timed_out:
                return self._refuse(request, 504, "Gateway Timeout", f"next-hop; {exc}")
            return self._refuse(request, 502, NEXT_HOP_FAILED, f"next-hop; {exc}")
        if path.partition(b"?")[0].strip(b"/") == EDGE_CONFIG.encode():
            self._log_login(request, answer.status)
        return answer

    def _fields(self, request: web.Request) -> list[tuple[str, str]]:
        """Return the fields that go on, with ours behind the client's."""
        client, _ = peer_of(request)
        fields = end_to_end(request.raw_headers)
        if _TRACKING_ID not in request.headers:
            fields.append((_TRACKING_ID, str(uuid4())))
        if _CLIENT_IP not in request.headers:
            fields.append((_CLIENT_IP, client))
        fields = appended(fields, hdrs.X_FORWARDED_FOR, client)
        return appended(fields, hdrs.VIA, self._via)

    def _log_login(self, request: web.Request, status: int) -> None:
        credentials = read_basic(request.headers.get(hdrs.AUTHORIZATION))
        if credentials is None or status not in {_OK, _UNAUTHORIZED}:
            return
        code = None if status == _OK else status
        stamp = edge_stamp(self._clock(), self._plan.name)
        client, _ = peer_of(request)
        self._log(login_result(stamp, username=credentials[0], client=client, code=code))

    def _refuse(self, request: web.Request, status: int, phrase: str, reason: str) -> web.Response:
        host, port = peer_of(request)
        stamp = edge_stamp(self._clock(), self._plan.name)
        self._log(error_response(stamp, status=status, reason=phrase, ip=host, port=port))
        return own_answer(status, phrase, SERVER, reason=reason if self._lab_reasons else "")


def _server_context(credential: Credential) -> ssl.SSLContext:
    """Load a credential. What is wrong with a certificate is for the client to judge."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory(prefix="mralab-") as folder:
        files = credential.write(Path(folder), "server")
        try:
            context.load_cert_chain(files.chain, files.key)
        except ssl.SSLError as exc:
            raise LabError(
                f"certificate {credential.subject!r} cannot be served: {exc.reason}",
                hint="give it the key that it was made for",
            ) from exc
    return context
