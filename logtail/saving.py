"""Keeping the positions on the disk: soon after something was acknowledged, a few times a second at most.

What is written is the follower's, how it is written `checkpoint`'s; here is when, by which thread, and what becomes of
a disk that cannot take it: following goes on, and it is tried again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chassis.errors import OperatorError
from logtail import checkpoint
from logtail.follower import Follower

SAVE_SOON_S = 0.02
SAVE_EVERY_S = 0.25
SAVED_BYTES_PER_S = 1024 * 1024  # with thousands of files all of it is not written so often: changes go beside it
ROOM_FOR_CHANGES = 64 * 1024  # that much of older ones is left beside a newer checkpoint


def rest_after(written_bytes: int) -> float:
    """Seconds until as much may be written again, unless it is hurried."""
    return max(SAVE_EVERY_S, written_bytes / SAVED_BYTES_PER_S)


class Saver:
    """Of one tail. `worker` is the thread that reads, on which alone the follower may be asked.

    `saved` is called after each try to write, with or without success.
    """

    def __init__(
        self,
        path: Path,
        follower: Follower,
        worker: Executor,
        *,
        saved: Callable[[], None],
        log: Any,
        monotonic: Callable[[], float],
    ) -> None:
        self.path = path
        self._follower = follower
        self._worker = worker
        # A thread of its own, so that a slow fsync does not hold up reading.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._saved = saved
        self._log = log
        self._monotonic = monotonic
        self._dirty = asyncio.Event()
        self._hurry = asyncio.Event()
        self._lock = asyncio.Lock()
        self._by_itself: asyncio.Task[None] | None = None
        self.under_way: set[asyncio.Task[bool]] = set()
        self._whole_at = float("-inf")
        self._whole_bytes = self._changed_bytes = 0  # of the last one of each kind
        self._beside_bytes = 0  # of all records of changes that lie there
        self._anew = True  # what lies there belongs to checkpoints before, or may be cut short
        self._acked_bytes = 0
        self._saved_bytes = 0
        self.degraded = False
        """It could not be written the last time it was tried."""
        self.failures = 0
        self.unusable: checkpoint.CheckpointUnusable | None = None
        self.damaged_changes = 0

    @property
    def unsaved_bytes(self) -> int:
        return self._acked_bytes - self._saved_bytes

    def load(self) -> checkpoint.Checkpoint | None:
        """What was saved, None at the very first start. Blocks. OperatorError for a directory that cannot be made."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError("state_dir", f"cannot make {self.path.parent}: {error.strerror}") from error
        try:
            saved = checkpoint.load(self.path)
            self.damaged_changes = checkpoint.damaged_changes(self.path)
            return saved
        except checkpoint.CheckpointUnusable as error:
            self.unusable = error
            # Not the first start: where it left the files is not known, so rather all of them again than a part never.
            return checkpoint.Checkpoint()

    def begin(self, ended: Callable[[], None]) -> None:
        """Save by itself from now on; `ended` is called when that ends, as by a bug that `check` raises."""
        self._by_itself = asyncio.create_task(self._save_when_dirty(self.path), name="checkpoint")
        self._by_itself.add_done_callback(lambda _: ended())

    def acked(self, size: int) -> None:
        self._acked_bytes += size
        self._dirty.set()

    def changed(self) -> None:
        self._dirty.set()

    def hurry(self) -> None:
        self._hurry.set()

    def check(self) -> None:
        """A bug in saving must not end it in silence: it is raised where the caller waits for data."""
        if self._by_itself is not None and self._by_itself.done() and not self._by_itself.cancelled():
            self._by_itself.result()

    async def save(self) -> bool:
        """Write all of it now; False when it could not be written."""
        # Shielded, so that what is said of a write under way when the caller is cancelled is what became of it.
        saving = asyncio.create_task(self._save_all(self.path), name="checkpoint")
        self.under_way.add(saving)
        saving.add_done_callback(self.under_way.discard)
        return await asyncio.shield(saving)

    async def end(self) -> None:
        """Saves a last time, where it saves by itself."""
        if self._by_itself is not None:
            self._by_itself.cancel()
            await asyncio.wait((self._by_itself,))
            await self.save()

    def close(self) -> None:
        self._writer.shutdown(wait=False)

    async def _save_all(self, path: Path) -> bool:
        async with self._lock:
            return await self._write_all(path)

    async def _write_all(self, path: Path) -> bool:
        loop = asyncio.get_running_loop()
        self._dirty.clear()
        self._whole_at = self._monotonic()
        acked_bytes = self._acked_bytes
        raw = await loop.run_in_executor(self._worker, self._follower.snapshot)
        try:
            if raw is not None:
                self._whole_bytes = len(raw)
                await loop.run_in_executor(self._writer, checkpoint.write, path, raw)
                self._follower.written()
                self._anew = self._anew or self._beside_bytes >= ROOM_FOR_CHANGES
        except OSError as error:
            self._failed(path, error)
            return False
        self._succeeded(path, acked_bytes)
        return True

    async def _save_changes(self, path: Path) -> None:
        """The quick form of `save`, for what was acknowledged since: kept when the process is killed."""
        async with self._lock:
            if self.degraded:  # maybe just now: changes count on top of a checkpoint that is on the disk only
                await self._write_all(path)
                return
            acked_bytes = self._acked_bytes
            try:  # on the reading thread: without fsync it takes less time than to hand it to another
                loop = asyncio.get_running_loop()
                written = await loop.run_in_executor(self._worker, self._write_changes, path)
            except OSError as error:
                self._anew = True
                self._failed(path, error)
                return
            if written:
                self._succeeded(path, acked_bytes)
            else:
                await self._write_all(path)

    def _write_changes(self, path: Path) -> bool:
        raw = self._follower.changes()
        if raw:
            checkpoint.write_changes(path, raw, anew=self._anew)
            self._changed_bytes = len(raw)
            self._beside_bytes = len(raw) + (0 if self._anew else self._beside_bytes)
            self._anew = False
        return raw is not None

    def _succeeded(self, path: Path, acked_bytes: int) -> None:
        self._saved_bytes = acked_bytes
        if self.degraded:
            self.degraded = False
            self._log.info("checkpoint_written_again", path=str(path))
        self._saved()

    def _failed(self, path: Path, error: OSError) -> None:
        self._saved()
        self.failures += 1
        self._dirty.set()
        if not self.degraded:
            self.degraded = True
            self._log.error("checkpoint_write_failed", path=str(path), reason=error.strerror or str(error))

    async def _save_when_dirty(self, path: Path) -> None:
        saved_at = float("-inf")
        while True:
            await self._dirty.wait()
            # Soon after a pause, since what is acknowledged but not saved is repeated after a crash; else by the beat.
            wait_s = max(SAVE_SOON_S, saved_at + rest_after(self._changed_bytes) - self._monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            hurried = self._hurry.is_set()
            self._hurry.clear()
            now = self._monotonic()
            if self.degraded or now - self._whole_at >= rest_after(self._whole_bytes):
                saved_at = now
                await self.save()
            else:
                saved_at = saved_at if hurried else now
                if self.unsaved_bytes:  # it stays dirty until all is written
                    await self._save_changes(path)
