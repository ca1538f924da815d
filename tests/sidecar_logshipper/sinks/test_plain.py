"""The plain HTTP sink: ids in the lines, and a server that refuses everything until it is mended."""

# ruff: noqa: ASYNC240 (the files are local and small)

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar_logshipper.sinks.over_http import target

from ..conftest import LogServer, Start


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://logs", "/usual?a=1"),
        ("http://logs/", "/usual?a=1"),
        ("http://logs/own", "/own?a=1"),
        ("http://logs/own/?b=2", "/own/?b=2&a=1"),
        ("http://logs?b=2", "/usual?b=2&a=1"),
    ],
)
def test_the_path_of_the_url_or_the_usual_one(url: str, expected: str) -> None:
    assert target(url, "/usual", "a=1") == expected


async def test_each_line_with_its_id(ship: Start, server: LogServer, log: Path) -> None:
    log.write_bytes(b'{"n":0}\nplain\n')
    await ship(instance="shop-1", sink={"record_id_field": "id"})
    first, second = map(json.loads, await server.has(2))
    assert (first["n"], second["message"]) == (0, "plain")
    generation = first["id"].removeprefix("shop-1-").removesuffix("-0")
    assert second["id"] == f"shop-1-{generation}-8"


async def test_a_server_that_refuses_everything_costs_no_line(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    mended = False
    server.answer = lambda request, body: web.Response(status=200 if mended else 400, text="what is number-17?")
    log.write_bytes(b"".join(b"number-%d\n" % n for n in range(1000)))
    shipper = await ship(sink={"encoding": "raw"})
    told = await shipper.event("sink_unavailable")
    assert (told["reason"], told["action"]) == ("everything_refused", "hold")
    assert told["detail"].startswith("http_400: what is")
    metrics = await shipper.metrics()
    assert metrics["logshipper_pending_lines"] == 1000
    assert metrics["logshipper_dead_lettered_lines_total"] == 0
    assert len(server.requests) < 100
    mended = True
    assert sorted(await server.has(1000)) == sorted(b"number-%d" % n for n in range(1000))
    await shipper.event("sink_recovered")
    assert await shipper.stop() == 0
    assert not (tmp_path / "state/dead.jsonl").exists()
    assert len(server.lines) == 1000


async def test_a_first_line_that_is_refused_waits_for_another_that_is_not(
    ship: Start, server: LogServer, log: Path
) -> None:
    def answer(request: web.Request, body: bytes) -> web.Response:
        return web.Response(status=400 if b"poison" in body else 200)

    server.answer = answer
    log.write_bytes(b"poison\n")
    shipper = await ship(sink={"encoding": "raw"})
    await shipper.event("sink_unavailable")
    with log.open("ab") as file:
        file.write(b"good\n")
    assert await server.has(1) == [b"good"]
    told: dict[str, Any] = await shipper.event("record_dead_lettered")
    assert told["offset"] == 0
    assert await shipper.stop() == 0
