"""What a column of JSON values is (times, ids of a trace, one kind throughout), and a record with a hole for each.

Pure. Of values that were decoded, or of tokens as they were written; what is asked of them is for `json_fast` to say.
"""

import re
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Final

from adapter_logformat.blocks import texts
from adapter_logformat.formats import json_app, json_plain
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.timestamps import Times
from adapter_logformat.weaver import FIRST, LEVEL, NUMBER, STAMP

_HEX: Final = re.compile("[0-9a-fA-F]+")


def only(column: Sequence[object], kind: type) -> bool:
    return set(map(type, column)) == {kind}


def token_moments(column: Sequence[bytes], times: Times, *, epoch: bool) -> Sequence[bytes] | None:
    """Times as tokens of their JSON; `None` where one is no moment."""
    if epoch and b"." in column[0]:
        # Only as a double is written may it be taken as it is.
        return times.seconds_column(column) if texts(list(map(float, column))) == column else None
    if epoch:
        return times.milliseconds_column(column)
    seconds = (second[1:].decode() for second in json_plain.seconds(column))
    good = all(times.iso(second, None, "Z") == (second + "Z", "") for second in seconds)
    return column if good else None


def trace_fits(column: Sequence[Any], digits: int) -> bool | None:
    """Are all of them ids of a trace, or (`False`) none; `None` where that cannot be said of all alike."""
    if not only(column, str):
        return False if not any(isinstance(value, str) for value in column) else None
    if digits not in set(map(len, column)):
        return False
    ids = "".join(column)
    if len(ids) == digits * len(column) and _HEX.fullmatch(ids) and set(map(len, column)) == {digits}:
        return None if "0" * digits in column else True
    return None


def moments(column: Sequence[Any], times: Times) -> tuple[list[bytes], str] | None:
    """The times of a column as JSON, and what was assumed of all alike; `None` where that cannot be said."""
    if only(column, str) and times.are_utc(column):
        return texts(column), ""
    if only(column, int) and min(column) >= 10**12 and max(column) < 10**13:
        milliseconds = times.milliseconds_column(texts(column))
        return None if milliseconds is None else (milliseconds, "")
    if only(column, float) and min(column) >= 10**9 and max(column) < 10**10:
        seconds = times.seconds_column(texts(column))
        return None if seconds is None else (seconds, "")
    stamps = list(map(json_app.moment, column, repeat(times)))
    if None in stamps or len({stamp.assumed for stamp in stamps if stamp}) != 1:
        return None
    return texts([stamp.text for stamp in stamps if stamp]), stamps[0].assumed if stamps[0] else ""


def holes(plan: json_app.Plan, assumed: str | None, own: Sequence[str], hole: Callable[[int], Any]) -> Record:
    """A record of this plan with a hole in place of every value, the keys in the order of the slow path. The keys in
    `own` have values that are not what the plan takes them for, and stay the app's."""
    record = Record(plan.dialect)
    for number, (key, (kind, target)) in enumerate(plan.targets.items(), FIRST):
        if key in own:
            record.attributes[OWN_PREFIX + key] = hole(number)
        elif kind == "time":
            record.timestamp = Stamp(hole(STAMP), assumed or "")
        elif kind == "level":
            record.severity_text, record.severity_number = hole(LEVEL), hole(NUMBER)
        elif kind == "body":
            record.body = hole(number)
        elif kind == "resource":
            record.resource[target] = hole(number)
        elif kind == "trace":
            setattr(record, target, hole(number))
        else:
            record.attributes[target] = hole(number)
    return record
