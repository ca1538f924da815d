"""The work under one set of settings: followed files and senders are read, converted and handed to the keeper, in time.

What a socket had handed over and was not yet written is lost with the process, as such senders know no answer; each
record of a followed file is written exactly once (`keeper`).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_logformat.allocator import give_back
from adapter_logformat.inputs.intake import Intake, Parcel
from adapter_logformat.keeper import Keeper, chunk_bytes
from adapter_logformat.measures import Measures
from adapter_logformat.options import BUG, Tally
from adapter_logformat.redact import Redactor, Rule
from adapter_logformat.replay import Part
from adapter_logformat.settings import Settings
from adapter_logformat.steps import pieces
from adapter_logformat.streams import Streams
from chassis.command import Context
from chassis.errors import OperatorError
from chassis.secret import SecretUnreadable, read_secret
from logtail.chunk import Chunk, TailStats
from logtail.claim import Claim
from logtail.tail import Tail

TICK_S: Final = 0.25
"""How often joined records that may be complete are looked at."""
FORGET_S: Final = 5.0
"""A file that has steps to take again and did not come for so long after a start is gone."""
SHORTEST_KEY: Final = 16
IDLE_S: Final = 0.5
WORTH_GIVING_BACK: Final = 1 << 20
"""After so many bytes converted and so long with nothing to do, free memory goes back to the system."""


class Conversion:
    """From `start` to `close`; another one may take over from its checkpoint."""

    def __init__(
        self,
        settings: Settings,
        context: Context,
        tally: Tally,
        intake: Intake,
        redacted: Counter[str],
        measures: Measures,
    ) -> None:
        """`tally`, `redacted` and `measures` count on from one conversion to the next."""
        self._settings = settings
        self._context = context
        self._intake = intake
        self._measures = measures
        self._redacted = redacted
        self._redact = Redactor((), redacted)
        checkpoint = settings.state_dir / "logformat.checkpoint.json"
        self._claim = Claim(checkpoint, context.log)
        self._tail = Tail(
            include=[pattern for source in settings.inputs for pattern in source.paths],
            exclude=[pattern for source in settings.inputs for pattern in source.exclude],
            start_at=settings.start_at,
            state_file=checkpoint,
            max_line_bytes=settings.max_line_bytes,
            chunk_bytes=chunk_bytes(settings.output.max_bytes),
            autosave=False,
            log=context.log,
            monotonic=context.monotonic,
            wall=context.clock,
        )
        self._tally = tally
        self._streams = Streams(settings, tally, measures)
        self._keeper = Keeper(settings, context, self._streams, self._tail, lambda written: self._redact(written))
        self._converted_bytes = 0
        self._turn = asyncio.Lock()
        """Held while records are made and written, and while a commit is."""
        self._drained = asyncio.Event()
        self._paused = asyncio.Event()

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads the checkpoint and the notes after it, opens the output, revives the streams. OperatorError."""
        self._redact = Redactor(redaction_rules(self._settings), self._redacted)
        await asyncio.to_thread(self._claim.take)
        await self._tail.start()
        await self._keeper.open()

    async def run(self) -> None:
        """Reads, converts and writes until paused; waits while the output cannot be written."""
        following = asyncio.create_task(self._follow(), name="follow")
        others = [asyncio.create_task(work(), name=name) for name, work in self._other_loops()]
        try:
            await asyncio.wait((following, *others), return_when=asyncio.FIRST_COMPLETED)
            for task in (following, *others):
                if task.done():
                    task.result()
        finally:
            for task in (following, *others):
                task.cancel()
            await asyncio.wait((following, *others))

    def _other_loops(self) -> list[tuple[str, Callable[[], Any]]]:
        return [("receive", self._receive), ("tick", self._keep_time), ("pause", self._paused.wait)]

    async def drain(self, quiet: float) -> None:
        """Reads what is left, ends all records, and saves."""
        self._tail.drain(quiet)
        await self._drained.wait()

    async def pause(self) -> None:
        """Everything read is written and committed; `run` returns. What waits to be joined goes to the next one, as
        does what is not taken yet: who waits for the turn looks, once it has come, whether all is over."""
        async with self._turn:
            await self._keeper.commit()
            self._paused.set()

    async def close(self) -> bool:
        """True when everything that was read is in the output and saved."""
        left = self._keeper.has_uncommitted
        try:
            await self._tail.close()
            await self._keeper.close()
        finally:
            self._claim.release()
        return self._drained.is_set() and not left

    def senders(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The streams of those who send, for the conversion that takes over."""
        return {sender: (listen, stream.snapshot()) for sender, (listen, stream) in self._streams.senders.items()}

    def adopt(self, senders: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
        """Goes on with what another conversion had not finished."""
        for sender, (listen, state) in senders.items():
            self._streams.sender(sender, listen).restore(state)

    def work_left(self) -> dict[str, int]:
        """What is read but not safe, for the log; empty when nothing is."""
        if not self._keeper.has_uncommitted:
            return {}
        return {"bytes": self._keeper.uncommitted_bytes, "lag_bytes": self._tail.stats().lag_bytes}

    # -- what comes in -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Files, until they are drained; then everything is ended and saved."""
        while (chunk := await self._tail.next()) is not None:
            async with self._turn:
                if self._paused.is_set():
                    return  # the next one reads it again
                await self._take(chunk)
                if self._keeper.is_time:
                    await self._tick()
        while not self._intake.is_empty:
            await self._take_parcels()
        async with self._turn:
            await self._finish()
        self._drained.set()
        await asyncio.Event().wait()

    async def _receive(self) -> None:
        while not self._paused.is_set():
            await self._intake.wait()
            await self._take_parcels()

    async def _take(self, chunk: Chunk) -> None:
        generation, replay = chunk.source.generation, self._keeper.replay
        self._streams.file(generation, chunk.source.path).stream.written_ns = chunk.written_ns
        self._keeper.due()
        # A rotation saves the state from before the chunk: in between its parts there is no such state to save.
        rotates = not replay.awaits(generation)
        for part in replay.parts(generation, chunk.start, chunk.data, final=chunk.final, now_ns=self._now_ns()):
            await self._keeper.produce(generation, part, rotates=rotates)
        self._keeper.taken(chunk)
        self._converted_bytes += len(chunk.data)
        if chunk.final:
            self._streams.forget(generation)

    async def _take_parcels(self) -> None:
        async with self._turn:
            if self._paused.is_set():
                return  # what was taken out now would be cancelled in the middle; the next one finds it there
            for parcel in self._intake.take():
                await self._take_parcel(parcel)

    async def _take_parcel(self, parcel: Parcel) -> None:
        now_ns = self._now_ns()
        self._keeper.due()  # also without a record: one that waits for its rest needs somebody awake to end it
        self._converted_bytes += len(parcel.data)
        stream = self._streams.sender(parcel.sender, parcel.listen)
        if parcel.message:
            await self._keeper.write_unnoted(stream.message(parcel.data, now_ns))
        else:
            for piece in pieces(parcel.data):
                await self._keeper.write_unnoted(stream.feed(piece, now_ns))
                await asyncio.sleep(0)  # a piece that made nothing was not waited for
        if parcel.last:
            await self._keeper.write_unnoted(stream.flush(now_ns))
            del self._streams.senders[parcel.sender]

    # -- time ----------------------------------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        """Commits, and ends records that waited long enough; asleep when nothing is under way."""
        keeper = self._keeper
        forget_at = self._context.monotonic() + FORGET_S
        while True:
            if keeper.replay or self._streams.wait:
                await asyncio.sleep(TICK_S)
            else:
                await self._until_changed()
                await asyncio.sleep(max(0.0, keeper.commit_at - self._context.monotonic()))
            async with self._turn:
                if self._paused.is_set():
                    return
                if keeper.replay and self._context.monotonic() >= forget_at:
                    self._forget_missing()
                await self._tick()

    async def _until_changed(self) -> None:
        """Asleep until there is something to commit; the memory of the work before is given back meanwhile."""
        changed = self._keeper.changed
        if self._converted_bytes >= WORTH_GIVING_BACK:
            try:
                async with asyncio.timeout(IDLE_S):
                    await changed.wait()
                    return
            except TimeoutError:
                self._converted_bytes = 0
                async with self._turn:
                    replay = self._keeper.replay
                    self._streams.rest([each for each in self._streams.files if not replay.awaits(each)])
                    give_back()
        await changed.wait()

    async def _tick(self) -> None:
        """Ends records that waited long enough, and commits when it is time."""
        now_ns = self._now_ns()
        for generation, followed in self._streams.files.items():
            # What would go on with the record may lie in the file, and only the turn to read it has not come.
            unread = self._keeper.replay.awaits(generation) or self._tail.has_more(generation)
            if followed.stream.waits and not unread:
                await self._keeper.produce(generation, Part("expire", b"", followed.end, now_ns))
        for _, stream in self._streams.senders.values():
            if stream.waits:
                await self._keeper.write_unnoted(stream.expire(now_ns))
        if self._keeper.changed.is_set() and self._keeper.is_time:
            await self._keeper.commit()
        self._tell_bugs()

    def _tell_bugs(self) -> None:
        for bug in self._tally.untold_bugs():
            self._context.log.error("reader_failed", bug=bug, parse_error=BUG)

    async def _finish(self) -> None:
        self._forget_missing()
        now_ns = self._now_ns()
        for generation, followed in self._streams.files.items():
            await self._keeper.produce(generation, Part("last", b"", followed.end, now_ns))
        for _, stream in self._streams.senders.values():
            await self._keeper.write_unnoted(stream.flush(now_ns))
        await self._keeper.commit()
        self._tell_bugs()

    def _forget_missing(self) -> None:
        """Files that are gone for good. What is left of such a stream is written, unless some of it is already."""
        for generation in self._keeper.replay.generations():
            if self._keeper.replay.forget(generation):
                self._streams.forget(generation)

    def _now_ns(self) -> int:
        now_ns = int(self._context.clock() * 1_000_000_000)
        self._measures.at(now_ns)
        return now_ns

    # -- what the metrics page asks ------------------------------------------------------------------------------------

    def tail_stats(self) -> TailStats:
        return self._tail.stats()

    def output_counts(self) -> Mapping[str, int]:
        file = self._keeper.file
        return {"errors": self._keeper.output.errors, "rotations": file.rotations if file else 0}

    def is_blocked(self) -> bool:
        return self._keeper.writer.blocked


def redaction_rules(settings: Settings) -> list[Rule]:
    """Reads the keys of hashes; OperatorError for one that is not there or too short."""
    rules = []
    for at, wanted in enumerate(settings.redact):
        key = b""
        if wanted.key_file is not None:
            try:
                key = read_secret(wanted.key_file).encode()
            except SecretUnreadable as error:
                raise OperatorError(f"redact[{at}].key_file", str(error)) from error
            if len(key) < SHORTEST_KEY:
                raise OperatorError(f"redact[{at}].key_file", f"expected a secret of at least {SHORTEST_KEY} bytes")
        rules.append(Rule(wanted.detect or wanted.name, wanted.action, wanted.pattern, key))
    return rules
