"""Loki's push API: each request as documented, each answer as it is meant."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar_logshipper.sinks.loki import Loki, label
from sidecar_logshipper.sinks.settings import LokiSink
from sidecar_logshipper.verdict import Action

from ..conftest import Start
from .conftest import BARE, GENERATION, ORIGIN, SEEN_NS, Reply, answer, batch, part

URL = "http://loki:3100"


def pushed(loki: Loki, *parts: Any) -> dict[str, Any]:
    body = b"".join(loki.encode(batch(*parts)).pieces)
    streams = json.loads(body)["streams"]
    assert len(streams) == 1
    stream: dict[str, Any] = streams[0]
    return stream


def test_lines_with_times_labels_and_structured_metadata() -> None:
    stream = pushed(Loki(LokiSink(url=URL), ORIGIN), part(b'{"a":1}\nplain "text"\r\n', start=100))
    assert stream == {
        "stream": {"app": "web"},
        "values": [
            [str(SEEN_NS + 100), '{"a":1}', {"k8s_pod_name": "web-1", "log_file_path": "/log/app.log"}],
            [str(SEEN_NS + 108), 'plain "text"', {"k8s_pod_name": "web-1", "log_file_path": "/log/app.log"}],
        ],
    }


def test_a_line_that_says_its_time_has_it_in_nanoseconds() -> None:
    lines = b'{"timestamp":"2026-01-02T03:04:05.123456789Z"}\n2026-01-02 03:04:05.123456789Z plain\n'
    assert [value[0] for value in pushed(Loki(LokiSink(url=URL), ORIGIN), lines)["values"]] == [
        "1767323045123456789"
    ] * 2


def test_equal_lines_in_the_same_millisecond_stay_two() -> None:
    line = b'{"timestamp":"2026-01-02T03:04:05.123Z","n":1}\n'
    values = pushed(Loki(LokiSink(url=URL), ORIGIN), part(line * 3, start=5))["values"]
    assert [value[0] for value in values] == [str(1767323045123000000 + 5 + len(line) * n) for n in range(3)]


def test_the_same_record_has_the_same_time_whatever_batch_it_is_in() -> None:
    line = b"2026-01-02T03:04:05Z a\n"
    loki = Loki(LokiSink(url=URL), ORIGIN)
    together = pushed(loki, part(line * 3))["values"]
    alone = [pushed(Loki(LokiSink(url=URL), ORIGIN), part(line, start=n * len(line)))["values"][0] for n in range(3)]
    assert together == alone


def test_a_record_id_and_the_mark_of_a_piece() -> None:
    loki = Loki(LokiSink(url=URL, record_id_field="record.id", stream_labels=["k8s.pod.name"]), ORIGIN)
    stream = pushed(loki, part(b"first half", start=7, piece=True))
    assert stream["stream"] == {"k8s_pod_name": "web-1"}
    assert stream["values"][0][2] == {
        "app": "web",
        "log_file_path": "/log/app.log",
        "log_partial": "true",
        "record_id": f"pod-uid-{GENERATION}-7",
    }


def test_without_structured_metadata_and_without_labels() -> None:
    stream = pushed(Loki(LokiSink(url=URL, structured_metadata=False), BARE), b"a\n\xff\n")
    assert stream["stream"] == {"source": "podmates"}
    assert [value[1:] for value in stream["values"]] == [["a"], ["\N{REPLACEMENT CHARACTER}"]]


@pytest.mark.parametrize(("name", "expected"), [("app", "app"), ("k8s.pod.name", "k8s_pod_name"), ("1st", "_1st")])
def test_labels_are_what_loki_allows(name: str, expected: str) -> None:
    assert label(name) == expected


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (204, Action.ACK),
        (200, Action.ACK),
        (260, Action.HOLD),  # blocked, and dropped
        (400, Action.BISECT),  # some may be stored
        (401, Action.HOLD),
        (403, Action.HOLD),
        (404, Action.HOLD),
        (413, Action.SPLIT),
        (422, Action.BISECT),
        (429, Action.RETRY),
        (500, Action.RETRY),
        (503, Action.RETRY),
    ],
)
def test_what_an_answer_means(status: int, action: Action) -> None:
    loki = Loki(LokiSink(url=URL), ORIGIN)
    assert loki.judge(answer(status), batch(b"a\n"), 0.0).action is action


def parse(request: web.Request, body: bytes) -> list[Any]:
    assert (request.method, request.path) == ("POST", "/loki/api/v1/push")
    assert request.headers["Content-Type"] == "application/json"
    tree = json.loads(body)
    assert tree.keys() == {"streams"}
    records = []
    for stream in tree["streams"]:
        assert stream.keys() == {"stream", "values"}
        assert stream["stream"]
        assert all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in stream["stream"])
        for time, line, metadata in stream["values"]:
            assert re.fullmatch("[0-9]{19}", time)
            assert isinstance(line, str)
            assert all(isinstance(value, str) for value in metadata.values())
            records.append((time, line))
    assert records
    return records


async def test_the_real_process(ship: Start, serve: Any, log: Path, tmp_path: Path) -> None:
    """Throttled, blocked, and a line that is too old: Loki keeps the others of its request, and says 400."""
    server = await serve(parse)
    too_old = "entry with timestamp 2001-01-01 ignored, reason: 'entry too far behind'"
    first = iter([Reply(429, headers={"Retry-After": "0"}), Reply(260, keeps=set())])

    def reply(records: list[Any]) -> Reply:
        if (once := next(first, None)) is not None:
            return once
        good = {place for place, (_, line) in enumerate(records) if '"n":3,' not in line}
        return Reply(204) if len(good) == len(records) else Reply(400, too_old.encode(), keeps=good)

    server.reply = reply
    log.write_bytes(b"".join(b'{"n":%d,"timestamp":"2026-01-02T03:04:05Z"}\n' % n for n in range(8)))
    shipper = await ship(
        labels={"app": "web"}, sink={"type": "loki", "url": server.url, "tenant": "shop", "compression": "gzip"}
    )
    dead = await shipper.event("record_dead_lettered")
    assert dead["reason"] == "http_400"
    await server.has(7)
    assert await shipper.stop() == 0
    assert server.requests[0].headers["X-Scope-OrgID"] == "shop"
    # As Loki does: what has come before with the same time is not stored again.
    assert {json.loads(line)["n"] for _, line in set(server.records)} == {0, 1, 2, 4, 5, 6, 7}
    assert len(set(server.records)) == 7
    assert [told["reason"] for told in shipper.of("sink_unavailable")] == ["http_429", "http_260"]
    record = json.loads((tmp_path / "state/dead.jsonl").read_text())
    assert record["answer"] == too_old
