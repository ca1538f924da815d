"""Many access lines at once: the chunk is split by one regex, its columns are converted and woven through a template.

Patterns of the same shape, tried in turn: `plain` for lines that all have as many quotes as the shape itself, `quick`
for those with the same number of more; both trust clean text (checked once a chunk) and their matches are counted
against the lines. `strict` trusts nothing and leaves odd lines between its matches.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from adapter_logformat.formats import access
from adapter_logformat.grammar import Odd, Run
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import of_status
from adapter_logformat.template import Loom, Template, json_hole, spelling, typed_number, typed_text
from adapter_logformat.timestamps import CACHE_LIMIT, Times

(OBSERVED, TIME, SEVERITY, REQUEST, VHOST, CLIENT, USER, METHOD, PATH, QUERY, VERSION, STATUS, SIZE, REFERER, AGENT,
 EXTRA, PORT) = range(17)  # fmt: skip
_ORDINARY: Final = bytes(set(range(32, 127)) - set(b'"\\'))
"""Printable ASCII that means nothing to JSON. Without it a chunk of clean lines is quotes and newlines, and nothing
else."""
PLAIN_AGAIN_IN: Final = 8
"""Chunks until the plain pattern is tried again after one that it did not fit."""
SOME_TIME: Final = "2000-01-01T00:00:00Z"
_COMMON_METHODS: Final = b"GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH"


_V4_PORT: Final = re.compile(rb"\.\d++:")
_TIME: Final = rb"\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
_RESULT: Final = rb' HTTP/(\d\.\d))" ([1-9]\d\d) ([1-9]\d*+|[0-])'


def _pattern(groups: tuple[int, ...], *, strict: bool) -> re.Pattern[bytes]:
    """The line as the columns `groups` see it. Strict classes hold printable ASCII without quote and backslash.
    The slow path takes apart what is more than a client's address or name (`_are_plain`)."""
    word = rb"[!#-\[\]-~]++" if strict else rb'[^ "\n]++'
    path = rb"/[!#->@-\[\]-~]*+" if strict else rb'/[^ ?"\n]*+'
    client = rb"(?!- |\d++\.[\d.]++:)[!#-+\--Z\]-~]++" if strict else word
    query = rb"[!#-\[\]-~]*+" if strict else rb'[^ "\n]*+'
    quoted = rb"[ !#-\[\]-~]++" if strict else rb'[^"]++'
    line = _virtual_host(groups) + rb"(" + client + rb") - (" + word + rb") \[(" + _TIME + rb')\] "'
    line += rb"((" + _COMMON_METHODS + rb") (" + path + rb")\??+(" + query + rb")" + _RESULT
    if AGENT in groups:
        line += rb' "(' + quoted + rb')" "(' + quoted + rb')"'
        line += rb"((?: [ !#-\[\]-~]*+)?+)" if strict else rb"((?: [^\n]*+)?+)"
    return re.compile(rb"^" + line + rb"\n", re.MULTILINE)


def _plain(groups: tuple[int, ...]) -> re.Pattern[bytes]:
    """For lines with no further quotes. A class of one character is passed over fastest; where no quote ends it, its
    length is bounded, so that nothing is looked at many times. What a group may not hold (a newline, a quote) it cannot
    hold, as the lines and their quotes are counted; the time is no time unless the cache says so."""
    user = rb"([^ ]{1,255}+)" if USER in groups else b"-"
    line = _virtual_host(groups) + rb"([^ ]{1,255}+) - " + user + rb' \[([^\]]{26})\] "'
    line += rb"((" + _COMMON_METHODS + rb") (/[^ ]{0,8192}+)(?<!\?)" + _RESULT
    if AGENT in groups:
        line += rb' "([^"]++)" "([^"]++)"'
    return re.compile(rb"^" + line + rb"\n", re.MULTILINE)


