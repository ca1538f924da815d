"""How a profile writes times: seen in records that it rendered, once for each second of log time. Pure."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from adapter_logformat.profiles import Render
from adapter_logformat.record import Record, Stamp
from adapter_logformat.template import spelling, typed_text
from adapter_logformat.timestamps import CACHE_LIMIT

SOME_TIME: Final = "2000-01-01T00:00:00Z"
_UP, _DOWN = "123456789", "987654321"
_WHOLE_SECOND: Final = len(f'"{SOME_TIME}"')


class Moments:
    """`copies`: the profile writes RFC 3339 as it is."""

    def __init__(self, render: Render) -> None:
        record = partial(Record, "")
        self.spelled = spelling(lambda text: (record(Stamp(text, "")), SOME_TIME), typed_text(1), render)
        """One time, RFC 3339 in UTC."""
        self.observed = spelling(lambda text: (record(Stamp(SOME_TIME, "")), text), typed_text(1), render)
        """The same for the time of reading."""
        self.copies = self.spelled(SOME_TIME) == SOME_TIME.encode()
        self._ends: dict[tuple[bytes, int], tuple[bytes, bytes] | None] = {}

    def column(self, tokens: Sequence[bytes]) -> Sequence[bytes] | None:
        """Times as JSON texts → as the profile writes them, where it writes the digits of a fraction as they are and
        only what stands before and after them depends on the second; else `None`."""
        if self.copies:
            return tokens
        heads = [token[:20] for token in tokens]
        keys = list(zip(heads, map(len, tokens), strict=True))
        ends = {}
        for key in set(keys):
            found = ends[key] = self._around(*key)
            if found is None:
                return None
        # Behind the second stand a point, the fraction, Z and a quote; without a fraction nothing is left of them.
        pairs = map(ends.__getitem__, keys)
        return [pair[0] + token[21:-2] + pair[1] for pair, token in zip(pairs, tokens, strict=True) if pair]

    def _around(self, head: bytes, size: int) -> tuple[bytes, bytes] | None:
        key = head, size
        if key not in self._ends:
            if len(self._ends) >= CACHE_LIMIT:
                self._ends.clear()
            self._ends[key] = self._found(head[1:].decode(), size - _WHOLE_SECOND - 1)
        return self._ends[key]

    def _found(self, second: str, digits: int) -> tuple[bytes, bytes] | None:
        if digits < 0:
            return self.spelled(f"{second}Z"), b""
        found = set()
        for fraction in (_UP[:digits], _DOWN[:digits]):
            written = self.spelled(f"{second}.{fraction}Z")
            at = written.rfind(fraction.encode())
            if at < 0:
                return None
            found.add((written[:at], written[at + digits :]))
        return found.pop() if len(found) == 1 else None
