"""Times as transcripts: what is written, what it means in UTC, and what had to be assumed."""

import json

import pytest

from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.record import Stamp
from adapter_logformat.timestamps import Times, rfc3339

NOW = 1_795_161_060_000_000_000  # 2026-11-20T07:51:00Z
DAY = 86_400_000_000_000


def times(zone: str = "UTC", now: int = NOW) -> Times:
    made = Times(zone)
    made.observe(now)
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z"),
        ("29/Feb/2024:23:59:59 +0530", "2024-02-29T18:29:59Z"),
        ("31/Dec/1999:23:00:00 -0200", "2000-01-01T01:00:00Z"),
    ],
)
def test_common_log_format(text: str, expected: str) -> None:
    assert times().clf(text) == Stamp(expected, "")
    assert times().clf_bytes[text.encode()] == expected.encode()


@pytest.mark.parametrize(
    "text",
    [
        "29/Feb/2023:00:00:00 +0000",
        "10/Foo/2000:13:55:36 -0700",
        "10/Oct/2000:25:55:36 -0700",
        "",
        "10/Oct/2000:13:55:36 +9900",
    ],
)
def test_no_moment(text: str) -> None:
    assert times().clf(text) is None
    with pytest.raises(KeyError):
        times().clf_bytes[text.encode()]


def test_precision_is_kept_and_zones_are_applied() -> None:
    read = times().text
    assert read("2026-11-20T08:51:00Z") == Stamp("2026-11-20T08:51:00Z", "")
    assert read("2026-11-20T08:51:00.1Z") == Stamp("2026-11-20T08:51:00.1Z", "")
    assert read("2026-11-20T08:51:00.123456789+02:00") == Stamp("2026-11-20T06:51:00.123456789Z", "")
    assert read("2026-11-20 08:51:00,120") == Stamp("2026-11-20T08:51:00.120Z", "zone")
    assert read("2026/11/20 08:51:00 -03") == Stamp("2026-11-20T11:51:00Z", "")
    assert read("yesterday") is None
    assert read("2026-13-20T08:51:00Z") is None


def test_a_missing_zone_is_the_configured_one_with_daylight_saving_per_record() -> None:
    read = times("Europe/Berlin").text
    assert read("2026-07-01 12:00:00") == Stamp("2026-07-01T10:00:00Z", "zone")
    assert read("2026-12-01 12:00:00") == Stamp("2026-12-01T11:00:00Z", "zone")


def test_a_leap_second_keeps_its_minute() -> None:
    assert times().text("2016-12-31T23:59:60Z") == Stamp("2016-12-31T23:59:59Z", "")


def test_a_missing_year_is_the_one_nearest_to_the_observed_day() -> None:
    new_year = times(now=NOW + 42 * DAY)  # 2027-01-01
    assert new_year.month_day("Dec", "31", "23:59:59") == Stamp("2026-12-31T23:59:59Z", "year,zone")
    assert new_year.month_day("Jan", "2", "00:00:00") == Stamp("2027-01-02T00:00:00Z", "year,zone")
    assert times().month_day("Jan", "1", "00:00:00") == Stamp("2027-01-01T00:00:00Z", "year,zone")
    assert times().month_day("Foo", "1", "00:00:00") is None
    assert times().month_day("Feb", "30", "00:00:00") is None


@pytest.mark.parametrize(
    ("written", "month", "day", "expected"),
    [
        ("2026-11-18", "Feb", "3", "2026-02-03"),
        ("2026-11-18", "May", "17", "2026-05-17"),
        ("2026-11-18", "Nov", "19", "2026-11-19"),  # perhaps of a zone further east
        ("2026-11-18", "Nov", "21", "2025-11-21"),
        ("2026-12-31T23", "Jan", "1", "2027-01-01"),
        ("2027-01-02", "Dec", "31", "2026-12-31"),
        ("2026-11-18", "Feb", "29", "2024-02-29"),
        ("2103-06-01", "Feb", "29", "2096-02-29"),
    ],
)
def test_a_line_is_not_of_a_time_after_its_file_was_written(written: str, month: str, day: str, expected: str) -> None:
    reader = Times()
    reader.observe_date("2020-06-01")
    assert reader.month_day(month, day, "12:00:00") is not None
    reader.observe_date(written, written=True)
    assert reader.month_day(month, day, "00:00:00") == Stamp(f"{expected}T00:00:00Z", "year,zone")
    assert reader.parts(None, month, day, "00:00:00", zone="+00:00") == Stamp(f"{expected}T00:00:00Z", "year")
    assert reader.parts(None, month, day, "00:00:00", zone="Etc/UTC") == Stamp(f"{expected}T00:00:00Z", "year")


