"""A hint to look sooner: inotify on the directories concerned. Polling stays the truth; all works without it too.

The events' content is thrown away all but unread, so a busy writer costs nothing: after one wake-up nothing is listened
to until the hint is armed again.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Iterable
from typing import Any

_EVENT = struct.Struct("iIII")  # inotify(7): the watch, the mask, a cookie, the length of the name that follows
_IN_ISDIR, _IN_Q_OVERFLOW = 0x40000000, 0x4000


class Hints:
    """`wake` is called from the loop, at most once per `arm`. `watch` looks at directories, which may block: it is for
    the thread that reads files, one call at a time; all else is for the loop. To be closed after its last `watch`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._inotify: Any = None
        self._mask: Any = None
        self._watches: dict[str, tuple[tuple[int, int], Any]] = {}
        self._armed = False
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
        """Watch these directories and no others; False when one of them cannot be watched now."""
        self.directories_changed = False
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
            if wanted.get(directory) != key:
                del self._watches[directory]
                with contextlib.suppress(OSError):  # the directory may be gone, and its watch with it
                    self._inotify.rm_watch(watch)
        complete = True
        for directory, key in wanted.items():
            if directory not in self._watches:
                try:
                    self._watches[directory] = (key, self._inotify.add_watch(directory, self._mask))
                except OSError:
                    complete = False
        return complete

    def arm(self) -> None:
        """Wake at the next event, or at once when there was one since the last wake-up."""
        if not self._armed and self._inotify is not None:
            self._armed = True
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._happened)

    def _disarm(self) -> None:
        if self._armed:
            self._armed = False
            asyncio.get_running_loop().remove_reader(self._inotify.fd)

    def _happened(self) -> None:
        self._disarm()
        try:
            while True:
                events = os.read(self._inotify.fd, 65536)
                self.directories_changed |= _tells_of_directory(events)
                if len(events) <= 32768:
                    break
        except BlockingIOError:
            pass
        self._wake()

    def close(self) -> None:
        if self._inotify is not None:
            self._disarm()
            self._inotify.close()
            self._inotify = None


def _tells_of_directory(events: bytes) -> bool:
    """Is one of the events about a directory, or are some missing?"""
    if b"\x40" not in events:  # in both masks, and rarely elsewhere: most events are not looked at one by one
        return False
    at = 0
    while at + _EVENT.size <= len(events):
        _, mask, _, length = _EVENT.unpack_from(events, at)
        if mask & (_IN_ISDIR | _IN_Q_OVERFLOW):
            return True
        at += _EVENT.size + length
    return False
