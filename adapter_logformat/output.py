"""The output file: appended, and rotated by size.

A whole line that is in it stays as it is, whatever happens: somebody may have followed the file and shipped it. Only
a last line that a kill left without its end is cut off. Blocking calls; the adapter runs them on one thread. When to
write, and which records after a kill, is the adapter's matter.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from chassis.errors import OperatorError

TAIL_BYTES: Final = 1024
"""So many bytes before a saved length prove, with the inode, that a file is the one we wrote."""
PIECE_BYTES: Final = 64 * 1024
MOST_AT_ONCE: Final = 512
"""Pieces in one write; the system's limit (IOV_MAX) is 1,024."""


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
        self.known = False
        self.rotations = 0
        self.errors = 0
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor = -1
        self._rest: list[memoryview] = []

    def open(self, saved: Place | None) -> list[Found]:
        """Opens or makes the file. Only where it is known by inode and content as the one we wrote is a last line
        without an end cut off, and `known` says so; somebody else's is ended instead."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise OperatorError("output.to", f"cannot write {self._path}: {error.strerror}") from error
        found = self._recognise(saved)
        if self.known and saved is not None:
            found += self._cut_torn_line(saved.length)
        elif self.length and os.pread(self._descriptor, 1, self.length - 1) != b"\n":
            self.append([b"\n"])
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

    def _recognise(self, saved: Place | None) -> list[Found]:
        self.known = False
        if saved is None:
            return []
        if os.fstat(self._descriptor).st_ino == saved.inode:
            if self.length < saved.length:
                return [Found("output_shorter_than_saved", {"length": self.length, "saved": saved.length})]
            self.known = _digest(self._descriptor, saved.length) == saved.digest
        elif any(self._is_at(self._rotated(number), saved.inode) for number in range(1, self._keep + 1)):
            return []  # rotated, and died before the new place was saved: nothing had been written to the new file
        return [] if self.known else [Found("output_is_another_file", {"path": str(self._path)})]

    def _cut_torn_line(self, begin: int) -> list[Found]:
        """`begin`: where the checkpoint left off, at the end of a line."""
        end = size = self.length
        while end > begin:
            piece = max(begin, end - PIECE_BYTES)
            newline = os.pread(self._descriptor, end - piece, piece).rfind(b"\n")
            if newline >= 0:
                begin = piece + newline + 1
                break
            end = piece
        if begin == size:
            return []
        os.ftruncate(self._descriptor, begin)
        self.length = begin
        return [Found("torn_line_cut", {"bytes": size - begin, "length": begin})]

    def records_in(self, begin: int, end: int) -> int:
        """How many lines end within these bytes."""
        count = 0
        for at in range(begin, end, PIECE_BYTES):
            count += os.pread(self._descriptor, min(PIECE_BYTES, end - at), at).count(b"\n")
        return count

    def _is_at(self, path: Path, inode: int) -> bool:
        try:
            return path.stat().st_ino == inode
        except OSError:
            return False

    def is_full_for(self, size: int) -> bool:
        """Would `size` more bytes make the file grow beyond its limit?"""
        return self.length > 0 and self.length + size > self._max_bytes

    def append(self, records: Sequence[bytes]) -> None:
        """Writes all of `records`, or raises OSError with the rest kept for `resume`."""
        self._rest = [memoryview(piece) for piece in records]
        self.resume()

    def resume(self) -> None:
        """Writes what is still left of the last `append`. Partly written records are completed, never repeated."""
        try:
            while self._rest:
                done = os.writev(self._descriptor, self._rest[:MOST_AT_ONCE])
                self.length += done
                while self._rest and done >= len(self._rest[0]):
                    done -= len(self._rest.pop(0))
                if done:
                    self._rest[0] = self._rest[0][done:]
        except OSError:
            self.errors += 1
            raise

    def sync(self) -> Place:
        """Everything written is on the disk; the place to save."""
        os.fsync(self._descriptor)
        # Somebody who truncated it (logrotate's copytruncate) has taken the bytes before away.
        self.length = min(self.length, os.fstat(self._descriptor).st_size)
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
