"""A learned shape copies values as they are written: always the same bytes as decoding, and only where it may."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_logformat.formats.json_shapes import learn
from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.profiles import PROFILES

NOW = 1_795_161_060_000_000_000


class Slow(Stream):
    def _fast_of(self, format: object) -> None:
        return None


IDS = st.sampled_from(
    [
        "0af7651916cd43dd8448eb211c80319c", "0AF7651916CD43DD8448EB211C80319C", "0" * 32, "b7ad6b7169203331", "x", "",
        {"b": 1},
    ]
)  # fmt: skip
TIMES = st.sampled_from(
    [
        "2026-11-20T08:51:00.123Z", "2026-11-20T08:51:00Z", "2026-02-30T08:51:00.1Z", "2026-11-20T23:59:60.5Z",
        1795164660.1234567, 1795164660.0, 1795164661.5, 1795164660123, 9999999999.9999999,
    ]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.floats(-999, 999).map(lambda number: round(number, 3)),
    st.sampled_from([0, -0.0, 0.0, 10.0, 1e16, 0.0001, 0.001, 123456789.12345, 1.5e300]),
)  # fmt: skip
RAW_NUMBERS = st.sampled_from(
    ["-0", "1.50", "1e5", "0.10", "1.0", "123456789012345678901234567890", "0.00001", "5E3", "-0.0"]
)
TEXTS = st.one_of(
    st.text(max_size=8), st.sampled_from(["plain", "é", 'a "b"', "\\", "\x7f", "\u2028", "{}", '{"a":1}', "a\nb"])
)
NESTED = st.sampled_from([{}, {"b": 1}, {"b": {"c": [1]}}, [1, {"d": 2}]])
VALUES = st.one_of(TEXTS, NUMBERS, st.sampled_from([None, True, False]), NESTED)
LEVELS = st.sampled_from(["info", "INFO", "warn", "strange", 30, 35, "", None])


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Lines of two or three shapes, most of them alike."""
    keys = ["time", "level", "msg", "trace_id", "pid", "hostname", "a", "b c", "é"]
    shapes = draw(st.lists(st.lists(st.sampled_from(keys), min_size=2, unique=True), min_size=1, max_size=3))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    raw_numbers = draw(st.booleans())
    made = []
    for _ in range(draw(st.integers(2, 30))):
        shape = shapes[0] if draw(st.integers(0, 4)) else draw(st.sampled_from(shapes))
        kinds = {"time": TIMES, "level": LEVELS, "trace_id": IDS, "msg": TEXTS, "pid": st.integers(0, 99)}
        fields = {key: draw(kinds.get(key, VALUES)) for key in shape}
        line = json.dumps(fields, separators=separators, ensure_ascii=draw(st.booleans()))
        if raw_numbers and "a" in shape:
            fields["a"] = 77777
            line = json.dumps(fields, separators=separators).replace("77777", draw(RAW_NUMBERS))
        made.append(line)
    return made


WOVEN = st.sampled_from(PROFILES)


@given(st.lists(lines(), min_size=2, max_size=4), WOVEN)
@settings(max_examples=80)
def test_chunks_of_learned_shapes_come_out_as_if_decoded(chunks: list[list[str]], profile: str) -> None:
    options = Options(profile=profile, attributes={"log.file.path": "/logs/of/a/shop.log"})
    fast, slow = Stream(options), Slow(options)
    for chunk in [chunks[0], *chunks]:
        raw = "".join(line + "\n" for line in chunk).encode("utf-8", "replace")
        assert fast.feed(raw, NOW) == slow.feed(raw, NOW)
    assert fast.flush(NOW) == slow.flush(NOW)
    assert fast.tally.records == slow.tally.records


def test_a_shape_is_learned_where_it_pays_and_only_there() -> None:
    def learned(line: str) -> bool:
        return learn(line.encode(), json.loads(line)) is not None

    assert learned('{"time":"2026-11-20T08:51:00.123Z","level":"info","msg":"x","n":1.5,"ok":true,"z":0.0}')
    assert learned('{"time": 1531171074631, "level": 30, "msg": "x"}')
    assert not learned('{"level":"info","msg":"x","nested":{"a":1}}')
    assert not learned('{"level":"info","msg":"a \\"b\\""}')
    assert not learned('{"time":"yesterday","msg":"x"}')
    assert not learned('{"a":1.50}')
    assert not learned('{"a":-0}')


LINES = (
    '{"level":"info","time":"2026-11-20T08:51:00.123Z","msg":"hello","%s":"v"}',
    "2026-11-20 08:51:00.123  INFO 1 --- [main] c.e.Demo : %s",
    '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8"',
)


