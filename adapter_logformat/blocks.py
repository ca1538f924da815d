"""The whole-chunk form of a declared layout: one regex finds header and marked continuation lines of every
record at once.

Records of one line are rendered column by column; joined ones by the very functions of the slow path.
Whatever does not fit (unknown lines, bad times, a record that may not be over yet) is handed back as `Odd`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapter_logformat.grammar import Fast, Odd, Run
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import fold
from adapter_logformat.weaver import FIRST, LEVEL, NUMBER, STAMP, Weaver

if TYPE_CHECKING:
    from adapter_logformat.grammar import Layout

JOINED_LINES: Final = 256
JOINED_CHARACTERS: Final = 32768
"""A joined record above either is left to the slow path, which knows the caps."""

_encode_lines = msgspec.json.Encoder().encode_lines
Row = Sequence[str | None]
Column = Sequence[str | None]
Columns = Sequence[Column]


def texts(column: Sequence[object]) -> list[bytes]:
    """Each value as JSON, escaped in one call for the whole column (a JSON text holds no newline)."""
    return _encode_lines(column).split(b"\n")[:-1]


class _Blocks:
    def __init__(self, layout: "Layout", render: Render) -> None:
        self._layout = layout
        self._render = render
        marks = layout.rule.marks or r"(?!)"
        own = f"(?!{layout.yields})" if layout.yields else ""
        # The continuation is possessive: what a mark took is never given back to be read as a header.
        self._pattern = re.compile(f"^{own}{layout.pattern}(?P<_rest>(?:\n(?:{marks}))*+)\n", re.MULTILINE | re.ASCII)
        self._groups = self._pattern.groupindex
        self._weaver = Weaver(render)
        self._is_special = layout.accept is not None or layout.finish is not None or bool(layout.absent)
        numbers = {word: b"%d" % number for word, number in layout.scale.items()}
        self._numbers = {
            spelled: number for word, number in numbers.items() for spelled in (word, word.lower(), word.title())
        }

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        if b"\r" in chunk or b"\x1b" in chunk:
            return None
        try:
            text = chunk.decode()
        except UnicodeDecodeError:
            return None
        parts = self._pattern.split(text)
        width = len(self._groups) + 1
        if any(parts[0::width]):
            return self._piecewise(text, times, observed)
        # The last record may go on in the next chunk: it is left to the slow path, which can wait.
        rest = parts[-2] or ""
        last = text.rfind("\n", 0, len(text) - 1 - len(rest)) + 1
        columns = [parts[place:-width:width] for place in range(1, width)]
        run = self._run(text[:last], columns, times, observed)
        return None if run is None else [*run, Odd(text[last:].encode())]

    def _piecewise(self, text: str, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        """With unknown lines between the records. The one before them may go on in them: it goes the slow way
        with them."""
        out: list[Run | Odd] = []
        rows: list[Row] = []
        begin = at = last = 0

        def end_run() -> bool:
            if rows:
                rows.pop()
            run = self._run(text[begin:last], list(zip(*rows, strict=True)), times, observed)
            out.extend(run or [])
            return run is not None

        for found in self._pattern.finditer(text):
            if found.start() != at:
                if not end_run():
                    return None
                out.append(Odd(text[last : found.start()].encode()))
                rows, begin = [], found.start()
            last, at = found.start(), found.end()
            rows.append(found.groups())
        if not end_run():
            return None
        out.append(Odd(text[last:].encode()))
        return out

    def _run(self, text: str, columns: Columns, times: Times, observed: str) -> list[Run] | None:
        """The records that make up `text`; `None` when they do not (a group crossed a line), or one is special."""
        if not columns or not columns[0]:
            return None if text else []
        rests, lines, count = columns[-1], text.count("\n"), len(columns[0])
        joined = [bool(rest) for rest in rests]
        several = any(joined)
        if several:
            if count + "".join(filter(None, rests)).count("\n") != lines:
                return None
            plain = list(map(not_, joined))
            written = self._columns([list(compress(column, plain)) for column in columns], times, observed)
        else:
            written = self._columns(columns, times, observed) if count == lines else None
        if written is None:
            return None
        if several:
            blobs = []
            one_by_one = iter(written.split(b"\n"))
            rows = zip(*(compress(column, joined) for column in columns), strict=True)
            for is_joined in joined:
                blob = self._joined(next(rows), times, observed) if is_joined else next(one_by_one) + b"\n"
                if blob is None:
                    return None
                blobs.append(blob)
            written = b"".join(blobs)
        return [Run(written, lines, {self._layout.name: count})]

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

    def _columns(self, columns: Columns, times: Times, observed: str) -> bytes | None:
        """Records of one line each; `None` when one of them is special."""
        layout, count = self._layout, len(columns[0])
        if not count:
            return b""
        found = dict(zip(self._groups, columns, strict=True))
        bodies = found.get("body", ())
        if not all(bodies) and None in bodies:
            return None  # a header alone: only what follows, if anything does, says what it is
        names = [*layout.fields, *layout.resource]
        present = tuple(found[name][0] is not None for name in names)
        stamps = self._stamps(found, times)
        numbers = {word: self._numbers.get(word or "") for word in set(found.get("level", ()))}
        alike = all(
            found[name].count(None) == (0 if there else count) for name, there in zip(names, present, strict=True)
        )
        if stamps is None or not alike or None in numbers.values() or self._is_special:
            return self._one_by_one(columns, times, observed)
        threads: list[Sequence[Any]] = [(), texts(stamps[0]), found.get("level", ()), (), texts(found["body"])]
        for name, there in zip(names, present, strict=True):
            kind = layout.fields[name][1] if name in layout.fields else str
            threads.append(
                () if not there else texts(found[name] if kind is str else [kind(value or "") for value in found[name]])
            )
        levels = {word: (msgspec.json.encode(word), number) for word, number in numbers.items() if number}
        shape = stamps[1], present
        woven = self._weaver.weave(shape, partial(self._holes, *shape), observed, threads, levels, count)
        return self._one_by_one(columns, times, observed) if woven is None else woven

    def _stamps(self, found: Mapping[str, Column], times: Times) -> tuple[list[str], str] | None:
        if "second" in found:
            return times.iso_column(found["second"], found["fraction"], found["zone"])  # type: ignore[arg-type]
        time = self._layout.time
        if time is None:
            return None
        rows = zip(*found.values(), strict=True)
        stamps = [time(times, dict(zip(found, row, strict=True))) for row in rows]
        if None in stamps or len({stamp.assumed for stamp in stamps if stamp}) != 1:
            return None
        return [stamp.text for stamp in stamps if stamp], stamps[0].assumed if stamps[0] else ""

    def _one_by_one(self, columns: Columns, times: Times, observed: str) -> bytes | None:
        out = []
        for row in zip(*columns, strict=True):
            record = self._layout.record(dict(zip(self._groups, row, strict=True)), times)
            if record is None or record.error:
                return None
            out.append(self._render(record, observed))
        return b"".join(out)

    def _holes(self, assumed: str, present: tuple[bool, ...], hole: Callable[[int], Any]) -> Record:
        """A record of this shape with a hole in place of every value."""
        layout = self._layout
        record = Record(layout.name, timestamp=Stamp(hole(STAMP), assumed), body=hole(FIRST))
        if "level" in self._groups:
            record.severity_text, record.severity_number = hole(LEVEL), hole(NUMBER)
        targets = [(record.attributes, attribute) for attribute, _ in layout.fields.values()]
        targets += [(record.resource, attribute) for attribute in layout.resource.values()]
        for number, ((target, attribute), there) in enumerate(zip(targets, present, strict=True), FIRST + 1):
            if there:
                target[attribute] = hole(number)
        return record


def blocks(layout: "Layout", render: Render) -> Fast:
    """The fast form of `layout` for one profile's `render`."""
    return _Blocks(layout, render)
