"""Records of several lines: where one is complete, and how its lines are held together. Pure.

Inside a record a newline becomes MARK, a byte that is in no UTF-8 text, so that whoever splits at newlines gets whole
records of unchanged length. Reading, and waiting for the rest of a record, belong to the follower.
"""

import re
from itertools import pairwise

MARK = b"\xff"
_NOT_MARK = b"\xfe"  # stands in for a MARK that was in the file: no text either


class Multiline:
    """`start`: matches at the beginning of a record's first line; or `continuation`: of each further line."""

    def __init__(self, *, start: str = "", continuation: str = "") -> None:
        """re.error for a pattern that is none."""
        for each in (start, continuation):
            re.compile(each)
        pattern = f"^(?:{start})" if start else f"^(?!{continuation})"
        self._first = re.compile(pattern.encode(), re.MULTILINE)

    def _starts(self, lines: bytes) -> list[int]:
        return [match.start() for match in self._first.finditer(lines) if match.start() < len(lines)]

    def complete(self, lines: bytes) -> int:
        """The length of the records in these whole lines that are sure to have no further line."""
        starts = self._starts(lines)
        return starts[-1] if starts else 0

    def mark(self, lines: bytes) -> bytes:
        """Whole lines, each record on one line of its own; lines before the first start belong together too."""
        cuts = [0, *(start for start in self._starts(lines) if start), len(lines)]
        lines = lines.replace(MARK, _NOT_MARK)
        return b"".join(
            lines[start : end - 1].replace(b"\n", MARK) + lines[end - 1 : end]
            for start, end in pairwise(cuts)
            if start < end
        )
