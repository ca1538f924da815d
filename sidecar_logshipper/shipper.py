"""The mate: takes chunks from the tail, gives each file its lane, and remembers what the sink has acknowledged.

Following is `logtail`'s matter, sending `delivery`'s; here the two are joined under one memory budget.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from chassis.command import Context
from chassis.errors import OperatorError
from logtail.chunk import Chunk, TailStats
from logtail.claim import Claim
from logtail.multiline import Multiline
from logtail.tail import FollowSettings, Tail
from sidecar_logshipper.batch import Collector, Part
from sidecar_logshipper.dating import Dating
from sidecar_logshipper.dead_letter import DeadLetterFile
from sidecar_logshipper.delivery import Delivery, Office
from sidecar_logshipper.lane import Lane
from sidecar_logshipper.ledger import Ledger
from sidecar_logshipper.metrics import LogshipperMetrics
from sidecar_logshipper.outage import Outage
from sidecar_logshipper.routes import Routes
from sidecar_logshipper.settings import FilesSettings, Settings
from sidecar_logshipper.sinks import roster
from sidecar_logshipper.sinks.seam import Sink
from sidecar_logshipper.sinks.settings import SinkSettings
from sidecar_logshipper.validity import invalid_lines
from sidecar_logshipper.window import Window

MOST_CHUNK_BYTES = 1024 * 1024
COPIES = 3  # while a chunk is sent it is held as it was read, as it is taken apart, and as it goes out
MOST_LANES = 64


class Shipper:
    """One life of the log shipper, in the hands of `chassis.lifecycle`."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._log = context.log
        self.ledger = Ledger()
        # As many as a reload may ask for; a thread is made only when one is needed.
        self._threads = ThreadPoolExecutor(MOST_LANES, thread_name_prefix="sink")
        self._office = Office(
            ledger=self.ledger,
            outage=Outage(),
            dead_letters=self._dead_letters(),
            threads=self._threads,
            log=context.log,
            clock=context.clock,
            monotonic=context.monotonic,
            random=context.random,
        )
        self._dating = Dating()
        self._claim = Claim(settings.checkpoint_path, context.log)
        self._tail = Tail(
            **self._what_to_follow(),
            start_at=settings.files.start_at,
            state_file=settings.checkpoint_path,
            utf16=settings.files.encoding == "utf-16",
            saved=self._saved,
            log=context.log,
            monotonic=context.monotonic,
            wall=context.clock,
        )
        self._window = Window(_window_bytes(settings), self._unsaved_bytes, self._tail.hurry)
        self._lanes = [self._lane() for _ in range(settings.sink.in_flight)]
        self._routes = Routes(self._lanes)
        self._tasks: asyncio.TaskGroup | None = None
        self._buffered = 0
        self._under_way: Counter[str] = Counter()
        """Parts in lanes, by generation."""
        self._invalid_lines = 0
        self._room = asyncio.Event()
        self._drained = asyncio.Event()

    def _lane(self) -> Lane:
        sink = self._settings.sink
        collector = Collector(sink.batch.max_bytes, sink.batch.max_age)
        delivery = Delivery(self._office, self._open_sink(), sink.retry)
        return Lane(collector, delivery, self._done, self._window, sink.batch.max_bytes, self._context.monotonic)

    def _open_sink(self) -> Sink:
        return roster.open_sink(self._settings, self._context.clock, self._dating)

    def _dead_letters(self) -> DeadLetterFile:
        settings = self._settings
        return DeadLetterFile(settings.dead_letter_path, settings.dead_letter.max_bytes, self._context.clock)

    def _what_to_follow(self) -> FollowSettings:
        files = self._settings.files
        return {
            "include": files.include,
            "exclude": files.exclude,
            "max_line_bytes": files.max_line_bytes,
            "multiline": _multiline(files),
            "delete_after_ack": files.delete_after_ack,
            "chunk_bytes": min(MOST_CHUNK_BYTES, self._settings.sink.batch.max_bytes),
        }

    # ---- chassis.lifecycle.Mate

    async def start(self) -> dict[str, object]:
        await self._check(self._settings.sink)
        await asyncio.to_thread(self._claim.take)
        await self._tail.start()
        self._dating.load(self._tail.extra.get("dating"))
        self._context.registry.register(LogshipperMetrics(self))
        return {"sink": roster.peer(self._settings.sink), "files": self._tail.stats().files}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            for lane in self._lanes:
                self._tasks.create_task(lane.run())
            await self._take_in()
            for lane in self._lanes:
                lane.end()
            self._tasks = None  # from here on no lane is added
        self._drained.set()
        await asyncio.Event().wait()  # the lifecycle ends it, after `drain` has returned

    async def drain(self) -> None:
        self._tail.drain(self._settings.drain.quiet)
        for lane in self._lanes:
            lane.delivery.hurry()
        await self._drained.wait()

    async def close(self) -> bool:
        for lane in self._lanes:
            lane.delivery.abort()
        try:
            await self._tail.close()
        finally:
            self._claim.release()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for lane in self._lanes:
            lane.delivery.close()
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
        """Rebuilds what changed; positions, the ledger and what is under way stay."""
        for name in ("state_dir", "ops"):
            if getattr(settings, name) != getattr(self._settings, name):
                raise OperatorError(name, "takes effect at the next start only")
        if settings.files.encoding != self._settings.files.encoding:
            raise OperatorError("files.encoding", "takes effect at the next start only")
        await self._check(settings.sink)
        self._settings = settings
        self._office.dead_letters = self._dead_letters()
        await self._tail.reload(**self._what_to_follow())
        self._rebuild_lanes()

    async def _check(self, sink: SinkSettings) -> None:
        """OperatorError for files of TLS; credentials that are not there yet are waited for, which is told at once."""
        await asyncio.to_thread(roster.check, sink)
        unreadable = await asyncio.to_thread(roster.unreadable_credentials, sink)
        if unreadable is not None:
            setting, error = unreadable
            self._log.warning("credentials_unreadable", setting=setting, file=str(error.path), reason=error.why)

    def _rebuild_lanes(self) -> None:
        sink = self._settings.sink
        for lane in self._lanes:
            lane.delivery.take_over(self._open_sink(), sink.retry)
            lane.set_limits(sink.batch.max_bytes, sink.batch.max_age)
        while len(self._lanes) < sink.in_flight and self._tasks is not None:
            self._lanes.append(self._lane())
            self._tasks.create_task(self._lanes[-1].run())
        # Fewer lanes are needed: the others finish what they have, and get no more.
        self._routes.lanes = self._lanes[: sink.in_flight]
        self._window.limit = _window_bytes(self._settings)
        self._window.look()
        self._room.set()

    # ---- the flow

    async def _take_in(self) -> None:
        """Reads as long as the budget has room; the log file itself is the buffer for the rest."""
        while True:
            while self._buffered * COPIES >= self._settings.memory_budget:
                self._room.clear()
                await self._tail.look_until(self._room)
            chunk = await self._tail.next()
            if chunk is None:
                return
            if not chunk.data:
                self._tail.ack(chunk)
                continue
            self._buffered += len(chunk.data)
            if not chunk.data.isascii():
                self._invalid_lines += invalid_lines(chunk.data, joined=chunk.joined)
            self._under_way[chunk.source.generation] += 1
            await self._date(chunk)
            part = Part.of(chunk)
            self.ledger.take_in(part.count, len(chunk.data))
            await self._routes.take(chunk.source.path).put(part)

    async def _date(self, chunk: Chunk) -> None:
        """Where records are sent with times: what the times of this chunk rest on is saved before it is sent."""
        sends_times = roster.sends_times(self._settings.sink)
        if sends_times and self._dating.hand_out(chunk, int(self._context.clock() * 1e9)):
            known = await self._tail.generations()
            self._dating.keep_only(known | self._under_way.keys())
            await self._tail.save({"dating": self._dating.saved()})

    def _done(self, part: Part) -> None:
        self._dating.done(part.chunk)
        self._tail.ack(part.chunk)
        self._routes.give_back(part.chunk.source.path)
        self._under_way[part.chunk.source.generation] -= 1
        if not self._under_way[part.chunk.source.generation]:
            del self._under_way[part.chunk.source.generation]
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

    def invalid_lines(self) -> int:
        return self._invalid_lines

    def sink_is_up(self) -> bool:
        return not self._office.outage.is_on


def _window_bytes(settings: Settings) -> int:
    return settings.sink.in_flight * settings.sink.batch.max_bytes


def _multiline(files: FilesSettings) -> Multiline | None:
    given = files.multiline
    return None if given == "none" else Multiline(start=given.start, continuation=given.continuation)
