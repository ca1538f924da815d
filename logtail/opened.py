"""The seam to open files: read at an offset, look at the condition, close. Tests put another one in its place.

A plain file's descriptor may be taken back when there are too many; it is then opened again by its path, and must lead
to the same device and inode. What stands in compressed or UTF-16 files `decoded` makes readable in the same terms.
"""

import errno
import os
import resource
import stat
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

# O_NONBLOCK: a FIFO put in place of the file between two looks must not block the thread.
MOST_OPEN = 16_384  # each open file keeps about 2 KiB in the kernel
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class NotRegular(OSError):
    """What the name leads to is no regular file."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an open file is like now; `linked`: some name leads to it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    linked: bool


class Opened(Protocol):
    """Offsets and lengths are in bytes of content: what is handed out, after any decoding."""

    path: str
    """Where it was last seen; kept up to date by the follower."""
    compressed: bool

    @property
    def damaged(self) -> bool:
        """Seen so far; what came before the damage can be read, and nothing will ever follow it."""

    kept: bool
    """Its descriptor is all there is, so it must not be taken back."""

    def pread(self, length: int, offset: int) -> bytes: ...
    def read_into(self, view: memoryview, offset: int) -> int: ...
    def look(self) -> Condition: ...

    def extent(self, size: int) -> int:
        """The content's length when the file has `size` bytes; an estimate where not all of it is decoded."""

    def close(self) -> None: ...


Open = Callable[[str], Opened]


class Plain:
    """A file whose content is its bytes."""

    __slots__ = ("_descriptor", "_descriptors", "_key", "kept", "path")
    compressed = False
    damaged = False

    def __init__(self, path: str, descriptor: int, key: tuple[int, int], descriptors: "Descriptors") -> None:
        self.path = path
        self.kept = False
        self._key = key
        self._descriptor: int | None = descriptor
        self._descriptors = descriptors

    def pread(self, length: int, offset: int) -> bytes:
        return os.pread(self._open(), length, offset)

    def read_into(self, view: memoryview, offset: int) -> int:
        return os.preadv(self._open(), [view], offset)

    def look(self) -> Condition:
        status = os.fstat(self._open())
        return Condition(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_nlink > 0)

    def extent(self, size: int) -> int:
        return size

    def close(self) -> None:
        self._descriptors.drop(self)
        self.take_back()

    def take_back(self) -> None:
        """Close the descriptor; the next use opens the file again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        descriptor = self._descriptor
        if descriptor is None:
            descriptor, key = _open_regular(self.path)
            if key != self._key:
                os.close(descriptor)
                raise OSError(errno.ESTALE, "another file has its name now")
            self._descriptor = descriptor
        self._descriptors.used(self)
        return descriptor


def descriptors_to_use() -> int:
    """Half of the descriptors that this process may have: enough is left for connections, and for the directories."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_OPEN if limit == resource.RLIM_INFINITY else max(1, min(limit // 2, MOST_OPEN))


class Descriptors:
    """At most `most` plain files are open at once, not counting those that must be kept; the longest unused goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: OrderedDict[Plain, None] = OrderedDict()

    def open(self, path: str) -> Opened:
        """The regular file at `path`; OSError otherwise."""
        descriptor, key = _open_regular(path)
        plain = Plain(path, descriptor, key, self)
        self.used(plain)
        return plain

    def used(self, plain: Plain) -> None:
        self._open[plain] = None
        self._open.move_to_end(plain)
        if len(self._open) > self._most:
            for each in self._open:
                if not each.kept and each is not plain:
                    del self._open[each]
                    each.take_back()
                    return

    def drop(self, plain: Plain) -> None:
        self._open.pop(plain, None)


def _open_regular(path: str) -> tuple[int, tuple[int, int]]:
    descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotRegular(f"{path} is no regular file")
    return descriptor, (status.st_dev, status.st_ino)


def remove(path: str, key: tuple[int, int]) -> bool:
    """Delete the file at `path`, if it is the one with this device and inode; False when it is not, or cannot be."""
    try:
        status = os.stat(path, follow_symlinks=False)
        if (status.st_dev, status.st_ino) != key:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True
