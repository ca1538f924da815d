"""Each profile is an exact projection of one record: names and types as its public specification has them."""

import json
from typing import Any

import pytest

from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.profiles import PROFILES, load
from adapter_logformat.profiles.gelf import epoch
from adapter_logformat.profiles.otlp import nanoseconds
from adapter_logformat.record import Record, Stamp
from adapter_logformat.unique import unique as unique_name

OBSERVED = "2026-11-20T08:51:01.000002Z"
RECORD = Record(
    "pino", Stamp("2026-11-20T08:51:00.123456789Z", "zone"), "warn", 13, "disk full\non /var",
    attributes={
        "http.request.method": "GET", "http.response.status_code": 500, "http.request.header.referer": ["http://a/"],
        "otel.scope.name": "shop", "process.pid": "no number", "app.big": 2**63, "app.f": 0.5, "app.ok": True,
        "app.none": None, "app.list": [1, "a"], "app.nested": {"a": {"b": 1}}, "app.id": "x", "id": "y",
    },
    resource={"host.name": "web-1", "service.name": "shop"},
    trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", trace_flags="01",
    original="raw", error="time", truncated=True,
)  # fmt: skip


def rendered(profile: str, record: Record = RECORD) -> dict[str, Any]:
    line = load(profile)(record, OBSERVED)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found: dict[str, Any] = json.loads(line, object_pairs_hook=unique)
    return found


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def test_flat_has_dotted_keys_and_no_objects() -> None:
    line = rendered("flat")
    assert line["app.nested.a.b"] == 1
    assert line["app.big"] == 2**63
    assert line["resource.host.name"] == "web-1"
    assert line["http.response.status_code"] == 500
    assert line["log.format"] == "pino"
    assert not [key for key, value in line.items() if isinstance(value, dict)]


def test_flat_loses_nothing_where_two_ways_lead_to_one_key() -> None:
    line = rendered("flat", Record("json", body="x", attributes={"app.a": {"b": 1}, "app.a.b": 2, "body": "own"}))
    assert (line["app.a.b"], line["flat.collision.app.a.b"]) == (1, "2")
    assert (line["body"], line["flat.collision.body"]) == ("x", '"own"')


@pytest.mark.parametrize("profile", PROFILES)
def test_keys_that_become_alike_stay_apart_and_short(profile: str) -> None:
    keys = {"".join(" /!#$%&*"[number >> 3 * at & 7] for at in range(4)): number for number in range(500)}
    keys |= {"._"[number & 1] * 4 + ".x_"[number % 3] + "._"[number >> 1 & 1]: number for number in range(12)}
    line = load(profile)(Record("json", body="m", attributes={f"app.{key}": at for key, at in keys.items()}), OBSERVED)
    json.loads(line, object_pairs_hook=unique)
    assert len(line) < 60_000  # each one's key gets shorter than ten characters more


class Asked(dict[str, int]):
    """Names that are taken, and how often one of them was asked for."""

    count = 0

    def __contains__(self, key: object) -> bool:
        self.count += 1
        return super().__contains__(key)


def test_names_are_told_apart_in_linear_time_whatever_they_are() -> None:
    taken, tried = Asked(), dict[str, int]()
    for name in ["a"] * 500 + [f"a_{number}" for number in range(500)] + ["a_", "a_"] * 250 + ["a"] * 500:
        taken[unique_name(name, taken, tried)] = 1
    assert len(taken) == 2000
    assert list(taken)[:4] == ["a", "a_", "a_2", "a_3"]
    assert taken.count < 4 * 2000


def test_flat_loses_nothing_where_many_ways_lead_to_one_key() -> None:
    many = {"app.a.b.c": 1, "app.a.b": {"c": 2}, "app.a": {"b.c": 3, "b": {"c": 4}}}
    line = rendered("flat", Record("json", body="x", attributes=many))
    assert {key: value for key, value in line.items() if "app." in key} == {
        "app.a.b.c": 1, "flat.collision.app.a.b.c": "2", "flat.collision.app.a.b.c_": "3",
        "flat.collision.app.a.b.c_2": "4",
    }  # fmt: skip


def test_ecs_loses_nothing_where_two_names_have_one_field() -> None:
    attributes: dict[str, object] = {"source.address": "10.0.0.1", "network.peer.address": "10.0.0.2", "host.name": "a"}
    line = rendered("ecs", Record("json", body="x", attributes=attributes, resource={"host.name": "b"}))
    assert (line["source"], line["host"]) == ({"address": "10.0.0.1"}, {"hostname": "a"})
    assert line["labels"] == {"network_peer_address": "10.0.0.2", "host_name": "b", "timestamp_assumed": "observed"}


@pytest.mark.parametrize("inside", [b'{"a":%b}', b"[%b]"])
def test_otlp_writes_what_is_nested_too_deep_as_text(inside: bytes) -> None:
    before, after = inside.split(b"%b")
    stream = Stream(Options(profile="otlp"))
    deep = before * 600 + b"7" + after * 600
    written = stream.feed(b'{"level":"info","msg":"m","a":' + deep + b"}\n", 1_795_161_060_000_000_000)
    assert stream.tally.unparsed == {}
    assert json.dumps((before * 584 + b"7" + after * 584).decode()).encode() in written


