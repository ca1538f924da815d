"""Metrics from logs: rules that turn matching records into counters and histograms, with a bound on their series. Pure.

Runs of access lines that came the fast way are counted from their finished bytes with one search; every other record is
looked at by itself. Label values beyond the bound are counted under `__overflow__`; a series that nothing was added to
for long is forgotten, and begins at zero if it comes back.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from math import inf, isfinite
from typing import Final

import msgspec

from adapter_logformat.record import Record

OVERFLOW: Final = "__overflow__"
OTHER: Final = "other"
"""What stands for a label value that is not on its list, and for a path that no template fits."""
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER"})
PATHS_KEPT: Final = 4096
ACCESS_FAST: Final = frozenset({"combined", "common", "vhost_combined", "vhost_common"})
_NS: Final = 1_000_000_000
_STATUS: Final = b'"http.response.status_code":'
# As access lines come out of their template: the strings there hold neither quote nor backslash, and inside a JSON
# string a quote is escaped, so no value can look like one of these keys.
_ACCESS: Final = re.compile(
    rb'"http\.request\.method":"(\w+)","url\.path":"([^"\\]*+)"(?:,"url\.query":"[^"\\]*+")?+'
    rb',"network\.protocol\.name":"http","network\.protocol\.version":"[^"\\]*+"'
    rb',"http\.response\.status_code":(\d++)(?:,"http\.response\.body\.size":(\d++))?+'
)
_Cell = list[float]
"""A counter's value; or of a histogram the sum, then the count of each bucket, the last one for what is beyond all."""


@dataclass(frozen=True, slots=True)
class Label:
    """Where a label's value comes from; `allow` empty: any value, within the bound of series."""

    name: str
    field: str
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """Records of `formats` (empty: all) whose fields have the texts in `where` are counted; with `value` that field is
    summed up, with `buckets` too it becomes a histogram."""

    name: str
    labels: tuple[Label, ...] = ()
    formats: frozenset[str] = frozenset()
    where: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    buckets: tuple[float, ...] = ()
    text: str = "A rule from the settings"


@dataclass(slots=True)
class Family:
    """All series of one metric: label values → cell and when it was last added to (ns)."""

    name: str
    labels: tuple[str, ...]
    text: str
    buckets: tuple[float, ...] = ()
    cells: dict[tuple[str, ...], _Cell] = field(default_factory=dict)
    touched: dict[tuple[str, ...], int] = field(default_factory=dict)


