"""Changed settings while the shipper works: no position is lost, nothing is sent twice, order is kept."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from aiohttp import web

from sidecar_logshipper.routes import Routes

from .balance import imbalance
from .conftest import LogServer, Shipper, Start
from .test_shipping import append, lines, numbers


async def change(
    shipper: Shipper, place: Path, event: str = "reloaded", word: str = "", **changes: Any
) -> dict[str, Any]:
    """Writes the settings with these changes, asks for a reload, and waits for what becomes of it: an event with `word`
    in it, since a refusal is told twice where the file was looked at just before it was asked to."""
    path = place / "logshipper.yaml"
    tree = json.loads(path.read_text())
    for name, value in changes.items():
        tree[name] = tree.get(name, {}) | value if isinstance(value, dict) else value
    before = len(shipper.events)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(tree))
    new.replace(path)
    shipper.process.send_signal(signal.SIGHUP)
    return await shipper.told(lambda told: told["event"] == event and word in str(told), before)


async def test_labels_batches_and_lanes_change_and_every_line_arrives_once(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    shipper = await ship(sink={"batch": {"max_bytes": "8KiB"}, "in_flight": 2})
    for round_, (lanes, size) in enumerate([(2, 8), (6, 4), (1, 64), (3, 8)]):
        for part in range(10):
            for name in ("app.log", "b.log", "c.log"):
                append(log.with_name(name), lines(round_ * 1000 + part * 100, round_ * 1000 + part * 100 + 100))
            if part == 5:
                sink = {"url": server.url, "batch": {"max_bytes": f"{size}KiB"}, "in_flight": lanes}
                await change(shipper, tmp_path, labels={"round": str(round_)}, sink=sink)
            await asyncio.sleep(0)
    await server.has(12_000)
    assert imbalance(await shipper.metrics()) == {}
    assert await shipper.stop() == 0
    assert set(Counter(numbers(server.lines)).values()) == {3}
    assert {json.loads(line).get("round") for line in server.lines} >= {"3"}


async def test_a_sink_that_is_down_is_changed_for_another(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    log.write_bytes(lines(0, 100))
    shipper = await ship(
        sink={"url": "http://127.0.0.1:1/", "batch": {"max_bytes": "4KiB"}, "retry": {"initial": "1h", "max": "1h"}}
    )
    await shipper.event("sink_unavailable")
    await change(shipper, tmp_path, sink={"url": server.url})
    assert numbers(await server.has(100)) == list(range(100))
    assert imbalance(await shipper.metrics()) == {}


async def test_a_request_under_way_is_waited_for_and_not_repeated(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        await answer.wait()
        return await server._take(request)

    runner = web.ServerRunner(web.Server(slow))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    log.write_bytes(lines(0, 10))
    shipper = await ship(sink={"url": f"http://127.0.0.1:{runner.addresses[0][1]}/"})
    await asked.wait()
    await change(shipper, tmp_path, sink={"url": server.url})
    append(log, lines(10, 20))
    answer.set()
    assert numbers(await server.has(20)) == list(range(20))
    assert await shipper.stop() == 0
    assert len(server.lines) == 20
    await runner.cleanup()


async def test_files_are_left_out_and_taken_in_again_where_they_were(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    other = log.with_name("other.log")
    log.write_bytes(lines(0, 10))
    other.write_bytes(lines(100, 110))
    shipper = await ship()
    await server.has(20)
    await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == 0)
    await change(shipper, tmp_path, files={"exclude": ["other.log"]})
    assert (await shipper.event("file_left_out"))["path"] == str(other)
    append(other, lines(110, 120))
    append(log, lines(10, 20))
    assert numbers(await server.has(30))[20:] == list(range(10, 20))
    await change(shipper, tmp_path, files={"exclude": []})
    assert numbers(await server.has(40))[30:] == list(range(110, 120))
    assert await shipper.stop() == 0
    assert len(server.lines) == 40


async def test_what_cannot_change_is_refused_by_name_and_the_old_settings_stay(
    ship: Start, server: LogServer, log: Path, tmp_path: Path
) -> None:
    shipper = await ship()
    await change(shipper, tmp_path, "reload_refused", "state_dir: ", state_dir=f"{tmp_path}/elsewhere")
    old = {"state_dir": f"{tmp_path}/state"}
    await change(shipper, tmp_path, "reload_refused", "memory_budget: ", **old, memory_budget="lots")
    log.write_bytes(lines(0, 10))
    assert numbers(await server.has(10)) == list(range(10))


def test_a_file_keeps_its_lane_while_parts_of_it_are_under_way() -> None:
    routes = Routes(["first", "second"])
    lane = routes.take("/log/app.log")
    routes.lanes = ["third"]
    assert routes.take("/log/app.log") == lane
    assert routes.take("/log/new.log") == "third"
    routes.give_back("/log/app.log")
    assert routes.take("/log/app.log") == lane
    routes.give_back("/log/app.log")
    routes.give_back("/log/app.log")
    assert routes.take("/log/app.log") == "third"
