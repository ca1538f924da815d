"""Rendering many records of one shape at once: a record with holes is rendered once, then columns are woven through it.

The template comes out of the profile's own `render`, so the fast path cannot differ from the slow one in form. What may
stand in a column is the caller's promise: JSON text of the kind the hole was made for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from adapter_logformat.profiles import Render
from adapter_logformat.record import Record

_HOLE = re.compile(rb"\x00(\d+)\x00")
_KEY = re.compile(rb',"[^"]+":\[?"?\Z')


def text_hole(number: int) -> msgspec.Raw:
    """Stands for the inside of a JSON string that needs no escaping."""
    return msgspec.Raw(b'"\x00%d\x00"' % number)


def json_hole(number: int) -> msgspec.Raw:
    """Stands for one whole JSON value."""
    return msgspec.Raw(b"\x00%d\x00" % number)


@dataclass(frozen=True, slots=True)
class Template:
    """Constant pieces and the column that goes between each two: `pieces[0] column[order[0]] pieces[1] …`."""

    pieces: tuple[bytes, ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, record: Record, observed: object, render: Render) -> "Template":
        """`record` holds holes instead of values; each hole number may occur more than once, or not at all."""
        parts = _HOLE.split(render(record, observed))  # type: ignore[arg-type]  # holes stand in for strings
        return cls(tuple(parts[0::2]), tuple(int(number) for number in parts[1::2]))

    def loose(self, number: int) -> "Template":
        """The template whose hole `number` takes the whole text `,"key":"value"` (see `key_of`), or nothing."""
        at = self.order.index(number)
        before, after = self.key_of(number)
        pieces = list(self.pieces)
        pieces[at] = pieces[at][: -len(before)]
        pieces[at + 1] = pieces[at + 1][len(after) :]
        return Template(tuple(pieces), self.order)

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

    def key_of(self, number: int) -> tuple[bytes, bytes]:
        """What stands around hole `number` and belongs to it alone: `,"key":"` and `"`."""
        key = _KEY.search(self.pieces[self.order.index(number)])
        if key is None:
            raise ValueError(f"hole {number} is not the value of a key that may be left out")
        opened = key[0][key[0].rindex(b":") + 1 :]
        return key[0], opened[::-1].replace(b"[", b"]")


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