class Measures:
    """All rules of the settings. `record` and `run` add, `families` gives what there is."""

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        access_log: bool = False,
        paths: Sequence[str] = (),
        max_series: int = 1000,
        idle_s: float = 3600.0,
    ) -> None:
        self._rules = [(rule, Family(rule.name, tuple(each.name for each in rule.labels), rule.text, rule.buckets))
                       for rule in rules]  # fmt: skip
        self._max_series = max_series
        self._idle_ns = int(idle_s * _NS)
        self._now_ns = 0
        self.dropped = 0
        """Values that were not added, as a double cannot hold them or the sum."""
        self._paths = [(path, _path_regex(path)) for path in paths]
        self._known_paths: dict[str, str] = {}
        labels = ("method", "status", *(("path",) if paths else ()))
        self._access = access_log
        self._requests = Family("http_requests", labels, "Requests in access logs, by status class")
        self._bytes = Family("http_response_bytes", labels, "Bytes of response bodies in access logs")
        self._durations = Family("http_request_duration_seconds", labels, "Durations in access logs", SECONDS)

    def __bool__(self) -> bool:
        return self._access or bool(self._rules)

    def at(self, now_ns: int) -> None:
        """The moment at which the following records are added."""
        self._now_ns = now_ns

    def record(self, record: Record) -> None:
        """One record."""
        if self._access:
            self._access_record(record.attributes)
        for rule, family in self._rules:
            if not rule.formats or record.format in rule.formats:
                self._apply(rule, family, lambda name: _field_of(record, name))

    def run(self, written: bytes, formats: Mapping[str, int]) -> None:
        """Many records at once, as profile `otel` wrote them."""
        rules = [(rule, family) for rule, family in self._rules if not rule.formats or rule.formats & formats.keys()]
        if not rules and (not self._access or _STATUS not in written):
            return
        if not rules and formats.keys() <= ACCESS_FAST:
            found = _ACCESS.findall(written)
            if len(found) == sum(formats.values()):
                self._access_run(found)
                return
        for line in map(msgspec.json.decode, written.splitlines()):
            if self._access:
                self._access_record(line.get("attributes", {}))
            for rule, family in rules:
                if not rule.formats or line["log.format"] in rule.formats:
                    self._apply(rule, family, lambda name, line=line: _field_in(line, name))  # type: ignore[misc]

    # -- the ready-made rule -------------------------------------------------------------------------------------------

    def _access_run(self, found: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> None:
        """`found`: method, path, status and size of each request."""
        methods, paths, statuses, sized = zip(*found, strict=True)
        keys = list(zip(methods, statuses, paths if self._paths else repeat(b""), strict=False))
        counts = Counter(keys)
        sizes: dict[tuple[bytes, bytes, bytes], int] = dict.fromkeys(counts, 0)
        for key, size in zip(keys, sized, strict=True):
            if size:
                sizes[key] += int(size)
        for key, count in counts.items():
            method, status, path = key
            labels = self._access_labels(method.decode(), int(status), path.decode())
            self._add(self._requests, labels, count)
            if sizes[key]:
                self._add(self._bytes, labels, sizes[key])

    def _access_record(self, attributes: Mapping[str, object]) -> None:
        method, status = attributes.get("http.request.method"), attributes.get("http.response.status_code")
        if not isinstance(method, str) or not isinstance(status, int) or not 100 <= status <= 999:
            return
        path = attributes.get("url.path")
        labels = self._access_labels(method, status, path if isinstance(path, str) else "")
        self._add(self._requests, labels, 1)
        size, duration = attributes.get("http.response.body.size"), attributes.get("http.server.request.duration")
        if isinstance(size, int) and size:
            self._add(self._bytes, labels, size)
        if isinstance(duration, int | float):
            self._add(self._durations, labels, duration)

    def _access_labels(self, method: str, status: int, path: str) -> tuple[str, ...]:
        known = method if method in METHODS else "_OTHER"
        labels = (known, f"{status // 100}xx")
        return (*labels, self._template(path)) if self._paths else labels

    def _template(self, path: str) -> str:
        found = self._known_paths.get(path)
        if found is None:
            if len(self._known_paths) >= PATHS_KEPT:
                self._known_paths.clear()
            found = next((name for name, regex in self._paths if regex.fullmatch(path)), OTHER)
            self._known_paths[path] = found
        return found

    # -- rules of the settings -----------------------------------------------------------------------------------------

    def _apply(self, rule: Rule, family: Family, read: Callable[[str], object]) -> None:
        if any(_text(read(name)) != wanted for name, wanted in rule.where.items()):
            return
        amount: object = read(rule.value) if rule.value else 1
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            return
        labels = []
        for label in rule.labels:
            value = _text(read(label.field))
            labels.append(value if not label.allow or value in label.allow else OTHER)
        self._add(family, tuple(labels), amount)

    def _add(self, family: Family, labels: tuple[str, ...], amount: float) -> None:
        cell = family.cells.get(labels)
        if cell is None and len(family.cells) >= self._max_series and labels:
            labels = (OVERFLOW,) * len(labels)
            cell = family.cells.get(labels)
        try:
            amount = float(amount)
        except OverflowError:
            amount = inf
        if not isfinite(amount + (cell[0] if cell is not None else 0)):
            self.dropped += 1
            return
        if cell is None:
            cell = family.cells[labels] = [0.0] * (len(family.buckets) + 2) if family.buckets else [0.0]
        family.touched[labels] = self._now_ns
        if family.buckets or amount >= 0:  # a counter never goes down
            cell[0] += amount
        if family.buckets:
            cell[1 + bisect_left(family.buckets, amount)] += 1

    def families(self, now_ns: int) -> Iterator[Family]:
        """Those in use, without series that are idle for too long."""
        access = (self._requests, self._bytes, self._durations) if self._access else ()
        for family in (*access, *(family for _, family in self._rules)):
            idle = [labels for labels, touched in family.touched.items() if now_ns - touched > self._idle_ns]
            for labels in idle:
                del family.cells[labels], family.touched[labels]
            yield family


def _path_regex(template: str) -> re.Pattern[str]:
    """`/users/{id}/*`: a name in braces is one segment, `*` at the end any rest."""
    pieces = re.split(r"\{[^{}/]*\}", template.removesuffix("*"))
    return re.compile(r"[^/]++".join(map(re.escape, pieces)) + (".*" if template.endswith("*") else ""), re.DOTALL)


def _field_of(record: Record, name: str) -> object:
    if name in record.attributes:
        return record.attributes[name]
    own = {
        "severity_text": record.severity_text,
        "severity_number": record.severity_number,
        "log.format": record.format,
    }
    return own.get(name, record.resource.get(name))


def _field_in(line: Mapping[str, object], name: str) -> object:
    for group in ("attributes", "resource"):
        values = line.get(group)
        if isinstance(values, dict) and name in values:
            return values[name]
    return line.get(name) if name in ("severity_text", "severity_number", "log.format") else None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
