"""The kinds of JSON values, and what a profile makes of a column in which several kinds meet. Pure.

Nothing is known of the profile but what it writes: a record is rendered with a value of each kind, and where these
texts differ is the place of the value.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from operator import itemgetter
from typing import Final

from adapter_logformat.template import Template, mark, marked, typed_number, typed_real, typed_text

TEXT, EMPTY, WHOLE, REAL, TRUE, FALSE, NULL = "text", "empty", "whole", "real", "true", "false", "null"
OBJECT, OTHER = "object", "other"
"""What no hole stands for. `OTHER` are lists and integers that 64 bits may not hold."""
LONGEST_WHOLE: Final = 18
"""Digits that 64 bits hold whatever they are."""
MOST_MIXTURES: Final = 64
"""Ways in which the kinds of several columns may meet; each is proved before any is woven."""
_OF_FIRST: Final = {
    ord('"'): TEXT, ord("t"): TRUE, ord("f"): FALSE, ord("n"): NULL, ord("{"): OBJECT, ord("["): OTHER,
    **dict.fromkeys(b"-0123456789", WHOLE),
}  # fmt: skip
_HOLES: Final[Mapping[str, Callable[[int], object]]] = {
    TEXT: typed_text, WHOLE: typed_number, REAL: typed_real, EMPTY: lambda _: "", TRUE: lambda _: True,
    FALSE: lambda _: False, NULL: lambda _: None,
}  # fmt: skip
ONE_VALUE: Final = frozenset({EMPTY, TRUE, FALSE, NULL})
Around = tuple[bytes, bytes | None]
"""What stands before and after a value, or (`None`) all that stands for it."""
Dress = Mapping[str, Around]
"""By kind."""


def hole(kind: str, number: int) -> object:
    """A value of this kind that is known again, or the only one there is."""
    return _HOLES[kind](number)


def kind(token: bytes) -> str:
    """Of one JSON text."""
    first = _OF_FIRST[token[0]]
    if first is TEXT and len(token) == 2:
        return EMPTY
    if first is WHOLE and (b"." in token or b"e" in token or b"E" in token):
        return REAL
    return OTHER if first is WHOLE and len(token) > LONGEST_WHOLE else first


def kinds(column: Sequence[bytes], *, empty: str) -> tuple[str, ...]:
    """All that occur among these JSON texts, sorted; the empty string counts as `empty`."""
    firsts = set(map(_OF_FIRST.__getitem__, set(map(itemgetter(0), column))))
    if firsts <= {TEXT}:
        if empty is TEXT or b'""' not in column:
            return tuple(firsts)
    elif firsts == {WHOLE}:
        joined = b"".join(column)
        if b"e" not in joined and b"E" not in joined:
            points = joined.count(b".")
            if points == len(column):
                return (REAL,)
            if not points and max(map(len, column)) <= LONGEST_WHOLE:
                return (WHOLE,)
    elif WHOLE not in firsts and TEXT not in firsts:
        return tuple(sorted(firsts))
    return tuple(sorted({empty if each is EMPTY else each for each in map(kind, column)}))


def told_apart(
    mixed: Mapping[int, Sequence[str]], written: Callable[[Mapping[int, str]], bytes]
) -> tuple[Template, dict[int, Dress]] | None:
    """A template in which each column of `mixed` (number → kinds) has one hole for whatever a kind brings along, and
    what that is. `written` renders the record for a choice of kinds. `None` where they cannot be told apart."""
    if prod(map(len, mixed.values())) > MOST_MIXTURES:
        return None

    def text_of(chosen: Mapping[int, str]) -> bytes:
        text = marked(written(chosen))
        for number, kind in chosen.items():
            if kind is TEXT:  # the column brings the quotes
                text = text.replace(b'"%b"' % mark(number), mark(number))
        return text

    base = {number: each[0] for number, each in mixed.items()}
    text = text_of(base)
    places = []
    for number, each in mixed.items():
        variants = {kind: text_of(base | {number: kind}) for kind in each}
        if len(set(variants.values())) > 1:
            begin, end = _alike(list(variants.values()))
            found = {kind: variant[begin : len(variant) - end] for kind, variant in variants.items()}
            places.append((begin, len(text) - end, number, found))
    places.sort(key=itemgetter(0))
    begins, ends, numbers, founds = zip(*places, strict=True) if places else ((), (), (), ())
    spans = list(zip([0, *ends], [*begins, len(text)], strict=True))
    constants = [text[end:begin] for end, begin in spans]
    if any(begin < end for end, begin in spans):
        return None
    for chosen in product(*founds):
        pieces = [found[kind] for found, kind in zip(founds, chosen, strict=True)]
        if _joined(constants, pieces) != text_of(base | dict(zip(numbers, chosen, strict=True))):
            return None
    try:
        dresses: dict[int, Dress] = {
            number: {kind: _around(piece, kind, number) for kind, piece in found.items()}
            for number, found in zip(numbers, founds, strict=True)
        }
    except ValueError:
        return None
    return Template.parsed(_joined(constants, [mark(number) for number in numbers])), dresses


def _alike(texts: Sequence[bytes]) -> tuple[int, int]:
    """How many bytes all of them begin with, and how many of the rest they end with."""
    begin = _begin(texts)
    return begin, _begin([text[begin:][::-1] for text in texts])


def _begin(texts: Sequence[bytes]) -> int:
    first, last = min(texts), max(texts)
    return next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def _joined(constants: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    return b"".join(each for pair in zip(constants, [*pieces, b""], strict=True) for each in pair)


def _around(piece: bytes, kind: str, number: int) -> Around:
    """ValueError where a hole is missing or stands in it twice, or another one does."""
    template = Template.parsed(piece)
    if template.order != (() if kind in ONE_VALUE else (number,)) or b"\0" in b"".join(template.pieces):
        raise ValueError(f"column {number} shares its place")
    return (piece, None) if kind in ONE_VALUE else (template.pieces[0], template.pieces[1])


def dressed(column: Sequence[bytes], dress: Dress, *, empty: str) -> list[bytes]:
    """Each JSON text of `column` with what its kind brings along."""
    words = {word: dress[of][0] for word, of in ((b"true", TRUE), (b"false", FALSE), (b"null", NULL)) if of in dress}
    if len(words) == len(dress):
        return list(map(words.__getitem__, column))
    texts = []
    for token in column:
        of = kind(token)
        before, after = dress[empty if of is EMPTY else of]
        texts.append(before if after is None else before + token + after)
    return texts
