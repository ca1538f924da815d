"""SASLprep (RFC 4013): the normal form in which SCRAM hashes passwords.

Pure. Loaded only for passwords beyond ASCII, since its tables cost memory.
"""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


class Prohibited(Exception):
    """The text has a character or a mixture of directions that SASLprep forbids, or nothing is left of it."""


def saslprep(text: str) -> str:
    """Map, normalise (NFKC), then check: RFC 4013, chapters 2.1 to 2.5."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(table(char) for char in normal for table in _PROHIBITED):
        raise Prohibited
    _check_directions(normal)
    return normal


def _check_directions(text: str) -> None:
    """RFC 3454, chapter 6: right-to-left text holds no left-to-right letters, and starts and ends as such."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise Prohibited
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise Prohibited
