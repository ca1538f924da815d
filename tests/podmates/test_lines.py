"""The sample app's log lines, in the formats that real programs write."""

import json
from datetime import UTC, datetime

from podmates.sample_app.lines import Access, combined, java_trace, json_line, python_trace

NOW = datetime(2026, 7, 1, 12, 30, 5, 123_456, tzinfo=UTC)


def test_an_access_line_in_combined_format() -> None:
    access = Access("127.0.0.1", "GET", "/orders/1?a=b", "HTTP/1.1", 200, 62, "", "curl/8")
    assert combined(access, NOW) == (
        '127.0.0.1 - - [01/Jul/2026:12:30:05 +0000] "GET /orders/1?a=b HTTP/1.1" 200 62 "-" "curl/8"'
    )


def test_a_client_cannot_write_a_field_or_a_line_of_its_own() -> None:
    access = Access("::1", "GET", "/", "HTTP/1.1", 404, 0, 'a"b\\', "x\n1.2.3.4 - - [now]\té")
    assert combined(access, NOW) == (
        '::1 - - [01/Jul/2026:12:30:05 +0000] "GET / HTTP/1.1" 404 - "a\\x22b\\x5C" "x\\x0A1.2.3.4 - - [now]\\x09é"'
    )


def test_a_json_line() -> None:
    assert json.loads(json_line(NOW, "info", "order read", {"order": 7})) == {
        "time": "2026-07-01T12:30:05.123+00:00",
        "level": "info",
        "msg": "order read",
        "order": 7,
    }


def test_a_python_trace_has_its_head_its_frames_and_its_error() -> None:
    try:
        raise ValueError("no such season") from KeyError("winter")
    except ValueError as error:
        lines = python_trace(NOW, "shop", "it failed", error).splitlines()
    assert lines[0] == "2026-07-01 12:30:05,123 ERROR shop: it failed"
    assert lines[1] == "KeyError: 'winter'"
    assert "The above exception was the direct cause of the following exception:" in lines
    assert lines[-1] == "ValueError: no such season"


def test_a_java_trace_has_its_head_its_frames_and_its_cause() -> None:
    lines = java_trace(NOW, "it failed", 3).splitlines()
    assert lines[0] == ("2026-07-01 12:30:05.123 ERROR [http-worker-3] com.example.billing.InvoiceEndpoint - it failed")
    assert lines[1] == "java.lang.IllegalStateException: order 3 has no tax rate"
    assert lines[2].startswith("\tat com.example.")
    assert lines[-1] == "\t... 5 more"
