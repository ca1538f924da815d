"""A hint to look sooner: inotify on the directories concerned. Polling stays the truth; all works without it too.

Of the events it is kept which files were written to, and that anything else happened. So that a busy writer costs
little, nobody is woken until the hint is armed again, and no more than so many events are looked at one by one.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_EVENT = struct.Struct("iIII")  # inotify(7): the watch, the mask, a cookie, the length of the name that follows
_IN_MODIFY, _IN_ISDIR, _IN_Q_OVERFLOW, _IN_IGNORED = 0x2, 0x40000000, 0x4000, 0x8000
_OF_DIRECTORIES = _IN_ISDIR | _IN_Q_OVERFLOW | _IN_IGNORED
MOST_EVENTS = 4096
"""For each time of hearing; it takes about two milliseconds. Of more it is only kept that there were some."""
_MOST_READ = 65536


class Hints:
    """`wake` is called from the loop, at most once per `arm`. `watch` looks at directories, which may block: it is for
    the thread that reads files, one call at a time; all else is for the loop. To be closed after its last `watch`.

    What was heard stays until whoever acts on it takes it back.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._inotify: Any = None
        self._mask: Any = None
        self._watches: dict[str, tuple[tuple[int, int], Any]] = {}
        self._directories: dict[int, tuple[str, ...]] = {}
        """The names by the number of their watch: it is one for all names of a directory, and never given again."""
        self._dead: set[int] = set()
        """Numbers of watches that the kernel has ended, or may have: what has their names now is watched anew."""
        self.armed = False
        self.written: set[str] = set()
        """Paths of files that were written to."""
        self.else_happened = False
        """Something that `written` does not say."""
        self.directories_changed = False
        """One came or went since `watch`, so that there may be another one to watch."""

    def _open(self) -> None:
        """OSError when the kernel or its limits do not allow it."""
        # Imported here: a tail without hints has no use for it, and it costs start-up time.
        from asyncinotify import Inotify, Mask

        self._mask = Mask.MODIFY | Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.ATTRIB
        self._inotify = Inotify()
        os.set_blocking(self._inotify.fd, False)  # it is not, whatever it promises: a read too many would never end

    def watch(self, directories: Iterable[str]) -> bool:
        """Watch these directories and no others; False when one of them cannot be watched now.

        Where one is new something `else_happened`: nobody was told of what was written to it until now.
        """
        self.directories_changed = False
        dead = self._dead.copy()  # the loop may hear of more meanwhile
        if self._inotify is None:
            try:
                self._open()
            except OSError:
                return False
        wanted: dict[str, tuple[int, int]] = {}
        for directory in directories:
            try:
                status = os.stat(directory)
            except OSError:
                continue  # not there yet
            wanted[directory] = (status.st_dev, status.st_ino)
        for directory, (key, watch) in list(self._watches.items()):
            if wanted.get(directory) != key or watch.wd in dead:
                self._unwatch(directory)
        self._dead -= dead
        complete = True
        for directory, key in wanted.items():
            if directory not in self._watches:
                try:
                    watch = self._inotify.add_watch(directory, self._mask)
                except OSError:
                    complete = False
                    continue
                self._watches[directory] = (key, watch)
                self._directories[watch.wd] = (*self._directories.get(watch.wd, ()), directory)
                self.else_happened = True
        return complete

    def _unwatch(self, directory: str) -> None:
        _, watch = self._watches.pop(directory)
        others = tuple(each for each in self._directories[watch.wd] if each != directory)
        if others:
            self._directories[watch.wd] = others
            return
        del self._directories[watch.wd]
        with contextlib.suppress(OSError):  # the directory may be gone, and its watch with it
            self._inotify.rm_watch(watch)

    def arm(self) -> None:
        """Wake at the next event, or at once when there was one that was not heard yet."""
        if not self.armed and self._inotify is not None:
            self.armed = True
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._happened)

    def _disarm(self) -> None:
        if self.armed:
            self.armed = False
            asyncio.get_running_loop().remove_reader(self._inotify.fd)

    def _happened(self) -> None:
        self._disarm()
        self.hear()
        self._wake()

    def hear(self) -> None:
        """Take in what was told until now, without waiting."""
        if self._inotify is None:
            return
        left = MOST_EVENTS
        with contextlib.suppress(BlockingIOError):
            while True:
                events = os.read(self._inotify.fd, _MOST_READ)
                left -= self._take_in(events, left)
                if len(events) <= _MOST_READ // 2:
                    break

    def _take_in(self, events: bytes, most: int) -> int:
        """How many were looked at one by one, `most` of them; of the others only directories are of interest."""
        at = count = 0
        while at < len(events) and count < most:
            count += 1
            number, mask, _, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            directories = self._directories.get(number)
            if mask == _IN_MODIFY and length and directories is not None:
                name = os.fsdecode(events[at - length : at].rstrip(b"\0"))
                self.written.update(f"{each.rstrip('/')}/{name}" for each in directories)
            else:
                self._take_note(number, mask)
        if at < len(events):
            self.else_happened = True
            for number, mask in _of_directories(events[at:]):
                self._take_note(number, mask)
        return count

    def _take_note(self, number: int, mask: int) -> None:
        """Of an event that is no write to a file."""
        if mask & _IN_IGNORED:
            if number not in self._directories:
                return  # it was ended by `watch`
            self._dead.add(number)
        elif mask & _IN_Q_OVERFLOW:
            self._dead.update(list(self._directories))
        self.else_happened = True
        self.directories_changed |= mask & _OF_DIRECTORIES != 0

    def forget(self) -> None:
        """A look is about to be made, and will show all that was heard until now."""
        self.written.clear()
        self.else_happened = False

    def close(self) -> None:
        if self._inotify is not None:
            self._disarm()
            self._inotify.close()
            self._inotify = None


def _of_directories(events: bytes) -> Iterator[tuple[int, int]]:
    """Number and mask of those that are about a directory, or tell that some are missing."""
    # In the masks, and rarely elsewhere: most events are not looked at one by one.
    if b"\x40" not in events and b"\x80" not in events:
        return
    at = 0
    while at + _EVENT.size <= len(events):
        number, mask, _, length = _EVENT.unpack_from(events, at)
        if mask & _OF_DIRECTORIES:
            yield number, mask
        at += _EVENT.size + length
