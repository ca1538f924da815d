"""The user's own regex: what its groups become, and which patterns are refused before they ever see a line."""

import pytest

from adapter_logformat.formats.custom import custom
from adapter_logformat.formats.regex_check import objection
from adapter_logformat.record import Stamp
from adapter_logformat.timestamps import Times

NOW = 1_795_161_060_000_000_000


def times() -> Times:
    made = Times()
    made.observe(NOW)
    return made


def test_groups_become_fields_by_their_names() -> None:
    shop = custom(
        r"(?P<time>[^|]+)\|(?P<level>\w+)\|(?P<pid>\d+)\|(?P<shop__order>\d+)\|(?P<color>\w+)\|(?P<message>.*)",
        "%d/%b/%Y:%H:%M:%S %z",
    )
    record = shop.read("20/Nov/2026:08:51:00 +0100|warn|7|42|red|text", times())
    assert record is not None
    assert record.timestamp == Stamp("2026-11-20T07:51:00Z", "")
    assert (record.severity_text, record.severity_number, record.body) == ("warn", 13, "text")
    assert record.attributes == {"process.pid": 7, "shop.order": "42", "app.color": "red"}


def test_a_line_that_does_not_match_is_not_read() -> None:
    assert custom("(?P<message>a+)").read("b", times()) is None


@pytest.mark.parametrize(
    ("layout", "text", "stamp"),
    [
        ("%Y-%m-%d %H:%M:%S.%f", "2026-11-20 08:51:00.123", Stamp("2026-11-20T08:51:00.123Z", "zone")),
        ("%b %d %H:%M:%S", "Nov  9 08:51:00", Stamp("2026-11-09T08:51:00Z", "year,zone")),
        ("%m/%d/%y %I:%M:%S %p", "11/20/26 8:51:00 PM", Stamp("2026-11-20T20:51:00Z", "zone")),
        ("%s.%f", "1795161060.25", Stamp("2026-11-20T07:51:00.25Z", "")),
        ("%d.%m.%Y %T %Z", "20.11.2026 08:51:00 CET", Stamp("2026-11-20T07:51:00Z", "")),
        ("%H:%M:%S", "25:00:00", None),
    ],
)
def test_time_layouts(layout: str, text: str, stamp: Stamp | None) -> None:
    record = custom("(?P<time>.*)", layout).read(text, times())
    assert record is not None
    assert record.timestamp == stamp
    assert (record.error is None) == (stamp is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(?:a*)*b",
        "((?:ab)+c?)*",
        r"(?P<x>(\w+\s?)*)$",
        "(?:a|ab)*c",
        "(?:a|a)+",
        r"(?:\d|\w)*",
        "(x{1,99})+",
        "(",
    ],
)
def test_patterns_that_could_take_forever_are_refused(pattern: str) -> None:
    assert objection(pattern)
    with pytest.raises(ValueError, match=r"."):
        custom(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<time>\S+ \S+) \[(?P<level>\w+)\] (?P<message>.*)",
        r'"((?:[^"\\]|\\.)*)"',
        "(?:a++)+",
        "(?>a+)+",
        "(?:a+)++",
        r"(?:\d+\.){3}\d+",
        r"(?:(?P<host>\w+) )?(?P<message>.*)",
        r"\((?P<message>[^)]*)\)",
    ],
)
def test_ordinary_patterns_pass(pattern: str) -> None:
    assert objection(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "layout"), [("(?P<time>.*)", "%Q"), ("(?P<time>.*)", "%Y-%m-%d"), ("(?P<m>.*)", "%H"), (".*", None)]
)
def test_mistakes_are_told(pattern: str, layout: str | None) -> None:
    with pytest.raises(ValueError, match=r"."):
        custom(pattern, layout)
