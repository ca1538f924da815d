"""A time layout in the letters of `strftime`, as people write it into settings → a regex and its reading.

Only letters with a meaning of their own in a log are known; the rest is refused with its name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapter_logformat.record import Stamp
from adapter_logformat.timestamps import Times

_PIECES: Final = {
    "Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d\d)", "m": r"(?P<m>\d{1,2})",
    "d": r" ?(?P<d>\d{1,2})", "e": r" ?(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})", "h": r"(?P<b>[A-Za-z]{3})", "B": r"(?P<b>[A-Za-z]{3,9}+)",
    "H": r"(?P<H>\d{1,2})", "I": r"(?P<H>\d{1,2})", "M": r"(?P<M>\d{1,2})", "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9}+)", "L": r"(?P<f>\d{1,9}+)", "N": r"(?P<f>\d{1,9}+)", "p": r"(?P<p>[AaPp][Mm])",
    "z": r"(?P<z>Z|[+-]\d\d:?\d\d)", "Z": r"(?P<z>[A-Za-z]{1,5})", "a": r"[A-Za-z]{3}", "A": r"[A-Za-z]{6,9}",
    "s": r"(?P<s>\d{1,11}+)", "%": "%",
    "T": r"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)", "R": r"(?P<H>\d\d):(?P<M>\d\d)",
    "F": r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", "D": r"(?P<m>\d\d)/(?P<d>\d\d)/(?P<y>\d\d)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimeLayout:
    """`of` makes one; `read` gives the moment of a text, or `None` for one that does not fit."""

    layout: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, layout: str) -> "TimeLayout":
        """`ValueError` for a letter nobody knows, one that occurs twice, and a layout that cannot name a moment."""
        out: list[str] = []
        parts = re.split(r"%(.)", layout)
        for at, part in enumerate(parts):
            if at % 2 == 0:
                out.append(re.escape(part))
            elif part not in _PIECES:
                raise ValueError(f"%{part} is no letter of a time layout that is known here")
            else:
                out.append(_PIECES[part])
        try:
            pattern = re.compile("".join(out), re.ASCII)
        except re.error as error:
            raise ValueError("names a part of the time twice") from error
        named = pattern.groupindex.keys()
        if "s" not in named and "H" not in named:
            raise ValueError("names neither an hour (%H) nor seconds since 1970 (%s)")
        return cls(layout, pattern)

    def read(self, text: str, times: Times) -> Stamp | None:
        found = self.pattern.fullmatch(text.strip())
        return None if found is None else _moment(found.groupdict(), times)


def _moment(found: Mapping[str, str | None], times: Times) -> Stamp | None:
    fraction = found.get("f")
    if (seconds := found.get("s")) is not None:
        return times.epoch(int(seconds), fraction or "")
    clock = ":".join(found.get(part) or "0" for part in "HMS")
    month, day = found.get("m") or found.get("b"), found.get("d")
    if month is None or day is None:
        return times.clock(clock, fraction) if len(clock) == 8 else None
    return times.parts(found.get("Y") or found.get("y"), month, day, clock, fraction, found.get("z"), found.get("p"))
