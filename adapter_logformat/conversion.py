"""The work under one set of settings: followed files and senders through one stream each into the output, and commits.

Notes are written ahead of the records (`journal`), a commit puts offsets, output place and streams into one checkpoint.
After any death each record of a followed file is in the output file exactly once, and no byte of it changes; what a
socket had handed over and was not yet written is lost with the process, as such senders know no answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from adapter_logformat.allocator import give_back
from adapter_logformat.grammar import Format
from adapter_logformat.inputs.intake import Intake, Parcel
from adapter_logformat.journal import Journal, Note
from adapter_logformat.measures import Measures
from adapter_logformat.outlets import Outlet, outlet
from adapter_logformat.output import Found, Output, Place
from adapter_logformat.pipeline import Limits, Options, Stream, Tally
from adapter_logformat.redact import Redactor, Rule
from adapter_logformat.replay import ALL, Part, Replay, Step, to_take_again
from adapter_logformat.settings import Settings
from adapter_logformat.settings_inputs import InputSettings, RegexFormat, StartRegex, glob_regex
from adapter_logformat.writer import Append, Writer
from chassis.command import Context
from chassis.errors import OperatorError
from chassis.secret import SecretUnreadable, read_secret
from logtail.chunk import Chunk, Source, TailStats
from logtail.tail import Tail

COMMIT_EVERY_S: Final = 0.25
COMMIT_BYTES: Final = 32 << 20
"""Between two checkpoints at most so much input is read, and for at most so long."""
TICK_S: Final = 0.25
"""How often joined records that may be complete are looked at."""
FORGET_S: Final = 5.0
"""A file that has steps to take again and did not come for so long after a start is gone."""
CHUNK_BYTES: Final = 512 * 1024
"""Read in one go where so much is waiting: a step, its note and its write cost the same whatever their size."""
PIECE_BYTES: Final = 128 * 1024
"""Converted in one go: the many small values of a larger piece would fall out of the processor's cache."""
SHORTEST_KEY: Final = 16
IDLE_S: Final = 0.5
WORTH_GIVING_BACK: Final = 1 << 20
"""After so many bytes converted and so long with nothing to do, free memory goes back to the system."""
NEARLY_FULL: Final = 16
"""A chunk has never made so many times its size of records; only nearer to the limit a rotation is thought of."""


class _SavedStream(msgspec.Struct, frozen=True):
    path: str
    state: dict[str, Any]


@dataclass(slots=True)
class _Followed:
    """One file: where it was first seen, its stream, and how far that has read in this life."""

    path: str
    stream: Stream
    end: int = 0


