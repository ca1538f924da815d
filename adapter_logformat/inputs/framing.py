"""Messages out of bytes that came over a socket (RFC 5426, RFC 6587). Pure: bytes in, pieces out.

A syslog message may hold newlines where its frame says where it ends: in a datagram, or counted by octets. Everything
else is lines.
"""

import re
from dataclasses import dataclass
from typing import Final

LONGEST_COUNT: Final = 8
"""Digits of an octet count; a longer number is no count."""
_COUNTED: Final = re.compile(rb"[1-9]\d{0,7} <\d{1,3}>")
_MAYBE: Final = re.compile(rb"[1-9]\d{0,7}(?: (?:<(?:\d{1,3})?)?)?\Z")
_PRI: Final = re.compile(rb"<\d{1,3}>")


@dataclass(frozen=True, slots=True)
class Piece:
    """`data` as bytes of lines (any cut), or, where `message`, as exactly one record."""

    data: bytes
    message: bool = False


def datagram(data: bytes) -> Piece:
    """One datagram: a syslog message is one record with all its newlines, anything else whole lines."""
    bare = data.rstrip(b"\n\x00")
    if b"\n" in bare and _PRI.match(bare):
        return Piece(bare, message=True)
    return Piece(bare + b"\n")


class Framing:
    """One stream connection. Octet counting (RFC 6587, 3.4.1) where it begins like that, else newlines (3.4.2).

    A count that is none ends the counting for this connection: `broken` is set, and what follows is lines, so that
    nothing is lost. A message longer than `longest` is handed on in lines too."""

    def __init__(self, longest: int) -> None:
        self.broken = False
        self._longest = longest
        self._counting: bool | None = None
        self._held = b""

    def feed(self, data: bytes) -> list[Piece]:
        """The pieces that `data` completes."""
        if not data:
            return []
        if self._counting is False:
            return [Piece(data)]
        held, self._held = self._held + data, b""
        if self._counting is None:
            self._counting = self._decided(held)
            if self._counting is None:
                self._held = held
                return []
            if not self._counting:
                return [Piece(held)]
        return self._counted(held)

    def _decided(self, held: bytes) -> bool | None:
        if _COUNTED.match(held):
            return True
        return None if _MAYBE.match(held) else False

    def _counted(self, held: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        at = 0
        while at < len(held):
            space = held.find(b" ", at, at + LONGEST_COUNT + 1)
            digits = held[at:space] if space >= 0 else held[at:]
            good = digits.isdigit() and not digits.startswith(b"0") and len(digits) <= LONGEST_COUNT
            if not good or (space >= 0 and int(digits) > self._longest):
                self.broken, self._counting = True, False
                pieces.append(Piece(held[at:]))
                return pieces
            end = space + 1 + int(digits) if space >= 0 else len(held) + 1
            if end > len(held):
                break
            message = held[space + 1 : end].rstrip(b"\n")
            pieces.append(Piece(message, message=True) if b"\n" in message else Piece(message + b"\n"))
            at = end
        self._held = held[at:]
        return pieces

    def end(self) -> list[Piece]:
        """The connection is over: an unfinished message is what there is of it."""
        held, self._held = self._held, b""
        return [Piece(held)] if held else []
