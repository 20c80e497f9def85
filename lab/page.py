"""A stream that is printed on: labelled lines and rules, coloured on a terminal, plain elsewhere.

``NO_COLOR`` is respected. Outside a terminal lines have a width of their own and no blanks at their
ends.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Final

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

_PLAIN_WIDTH: Final = 110  # columns where there is no terminal to ask
_INDENT: Final = 4
_LABEL: Final = 11


class Page:
    """What is printed on.

    Attributes:
        stream: the stream.
        console: rich's, on the same stream.
    """

    def __init__(self, file: IO[str], *, picture: bool = False) -> None:
        """Print on ``file``.

        Args:
            file: a terminal or any text stream.
            picture: keep what is shown, for :meth:`svg`.
        """
        self.stream = file
        self.console = Console(file=file, highlight=False, record=picture)
        if not self.console.is_terminal:
            self.console = Console(
                file=file,
                highlight=False,
                width=_PLAIN_WIDTH,
                no_color=None if picture else True,
                force_terminal=picture or None,
                record=picture,
            )
        self._plain = self.console.no_color and not self.console.is_terminal

    def heading(self, text: str) -> None:
        """Print an empty line and a title with a rule behind it."""
        self.print("")
        self.print(Rule(Text(f" {text} ", "bold"), align="left", style="cyan"))

    def verdict(self, text: str, *, green: bool) -> None:
        """Print a last line below a rule."""
        style = "bold green" if green else "bold red"
        self.print("")
        self.print(Rule(style=style))
        self.print(Text(text, style))

    def line(self, label: str, text: str, style: str = "") -> None:
        """Print a label and a text beside it, which keeps its column when it is wrapped."""
        row = Table.grid(padding=0)
        row.add_column(width=_INDENT + _LABEL, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(" " * _INDENT + label, "dim"), Text(text, style))
        self.print(row)

    def print(self, what: RenderableType) -> None:
        """Print; outside a terminal without the blanks that fill its lines up."""
        if not self._plain:
            self.console.print(what)
            return
        with self.console.capture() as captured:
            self.console.print(what)
        for line in captured.get().splitlines():
            self.stream.write(f"{line.rstrip()}\n")

    def svg(self, title: str) -> str:
        """Return what was shown as a picture that loads nothing from elsewhere."""
        picture = self.console.export_svg(title=title)
        return re.sub(r"@font-face\s*\{.*?\}", "", picture, flags=re.DOTALL)
