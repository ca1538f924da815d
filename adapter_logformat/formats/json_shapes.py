"""JSON lines of one learned shape, without decoding them: one regex finds every value as it is written. Pure.

Only values that a JSON encoder would write back byte for byte are taken (plain strings, canonical numbers, words), so a
copy of the token is the same as decoding and encoding it; any other line is a gap, which `json_fast` reads as ever.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter_logformat.formats import json_app
from adapter_logformat.formats.json_plain import Plain, plain

_STRING: Final = rb'"[^"\\\x00-\x1f\x7f]*+"'
_INTEGER: Final = rb"(?:0|-?[1-9]\d{0,17}+)"
# At most 15 significant digits and no exponent: these decimals come back from a double as they were. `-0` does not.
_NUMBER: Final = (
    rb"(?!-0[^.])-?(?:0|[1-9]\d{0,17}+)(?![\d.eE])"
    rb"|-?(?:0|[1-9]\d{0,8}+)\.(?:0|(?!000)\d{0,5}[1-9])(?![\d.eE])"
)
_SCALAR: Final = b"(?:" + _STRING + b"|" + _NUMBER + b"|true|false|null)"
_ISO: Final = rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}+Z"'
_MILLISECONDS: Final = rb"[1-9]\d{12}"
_SECONDS: Final = rb"[1-9]\d{9}\.\d{1,9}"
_ISO_TEXT: Final = re.compile(_ISO[1:-1].decode(), re.ASCII)
_PLAIN_KEY: Final = re.compile(r"[ !#-\[\]-~]+")
MOST_KEYS: Final = 40


@dataclass(frozen=True, slots=True)
class Shape:
    """`fields` are the keys in their order; `own` those whose values are not what the plan takes them for; `epoch`: the
    time is a number, of milliseconds or of seconds with a fraction; `plain`: the quicker form for chunks that are clean
    throughout."""

    pattern: re.Pattern[bytes]
    fields: tuple[str, ...]
    plan: json_app.Plan
    own: tuple[str, ...]
    epoch: bool
    plain: Plain | None

    @property
    def width(self) -> int:
        return len(self.fields) + 1


def learn(line: bytes, fields: Mapping[str, object]) -> Shape | None:
    """The shape of `line` (without its newline), decoded as `fields`; `None` where it is not of the plain kind."""
    if not fields or len(fields) > MOST_KEYS or not all(map(_PLAIN_KEY.fullmatch, fields)):
        return None
    plan = json_app.plan(fields)
    if plan.shape:
        return None
    own: list[str] = []
    members = []
    epoch = False
    first = next(iter(fields))
    colon = b": " if line.startswith(b'{"%b": ' % first.encode()) else b":"
    comma = b", " if colon == b": " else b","
    for key, (kind, target) in plan.targets.items():
        value = fields[key]
        token = _token(kind, target, value)
        if token is None:
            return None
        if kind == "trace" and token is not None and not _is_id(value, json_app.TRACE_DIGITS[target]):
            own.append(key)
        epoch = epoch or (kind == "time" and not isinstance(value, str))
        members.append(b'"%b"%b(%b)' % (re.escape(key.encode()), colon, token))
    pattern = re.compile(rb"^\{" + comma.join(members) + rb"\}\n", re.MULTILINE)
    if not pattern.fullmatch(line + b"\n"):
        return None
    return Shape(pattern, tuple(fields), plan, tuple(own), epoch, plain(line, fields, plan, own, comma, colon))


def _token(kind: str, target: str, value: object) -> bytes | None:
    if kind == "own":
        return None if isinstance(value, dict | list) else _SCALAR
    if kind == "time":
        if isinstance(value, str):
            return _ISO if _ISO_TEXT.fullmatch(value) else None
        if isinstance(value, float):
            return _SECONDS if 10**9 <= value < 10**10 else None
        return _MILLISECONDS if type(value) is int and 10**12 <= value < 10**13 else None
    if kind == "level":
        return _STRING if isinstance(value, str) else _INTEGER if type(value) is int else None
    if kind == "trace":
        digits = json_app.TRACE_DIGITS[target]
        if _is_id(value, digits):
            return rb'"(?!0++")[0-9a-f]{%d}"' % digits if target != "trace_flags" else rb'"[0-9a-f]{%d}"' % digits
        return rb'(?!"[0-9a-fA-F]{%d}")' % digits + _STRING if isinstance(value, str) else None
    wanted = json_app.ATTRIBUTE_TYPES.get(target, str) if kind in ("body", "attribute", "resource") else None
    if wanted is str and isinstance(value, str):
        return _STRING
    return _INTEGER if wanted is int and type(value) is int else None


def _is_id(value: object, digits: int) -> bool:
    return isinstance(value, str) and re.fullmatch(rf"[0-9a-f]{{{digits}}}", value) is not None


def columns(shape: Shape, parts: Sequence[bytes]) -> dict[str, Sequence[bytes]]:
    """The tokens of each key, out of what `pattern.split` gave."""
    return {key: parts[place :: shape.width] for place, key in enumerate(shape.fields, 1)}
