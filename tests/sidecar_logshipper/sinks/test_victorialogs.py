"""VictoriaLogs' JSON lines: it answers 200 whatever comes, so what comes must be right."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chassis.settings import Size
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.settings import VictorialogsSink
from sidecar_logshipper.sinks.victorialogs import Victorialogs
from sidecar_logshipper.times import is_rfc3339
from sidecar_logshipper.verdict import Action

from ..conftest import Start
from .conftest import BARE, GENERATION, ORIGIN, Reply, answer, batch, part

URL = "http://victorialogs:9428"
TIME = '"timestamp":"2026-01-02T03:04:05Z"'
SEEN = "2023-11-14T22:13:20.000000000Z"


def lines(sink: Victorialogs, *parts: Any) -> list[str]:
    return b"".join(sink.encode(batch(*parts)).pieces).decode().splitlines()


def test_json_lines_with_a_time_go_through_unchanged() -> None:
    content = f'{{{TIME},"a":1}}\n{{"b":2.50, {TIME}}}\n'
    assert lines(Victorialogs(VictorialogsSink(url=URL), BARE), content.encode()) == content.splitlines()


def test_members_go_in_front() -> None:
    found = lines(Victorialogs(VictorialogsSink(url=URL), ORIGIN), f'{{{TIME},"a":1}}\n'.encode())
    assert found == [f'{{"app":"web","k8s.pod.name":"web-1",{TIME},"a":1}}']


@pytest.mark.parametrize(
    ("line", "document"),
    [
        ("plain", {"timestamp": SEEN, "message": "plain"}),
        (
            "2026-01-02 03:04:05,5 a",
            {"timestamp": "2026-01-02T03:04:05.500000000Z", "message": "2026-01-02 03:04:05,5 a"},
        ),
        ('{"a":1}', {"timestamp": SEEN, "a": 1}),
        ('{"timestamp":"soon"}', {"timestamp": SEEN}),
        ('{"timestamp":null}', {"timestamp": SEEN}),
        ('{"timestamp":1767323045.5}', {"timestamp": "2026-01-02T03:04:05.500000000Z"}),
        ('{"timestamp":"2026-01-02 03:04:05"}', {"timestamp": "2026-01-02T03:04:05.000000000Z"}),
    ],
)
def test_every_line_has_a_time_that_is_read(line: str, document: dict[str, Any]) -> None:
    (found,) = lines(Victorialogs(VictorialogsSink(url=URL), BARE), f"{line}\n".encode())
    assert json.loads(found) == document


def test_what_it_would_drop_silently_is_not_sent() -> None:
    sink = Victorialogs(VictorialogsSink(url=URL, max_line_bytes=Size(100)), BARE)
    encoded = sink.encode(batch(part(b"a\n" + b"x" * 100 + b"\nb\n"), part(b"y" * 100 + b"\n")))
    assert [json.loads(line)["message"] for line in b"".join(encoded.pieces).splitlines()] == ["a", "b"]
    assert {place: (each.action, each.certain) for place, each in encoded.refused.items()} == {
        1: (Action.REFUSE, True),
        3: (Action.REFUSE, True),
    }


def test_the_query_says_which_members_are_what() -> None:
    pod = Origin({"app": "web", "team": "a b"}, {"k8s.pod.name": "web-1", "k8s.namespace.name": "shop"})
    assert Victorialogs(VictorialogsSink(url=URL, time_field="ts", message_field="msg"), pod).query == (
        "_stream_fields=app,team,k8s.pod.name,k8s.namespace.name&_time_field=ts&_msg_field=msg"
    )
    assert Victorialogs(VictorialogsSink(url=URL, stream_fields=["a"]), pod).query.startswith("_stream_fields=a&")


def test_the_id_as_a_member() -> None:
    sink = Victorialogs(VictorialogsSink(url=URL, record_id_field="id"), ORIGIN)
    (found,) = lines(sink, part(f"{{{TIME}}}\n".encode(), start=3))
    assert json.loads(found)["id"] == f"pod-uid-{GENERATION}-3"


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (200, Action.ACK),
        (204, Action.ACK),
        (400, Action.BISECT),
        (401, Action.HOLD),
        (429, Action.RETRY),
        (503, Action.RETRY),
    ],
)
def test_what_an_answer_means(status: int, action: Action) -> None:
    assert Victorialogs(VictorialogsSink(url=URL), BARE).judge(answer(status), batch(b"a\n"), 0.0).action is action


def parse(request: web.Request, body: bytes) -> list[Any]:
    assert (request.method, request.path) == ("POST", "/insert/jsonline")
    assert request.query.keys() == {"_stream_fields", "_time_field", "_msg_field", "debug"}
    assert body.endswith(b"\n")
    records = []
    for line in body[:-1].split(b"\n"):
        assert len(line) <= 256 * 1024
        record = json.loads(line)
        assert is_rfc3339(record[request.query["_time_field"]])
        assert all(name in record for name in request.query["_stream_fields"].split(","))
        records.append(record)
    return records


async def test_the_real_process(ship: Start, serve: Any, log: Path, tmp_path: Path) -> None:
    server = await serve(parse)
    first = iter([Reply(503)])
    server.reply = lambda records: next(first, Reply(200))
    content = b'{"message":"a","timestamp":"2026-01-02T03:04:05Z"}\n' + b"x" * 300_000 + b"\nplain \xff\n"
    log.write_bytes(content)
    shipper = await ship(
        labels={"app": "web"}, sink={"type": "victorialogs", "url": f"{server.url}/?debug=0", "compression": "zstd"}
    )
    assert [record["message"] for record in await server.has(2)] == ["a", "plain \N{REPLACEMENT CHARACTER}"]
    assert (await shipper.event("record_dead_lettered"))["reason"] == "over_max_line_bytes"
    assert await shipper.stop() == 0
    assert len(json.loads((tmp_path / "state/dead.jsonl").read_text())["line"]) == 300_000
