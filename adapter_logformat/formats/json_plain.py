"""JSON lines of one learned shape that are clean throughout: the quickest form, for whole chunks or not at all. Pure.

Without its ordinary characters each such line is the same few quotes. So no string holds an escape, a control character
or a quote, and a class of one character finds its end.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapter_logformat.formats import json_app

_ORDINARY: Final = bytes((set(range(32, 127)) | set(range(128, 256))) - set(b'"\\'))
_STRING: Final = rb'"[^"]*+"'
_INTEGER: Final = rb"(?:0|-?[1-9]\d{0,17}+)"
_DECIMAL: Final = rb"-?(?:0|[1-9]\d{0,8}+)\.(?:0|(?!000)\d{0,5}[1-9])"
_DIGITS: Final = bytes.maketrans(b"0123456789", b"0" * 10)
_HEX: Final = b"0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Column:
    """A group of the pattern: the value of `key`. `check`: do all the values fit what the pattern leaves open?"""

    key: str
    check: Callable[[Sequence[bytes]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """`residue`: what is left of each line, its newline included."""

    pattern: re.Pattern[bytes]
    columns: tuple[Column, ...]
    residue: bytes

    def lines(self, chunk: bytes) -> int:
        """How many lines `chunk` is, all of them clean and with the quotes of the shape; 0 when they are not."""
        residue = chunk.translate(None, _ORDINARY)
        lines, rest = divmod(len(residue), len(self.residue))
        return 0 if rest or residue != self.residue * lines else lines

    def take(self, chunk: bytes, lines: int) -> dict[str, Sequence[bytes]] | None:
        """The tokens of each key; `None` unless each of the `lines` of `chunk` has the shape."""
        parts = self.pattern.split(chunk)
        width = len(self.columns) + 1
        # Only as many newlines as matches, and nothing between these: no group holds one.
        if len(parts) != lines * width + 1 or any(parts[::width]):
            return None
        found: dict[str, Sequence[bytes]] = {}
        for place, column in enumerate(self.columns, 1):
            tokens = parts[place::width]
            if column.check is not None and not column.check(tokens):
                return None
            found[column.key] = tokens
        return found


def plain(
    line: bytes, fields: Mapping[str, object], plan: json_app.Plan, own: Sequence[str], comma: bytes, colon: bytes
) -> Plain | None:
    """The form for lines like `line` (without its newline); `None` where a value is not of the kind it needs."""
    residue = line.translate(None, _ORDINARY)
    if residue.strip(b'"'):
        return None
    members: list[bytes] = []
    columns: list[Column] = []
    for key, (kind, target) in plan.targets.items():
        known = _token(kind, target, fields[key], is_own=kind == "own" or key in own)
        if known is None:
            return None
        token, check = known
        members.append(b'"%b"%b(%b)' % (re.escape(key.encode()), colon, token))
        columns.append(Column(key, check))
    compiled = re.compile(rb"^\{" + comma.join(members) + rb"\}\n", re.MULTILINE)
    form = Plain(compiled, tuple(columns), residue + b"\n")
    return form if compiled.fullmatch(line + b"\n") else None


def _token(
    kind: str, target: str, value: object, *, is_own: bool
) -> tuple[bytes, Callable[[Sequence[bytes]], bool] | None] | None:
    """The pattern of a value like this one, and what is to be asked of all of them."""
    if kind == "time":
        if not isinstance(value, str):
            return (rb"[1-9]\d{9}\.\d{1,9}" if isinstance(value, float) else rb"[1-9]\d{12}"), None
        return rb'"[^"]{%d}"' % len(value), _of_form(b'"' + value.encode().translate(_DIGITS) + b'"')
    if kind == "trace":
        digits = json_app.TRACE_DIGITS[target]
        return (_STRING, _of_another_size(digits + 2)) if is_own else (rb'"[^"]{%d}"' % digits, _is_id(target))
    if isinstance(value, str):
        return _STRING, None
    if isinstance(value, bool):
        return b"(?:true|false)", None
    if isinstance(value, int):
        return _INTEGER, None
    return (b"(?:" + _DECIMAL + b"|" + _INTEGER + b")", None) if isinstance(value, float) else None


def _of_form(form: bytes) -> Callable[[Sequence[bytes]], bool]:
    """Nothing but the digits differs from `form`."""
    return lambda tokens: b"".join(tokens).translate(_DIGITS) == form * len(tokens)


def _of_another_size(size: int) -> Callable[[Sequence[bytes]], bool]:
    return lambda tokens: size not in set(map(len, tokens))


def _is_id(target: str) -> Callable[[Sequence[bytes]], bool]:
    none = b'"' + b"0" * json_app.TRACE_DIGITS[target] + b'"'

    def check(tokens: Sequence[bytes]) -> bool:
        is_hex = b"".join(tokens).translate(None, _HEX) == b'""' * len(tokens)
        return is_hex and (target == "trace_flags" or none not in tokens)

    return check


def seconds(tokens: Sequence[bytes]) -> list[bytes]:
    """The different beginnings (a quote and 19 characters) of tokens; nearly sorted ones take little more than a look
    at each."""
    ordered = sorted(tokens)
    found, at = [], 0
    while at < len(ordered):
        found.append(ordered[at][:20])
        at = bisect_right(ordered, found[-1] + b"\x7f", at)
    return found