def test_only_where_the_time_of_writing_is_known_the_nearest_year_is_not_asked_for() -> None:
    line = b"<13>Feb  3 08:51:00 host app: hello\n"
    runtime = b"2026-11-20T08:51:00.1Z stdout F " + line
    for written_ns, raw, year in (
        (NOW, line, 2026),
        (0, line, 2027),
        (0, runtime, 2026),
        (NOW + 300 * DAY, line, 2026),
    ):
        stream = Stream(Options(written_ns=written_ns))
        (written,) = (stream.feed(raw, NOW) + stream.flush(NOW)).splitlines()
        assert json.loads(written)["timestamp"] == f"{year}-02-03T08:51:00Z"


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2024-02-29", "2024-02-29"),
        ("2024-01-02", "2024-02-29"),
        ("2023-11-20", "2024-02-29"),  # in the next year, as any day of that February
        ("2025-01-02", "2024-02-29"),
        ("2026-11-20", "2024-02-29"),  # none in 2025 to 2027: it was, sooner than it will be
        ("2103-06-01", "2104-02-29"),
        ("2102-06-01", "2096-02-29"),
    ],
)
def test_the_29_february_is_that_of_a_year_which_has_one(today: str, expected: str) -> None:
    reader = Times()
    reader.observe_date(today)
    assert reader.month_day("Feb", "29", "12:00:00") == Stamp(f"{expected}T12:00:00Z", "year,zone")
    assert reader.parts(None, "02", "29", "12:00:00") == Stamp(f"{expected}T12:00:00Z", "year,zone")


@pytest.mark.parametrize(
    ("now", "clock", "expected"),
    [
        ("2026-11-20T00", "23:59:59", "2026-11-19T23:59:59Z"),
        ("2026-11-20T23", "00:00:01", "2026-11-21T00:00:01Z"),
        ("2026-11-20T08", "09:10:11", "2026-11-20T09:10:11Z"),
        ("2026-11-20", "00:00:00", "2026-11-20T00:00:00Z"),
    ],
)
def test_a_clock_alone_is_of_the_day_that_brings_it_nearest(now: str, clock: str, expected: str) -> None:
    reader = Times()
    reader.observe_date(now)
    assert reader.clock(clock) == Stamp(expected, "date,zone")


@pytest.mark.parametrize(
    "line",
    [
        "<34>Dec 31 23:59:58 web su[231]: failed",
        "Dec 31 23:59:58 web su[231]: failed",
        "E1231 23:59:58.000001    7 server.go:42] failed",
        "12-31 23:59:58.811  1702  2395 D WindowManager: failed",
        "[31/Dec 23:59:58] failed",
        "31-Dec 23:59:58 INFO failed",
        "[12-31 23:59:58] failed",
    ],
)
def test_a_line_of_december_that_is_read_in_january_is_of_the_year_before(line: str) -> None:
    january = 1_798_761_660_000_000_000  # 2027-01-01T00:01:00Z
    stream = Stream(Options())
    record = json.loads(stream.feed(line.encode() + b"\n", january) + stream.flush(january))
    assert record["timestamp"][:19] == "2026-12-31T23:59:58"
    assert "year" in record["timestamp.assumed"]


@pytest.mark.parametrize(
    ("whole", "digits", "expected"),
    [
        (1763628660, 0, "2025-11-20T08:51:00Z"),
        (1763628660123, 3, "2025-11-20T08:51:00.123Z"),
        (1763628660123456, 6, "2025-11-20T08:51:00.123456Z"),
        (1763628660123456789, 9, "2025-11-20T08:51:00.123456789Z"),
    ],
)
def test_since_the_epoch(whole: int, digits: int, expected: str) -> None:
    assert times().epoch(whole, unit_digits=digits) == Stamp(expected, "")


def test_far_off_times_are_none() -> None:
    assert times().epoch(10**30) is None
    assert times().epoch(-1) is None


def test_a_year_of_unordered_times_does_not_pile_up() -> None:
    read = times()
    for second in range(20_000):
        read.text(f"2026-{second % 12 + 1:02d}-01T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z")
    assert len(read._iso) <= 8192


def test_observed_time_has_microseconds() -> None:
    assert rfc3339(NOW + 1_234_999) == "2026-11-20T07:51:00.001234Z"
