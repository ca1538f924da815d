"""Columns of JSON values woven into records, through the template of their shape and of the kinds of values. Pure.

A profile that writes every value as it is gets them as they are. Others convert them or look at their kind: what such a
profile makes of a kind, a time or a severity is seen in records that it rendered, so none has to be known here.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from secrets import token_hex
from typing import Any, Final

import msgspec

from adapter_logformat.kinds import EMPTY, OBJECT, OTHER, TEXT, Dress, dressed, hole, kinds, told_apart
from adapter_logformat.moments import SOME_TIME, Moments
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record
from adapter_logformat.template import Loom, Template, Threads, json_hole, spelling, typed_number, typed_text

OBSERVED, STAMP, LEVEL, NUMBER, FIRST = range(5)
"""The numbers of the first columns; the other members of a record follow from `FIRST` on."""
LOOMS_KEPT: Final = 256
FORMS_COUNTED: Final = 4096
REPAYS: Final = 2
"""A form is woven once it has come in so many times the records that have to be rendered before."""
FIXED_COST: Final = 10
"""What building a template costs besides the mixtures of kinds, in records rendered."""
MOST_COLUMNS: Final = 99
_OBJECT_TEXT: Final = '{"a":1}'

Tokens = Sequence[bytes]
Levels = Mapping[Any, tuple[bytes, bytes]]
"""The key of a level → its text as JSON, and its number."""
Make = Callable[[Callable[[int], Any]], Record]
"""The record of a shape, each value of which is what the function gives for its number."""


@dataclass(frozen=True, slots=True)
class _Cloth:
    """`objects`: the columns with objects, which are written as text; `dressed`: those in which kinds meet. `body`: the
    one that must hold no newline; `flags`: the one of trace flags that are converted."""

    loom: Loom
    objects: Sequence[int]
    dressed: Mapping[int, Dress]
    body: int | None
    flags: int | None


class Weaver:
    """The columns of one format through one profile."""

    def __init__(self, render: Render) -> None:
        self._render = render
        some, key = partial(Record, ""), token_hex()  # none that every record has by the settings
        self._copies = f'"{key}":[true]'.encode() in render(some(attributes={key: [True]}), SOME_TIME)
        drops_empty = render(some(attributes={key: ""}), SOME_TIME) == render(some(), SOME_TIME)
        self._empty = EMPTY if drops_empty else TEXT
        self._cuts_bodies = b'"a"' in render(some(body="a\nb"), SOME_TIME)
        self._takes_objects = b'"{\\"a\\":[1]}"' in render(some(attributes={key: {"a": [1]}}), SOME_TIME)
        self._moments = Moments(render)
        self._number = spelling(lambda number: (some(severity_number=number), SOME_TIME), typed_number(NUMBER), render)
        self._flags = spelling(lambda text: (some(trace_flags=text), SOME_TIME), typed_text(FIRST), render)
        self._looms: dict[Hashable, Any] = {}
        self._counted: dict[int, int] = {}
        """Records of forms that have no loom yet, by the hash of the form."""

    def weave(
        self, shape: Hashable, make: Make, observed: str, threads: Sequence[Tokens], levels: Levels, rows: int
    ) -> bytes | None:
        """`rows` records. `threads`: JSON texts by column, () where there is none; that of the level holds the keys of
        `levels`, and that of the number nothing. `None`: one by one, as the profile has no form for all of them, or
        they are too few yet to be worth a template."""
        if self._copies:
            return self._as_they_are(shape, make, observed, threads, levels, rows)
        all_kinds = tuple(kinds(column, empty=self._empty) for column in threads[FIRST:])
        stamps = self._moments.column(threads[STAMP])
        if stamps is None or len(threads) > MOST_COLUMNS or any(map(self._is_beyond, all_kinds)):
            return None
        key = shape, all_kinds
        if key not in self._looms:
            if not self._pays(key, rows, prod(map(len, all_kinds))):
                return None
            self._keep(key, self._cloth(make, all_kinds))
        cloth: _Cloth | None = self._looms[key]
        if cloth is None or (cloth.body is not None and b"\\n" in b"".join(threads[cloth.body])):
            return None
        tokens = list(threads[FIRST:])
        for number in cloth.objects:
            tokens[number - FIRST] = list(map(_as_text, threads[number]))
        for number, dress in cloth.dressed.items():
            tokens[number - FIRST] = dressed(tokens[number - FIRST], dress, empty=self._empty)
        numbers = {level: self._number(int(number)) for level, (_, number) in levels.items()}
        columns: list[Threads] = [
            self._moments.observed(observed), stamps, [levels[level][0] for level in threads[LEVEL]],
            list(map(numbers.__getitem__, threads[LEVEL])), *tokens,
        ]  # fmt: skip
        if cloth.flags is not None:
            flags = {token: self._flags(token[1:-1].decode()) for token in set(threads[cloth.flags])}
            columns[cloth.flags] = list(map(flags.__getitem__, threads[cloth.flags]))
        return cloth.loom.weave(columns, rows)

    def _as_they_are(
        self, shape: Hashable, make: Make, observed: str, threads: Sequence[Tokens], levels: Levels, rows: int
    ) -> bytes | None:
        if shape not in self._looms:
            if not self._pays(shape, rows, 1):
                return None
            template, between = Template.of(make(json_hole), typed_text(OBSERVED), self._render), b""
            if LEVEL in template.order:
                template, between = template.spanning(LEVEL, NUMBER)
            self._keep(shape, (Loom(template), between))
        loom, between = self._looms[shape]
        pieces = {level: text + between + number for level, (text, number) in levels.items()}
        columns: list[Threads] = [observed.encode(), *threads[STAMP:]]
        columns[LEVEL] = list(map(pieces.__getitem__, threads[LEVEL]))
        woven: bytes = loom.weave(columns, rows)
        return woven

    def _pays(self, key: Hashable, rows: int, mixtures: int) -> bool:
        """Have records enough come in this form? Whatever comes, templates then cost less than the records did."""
        cost = REPAYS * (mixtures + FIXED_COST)
        if rows >= cost:
            return True
        rows += self._counted.pop(hash(key), 0)
        if rows < cost:
            if len(self._counted) >= FORMS_COUNTED:
                del self._counted[next(iter(self._counted))]
            self._counted[hash(key)] = rows
        return rows >= cost

    def _keep(self, key: Hashable, loom: object) -> None:
        if len(self._looms) >= LOOMS_KEPT:
            del self._looms[next(iter(self._looms))]
        self._looms[key] = loom

    def _is_beyond(self, kinds: Sequence[str]) -> bool:
        return OTHER in kinds or (OBJECT in kinds and not self._takes_objects)

    def _cloth(self, make: Make, found_kinds: Sequence[Sequence[str]]) -> _Cloth | None:
        objects = [number for number, each in enumerate(found_kinds, FIRST) if OBJECT in each]
        all_kinds = [tuple(sorted({TEXT if kind is OBJECT else kind for kind in each})) for each in found_kinds]
        values: dict[int, Any] = {STAMP: typed_text(STAMP), LEVEL: typed_text(LEVEL), NUMBER: typed_number(NUMBER)}
        alone = {number: each[0] for number, each in enumerate(all_kinds, FIRST) if len(each) == 1}
        mixed = {number: each for number, each in enumerate(all_kinds, FIRST) if len(each) > 1}
        values |= {number: hole(kind, number) for number, kind in alone.items()}

        def written(chosen: Mapping[int, str]) -> bytes:
            holes = values | {number: hole(kind, number) for number, kind in chosen.items()}
            return self._render(make(holes.__getitem__), typed_text(OBSERVED))

        def is_text(number: int) -> bool:
            """Does an object stand where a text would, as the text that it is?"""
            holes = values | {number: hole(each[0], number) for number, each in mixed.items()}
            told = self._render(make((holes | {number: _OBJECT_TEXT}).__getitem__), SOME_TIME)
            return told == self._render(make((holes | {number: {"a": 1}}).__getitem__), SOME_TIME)

        told = told_apart(mixed, written)
        if told is None or not all(map(is_text, objects)):
            return None
        template, dresses = told
        if not self._moments.copies and STAMP not in template.order and template.order.count(OBSERVED) > 1:
            return None  # it stands there once as the record's own time, which may be written otherwise
        record, numbers = make(typed_text), range(FIRST, FIRST + len(all_kinds))
        body = next((number for number in numbers if typed_text(number) == record.body), None)
        flags = next((number for number in numbers if typed_text(number) == record.trace_flags), None)
        quoted = {number for number, kind in alone.items() if kind is TEXT} | {LEVEL}
        if self._moments.copies:
            quoted.add(STAMP)
        if self._flags("01") == b"01":
            flags = None
        return _Cloth(
            Loom(template.unquoted(quoted - {flags})), objects, dresses, body if self._cuts_bodies else None, flags
        )


def _as_text(token: bytes) -> bytes:
    return msgspec.json.encode(token.decode()) if token[:1] == b"{" else token
