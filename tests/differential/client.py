"""A raw HTTP client: one request per connection, and what came back."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.differential.world import Request

_PATIENCE_S: Final = 60.0
_TELLING_FIELDS: Final = (
    "cache-control",
    "content-type",
    "content-language",
    "server",
    "connection",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or what there was of it."""

    line: str  #: status and reason, ``cut`` if the connection ended without an answer
    fields: dict[str, str]
    body: bytes

    @property
    def own(self) -> bool:
        """Whether it is the proxy's own: the origins of this run never send a page."""
        return b"<html" in self.body.lower() or "content-language" in self.fields

    @property
    def page(self) -> str:
        """Title and telling fields of an answer of the proxy's own."""
        title = re.search(rb"(?is)<title>(.*?)</title>", self.body)
        texts = [title[1].decode("latin-1") if title else "no title"]
        texts += [
            f"{name}={re.sub(r'/.*', '', value) if name == 'server' else value}"
            for name in _TELLING_FIELDS
            if (value := self.fields.get(name)) is not None
        ]
        return ", ".join(texts)


async def ask(port: int, segment: str, request: Request) -> Answer:
    """Send a request through the proxy on ``port`` and read the answer."""
    body = request.body
    lines = [
        f"{request.method} /{segment}/cucm-uds/version HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *([] if body is None else [f"Content-Length: {len(body)}"]),
    ]
    head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head + (body or b""))
            return await _answer(reader, to_head=request.method == "HEAD")
        except (ConnectionError, asyncio.IncompleteReadError):
            return Answer("cut", {}, b"")
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader, *, to_head: bool) -> Answer:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    if to_head:
        body = b""
    elif "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    elif fields.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.read()
    return Answer(start.partition(" ")[2], fields, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
