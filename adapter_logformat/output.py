"""The output file: appended, rotated by size, and after any kind of death cut back to what the checkpoint knows.

Blocking calls; the adapter runs them on one thread. When to write, and what is saved with the place, is the
adapter's matter.
"""

import fcntl
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from chassis.errors import OperatorError

TAIL_BYTES: Final = 1024
"""So many bytes before a saved length prove, with the inode, that a file is the one we wrote."""


class Place(msgspec.Struct, frozen=True):
    """Where the output stood when the checkpoint was saved."""

    inode: int
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class Found:
    """What `open` came upon, for the log: an event and its facts."""

    event: str
    facts: dict[str, object]


class Output:
    """One file and its rotated predecessors. `length` is what was written and can be saved."""

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self.length = 0
        self.rotations = 0
        self.errors = 0
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor = -1
        self._rest = memoryview(b"")

    def open(self, saved: Place | None) -> list[Found]:
        """Opens or makes the file. `saved`: anything our file holds beyond that place was never acknowledged, and goes.

        Only a regular file that is known by inode and content as the one we wrote is ever shortened."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise OperatorError("output.to", f"cannot write {self._path}: {error.strerror}") from error
        found = self._take_back(saved)
        self._end_line()
        return found

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o644)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OperatorError("output.to", f"{self._path} is no regular file")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OperatorError("output.to", f"another process writes {self._path}") from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self.length = descriptor, status.st_size

    def _take_back(self, saved: Place | None) -> list[Found]:
        if saved is None:
            return []
        if os.fstat(self._descriptor).st_ino == saved.inode:
            if self.length < saved.length:
                return [Found("output_shorter_than_saved", {"length": self.length, "saved": saved.length})]
            if _digest(self._descriptor, saved.length) == saved.digest:
                extra = self.length - saved.length
                if extra:
                    os.ftruncate(self._descriptor, saved.length)
                    self.length = saved.length
                    return [Found("output_taken_back", {"bytes": extra, "length": saved.length})]
                return []
        elif any(self._is_at(self._rotated(number), saved.inode) for number in range(1, self._keep + 1)):
            return []  # rotated, and died before the new place was saved: nothing had been written to the new file
        return [Found("output_is_another_file", {"path": str(self._path)})]

    def _is_at(self, path: Path, inode: int) -> bool:
        try:
            return path.stat().st_ino == inode
        except OSError:
            return False

    def _end_line(self) -> None:
        """Someone else's last line without an end must not swallow our first record."""
        if self.length and os.pread(self._descriptor, 1, self.length - 1) != b"\n":
            self.append(b"\n")

    def is_full_for(self, size: int) -> bool:
        """Would `size` more bytes make the file grow beyond its limit?"""
        return self.length > 0 and self.length + size > self._max_bytes

    def append(self, records: bytes) -> None:
        """Writes all of `records`, or raises OSError with the rest kept for `resume`."""
        self._rest = memoryview(records)
        self.resume()

    def resume(self) -> None:
        """Writes what is still left of the last `append`. Partly written records are completed, never repeated."""
        try:
            while self._rest:
                done = os.write(self._descriptor, self._rest)
                self.length += done
                self._rest = self._rest[done:]
        except OSError:
            self.errors += 1
            raise

    def sync(self) -> Place:
        """Everything written is on the disk; the place to save."""
        os.fsync(self._descriptor)
        return Place(os.fstat(self._descriptor).st_ino, self.length, _digest(self._descriptor, self.length))

    def was_moved(self) -> bool:
        """Did somebody take the file away from its path?"""
        return not self._is_at(self._path, os.fstat(self._descriptor).st_ino)

    def rotate(self) -> None:
        """The file becomes `.1`, older ones move up, the oldest goes. Save the place before and after, and
        write nothing between."""
        for number in range(self._keep, 0, -1):
            source = self._rotated(number - 1) if number > 1 else self._path
            if source.exists():
                source.replace(self._rotated(number))
        self.reopen()
        self.rotations += 1
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def reopen(self) -> None:
        """Goes on in the file that is now at the path, made if there is none."""
        before = self._descriptor
        self._open()
        os.close(before)

    def _rotated(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def close(self) -> None:
        """Safe to call twice, and when `open` failed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _digest(descriptor: int, length: int) -> str:
    begin = max(0, length - TAIL_BYTES)
    return hashlib.blake2b(os.pread(descriptor, length - begin, begin), digest_size=16).hexdigest()
