"""One stream, whatever comes: the output is valid, complete, and the same however the input was cut and
whichever path read it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_logformat import wrappers
from adapter_logformat.formats import registry
from adapter_logformat.grammar import Format
from adapter_logformat.pipeline import Limits, Options, Stream
from adapter_logformat.profiles import PROFILES
from adapter_logformat.timestamps import CACHE_LIMIT, Times

NOW = 1_795_161_060_000_000_000
DEFAULT = Options()

ACCESS = b'203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /a?b=1 HTTP/1.1" 200 12 "-" "curl/8"'
LINES = [
    ACCESS,
    ACCESS.replace(b'"-"', b'"https://example.com/"'),
    ACCESS.replace(b"- -", b"- bob").replace(b" 12 ", b" - "),
    ACCESS.replace(b"- -", b"- bob smith"),
    ACCESS.replace(b"GET /a?b=1 HTTP/1.1", b""),
    ACCESS.replace(b"/a?b=1", b'/"a"?"b"'),
    ACCESS.replace(b"- -", b'- "bob"'),
    ACCESS.replace(b"GET /a?b=1 HTTP/1.1", b"\\x16\\x03\\x01"),
    ACCESS.replace(b"GET /a?b=1 HTTP/1.1", b"GET /a?b=1 HTTP/1.1 x"),
    ACCESS.replace(b"GET /a?b=1", b"GET /a?"),
    ACCESS.replace(b"GET", b"PROPFIND"),
    ACCESS.replace(b"GET", b"FROBNICATE"),
    ACCESS.replace(b"20/Nov", b"31/Feb"),
    ACCESS.replace(b"curl/8", b'a \\"quoted\\" agent'),
    ACCESS.replace(b"curl/8", b""),
    ACCESS.replace(b"curl/8", "é".encode()),
    ACCESS.replace(b"curl/8", b"\xff\xfe"),
    ACCESS + b' "10.0.0.1, 10.0.0.2" 0.005',
    ACCESS + b' "-"',
    ACCESS[: ACCESS.index(b' "-"')],
    b"shop.example.com:443 " + ACCESS,
    b"shop.example.com " + ACCESS,
    b"- " + ACCESS,
    b"a - " + ACCESS,
    b'{"level":30,"time":1531171074631,"pid":657,"hostname":"web-1","msg":"hello"}',
    b'{"level":50,"time":1531171074632,"pid":657,"hostname":"web-1","msg":"no","err":{"type":"E","message":"m","stack":"s"}}',
    b'{"level":"info","time":"2026-11-20T08:51:00Z","msg":"x","n":18446744073709551616,"f":0.1,"a":[1,null,{}]}',
    b'{"level":"info","time":"2026-11-20T08:51:00.123+02:00","msg":"x","n":1,"f":0.1,"a":[1,null,{}]}',
    b'{"level":"info","time":"yesterday","msg":"x"}',
    b'{"level":"info","msg":"x","own":"{\\"a\\":1}"}',
    b'{"level":"info","msg":"x","own":"\\u007b\\u0022a\\":1}"}',
    b'{"level":"info","msg":"x","msg":"y"}',
    b'{"level":"info","time":"2026-11-20T08:51:00Z","msg":"x","trace_id":"0AF7651916CD43DD8448EB211C80319C","span_id":1}',
    b'{"level":"info","time":"2026-11-20T08:51:00Z","msg":"x","trace_id":"00000000000000000000000000000000","span_id":1}',
    b'{"level":"info","time":"2026-11-20T08:51:00Z","msg":"x","trace_id":"0af7651916cd43dd","span_id":"b7ad6b7169203331"}',
    b'{"level":"strange","msg":5}',
    b'{"a":1} {"b":2}',
    b'{"a":NaN,"b":"\x01"}',
    b'{"a":"\\ud800"}',
    b"{}",
    b"{",
    b"2026-11-20 08:51:00.123  INFO 1 --- [           main] c.e.Demo : Started",
    b"2026-11-20 08:51:00.123 ERROR 1 --- [           main] c.e.Demo : Failed",
    b"2026-02-30 08:51:00.123 ERROR 1 --- [           main] c.e.Demo : Failed",
    b"2026-11-20T08:51:00.123+01:00 ERROR 1 --- [shop] [           main] c.e.Demo : \xc3\xa9",
    b"java.lang.IllegalStateException: no",
    b"\tat com.example.Demo.main(Demo.java:1)",
    b"Caused by: java.io.IOException",
    b"\t... 3 more",
    b"08:51:00.123 [main] INFO  c.e.Demo -- started",
    b"2026-11-20 08:51:00,123 [main] INFO  com.example.Demo - started",
    b"[2026-11-20 08:51:00,123] INFO [KafkaServer id=0] started (kafka.server.KafkaServer)",
    b"ERROR:root:bad",
    b"INFO:root:good",
    b"2026-11-20 08:51:00,123 - shop.cart - ERROR - added",
    b"Traceback (most recent call last):",
    b'  File "x.py", line 1, in <module>',
    b"    ~~^~~",
    b"ValueError: no",
    b"KeyboardInterrupt",
    b"During handling of the above exception, another exception occurred:",
    b"",
    b"\r",
    b"  indented",
    b"plain words",
    b"\x1b[32m2026-11-20 08:51:00,123\x1b[0m [main] \x1b[1;31mERROR\x1b[0m com.example.Demo - \x1b[1mred\x1b[0m",
    b"\x1b[31m\tat com.example.Demo.main(Demo.java:1)\x1b[0m",
    b"\x1b[1munreadable",
    b"\xff\xfe\x00",
    b'time=2026-11-20T08:51:00Z level=info msg="a b"',
    b"<34>Oct 11 22:14:15 mymachine su[231]: 'su root' failed",
    b"<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - failed",
]

CATALOGUE = [format.sample.encode() for family in registry.FAMILIES for format in registry.load(family)]
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.txt"))
LINES += CATALOGUE + [line for path in SAMPLES for line in path.read_bytes().split(b"\n")]

lines = st.lists(
    st.one_of(st.sampled_from(LINES), st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b""))), max_size=30
)
runs = st.lists(st.tuples(st.sampled_from(LINES), st.integers(1, 6)), max_size=12).map(
    lambda chosen: [line for line, count in chosen for _ in range(count)]
)
endings = st.sampled_from([b"\n", b"", b"\r\n"])


def whole(raw: bytes, options: Options = DEFAULT) -> bytes:
    stream = Stream(options)
    return stream.feed(raw, NOW) + stream.flush(NOW)


class Slow(Stream):
    """A stream that never takes the whole-chunk form."""

    def _fast_of(self, format: Format) -> None:
        return None


def slow(raw: bytes, options: Options = DEFAULT) -> bytes:
    stream = Slow(options)
    return stream.feed(raw, NOW) + stream.flush(NOW)


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def expected_lines(raw: bytes) -> list[str]:
    """The lines that are no wrapper's, and what the wrappers hold, its pieces joined."""
    out: list[bytes] = []
    pieces: dict[str, bytes] = {}
    for line in raw.split(b"\n"):
        peeled = wrappers.peel(line, Times())
        if peeled is None:
            out.append(line)
            continue
        text = pieces.pop(peeled.stream, b"") + peeled.text
        if peeled.partial:
            pieces[peeled.stream] = text
        else:
            out += text.split(b"\n")
    said = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in [*out, *pieces.values()]]
    return [line for line in said if line]


