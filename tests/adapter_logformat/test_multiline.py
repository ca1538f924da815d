"""Which lines become one record, and when it is written: transcripts with the clock in hand."""

import json
from typing import Any

import pytest

from adapter_logformat.formats import registry
from adapter_logformat.formats.custom import custom
from adapter_logformat.pipeline import Limits, Options, Stream

NOW = 1_795_161_060_000_000_000
SECOND = 1_000_000_000
HEADER = "2026-11-20 08:51:00,123 [main] ERROR com.example.Demo - {}\n"
ACCESS = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /1 HTTP/1.1" 200 12 "-" "curl/8"\n'


def read(text: str, options: Options | None = None) -> list[dict[str, Any]]:
    stream = Stream(options or Options())
    return decoded(stream.feed(text.encode(), NOW) + stream.flush(NOW))


def decoded(written: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


def stacktrace(record: dict[str, Any]) -> str:
    trace: str = record["attributes"]["exception.stacktrace"]
    return trace


def test_a_java_trace_joins_its_header_with_causes_and_suppressed() -> None:
    trace = (
        "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n"
        "\tSuppressed: java.io.IOException\n\t\tat d.E.f(E.java:2)\n"
        "\t\t... 2 more\nCaused by: java.lang.Error: why\n\tat g.H.i(H.java:3)\n\t... 14 common frames omitted"
    )
    (record, following) = read(HEADER.format("failed") + trace + "\n" + HEADER.format("next"))
    assert record["body"] == "failed"
    assert stacktrace(record) == trace
    assert record["attributes"]["exception.type"] == "java.lang.IllegalStateException"
    assert record["attributes"]["exception.message"] == "no"
    assert following["body"] == "next"


def test_a_message_with_newlines_stays_one_record() -> None:
    assert [
        record["body"] for record in read(HEADER.format("select *") + "from item\n\nwhere x\n" + HEADER.format("b"))
    ] == [
        "select *\nfrom item\n\nwhere x",
        "b",
    ]


def test_a_line_of_another_known_format_ends_the_joined_record() -> None:
    assert [record["log.format"] for record in read(HEADER.format("a") + ACCESS + '{"msg":"x","level":"info"}\n')] == [
        "log4j",
        "combined",
        "json",
    ]


def test_nothing_ever_joins_an_access_line_or_complete_json() -> None:
    assert [
        record["log.format"] for record in read(ACCESS + "  indented\n" + '{"a":1}\n' + "\tat a.b(C.java:1)\n")
    ] == [
        "combined",
        "raw",
        "json",
        "raw",
    ]


def test_a_traceback_after_access_lines_is_a_record_of_its_own() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n    ~^^\nValueError: no'
    records = read(ACCESS + trace + "\n" + ACCESS)
    assert [record["log.format"] for record in records] == ["combined", "python_traceback", "combined"]
    assert records[1]["body"] == "ValueError: no"
    assert stacktrace(records[1]) == trace


def test_a_chained_traceback_is_one() -> None:
    first = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1\n'
    chain = "\nThe above exception was the direct cause of the following exception:\n\n"
    last = 'Traceback (most recent call last):\n  File "a.py", line 2, in g\nKeyboardInterrupt'
    (record,) = read(first + chain + last)
    assert stacktrace(record) == first + chain + last
    assert record["attributes"]["exception.type"] == "KeyboardInterrupt"


def test_two_tracebacks_that_are_not_chained_are_two() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1\n'
    assert len(read(trace + trace)) == 2


def test_an_exception_group_is_one() -> None:
    group = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "a.py", line 1, in <module>\n'
        "  | ExceptionGroup: two (2 sub-exceptions)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | ValueError: 1\n"
        "    +---------------- 2 ----------------\n"
        "    | TypeError: 2\n"
        "    +------------------------------------\n"
    )
    (record,) = read("ERROR:root:failed\n" + group)
    assert stacktrace(record) == group.rstrip("\n")
    (bare,) = read(group)
    assert bare["log.format"] == "python_traceback"


def test_without_joining_each_line_is_a_record() -> None:
    assert len(read(HEADER.format("a") + "\tat a.b(C.java:1)\n", Options(join=False))) == 2


