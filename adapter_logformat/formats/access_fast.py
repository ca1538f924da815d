"""Many access lines at once: the chunk is split by one regex of `access_shapes`, its columns are converted and woven
through a template.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from adapter_logformat.formats import access
from adapter_logformat.formats.access_shapes import (
    AGENT,
    EXTRA,
    OBSERVED,
    PATH,
    QUERY,
    REFERER,
    SEVERITY,
    SIZE,
    STATUS,
    TIME,
    USER,
    Columns,
    Shape,
)
from adapter_logformat.grammar import Odd, Run
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import of_status
from adapter_logformat.template import spelling, typed_number, typed_text
from adapter_logformat.timestamps import CACHE_LIMIT, Times

_ORDINARY: Final = bytes(set(range(32, 127)) - set(b'"\\'))
"""Printable ASCII that means nothing to JSON. Without it a chunk of clean lines is quotes and newlines, and nothing
else."""
PLAIN_AGAIN_IN: Final = 8
"""Chunks until the plain pattern is tried again after one that it did not fit."""
SOME_TIME: Final = "2000-01-01T00:00:00Z"


class _Severities(dict[bytes, bytes]):
    def __init__(self, spelled: Callable[[int], bytes]) -> None:
        self._spelled = spelled

    def __missing__(self, status: bytes) -> bytes:
        self[status] = number = self._spelled(of_status(int(status)))
        return number


class _Moments(dict[bytes, bytes]):
    """The common log format's time as the profile writes it; `KeyError` for no moment."""

    def __init__(self, spelled: Callable[[str], bytes]) -> None:
        self._spelled = spelled
        self.read: Mapping[bytes, bytes] = {}

    def __missing__(self, text: bytes) -> bytes:
        moment = self._spelled(self.read[text].decode())
        if len(self) >= CACHE_LIMIT:
            self.clear()
        self[text] = moment
        return moment


class _Extras(dict[bytes, bytes]):
    """Further fields as JSON; `KeyError` for those of a reverse proxy's own layout."""

    def __missing__(self, text: bytes) -> bytes:
        if access.is_proxys(f'"{text.decode()}'):
            raise KeyError(text)
        if len(self) > 4096:
            self.clear()
        self[text] = found = msgspec.json.encode(access.extras(text.decode()))
        return found


