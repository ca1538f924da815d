"""Takes out what must not be stored: e-mail and IP addresses, card numbers, tokens, and what own patterns match. Pure.

Works on finished records, so both ways of reading give the same bytes and no profile needs to know of it: a cheap
search over the whole chunk finds the lines that may be concerned, and only those are decoded. Times, ids and the name
of the format are no one's secret and stay. Every pattern is linear: runs are taken possessively, from their beginning.
"""

import hashlib
import hmac
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import msgspec

from adapter_logformat.unique import unique

Detector = Literal["email", "ipv4", "ipv6", "card", "bearer", "aws_key", "jwt"]
Action = Literal["mask", "hash", "drop"]
DETECTORS: Final[tuple[str, ...]] = get_args(Detector)
HASH_DIGITS: Final = 16
KEYS_KEPT: Final = 4096
LONGEST_KEY_KEPT: Final = 64
_Made = Mapping[str, "_Made | None"]
"""Keys by their way from the top of a record; `None`: this value."""
_OTLP: Final[_Made] = dict.fromkeys(("timeUnixNano", "observedTimeUnixNano", "severityNumber", "traceId", "spanId"))
MADE: Final[Mapping[str, _Made]] = {
    "timestamp": dict.fromkeys((
        "timestamp", "observed_timestamp", "severity_number", "log.format", "trace_id", "span_id", "trace_flags",
    )),
    "@timestamp": {
        "@timestamp": None, "ecs": {"version": None}, "event": {"created": None, "dataset": None, "severity": None},
    },
    "resourceLogs": {"resourceLogs": {"scopeLogs": {"logRecords": _OTLP}}},
    "version": dict.fromkeys(("version", "timestamp", "level", "_observed_timestamp")),
}  # fmt: skip
"""Values that this program made itself, which no app can write: by the first key of a record, which tells its profile
(`otel` and `flat` have the same)."""


def _is_ipv6(text: str) -> bool:
    if text.count(":") < 2:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B: do the digits of `text` have their check digit?"""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (doubled + sum(digits[-1::-2])) % 10 == 0


_DIGITS: Final = b"0123456789"
_HEX: Final = _DIGITS + b"abcdefABCDEF"
_AS_ZEROS: Final = bytes.maketrans(_DIGITS, b"0" * 10)
_AWS: Final = re.compile(rb"A[A-Z][A-Z]A[A-Z0-9]{16}")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a detector finds. `may_be_in` looks at raw JSON, a whole chunk at the speed of C, and must be true wherever
    `find` could match; `sign` is in every text that it matches in; `accept` has the last word."""

    may_be_in: Callable[[bytes], object]
    find: str
    accept: Callable[[str], bool] = bool
    sign: str = ""


KINDS: Final[dict[str, Kind]] = {
    "email": Kind(
        lambda raw: b"@" in raw,
        r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]++@(?:[A-Za-z0-9\-]{1,63}+\.){1,10}[A-Za-z]{2,24}(?![A-Za-z0-9])",
        sign="@",
    ),
    "ipv4": Kind(
        lambda raw: b"..." in raw.translate(None, _DIGITS),
        r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|\d{1,2})\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|\d{1,2})(?!\w|\.\d)",
        sign=".",
    ),
    "ipv6": Kind(
        lambda raw: b"::" in raw or b":::" in raw.translate(None, _HEX),
        r"(?<![\w:.])[0-9A-Fa-f:]{2,60}+(?:\d{1,3}\.\d{1,3}\.\d{1,3})?+(?!\w)",
        _is_ipv6,
        ":",
    ),
    "card": Kind(
        lambda raw: b"0" * 13 in raw.translate(_AS_ZEROS, b" -"),
        r"(?<!\d)(?:[2-6]\d{12,18}|[2-6]\d{3}([ \-])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ \-])\d{6}\2\d{5})(?!\d)",
        luhn,
    ),
    "bearer": Kind(
        lambda raw: b"bearer" in raw.lower(), r"(?i:(?<![A-Za-z])bearer)[ :=]{1,3}[A-Za-z0-9\-._~+/]{8,}+=*+"
    ),
    "aws_key": Kind(
        lambda raw: _AWS.search(raw) or b"secret" in raw.lower(),
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
        r"|(?i:aws_?secret_?(?:access_?)?key)[\"' :=]{1,4}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
    ),
    "jwt": Kind(lambda raw: b"eyJ" in raw, r"(?<![\w\-.])eyJ[\w\-]{2,}+\.eyJ[\w\-]{2,}+\.[\w\-]*+", sign="."),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What to look for, and what becomes of it. `pattern` instead of a detector's; `key` only for `hash`."""

    name: str
    action: Action = "mask"
    pattern: str | None = None
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class _Search:
    """A rule ready to be applied; without `may_be_in` to any line."""

    rule: Rule
    pattern: re.Pattern[str]
    accept: Callable[[str], bool] = bool
    sign: str = ""
    may_be_in: Callable[[bytes], object] = bool