@given(st.one_of(lines, runs), endings, st.sampled_from(PROFILES))
@settings(max_examples=400)
def test_fast_and_slow_path_write_the_same_bytes(chosen: list[bytes], ending: bytes, profile: str) -> None:
    raw = b"\n".join(chosen) + ending
    options = Options(profile=profile)
    assert whole(raw, options) == slow(raw, options)


@given(st.one_of(lines, runs), endings, st.data())
@settings(max_examples=200)
def test_cut_anywhere_the_same_comes_out(chosen: list[bytes], ending: bytes, data: st.DataObject) -> None:
    raw = b"\n".join(chosen) + ending
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    stream = Stream(Options())
    out = [stream.feed(raw[begin:end], NOW) for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert b"".join(out) + stream.flush(NOW) == whole(raw)


@given(lines, endings)
@settings(max_examples=60)
def test_one_byte_at_a_time_the_same_comes_out(chosen: list[bytes], ending: bytes) -> None:
    raw = b"\n".join(chosen) + ending
    stream = Stream(Options())
    out = b"".join(stream.feed(raw[at : at + 1], NOW) for at in range(len(raw)))
    assert out + stream.flush(NOW) == whole(raw)


@given(st.one_of(lines, runs), endings, st.data())
@settings(max_examples=100)
def test_a_restart_between_two_chunks_changes_nothing(chosen: list[bytes], ending: bytes, data: st.DataObject) -> None:
    raw = b"\n".join(chosen) + ending
    cut = data.draw(st.integers(0, len(raw)))
    first, second = Stream(Options()), Stream(Options())
    out = first.feed(raw[:cut], NOW)
    second.restore(json.loads(json.dumps(first.snapshot())))
    assert out + second.feed(raw[cut:], NOW) + second.flush(NOW) == whole(raw)


@given(st.one_of(lines, runs, st.lists(st.binary(max_size=200))), endings)
@settings(max_examples=300)
def test_any_bytes_become_valid_json_lines_with_every_line_in_exactly_one_record(
    chosen: list[bytes], ending: bytes
) -> None:
    raw = b"\n".join(chosen) + ending
    stream = Stream(Options(keep_original="always"))
    written = (stream.feed(raw, NOW) + stream.flush(NOW)).decode("utf-8")
    records = [json.loads(line, object_pairs_hook=unique) for line in written.split("\n")[:-1]]
    said = [line for record in records for line in record["log.record.original"].split("\n") if line]
    # Each of a container's streams keeps its order, and goes its own way.
    assert sorted(said) == sorted(expected_lines(raw))
    assert stream.tally.records.total() == len(records)


@given(st.binary(max_size=120), st.integers(4, 20), st.integers(1, 7))
@settings(max_examples=200)
def test_long_lines_are_cut_alike_whole_or_piecewise(raw: bytes, limit: int, step: int) -> None:
    options = Options(limits=Limits(line_bytes=limit))
    stream = Stream(options)
    out = b"".join(stream.feed(raw[at : at + step], NOW) for at in range(0, len(raw), step))
    assert out + stream.flush(NOW) == whole(raw, options)


def test_a_line_over_the_limit_becomes_records_of_its_own_between_untouched_neighbours() -> None:
    out = whole(b"before\n" + b"x" * 25 + b"\nafter\n", Options(limits=Limits(line_bytes=10)))
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["body"] for record in records] == ["before", "x" * 10, "x" * 10, "x" * 5, "after"]
    assert [record.get("log.truncated", False) for record in records] == [False, True, True, True, False]


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"a":' * 100_000, b"a=" * 100_000, b'"' * 100_000, b"\\" * 100_001, b" " * 100_000]
)
def test_hostile_lines_are_read_in_linear_time(line: bytes) -> None:
    records = whole(line + b"\n").splitlines()
    assert len(records) == 1


