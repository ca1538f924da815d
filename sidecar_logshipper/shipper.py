"""The mate: takes chunks from the tail, gives each file its lane, and remembers what the sink has acknowledged.

Following is `logtail`'s matter, sending `delivery`'s; here the two are joined under one memory budget.
"""

import asyncio
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from chassis.command import Context
from chassis.errors import OperatorError
from logtail.chunk import Chunk, TailStats
from logtail.tail import Tail
from sidecar_logshipper.batch import Collector, Part
from sidecar_logshipper.dead_letter import DeadLetterFile
from sidecar_logshipper.delivery import Delivery, Office
from sidecar_logshipper.lane import Lane
from sidecar_logshipper.ledger import Ledger
from sidecar_logshipper.metrics import LogshipperMetrics
from sidecar_logshipper.outage import Outage
from sidecar_logshipper.settings import Settings
from sidecar_logshipper.sinks import roster
from sidecar_logshipper.sinks.seam import Sink
from sidecar_logshipper.window import Window

MOST_CHUNK_BYTES = 1024 * 1024


class Shipper:
    """One life of the log shipper, in the hands of `chassis.lifecycle`."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._log = context.log
        self.ledger = Ledger()
        self._threads = ThreadPoolExecutor(settings.sink.in_flight, thread_name_prefix="sink")
        self._office = Office(
            ledger=self.ledger,
            outage=Outage(),
            dead_letters=DeadLetterFile(settings.dead_letter_path, settings.dead_letter.max_bytes, context.clock),
            threads=self._threads,
            log=context.log,
            clock=context.clock,
            monotonic=context.monotonic,
            random=context.random,
        )
        self._tail = Tail(
            include=settings.files.include,
            exclude=settings.files.exclude,
            start_at=settings.files.start_at,
            state_file=settings.checkpoint_path,
            max_line_bytes=settings.files.max_line_bytes,
            chunk_bytes=min(MOST_CHUNK_BYTES, settings.sink.batch.max_bytes),
            saved=self._saved,
            log=context.log,
            monotonic=context.monotonic,
            wall=context.clock,
        )
        sink = settings.sink
        self._window = Window(sink.in_flight * sink.batch.max_bytes, self._unsaved_bytes, self._tail.hurry)
        self._sinks = [roster.open_sink(settings, context.clock) for _ in range(sink.in_flight)]
        self._lanes = [self._lane(sink) for sink in self._sinks]
        self._buffered = 0
        self._room = asyncio.Event()
        self._drained = asyncio.Event()

    def _lane(self, opened: Sink) -> Lane:
        sink = self._settings.sink
        collector = Collector(sink.batch.max_bytes, sink.batch.max_age)
        delivery = Delivery(self._office, opened, sink.retry)
        return Lane(collector, delivery, self._done, self._window, sink.batch.max_bytes, self._context.monotonic)

    # ---- chassis.lifecycle.Mate

    async def start(self) -> dict[str, object]:
        roster.check(self._settings.sink)
        await self._tail.start()
        self._context.registry.register(LogshipperMetrics(self))
        return {"sink": roster.peer(self._settings.sink), "files": self._tail.stats().files}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())
            await self._take_in()
            for lane in self._lanes:
                lane.end()
        self._drained.set()
        await asyncio.Event().wait()  # the lifecycle ends it, after `drain` has returned

    async def drain(self) -> None:
        self._tail.drain(self._settings.drain.quiet)
        await self._drained.wait()

    async def close(self) -> bool:
        for sink in self._sinks:
            sink.abort()
        await self._tail.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for sink in self._sinks:
            sink.close()
        left = self._tail.stats().lag_bytes
        pending = self.ledger.pending
        if left == 0 and pending.bytes == 0:
            return True
        self._log.warning(
            "drain_incomplete",
            bytes=left,
            read_lines=pending.lines,
            read_bytes=pending.bytes,
            sink_up=self.sink_is_up(),
        )
        return False

    async def reload(self, settings: Settings) -> None:
        raise OperatorError("settings", "the log shipper takes over changed settings at its next start")

    # ---- the flow

    async def _take_in(self) -> None:
        """Reads as long as the budget has room; the log file itself is the buffer for the rest."""
        budget = self._settings.memory_budget
        while True:
            while self._buffered >= budget:
                self._room.clear()
                await self._room.wait()
            chunk = await self._tail.next()
            if chunk is None:
                return
            if not chunk.data:
                self._tail.ack(chunk)
                continue
            self._buffered += len(chunk.data)
            part = Part.of(chunk)
            self.ledger.take_in(part.count, len(chunk.data))
            await self._lane_of(chunk).put(part)

    def _lane_of(self, chunk: Chunk) -> Lane:
        # By path, so that a rotated file and its successor share a lane and arrive in order.
        return self._lanes[zlib.crc32(chunk.source.path.encode("utf-8", "surrogateescape")) % len(self._lanes)]

    def _done(self, part: Part) -> None:
        self._tail.ack(part.chunk)
        self._buffered -= len(part.chunk.data)
        self._room.set()

    def _saved(self) -> None:
        self._window.look()

    def _unsaved_bytes(self) -> int:
        return 0 if self._tail.degraded else self._tail.unsaved_bytes

    # ---- metrics.Readings

    def tail_stats(self) -> TailStats:
        return self._tail.stats()

    def outcomes(self) -> Mapping[str, int]:
        return self._office.outcomes

    def sent_bytes(self) -> int:
        return self._office.sent_bytes

    def sink_is_up(self) -> bool:
        return not self._office.outage.is_on

    def checkpoint_is_good(self) -> bool:
        return not self._tail.degraded
