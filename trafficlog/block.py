"""The block behind a DEBUG line: a whole message, opened by ``HTTPMSG:`` and closed by a ``|``.

Rules: a message has a head and maybe a body, with an empty line between. A lone ``|`` closes a
block without body; a body may hold such lines, so only the next record closes that one. A page may
show all of it on one line. Whatever the lines are, they give a message. *Pure*: no I/O here.
"""

from __future__ import annotations

import re
from typing import Final

from mralab.trafficlog.grammar import HTTP_MARKER, SIP_MARKER, unescape
from mralab.trafficlog.records import Message

#: A block that is never closed ends here; the longest real head has some hundred lines.
MAX_BLOCK_LINES: Final = 4096

#: The line that opens a block: its word, and what follows.
MARKER = re.compile(rf"\s*+({HTTP_MARKER}|{SIP_MARKER}):\s*+(.*)")
#: Fields of a message that a page shows on one line.
_INLINE_FIELD = re.compile(r"(?<=\s)([A-Za-z][\w-]*+):(?=\s|<|$)", re.ASCII)


def _inline_message(kind: str, text: str) -> Message:
    """Read a message shown on one line: a guess, nothing marks the reason phrase's end."""
    text = text.removeprefix("|").removesuffix("|").rstrip()
    names = list(_INLINE_FIELD.finditer(text))
    ends = [match.start() for match in names[1:]] + [len(text)]
    return Message(
        kind=kind,
        start_line=unescape(text[: names[0].start()].rstrip() if names else text),
        fields=tuple(
            (match[1], unescape(text[match.end() : end].strip()))
            for match, end in zip(names, ends, strict=False)
        ),
    )


class Block:
    """The message of one block while its lines come in."""

    __slots__ = ("_body", "_fields", "_inline", "_kind", "_lines", "_start", "is_open")

    def __init__(self, kind: str, first: str) -> None:
        """Begin with what stands behind the opening word; a whole message there is the block."""
        self._kind = kind
        self._start = ""
        self._fields: list[tuple[str, list[str]]] = []  # the value's lines
        self._body: list[str] | None = None  # None inside the head
        self._lines = 0
        is_inline = _INLINE_FIELD.search(first) or (first.endswith("|") and first != "|")
        self._inline = first if is_inline else ""
        self.is_open = not is_inline
        if first and not is_inline:
            self.add(first)

    def add(self, line: str) -> None:
        """Take the next line. A lone ``|`` closes a block without body, a new record any."""
        self._lines += 1
        stripped = line.strip()
        if not self._start:
            self._start = line.lstrip().removeprefix("|")
        elif stripped == "|" and not self._body:
            self.is_open = False
        elif self._body is not None:
            self._body.append(line)
        elif not stripped:
            self._body = []
        else:
            self._add_field(line.lstrip())
        if self._lines >= MAX_BLOCK_LINES:
            self.is_open = False

    def _add_field(self, line: str) -> None:
        name, colon, value = line.partition(":")
        if colon:
            self._fields.append((unescape(name), [unescape(value.removeprefix(" "))]))
        elif self._fields:  # a folded field
            self._fields[-1][1].append(unescape(line))

    def message(self) -> Message:
        """What was collected, complete or not."""
        if self._inline:
            return _inline_message(self._kind, self._inline)
        body = "\n".join(self._body or ()).rstrip().removesuffix("|").rstrip()
        return Message(
            kind=self._kind,
            start_line=unescape(self._start),
            fields=tuple((name, " ".join(lines)) for name, lines in self._fields),
            body=body,
        )
