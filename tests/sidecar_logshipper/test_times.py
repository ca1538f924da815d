"""Times as lines write them, as a transcript."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar_logshipper.times import Clock, is_rfc3339

SECOND = 1_767_323_045  # 2026-01-02T03:04:05Z


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("2026-01-02T03:04:05Z", SECOND * 10**9),
        ("2026-01-02T03:04:05.5Z", SECOND * 10**9 + 500_000_000),
        ("2026-01-02T03:04:05.123456789Z", SECOND * 10**9 + 123_456_789),
        ("2026-01-02T03:04:05.1234567891Z", SECOND * 10**9 + 123_456_789),
        ("2026-01-02T04:04:05+01:00", SECOND * 10**9),
        ("2026-01-02T04:04:05+0100", SECOND * 10**9),
        ("2026-01-02 03:04:05,250", SECOND * 10**9 + 250_000_000),  # no zone is UTC
        (SECOND, SECOND * 10**9),
        (SECOND + 0.25, SECOND * 10**9 + 250_000_000),
        (SECOND * 1000 + 7, SECOND * 10**9 + 7_000_000),
        (SECOND * 1000.0 + 0.5, SECOND * 10**9 + 500_000),
        (SECOND * 10**6 + 7, SECOND * 10**9 + 7_000),
        (SECOND * 10**9 + 7, SECOND * 10**9 + 7),
        ("2026-02-30T03:04:05Z", None),
        ("2026-01-02", None),
        ("1767323045", None),
        ("soon", None),
        ("1969-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59Z", None),  # more than 64 bits of nanoseconds
        (-1, None),
        (0, None),
        (10**30, None),
        (True, None),
        (None, None),
        ({"seconds": 1}, None),
    ],
)
def test_what_is_read(value: object, ns: int | None) -> None:
    assert Clock().read(value) == ns


@pytest.mark.parametrize(
    ("line", "ns"),
    [
        ("2026-01-02T03:04:05Z GET /", SECOND * 10**9),
        ("[2026-01-02 03:04:05.5] GET /", SECOND * 10**9 + 500_000_000),
        ("2026-01-02 03:04:05,123 INFO a", SECOND * 10**9 + 123_000_000),
        ("2026-01-02 03:04:05 +01:00 a", (SECOND - 3600) * 10**9),
        ("2026-01-02T03:04:05Zulu", None),
        ("GET / at 2026-01-02T03:04:05Z", None),
        ("2026-13-02T03:04:05Z a", None),
    ],
)
def test_what_a_plain_line_begins_with(line: str, ns: int | None) -> None:
    assert Clock().read_leading(line) == ns


@given(st.lists(st.integers(0, 4_000_000_000 * 10**9), min_size=1, max_size=5))
def test_what_is_written_is_read_again(times: list[int]) -> None:
    clock = Clock()
    for time in times:
        written = clock.written(time)
        assert is_rfc3339(written)
        assert clock.read(written) == time
        assert datetime.fromisoformat(written[:19] + "+00:00") == datetime.fromtimestamp(time // 10**9, UTC)


@pytest.mark.parametrize("text", ["2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T03:04:05,5Z", 5, None])
def test_what_not_every_server_reads(text: object) -> None:
    assert not is_rfc3339(text)
