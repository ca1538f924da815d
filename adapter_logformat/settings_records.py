"""What may be configured of the records: what is taken out of them, and what is counted.

How it is done is the matter of `redact` and `measures`.
"""

import re
from pathlib import Path
from typing import Annotated

import msgspec

from adapter_logformat.formats.registry import NAMES
from adapter_logformat.redact import Action, Detector
from adapter_logformat.settings_inputs import unknown_format
from chassis.settings import Mistake, Seconds, SettingsError, describe

ACCESS_METRICS = ("http_requests", "http_response_bytes", "http_request_duration_seconds")


class RedactSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must not be stored."""

    detect: Annotated[Detector | None, describe("a detector that is ready-made")] = None
    pattern: Annotated[str | None, describe("or a regex of your own")] = None
    name: Annotated[str, describe("of your own pattern, in what stands instead of a match and at /metrics")] = "pattern"
    action: Annotated[
        Action, describe("mask: [email] stands there; hash: a keyed hash, alike for alike text; drop: nothing")
    ] = "mask"
    key_file: Annotated[Path | None, describe("the secret of the hashes, at least 16 bytes")] = None

    def __post_init__(self) -> None:
        mistakes = []
        if (self.detect is None) == (self.pattern is None):
            mistakes.append(Mistake("detect", "name a detector or write a pattern, one of the two"))
        if (self.action == "hash") != (self.key_file is not None):
            mistakes.append(Mistake("key_file", "goes with `action: hash`, and only with it"))
        if self.pattern is not None:
            from adapter_logformat.formats.regex_check import objection  # only for those who wrote a regex

            wrong = objection(self.pattern)
            if wrong is not None:
                mistakes.append(Mistake("pattern", wrong))
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", self.name):
            mistakes.append(Mistake("name", "write small letters, digits and underscores"))
        if mistakes:
            raise SettingsError(mistakes)


class LabelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the value of a label comes from."""

    field: Annotated[str, describe("an attribute, a resource attribute, severity_text or log.format")]
    allow: Annotated[list[str], describe("the values that may occur, all others count as `other`; empty: any")] = []


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Records that are counted."""

    name: Annotated[str, describe("the metric is called logs_NAME (_total where it counts)")]
    formats: Annotated[list[str], describe("only records of these formats; empty: all")] = []
    where: Annotated[dict[str, str], describe("field: the text it must have")] = {}
    value: Annotated[str, describe("the field to sum up, instead of counting records")] = ""
    buckets: Annotated[list[float], describe("upper bounds; with them `value` becomes a histogram")] = []
    labels: Annotated[dict[str, LabelSettings], describe("label: where its value comes from")] = {}

    def __post_init__(self) -> None:
        mistakes = []
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,80}", self.name):
            mistakes.append(Mistake("name", "write small letters, digits and underscores"))
        mistakes += [
            Mistake(f"labels.{name}", "write small letters, digits and underscores, and not le")
            for name in self.labels
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,80}", name) or name == "le"
        ]
        if self.buckets and not self.value:
            mistakes.append(Mistake("buckets", "need a value"))
        if list(self.buckets) != sorted(set(self.buckets)):
            mistakes.append(Mistake("buckets", "expected rising numbers"))
        for at, name in enumerate(self.formats):
            if name not in NAMES:
                mistakes.append(Mistake(f"formats[{at}]", unknown_format(name)))
        if mistakes:
            raise SettingsError(mistakes)


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics made from the records, for apps that have none."""

    access_log: Annotated[
        bool, describe("requests, bytes and durations of any access log, by method and status class")
    ] = False
    paths: Annotated[
        list[str],
        describe("adds the label path: templates as in /users/{id} or /static/*, all others count as `other`"),
    ] = []
    max_series: Annotated[
        int, describe("of one metric; values beyond it are counted under __overflow__", ge=1, le=100000)
    ] = 1000
    idle: Annotated[Seconds, describe("a series that nothing was added to for so long is forgotten")] = Seconds("1h")
    rules: Annotated[list[RuleSettings], describe("rules of your own")] = []

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        mistakes = [
            Mistake(f"rules[{at}].name", f"{name} is there already")
            for at, name in enumerate(names)
            if name in names[:at] or name in ACCESS_METRICS
        ]
        if mistakes:
            raise SettingsError(mistakes)
