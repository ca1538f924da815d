"""Many JSON lines at once: decoded in one call, grouped by shape, each group woven through the template of its shape.

A group in which any value is not of the plain kind its key promises (an error object, an odd time) is
rendered record by record with the slow path's own functions, so the bytes are the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from adapter_logformat.blocks import texts
from adapter_logformat.formats import json_app
from adapter_logformat.formats.json_columns import holes, moments, only, token_moments, trace_fits
from adapter_logformat.formats.json_shapes import Shape, learn
from adapter_logformat.formats.json_shapes import columns as shapes_columns
from adapter_logformat.grammar import Odd, Run
from adapter_logformat.moments import SOME_TIME
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times
from adapter_logformat.weaver import FIRST, LEVEL, LOOMS_KEPT, STAMP, Levels, Weaver
from adapter_logformat.wrappers import is_docker

LEARN_EVERY: Final = 8
"""Chunks decoded between two attempts to learn a shape, so that a file without one costs no more than before."""
FEW: Final = 4
"""Below so many objects of one shape a template does not pay."""
PLAIN: Final = ("body", "attribute", "resource")
_NESTED: Final = (b'"{\\"', b"\\u0022", b"\\u007b", b"\\u007B")
"""How `{"` may be written at the beginning of a JSON string."""
Keys = tuple[str, ...]

_decode = msgspec.json.decode
_decode_lines = msgspec.json.Decoder().decode_lines
Fields = dict[str, Any]


class JsonFast:
    """The fast form for one profile."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._opens = b'"of.an":' in render(Record("", attributes={"of": {"an": "object"}}), SOME_TIME)
        """The profile opens objects into keys of the record."""
        self._weaver = Weaver(render)
        self._levels: dict[tuple[str, object], tuple[bytes, bytes]] = {}
        self._shape: Shape | None = None
        self._learn_in = 0
        self._plain_in = 0
        self._levels_of: Shape | None = None
        self._token_pairs: dict[bytes, tuple[bytes, bytes]] = {}

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        """All lines or none: each begins with `{` and ends with `}`, and there are as many objects as lines.

        No object can span such lines: `}` newline `{` is never JSON inside one."""
        run = self._plainly(chunk, times, observed)
        if run is not None:
            return [run]
        lines = chunk.count(b"\n")
        if b"\\" in chunk and any(sign in chunk for sign in _NESTED):
            # Objects inside texts are opened one by one.
            return None
        if chunk[:1] != b"{" or chunk[-2:] != b"}\n" or chunk.count(b"}\n{") != lines - 1:
            return None
        names: Counter[str] = Counter()
        try:
            written = self._by_shape(chunk, lines, times, observed, names) if self._shape is not None else None
            if written is None:
                names.clear()
                written = self._decoded(chunk, lines, times, observed, names)
        except _Special:
            return None
        return [Run(written, lines, names)]

    def _plainly(self, chunk: bytes, times: Times, observed: str) -> Run | None:
        """All lines are clean and of the learned shape; `None` when not."""
        shape = self._shape
        if shape is None or shape.plain is None:
            return None
        self._plain_in -= 1
        if self._plain_in > 0:
            return None
        lines = shape.plain.lines(chunk) if _is_text(chunk) else 0
        tokens = shape.plain.take(chunk, lines) if lines else None
        woven = self._tokens(shape, tokens, lines, times, observed) if tokens is not None else None
        if woven is None:
            self._plain_in = LEARN_EVERY
            return None
        return Run(woven, lines, {shape.plan.dialect: lines})

    def _decoded(self, chunk: bytes, lines: int, times: Times, observed: str, names: Counter[str]) -> bytes:
        """All lines by decoding them; raises `_Special` for what needs the slow path."""
        try:
            objects = _decode_lines(chunk)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise _Special from error
        if len(objects) != lines or not all(objects):
            raise _Special
        written = self._all(objects, times, observed, names)
        if self._shape is None:
            self._learn_in -= 1
            if self._learn_in < 0:
                self._learn_in = LEARN_EVERY
                self._shape = learn(chunk[: chunk.index(b"\n")], objects[0])
        return written

    def _by_shape(self, chunk: bytes, lines: int, times: Times, observed: str, names: Counter[str]) -> bytes | None:
        """Lines of the learned shape as they are written, those between them by decoding; `None`: all by decoding."""
        shape = self._shape
        assert shape is not None
        if not _is_text(chunk):
            return None
        parts = shape.pattern.split(chunk)
        count = len(parts) // shape.width
        if count * 2 < lines:
            self._shape = None  # the file goes on with other lines
            return None
        woven = self._tokens(shape, shapes_columns(shape, parts), count, times, observed)
        if woven is None:
            return None
        names[shape.plan.dialect] += count
        if count == lines:
            return woven
        gaps = parts[:: shape.width]
        others = self._decoded(b"".join(gaps), lines - count, times, observed, names).split(b"\n")
        return _interleaved(woven.split(b"\n"), gaps, others)

    def _tokens(
        self, shape: Shape, tokens: Mapping[str, Sequence[bytes]], count: int, times: Times, observed: str
    ) -> bytes | None:
        """Values as they are written, by their keys; `None` where one needs decoding."""
        woven: list[Sequence[Any]] = [()] * FIRST
        levels: Levels = {}
        assumed = None
        for key, (kind, _) in shape.plan.targets.items():
            column = tokens[key]
            woven.append(() if kind in ("time", "level") else column)
            if kind == "time":
                assumed = ""
                stamps = token_moments(column, times, epoch=shape.epoch)
                if stamps is None:
                    return None
                woven[STAMP] = stamps
            elif kind == "level":
                found = self._token_levels(shape, column)
                if found is None:
                    return None
                woven[LEVEL], levels = column, found
        return self._woven(shape.plan, shape.fields, assumed, shape.own, observed, woven, levels, count)

    def _token_levels(self, shape: Shape, column: Sequence[bytes]) -> Levels | None:
        """Level as it is written → its text and number as they stand in the record."""
        if self._levels_of is not shape:
            self._levels_of, self._token_pairs = shape, {}
        known = self._token_pairs
        for token in set(column).difference(known):
            value = _decode(token)
            level = self._level(shape.plan, value) if self._of_plan(shape, value) else None
            if level is None or len(known) > LOOMS_KEPT:
                return None
            known[token] = level
        return known

    def _of_plan(self, shape: Shape, level: object) -> bool:
        """Does a level of this kind lead to the plan that the shape was learned with?"""
        return (
            json_app.plan(dict.fromkeys(shape.fields) | {"level": level}) == shape.plan
            if "level" in shape.fields
            else True
        )

    def _all(self, objects: list[Fields], times: Times, observed: str, names: Counter[str]) -> bytes:
        shapes = list(map(tuple, objects))
        if any(map(is_docker, set(shapes))):
            raise _Special
        if shapes.count(shapes[0]) == len(shapes):
            return self._group(shapes[0], objects, times, observed, names)
        numbers: dict[Keys, int] = {}
        numbered = [numbers.setdefault(shape, len(numbers)) for shape in shapes]
        groups: list[list[Fields]] = [[] for _ in numbers]
        for number, fields in zip(numbered, objects, strict=True):
            groups[number].append(fields)
        lines = [
            iter(self._group(shape, group, times, observed, names).split(b"\n"))
            for shape, group in zip(numbers, groups, strict=True)
        ]
        # Each group is in the order of the input, so drawing from them by turns restores it.
        return b"\n".join([*map(next, map(lines.__getitem__, numbered)), b""])

    def _group(self, shape: Keys, objects: list[Fields], times: Times, observed: str, names: Counter[str]) -> bytes:
        """The lines of objects with the same keys; raises `_Special` for a record that needs the text of its line."""
        if len(objects) >= FEW:
            written = self._columns(shape, objects, times, observed, names)
            if written is not None:
                return written
        out = []
        for fields in objects:
            record = json_app.record(fields, times)
            if record.error:
                raise _Special
            names[record.format] += 1
            out.append(self._render(record, observed))
        return b"".join(out)

    def _columns(
        self, shape: Keys, objects: list[Fields], times: Times, observed: str, names: Counter[str]
    ) -> bytes | None:
        """The same column by column; `None` where one value is not of the plain kind that its key promises."""
        count = len(objects)
        values = dict(zip(shape, zip(*map(dict.values, objects), strict=True), strict=True))
        plan = json_app.plan(objects[0])
        if plan.shape:
            return None
        if not self._same_plan(values.get("level")):
            return None
        columns: list[Sequence[Any]] = [()] * FIRST
        pairs: dict[object, tuple[bytes, bytes]] = {}
        assumed = None
        own: list[str] = []
        for key, (kind, target) in plan.targets.items():
            column = values[key]
            columns.append(())
            if kind == "own" and self._makes_keys(column):
                return None
            if kind == "own" or (kind in PLAIN and only(column, json_app.ATTRIBUTE_TYPES.get(target, str))):
                columns[-1] = texts(column)
            elif kind == "trace":
                fits = trace_fits(column, json_app.TRACE_DIGITS[target])
                if fits is None or (not fits and self._makes_keys(column)):
                    return None
                columns[-1] = texts(list(map(str.lower, column)) if fits else column)
                if not fits:
                    own.append(key)
            elif kind == "time":
                stamps = moments(column, times)
                if stamps is None:
                    return None
                columns[STAMP], assumed = stamps
            elif kind == "level" and (only(column, str) or only(column, int)):
                levels = {level: self._level(plan, level) for level in set(column)}
                if None in levels.values():
                    return None
                columns[LEVEL], pairs = column, {level: pair for level, pair in levels.items() if pair}
            else:
                return None
        woven = self._woven(plan, shape, assumed, tuple(own), observed, columns, pairs, count)
        if woven is not None:
            names[plan.dialect] += count
        return woven

    def _makes_keys(self, column: Sequence[Any]) -> bool:
        """Does an object among values that stay the app's own become keys of the record?"""
        return self._opens and any(isinstance(value, dict) for value in column)

    def _woven(
        self, plan: json_app.Plan, fields: Keys, assumed: str | None, own: Keys, observed: str,
        columns: Sequence[Sequence[Any]], levels: Levels, count: int,
    ) -> bytes | None:  # fmt: skip
        shape = (plan.dialect, fields, assumed, own)
        return self._weaver.weave(shape, partial(holes, plan, assumed, own), observed, columns, levels, count)

    def _same_plan(self, levels: Sequence[object] | None) -> bool:
        """The plan leans on the kind of the level; all of them must be of one kind."""
        if levels is None:
            return True
        if set(map(type, levels)) == {str}:
            levels = tuple(set(levels))
        return len({level.isupper() if isinstance(level, str) else type(level) for level in levels}) == 1

    def _level(self, plan: json_app.Plan, value: object) -> tuple[bytes, bytes] | None:
        key = (plan.dialect, value)
        known = self._levels.get(key)
        if known is None:
            found = json_app.severity(plan.scale, value)
            if found is None or found[1] is None or not found[0] or len(self._levels) > LOOMS_KEPT:
                return None
            known = self._levels[key] = msgspec.json.encode(found[0]), b"%d" % found[1]
        return known


def _is_text(chunk: bytes) -> bool:
    if chunk.isascii():
        return True
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return True


def _interleaved(woven: list[bytes], gaps: Sequence[bytes], others: list[bytes]) -> bytes:
    """Both in the order of the input: gap i stands before line i of those woven."""
    out: list[bytes] = []
    at = 0
    for number, gap in enumerate(gaps):
        if gap:
            end = at + gap.count(b"\n")
            out += others[at:end]
            at = end
        if number < len(woven) - 1:
            out.append(woven[number])
    return b"\n".join([*out, b""])


class _Special(Exception):
    """A record of which the slow path keeps the original line."""
