"""Where records become safe: behind their notes into the output, then offsets, output place and streams into one
checkpoint. After any death each record of a followed file is in the output file exactly once, unchanged.

What is read, and when a commit is due, is the matter of `conversion`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


def chunk_bytes(max_bytes: int) -> int:
    """How much is read in one go, so that the records of it fit into a file that was just begun."""
    return CHUNK_BYTES if max_bytes >= CHUNKS_IN_A_FILE // 2 * CHUNK_BYTES else max_bytes // CHUNKS_IN_A_FILE


class _Saved(msgspec.Struct, frozen=True):
    """What is stored beside the offsets."""

    streams: dict[str, SavedStream]
    output: Place | None = None
    commit: int = 0
    steps: dict[str, list[Step]] = {}
    """Taken before a kill, and to be taken again: each behind a note of its own, which stands for it from then on."""
    done: dict[str, list[Step]] = {}
    """Those of a part under way whose records are in files that were rotated since; `streams` is from before them."""


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A part of which not all is written yet: the state of its stream before it, and its steps that are in the
    output. Its bytes are acknowledged only together, so this is what a rotation in its middle saves."""

    generation: str
    before: dict[str, Any]
    done: list[Step] = field(default_factory=list)


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
        not fit any more, into a new file. Without `rotates` it is written wherever it leads."""
        under_way = None
        if rotates and self.file is not None:
            under_way = _UnderWay(generation, self._streams.files[generation].stream.snapshot())
        rest: Part | None = part
        while rest is not None:
            rest = await self._step(generation, rest, under_way)

    async def _step(self, generation: str, part: Part, under_way: _UnderWay | None) -> Part | None:
        """What is left of the part."""
        followed = self._streams.files[generation]
        taken = steps.take(followed.stream, part)
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
        if under_way is not None and size and self.file.is_full_for(size):
            await self._rotate(under_way)
        begins = self.file.length
        deed = part.deed if taken.rest is None else "feed"
        note = Note(self._number, generation, deed, taken.end, part.now_ns, begins, begins + size, skipped)
        await self.writer.insist(Append(self.file, self._journal, note, written))
        if under_way is not None:
            under_way.done.append(Step(deed, taken.end, part.now_ns, ALL))
        return taken.rest

    async def write_unnoted(self, written: bytes) -> None:
        """Records of senders: they cannot be asked again, so there is nothing to note."""
        written = self._redact(written)
        if not written:
            return
        self.due()
        if self.file is not None and self.file.is_full_for(len(written)):
            await self._rotate(None)
        await self.writer.insist(Append(self.output, self._journal, None, [written]))

    async def _rotate(self, under_way: _UnderWay | None) -> None:
        assert self.file is not None
        await self.commit(under_way)
        await self.writer.insist(self.file.rotate)
        self._log.info("output_rotated", path=self._path)
        await self.commit(under_way)
        self.due()

    async def commit(self, under_way: _UnderWay | None = None) -> None:
        """Output to the disk first, then offsets, output place and streams in one checkpoint, then the notes anew."""
        place = await self.writer.insist(self.output.sync)
        streams = self._streams.saved({under_way.generation: under_way.before} if under_way else {})
        done = {under_way.generation: under_way.done} if under_way else {}
        self._number += 1
        extra = msgspec.to_builtins(_Saved(streams, place, self._number, self.replay.left(), done))
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
            await self.commit(under_way)

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
            again = to_take_again(saved.steps, notes, length, self.file.records_in)
            self.replay = Replay(
                {each: [*saved.done.get(each, ()), *again.get(each, ())] for each in saved.done | again}
            )
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
