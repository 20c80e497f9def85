"""One HTTP exchange over TLS that is judged inside the handshake: what discovery asks with.

- The verdict is OpenSSL's and ours, by :mod:`mralab.truststore.openssl`: a refusal is an alert to
  the node and a :class:`NotVerifiedError` to the caller.
- One connection, one request, one answer of bounded size; nothing is retried or resumed.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import TYPE_CHECKING, Final, cast

from OpenSSL import SSL

from mralab.diagnostics.explain import explain
from mralab.errors import LabError
from mralab.truststore.verdict import Reason

if TYPE_CHECKING:
    import socket

    from mralab.config.settings import Endpoint
    from mralab.truststore.openssl import HandshakeInspection, OriginContext
    from mralab.truststore.verdict import CertificateFacts, Fault

_READ: Final = 16_384
#: Longest answer read: node lists are some KiB. Lab default.
MAX_ANSWER_BYTES: Final = 2**20


class NotVerifiedError(LabError):
    """The other side's certificate was refused.

    Attributes:
        fault: the first thing wrong.
        certificate: facts of the certificate at fault, if it was kept.
    """

    def __init__(
        self, message: str, fault: Fault, certificate: CertificateFacts | None, *, hint: str
    ) -> None:
        """Keep what was met."""
        super().__init__(message, hint=hint)
        self.fault = fault
        self.certificate = certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An answer, whatever its status."""

    status: int
    phrase: str
    body: bytes


async def exchange(
    endpoint: Endpoint,
    request: bytes,
    *,
    context: OriginContext,
    inspection: HandshakeInspection,
    timeout_s: float,
) -> HttpAnswer:
    """Connect, shake hands, send one request and read its answer to the end.

    Args:
        endpoint: where to connect to.
        request: whole request with ``Connection: close``.
        context: how the handshake is judged.
        inspection: of this connection.
        timeout_s: for all of it.

    Raises:
        NotVerifiedError: the certificate was refused.
        LabError: no connection, no TLS or no HTTP answer; the message is fit for a status column.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
            try:
                tls = context.new_connection(inspection)
                await _shake(tls, reader, writer, inspection)
                tls.sendall(request)
                return _parse(await _answer(tls, reader, writer))
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError as exc:
        raise LabError(
            f"no answer in {timeout_s:g} s", hint="check that the node is up, and firewalls"
        ) from exc
    except OSError as exc:
        why = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc)
        raise LabError(
            f"no connection: {why}", hint="check the address, and that the node is up"
        ) from exc


async def _shake(
    tls: SSL.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inspection: HandshakeInspection,
) -> None:
    while True:
        try:
            tls.do_handshake()
            break
        except SSL.WantReadError:
            await _flush(tls, writer)
        except SSL.Error as exc:
            with suppress(OSError):  # the alert; who is gone needs none
                await _flush(tls, writer)
            if inspection.faults:
                raise _refused(inspection) from exc
            raise LabError(
                f"TLS handshake failed: {_reason(exc)}",
                hint="check that the port speaks TLS and shares a version and a cipher",
            ) from exc
        data = await reader.read(_READ)
        if not data:
            raise LabError(
                "the connection was closed in the TLS handshake",
                hint="check that the port speaks TLS",
            )
        tls.bio_write(data)
    await _flush(tls, writer)


async def _answer(
    tls: SSL.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    """Read to the end of the connection."""
    await _flush(tls, writer)
    answer = bytearray()
    while len(answer) <= MAX_ANSWER_BYTES:
        try:
            answer += tls.recv(_READ)
            continue
        except SSL.WantReadError:
            await _flush(tls, writer)
        except SSL.Error:  # closed in order (ZeroReturnError) or not: HTTP tells what is missing
            break
        data = await reader.read(_READ)
        if not data:
            break
        tls.bio_write(data)
    if len(answer) > MAX_ANSWER_BYTES:
        raise LabError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(answer)


async def _flush(tls: SSL.Connection, writer: asyncio.StreamWriter) -> None:
    with suppress(SSL.WantReadError):
        while True:
            writer.write(tls.bio_read(_READ))
    await writer.drain()


def _parse(data: bytes) -> HttpAnswer:
    response = HTTPResponse(cast("socket.socket", _Stream(data)))
    try:
        response.begin()
        return HttpAnswer(status=response.status, phrase=response.reason, body=response.read())
    except (HTTPException, ValueError) as exc:
        raise LabError(
            "no HTTP answer" if not data else "the answer is not HTTP, or was cut",
            hint="check that the port is the node's web service",
        ) from exc


def _refused(inspection: HandshakeInspection) -> NotVerifiedError:
    fault = inspection.faults[0]
    certificate = inspection.facts(fault.depth)
    if fault.reason is Reason.NAME_REFUSED:
        text = f"{inspection.checked_name} is not in the certificate"
        hint = "enter a name that stands in its SAN, or have a certificate made with this one"
    else:
        text = f"{fault.text}, depth {fault.depth}"
        subject = certificate.subject if certificate else ""
        found = explain(fault.reason, code=fault.code, depth=fault.depth, subject=subject)
        hint = f"{found.cause}: {found.fixes[0].what}"
    return NotVerifiedError(f"TLS verification failed: {text}", fault, certificate, hint=hint)


def _reason(error: SSL.Error) -> str:
    queue = error.args[0] if error.args else None
    return str(queue[0][2]) if isinstance(queue, list) and queue else "closed"


class _Stream:
    """As much of a socket as ``HTTPResponse`` asks for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self._data)
