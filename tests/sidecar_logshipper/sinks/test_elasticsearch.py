"""The bulk API: each request as documented, and each item's status as it is meant."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar_logshipper.sinks.elasticsearch import Elasticsearch
from sidecar_logshipper.sinks.settings import ElasticsearchSink
from sidecar_logshipper.verdict import Action

from ..conftest import Start
from .conftest import BARE, GENERATION, ORIGIN, Reply, answer, batch, part

SETTINGS = ElasticsearchSink(url="http://elastic:9200")
SEEN = "2023-11-14T22:13:20.000000000Z"


def bulk(body: bytes) -> list[tuple[Any, Any]]:
    """The actions with their documents. No document has a member twice: Elasticsearch refuses that."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(members)) == len(members), f"a member comes twice: {members}"
        return dict(members)

    assert body.endswith(b"\n")
    lines = [json.loads(line, object_pairs_hook=once) for line in body[:-1].split(b"\n")]
    return list(zip(lines[::2], lines[1::2], strict=True))


def written(sink: Elasticsearch, *parts: Any) -> list[tuple[Any, Any]]:
    return bulk(b"".join(sink.encode(batch(*parts)).pieces))


def test_each_record_is_created_under_its_own_id() -> None:
    records = written(Elasticsearch(SETTINGS, ORIGIN), part(b'{"a":1}\nplain\n', start=100))
    assert records == [
        (
            {"create": {"_index": "logs-podmates-default", "_id": f"pod-uid-{GENERATION}-100"}},
            {"app": "web", "k8s.pod.name": "web-1", "@timestamp": SEEN[:-5] + "0100Z", "a": 1},
        ),
        (
            {"create": {"_index": "logs-podmates-default", "_id": f"pod-uid-{GENERATION}-108"}},
            {"app": "web", "k8s.pod.name": "web-1", "@timestamp": SEEN[:-5] + "0108Z", "message": "plain"},
        ),
    ]


@pytest.mark.parametrize(
    ("line", "document"),
    [
        ('{"timestamp":"2026-01-02T03:04:05Z"}', {"@timestamp": "2026-01-02T03:04:05.000000000Z", "app": "web"}),
        ('{"@timestamp":"2026-01-02T03:04:05Z","app":"own"}', {"@timestamp": "2026-01-02T03:04:05Z", "app": "own"}),
        ('{"@timestamp":"yesterday"}', {"@timestamp": SEEN, "app": "web"}),
        ('{"@timestamp":1767323045}', {"@timestamp": SEEN, "app": "web"}),
        ('{"app":{"deep":[1.50]}}', {"app": {"deep": [1.5]}, "@timestamp": SEEN}),
        ("{}", {"app": "web", "@timestamp": SEEN}),
        ('{"a":1', {"message": '{"a":1', "app": "web", "@timestamp": SEEN}),
        ("", {"message": "", "app": "web", "@timestamp": SEEN}),
    ],
)
def test_no_member_comes_twice_and_the_time_is_one_that_is_read(line: str, document: dict[str, Any]) -> None:
    _, found = written(Elasticsearch(SETTINGS, ORIGIN), line.encode() + b"\n")[0]
    assert {name: value for name, value in found.items() if name in {*document, "a"}} == document


def test_without_an_origin() -> None:
    assert written(Elasticsearch(SETTINGS, BARE), part(b"a\n"))[0][0]["create"]["_id"] == f"{GENERATION}-0"


def items(*outcomes: int | tuple[int, str, str]) -> bytes:
    """The answer of a bulk request."""
    tree = []
    for outcome in outcomes:
        if isinstance(outcome, int):
            tree.append({"create": {"status": outcome}})
        else:
            status, kind, reason = outcome
            tree.append({"create": {"status": status, "error": {"type": kind, "reason": reason}}})
    errors = any(not isinstance(outcome, int) or outcome >= 300 for outcome in outcomes)
    return json.dumps({"errors": errors, "items": tree}).encode()


def test_no_errors() -> None:
    decided = Elasticsearch(SETTINGS, ORIGIN).judge(answer(200, b'{"errors":false}'), batch(b"a\n"), 0.0)
    assert decided.action is Action.ACK


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (201, None),
        (409, None),  # already there
        (429, Action.RETRY),
        (503, Action.RETRY),
        (500, Action.RETRY),
        (400, Action.REFUSE),
        (403, Action.HOLD),  # a read-only index, missing rights
        (404, Action.HOLD),  # an index that is not there
    ],
)
def test_what_an_item_means(status: int, action: Action | None) -> None:
    body = items(201, (status, "some_exception", "because")) if status >= 300 else items(201, status)
    decided = Elasticsearch(SETTINGS, ORIGIN).judge(answer(200, body), batch(b"a\nb\n"), 0.0)
    if action is None:
        assert decided.action is Action.ACK
    else:
        assert decided.action is Action.PARTIAL
        assert list(decided.records) == [1]
        assert (decided.records[1].action, decided.records[1].reason) == (action, "some_exception")
        said = decided.records[1]
        assert (said.detail, said.answer) == ("", "because" if action is Action.REFUSE else "")