def test_gelf_is_version_1_1() -> None:
    raw = load("gelf")(RECORD, OBSERVED)
    line = rendered("gelf")
    assert (line["version"], line["host"], line["level"]) == ("1.1", "web-1", 4)
    assert (line["short_message"], line["full_message"]) == ("disk full", "disk full\non /var")
    assert b'"timestamp":1795164660.123456789,' in raw
    own = {"version", "host", "short_message", "full_message", "timestamp", "level"}
    assert all(key in own or key.startswith("_") for key in line)
    assert "_id" not in line
    assert (line["_app.id"], line["_id_"]) == ("x", "y")
    assert all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in line.values())


def test_gelf_has_a_host_and_a_message_always() -> None:
    line = rendered("gelf", Record("raw", body="\n"))
    assert line["host"] == "unknown"
    assert line["short_message"]


LEVELS = [(1, 7), (5, 7), (9, 6), (10, 5), (13, 4), (17, 3), (18, 2), (19, 1), (21, 0), (24, 0)]


@pytest.mark.parametrize(("number", "level"), LEVELS)
def test_gelf_levels_are_syslogs(number: int, level: int) -> None:
    assert rendered("gelf", Record("x", body="x", severity_number=number))["level"] == level


def test_otlp_is_one_export_request() -> None:
    (resource_logs,) = rendered("otlp")["resourceLogs"]
    assert resource_logs["resource"]["attributes"][0] == {"key": "host.name", "value": {"stringValue": "web-1"}}
    (scope_logs,) = resource_logs["scopeLogs"]
    assert scope_logs["scope"] == {"name": "shop"}
    (log,) = scope_logs["logRecords"]
    assert log["timeUnixNano"] == "1795164660123456789"
    assert log["observedTimeUnixNano"] == "1795164661000002000"
    assert (log["severityNumber"], log["severityText"]) == (13, "warn")
    assert log["body"] == {"stringValue": "disk full\non /var"}
    assert (log["traceId"], log["spanId"], log["flags"]) == (RECORD.trace_id, RECORD.span_id, 1)
    values = {pair["key"]: pair["value"] for pair in log["attributes"]}
    assert values["http.response.status_code"] == {"intValue": "500"}
    assert values["app.big"] == {"stringValue": "9223372036854775808"}
    assert values["app.f"] == {"doubleValue": 0.5}
    assert values["app.ok"] == {"boolValue": True}
    assert values["app.none"] == {}
    assert values["app.list"] == {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "a"}]}}
    inner = {"kvlistValue": {"values": [{"key": "b", "value": {"intValue": "1"}}]}}
    assert values["app.nested"] == {"kvlistValue": {"values": [{"key": "a", "value": inner}]}}
    assert values["log.format"] == {"stringValue": "pino"}


def test_ecs_has_its_names_and_types() -> None:
    line = rendered("ecs")
    assert line["@timestamp"] == "2026-11-20T08:51:00.123456789Z"
    assert line["ecs"] == {"version": "8.17.0"}
    assert line["log"] == {"level": "warn", "logger": "shop"}
    assert line["event"] == {"created": OBSERVED, "dataset": "pino", "severity": 13, "original": "raw"}
    assert line["http"] == {"request": {"method": "GET", "referrer": "http://a/"}, "response": {"status_code": 500}}
    assert (line["trace"], line["span"]) == ({"id": RECORD.trace_id}, {"id": RECORD.span_id})
    assert (line["host"], line["service"]) == ({"hostname": "web-1"}, {"name": "shop"})
    labels = line["labels"]
    assert all(isinstance(value, str) and "." not in key for key, value in labels.items())
    # What has another type than ECS asks for is a label, not a wrong field.
    assert labels["process_pid"] == "no number"
    assert "process" not in line
    assert (labels["id"], labels["id_"], labels["big"], labels["nested"]) == (
        "x",
        "y",
        "9223372036854775808",
        '{"a":{"b":1}}',
    )
    assert (labels["parse_error"], labels["timestamp_assumed"], labels["log_truncated"]) == ("time", "zone", "true")


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"])
def test_times_at_the_edges(text: str) -> None:
    assert float(epoch(text)) < 253402300801
    assert int(nanoseconds(text)) >= 0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_stream_writes_every_profile(profile: str) -> None:
    lines = b'203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8"\n' * 50
    lines += b'{"level":30,"time":1531171074631,"pid":657,"hostname":"web-1","msg":"hello"}\n' * 50 + b"plain\n"
    stream = Stream(Options(profile=profile))
    written = stream.feed(lines, 1_795_161_060_000_000_000) + stream.flush()
    assert len([json.loads(line, object_pairs_hook=unique) for line in written.splitlines()]) == 101