@pytest.mark.parametrize("text", ["k7777000000000000104", "k77770000000000004", r"k\u00004\u0000"])
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_an_app_writes_is_no_hole_of_a_template(line: str, text: str, profile: str) -> None:
    options = Options(profile=profile, attributes={"log.file.path": json.loads(f'"{text}"')})
    fast, slow = Stream(options), Slow(options)
    raw = b"".join(line.replace("%s", text).encode() + b"\n" for _ in range(40))
    for _ in range(3):
        assert fast.feed(raw, NOW) == slow.feed(raw, NOW)
    assert fast.flush(NOW) == slow.flush(NOW)
    assert fast.slow_lines < slow.slow_lines


CLEAN = st.sampled_from(["plain", "ends with a comma,", ", begins", ": begins", "a, b: c", "{}", "", "\t", "é", "\x7f"])
KINDS = {"time": TIMES, "level": LEVELS, "trace_id": IDS, "msg": CLEAN}


@st.composite
def alike(draw: st.DrawFn) -> bytes:
    """Lines with the same keys and, most of them, the same kinds of values."""
    keys = draw(st.lists(st.sampled_from([*KINDS, "a", "b", "c d", "e"]), min_size=2, unique=True))
    kinds = {key: draw(st.sampled_from([CLEAN, st.integers(-5, 99), NUMBERS, st.booleans()])) for key in keys} | KINDS
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    rows = [{key: draw(kinds[key]) for key in keys} for _ in range(draw(st.integers(2, 12)))]
    if draw(st.booleans()):
        rows = [row | {key: rows[0][key] for key in keys if key in KINDS} for row in rows]
    return b"".join(json.dumps(row, separators=separators, ensure_ascii=False).encode() + b"\n" for row in rows)


@given(st.lists(alike(), min_size=1, max_size=3), WOVEN)
@settings(max_examples=120)
def test_clean_lines_come_out_as_if_decoded(chunks: list[bytes], profile: str) -> None:
    fast, slow = Stream(Options(profile=profile)), Slow(Options(profile=profile))
    for raw in [chunks[0], *chunks, chunks[0]]:
        assert fast.feed(raw, NOW) == slow.feed(raw, NOW)


def test_the_plain_form_takes_what_is_clean_throughout_as_it_is_written() -> None:
    line = b'{"time":"2026-11-20T08:51:00.123Z","msg":"x","a":"b","c":1,"d":true}\n'
    shape = learn(line[:-1], json.loads(line))
    assert shape is not None
    plain = shape.plain
    assert plain is not None
    assert plain.lines(line * 3) == 3
    assert plain.take(line, 1) == {
        "time": [b'"2026-11-20T08:51:00.123Z"'], "msg": [b'"x"'], "a": [b'"b"'], "c": [b"1"], "d": [b"true"],
    }  # fmt: skip
    assert plain.lines(line + line.replace(b"x", b"\\n")) == 0
    assert plain.take(line.replace(b"true", b"1"), 1) is None


@pytest.mark.parametrize(("separators", "commas", "colons"), [((", ", ": "), 1, 3), ((",", ": "), 1, 4)])
def test_what_looks_like_more_members_in_one_line_does_not_make_up_for_fewer_in_others(
    separators: tuple[str, str], commas: int, colons: int
) -> None:
    usual = {"time": "2026-11-20T08:51:00.123Z", "level": "info", "message": "m", "a": "x", "b": "y", "c": "z"}
    rows = [usual] * 6 + [usual | {"a": f"foo{separators[0]}"}] * commas + [usual | {"b": f"{separators[1]}x"}] * colons
    raw = b"".join(json.dumps(row, separators=separators).encode() + b"\n" for row in rows)
    usually = json.dumps(usual, separators=separators).encode() + b"\n"
    stream = Stream(Options())
    written = stream.feed(usually * 6, NOW) + stream.feed(raw, NOW)
    told = [json.loads(line)["attributes"] for line in written.splitlines()][6:]
    assert told == [{f"app.{key}": row[key] for key in "abc"} for row in rows]


def test_an_object_in_the_place_of_an_id_is_opened_by_the_profile_that_opens_objects() -> None:
    row = {"ts": "2026-11-20T08:51:00Z", "severity": "INFO", "message": "m", "trace_id": {"b": 1}, "span_id": {"c": 2}}
    raw = json.dumps(row).encode() + b"\n"
    stream = Stream(Options(profile="flat"))
    written = stream.feed(raw * 6, NOW) + stream.feed(raw * 6, NOW)
    assert written == Slow(Options(profile="flat")).feed(raw * 12, NOW)
    told = json.loads(written.splitlines()[-1])
    assert (told["app.trace_id.b"], told["app.span_id.c"]) == (1, 2)