class _Saved(msgspec.Struct, frozen=True):
    """What is stored beside the offsets."""

    streams: dict[str, _SavedStream]
    output: Place | None = None
    commit: int = 0
    steps: dict[str, list[Step]] = {}


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
        self.tally = tally
        self._settings = settings
        self._context = context
        self._log = context.log
        self._intake = intake
        self._measures = measures
        self._redacted = redacted
        self._redact = Redactor((), redacted)
        to = settings.output
        self._file = Output(to.path, to.max_bytes, to.keep) if to.path else None
        self._output: Output | Outlet = self._file or outlet(to.endpoint)
        self._writer = Writer(context, to.to)
        self._journal = Journal(settings.state_dir / "logformat.journal")
        self._tail = Tail(
            include=[pattern for source in settings.inputs for pattern in source.paths],
            exclude=[pattern for source in settings.inputs for pattern in source.exclude],
            start_at=settings.start_at,
            state_file=settings.state_dir / "logformat.checkpoint.json",
            max_line_bytes=settings.max_line_bytes,
            # So that the output of one chunk always fits into a file that was just begun.
            chunk_bytes=min(CHUNK_BYTES, to.max_bytes // 8),
            autosave=False,
            log=context.log,
            monotonic=context.monotonic,
            wall=context.clock,
        )
        self._options = [
            (tuple(map(glob_regex, source.paths)), source.listen, self._options_of(source))
            for source in settings.inputs
        ]
        self._streams: dict[str, _Followed] = {}
        self._senders: dict[str, tuple[str, Stream]] = {}
        self._replay = Replay({})
        self._uncommitted: list[tuple[Source, int, int]] = []
        self._uncommitted_bytes = 0
        self._converted_bytes = 0
        self._commit_number = 0
        self._commit_at = 0.0
        self._changed = asyncio.Event()
        self._snapshots: dict[str, _SavedStream] = {}
        self._touched: set[str] = set()
        self._turn = asyncio.Lock()
        """Held while records are made and written, and while a commit is."""
        self._draining = False
        self._drained = asyncio.Event()
        self._paused = asyncio.Event()

    def _options_of(self, source: InputSettings) -> Options:
        settings, joined = self._settings, self._settings.multiline
        return Options(
            only=source.formats,
            own=own_formats(source),
            zone=source.timezone,
            profile=settings.output.profile,
            join=source.multiline != "none",
            start=source.multiline.start if isinstance(source.multiline, StartRegex) else None,
            keep_original=settings.keep_original,
            measures=self._measures or None,
            limits=Limits(settings.max_line_bytes, joined.max_lines, joined.max_bytes, joined.idle, joined.max_age),
        )

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads the checkpoint and the notes after it, opens the output, revives the streams. OperatorError."""
        self._redact = Redactor(_redaction_rules(self._settings), self._redacted)
        await self._tail.start()
        saved = self._loaded(self._tail.extra)
        for found in await self._writer.once(lambda: self._opened(saved)):
            self._log.warning(found.event, **found.facts)
        await self._revive(saved)
        await self._commit()

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
        """Everything read is written and committed; `run` returns. What waits to be joined goes to the next one."""
        async with self._turn:
            await self._commit()
            self._paused.set()

    async def close(self) -> bool:
        """True when everything that was read is in the output and saved."""
        left = bool(self._uncommitted) or self._changed.is_set()
        await self._tail.close()
        await self._writer.once(self._output.close)
        await self._writer.once(self._journal.close)
        self._writer.close()
        return self._drained.is_set() and not left

    def senders(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The streams of those who send, for the conversion that takes over."""
        return {sender: (listen, stream.snapshot()) for sender, (listen, stream) in self._senders.items()}

    def adopt(self, senders: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
        """Goes on with what another conversion had not finished."""
        for sender, (listen, state) in senders.items():
            stream = self._sender_stream(Parcel(listen, sender, b""))
            stream.restore(state)

    def work_left(self) -> dict[str, int]:
        """What is read but not safe, for the log; empty when nothing is."""
        if not self._uncommitted and not self._changed.is_set():
            return {}
        return {"bytes": self._uncommitted_bytes, "lag_bytes": self._tail.stats().lag_bytes}

    # -- what comes in -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Files, until they are drained; then everything is ended and saved."""
        while (chunk := await self._tail.next()) is not None:
            async with self._turn:
                await self._take(chunk)
                if self._uncommitted_bytes >= COMMIT_BYTES or self._context.monotonic() >= self._commit_at:
                    await self._tick()
        while self._intake.bytes:
            await self._take_parcels()
        async with self._turn:
            await self._finish()
        self._drained.set()
        await asyncio.Event().wait()

    async def _receive(self) -> None:
        while True:
            await self._intake.wait()
            await self._take_parcels()

    async def _keep_time(self) -> None:
        """Commits, and ends records that waited long enough; asleep when nothing is under way."""
        forget_at = self._context.monotonic() + FORGET_S
        while True:
            if self._replay or self._waiting():
                await asyncio.sleep(TICK_S)
            else:
                await self._until_changed()
                await asyncio.sleep(max(0.0, self._commit_at - self._context.monotonic()))
            async with self._turn:
                if self._replay and self._context.monotonic() >= forget_at:
                    self._forget_missing()
                await self._tick()

    async def _until_changed(self) -> None:
        """Asleep until there is something to commit; the memory of the work before is given back meanwhile."""
        if self._converted_bytes >= WORTH_GIVING_BACK:
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._changed.wait()
                    return
            except TimeoutError:
                self._converted_bytes = 0
                async with self._turn:
                    self._rest()
                    give_back()
        await self._changed.wait()

    def _rest(self) -> None:
        """Every file's stream begins anew with what it has to remember, without the templates and caches it grew."""
        for generation, followed in self._streams.items():
            if not self._replay.awaits(generation):
                rested = self._file_stream(followed.path)
                rested.restore(followed.stream.snapshot())
                followed.stream = rested

    def _waiting(self) -> bool:
        return any(followed.stream.waits for followed in self._streams.values()) or any(
            stream.waits for _, stream in self._senders.values()
        )

    async def _take(self, chunk: Chunk) -> None:
        generation = chunk.source.generation
        if generation not in self._streams:
            self._streams[generation] = _Followed(chunk.source.path, self._file_stream(chunk.source.path))
        followed = self._streams[generation]
        self._due()
        # A rotation saves the state from before the chunk: in between its parts there is no such state to save.
        rotates = not self._replay.awaits(generation)
        for part in self._replay.parts(generation, chunk.start, chunk.data, final=chunk.final, now_ns=self._now_ns()):
            await self._produce(generation, followed, part, rotates=rotates)
        self._uncommitted.append((chunk.source, chunk.start, chunk.end))
        self._uncommitted_bytes += len(chunk.data)
        self._converted_bytes += len(chunk.data)
        if chunk.final:
            del self._streams[generation]
            self._snapshots.pop(generation, None)
            self._touched.discard(generation)

    async def _take_parcels(self) -> None:
        async with self._turn:
            for parcel in self._intake.take():
                await self._take_parcel(parcel)

    async def _take_parcel(self, parcel: Parcel) -> None:
        now_ns = self._now_ns()
        self._due()  # also without a record: one that waits for its rest needs somebody awake to end it
        self._converted_bytes += len(parcel.data)
        stream = self._sender_stream(parcel)
        written = stream.message(parcel.data, now_ns) if parcel.message else stream.feed(parcel.data, now_ns)
        if parcel.last:
            written += stream.flush(now_ns)
            del self._senders[parcel.sender]
        await self._write_unnoted(written)

    def _sender_stream(self, parcel: Parcel) -> Stream:
        if parcel.sender not in self._senders:
            options = next(
                # An input that is gone since a reload still gets what it had received.
                (options for _, listen, options in self._options if listen == parcel.listen),
                self._options[0][2],
            )
            self._senders[parcel.sender] = parcel.listen, Stream(options, self.tally)
        return self._senders[parcel.sender][1]

    def _file_stream(self, path: str) -> Stream:
        options = next(
            (options for patterns, _, options in self._options if any(p.fullmatch(path) for p in patterns)),
            self._options[0][2],
        )
        return Stream(replace(options, attributes={"log.file.path": path}), self.tally)

    # -- time ----------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Ends records that waited long enough, and commits when it is time."""
        now_ns = self._now_ns()
        for generation, followed in self._streams.items():
            if followed.stream.waits and not self._replay.awaits(generation):
                await self._produce(generation, followed, Part("expire", b"", followed.end, now_ns))
        for _, stream in self._senders.values():
            if stream.waits:
                await self._write_unnoted(stream.expire(now_ns))
        is_time = self._context.monotonic() >= self._commit_at or self._uncommitted_bytes >= COMMIT_BYTES
        if self._changed.is_set() and is_time:
            await self._commit()

    async def _finish(self) -> None:
        self._forget_missing()
        now_ns = self._now_ns()
        for generation, followed in self._streams.items():
            await self._produce(generation, followed, Part("last", b"", followed.end, now_ns))
        for _, stream in self._senders.values():
            await self._write_unnoted(stream.flush(now_ns))
        await self._commit()

    def _forget_missing(self) -> None:
        """Files that are gone for good. What is left of such a stream is written, unless some of it is already."""
        for generation in self._replay.generations():
            if self._replay.forget(generation):
                self._streams.pop(generation, None)
                self._snapshots.pop(generation, None)
                self._touched.discard(generation)

    def _due(self) -> None:
        if not self._changed.is_set():
            self._changed.set()
            self._commit_at = self._context.monotonic() + COMMIT_EVERY_S

    # -- what goes out -------------------------------------------------------------------------------------------------

    async def _produce(self, generation: str, followed: _Followed, part: Part, *, rotates: bool = True) -> None:
        """Takes one step and writes, behind its note, what it made; where it does not fit any more, into a new file.

        A rotation is saved before and after, so the state of the stream from before must be at hand then."""
        nearly_full = rotates and self._file is not None and self._file.is_full_for(NEARLY_FULL * CHUNK_BYTES)
        before = followed.stream.snapshot() if nearly_full else None
        written = list(filter(None, map(self._redact, _done(followed.stream, part))))
        if part.deed == "expire" and not written:
            return
        followed.end = max(followed.end, part.end)
        self._touched.add(generation)
        self._due()
        written, skipped = _without_first(written, part.skip)
        size = sum(map(len, written))
        if part.partly:
            self._replay.consumed(generation, skipped)
        if self._file is None:
            await self._writer.insist(Append(self._output, self._journal, None, written))
            return
        if before is not None and self._file.is_full_for(size):
            await self._rotate({generation: before})
            self._touched.add(generation)
        begins = self._file.length
        note = Note(self._commit_number, generation, part.deed, part.end, part.now_ns, begins, begins + size, skipped)
        await self._writer.insist(Append(self._file, self._journal, note, written))

    async def _write_unnoted(self, written: bytes) -> None:
        """Records of senders: they cannot be asked again, so there is nothing to note."""
        written = self._redact(written)
        if not written:
            return
        self._due()
        if self._file is not None and self._file.is_full_for(len(written)):
            await self._rotate({})
        await self._writer.insist(Append(self._output, self._journal, None, [written]))

    async def _rotate(self, states: Mapping[str, dict[str, Any]]) -> None:
        assert self._file is not None
        await self._commit(states)
        await self._writer.insist(self._file.rotate)
        self._log.info("output_rotated", path=str(self._settings.output.path))
        self._touched.update(states)
        await self._commit(states)
        self._due()

    async def _commit(self, states: Mapping[str, dict[str, Any]] | None = None) -> None:
        """Output to the disk first, then offsets, output place and streams in one checkpoint, then the notes anew.

        `states` stands for streams that have gone further than what is written."""
        place = await self._writer.insist(self._output.sync)
        for generation in self._touched:
            followed = self._streams[generation]
            state = (states or {}).get(generation) or followed.stream.snapshot()
            self._snapshots[generation] = _SavedStream(followed.path, state)
        self._touched.clear()
        self._commit_number += 1
        extra = msgspec.to_builtins(_Saved(self._snapshots, place, self._commit_number, self._replay.left()))
        chunks, self._uncommitted, self._uncommitted_bytes = self._uncommitted, [], 0
        self._changed.clear()
        for source, start, end in chunks:
            self._tail.ack_bytes(source, start, end, extra)
        # Notes of a commit that could not be saved stay: the next start finds the older checkpoint.
        if await self._tail.save(extra):
            await self._writer.insist(self._journal.begin_anew)
        if self._file is not None and await self._writer.once(self._file.was_moved):
            self._log.warning("output_moved_away", path=str(self._settings.output.path))
            await self._writer.insist(self._file.reopen)
            self._due()
            await self._commit()

    # -- after a death -------------------------------------------------------------------------------------------------

    def _opened(self, saved: _Saved | None) -> list[Found]:
        """On the output's thread: opens what is written to, and finds out what must be done again."""
        try:
            notes = self._journal.open()
        except OSError as error:
            raise OperatorError("state_dir", f"cannot write the journal: {error.strerror}") from error
        if self._file is None:
            assert not isinstance(self._output, Output)
            self._output.open()
            return []
        found = self._file.open(saved.output if saved else None)
        if saved is not None:
            notes = [note for note in notes if note.commit >= saved.commit]
            length = self._file.length if self._file.known else None
            self._replay = Replay(to_take_again(saved.steps, notes, length, self._file.records_in))
        return found

    def _loaded(self, extra: Mapping[str, object]) -> _Saved | None:
        if not extra:
            return None
        try:
            return msgspec.convert(dict(extra), _Saved)
        except msgspec.ValidationError as error:
            self._log.error("checkpoint_not_understood", reason=str(error))
            return None

    async def _revive(self, saved: _Saved | None) -> None:
        # Of a file that brings nothing new in this life only what still waits is saved again, so that files
        # which are gone for good are forgotten.
        if saved is None:
            return
        self._commit_number = saved.commit
        for generation, known in saved.streams.items():
            followed = _Followed(known.path, self._file_stream(known.path))
            try:
                followed.stream.restore(known.state)
            except ValueError as error:
                self._log.error("checkpoint_not_understood", path=known.path, reason=str(error))
                continue
            self._streams[generation] = followed
            if followed.stream.waits or self._replay.awaits(generation):
                self._touched.add(generation)
        for generation, followed in self._streams.items():
            for part in self._replay.without_bytes(generation):
                await self._produce(generation, followed, part, rotates=False)

    def _now_ns(self) -> int:
        now_ns = int(self._context.clock() * 1_000_000_000)
        self._measures.at(now_ns)
        return now_ns

    # -- what the metrics page asks ------------------------------------------------------------------------------------

    def tail_stats(self) -> TailStats:
        return self._tail.stats()

    def output_counts(self) -> Mapping[str, int]:
        return {"errors": self._output.errors, "rotations": self._file.rotations if self._file else 0}

    def is_blocked(self) -> bool:
        return self._writer.blocked


def own_formats(source: InputSettings) -> tuple[Format, ...]:
    """The format that the settings themselves describe."""
    if not isinstance(source.format, RegexFormat):
        return ()
    from adapter_logformat.formats.custom import custom  # only for those who wrote a regex

    return (custom(source.format.regex, source.format.time),)


def _redaction_rules(settings: Settings) -> list[Rule]:
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


def _done(stream: Stream, part: Part) -> Iterator[bytes]:
    """Takes the step; its records come piece by piece."""
    if part.deed == "expire":
        yield stream.expire(part.now_ns)
        return
    at = 0
    while len(part.data) - at > PIECE_BYTES:
        # Cut behind a line: the fast forms read whole lines.
        end = part.data.rfind(b"\n", at, at + PIECE_BYTES) + 1 or at + PIECE_BYTES
        yield stream.feed(part.data[at:end], part.now_ns)
        at = end
    yield stream.feed(part.data[at:], part.now_ns)
    if part.deed == "last":
        yield stream.flush(part.now_ns)


def _without_first(written: list[bytes], skip: int) -> tuple[list[bytes], int]:
    """What is left without the first `skip` records, and how many were left out."""
    if not skip:
        return written, 0
    records = b"".join(written).splitlines(keepends=True)
    left_out = len(records) if skip == ALL else min(skip, len(records))
    return [b"".join(records[left_out:])], left_out
