"""The mate: chunks from the tail through one stream per file into the output, and a checkpoint that fits both ends.

Offsets, output length and the state of the streams are saved together, so that after any death each record is in the output
exactly once. What a record is, the pipeline decides; how the file is written, `output`.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import msgspec

from adapter_logformat.metrics import LogformatMetrics
from adapter_logformat.output import Output, Place
from adapter_logformat.pipeline import Limits, Options, Stream, Tally
from adapter_logformat.settings import Settings, glob_regex
from chassis.backoff import full_jitter
from chassis.command import Context
from chassis.errors import OperatorError
from logtail.chunk import Chunk, Source, TailStats
from logtail.tail import Tail

COMMIT_EVERY_S: Final = 0.25
COMMIT_BYTES: Final = 4 << 20
"""Input held between two checkpoints: at most so much, and at most for so long."""
TICK_S: Final = 0.25
RETRY_FIRST_S: Final = 0.1
RETRY_CAP_S: Final = 5.0
CHUNK_BYTES: Final = 256 * 1024
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
        self._options = [(tuple(map(glob_regex, source.paths)), self._options_of(at)) for at, source in enumerate(settings.inputs)]
        self._streams: dict[str, tuple[str, Stream]] = {}
        self._uncommitted: list[Chunk] = []
        self._uncommitted_bytes = 0
        self._changed = False
        self._commit_at = 0.0
        self._blocked = False
        self._broken = False
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
        await self._commit(force=True)
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
        if not self._uncommitted and not self._changed:
            self._commit_at = self._context.monotonic() + COMMIT_EVERY_S
        stream = self._stream(chunk.source)
        now_ns = self._now_ns()
        records = stream.feed(chunk.data, now_ns)
        if chunk.final:
            records += stream.flush(now_ns)
            del self._streams[chunk.source.generation]
        self._uncommitted.append(chunk)
        self._uncommitted_bytes += len(chunk.data)
        await self._write(records)

    def _stream(self, source: Source) -> Stream:
        known = self._streams.get(source.generation)
        if known is None:
            known = self._streams[source.generation] = source.path, self._new_stream(source.path)
        return known[1]

    def _new_stream(self, path: str) -> Stream:
        options = next(
            (options for patterns, options in self._options if any(p.fullmatch(path) for p in patterns)), self._options[0][1]
        )
        return Stream(msgspec.structs.replace(options) if False else _for_file(options, path), self.tally)

    async def _tick(self) -> None:
        """Ends records that waited long enough, and commits when it is time."""
        now_ns = self._now_ns()
        for _, stream in self._streams.values():
            if stream.waits:
                await self._write(stream.expire(now_ns))
        await self._commit()

    async def _finish(self) -> None:
        for _, stream in self._streams.values():
            await self._write(stream.flush(self._now_ns()))
        self._streams.clear()
        await self._commit(force=True)

    def _patience(self) -> float | None:
        """How long the tail may let us wait: for ever, when nothing is under way."""
        if self._uncommitted or self._changed:
            return max(0.0, self._commit_at - self._context.monotonic())
        return TICK_S if any(stream.waits for _, stream in self._streams.values()) else None

    # -- output and checkpoint ---------------------------------------------------------------------------------------

    async def _write(self, records: bytes) -> None:
        if not records:
            return
        if self._output.is_full_for(len(records)) and self._fits_checkpoint():
            pass
        self._changed = True
        await self._insist(lambda: self._output.append(records), self._output.resume)

    async def _insist(self, first: Callable[[], T], again: Callable[[], T]) -> T:
        raise NotImplementedError