WORDS = st.sampled_from(
    ["-", "10.0.0.1", "::1", "bob", 'a"b', "x" * 300, "a?b", "é", "a\\b", "\t", "192.0.2.1,192.0.2.2"]
)
TARGETS = st.sampled_from(["/", "/a?b=1", "/a?", "/a?b?c", "/?", "/a??", '/"', "*", "/a b", "/" + "x" * 9000, "/é"])
CLIENTS = st.one_of(WORDS, st.sampled_from(["192.0.2.1:80", "[192.0.2.1]", "[::1]:443", "::1", "-", "192.0.2.1:99999"]))
REFERERS = st.sampled_from(["-", "https://example.com/?a", "", "a b", '\\"x\\"', "-", "-"])


@st.composite
def access_lines(draw: st.DrawFn) -> bytes:
    """Lines of one variant, nearly all of them clean."""
    vhost = draw(st.sampled_from(["", "", "example.com:80 ", "example.com "]))
    combined, clean = draw(st.booleans()), draw(st.booleans())
    extra = draw(st.sampled_from(["", "", ' "-"', " 0.5"]))
    made = []
    for _ in range(draw(st.integers(1, 12))):
        client, user = ("10.0.0.1", "-") if clean else (draw(CLIENTS), draw(WORDS))
        target = draw(TARGETS) if draw(st.booleans()) else "/x?y=1"
        time = draw(st.sampled_from(["20/Nov/2026:08:51:00 +0000", "31/Feb/2026:08:51:00 +0000", "20/Nov/2026"]))
        line = (
            f'{vhost}{client} - {user} [{time if not clean else "20/Nov/2026:08:51:00 +0000"}] "GET {target} HTTP/1.1"'
        )
        line += f" {draw(st.sampled_from(['200', '404', '99', '-']))} {draw(st.sampled_from(['0', '12', '012', '-']))}"
        line += f' "{draw(REFERERS)}" "{draw(REFERERS)}"{extra}' if combined else ""
        made.append(line.encode() + b"\n")
    return b"".join(made)


