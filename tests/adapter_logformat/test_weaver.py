"""Columns of JSON values woven through what a profile writes: the same bytes as record by record, whatever meets, and
without a record rendered for each."""

from collections.abc import Callable

import msgspec
import pytest

from adapter_logformat.kinds import kinds
from adapter_logformat.moments import Moments
from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.profiles import PROFILES, load
from adapter_logformat.record import Record, Stamp
from adapter_logformat.weaver import FIRST, LEVEL, LOOMS_KEPT, STAMP, Weaver

OBSERVED = "2026-11-20T08:51:00.000000Z"
TIME = "2026-11-20T08:51:00.5Z"
CONVERTING = ("ecs", "gelf", "otlp")
NOW = 1_795_161_060_000_000_000


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one with every record that any profile renders for a stream."""
    rendered: list[str] = []

    def counting(profile: str) -> Callable[[Record, str], bytes]:
        render = load(profile)

        def counted(record: Record, observed: str) -> bytes:
            rendered.append(record.format)
            return render(record, observed)

        return counted

    monkeypatch.setattr("adapter_logformat.lane.load", counting)
    return rendered


def woven(profile: str, columns: dict[str, list[object]]) -> bytes | None:
    """Rows of attributes, with one time, level and body."""
    threads: list[list[bytes]] = [[], [], [], [], []]
    threads += [[msgspec.json.encode(value) for value in column] for column in columns.values()]
    rows = len(threads[FIRST + 1])
    threads[STAMP], threads[LEVEL] = [f'"{TIME}"'.encode()] * rows, [b"info"] * rows
    threads[FIRST] = [b'"m"'] * rows

    def make(hole):  # type: ignore[no-untyped-def]
        record = Record("json", Stamp(hole(STAMP), ""), hole(LEVEL), hole(LEVEL + 1), hole(FIRST))
        record.attributes = {name: hole(number) for number, name in enumerate(columns, FIRST + 1)}
        return record

    return Weaver(load(profile)).weave("shape", make, OBSERVED, threads, {b"info": (b'"info"', b"9")}, rows)


def one_by_one(profile: str, columns: dict[str, list[object]]) -> bytes:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    records = [Record("json", Stamp(TIME, ""), "info", 9, "m", dict(row)) for row in rows]
    return b"".join(load(profile)(record, OBSERVED) for record in records)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "columns",
    [
        {"app.a": ["x", "y"], "app.b": [1, 2]},
        {"app.a": ["x", ""], "app.b": [True, False], "app.c": [None, None]},
        {"app.a": [1, 1.5, 2], "app.b": [None, "x", 3]},
        {"app.a": ["", 7, True], "app.b": [None, False, ""]},
        {"host.name": ["web-1", "web-2"], "http.response.status_code": [200, 404], "url.path": ["/", "/a"]},
        {"app.a.b": [1, 2], "app.a_b": ["x", "y"]},
    ],
)
def test_columns_of_any_kinds_come_out_as_record_by_record(profile: str, columns: dict[str, list[object]]) -> None:
    assert woven(profile, columns) == one_by_one(profile, columns)


@pytest.mark.parametrize("profile", ["ecs", "gelf"])
@pytest.mark.parametrize("column", [[{"a": 1}, {}], [{"a": ["é"]}, "x"], [{}, ""], [None, {"a": 'b"'}], [{}, True]])
def test_objects_that_become_text_are_woven_as_such(profile: str, column: list[object]) -> None:
    columns: dict[str, list[object]] = {"app.a": column, "app.b": [1, 2]}
    assert woven(profile, columns) == one_by_one(profile, columns)


def test_an_object_that_stands_elsewhere_than_a_text_would_is_left_to_the_slow_path() -> None:
    assert woven("ecs", {"url.path": [{"a": 1}, {"a": 2}]}) is None
    assert woven("otlp", {"app.a": [{"a": 1}, {}]}) is None


@pytest.mark.parametrize("profile", CONVERTING)
@pytest.mark.parametrize("column", [[[1], [2]], [2**63, 2**64]])
def test_what_no_hole_stands_for_is_left_to_the_slow_path(profile: str, column: list[object]) -> None:
    assert woven(profile, {"app.a": column}) is None


def test_kinds_that_share_their_place_with_another_value_are_left_to_the_slow_path() -> None:
    assert woven("gelf", {"host.name": ["web-1", ""], "app.a": ["x", "y"]}) is None


def test_the_empty_string_counts_as_a_kind_of_its_own_only_where_it_is_written_otherwise() -> None:
    assert kinds([b'"a"', b'""'], empty="text") == ("text",)
    assert kinds([b'"a"', b'""'], empty="empty") == ("empty", "text")
    assert kinds([b"1", b"2"], empty="text") == ("whole",)
    assert kinds([b"1.5", b"2e9"], empty="text") == ("real",)
    assert kinds([b"1" * 19, b"null"], empty="text") == ("null", "other")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("fraction", ["", ".1", ".123", ".123456789"])
@pytest.mark.parametrize("second", ["2026-11-20T08:51:00", "1970-01-01T00:00:01", "1999-12-31T23:59:59"])
def test_a_column_of_times_is_written_as_each_of_them_is(profile: str, fraction: str, second: str) -> None:
    moments = Moments(load(profile))
    texts = [second + "Z", f"{second}{fraction}Z", f"2026-11-20T08:51:01{fraction}Z"]
    column = moments.column([f'"{text}"'.encode() for text in texts])
    assert column is not None
    assert [each.strip(b'"') for each in column] == [moments.spelled(text) for text in texts]


def test_a_time_whose_fraction_the_profile_drops_is_left_to_the_slow_path() -> None:
    assert Moments(load("gelf")).column([b'"1960-01-01T00:00:00.5Z"']) is None


LINES = {
    "json": b'{"level":"info","time":"2026-11-20T08:51:00.123Z","msg":"hello","own":7,"path":"/"}\n',
    "blocks": b"2026-11-20 08:51:00.123  INFO 1 --- [main] c.e.Demo : hello\n",
}


@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_chunk_of_a_known_form_is_written_without_rendering_its_records(
    profile: str, form: str, renders: list[str], templates_must_pay: None
) -> None:
    stream = Stream(Options(profile=profile))
    chunk = LINES[form] * 300
    stream.feed(chunk, NOW)
    stream.feed(chunk, NOW)
    renders.clear()
    assert stream.feed(chunk, NOW).count(b"\n") >= 299
    assert len(renders) < 10


@pytest.mark.parametrize("profile", PROFILES)
def test_many_forms_of_few_records_cost_no_more_than_these_twice_over(
    profile: str, renders: list[str], templates_must_pay: None
) -> None:
    stream = Stream(Options(profile=profile))
    line = b'{"level":"info","time":"2026-11-20T08:51:00.123Z","msg":"m","a%d":%b,"b%d":%b}\n'
    forms = [
        b"".join(line % (form, each, form, each) for each in [b"1", b'"x"'] * 2) for form in range(LOOMS_KEPT + 44)
    ]
    stream.feed(forms[0], NOW)
    renders.clear()
    for _ in range(8):
        for at in range(0, len(forms), 30):
            stream.feed(b"".join(forms[at : at + 30]), NOW)
    assert len(renders) < 2 * 8 * 4 * len(forms)


def test_of_too_many_forms_only_the_oldest_is_forgotten(templates_must_pay: None) -> None:
    rendered = []

    def render(record: Record, observed: str) -> bytes:
        rendered.append(record)
        return load("ecs")(record, observed)

    weaver = Weaver(render)
    for form in range(LOOMS_KEPT + 1):
        assert weave_one(weaver, form) is not None
    rendered.clear()
    assert all(weave_one(weaver, form) for form in range(1, LOOMS_KEPT + 1))
    assert len(rendered) < 3 * LOOMS_KEPT  # the time of reading and the severity, as with any chunk
    rendered.clear()
    assert weave_one(weaver, 0) is not None
    assert len(rendered) > 3


def weave_one(weaver: Weaver, form: int) -> bytes | None:
    def make(hole):  # type: ignore[no-untyped-def]
        return Record("json", Stamp(hole(STAMP), ""), hole(LEVEL), hole(LEVEL + 1), hole(FIRST), {f"app.{form}": 1})

    threads = [[], [f'"{TIME}"'.encode()] * 30, [b"info"] * 30, [], [b'"m"'] * 30]
    return weaver.weave(form, make, OBSERVED, threads, {b"info": (b'"info"', b"9")}, 30)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["of", "", "app.a"])
def test_attributes_of_the_settings_may_have_any_name(profile: str, name: str) -> None:
    raw = b"".join(b'{"level":"info","time":"2026-11-20T08:51:00.1Z","msg":"m","a":%b}\n' % each
                   for each in [b'"x"', b'""', b"[true]"] * 9)  # fmt: skip
    stream = Stream(Options(profile=profile, attributes={name: "x"}))
    written = stream.feed(raw, NOW) + stream.feed(raw, NOW)
    one = Stream(Options(profile=profile, attributes={name: "x"}))
    assert written == b"".join(one.feed(line, NOW) for line in (raw * 2).splitlines(keepends=True))
