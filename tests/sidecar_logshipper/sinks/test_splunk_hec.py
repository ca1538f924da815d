"""Splunk's HTTP Event Collector: each request as documented, each of its codes as it is meant."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chassis.settings import SettingsError, decode
from sidecar_logshipper.settings import Settings
from sidecar_logshipper.sinks.settings import SplunkHecSink
from sidecar_logshipper.sinks.splunk_hec import SplunkHec
from sidecar_logshipper.verdict import Action

from ..conftest import Start
from .conftest import BARE, GENERATION, ORIGIN, Reply, answer, batch, part


def hec(**changes: Any) -> SplunkHec:
    return SplunkHec(SplunkHecSink(url="https://splunk:8088", token_file=Path("/token"), **changes), ORIGIN)


def events(body: bytes) -> list[Any]:
    """Objects one after the other, with or without white space between."""
    found, text, decoder, at = [], body.decode(), json.JSONDecoder(), 0
    while at < len(text):
        event, at = decoder.raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())
        found.append(event)
    return found


def sent(sink: SplunkHec, *parts: Any) -> list[Any]:
    return events(b"".join(sink.encode(batch(*parts)).pieces))


def test_events_with_their_envelope() -> None:
    lines = b'{"a":1,"timestamp":"2026-01-02T03:04:05.25Z"}\nplain "text"\n'
    assert sent(hec(index="shop", sourcetype="app"), part(lines)) == [
        {
            "time": 1767323045.25,
            "host": "web-1",
            "index": "shop",
            "sourcetype": "app",
            "source": "/log/app.log",
            "fields": {"app": "web", "k8s.pod.name": "web-1"},
            "event": {"a": 1, "timestamp": "2026-01-02T03:04:05.25Z"},
        },
        {
            "time": 1_700_000_000.000000046,
            "host": "web-1",
            "index": "shop",
            "sourcetype": "app",
            "source": "/log/app.log",
            "fields": {"app": "web", "k8s.pod.name": "web-1"},
            "event": 'plain "text"',
        },
    ]


def test_a_blank_line_is_no_blank_event() -> None:
    assert [event["event"] for event in sent(hec(), b"\n \n")] == [{"message": ""}, {"message": " "}]


def test_ids_and_pieces_are_fields() -> None:
    (event,) = sent(hec(record_id_field="id", host="h"), part(b"half", start=9, piece=True))
    assert (event["host"], event["fields"]["log.partial"]) == ("h", "true")
    assert event["fields"]["id"] == f"pod-uid-{GENERATION}-9"
    settings = SplunkHecSink(url="https://splunk:8088", token_file=Path("/token"))
    assert "host" not in sent(SplunkHec(settings, BARE), b"a\n")[0]


@pytest.mark.parametrize(
    ("status", "code", "action"),
    [
        (200, 0, Action.ACK),
        (403, 1, Action.HOLD),  # token disabled
        (401, 2, Action.HOLD),  # token required
        (401, 3, Action.HOLD),  # invalid authorization
        (403, 4, Action.HOLD),  # invalid token
        (400, 5, Action.BISECT),  # no data
        (400, 6, Action.BISECT),  # invalid data format
        (400, 7, Action.HOLD),  # incorrect index
        (500, 8, Action.RETRY),  # internal server error
        (503, 9, Action.RETRY),  # server is busy
        (400, 10, Action.HOLD),  # data channel is missing
        (400, 11, Action.HOLD),  # invalid data channel
        (400, 12, Action.BISECT),  # event field is required
        (400, 13, Action.BISECT),  # event field cannot be blank
        (400, 14, Action.HOLD),  # acknowledgement is disabled
        (400, 15, Action.BISECT),  # error in the indexed fields
    ],
)
def test_what_a_code_means(status: int, code: int, action: Action) -> None:
    body = json.dumps({"text": "words", "code": code}).encode()
    decided = hec().judge(answer(status, body), batch(b"a\n"), 0.0)
    assert decided.action is action
    if action is not Action.ACK:
        assert decided.reason == f"splunk_{code}"
        assert "words" not in decided.detail, "it is logged, and a server may echo lines"


@pytest.mark.parametrize(
    ("status", "action"),
    [(200, Action.ACK), (404, Action.HOLD), (413, Action.SPLIT), (429, Action.RETRY), (502, Action.RETRY)],
)
def test_an_answer_in_other_words_is_taken_by_its_status(status: int, action: Action) -> None:
    assert hec().judge(answer(status, b"<html>"), batch(b"a\n"), 0.0).action is action


def test_a_busy_server_says_when_to_come_again() -> None:
    decided = hec().judge(answer(503, b'{"text":"Server is busy","code":9}', retry_after="7"), batch(b"a\n"), 0.0)
    assert decided.after == 7.0


def test_it_says_which_event_it_means() -> None:
    body = b'{"text":"Invalid data format","code":6,"invalid-event-number":2}'
    assert hec().judge(answer(400, body), batch(b"a\nb\nc\n"), 0.0).suspect == 2


def test_the_token_has_a_setting_of_its_own() -> None:
    sink = {"type": "splunk_hec", "url": "https://splunk:8088", "token_file": "/t", "auth": {"bearer_token_file": "/b"}}
    with pytest.raises(SettingsError, match=r"sink\.auth: use token_file"):
        decode(Settings, {"files": {"include": ["/log/*"]}, "sink": sink})


def parse(request: web.Request, body: bytes) -> list[Any]:
    assert (request.method, request.path) == ("POST", "/services/collector/event")
    assert request.headers["Authorization"].startswith("Splunk ")
    found = events(body)
    for event in found:
        assert (
            {"time", "event", "fields"}
            <= event.keys()
            <= {"time", "event", "fields", "host", "source", "index", "sourcetype"}
        )
        assert event["event"] != ""
        assert all(isinstance(value, str) for value in event["fields"].values())
    return found


async def test_the_real_process(ship: Start, serve: Any, log: Path, tmp_path: Path) -> None:
    """The token is wrong until it is rotated; then one event is refused, by its number."""
    server = await serve(parse)
    (tmp_path / "token").write_text("old\n")

    def reply(records: list[Any]) -> Reply:
        if server.requests[-1].headers["Authorization"] != "Splunk new":
            return Reply(403, b'{"text":"Invalid token","code":4}')
        for place, record in enumerate(records):
            if record["event"].get("n") == 3:
                said = {"text": "Invalid data format", "code": 6, "invalid-event-number": place}
                return Reply(400, json.dumps(said).encode())
        return Reply(200, b'{"text":"Success","code":0}')

    server.reply = reply
    log.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(8)))
    shipper = await ship(sink={"type": "splunk_hec", "url": server.url, "token_file": f"{tmp_path}/token"})
    told = await shipper.event("sink_unavailable")
    assert (told["reason"], told["detail"], told["action"]) == ("splunk_4", "the token is not known", "hold")
    (tmp_path / "token").write_text("new\n")
    assert (await shipper.event("record_dead_lettered"))["reason"] == "splunk_6"
    assert [event["event"]["n"] for event in await server.has(7)] == [0, 1, 2, 4, 5, 6, 7]
    assert await shipper.stop() == 0