@given(st.lists(access_lines(), min_size=1, max_size=3), st.sampled_from(PROFILES))
@settings(max_examples=150)
def test_access_lines_come_out_the_same_fast_and_slow(chunks: list[bytes], profile: str) -> None:
    fast, slow = Stream(Options(profile=profile)), Slow(Options(profile=profile))
    for raw in [chunks[0], *chunks]:
        assert fast.feed(raw, NOW) == slow.feed(raw, NOW)


def test_clients_that_were_forwarded_for_are_taken_apart_between_any_others() -> None:
    forwarded = ACCESS.replace(b"203.0.113.7", b"192.0.2.1,192.0.2.2")
    usual = [ACCESS] * 5
    for raw in ([*usual, *[forwarded] * 5], [*usual, forwarded, *usual], [*usual, forwarded, ACCESS + b' "1" 2']):
        stream = Stream(Options())
        chunk = b"\n".join(raw) + b"\n"
        assert stream.feed(chunk, NOW) + stream.feed(chunk, NOW) == slow(chunk * 2)
    told = json.loads(whole(forwarded))["attributes"]
    assert told["client.address"] == "192.0.2.1"
    assert told["http.request.header.x-forwarded-for"] == ["192.0.2.1,192.0.2.2"]


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (b"-", {}),
        (b"192.0.2.1", {"client.address": "192.0.2.1"}),
        (b"192.0.2.1:5678", {"client.address": "192.0.2.1", "client.port": 5678}),
        (b"192.0.2.1:99999", {"client.address": "192.0.2.1:99999"}),
        (b"[192.0.2.1]", {"client.address": "192.0.2.1"}),
        (b"2001:db8::1", {"client.address": "2001:db8::1"}),
        (b"::ffff:192.0.2.1", {"client.address": "::ffff:192.0.2.1"}),
        (b"[2001:db8::1]", {"client.address": "2001:db8::1"}),
        (b"[2001:db8::1]:443", {"client.address": "2001:db8::1", "client.port": 443}),
        (b"unix:", {"client.address": "unix:"}),
    ],
)
def test_a_client_comes_without_its_port_and_not_at_all_where_there_is_none(client: bytes, told: object) -> None:
    line = ACCESS.replace(b"203.0.113.7", client)
    attributes = json.loads(whole(line))["attributes"]
    assert {key: value for key, value in attributes.items() if key.startswith("client.")} == told
    for others in ([line] * 9, [ACCESS] * 5 + [line] + [ACCESS] * 5, [line, ACCESS + b' "1" 2', ACCESS]):
        stream = Stream(Options())
        chunk = b"\n".join([ACCESS, *others]) + b"\n"
        assert stream.feed(chunk, NOW) + stream.feed(chunk, NOW) == slow(chunk * 2)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_file_of_any_known_line_comes_out_the_same_fast_and_slow(profile: str) -> None:
    options = Options(profile=profile)

    def fast(raw: bytes) -> bytes:
        stream = Stream(options)
        return stream.feed(raw, NOW) + stream.feed(raw, NOW) + stream.flush(NOW)  # the second time it knows the format

    chunks = [(line + b"\n") * 4 for line in sorted(set(LINES))]
    assert [chunk for chunk in chunks if fast(chunk) != slow(chunk * 2, options)] == []