def test_a_record_waits_for_its_rest_until_it_is_idle() -> None:
    stream = Stream(Options(limits=Limits(idle_s=1.0, age_s=10.0)))
    assert stream.feed(HEADER.format("a").encode(), NOW) == b""
    assert stream.waits
    assert stream.expire(NOW + SECOND // 2) == b""
    assert stream.feed(b"\tat a.b(C.java:1)\n", NOW + SECOND) == b""
    assert stream.expire(NOW + SECOND + SECOND // 2) == b""
    (record,) = decoded(stream.expire(NOW + 2 * SECOND))
    assert stacktrace(record) == "\tat a.b(C.java:1)"
    assert not stream.waits


def test_a_record_that_never_rests_is_written_at_its_age() -> None:
    stream = Stream(Options(limits=Limits(idle_s=1.0, age_s=3.0)))
    stream.feed(HEADER.format("a").encode(), NOW)
    for tick in range(1, 6):
        stream.feed(b"\tat a.b(C.java:1)\n", NOW + tick * SECOND // 2)
        assert stream.expire(NOW + tick * SECOND // 2) == b""
    assert len(decoded(stream.expire(NOW + 3 * SECOND))) == 1


def test_a_cap_cuts_marks_and_counts_and_the_rest_says_so() -> None:
    stream = Stream(Options(limits=Limits(lines=2)))
    written = stream.feed((HEADER.format("a") + "\tat 1\n\tat 2\n\tat 3\n\tat 4\n" + HEADER.format("b")).encode(), NOW)
    first, rest, last = decoded(written + stream.flush(NOW))
    assert (first["body"], first["log.truncated"]) == ("a", True)
    assert (rest["log.format"], rest["body"], rest["parse.error"]) == ("raw", "\tat 3\n\tat 4", "continues_truncated")
    assert last["body"] == "b"
    assert stream.tally.truncated == 1


def test_colours_are_no_part_of_a_record_but_of_its_original() -> None:
    line = "\x1b[2m2026-11-20T08:51:00.123Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mshop::cart\x1b[0m\x1b[2m:\x1b[0m added"
    (record,) = read(line + "\n", Options(keep_original="always"))
    assert (record["log.format"], record["severity_text"], record["body"]) == ("rust_tracing", "INFO", "added")
    assert record["log.record.original"] == line


def test_a_line_that_nothing_explains_keeps_its_colours() -> None:
    assert [record["body"] for record in read("\x1b[1mwords\n")] == ["\x1b[1mwords"]


@pytest.mark.parametrize("name", ["postgres", "klog", "spark", "python_asctime", "syslog_rfc3164", "go_std", "generic"])
def test_a_traceback_joins_a_header_of_any_layout(name: str) -> None:
    header = registry.named(name).sample + "\n"
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1\n'
    chain = "\nThe above exception was the direct cause of the following exception:\n\n"
    (record, following) = read(header + trace + chain + trace.replace("KeyError: 1", "ValueError: no") + header)
    if name != "postgres":
        assert record["attributes"]["exception.type"] == "ValueError"
    assert following["log.format"] == name


@pytest.mark.parametrize("begin", ["Unhandled exception:", "/srv/app.js:12", "node:internal/process/x:5"])
@pytest.mark.parametrize(
    "line",
    [
        "Nov 20 08:51:01 web-1 app[7]: hello",
        "Fri Nov 20 08:51:01 2026 hello",
        '{"level":"info","msg":"x"}',
        "level=info msg=hello",
        "<13>app: hello",
        "I1120 08:51:00.123456       1 a.go:1] hello",
    ],
)
def test_what_may_begin_a_trace_takes_no_record_of_another(begin: str, line: str) -> None:
    first, second = read(f"{begin}\n{line}\n")
    assert first["body"] == begin
    assert second["log.format"] != "raw"


def test_a_user_may_say_what_starts_a_record() -> None:
    options = Options(start=r"\d{4}-")
    (first, second) = read("2026-11-20 08:51:00 ERROR a\nERROR:root:b\n{}\n2026-11-20 08:51:01 INFO c\n", options)
    assert (first["body"], second["body"]) == ("a\nERROR:root:b\n{}", "c")


def test_a_format_of_the_users_own_is_the_only_one_asked() -> None:
    options = Options(own=(custom(r"(?P<level>\w+)!(?P<message>.*)"),))
    records = read("WARN!low\nERROR:root:b\n", options)
    assert [(record["log.format"], record["body"]) for record in records] == [("custom", "low\nERROR:root:b")]


def test_parts_of_another_session_do_not_join() -> None:
    lines = "2026-11-20 08:51:00 UTC [1] ERROR:  a\n2026-11-20 08:51:00 UTC [2] DETAIL:  of another\n"
    assert [record["attributes"]["process.pid"] for record in read(lines)] == [1, 2]


def test_pieces_of_a_container_line_are_joined_up_to_the_cap() -> None:
    piece = b"2026-11-20T08:51:00Z stdout P " + b"x" * 40 + b"\n"
    stream = Stream(Options(limits=Limits(line_bytes=100)))
    records = decoded(stream.feed(piece * 3 + b"2026-11-20T08:51:00Z stdout F end\n", NOW) + stream.flush(NOW))
    assert [len(record["body"]) for record in records] == [120, 3]
    assert records[0]["log.truncated"]


def test_pieces_that_wait_survive_a_restart_and_the_end() -> None:
    first, second = Stream(Options()), Stream(Options())
    first.feed(b"2026-11-20T08:51:00Z stdout P one \n", NOW)
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert [record["body"] for record in decoded(second.flush(NOW))] == ["one "]