class Redactor:
    """Applies rules in their order to rendered records; counts what it took out, by rule name, in `counts`."""

    def __init__(self, rules: Sequence[Rule], counts: Counter[str]) -> None:
        self._counts = counts
        self._rules = list(map(_search, rules))
        self._clean_keys: set[str] = set()

    def __call__(self, written: bytes) -> bytes:
        """`written` as whole lines of JSON, without what the rules find."""
        rules = [each for each in self._rules if each.may_be_in(written)]
        if not rules:
            return written
        return b"".join([self._line(line, rules) for line in written.splitlines(keepends=True)])

    def _line(self, line: bytes, rules: Sequence[_Search]) -> bytes:
        rules = [each for each in rules if each.may_be_in(line)]
        if not rules:
            return line
        found = Counter[str]()
        record = msgspec.json.decode(line)
        left: list[tuple[Any, _Made]] = [(record, MADE.get(next(iter(record), ""), {}))]
        while left:  # not by recursion: an app may nest as deep as it likes
            values, made = left.pop()
            if isinstance(values, dict):
                left += self._object(values, rules, found, made)
            else:
                kept = [(each, self._value(each, rules, found)) for each in values]
                values[:] = [after for before, after in kept if after is not None or before is None]
                left += [(each, made) for each in values if isinstance(each, dict | list)]
        if not found:
            return line
        self._counts.update(found)
        return msgspec.json.encode(record) + b"\n"

    def _value(self, value: object, rules: Sequence[_Search], found: Counter[str]) -> object:
        """The value without what was found; `None` for text of which nothing is left. Lists and objects are kept."""
        if isinstance(value, str):
            return self._text(value, rules, found)
        if isinstance(value, int) and not isinstance(value, bool):
            text = str(value)
            left = self._text(text, rules, found)
            return value if left == text else left
        return value

    def _object(
        self, values: dict[str, object], rules: Sequence[_Search], found: Counter[str], made: _Made
    ) -> list[tuple[Any, _Made]]:
        """Takes it out of the keys and values; the lists and objects among these are left to be looked at."""
        kept: dict[str, object] = {}
        tried: dict[str, int] = {}
        left: list[tuple[Any, _Made]] = []
        for key, before in values.items():
            inner = made.get(key, {})
            after = before if inner is None else self._value(before, rules, found)
            if after is None and before is not None:
                continue
            name = key if key in self._clean_keys else self._name(key, rules, found)
            kept[unique(name, kept, tried)] = after
            if inner is not None and isinstance(after, dict | list):
                left.append((after, inner))
        values.clear()
        values.update(kept)
        return left

    def _name(self, key: str, rules: Sequence[_Search], found: Counter[str]) -> str:
        """What becomes of a key; one in which nothing was found is remembered, as most records have the same."""
        name = self._text(key, rules, found, named=True) or "_"
        if name == key and len(key) <= LONGEST_KEY_KEPT:
            if len(self._clean_keys) >= KEYS_KEPT:
                self._clean_keys.clear()
            # Those rules that were not asked cannot find anything in it either: they find nothing in the line.
            self._clean_keys.add(key)
        return name

    def _text(self, text: str, rules: Sequence[_Search], found: Counter[str], *, named: bool = False) -> str | None:
        """`named`: only detectors look at keys, as own patterns may be anything."""
        before = text
        for each in rules:
            if each.sign not in text or (named and each.rule.pattern is not None):
                continue
            if each.pattern.search(text) is None:
                continue

            def replaced(match: re.Match[str], each: _Search = each) -> str:
                if not match[0] or not each.accept(match[0]):
                    return match[0]
                found[each.rule.name] += 1
                return _instead(each.rule, match[0])

            text = each.pattern.sub(replaced, text)
        return text if text or not before else None


def _search(rule: Rule) -> _Search:
    if rule.pattern is not None:
        return _Search(rule, re.compile(rule.pattern))
    kind = KINDS[rule.name]
    return _Search(rule, re.compile(kind.find, re.ASCII), kind.accept, kind.sign, kind.may_be_in)


def _instead(rule: Rule, text: str) -> str:
    if rule.action == "drop":
        return ""
    if rule.action == "mask":
        return f"[{rule.name}]"
    digest = hmac.new(rule.key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return f"[{rule.name}:{digest[:HASH_DIGITS]}]"
