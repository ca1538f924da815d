"""Pairs behind a message (`started addr=:8080 name="a b"`), as the consoles of structured loggers write them, and JSON
that stands there. Pure.

What a console's own reader leaves in the body is asked here; lines that are pairs altogether are `logfmt`'s. Where a
name stands twice the text stays whole: of two values one would be lost.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from adapter_logformat.formats.json_app import DAMAGED
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
_ESCAPE: Final = re.compile(
    r"\\(?:(?P<high>u[dD][89abAB][\da-fA-F]{2})\\(?P<low>u[dD][c-fC-F][\da-fA-F]{2})"
    r"|(?P<code>x[0-7][\da-fA-F]|u[\da-fA-F]{4}|U000[\da-fA-F]{5}|U0010[\da-fA-F]{4})|(?P<sign>[ntr\"'\\/]))"
)
_PLAIN: Final = {"n": "\n", "t": "\t", "r": "\r"}
_IDS: Final = {"trace_id": 32, "span_id": 16}
_HEX: Final = re.compile(r"(?!0+\Z)[0-9a-f]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_Value = TypeVar("_Value")


def distinct(named: Iterable[tuple[str, _Value]]) -> dict[str, _Value] | None:
    """The values by their names; `None` where a name occurs twice."""
    values: dict[str, _Value] = {}
    for name, value in named:
        if name in values:
            return None
        values[name] = value
    return values


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
    told = distinct(run)
    if end != len(text) or not begin or len(run) > MOST or told is None:
        return text, {}
    return text[:begin].rstrip(), {key: plain(value) for key, value in told.items()}


def plain(value: str) -> str:
    """A value without its quotes and escapes."""
    return unescaped(value[1:-1]) if value[:1] in ("'", '"') and len(value) > 1 else value


def unescaped(text: str) -> str:
    """What stood between quotes without its escapes, those of Go's `%q` among them; an escape that stands for no
    character (half of a pair of surrogates, a byte) stays as it is written, as do NUL's and unknown ones."""
    return _ESCAPE.sub(_escaped, text) if "\\" in text else text


def _escaped(escape: re.Match[str]) -> str:
    if escape["sign"] is not None:
        return _PLAIN.get(escape["sign"], escape["sign"])
    if escape["code"] is None:
        return chr(0x10000 + (int(escape["high"][1:], 16) - 0xD800) * 0x400 + int(escape["low"][1:], 16) - 0xDC00)
    code = int(escape["code"][1:], 16)
    return escape[0] if code == 0 or 0xD800 <= code < 0xE000 else chr(code)


def put(record: Record) -> bool:
    """Moves the pairs behind the message to their attributes. Always true, as the `finish` of a layout wants it."""
    whole = (record.body or "").rstrip()
    record.body, told = take(whole)
    placed = distinct((_target(key, value), value) for key, value in told.items())
    if placed is None or not placed.keys().isdisjoint(record.attributes):
        record.body = whole
        return True
    for target, value in placed.items():
        if target in _IDS:
            setattr(record, target, value)
        else:
            record.attributes[target] = value
    return True


def _target(key: str, value: str) -> str:
    target = TRACE_KEYS.get(key)
    if target in _IDS and len(value) == _IDS[target] and _HEX.fullmatch(value):
        return target
    return "exception.message" if key in ("err", "error") and value else OWN_PREFIX + key


def put_metadata(record: Record, name: str = OWN_PREFIX + "metadata") -> bool:
    """Opens the attribute `name` where all of it is pairs; else it stays. Always true."""
    text = record.attributes.get(name)
    if isinstance(text, str):
        before, told = take("x " + text)
        placed = {OWN_PREFIX + key: value for key, value in told.items()}
        if before == "x" and placed.keys().isdisjoint(record.attributes):
            del record.attributes[name]
            record.attributes.update(placed)
        else:
            record.attributes[name] = text.strip()
    return True


def put_object(record: Record) -> bool:
    """The same as `put` for a message that a JSON object follows."""
    text = record.body or ""
    begin = text.find(" {")
    if begin > 0 and text.endswith("}") and len(text) <= LONGEST:
        told = json_object(record, text[begin + 1 :])
        if told is not None:
            record.body = text[:begin].rstrip()
            record.attributes.update({OWN_PREFIX + key: value for key, value in told.items()})
    return True


def json_object(record: Record, text: str) -> dict[str, Any] | None:
    """The object that `text` is, marked in the record where it is damaged; `None` for anything else."""
    try:
        told, end, is_damaged = json_value(text)
    except ValueError:
        return None
    if end != len(text) or not isinstance(told, dict):
        return None
    if is_damaged:
        record.error = record.error or DAMAGED
    return told


def json_value(text: str, at: int = 0) -> tuple[Any, int, bool]:
    """The JSON value that begins at `at`, where it ends, and whether half of a pair of surrogates in it became U+FFFD
    (RFC 8259, 8.2). Raises `ValueError` for anything else, numbers that no double holds among them."""
    try:
        told, end = _decode(text, at)
        if "\\u" not in text:
            return told, end, False
        written, halves = _SURROGATE.subn("\ufffd", json.dumps(told, ensure_ascii=False))
        return (json.loads(written) if halves else told), end, halves > 0
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(text)
    return number


_decode = json.JSONDecoder(strict=False, parse_constant=_finite, parse_float=_finite).raw_decode
