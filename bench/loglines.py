"""Log lines against requests: every request has its lines, of every kind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench.peers import Lines

_PATIENCE_S: Final = 8.0
_QUIET_S: Final = 0.2
_PAUSE_S: Final = 0.05
_READ: Final = 1 << 24


class LineCounter:
    """Counts a proxy's log lines, and empties its log files so that they do not fill the disk.

    Both proxies that write logs append: an emptied file goes on from its start.

    Attributes:
        counts: lines by kind.
        total_bytes: size of all lines.
    """

    def __init__(self, lines: Sequence[Lines], *, delay_s: float) -> None:
        """Start with empty files, once no line of what was before can come.

        Args:
            lines: kinds of lines to count, at least one.
            delay_s: how long a line may take to its file.
        """
        self._lines = lines
        self._files = tuple(dict.fromkeys(item.file for item in lines))
        self.counts = {item.kind: 0 for item in lines}
        self.total_bytes = 0
        time.sleep(delay_s)
        self._empty()

    def collect(self) -> None:
        """Count what stands in the files, once no line has come for a moment; empty them."""
        sizes: list[int] = []
        found: dict[str, int] = {}
        # Counting takes long enough for a line to come: then once more.
        while not sizes or sizes != self._sizes():
            sizes = self._quiet_sizes()
            found = self._found()
        self._empty()
        self.counts = {kind: count + found[kind] for kind, count in self.counts.items()}
        self.total_bytes += sum(sizes)

    def finish(self, requests: int) -> None:
        """Collect until each kind has lines for all ``requests`` since the start.

        Lines that are missing for seconds are waited for no longer: :attr:`counts` tells.
        """
        end = time.monotonic() + _PATIENCE_S
        self.collect()
        while min(self.counts.values()) < requests and time.monotonic() < end:
            self.collect()

    def _quiet_sizes(self) -> list[int]:
        """Return the files' sizes when they have not grown for a moment."""
        sizes = self._sizes()
        since = time.monotonic()
        while time.monotonic() < since + _QUIET_S:
            time.sleep(_PAUSE_S)
            if (newer := self._sizes()) != sizes:
                sizes, since = newer, time.monotonic()
        return sizes

    def _found(self) -> dict[str, int]:
        """Count what stands in the files now."""
        tallies = {
            file: tally(file, [item.text for item in self._lines if item.file == file])
            for file in self._files
        }
        return {item.kind: tallies[item.file][item.text] for item in self._lines}

    def _sizes(self) -> list[int]:
        return [file.stat().st_size if file.exists() else 0 for file in self._files]

    def _empty(self) -> None:
        for file in self._files:
            if file.exists():
                with file.open("r+b") as opened:
                    opened.truncate(0)


def tally(file: Path, texts: Iterable[bytes]) -> dict[bytes, int]:
    """Count how often each text stands in a file of whole lines; a missing file is empty.

    Args:
        file: may be large; it is read in parts that end with a line.
        texts: none with a line feed but at its end.
    """
    found = dict.fromkeys(texts, 0)
    if not file.exists():
        return found
    rest = b""
    with file.open("rb") as opened:
        while block := opened.read(_READ):
            data = rest + block
            whole = data.rfind(b"\n") + 1
            for text in found:
                found[text] += data.count(text, 0, whole)
            rest = data[whole:]
    return found
