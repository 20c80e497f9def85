"""Lines of the edge configuration service (process ``edgeconfigprovisioning``), one template each.

Rules: as in :mod:`mralab.trafficlog.render`, but values are escaped here: these lines are few.
*Pure*: no I/O here, the time is an argument.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from mralab.trafficlog.render import Stamp, dst_fields, escape, http_error_response

if TYPE_CHECKING:
    from datetime import datetime

#: The process's name. Source: Cisco 211304 (seen).
EDGE_PROCESS: Final = "edgeconfigprovisioning"
#: ``Detail`` of the lines below. Source: the first in Cisco 211304, the other two in a public log
#: parser for Expressway-E X12.5 (seen).
SERVER_REFUSED_USER: Final = "Failed to authenticate user against server"
AUTHENTICATED: Final = "Authenticated user successfully"
NOT_AUTHENTICATED: Final = "Authenticating user failed"
_FAILURE: Final = "<twisted.python.failure.Failure <type 'exceptions.Exception'>>"


def edge_stamp(now: datetime, hostname: str) -> Stamp:
    """Render the beginning of a line of this process: it has no number.

    Args:
        now: aware.
        hostname: the system's name; of an FQDN the first label counts.

    Source: Cisco 211304 (process without number, seen); milliseconds as in newer logs.
    """
    local = now.astimezone()
    utc = now.astimezone(UTC)
    offset = f"{local:%z}"
    millisecond = f"{now.microsecond // 1000:03d}"
    host = f"{local:%Y-%m-%dT%H:%M:%S}.{millisecond}{offset[:3]}:{offset[3:5]} "
    host += f"{hostname.partition('.')[0]} "
    return Stamp(host, f"{EDGE_PROCESS}: ", f"{utc:%Y-%m-%d %H:%M:%S},{millisecond}")


def server_refused_user(stamp: Stamp, *, username: str, server: str, port: int) -> str:
    """Say on Expressway-C that a node refused a user's credentials, or knows no such user.

    Source: Cisco 211304 (seen).
    """
    return (
        f'{stamp.prefix}Level="INFO" Detail="{SERVER_REFUSED_USER}" Username="{escape(username)}" '
        f"Server=\"('https', '{escape(server)}', {port})\" "
        f'Reason="{_FAILURE}" UTCTime="{stamp.utc}"\n'
    )


def login_result(stamp: Stamp, *, username: str, client: str, code: int | None = None) -> str:
    """Say on Expressway-E how a login ended.

    Args:
        stamp: when and where.
        username: as in the credentials.
        client: the client's address.
        code: status of a login that failed; None: it succeeded.

    Source: keys and both texts in a public log parser for X12.5 (seen); their order is inferred.
    """
    detail = AUTHENTICATED if code is None else NOT_AUTHENTICATED
    tail = "" if code is None else f' Code="{code}"'
    return (
        f'{stamp.prefix}Level="INFO" Detail="{detail}" Username="{escape(username)}" '
        f'ClientId="{escape(client)}"{tail} UTCTime="{stamp.utc}"\n'
    )


def error_response(stamp: Stamp, *, status: int, reason: str, ip: str, port: int) -> str:
    """Say that an Expressway answers with an error of its own.

    Source: Cisco 117811 (event seen; its process is not: this one is a lab default).
    """
    return http_error_response(
        stamp, status=status, reason=escape(reason), dst=dst_fields(escape(ip), port)
    )
