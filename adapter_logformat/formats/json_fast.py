"""Many JSON lines at once: decoded in one call, grouped by shape, each group woven through the template of its shape.

A group in which any value is not of the plain kind its key promises (an error object, an odd time) is rendered record by record
with the slow path's own functions, so the bytes are the same.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from adapter_logformat.blocks import texts
from adapter_logformat.formats import json_app
from adapter_logformat.grammar import Odd, Run
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.template import Loom, Template, json_hole, text_hole
from adapter_logformat.timestamps import Times

OBSERVED, STAMP, LEVEL, NUMBER, FIRST = range(5)
LOOMS_KEPT = 256

_decode_lines = msgspec.json.Decoder().decode_lines
Fields = dict[str, Any]


class JsonFast:
    """The fast form for one profile."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._looms: dict[tuple[object, ...], Loom] = {}

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        """All lines or none: each begins with `{` and ends with `}`, and there are as many objects as lines.

        No object can span such lines: `}` newline `{` is never JSON inside one."""
        lines = chunk.count(b"\n")
        if chunk[:1] != b"{" or chunk[-2:] != b"}\n" or chunk.count(b"}\n{") != lines - 1:
            return None
        try:
            objects = _decode_lines(chunk)
        except (msgspec.DecodeError, RecursionError, ValueError):
            return None
        if len(objects) != lines or not all(objects):
            return None
        shapes = list(map(tuple, objects))
        names: Counter[str] = Counter()
        if shapes.count(shapes[0]) == lines:
            return [Run(self._group(shapes[0], objects, times, observed, names), lines, names)]
        places: dict[tuple[str, ...], list[int]] = {}
        for place, shape in enumerate(shapes):
            places.setdefault(shape, []).append(place)
        out: list[bytes] = [b""] * lines
        for shape, found in places.items():
            written = self._group(shape, [objects[place] for place in found], times, observed, names)
            for place, line in zip(found, written.split(b"\n"), strict=False):
                out[place] = line
        return [Run(b"\n".join([*out, b""]), lines, names)]

    def _group(self, shape: tuple[str, ...], objects: list[Fields], times: Times, observed: str, names: Counter[str]) -> bytes:
        if len(objects) >= 4:
            written = self._columns(shape, objects, times, observed, names)
            if written is not None:
                return written
        out = []
        for fields in objects:
            record = json_app.record(fields, times)
            if record.error:
                # The slow path keeps the original of such a line, which is not at hand here.
                raise _Special
            names[record.format] += 1
            out.append(self._render(record, observed))
        return b"".join(out)

    def _columns(
        self, shape: tuple[str, ...], objects: list[Fields], times: Times, observed: str, names: Counter[str]
    ) -> bytes | None:
        return None


class _Special(Exception):
    pass
