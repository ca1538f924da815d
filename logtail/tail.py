"""The loop that follows files: calls the follower on a thread of its own, and waits between looks.

What is found, read and recognised is the follower's matter, when positions are saved that of `saving`, what is waited
for that of `waiting`; what becomes of the chunks is the caller's.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from logtail.chunk import Chunk, Source, TailStats
from logtail.decoded import Opener
from logtail.discovery import Discovery
from logtail.follower import Follower, Step
from logtail.multiline import Multiline
from logtail.opened import Open, descriptors_to_use
from logtail.roll import Happening
from logtail.saving import Saver
from logtail.waiting import Waiting


class FollowSettings(TypedDict):
    """What may change while following."""

    include: Sequence[str]
    exclude: Sequence[str]
    max_line_bytes: int
    chunk_bytes: int
    multiline: Multiline | None
    delete_after_ack: bool


class Tail:
    """Hands out the lines of all matching files in chunks, each file front to back.

    `next` is called by one task at a time; the other methods may be called at any time from the same loop.
    """

    def __init__(
        self,
        *,
        include: Sequence[str],
        exclude: Sequence[str] = (),
        start_at: Literal["beginning", "end"] = "beginning",
        state_file: Path,
        max_line_bytes: int,
        chunk_bytes: int = 262144,
        multiline: Multiline | None = None,
        utf16: bool = False,
        delete_after_ack: bool = False,
        poll_interval: float = 0.25,
        autosave: bool = True,
        saved: Callable[[], None] = lambda: None,
        most_open: int | None = None,
        open_file: Open | None = None,
        log: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`autosave=False`: only `save` writes the checkpoint, for a caller whose `extra` must fit the offsets exactly.
        `utf16`: what has no byte order mark is UTF-16 too.
        At most `most_open` files are open at once, by default as many as the process's limit allows; `open_file` opens
        them in another way.
        `saved` is called after each try to write it, with or without success.

        `start_at` holds for the files found at the very first start, without a checkpoint; later ones begin at 0, and
        so do all files when the checkpoint cannot be used.
        """
        self._follower = Follower(
            Discovery(include, exclude),
            start_at=start_at,
            max_line_bytes=max_line_bytes,
            chunk_bytes=chunk_bytes,
            multiline=multiline,
            delete_after_ack=delete_after_ack,
            open_file=open_file or Opener(most_open or descriptors_to_use(), utf16=utf16).open,
            monotonic=monotonic,
            wall=wall,
        )
        self._autosave = autosave
        self._log = log
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tail")
        self._saver = Saver(state_file, self._follower, self._worker, saved=saved, log=log, monotonic=monotonic)
        self._waiting = Waiting(
            self._follower.directories, self._worker, poll_interval=poll_interval, monotonic=monotonic
        )
        self._job: asyncio.Future[Step] | None = None
        self._written: set[str] | None = None
        """The files that the job under way looks at, if not all."""
        self._untold: list[Happening] = []
        self._closed = False

    @property
    def extra(self) -> Mapping[str, object]:
        """What the caller last stored beside the offsets; after `start`, what was loaded."""
        return self._follower.extra

    @property
    def degraded(self) -> bool:
        """The checkpoint could not be written the last time it was tried."""
        return self._saver.degraded

    async def start(self) -> None:
        """Load the checkpoint and look for files once; OperatorError for a state directory that cannot be made."""
        loop = asyncio.get_running_loop()
        saved = await loop.run_in_executor(self._worker, self._saver.load)
        if (unusable := self._saver.unusable) is not None:
            moved_to = unusable.moved_to and str(unusable.moved_to)
            self._log.error("checkpoint_unusable", path=str(unusable.path), reason=unusable.why, moved_to=moved_to)
        if damaged := self._saver.damaged_changes:
            self._log.warning("checkpoint_changes_damaged", path=str(self._saver.path), records=damaged)
        found = await loop.run_in_executor(self._worker, self._follower.begin, saved)
        self._untold.extend(found)
        await self._waiting.watch()
        await self._saver.save()
        if self._autosave:
            self._saver.begin(self._waiting.wake)
        self._tell()

    async def next(self, max_bytes: int | None = None) -> Chunk | None:
        """The next chunk; waits for data. None only after `drain`, once everything is read. Cancelling loses nothing.

        `max_bytes` lowers the size of this chunk below `chunk_bytes`; a single longer line still comes whole.
        """
        while True:
            self._saver.check()
            if self._job is None:
                self._written = self._waiting.begin()
                self._job = asyncio.get_running_loop().run_in_executor(
                    self._worker, self._follower.step, max_bytes, self._written
                )
            # Shielded, so that a step under way when the caller is cancelled is kept for the next call.
            step = await asyncio.shield(self._job)
            self._job = None
            self._waiting.ended(step, self._written)
            await self._settle(step)
            if step.chunk is not None or step.done:
                return step.chunk
            if not step.save_first:
                await self._waiting.wait(step)

    async def look_until(self, event: asyncio.Event) -> None:
        """For a caller that has no room for a chunk now: keeps up with what happens to the files until `event` is set.

        Files that come and are rotated away meanwhile are met in time, and `stats` stays true.
        """
        while True:
            self._saver.check()
            try:
                async with asyncio.timeout(self._waiting.busy_s):
                    await event.wait()
                    return
            except TimeoutError:
                pass
            if self._job is None:
                step = await asyncio.get_running_loop().run_in_executor(self._worker, self._follower.look)
                self._waiting.ended(step, None)
                await self._settle(step)

    async def _settle(self, step: Step) -> None:
        """What a step found is remembered first and told then: a file that is said to be found is found again, under
        whatever name, after a crash at any moment."""
        self._untold += step.happenings
        if step.save_first:
            await self._waiting.watch()
            await self.save()
        self._tell()

    def ack(self, chunk: Chunk, extra: Mapping[str, object] | None = None) -> None:
        """The chunk is safe elsewhere. Any order; only the contiguous prefix of each file is committed.

        `extra`, when given, replaces what is stored in the same atomic file: no checkpoint has one without the other.
        """
        self.ack_bytes(chunk.source, chunk.start, chunk.end, extra)

    def ack_bytes(self, source: Source, start: int, end: int, extra: Mapping[str, object] | None = None) -> None:
        """`ack` for a caller that has let the chunk [start, end) itself go."""
        self._follower.ack(source, start, end, extra)
        self._saver.acked(end - start)

    @property
    def unsaved_bytes(self) -> int:
        """Acknowledged, but not in the checkpoint: a killed process hands them out again."""
        return self._saver.unsaved_bytes

    async def generations(self) -> set[str]:
        """Of all files followed or remembered now: any other is never handed out again."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._follower.generations)

    def hurry(self) -> None:
        """Save what is acknowledged now, instead of at the next beat."""
        self._saver.hurry()

    async def reload(self, **settings: Unpack[FollowSettings]) -> None:
        """Follow by these settings from now on. Positions stay; a file that matches no more is let go, and remembered
        in case it matches again."""
        loop = asyncio.get_running_loop()
        changed = await loop.run_in_executor(self._worker, partial(self._follower.reload, **settings))
        self._untold.extend(changed)
        self._tell()
        await self._waiting.watch()
        self._saver.changed()
        self._waiting.look_now()

    def drain(self, quiet: float) -> None:
        """From now on look again, read to the end, wait until all files were quiet for `quiet` seconds, then hand out
        a final chunk for each file (its unterminated last line, or nothing), then None."""
        self._follower.drain(quiet)
        self._waiting.drain()

    async def save(self, extra: Mapping[str, object] | None = None) -> bool:
        """Write the checkpoint now; False when it could not be written (then shipping goes on, and restarts repeat)."""
        if extra is not None:
            self._follower.extra = extra
        return await self._saver.save()

    def has_more(self, generation: str) -> bool:
        """Is there, as far as is known, something of this file that was not handed out yet?"""
        return self._follower.has_more(generation)

    def stats(self) -> TailStats:
        stats = self._follower.stats()
        of_checkpoint = {
            "checkpoint_write_failed": self._saver.failures,
            "checkpoint_unusable": int(self._saver.unusable is not None),
        }
        return replace(stats, errors=stats.errors | of_checkpoint, checkpoint_good=not self._saver.degraded)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for level, event, facts in untold:
            getattr(self._log, level)(event, **facts)

    async def close(self) -> None:
        """Saves a last time (where it saves by itself) and lets all files go. Safe after a failed start, and twice."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._end()
        finally:  # cancelled, too: a volume may hang, and a thread with it, for which nobody is to wait then
            self._waiting.close()
            self._worker.shutdown(wait=False)
            self._saver.close()

    async def _end(self) -> None:
        try:
            await self._saver.end()
        finally:
            self._tell()
        if under_way := [job for job in (self._job, *self._saver.under_way) if job is not None]:
            await asyncio.wait(under_way)
        await asyncio.get_running_loop().run_in_executor(self._worker, self._follower.close)