def test_what_a_server_says_is_no_reason_unless_it_is_the_name_of_an_error() -> None:
    """A reason is logged, and a server may echo lines."""
    body = items(201, (400, "no such field: password=hunter2", "because"))
    decided = Elasticsearch(SETTINGS, ORIGIN).judge(answer(200, body), batch(b"a\nb\n"), 0.0)
    assert (decided.records[1].reason, decided.records[1].answer) == ("item_400", "because")


@pytest.mark.parametrize("body", [b"", b"OK", items(201, 400), b'{"errors":true}'])
def test_an_answer_that_does_not_fit_is_no_acknowledgement(body: bytes) -> None:
    decided = Elasticsearch(SETTINGS, ORIGIN).judge(answer(200, body), batch(b"a\n"), 0.0)
    assert (decided.action, decided.reason) == (Action.RETRY, "bad_answer")


@pytest.mark.parametrize(
    ("status", "action"),
    [(400, Action.BISECT), (401, Action.HOLD), (413, Action.SPLIT), (429, Action.RETRY), (503, Action.RETRY)],
)
def test_what_an_answer_to_the_whole_request_means(status: int, action: Action) -> None:
    assert Elasticsearch(SETTINGS, ORIGIN).judge(answer(status), batch(b"a\n"), 0.0).action is action


def parse(request: web.Request, body: bytes) -> list[Any]:
    assert (request.method, request.path) == ("POST", "/_bulk")
    assert request.headers["Content-Type"] == "application/x-ndjson"
    assert request.query["filter_path"] == "errors,items.*.status,items.*.error"
    records = bulk(body)
    for action, document in records:
        assert action.keys() == {"create"}
        assert action["create"].keys() == {"_index", "_id"}
        assert len(action["create"]["_id"]) <= 512
        assert "@timestamp" in document
    return records


@pytest.mark.parametrize("kind", ["elasticsearch", "opensearch"])
async def test_the_real_process(ship: Start, serve: Any, log: Path, tmp_path: Path, kind: str) -> None:
    """A record refused, one too many at the moment: only that one is sent again."""
    server = await serve(parse)
    store: dict[str, Any] = {}
    busy = {"busy"}

    def reply(records: list[Any]) -> Reply:
        outcomes: list[int | tuple[int, str, str]] = []
        for action, document in records:
            record_id = action["create"]["_id"]
            if document.get("n") == 3:
                outcomes.append((400, "document_parsing_exception", "failed to parse field [n]"))
            elif record_id in store:
                outcomes.append((409, "version_conflict_engine_exception", "document already exists"))
            elif document.get("n") == 5 and busy:
                busy.clear()
                outcomes.append((429, "es_rejected_execution_exception", "queue is full"))
            else:
                store[record_id] = document
                outcomes.append(201)
        return Reply(200, items(*outcomes))

    server.reply = reply
    log.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(8)))
    given: dict[str, Any] = {
        "instance": "shop-1",
        "sink": {"type": kind, "url": server.url, "index": "logs-shop", "compression": "gzip"},
    }
    shipper = await ship(**given)
    await shipper.event("record_dead_lettered")
    await server.has(9)  # eight, and one of them again
    assert {document["n"] for document in store.values()} == {0, 1, 2, 4, 5, 6, 7}
    assert await shipper.stop() == 0
    assert len(server.requests) == 2
    dead = json.loads((tmp_path / "state/dead.jsonl").read_text())
    assert (dead["reason"], dead["answer"]) == ("document_parsing_exception", "failed to parse field [n]")


async def test_what_is_sent_again_is_stored_once(ship: Start, serve: Any, log: Path) -> None:
    server = await serve(parse)
    store: dict[str, Any] = {}
    answers = iter(["lost", "told"])

    def reply(records: list[Any]) -> Reply:
        known = [409 if action["create"]["_id"] in store else 201 for action, _ in records]
        store.update({action["create"]["_id"]: document for action, document in records})
        if next(answers, "told") == "lost":
            return Reply(502, b"bad gateway")  # stored all the same
        return Reply(200, items(*(each if each < 300 else (each, "exists", "") for each in known)))

    server.reply = reply
    log.write_bytes(b"".join(b'{"n":%d}\n' % n for n in range(8)))
    shipper = await ship(sink={"type": "elasticsearch", "url": server.url})
    await server.has(8)
    assert await shipper.stop() == 0
    assert [document["n"] for document in store.values()] == list(range(8))
    assert shipper.of("record_dead_lettered") == []