def _virtual_host(groups: tuple[int, ...]) -> bytes:
    # A dash after the first word would be the ident of a line without virtual host.
    port = rb":([1-9]\d{0,4}+)" if PORT in groups else b""
    return rb"([A-Za-z0-9][A-Za-z0-9_.-]*+)" + port + rb" (?!- )" if VHOST in groups else b""


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
        self.quotes = b'"' * (6 if combined else 2)
        self._patterns: dict[object, re.Pattern[bytes]] = {}
        self._render = render
        self._looms: dict[tuple[object, ...], Loom | None] = {}
        # What stands between the path and the query of one line.
        self.between = self._template(()).spanning(PATH, QUERY)[1]

    def plain(self, *, user: bool) -> "Columns":
        """The path's column is the whole target. Without `user` no line has one."""
        without = {QUERY, EXTRA} if user else {QUERY, EXTRA, USER}
        groups = tuple(number for number in self.groups if number not in without)
        if groups not in self._patterns:
            self._patterns[groups] = _plain(groups)
        return Columns(self._patterns[groups], groups)

    def full(self, *, strict: bool) -> "Columns":
        if strict not in self._patterns:
            self._patterns[strict] = _pattern(self.groups, strict=strict)
        return Columns(self._patterns[strict], self.groups)

    def loom(self, absent: tuple[int, ...], loose: tuple[int, ...], *, whole_target: bool) -> Loom | None:
        """The loom for lines that all lack the columns `absent`; those in `loose` come with their keys, or empty.
        `whole_target`: the path's column brings the query along. `None` where the profile has no such form."""
        key = (absent, loose, whole_target)
        if key not in self._looms:
            try:
                self._looms[key] = Loom(self._loosely(absent, loose, whole_target=whole_target))
            except ValueError:
                self._looms[key] = None
        return self._looms[key]

    def _loosely(self, absent: tuple[int, ...], loose: tuple[int, ...], *, whole_target: bool) -> Template:
        def template(missing: Sequence[int]) -> Template:
            made = self._template((*absent, *missing))
            return made.spanning(PATH, QUERY)[0] if whole_target else made

        if whole_target and template(()) != self._template((*absent, QUERY)):
            raise ValueError("a query changes more than the target")

        return template(()).loose(loose, template)

    def key_of(self, number: int, absent: tuple[int, ...]) -> tuple[bytes, bytes]:
        return self._template(absent).around(number, self._template((*absent, number)))

    def _template(self, absent: tuple[int, ...]) -> Template:
        return Template.of(self._holes(absent), typed_text(OBSERVED), self._render)

    def _holes(self, absent: tuple[int, ...]) -> Record:
        record = Record(self.variant, Stamp(typed_text(TIME), ""), None, typed_number(SEVERITY), typed_text(REQUEST))
        attributes: dict[int, tuple[str, object]] = {
            VHOST: ("server.address", typed_text(VHOST)),
            PORT: ("server.port", typed_number(PORT)),
            CLIENT: ("client.address", typed_text(CLIENT)),
            USER: ("user.name", typed_text(USER)),
            METHOD: ("http.request.method", typed_text(METHOD)),
            PATH: ("url.path", typed_text(PATH)),
            QUERY: ("url.query", typed_text(QUERY)),
            VERSION: ("network.protocol.version", typed_text(VERSION)),
            STATUS: ("http.response.status_code", typed_number(STATUS)),
            SIZE: ("http.response.body.size", typed_number(SIZE)),
            REFERER: ("http.request.header.referer", [typed_text(REFERER)]),
            AGENT: ("user_agent.original", typed_text(AGENT)),
            EXTRA: ("app.extra", json_hole(EXTRA)),
        }
        for number, (name, hole) in attributes.items():
            if number in self.groups and number not in absent:
                if number == VERSION:
                    record.attributes["network.protocol.name"] = "http"
                record.attributes[name] = hole
        return record


@dataclass(frozen=True, slots=True)
class Columns:
    """A pattern and the columns that its groups give."""

    pattern: re.Pattern[bytes]
    groups: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(self.groups) + 1

    def all_of(self, chunk: bytes, lines: int) -> list[bytes] | None:
        """The pieces of `chunk`, if each of its lines fits: as many matches as lines, and nothing between them."""
        parts = self.pattern.split(chunk)
        if len(parts) != lines * self.width + 1 or any(parts[0 :: self.width]):
            return None
        return parts if _are_plain(parts[self.groups.index(CLIENT) + 1 :: self.width]) else None


def _are_plain(clients: Sequence[bytes]) -> bool:
    """No list of clients, no port, no brackets, none left out. A few looks at all of them together cost less than a
    narrower class in the pattern."""
    joined = b" ".join(clients)
    if b"," in joined or b"[" in joined or (b"-" in joined and b"-" in clients):
        return False
    return b":" not in joined or _V4_PORT.search(joined) is None


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
        self._shapes: dict[tuple[str, bool], _Shape] = {}
        self._shape: _Shape | None = None
        self._plain_in = 0
        record = partial(Record, "")
        self._severities = _Severities(
            spelling(lambda number: (record(severity_number=number), SOME_TIME), typed_number(SEVERITY), render)
        )
        spelled = spelling(lambda text: (record(Stamp(text, "")), SOME_TIME), typed_text(TIME), render)
        self._moments = _Moments(spelled) if spelled(SOME_TIME) != SOME_TIME.encode() else None
        self._is_usable = not Template.of(record(timestamp=Stamp(SOME_TIME, "")), SOME_TIME, render).order
        self._keeps_lists = b'["a"]' in render(record(attributes={"app.extra": ["a"]}), SOME_TIME)
        self._observed = spelling(lambda text: (record(Stamp(SOME_TIME, "")), text), typed_text(OBSERVED), render)
        self._extras = _Extras()
        self._keys: dict[tuple[object, ...], tuple[bytes, bytes]] = {}

    def __call__(self, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        # Where something that all records have looks like a hole there is no template.
        shape = self._shape_of(chunk, times) if self._is_usable else None
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

    def _all_alike(self, shape: _Shape, chunk: bytes, lines: int, *, plain: bool) -> tuple[Columns, list[bytes]] | None:
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

    def _shape_of(self, chunk: bytes, times: Times) -> _Shape | None:
        """The shape of the chunk's first line, or the last one known where that line is odd."""
        if self._shape is not None and self._shape.full(strict=True).pattern.match(chunk):
            return self._shape
        first = access.read(chunk[: chunk.index(b"\n")].decode(errors="replace"), times)
        if first is not None:
            key = first.format, "server.port" in first.attributes
            if key not in self._shapes:
                self._shapes[key] = _Shape(*key, self._render)
            self._shape = self._shapes[key]
        return self._shape

    def _strictly(self, shape: _Shape, chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
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
        self, shape: _Shape, form: Columns, parts: list[bytes], lines: int, times: Times, observed: str
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
        self, shape: _Shape, form: Columns, columns: list[Any], lines: int
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

    def _key(self, shape: _Shape, number: int, absent: tuple[int, ...]) -> tuple[bytes, bytes]:
        key = (shape.groups, number, absent)
        if key not in self._keys:
            self._keys[key] = shape.key_of(number, absent)
        return self._keys[key]
