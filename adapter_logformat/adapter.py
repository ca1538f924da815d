"""The mate: chunks from the tail through one stream per file into the output, and a checkpoint that fits both ends.

Offsets, output length and the state of the streams are saved together, so that after any death each record is
in the output exactly once. A record written again after a kill is the same but for `observed_timestamp`: that
is always the reading to which the surviving bytes belong. What a record is, the pipeline decides; how the file
is written, `output`.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from adapter_logformat.metrics import LogformatMetrics
from adapter_logformat.output import Output, Place
from adapter_logformat.pipeline import Limits, Options, Stream, Tally
from adapter_logformat.settings import Settings, glob_regex
from chassis.backoff import full_jitter
from chassis.command import Context
from chassis.errors import OperatorError
from logtail.chunk import Chunk, TailStats
from logtail.tail import Tail

COMMIT_EVERY_S: Final = 0.25
COMMIT_BYTES: Final = 4 << 20
"""Input held between two checkpoints: at most so much, and at most for so long."""
TICK_S: Final = 0.25
"""How often joined records that may be complete are looked at."""
RETRY_FIRST_S: Final = 0.1
RETRY_CAP_S: Final = 5.0
CHUNK_BYTES: Final = 128 * 1024
NEARLY_FULL: Final = 16
"""A chunk has never made so many times its size of records; only nearer to the limit a rotation is thought of."""
T = TypeVar("T")


class _Saved(msgspec.Struct, frozen=True):
    """What is stored beside the offsets."""

    output: Place
    streams: dict[str, "_SavedStream"]


class _SavedStream(msgspec.Struct, frozen=True):
    path: str
    state: dict[str, Any]


class Adapter:
    """Built once per process by the chassis; see `chassis.lifecycle.Mate` for the order of the calls."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.tally = Tally()
        self._settings = settings
        self._context = context
        self._log = context.log
        self._output = Output(settings.output.path, settings.output.max_bytes, settings.output.keep)
        self._tail = Tail(
            include=[pattern for source in settings.inputs for pattern in source.paths],
            exclude=[pattern for source in settings.inputs for pattern in source.exclude],
            start_at=settings.start_at,
            state_file=settings.state_dir / "logformat.checkpoint.json",
            max_line_bytes=settings.max_line_bytes,
            # So that the output of one chunk always fits into a file that was just begun.
            chunk_bytes=min(CHUNK_BYTES, settings.output.max_bytes // 8),
            autosave=False,
            log=context.log,
            monotonic=context.monotonic,
            wall=context.clock,
        )
        self._options = [
            (tuple(map(glob_regex, source.paths)), self._options_of(at)) for at, source in enumerate(settings.inputs)
        ]
        self._streams: dict[str, tuple[str, Stream]] = {}
        self._uncommitted: list[Chunk] = []
        self._uncommitted_bytes = 0
        self._changed = False
        self._commit_at = 0.0
        self._blocked = False
        self._snapshots: dict[str, _SavedStream] = {}
        self._touched: set[str] = set()
        self._drained = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="output")
        context.registry.register(LogformatMetrics(self))

    def _options_of(self, at: int) -> Options:
        settings, source = self._settings, self._settings.inputs[at]
        joined = settings.multiline
        return Options(
            only=source.formats,
            zone=source.timezone,
            profile=settings.output.profile,
            join=source.multiline == "auto",
            keep_original=settings.keep_original,
            limits=Limits(settings.max_line_bytes, joined.max_lines, joined.max_bytes, joined.idle, joined.max_age),
        )

    # -- the life of a mate ------------------------------------------------------------------------------------------

    async def start(self) -> dict[str, object]:
        """Loads the checkpoint, takes the output back to it, and revives the streams."""
        await self._tail.start()
        saved = self._loaded(self._tail.extra)
        for found in await self._on_thread(lambda: self._output.open(saved.output if saved else None)):
            self._log.warning(found.event, **found.facts)
        if saved is not None:
            self._revive(saved)
        await self._commit()
        return {"output": str(self._settings.output.path), "files": self._tail.stats().files}

    async def run(self) -> None:
        """Reads, converts, writes, and commits a few times a second; waits while the output cannot be written."""
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    chunk = await self._tail.next()
            except TimeoutError:
                await self._tick()
                continue
            if chunk is None:
                break
            await self._take(chunk)
            if self._uncommitted_bytes >= COMMIT_BYTES or self._context.monotonic() >= self._commit_at:
                await self._tick()
        await self._finish()
        self._drained.set()
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Reads what is left, ends all records, and saves."""
        self._tail.drain(self._settings.drain.quiet)
        await self._drained.wait()

    async def close(self) -> bool:
        """True when everything that was read is in the output and saved."""
        if self._uncommitted or self._changed:
            self._log.warning("work_left", bytes=self._uncommitted_bytes, lag_bytes=self._tail.stats().lag_bytes)
        complete = self._drained.is_set() and not self._uncommitted and not self._changed
        await self._tail.close()
        await self._on_thread(self._output.close)
        self._thread.shutdown(wait=False)
        return complete

    async def reload(self, settings: Settings) -> None:
        """Refused: streams and output are built once."""
        raise OperatorError("", "the adapter takes over changed settings only at its next start")

    # -- one chunk ---------------------------------------------------------------------------------------------------

    async def _take(self, chunk: Chunk) -> None:
        generation = chunk.source.generation
        if generation not in self._streams:
            self._streams[generation] = chunk.source.path, self._new_stream(chunk.source.path)
        stream, now_ns = self._streams[generation][1], self._now_ns()

        def records() -> bytes:
            written = stream.feed(chunk.data, now_ns)
            return written + stream.flush(now_ns) if chunk.final else written

        self._due()
        await self._produce(generation, stream, records)
        self._uncommitted.append(chunk)
        self._uncommitted_bytes += len(chunk.data)
        if chunk.final:
            del self._streams[generation]
            self._snapshots.pop(generation, None)
            self._touched.discard(generation)

    def _new_stream(self, path: str) -> Stream:
        options = next(
            (o for patterns, o in self._options if any(p.fullmatch(path) for p in patterns)), self._options[0][1]
        )
        return Stream(dataclasses.replace(options, attributes={"log.file.path": path}), self.tally)

    async def _tick(self) -> None:
        """Ends records that waited long enough, and commits when it is time."""
        now_ns = self._now_ns()
        for generation, (_, stream) in self._streams.items():
            if stream.waits:
                await self._produce(generation, stream, partial(stream.expire, now_ns))
        if self._changed and (self._context.monotonic() >= self._commit_at or self._uncommitted_bytes >= COMMIT_BYTES):
            await self._commit()

    async def _finish(self) -> None:
        now_ns = self._now_ns()
        for generation, (_, stream) in self._streams.items():
            await self._produce(generation, stream, partial(stream.flush, now_ns))
        await self._commit()

    def _patience(self) -> float | None:
        """How long the tail may let us wait: for ever, when nothing is under way."""
        if self._changed:
            return max(0.0, self._commit_at - self._context.monotonic())
        return TICK_S if any(stream.waits for _, stream in self._streams.values()) else None

    def _due(self) -> None:
        if not self._changed:
            self._changed = True
            self._commit_at = self._context.monotonic() + COMMIT_EVERY_S

    # -- output and checkpoint ---------------------------------------------------------------------------------------

    async def _produce(self, generation: str, stream: Stream, records: Callable[[], bytes]) -> None:
        """Writes what `records` makes of `stream`; where it does not fit any more, into a new file.

        A rotation is saved before and after, so the state of the stream from before must be at hand then."""
        before = stream.snapshot() if self._output.is_full_for(NEARLY_FULL * CHUNK_BYTES) else None
        written = records()
        self._touched.add(generation)
        if not written:
            return
        self._due()
        if before is not None and self._output.is_full_for(len(written)):
            await self._rotate(generation, before)
        await self._insist(partial(self._output.append, written), self._output.resume)

    async def _rotate(self, generation: str, before: dict[str, Any]) -> None:
        await self._commit({generation: before})
        await self._insist(self._output.rotate)
        self._log.info("output_rotated", path=str(self._settings.output.path))
        await self._commit({generation: before})
        self._touched.add(generation)
        self._due()

    async def _commit(self, states: Mapping[str, dict[str, Any]] | None = None) -> None:
        """Output to the disk first, then offsets, output place and streams in one checkpoint.

        `states` stands for streams that have gone further than what is written."""
        place = await self._insist(self._output.sync)
        for generation in self._touched:
            path, stream = self._streams[generation]
            self._snapshots[generation] = _SavedStream(path, (states or {}).get(generation) or stream.snapshot())
        self._touched.clear()
        extra = msgspec.to_builtins(_Saved(place, self._snapshots))
        chunks, self._uncommitted, self._uncommitted_bytes, self._changed = self._uncommitted, [], 0, False
        for chunk in chunks:
            self._tail.ack(chunk, extra)
        await self._tail.save(extra)
        if await self._on_thread(self._output.was_moved):
            self._log.warning("output_moved_away", path=str(self._settings.output.path))
            await self._insist(self._output.reopen)
            self._due()

    async def _insist(self, act: Callable[[], T], again: Callable[[], T] | None = None) -> T:
        """Acts until the file system lets us. Nothing is read meanwhile: the followed files are the buffer."""
        pauses = full_jitter(RETRY_FIRST_S, RETRY_CAP_S, self._context.random)
        while True:
            try:
                result = await self._on_thread(act)
            except OSError as error:
                if not self._blocked:
                    self._blocked = True
                    self._log.error(
                        "output_blocked", path=str(self._settings.output.path), reason=error.strerror or str(error)
                    )
                act = again or act
                await asyncio.sleep(next(pauses))
            else:
                if self._blocked:
                    self._blocked = False
                    self._log.info("output_writable_again", path=str(self._settings.output.path))
                return result

    async def _on_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)

    def _loaded(self, extra: Mapping[str, object]) -> _Saved | None:
        if not extra:
            return None
        try:
            return msgspec.convert(dict(extra), _Saved)
        except msgspec.ValidationError as error:
            self._log.error("checkpoint_not_understood", reason=str(error))
            return None

    def _revive(self, saved: _Saved) -> None:
        # Of a file that brings nothing new in this life only what still waits is saved again, so that files
        # which are gone for good are forgotten.
        for generation, known in saved.streams.items():
            stream = self._new_stream(known.path)
            try:
                stream.restore(known.state)
            except msgspec.ValidationError as error:
                self._log.error("checkpoint_not_understood", path=known.path, reason=str(error))
                continue
            self._streams[generation] = known.path, stream
            if stream.waits:
                self._touched.add(generation)

    def _now_ns(self) -> int:
        return int(self._context.clock() * 1_000_000_000)

    # -- what the metrics page asks -----------------------------------------------------------------------------------

    def tail_stats(self) -> TailStats:
        return self._tail.stats()

    def output_counts(self) -> Mapping[str, int]:
        return {"errors": self._output.errors, "rotations": self._output.rotations}

    def is_blocked(self) -> bool:
        return self._blocked
