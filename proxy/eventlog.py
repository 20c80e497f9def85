"""What the log says of a handshake: ``[ET_NET n]`` WARNING and ERROR lines.

Rules: one WARNING per fault, then for a failed attempt one ERROR if OpenSSL has something to say;
the X name in the text is the requested server name, or the peer address for IP literals; the Y name
is the host as in the URL.

Source: templates in Apache Traffic Server's ``SSLClientUtils.cc`` and ``SSLNetVConnection.cc``;
samples in Cisco 218018 (seen). That stock Traffic Server writes the ERROR only when debugging was
observed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mralab.trafficlog import render
from mralab.truststore.verdict import Action, Reason, tls_error_text

if TYPE_CHECKING:
    from mralab.origin.failure import OriginFailure
    from mralab.origin.route import OriginRoute
    from mralab.proxy.server import ProxyServer
    from mralab.truststore.openssl import HandshakeInspection


def log_failed_attempt(server: ProxyServer, route: OriginRoute, failure: OriginFailure) -> None:
    """Write the lines of one failed attempt; none if it did not fail in the handshake."""
    inspection = failure.inspection
    if inspection is None:  # below TLS, or after the handshake
        return
    _log_faults(server, route, inspection, failure_reason=failure.reason)
    profile = server.snapshot.profile
    if not failure.tls_errors:
        return
    if profile.et_net_errors or server.debug:
        server.log.add(
            render.ssl_connection_failed(
                server.log.stamp(),
                thread=server.thread,
                name=inspection.checked_name,
                error=tls_error_text(failure.tls_errors, profile.wording),
            )
        )


def log_let_pass(server: ProxyServer, route: OriginRoute, inspection: HandshakeInspection) -> None:
    """Write the lines of faults that the policy let pass."""
    _log_faults(server, route, inspection, failure_reason=Reason.OK)


def _log_faults(
    server: ProxyServer,
    route: OriginRoute,
    inspection: HandshakeInspection,
    *,
    failure_reason: Reason,
) -> None:
    log = server.log
    stamp = log.stamp()
    host = f"[{route.host}]" if ":" in route.host else route.host
    name = inspection.checked_name
    last = len(inspection.faults) - 1
    refused = failure_reason in {Reason.CHAIN_REFUSED, Reason.NAME_REFUSED}
    for index, fault in enumerate(inspection.faults):
        action = Action.TERMINATE if refused and index == last else Action.CONTINUE
        if fault.reason is Reason.NAME_REFUSED:
            log.add(
                render.sni_not_in_certificate(
                    stamp,
                    thread=server.thread,
                    name=name,
                    action=action.value,
                    server=host,
                    ip=inspection.peer_ip,
                )
            )
        else:
            log.add(
                render.core_verification_failed(
                    stamp,
                    thread=server.thread,
                    name=name,
                    action=action.value,
                    error=fault.text,
                    server=host,
                    ip=inspection.peer_ip,
                    depth=fault.depth,
                )
            )
