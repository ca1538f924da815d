"""The loop that follows files: calls the follower on a thread of its own, waits between looks, saves the checkpoint.

What is found, read and recognised is the follower's matter; what becomes of the chunks is the caller's.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from chassis.errors import OperatorError
from logtail import checkpoint
from logtail.chunk import Chunk, Source, TailStats
from logtail.decoded import Opener
from logtail.discovery import Discovery
from logtail.follower import Follower, Step
from logtail.hints import Hints
from logtail.multiline import Multiline
from logtail.opened import Open
from logtail.roll import Happening

HINTED_POLL_S = 1.0  # polling behind working hints only catches what they miss (remote writers, linked directories)
SETTLE_S = 0.01  # a writer that writes line by line is looked at 100 times a second, not at every line
LOOK_SHARE = 20  # and a look that takes long is made seldom: at most 1/20 of the time is spent on looking
DRAIN_POLL_S = 0.02
MOST_OPEN = 512  # of the 1,024 descriptors that a container commonly has
SAVE_SOON_S = 0.02
SAVE_EVERY_S = 0.25


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
        state_file: Path | None,
        max_line_bytes: int,
        chunk_bytes: int = 262144,
        multiline: Multiline | None = None,
        utf16: bool = False,
        delete_after_ack: bool = False,
        poll_interval: float = 0.25,
        autosave: bool = True,
        saved: Callable[[], None] = lambda: None,
        most_open: int = MOST_OPEN,
        open_file: Open | None = None,
        log: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`autosave=False`: only `save` writes the checkpoint, for a caller whose `extra` must fit the offsets exactly.
        `utf16`: what has no byte order mark is UTF-16 too.
        At most `most_open` files are open at once; `open_file` opens them in another way.
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
            open_file=open_file or Opener(most_open, utf16=utf16).open,
            monotonic=monotonic,
            wall=wall,
        )
        self._state_file = state_file
        self._poll_interval = poll_interval
        self._autosave = autosave
        self._log = log
        self._monotonic = monotonic
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tail")
        # A thread of its own, so that a slow fsync does not hold up reading.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._job: asyncio.Future[Step] | None = None
        self._awake = asyncio.Event()
        self._hints = Hints(self._awake.set)
        self._hinted = False
        self._draining = False
        self._dirty = asyncio.Event()
        self._saver: asyncio.Task[None] | None = None
        self._save_lock = asyncio.Lock()
        self._saving: set[asyncio.Task[bool]] = set()
        self._acked_bytes = 0
        self._saved_bytes = 0
        self._hurry = asyncio.Event()
        self._saved = saved
        self._degraded = False
        self._save_failures = 0
        self._unusable = 0
        self._look_s = 0.0
        self._untold: list[Happening] = []
        self._closed = False

    @property
    def extra(self) -> Mapping[str, object]:
        """What the caller last stored beside the offsets; after `start`, what was loaded."""
        return self._follower.extra

    @property
    def degraded(self) -> bool:
        """The checkpoint could not be written the last time it was tried."""
        return self._degraded

    async def start(self) -> None:
        """Load the checkpoint and look for files once; OperatorError for a state directory that cannot be made."""
        loop = asyncio.get_running_loop()
        saved = await loop.run_in_executor(self._worker, self._load)
        found = await loop.run_in_executor(self._worker, self._follower.begin, saved)
        self._untold.extend(found)
        self._hinted = self._hints.open()
        await self._watch()
        if self._state_file is not None:
            await self.save()
            if self._autosave:
                self._saver = asyncio.create_task(self._save_when_dirty(), name="checkpoint")
                self._saver.add_done_callback(lambda _: self._awake.set())
        self._tell()

    def _load(self) -> checkpoint.Checkpoint | None:
        if self._state_file is None:
            return None
        try:
            self._state_file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError("state_dir", f"cannot make {self._state_file.parent}: {error.strerror}") from error
        try:
            return checkpoint.load(self._state_file)
        except checkpoint.CheckpointUnusable as error:
            self._unusable += 1
            self._untold.append(("error", "checkpoint_unusable", {
                "path": str(error.path), "reason": error.why, "moved_to": error.moved_to and str(error.moved_to),
            }))  # fmt: skip
            # Not the first start: where it left the files is not known, so rather all of them again than a part never.
            return checkpoint.Checkpoint()

    async def next(self, max_bytes: int | None = None) -> Chunk | None:
        """The next chunk; waits for data. None only after `drain`, once everything is read. Cancelling loses nothing.

        `max_bytes` lowers the size of this chunk below `chunk_bytes`; a single longer line still comes whole.
        """
        while True:
            self._raise_what_ended_saving()
            if self._job is None:
                self._awake.clear()
                self._job = asyncio.get_running_loop().run_in_executor(self._worker, self._follower.step, max_bytes)
            began = self._monotonic()
            # Shielded, so that a step under way when the caller is cancelled is kept for the next call.
            step = await asyncio.shield(self._job)
            self._job = None
            await self._settle(step)
            if step.chunk is not None or step.done:
                return step.chunk
            if not step.save_first:
                self._look_s = self._monotonic() - began
                await self._wait(soon=step.soon)

    async def look_until(self, event: asyncio.Event) -> None:
        """For a caller that has no room for a chunk now: keeps up with what happens to the files until `event` is set.

        Files that come and are rotated away meanwhile are met in time, and `stats` stays true.
        """
        while True:
            self._raise_what_ended_saving()
            wait_s = max(self._poll_interval, LOOK_SHARE * self._look_s)
            try:
                async with asyncio.timeout(wait_s):
                    await event.wait()
                    return
            except TimeoutError:
                pass
            if self._job is None:
                began = self._monotonic()
                step = await asyncio.get_running_loop().run_in_executor(self._worker, self._follower.look)
                self._look_s = self._monotonic() - began
                await self._settle(step)

    async def _settle(self, step: Step) -> None:
        """What a step found is remembered first and told then: a file that is said to be found is found again, under
        whatever name, after a crash at any moment."""
        self._untold += step.happenings
        if step.save_first:
            await self._watch()
            await self.save()
        self._tell()

    async def _wait(self, *, soon: bool) -> None:
        """Until a hint comes or it is time to look again."""
        if soon or self._draining:
            await asyncio.sleep(DRAIN_POLL_S)
            return
        await asyncio.sleep(max(SETTLE_S, LOOK_SHARE * min(self._look_s, self._poll_interval)))
        self._hints.arm()
        try:
            async with asyncio.timeout(HINTED_POLL_S if self._hinted else self._poll_interval):
                await self._awake.wait()
        except TimeoutError:
            await self._watch()

    async def _watch(self) -> None:
        if self._hinted:
            self._hinted = await asyncio.get_running_loop().run_in_executor(self._worker, self._watch_directories)

    def _watch_directories(self) -> bool:
        return self._hints.watch(self._follower.directories())

    def ack(self, chunk: Chunk, extra: Mapping[str, object] | None = None) -> None:
        """The chunk is safe elsewhere. Any order; only the contiguous prefix of each file is committed.

        `extra`, when given, replaces what is stored in the same atomic file: no checkpoint has one without the other.
        """
        self.ack_bytes(chunk.source, chunk.start, chunk.end, extra)

    def ack_bytes(self, source: Source, start: int, end: int, extra: Mapping[str, object] | None = None) -> None:
        """`ack` for a caller that has let the chunk [start, end) itself go."""
        self._follower.ack(source, start, end, extra)
        self._acked_bytes += end - start
        self._dirty.set()

    @property
    def unsaved_bytes(self) -> int:
        """Acknowledged, but not in the checkpoint: a killed process hands them out again."""
        return self._acked_bytes - self._saved_bytes

    async def generations(self) -> set[str]:
        """Of all files followed or remembered now: any other is never handed out again."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._follower.generations)

    def hurry(self) -> None:
        """Save what is acknowledged now, instead of at the next beat."""
        self._hurry.set()

    async def reload(self, **settings: Unpack[FollowSettings]) -> None:
        """Follow by these settings from now on. Positions stay; a file that matches no more is let go, and remembered
        in case it matches again."""
        loop = asyncio.get_running_loop()
        changed = await loop.run_in_executor(self._worker, partial(self._follower.reload, **settings))
        self._untold.extend(changed)
        self._tell()
        await self._watch()
        self._dirty.set()
        self._awake.set()

    def drain(self, quiet: float) -> None:
        """From now on look again, read to the end, wait until all files were quiet for `quiet` seconds, then hand out
        a final chunk for each file (its unterminated last line, or nothing), then None."""
        self._draining = True
        self._follower.drain(quiet)
        self._awake.set()

    async def save(self, extra: Mapping[str, object] | None = None) -> bool:
        """Write the checkpoint now; False when it could not be written (then shipping goes on, and restarts repeat)."""
        if extra is not None:
            self._follower.extra = extra
        if self._state_file is None:
            return True
        # Shielded, so that what is said of a write under way when the caller is cancelled is what became of it.
        saving = asyncio.create_task(self._save_all(self._state_file), name="checkpoint")
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)
        return await asyncio.shield(saving)

    async def _save_all(self, path: Path) -> bool:
        loop = asyncio.get_running_loop()
        async with self._save_lock:
            self._dirty.clear()
            acked_bytes = self._acked_bytes
            raw = await loop.run_in_executor(self._worker, self._follower.snapshot)
            try:
                if raw is not None:
                    await loop.run_in_executor(self._writer, checkpoint.write, path, raw)
                    self._follower.written()
            except OSError as error:
                self._save_failed(error)
                return False
            self._save_succeeded(acked_bytes)
            return True

    async def _save_changes(self) -> None:
        """The quick form of `save`, for what was acknowledged since: kept when the process is killed."""
        assert self._state_file is not None
        loop = asyncio.get_running_loop()
        async with self._save_lock:
            acked_bytes = self._acked_bytes
            try:  # on the reading thread: without fsync it takes less time than to hand it to another
                await loop.run_in_executor(self._worker, self._write_changes, self._state_file)
            except OSError as error:
                self._save_failed(error)
            else:
                self._save_succeeded(acked_bytes)

    def _write_changes(self, path: Path) -> None:
        checkpoint.write_changes(path, self._follower.changes())

    def _save_succeeded(self, acked_bytes: int) -> None:
        self._saved_bytes = acked_bytes
        if self._degraded:
            self._degraded = False
            self._log.info("checkpoint_written_again", path=str(self._state_file))
        self._saved()

    def _save_failed(self, error: OSError) -> None:
        self._saved()
        self._save_failures += 1
        self._dirty.set()
        if not self._degraded:
            self._degraded = True
            self._log.error("checkpoint_write_failed", path=str(self._state_file), reason=error.strerror or str(error))

    async def _save_when_dirty(self) -> None:
        saved_at = float("-inf")
        while True:
            await self._dirty.wait()
            # Soon after a pause, since what is acknowledged but not saved is repeated after a crash; else by the beat.
            wait_s = max(SAVE_SOON_S, saved_at + SAVE_EVERY_S - self._monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            if self._monotonic() - saved_at < SAVE_EVERY_S and not self._degraded:
                await self._save_changes()
            else:
                saved_at = self._monotonic()
                await self.save()

    def _raise_what_ended_saving(self) -> None:
        """A bug in saving must not end it in silence: it is raised where the caller waits for data."""
        if self._saver is not None and self._saver.done() and not self._saver.cancelled():
            self._saver.result()

    def stats(self) -> TailStats:
        stats = self._follower.stats()
        stats.errors["checkpoint_write_failed"] = self._save_failures
        stats.errors["checkpoint_unusable"] = self._unusable
        return stats

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
            if self._saver is not None:
                self._saver.cancel()
                await asyncio.wait((self._saver,))
                await self.save()
        finally:
            self._tell()
            if under_way := [job for job in (self._job, *self._saving) if job is not None]:
                await asyncio.wait(under_way)
            self._hints.close()
            await asyncio.get_running_loop().run_in_executor(self._worker, self._follower.close)
            self._worker.shutdown(wait=False)
            self._writer.shutdown(wait=False)
