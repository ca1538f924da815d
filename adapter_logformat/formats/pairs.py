"""Pairs behind a message (`started addr=:8080 name="a b"`), as the consoles of structured loggers write them. Pure.

What a console's own reader leaves in the body is asked here; lines that are pairs altogether are `logfmt`'s.
"""

import json
import re
from typing import Final

from adapter_logformat.formats.json_dialects import TRACE_KEYS
from adapter_logformat.record import OWN_PREFIX, Record

LONGEST: Final = 1 << 15
"""A longer message keeps its pairs."""
MOST: Final = 256
_PAIR: Final = re.compile(
    r"(?<!\S)([A-Za-z_@][\w.\-/]{0,100}+)="
    r"(\"(?:[^\"\\]|\\.){0,4096}+\"|'(?:[^'\\]|\\.){0,4096}+'|[\[({][^\[\](){}]{0,4096}+[\])}]|[^\s\"'\[{(][^\s\"]*+|)"
    r"(?=\s|\Z)"
)
_ESCAPE: Final = re.compile(r"\\(.)")
_PLAIN: Final = {"n": "\n", "t": "\t", "r": "\r"}
_IDS: Final = {"trace_id": 32, "span_id": 16}
_HEX: Final = re.compile(r"(?!0+\Z)[0-9a-f]+")


def take(text: str) -> tuple[str, dict[str, str]]:
    """The message, and the pairs that follow it up to the end; a text that is pairs from its beginning stays whole."""
    text = text.rstrip()
    if "=" not in text or len(text) > LONGEST:
        return text, {}
    begin = end = 0
    run: list[tuple[str, str]] = []
    for found in _PAIR.finditer(text):
        if not run or text[end : found.start()].strip():
            begin, run = found.start(), []
        run.append((found[1], found[2]))
        end = found.end()
    if end != len(text) or not begin or len(run) > MOST:
        return text, {}
    return text[:begin].rstrip(), {key: plain(value) for key, value in run}


def plain(value: str) -> str:
    """A value without its quotes and escapes."""
    if value[:1] not in ("'", '"') or len(value) < 2:
        return value
    return _ESCAPE.sub(lambda escape: _PLAIN.get(escape[1], escape[1]), value[1:-1])


def put(record: Record) -> bool:
    """Moves the pairs behind the message to their attributes. Always true, as the `finish` of a layout wants it."""
    record.body, told = take(record.body or "")
    for key, value in told.items():
        target = TRACE_KEYS.get(key)
        if target in _IDS and len(value) == _IDS[target] and _HEX.fullmatch(value):
            setattr(record, target, value)
        elif key in ("err", "error") and value:
            record.attributes.setdefault("exception.message", value)
        else:
            record.attributes.setdefault(OWN_PREFIX + key, value)
    return True


def put_object(record: Record) -> bool:
    """The same for a message that a JSON object follows."""
    text = record.body or ""
    begin = text.find(" {")
    if begin > 0 and text.endswith("}") and len(text) <= LONGEST:
        try:
            told = json.loads(text[begin + 1 :])
        except (ValueError, RecursionError):
            return True
        record.body = text[:begin].rstrip()
        record.attributes.update({OWN_PREFIX + key: value for key, value in told.items()})
    return True
