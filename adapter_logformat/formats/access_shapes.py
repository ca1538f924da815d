"""What access lines look like to the quick way: their columns, the patterns that find them, and the templates they are
woven through.

Patterns of the same shape, tried in turn: `plain` for lines that all have as many quotes as the shape itself, `quick`
for those with the same number of more; both trust clean text (checked once a chunk) and their matches are counted
against the lines. `strict` trusts nothing and leaves odd lines between its matches.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.template import Loom, Template, json_hole, typed_number, typed_text

(OBSERVED, TIME, SEVERITY, REQUEST, VHOST, CLIENT, USER, METHOD, PATH, QUERY, VERSION, STATUS, SIZE, REFERER, AGENT,
 EXTRA, PORT) = range(17)  # fmt: skip
_COMMON_METHODS: Final = b"GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH"


_V4_PORT: Final = re.compile(rb"\.\d++:")
_TIME: Final = rb"\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
_RESULT: Final = rb' HTTP/(\d\.\d))" ([1-9]\d\d) ([1-9]\d{0,17}+|[0-])'


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


class Shape:
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
