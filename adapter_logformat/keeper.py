"""Where records become safe: behind their notes into the output, then offsets, output place and streams into one
checkpoint. After any death each record of a followed file is in the output file exactly once, unchanged.

What is read, and when a commit is due, is the matter of `conversion`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from adapter_logformat import steps
from adapter_logformat.journal import Journal, Note
from adapter_logformat.outlets import Outlet, outlet
from adapter_logformat.output import Found, Output, Place
from adapter_logformat.replay import ALL, Part, Replay, Step, to_take_again
from adapter_logformat.settings import Settings
from adapter_logformat.streams import SavedStream, Streams
from adapter_logformat.writer import Append, Writer
from chassis.command import Context
from chassis.errors import OperatorError
from logtail.chunk import Chunk, Source
from logtail.tail import Tail

COMMIT_EVERY_S: Final = 0.25
COMMIT_BYTES: Final = 32 << 20
"""Between two checkpoints at most so much input is read, and for at most so long."""
CHUNK_BYTES: Final = 512 * 1024
"""Read in one go where so much is waiting: a step, its note and its write cost the same whatever their size."""
CHUNKS_IN_A_FILE: Final = 256
"""Where an output file is small: the shortest lines make more than a hundred times their size of records."""
NEARLY_FULL: Final = 16
"""A chunk has never made so many times its size of records; only nearer to the limit a rotation is thought of."""
DENSE: Final = 8192
SHORT_RECORD: Final = 512
"""A chunk of more lines is not converted as a whole only to see whether it still fits: its records are guessed to be of
this size."""


def chunk_bytes(max_bytes: int) -> int:
    """How much is read in one go, so that the records of it fit into a file that was just begun."""
    return CHUNK_BYTES if max_bytes >= CHUNKS_IN_A_FILE // 2 * CHUNK_BYTES else max_bytes // CHUNKS_IN_A_FILE


class _Saved(msgspec.Struct, frozen=True):
    """What is stored beside the offsets."""

    streams: dict[str, SavedStream]
    output: Place | None = None
    commit: int = 0
    steps: dict[str, list[Step]] = {}


class Keeper:
    """The output, the notes and the checkpoint of one conversion. `changed` is set while something is not committed,
    `commit_at` says when it must be; all calls are made one at a time."""

    def __init__(
        self, settings: Settings, context: Context, streams: Streams, tail: Tail, redact: Callable[[bytes], bytes]
    ) -> None:
        to = settings.output
        self.changed = asyncio.Event()
        self.commit_at = 0.0
        self.uncommitted_bytes = 0
        self.replay = Replay({})
        self.file = Output(to.path, to.max_bytes, to.keep) if to.path else None
        self.output: Output | Outlet = self.file or outlet(to.endpoint)
        self.writer = Writer(context, to.to)
        self._journal = Journal(settings.state_dir / "logformat.journal")
        self._path = str(to.path)
        self._context = context
        self._log = context.log
        self._streams = streams
        self._tail = tail
        self._redact = redact
        self._uncommitted: list[tuple[Source, int, int]] = []
        self._number = 0

    async def open(self) -> None:
        """Opens the output, finds out what must be done again, revives the streams, and commits. OperatorError."""
        saved = self._loaded(self._tail.extra)
        for found in await self.writer.once(lambda: self._opened(saved)):
            self._log.warning(found.event, **found.facts)
        if saved is not None:
            await self._revive(saved)
        await self.commit()

    async def close(self) -> None:
        await self.writer.once(self.output.close)
        await self.writer.once(self._journal.close)
        self.writer.close()

    @property
    def has_uncommitted(self) -> bool:
        return bool(self._uncommitted) or self.changed.is_set()

    # -- what goes out -------------------------------------------------------------------------------------------------

    def due(self) -> None:
        """Something has changed: a commit must come."""
        if not self.changed.is_set():
            self.changed.set()
            self.commit_at = self._context.monotonic() + COMMIT_EVERY_S

    @property
    def is_time(self) -> bool:
        """For a commit."""
        return self._context.monotonic() >= self.commit_at or self.uncommitted_bytes >= COMMIT_BYTES

    def taken(self, chunk: Chunk) -> None:
        """All of the chunk is in the output: the next commit acknowledges it."""
        self._uncommitted.append((chunk.source, chunk.start, chunk.end))
        self.uncommitted_bytes += len(chunk.data)

    async def produce(self, generation: str, part: Part, *, rotates: bool = True) -> None:
        """Takes one step, or several where it is long, and writes, each behind its note, what they made; where it does
        not fit any more, into a new file.

        A rotation is saved before and after, so the state of the stream from before the part must be at hand then: it
        comes before the first of several steps, or there is only one."""
        rotates = rotates and self.file is not None
        lines = part.data.count(b"\n")
        if rotates and lines > DENSE:
            if self._is_full_for(lines * SHORT_RECORD + len(part.data)):
                await self._rotate({})
            rotates = False
        rotates = rotates and self._is_full_for(NEARLY_FULL * CHUNK_BYTES)
        rest: Part | None = part
        while rest is not None:
            rest = await self._step(generation, rest, rotates=rotates)

    async def _step(self, generation: str, part: Part, *, rotates: bool) -> Part | None:
        """What is left of the part; nothing where it is converted as a whole to see whether it fits (`rotates`)."""
        followed = self._streams.files[generation]
        before = followed.stream.snapshot() if rotates else None
        taken = steps.take(followed.stream, part, whole=rotates)
        written = list(filter(None, map(self._redact, taken.written)))
        if part.deed == "expire" and not written:
            return None
        followed.end = max(followed.end, taken.end)
        self._streams.touch(generation)
        self.due()
        written, skipped = _without_first(written, part.skip)
        size = sum(map(len, written))
        if part.partly:
            self.replay.consumed(generation, skipped)
        if self.file is None:
            await self.writer.insist(Append(self.output, self._journal, None, written))
            return taken.rest
        if before is not None and size and self.file.is_full_for(size):
            await self._rotate({generation: before})
            self._streams.touch(generation)
        begins = self.file.length
        deed = part.deed if taken.rest is None else "feed"
        note = Note(self._number, generation, deed, taken.end, part.now_ns, begins, begins + size, skipped)
        await self.writer.insist(Append(self.file, self._journal, note, written))
        return taken.rest

    def _is_full_for(self, size: int) -> bool:
        return self.file is not None and self.file.is_full_for(size)

    async def write_unnoted(self, written: bytes) -> None:
        """Records of senders: they cannot be asked again, so there is nothing to note."""
        written = self._redact(written)
        if not written:
            return
        self.due()
        if self.file is not None and self.file.is_full_for(len(written)):
            await self._rotate({})
        await self.writer.insist(Append(self.output, self._journal, None, [written]))

    async def _rotate(self, states: Mapping[str, dict[str, Any]]) -> None:
        assert self.file is not None
        await self.commit(states)
        await self.writer.insist(self.file.rotate)
        self._log.info("output_rotated", path=self._path)
        for generation in states:
            self._streams.touch(generation)
        await self.commit(states)
        self.due()

    async def commit(self, states: Mapping[str, dict[str, Any]] | None = None) -> None:
        """Output to the disk first, then offsets, output place and streams in one checkpoint, then the notes anew.

        `states` stands for streams that have gone further than what is written."""
        place = await self.writer.insist(self.output.sync)
        streams = self._streams.saved(states or {})
        self._number += 1
        extra = msgspec.to_builtins(_Saved(streams, place, self._number, self.replay.left()))
        chunks, self._uncommitted, self.uncommitted_bytes = self._uncommitted, [], 0
        self.changed.clear()
        for source, start, end in chunks:
            self._tail.ack_bytes(source, start, end, extra)
        # Notes of a commit that could not be saved stay: the next start finds the older checkpoint.
        if await self._tail.save(extra):
            await self.writer.insist(self._journal.begin_anew)
        if self.file is not None and await self.writer.once(self.file.was_moved):
            self._log.warning("output_moved_away", path=self._path)
            await self.writer.insist(self.file.reopen)
            self.due()
            await self.commit()

    # -- after a death -------------------------------------------------------------------------------------------------

    def _opened(self, saved: _Saved | None) -> list[Found]:
        """On the output's thread: opens what is written to, and finds out what must be done again."""
        try:
            notes = self._journal.open()
        except OSError as error:
            raise OperatorError("state_dir", f"cannot write the journal: {error.strerror}") from error
        if self.file is None:
            assert not isinstance(self.output, Output)
            self.output.open()
            return []
        found = self.file.open(saved.output if saved else None)
        if saved is not None:
            notes = [note for note in notes if note.commit >= saved.commit]
            length = self.file.length if self.file.known else None
            self.replay = Replay(to_take_again(saved.steps, notes, length, self.file.records_in))
        return found

    def _loaded(self, extra: Mapping[str, object]) -> _Saved | None:
        if not extra:
            return None
        try:
            return msgspec.convert(dict(extra), _Saved)
        except msgspec.ValidationError as error:
            self._log.error("checkpoint_not_understood", reason=str(error))
            return None

    async def _revive(self, saved: _Saved) -> None:
        # Of a file that brings nothing new in this life only what still waits is saved again, so that files
        # which are gone for good are forgotten.
        self._number = saved.commit
        for generation, known in saved.streams.items():
            try:
                followed = self._streams.revive(generation, known)
            except ValueError as error:
                self._log.error("checkpoint_not_understood", path=known.path, reason=str(error))
                continue
            if followed.stream.waits or self.replay.awaits(generation):
                self._streams.touch(generation)
        for generation in list(self._streams.files):
            for part in self.replay.without_bytes(generation):
                await self.produce(generation, part, rotates=False)


def _without_first(written: list[bytes], skip: int) -> tuple[list[bytes], int]:
    """What is left without the first `skip` records, and how many were left out."""
    if not skip:
        return written, 0
    records = b"".join(written).splitlines(keepends=True)
    left_out = len(records) if skip == ALL else min(skip, len(records))
    return [b"".join(records[left_out:])], left_out
