"""Readable output on a terminal of 80 columns or a pipe: steps, facts, wrapped blocks and tables."""

import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

WIDEST = 100
NARROWEST = 40
GREEN, RED, BOLD, DIM, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Terminal:
    """Writes lines to `stream`, none longer than its width; colours only where `colours` says so."""

    def __init__(self, stream: TextIO, *, columns: int = 80, colours: bool = False) -> None:
        self._stream = stream
        self._colours = colours
        self.width = max(NARROWEST, min(columns, WIDEST))

    @classmethod
    def on(cls, stream: TextIO, *, colours: bool) -> "Terminal":
        """A terminal for this stream as it is: a TTY of some width, or a pipe, which never gets colours."""
        if not stream.isatty():
            return cls(stream)
        columns = os.get_terminal_size(stream.fileno()).columns or 80
        return cls(stream, columns=columns, colours=colours)

    def step(self, text: str) -> None:
        """The heading of what comes next."""
        self._write("")
        for line in self._wrapped(text, ""):
            self._write(self._in(BOLD, line))

    def gap(self) -> None:
        """An empty line."""
        self._write("")

    def say(self, text: str) -> None:
        """A fact below the heading."""
        for line in self._wrapped(text, "  "):
            self._write(line)

    def verdict(self, good: bool, text: str, numbers: str = "") -> None:
        """A claim, marked as holding or not."""
        mark = self._in(GREEN, "  ok  ") if good else self._in(RED, "  NO  ")
        dots = " " + "." * max(1, 40 - len(text)) + " " if numbers else ""
        first, *rest = textwrap.wrap(f"{text}{dots}{numbers}", self.width - 6)
        self._write(mark + first)
        for line in rest:
            self._write("      " + line)

    def block(self, text: str, most_lines: int = 20) -> None:
        """Verbatim text, its long lines broken, its many lines cut."""
        room = self.width - 4
        lines = [
            line[at : at + room] for line in text.expandtabs(4).splitlines() for at in range(0, len(line) or 1, room)
        ]
        for line in lines[:most_lines]:
            self._write("    " + self._in(DIM, line))
        if len(lines) > most_lines:
            self._write(f"    … {len(lines) - most_lines} lines more")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns: the first one to the left, numbers to the right; the last row stands below a rule."""
        cells = [[str(cell) for cell in row] for row in rows]
        widths = [max(len(row[n]) for row in [list(heads), *cells]) for n in range(len(heads))]
        rule = ["-" * width for width in widths]
        for row in [list(heads), rule, *cells[:-1], rule, *cells[-1:]]:
            first, *numbers = [
                cell.ljust(width) if n == 0 else cell.rjust(width)
                for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self._write("  " + "  ".join([first, *numbers]))

    def final(self, good: bool, text: str) -> None:
        """The last word."""
        self._write("")
        self._write(self._in(GREEN if good else RED, text))

    def _wrapped(self, text: str, indent: str) -> list[str]:
        return textwrap.wrap(text, self.width, initial_indent=indent, subsequent_indent=indent) or [indent]

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colours else text

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()
