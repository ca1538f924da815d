"""Many access lines at once: the chunk is split by one regex, its columns are converted and woven through a template.

Two patterns of the same shape: a quick one that trusts clean text (ASCII, no backslash, no control
characters: checked once a chunk) and whose matches are counted against the lines, and a strict one that
leaves odd lines between its matches.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from adapter_logformat.formats import access
from adapter_logformat.grammar import Odd, Run
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import of_status
from adapter_logformat.template import Loom, Template, json_hole, text_hole
from adapter_logformat.timestamps import Times

(OBSERVED, TIME, SEVERITY, REQUEST, VHOST, CLIENT, USER, METHOD, PATH, QUERY, VERSION, STATUS, SIZE, REFERER, AGENT,
 EXTRA, PORT) = range(17)  # fmt: skip
_CONTROLS: Final = bytes(set(range(32)) - {10} | {127})
_COMMON_METHODS: Final = b"GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH"


def _pattern(groups: tuple[int, ...], *, strict: bool) -> re.Pattern[bytes]:
    """The line as the columns `groups` see it. Strict classes hold printable ASCII without quote and backslash."""
    word = rb"[!#-\[\]-~]++" if strict else rb'[^ "]++'
    path = rb"/[!#->@-\[\]-~]*+" if strict else rb'/[^ ?"]*+'
    query = rb"[!#-\[\]-~]*+" if strict else rb'[^ "]*+'
    quoted = rb"[ !#-\[\]-~]++" if strict else rb'[^"]++'
    time = rb"\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
    line = rb"(" + word + rb") - (" + word + rb") \[(" + time + rb')\] "'
    if VHOST in groups:
        # A dash after the first word would be the ident of a line without virtual host.
        port = rb":([1-9]\d{0,4}+)" if PORT in groups else b""
        line = rb"([A-Za-z0-9][A-Za-z0-9_.-]*+)" + port + rb" (?!- )" + line
    line += rb"((" + _COMMON_METHODS + rb") (" + path + rb")\??+(" + query + rb") HTTP/(\d\.\d))"
    line += rb'" ([1-9]\d\d) ([1-9]\d*+|[0-])'
    if AGENT in groups:
        line += rb' "(' + quoted + rb')" "(' + quoted + rb')"'
        line += rb"((?: [ !#-\[\]-~]*+)?+)" if strict else rb"((?: [^\n]*+)?+)"
    return re.compile(rb"^" + line + rb"\n" if strict else line + rb"\n", re.MULTILINE)


class _Shape:
    """One variant: its columns in the order of the regex groups, its patterns, its looms."""

    def __init__(self, variant: str, ported: bool, render: Render) -> None:
        vhost, combined = variant.startswith("vhost_"), variant.endswith("combined")
        self.variant = variant
        self.groups = (
            *((VHOST,) if vhost else ()),
            *((PORT,) if ported else ()),
            *(CLIENT, USER, TIME, REQUEST, METHOD, PATH, QUERY, VERSION, STATUS, SIZE),
            *((REFERER, AGENT, EXTRA) if combined else ()),
        )
        self.width = len(self.groups) + 1
        self.quick = _pattern(self.groups, strict=False)
        self._strict: re.Pattern[bytes] | None = None
        self._render = render
        self._looms: dict[tuple[int, ...], Loom] = {}

    @property
    def strict(self) -> re.Pattern[bytes]:
        if self._strict is None:
            self._strict = _pattern(self.groups, strict=True)
        return self._strict

    def loom(self, absent: tuple[int, ...], loose: tuple[int, ...]) -> Loom:
        """The loom for lines that all lack the columns `absent`; those in `loose` come with their keys, or empty."""
        key = (*absent, -1, *loose)
        if key not in self._looms:
            template = Template.of(self._holes(absent), text_hole(OBSERVED), self._render)
            for number in loose:
                template = template.loose(number)
            self._looms[key] = Loom(template)
        return self._looms[key]

    def key_of(self, number: int, absent: tuple[int, ...]) -> tuple[bytes, bytes]:
        return Template.of(self._holes(absent), text_hole(OBSERVED), self._render).key_of(number)

    def _holes(self, absent: tuple[int, ...]) -> Record:
        record = Record(self.variant, Stamp(text_hole(TIME), ""), None, json_hole(SEVERITY), text_hole(REQUEST))  # type: ignore[arg-type]
        attributes: dict[int, tuple[str, object]] = {
            VHOST: ("server.address", text_hole(VHOST)),
            PORT: ("server.port", json_hole(PORT)),
            CLIENT: ("client.address", text_hole(CLIENT)),
            USER: ("user.name", text_hole(USER)),
            METHOD: ("http.request.method", text_hole(METHOD)),
            PATH: ("url.path", text_hole(PATH)),
            QUERY: ("url.query", text_hole(QUERY)),
            VERSION: ("network.protocol.version", text_hole(VERSION)),
            STATUS: ("http.response.status_code", json_hole(STATUS)),
            SIZE: ("http.response.body.size", json_hole(SIZE)),
            REFERER: ("http.request.header.referer", [text_hole(REFERER)]),
            AGENT: ("user_agent.original", text_hole(AGENT)),
            EXTRA: ("app.extra", json_hole(EXTRA)),
        }
        for number, (name, hole) in attributes.items():
            if number in self.groups and number not in absent:
                if number == VERSION:
                    record.attributes["network.protocol.name"] = "http"
                record.attributes[name] = hole
        return record


class _Severities(dict[bytes, bytes]):
    def __missing__(self, status: bytes) -> bytes:
        self[status] = number = b"%d" % of_status(int(status))
        return number


class _Extras(dict[bytes, bytes]):
    def __missing__(self, text: bytes) -> bytes:
        if len(self) > 4096:
            self.clear()
        self[text] = found = msgspec.json.encode(access.extras(text.decode()))
        return found


class AccessFast:
    """The fast form for one profile; it follows the variant of each chunk's first line."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._shapes: dict[tuple[str, bool], _Shape] = {}
        self._shape: _Shape | None = None
        self._severities = _Severities()
        self._extras = _Extras()
        self._keys: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        shape = self._shape_of(chunk, times)
        if shape is None:
            return None
        lines = chunk.count(b"\n")
        if chunk.isascii() and b"\\" not in chunk and len(chunk.translate(None, _CONTROLS)) == len(chunk):
            parts = shape.quick.split(chunk)
            # As many matches as lines and nothing between them: each match is exactly one line.
            if len(parts) == lines * shape.width + 1 and not any(parts[0 :: shape.width]):
                run = self._run(shape, parts, lines, times, observed)
                return None if run is None else [run]
        return self._strictly(shape, chunk, times, observed)

    def _shape_of(self, chunk: bytes, times: Times) -> _Shape | None:
        """The shape of the chunk's first line, or the last one known where that line is odd."""
        first = access.read(chunk[: chunk.index(b"\n")].decode(errors="replace"), times)
        if first is not None:
            key = first.format, "server.port" in first.attributes
            if key not in self._shapes:
                self._shapes[key] = _Shape(*key, self._render)
            self._shape = self._shapes[key]
        return self._shape

    def _strictly(self, shape: _Shape, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        parts, width = shape.strict.split(chunk), shape.width
        out: list[Run | Odd] = []
        gaps = parts[0::width]
        begin = 0
        for at, gap in enumerate(gaps):
            if not gap and at != len(gaps) - 1:
                continue
            if at > begin:
                run = self._run(shape, parts[begin * width : at * width], at - begin, times, observed)
                if run is None:
                    return None
                out.append(run)
            if gap:
                out.append(Odd(gap))
            begin = at
        return out

    def _run(self, shape: _Shape, parts: list[bytes], lines: int, times: Times, observed: str) -> Run | None:
        """`None` where a time is no moment: those lines are the slow path's."""
        columns: list[Sequence[bytes]] = [()] * 17
        for place, number in enumerate(shape.groups, 1):
            columns[number] = parts[place :: shape.width]
        stamps = times.clf_bytes
        try:
            columns[TIME] = list(map(stamps.__getitem__, columns[TIME]))
        except KeyError:
            return None
        columns[OBSERVED] = [observed.encode()] * lines
        columns[SEVERITY] = list(map(self._severities.__getitem__, columns[STATUS]))
        absent, loose = [], []
        for number in (USER, QUERY, SIZE, REFERER, AGENT, EXTRA):
            if number not in shape.groups:
                continue
            column = columns[number]
            empty = b"" if number in (QUERY, EXTRA) else b"-"
            missing = column.count(empty)
            if missing == lines:
                absent.append(number)
            elif missing:
                loose.append((number, empty))
            if number == EXTRA and missing != lines:
                columns[EXTRA] = [self._extras[text] if text else b"" for text in column]
        gone = tuple(absent)
        for number, empty in loose:
            before, after = self._key(shape, number, gone)
            columns[number] = [b"" if text == empty else before + text + after for text in columns[number]]
        loom = shape.loom(gone, tuple(number for number, _ in loose))
        return Run(loom.weave(columns, lines), lines, {shape.variant: lines})

    def _key(self, shape: _Shape, number: int, absent: tuple[int, ...]) -> tuple[bytes, bytes]:
        key = (shape.groups, number, absent)
        if key not in self._keys:
            self._keys[key] = shape.key_of(number, absent)
        return self._keys[key]
