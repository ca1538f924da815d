"""Metrics from logs: the ready-made access rule, own rules, the bound on series, and equal counts on both paths."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_logformat.measures import OTHER, OVERFLOW, Label, Measures, Rule
from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.profiles import PROFILES
from adapter_logformat.record import Record

NOW = 1_795_161_060_000_000_000
LINE = '203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "{} HTTP/1.1" {} {} "-" "curl/8"\n'


class Slow(Stream):
    def _fast_of(self, format: object) -> None:
        return None


def counted(
    raw: str, measures: Measures, kind: type[Stream] = Stream, profile: str = "otel"
) -> dict[str, Mapping[tuple[str, ...], list[float]]]:
    stream = kind(Options(measures=measures, profile=profile))
    measures.at(NOW)
    stream.feed(raw.encode(), NOW)
    stream.flush(NOW)
    return {family.name: dict(family.cells) for family in measures.families(NOW)}


def test_any_access_log_gives_requests_and_bytes() -> None:
    raw = LINE.format("GET /a", 200, 12) * 3 + LINE.format("POST /a", 503, "-") + LINE.format("BREW /a", 418, 1)
    found = counted(raw, Measures(access_log=True))
    assert found["http_requests"] == {("GET", "2xx"): [3], ("POST", "5xx"): [1], ("_OTHER", "4xx"): [1]}
    assert found["http_response_bytes"] == {("GET", "2xx"): [36], ("_OTHER", "4xx"): [1]}


def test_durations_become_a_histogram() -> None:
    measures = Measures(access_log=True)
    for duration in (0.004, 0.3, 99.0):
        attributes: dict[str, object] = {
            "http.request.method": "GET", "http.response.status_code": 200, "http.server.request.duration": duration,
        }  # fmt: skip
        measures.record(Record("envoy", attributes=attributes))
    durations = {family.name: family for family in measures.families(0)}["http_request_duration_seconds"]
    ((labels, (total, *counts)),) = durations.cells.items()
    assert labels == ("GET", "2xx")
    assert (round(total, 3), sum(counts), counts[0], counts[-1]) == (99.304, 3, 1, 1)


def test_paths_are_templates_and_everything_else_is_other() -> None:
    raw = "".join(
        LINE.format(f"GET {path}", 200, 1)
        for path in ("/users/1?x=/users/2", "/users/2", "/users/2/x", "/static/a/b", "/é")
    )
    found = counted(raw, Measures(access_log=True, paths=["/users/{id}", "/static/*"]))
    assert found["http_requests"] == {
        ("GET", "2xx", "/users/{id}"): [2], ("GET", "2xx", OTHER): [2], ("GET", "2xx", "/static/*"): [1],
    }  # fmt: skip


def test_own_rules_count_sum_and_bucket() -> None:
    raw = "".join(
        f'{{"level":30,"time":1531171074631,"pid":1,"hostname":"w","msg":"m","event":"{event}","ms":{ms}}}\n'
        for event, ms in [("login", 5), ("login", 50), ("logout", 7), ("x" * 50, 1)]
    )
    event = Label("event", "app.event", frozenset({"login", "logout"}))
    rules = [
        Rule("events", (event,), frozenset({"pino"})),
        Rule("login_ms", (), where={"app.event": "login"}, value="app.ms"),
        Rule("latency", (Label("level", "severity_text"),), value="app.ms", buckets=(6.0, 10.0)),
        Rule("nothing", (), frozenset({"combined"})),
    ]
    for kind in (Stream, Slow):
        found = counted(raw, Measures(rules), kind)
        assert found["events"] == {("login",): [2], ("logout",): [1], (OTHER,): [1]}
        assert found["login_ms"] == {(): [55]}
        assert found["latency"] == {("30",): [63, 2, 1, 1]}
        assert found["nothing"] == {}


def test_series_are_bounded_and_idle_ones_are_forgotten() -> None:
    measures = Measures([Rule("seen", (Label("user", "app.user"),))], max_series=2, idle_s=10)
    for second, user in enumerate("abcda"):
        measures.at(second * 1_000_000_000)
        measures.record(Record("json", attributes={"app.user": user}))
    (family,) = measures.families(5_000_000_000)
    assert family.cells == {("a",): [2], ("b",): [1], (OVERFLOW,): [2]}
    (family,) = measures.families(12_500_000_000)
    assert family.cells == {("a",): [2], (OVERFLOW,): [2]}


@pytest.mark.parametrize("profile", ["otel", "ecs"])
@pytest.mark.parametrize("kind", [Stream, Slow])
def test_a_value_that_no_double_holds_is_dropped_and_its_record_is_not(kind: type[Stream], profile: str) -> None:
    measures = Measures([Rule("sum", value="app.n"), Rule("spread", value="app.n", buckets=(5.0,)), Rule("seen")])
    measures.at(NOW)
    stream = kind(Options(measures=measures, profile=profile))
    line = '{"level":"info","time":"2026-11-20T08:51:00.123Z","msg":"hello","n":%s}\n'
    raw = (line % "1" * 29 + line % ("1" * 400)).encode()
    written = [stream.feed(raw, NOW), stream.feed(raw, NOW), stream.flush(NOW)]
    assert b"".join(written).count(b"\n") == 60
    assert stream.tally.unparsed == {}
    assert {family.name: family.cells[()] for family in measures.families(NOW)} == {
        "sum": [58], "spread": [58, 58, 0], "seen": [60],
    }  # fmt: skip
    assert measures.dropped == 4


def test_a_sum_never_grows_beyond_what_a_double_holds() -> None:
    measures = Measures([Rule("sum", value="app.n")])
    measures.at(NOW)
    for value in (1e308, 1e308, float("inf"), float("nan")):
        measures.record(Record("json", attributes={"app.n": value}))
    (family,) = measures.families(NOW)
    assert (family.cells, measures.dropped) == ({(): [1e308]}, 3)


@pytest.mark.parametrize("kind", [Stream, Slow])
def test_a_size_that_no_double_holds_costs_no_request(kind: type[Stream]) -> None:
    line = (
        '{{"ts":1531171074.63,"level":"info","logger":"http.log.access","msg":"handled request","request":{{"method":'
        '"GET","uri":"/a","proto":"HTTP/2.0","remote_ip":"1.2.3.4","host":"h"}},"status":200,"duration":0.1,"size":{}}}\n'
    )
    measures = Measures(access_log=True)
    found = counted((line.format(5) * 3 + line.format("9" * 400) + line.format(10**20)) * 2, measures, kind)
    assert found["http_requests"] == {("GET", "2xx"): [10]}
    assert found["http_response_bytes"] == {("GET", "2xx"): [2e20]}
    assert measures.dropped == 2


@pytest.mark.parametrize("kind", [Stream, Slow])
def test_a_measure_that_fails_costs_no_record(kind: type[Stream], bugs_are_told: None) -> None:
    class Failing(Measures):
        def record(self, record: Record) -> None:
            raise KeyError

        def run(self, written: bytes, formats: Mapping[str, int]) -> None:
            raise KeyError

    stream = kind(Options(measures=Failing(access_log=True)))
    raw = LINE.format("GET /a", 200, 5).encode() * 20
    assert (stream.feed(raw, NOW) + stream.feed(raw, NOW) + stream.flush(NOW)).count(b'"combined"') == 40
    assert any(bug.startswith("KeyError") for bug in stream.tally.bugs)


REQUESTS = st.tuples(
    st.sampled_from([
        "GET /a", "POST /users/7?a=b", "GET /\\x22", "", "FROB /a", "GET /a b", 'GET /"http.response.status_code":200',
    ]),
    st.sampled_from([200, 304, 404, 500, "-"]), st.sampled_from([0, 7, 99999, "-"]),
)  # fmt: skip


@given(st.lists(REQUESTS, max_size=40), st.sampled_from(PROFILES))
def test_both_paths_count_alike(requests: list[tuple[str, object, object]], profile: str) -> None:
    raw = "".join(LINE.format(*request) for request in requests)
    found = [
        counted(raw, Measures(access_log=True, paths=["/users/{id}", "/a"]), kind, profile) for kind in (Stream, Slow)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_counted_is_written_by_whole_chunks_in_every_profile(profile: str) -> None:
    measures = Measures(access_log=True)
    measures.at(NOW)
    stream = Stream(Options(measures=measures, profile=profile))
    raw = LINE.format("GET /a", 200, 12).encode() * 50
    written = stream.feed(raw, NOW) + stream.feed(raw, NOW)
    assert written == Slow(Options(profile=profile)).feed(raw * 2, NOW)
    assert stream.slow_lines < 5
    assert {family.name: family.cells for family in measures.families(NOW)}["http_requests"] == {("GET", "2xx"): [100]}