class AccessFast:
    """The fast form for one profile; it follows the variant of each chunk's first line."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._shapes: dict[tuple[str, bool], Shape] = {}
        self._shape: Shape | None = None
        self._plain_in = 0
        record = partial(Record, "")
        self._severities = _Severities(
            spelling(lambda number: (record(severity_number=number), SOME_TIME), typed_number(SEVERITY), render)
        )
        spelled = spelling(lambda text: (record(Stamp(text, "")), SOME_TIME), typed_text(TIME), render)
        self._moments = _Moments(spelled) if spelled(SOME_TIME) != SOME_TIME.encode() else None
        self._keeps_lists = b'["a"]' in render(record(attributes={"app.extra": ["a"]}), SOME_TIME)
        self._observed = spelling(lambda text: (record(Stamp(SOME_TIME, "")), text), typed_text(OBSERVED), render)
        self._extras = _Extras()
        self._keys: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        shape = self._shape_of(chunk, times)
        if shape is None:
            return None
        residue = chunk.translate(None, _ORDINARY)
        quotes = residue[: residue.index(b"\n")]
        lines, rest = divmod(len(residue), len(quotes) + 1)
        if not rest and not quotes.strip(b'"') and residue == (quotes + b"\n") * lines:
            known = self._all_alike(shape, chunk, lines, plain=quotes == shape.quotes)
            if known is not None:
                run = self._run(shape, *known, lines, times, observed)
                return None if run is None else [run]
        return self._strictly(shape, chunk, times, observed)

    def _all_alike(self, shape: Shape, chunk: bytes, lines: int, *, plain: bool) -> tuple[Columns, list[bytes]] | None:
        """Clean lines with the same number of quotes: the first form that fits all of them, and their pieces."""
        forms = [shape.full(strict=False)]
        if plain and self._plain_in <= 0:
            forms.insert(0, shape.plain(user=b" - - [" not in chunk[: chunk.index(b"\n")]))
        self._plain_in -= 1
        for form in forms:
            parts = form.all_of(chunk, lines)
            if parts is not None:
                return form, parts
            self._plain_in = PLAIN_AGAIN_IN
        return None

    def _shape_of(self, chunk: bytes, times: Times) -> Shape | None:
        """The shape of the chunk's first line, or the last one known where that line is odd."""
        if self._shape is not None and self._shape.full(strict=True).pattern.match(chunk):
            return self._shape
        first = access.read(chunk[: chunk.index(b"\n")].decode(errors="replace"), times)
        if first is not None:
            key = first.format, "server.port" in first.attributes
            if key not in self._shapes:
                self._shapes[key] = Shape(*key, self._render)
            self._shape = self._shapes[key]
        return self._shape

    def _strictly(self, shape: Shape, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        form = shape.full(strict=True)
        parts, width = form.pattern.split(chunk), form.width
        out: list[Run | Odd] = []
        gaps = parts[0::width]
        begin = 0
        for at, gap in enumerate(gaps):
            if not gap and at != len(gaps) - 1:
                continue
            if at > begin:
                run = self._run(shape, form, parts[begin * width : at * width], at - begin, times, observed)
                if run is None:
                    return None
                out.append(run)
            if gap:
                out.append(Odd(gap))
            begin = at
        return out

    def _run(
        self, shape: Shape, form: Columns, parts: list[bytes], lines: int, times: Times, observed: str
    ) -> Run | None:
        """`None` where a time is no moment or a proxy wrote the line: those lines are the slow path's."""
        columns: list[Any] = [b""] * 17
        for place, number in enumerate(form.groups, 1):
            columns[number] = parts[place :: form.width]
        stamps: dict[bytes, bytes] = times.clf_bytes
        if self._moments is not None:
            self._moments.read, stamps = stamps, self._moments
        try:
            columns[TIME] = list(map(stamps.__getitem__, columns[TIME]))
        except KeyError:
            return None
        columns[OBSERVED] = self._observed(observed)
        columns[SEVERITY] = list(map(self._severities.__getitem__, columns[STATUS]))
        whole_target = QUERY not in form.groups
        if whole_target:
            # Only the first question mark begins the query.
            columns[PATH] = [target.replace(b"?", shape.between, 1) for target in columns[PATH]]
        try:
            absent, loose = self._missing(shape, form, columns, lines)
        except KeyError:
            return None
        loom = shape.loom(absent, tuple(loose), whole_target=whole_target)
        if loom is None or (EXTRA in form.groups and EXTRA not in absent and not self._keeps_lists):
            return None
        for number, empty in loose.items():
            before, after = self._key(shape, number, absent)
            columns[number] = [b"" if text == empty else before + text + after for text in columns[number]]
        return Run(loom.weave(columns, lines), lines, {shape.variant: lines})

    def _missing(
        self, shape: Shape, form: Columns, columns: list[Any], lines: int
    ) -> tuple[tuple[int, ...], dict[int, bytes]]:
        """The columns that no line has, and those that some have, with what stands for none of it."""
        absent, loose = [number for number in (USER, EXTRA) if number in shape.groups and number not in form.groups], {}
        for number in (USER, QUERY, SIZE, REFERER, AGENT, EXTRA):
            if number not in form.groups:
                continue
            column = columns[number]
            empty = b"" if number in (QUERY, EXTRA) else b"-"
            missing = column.count(empty)
            if missing == lines:
                absent.append(number)
            elif missing:
                loose[number] = empty
            if number == EXTRA and missing != lines:
                columns[EXTRA] = [self._extras[text] if text else b"" for text in column]
        return tuple(sorted(absent)), loose

    def _key(self, shape: Shape, number: int, absent: tuple[int, ...]) -> tuple[bytes, bytes]:
        key = (shape.groups, number, absent)
        if key not in self._keys:
            self._keys[key] = shape.key_of(number, absent)
        return self._keys[key]
