"""The desk of the demo in a cluster: what it asks, what it keeps, and records as VictoriaLogs gives them back."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from podmates import desk
from podmates.load import LoadCounts
from podmates.victorialogs import as_sent, exactly

ASKED = web.AppKey("ASKED", asyncio.Event)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.jsonl"


async def answer(request: web.Request) -> web.Response:
    request.app[ASKED].set()
    if request.path == "/select/logsql/query":
        return web.Response(text=json.dumps({"query": (await request.post())["query"]}))
    statuses = {"price": 500, "invoice": 502}
    return web.json_response({"path": request.path}, status=statuses.get(request.path.split("/")[1], 200))


def kept_in(book: Path) -> dict[str, int | str]:
    return desk.totals(book.read_text())


async def serve(asked: asyncio.Event | None = None) -> TestServer:
    app = web.Application()
    app[ASKED] = asked or asyncio.Event()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    return server


class TestTheBook:
    def test_entries_are_summed_and_the_first_failure_is_kept(self) -> None:
        lines = [{"made": 2, "failed": 1, "first_failure": "x"}, {"made": 3, "failed": 0}, {"outages": 1}]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        assert desk.totals(text) == {"made": 5, "failed": 1, "outages": 1, "first_failure": "x"}

    def test_what_was_finished_may_begin_again(self, book: Path) -> None:
        told = book.with_name("finish")
        for word, there in (("finish", True), ("begin", False), ("begin", False)):
            assert desk.main(["--book", str(book), word]) == 0
            assert told.exists() is there

    def test_unanswered_requests_are_told_apart(self) -> None:
        counts = LoadCounts(made=3, failed=2)
        counts.statuses.update([0, 200, 503])
        assert desk.entry(counts) == {"made": 3, "failed": 2, "unanswered": 1}


async def test_the_load_runs_until_it_is_told_to_finish_and_is_written_down(book: Path) -> None:
    asked = asyncio.Event()
    server = await serve(asked)
    loading = asyncio.create_task(desk.load(str(server.make_url("")).rstrip("/"), book))
    await asked.wait()
    assert desk.main(["--book", str(book), "finish"]) == 0
    await loading
    kept = kept_in(book)
    assert kept["made"] > 0
    assert kept["failed"] == kept["unanswered"] == 0
    await server.close()


async def test_a_single_request_is_counted_too(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = await serve()
    await desk.ask(str(server.make_url("")).rstrip("/"), "/orders/1", book)
    assert json.loads(capsys.readouterr().out) == {"path": "/orders/1"}
    assert kept_in(book)["made"] == 1
    await server.close()


async def test_a_query_is_sent_as_a_form(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    server = await serve()
    query = exactly(app="webapp", k8s__pod__name='a"b')
    await desk.fetch(str(server.make_url("/select/logsql/query")), query)
    asked = json.loads(capsysbinary.readouterr().out)
    assert asked == {"query": '"app":="webapp" AND "k8s.pod.name":="a\\"b"'}
    await server.close()


def test_who_cannot_be_asked_is_named(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.main(["--app", "http://127.0.0.1:1", "--book", str(book), "stats"]) == 1
    assert capsys.readouterr().err.startswith("desk: ClientConnectorError: ")


def test_a_record_of_victorialogs_is_as_it_was_sent() -> None:
    given = {
        "_time": "2026-11-20T12:00:00Z",
        "_stream": '{app="webapp"}',
        "_stream_id": "00",
        "_msg": "GET /orders/1",
        "app": "webapp",
        "severity_number": "9",
        "attributes.http.response.status_code": "200",
        "attributes.url.path": "/orders/1",
    }
    assert json.loads(as_sent(json.dumps(given).encode())) == {
        "_time": "2026-11-20T12:00:00Z",
        "message": "GET /orders/1",
        "app": "webapp",
        "severity_number": 9,
        "attributes": {"http.response.status_code": 200, "url.path": "/orders/1"},
    }
