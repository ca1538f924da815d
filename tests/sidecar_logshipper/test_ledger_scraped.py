"""The ledger's equation at every scrape: under load, retries, splits, dead letters, drops and restarts."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from .balance import imbalance
from .conftest import PATIENCE_S, LogServer, Shipper, Start
from .test_shipping import append, lines


class Scraper:
    """Scrapes without a pause as long as it is entered, and checks each page."""

    def __init__(self, shipper: Shipper) -> None:
        self._shipper = shipper
        self.pages: list[dict[str, float]] = []

    async def page(self, met: Callable[[dict[str, float]], bool]) -> None:
        """Waits until the last page is one that `met` agrees with."""
        async with asyncio.timeout(PATIENCE_S):
            while not (self._task.done() or (self.pages and met(self.pages[-1]))):  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def more(self, count: int) -> None:
        """Waits for so many pages more."""
        wanted = len(self.pages) + count
        await self.page(lambda _: len(self.pages) >= wanted)

    async def __aenter__(self) -> "Scraper":
        self._task = asyncio.create_task(self._scrape())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.result()
        for before, after in zip(self.pages, self.pages[1:], strict=False):
            fell = [name for name in before if name.endswith("_total") and after[name] < before[name]]
            assert not fell, "a counter fell"

    async def _scrape(self) -> None:
        while True:
            page = await self._shipper.metrics()
            assert imbalance(page) == {}
            assert page["logshipper_lag_bytes"] >= page["logshipper_pending_bytes"]
            self.pages.append(page)


@pytest.mark.parametrize("dead_bytes", ["64MiB", "512"], ids=["dead letters", "dead letters that do not fit"])
async def test_the_equation_holds_at_every_scrape(
    ship: Start, server: LogServer, log: Path, tmp_path: Path, dead_bytes: str
) -> None:
    chance = random.Random(7)

    def answer(request: web.Request, body: bytes) -> web.Response:
        if len(body) > 6000:
            return web.Response(status=413)
        if chance.random() < 0.2:
            return web.Response(status=chance.choice((429, 500, 503)))
        return web.Response(status=400 if b"150," in body else 200)

    server.answer = lambda request, body: web.Response(status=503)
    settings = {
        "sink": {"batch": {"max_bytes": "16KiB"}, "retry": {"initial": "2ms", "max": "5ms"}},
        "dead_letter": {"max_bytes": dead_bytes},
    }
    total = 0
    pages = []
    for life in range(3):
        shipper = await ship(**settings)
        async with Scraper(shipper) as scraper:
            for _ in range(10):
                append(log, lines(total, total + 200))
                total += 200
                await scraper.more(1)
            if life == 0:
                await scraper.page(lambda now: now["logshipper_pending_lines"] > 0)
                server.answer = answer
            if life == 2:
                await scraper.page(lambda now: now["logshipper_lag_bytes"] == 0)
        pages += scraper.pages
        if life < 2:
            await shipper.kill()
    assert len(pages) >= 30
    assert any(page["logshipper_pending_lines"] > 0 for page in pages)
    last = pages[-1]
    assert last["logshipper_oldest_unacked_seconds"] == 0
    assert last["logshipper_pending_lines"] == 0
    there = "dead_lettered_lines_total" if dead_bytes == "64MiB" else 'dropped_lines_total{reason="dead_letter_full"}'
    assert last[f"logshipper_{there}"] > 0


async def test_lag_and_age_tell_what_is_not_yet_safe(ship: Start, server: LogServer, log: Path) -> None:
    server.answer = lambda request, body: web.Response(status=503)
    shipper = await ship(memory_budget="1KiB", sink={"batch": {"max_bytes": "4KiB"}})
    log.write_bytes(lines(0, 10_000))
    await shipper.event("sink_unavailable")
    first = await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == log.stat().st_size)
    append(log, lines(10_000, 20_000))
    first = await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == log.stat().st_size)
    assert 0 < first["logshipper_pending_bytes"] < 16 * 1024  # the log file is the buffer for the rest
    later = await shipper.metrics_when(
        lambda now: now["logshipper_oldest_unacked_seconds"] > first["logshipper_oldest_unacked_seconds"]
    )
    assert later["logshipper_acked_bytes_total"] == 0
    server.answer = lambda request, body: web.Response()
    done = await shipper.metrics_when(lambda now: now["logshipper_lag_bytes"] == 0)
    assert done["logshipper_oldest_unacked_seconds"] == 0
    assert done["logshipper_acked_bytes_total"] == log.stat().st_size
