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

    def key_of(self, number: int) -> tuple[bytes, bytes]:
        """What stands around hole `number` and belongs to it alone: `,"key":"` and `"`."""
        key = _KEY.search(self.pieces[self.order.index(number)])
        if key is None:
            raise ValueError(f"hole {number} is not the value of a key that may be left out")
        opened = key[0][key[0].rindex(b":") + 1 :]
        return key[0], opened[::-1].replace(b"[", b"]")


class Loom:
    """Weaves columns through one template; keeps the constant threads of earlier chunks laid out."""

    def __init__(self, template: Template) -> None:
        self._order = template.order
        first, *inner, last = template.pieces
        row = [last + first, b""]
        for piece in inner:
            row += [piece, b""]
        self._row, self._first, self._last = row, first, last
        self._laid: list[bytes] = []

    def weave(self, columns: Sequence[Sequence[bytes]], rows: int) -> bytes:
        """`rows` records: row i of column k stands in every hole k."""
        if not rows:
            return b""
        width = len(self._row)
        if len(self._laid) < rows * width:
            self._laid = self._row * rows
        out = self._laid[: rows * width]
        for place, number in enumerate(self._order):
            out[2 * place + 1 :: width] = columns[number]
        out[0] = self._first
        out.append(self._last)
        return b"".join(out)
