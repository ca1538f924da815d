"""The whole-chunk form of a declared layout: one regex finds header and marked continuation lines of every record at once.

Records of one line are rendered column by column; joined ones by the very functions of the slow path. Whatever does not fit
(unknown lines, bad times, a record that may not be over yet) is handed back as `Odd`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapter_logformat.grammar import Fast, Odd, Run
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.template import Loom, Template, json_hole, text_hole
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import fold

if TYPE_CHECKING:
    from adapter_logformat.grammar import Layout

JOINED_LINES: Final = 256
JOINED_CHARACTERS: Final = 32768
"""A joined record above either is left to the slow path, which knows the caps."""

_encode_lines = msgspec.json.Encoder().encode_lines
Row = Sequence[str | None]


def texts(column: Sequence[object]) -> list[bytes]:
    """Each value as JSON, escaped in one call for the whole column (a JSON text holds no newline)."""
    return _encode_lines(column).split(b"\n")[:-1]


class _Blocks:
    def __init__(self, layout: "Layout", render: Render) -> None:
        self._layout = layout
        self._render = render
        marks = layout.rule.marks or r"(?!)"
        # The continuation is possessive: what a mark took is never given back to be read as a header.
        self._pattern = re.compile(f"^{layout.pattern}(?P<_rest>(?:\n(?:{marks}))*+)\n", re.MULTILINE | re.ASCII)
        self._groups = self._pattern.groupindex
        self._looms: dict[tuple[str, tuple[bool, ...]], Loom] = {}
        numbers = {word: b"%d" % number for word, number in layout.scale.items()}
        self._numbers = {spelled: number for word, number in numbers.items() for spelled in (word, word.lower(), word.title())}

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        if b"\r" in chunk:
            return None
        try:
            text = chunk.decode()
        except UnicodeDecodeError:
            return None
        out: list[Run | Odd] = []
        rows: list[Row] = []
        begin = at = last = 0
        for found in self._pattern.finditer(text):
            if found.start() != at:
                # The record before unknown lines may go on in them: it goes the slow way with them.
                if rows:
                    rows.pop()
                if not self._run(text[begin:last], rows, times, observed, out):
                    return None
                out.append(Odd(text[last : found.start()].encode()))
                rows, begin = [], found.start()
            last, at = found.start(), found.end()
            rows.append(found.groups())
        if rows:
            rows.pop()
        if not self._run(text[begin:last], rows, times, observed, out):
            return None
        out.append(Odd(text[last:].encode()))
        return out

    def _run(self, text: str, rows: list[Row], times: Times, observed: str, out: list[Run | Odd]) -> bool:
        """Adds the rows that make up `text`; False when they do not (a group crossed a line) or a row is special."""
        if not rows:
            return not text
        lines = text.count("\n")
        joined = [row for row in rows if row[-1]]
        if len(rows) + sum(row[-1].count("\n") for row in joined if row[-1]) != lines:
            return False
        plain = rows if not joined else [row for row in rows if not row[-1]]
        written = self._columns(plain, times, observed)
        if written is None:
            return False
        if joined:
            one_by_one = iter(written.split(b"\n"))
            blobs = []
            for row in rows:
                if row[-1]:
                    blob = self._joined(row, times, observed)
                    if blob is None:
                        return False
                    blobs.append(blob)
                else:
                    blobs.append(next(one_by_one) + b"\n")
            written = b"".join(blobs)
        out.append(Run(written, lines, Counter({self._layout.name: len(rows)})))
        return True

    def _joined(self, row: Row, times: Times, observed: str) -> bytes | None:
        rest = row[-1] or ""
        if rest.count("\n") > JOINED_LINES or sum(map(len, filter(None, row))) > JOINED_CHARACTERS:
            return None
        record = self._layout.record(dict(zip(self._groups, row, strict=True)), times)
        if record is None or record.error:
            return None
        lines = rest.split("\n")[1:]
        fold(record, "", lines)
        return self._render(record, observed)

    def _columns(self, rows: list[Row], times: Times, observed: str) -> bytes | None:
        if not rows:
            return b""
        layout, count = self._layout, len(rows)
        if layout.accept is not None:
            return self._one_by_one(rows, times, observed)
        found = dict(zip(self._groups, zip(*rows, strict=True), strict=True))
        stamps = self._stamps(found, times)
        names = [*layout.fields, *layout.resource]
        present = tuple(found[name][0] is not None for name in names)
        assumed = {stamp.assumed for stamp in stamps if stamp}
        uniform = all(found[name].count(None) == (0 if there else count) for name, there in zip(names, present, strict=True))
        numbers = [self._numbers.get(word) for word in found["level"]] if "level" in found else []
        if None in stamps or len(assumed) != 1 or not uniform or None in numbers:
            return self._one_by_one(rows, times, observed)
        key = (assumed.pop(), present)
        if key not in self._looms:
            self._looms[key] = Loom(Template.of(self._holes(*key), text_hole(0), self._render))
        columns: list[Sequence[bytes]] = [
            [observed.encode()] * count,
            [stamp.text.encode() for stamp in stamps if stamp],
            texts(found["level"]) if numbers else (),
            [number for number in numbers if number],
            texts(found["body"]),
        ]
        for name, there in zip(names, present, strict=True):
            exact = name in layout.fields and layout.fields[name][1] is int
            columns.append(() if not there else texts([int(v or 0) for v in found[name]] if exact else found[name]))
        return self._looms[key].weave(columns, count)

    def _stamps(self, found: dict[str, tuple[str | None, ...]], times: Times) -> list[Stamp | None]:
        if "second" in found:
            return list(map(times.iso, found["second"], found["fraction"], found["zone"]))  # type: ignore[arg-type]
        keys, time = list(found), self._layout.time
        rows = zip(*found.values(), strict=True)
        return [time(times, dict(zip(keys, row, strict=True))) if time else None for row in rows]

    def _one_by_one(self, rows: list[Row], times: Times, observed: str) -> bytes | None:
        out = []
        for row in rows:
            record = self._layout.record(dict(zip(self._groups, row, strict=True)), times)
            if record is None or record.error:
                return None
            out.append(self._render(record, observed))
        return b"".join(out)

    def _holes(self, assumed: str, present: tuple[bool, ...]) -> Record:
        """A record of this shape with a hole in place of every value."""
        holes: Any = [text_hole(1), *(json_hole(number) for number in range(2, 5 + len(present)))]
        layout = self._layout
        record = Record(layout.name, timestamp=Stamp(holes[0], assumed), body=holes[3])
        if "level" in self._groups:
            record.severity_text, record.severity_number = holes[1], holes[2]
        targets = [(record.attributes, attribute) for attribute, _ in layout.fields.values()]
        targets += [(record.resource, attribute) for attribute in layout.resource.values()]
        for (target, attribute), there, hole in zip(targets, present, holes[4:], strict=True):
            if there:
                target[attribute] = hole
        return record


def blocks(layout: "Layout", render: Render) -> Fast:
    """The fast form of `layout` for one profile's `render`."""
    return _Blocks(layout, render)