@pytest.mark.parametrize(
    "last",
    [
        b"20/11/2026 08:51:00 - Process(16776.1) User(mqm) Program(strmqm)",
        b"thread 'main' panicked at src/main.rs:2:5:\n" * 4 + b"thread 'main' panicked at src/main.rs:2:5:",
    ],
)
def test_a_record_that_takes_any_line_for_its_own_takes_headers_too_fast_and_slow(last: bytes) -> None:
    raw = b"2026-11-20 09:34:18,002 ERROR shop.cart: rejected\n" * 2 + last + b"\n"
    stream = Stream(Options())
    assert stream.feed(raw, NOW) + stream.feed(raw, NOW) + stream.flush(NOW) == slow(raw * 2)


def test_headers_whose_message_should_come_below_them_come_out_the_same_fast_and_slow() -> None:
    header = b"2026-11-20 08:51:00.123+0000 [id=12]\tWARNING\th.util.X#f\n"
    for raw in (header * 5, (header + b"words\n") * 3 + header * 3):
        stream = Stream(Options())
        assert stream.feed(raw, NOW) + stream.feed(raw, NOW) + stream.flush(NOW) == slow(raw * 2)


def test_a_year_of_moments_out_of_order_is_read_right_and_costs_no_memory() -> None:
    seconds = [(number * 7_919_993) % (366 * 86_400) for number in range(20_000)]
    moments = [datetime.fromtimestamp(1_735_689_600 + second, UTC) for second in seconds]
    stream = Stream(Options())
    raw = b"".join(
        ACCESS.replace(b"20/Nov/2026:08:51:00", f"{at:%d/%b/%Y:%H:%M:%S}".encode()) + b"\n" for at in moments
    )
    written = stream.feed(raw, NOW) + stream.flush(NOW)
    assert [json.loads(line)["timestamp"] for line in written.splitlines()] == [
        f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in moments
    ]
    assert len(stream._lane.times.clf_bytes) <= CACHE_LIMIT


def test_what_is_no_trace_after_all_still_says_that_it_was_cut() -> None:
    raw = b"Unhandled exception:\n" + b"  indented words\n" * 25
    stream = Stream(Options(limits=Limits(lines=10)))
    records = list(map(json.loads, (stream.feed(raw, NOW) + stream.flush(NOW)).splitlines()))
    assert (records[0]["log.format"], records[0]["log.truncated"]) == ("raw", True)
    assert [record.get("log.truncated") for record in records].count(True) == stream.tally.truncated


def test_bytes_that_are_no_text_are_told_of_wherever_they_stand_in_a_message() -> None:
    head = b"<13>Nov 20 08:51:00 host app: hello"
    for message in (head + b" \xff", head + b"\nbad \xff line", head + b"\n\nfine\nbad \xff\r"):
        stream = Stream(Options())
        record = json.loads(stream.message(message, NOW))
        assert record["parse.error"] == "invalid_utf8"
        assert "\ufffd" in record["body"]
        assert stream.tally.unparsed == {"invalid_utf8": 1}
