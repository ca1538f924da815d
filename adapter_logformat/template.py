"""Rendering many records of one shape at once: a record with holes is rendered once, then columns are woven through it.

The template comes out of the profile's own `render`, so the fast path cannot differ from the slow one in form. What may
stand in a column is the caller's promise: JSON text of the kind the hole was made for. What an app wrote stands among
the constants too, so a hole is known by a number that is drawn anew for each process and never leaves it.
"""

import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import msgspec

from adapter_logformat.profiles import Render
from adapter_logformat.record import Record

_MARK: Final = 10**15 + secrets.randbelow(9 * 10**15)
"""16 digits: with two more they still are a number of 64 bits."""
_REAL: Final = 10**11 + secrets.randbelow(9 * 10**11)
"""12 digits: with three more behind the point they come back from a double as they were."""
_HOLE: Final = re.compile(rb"\x00%d(\d+)\x00|\\u0000%d(\d+)\\u0000|%d(\d\d)|%d\.(\d\d)5" % (_MARK, _MARK, _MARK, _REAL))
"""Whatever a profile made of a hole; its number is the last group."""
_MARKED: Final = re.compile(rb"\x00(\d+)\x00")


def text_hole(number: int) -> msgspec.Raw:
    """Stands for the inside of a JSON string that needs no escaping."""
    return msgspec.Raw(b'"\x00%d%d\x00"' % (_MARK, number))


def json_hole(number: int) -> msgspec.Raw:
    """Stands for one whole JSON value."""
    return msgspec.Raw(b"\x00%d%d\x00" % (_MARK, number))


def typed_text(number: int) -> str:
    """`text_hole` for profiles that look at the type of a value."""
    return f"\0{_MARK}{number:02d}\0"


def typed_number(number: int) -> int:
    """Stands for a whole number, for such profiles. `number` has at most two digits."""
    return _MARK * 100 + number


def typed_real(number: int) -> float:
    """Stands for a number with a fraction, for such profiles. `number` has at most two digits."""
    return float(f"{_REAL}.{number:02d}5")


def marked(written: bytes) -> bytes:
    """A rendered record with its holes all alike: the number between two NULs, of which JSON holds none."""
    return _HOLE.sub(lambda found: b"\0%b\0" % found[found.lastindex or 0], written)


def mark(number: int) -> bytes:
    """A hole in what `marked` gives."""
    return b"\0%02d\0" % number


@dataclass(frozen=True, slots=True)
class Template:
    """Constant pieces and the column that goes between each two: `pieces[0] column[order[0]] pieces[1] …`."""

    pieces: tuple[bytes, ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, record: Record, observed: object, render: Render) -> "Template":
        """`record` holds holes instead of values; each hole number may occur more than once, or not at all."""
        return cls.parsed(marked(render(record, observed)))  # type: ignore[arg-type]  # holes stand in for strings

    @classmethod
    def parsed(cls, text: bytes) -> "Template":
        """`text` as `marked` gives it."""
        parts = _MARKED.split(text)
        return cls(tuple(parts[::2]), tuple(map(int, parts[1::2])))

    def unquoted(self, numbers: Collection[int]) -> "Template":
        """The template whose holes `numbers` bring their quotes along where they have any: whole JSON strings."""
        pieces = list(self.pieces)
        for at, number in enumerate(self.order):
            if number in numbers and pieces[at].endswith(b'"') and pieces[at + 1].startswith(b'"'):
                pieces[at], pieces[at + 1] = pieces[at][:-1], pieces[at + 1][1:]
        return Template(tuple(pieces), self.order)

    def loose(self, numbers: Sequence[int], without: Callable[[Sequence[int]], "Template"]) -> "Template":
        """The template whose holes `numbers` take a whole text as `around` gives it (`,"key":"value"`), or nothing;
        `without` gives the templates that lack some of them. ValueError where leaving out one changes more."""
        found = {number: self.around(number, without((number,))) for number in numbers}
        pieces = list(self.pieces)
        for number, (before, after) in found.items():
            at = self.order.index(number)
            if not pieces[at].endswith(before) or not pieces[at + 1].startswith(after):
                raise ValueError(f"hole {number} shares its key")
            pieces[at] = pieces[at].removesuffix(before)
            pieces[at + 1] = pieces[at + 1].removeprefix(after)
        made = Template(tuple(pieces), self.order)
        for count in range(1, len(found) + 1):
            for missing in combinations(found, count):
                if made._filled(found, missing) != without(missing)._filled({}, ()):
                    raise ValueError(f"holes {missing} cannot be left out together")
        return made

    def _filled(self, found: Mapping[int, tuple[bytes, bytes]], missing: Sequence[int]) -> bytes:
        """With the numbers of its holes, and what comes with them, in place of values."""
        filled = [self.pieces[0]]
        for number, piece in zip(self.order, self.pieces[1:], strict=True):
            before, after = found.get(number, (b"", b""))
            filled.append(b"" if number in missing else b"%b\0%d\0%b" % (before, number, after))
            filled.append(piece)
        return b"".join(filled)

    def around(self, number: int, without: "Template") -> tuple[bytes, bytes]:
        """What stands around hole `number` and is gone in the template `without` it: `,"key":"` and `"`."""
        at = self.order.index(number)
        before, after, between = self.pieces[at], self.pieces[at + 1], without.pieces[at]
        for end in range(len(between) + 1):
            # Of several cuts that say the same, the one before a comma.
            fits = before.startswith(between[:end]) and after.endswith(between[end:])
            if fits and before[end : end + 1] == b",":
                return before[end:], after.removesuffix(between[end:])
        raise ValueError(f"hole {number} has no key that may be left out")

    def spanning(self, first: int, last: int) -> "tuple[Template, bytes]":
        """The template whose hole `first` takes what stood from hole `first` to the next one, `last`; and the constant
        piece between the two."""
        at = self.order.index(first)
        if self.order[at + 1] != last:
            raise ValueError(f"hole {last} does not follow hole {first}")
        pieces, order = list(self.pieces), list(self.order)
        between = pieces.pop(at + 1)
        del order[at + 1]
        return Template(tuple(pieces), tuple(order)), between


def spelling(place: Callable[[Any], tuple[Record, str]], hole: object, render: Render) -> Callable[[Any], bytes]:
    """How a profile writes a value: what stands in a record of its own where `place` puts it."""
    begin, end = Template.of(*place(hole), render).pieces

    def spelled(value: Any) -> bytes:
        written = render(*place(value))
        return written[len(begin) : len(written) - len(end)]

    return spelled


Threads = bytes | Sequence[bytes]
"""A column: one text for each record, or one text that all have."""


class Loom:
    """Weaves columns through one template."""

    def __init__(self, template: Template) -> None:
        self._order = template.order
        self._first, *self._pieces = template.pieces

    def weave(self, columns: Sequence[Threads], rows: int) -> bytes:
        """`rows` records: row i of column k stands in every hole k."""
        if not rows:
            return b""
        row = [self._first]
        threads = []
        for number, piece in zip(self._order, self._pieces, strict=True):
            column = columns[number]
            if not isinstance(column, bytes):
                threads.append((len(row), column))
                row += (b"", piece)
            else:
                row[-1] += column + piece
        if not threads:
            return row[0] * rows
        # What ends one record and what begins the next are one piece: each ends with a newline, so there is one.
        first, last = row[0], row.pop()
        row[0] = last + first
        out = row * rows
        for place, column in threads:
            out[place :: len(row)] = column
        out[0] = first
        out.append(last)
        return b"".join(out)
