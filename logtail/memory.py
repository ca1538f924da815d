"""The lives remembered but not open now: from the checkpoint, or finished lately. Pure.

Bounded: the oldest finished lives are forgotten first, since a file that matches again after that is shipped again
rather than lost.
"""

from collections import deque
from collections.abc import Container, Iterator

import msgspec

from logtail.checkpoint import Entry
from logtail.identity import Identity
from logtail.life import Key

MOST_FINISHED = 256


def entry(identity: Identity, generation: str, source_path: str, target: str, *, finished: bool) -> Entry:
    return Entry(
        path=_text(identity.path),
        device=identity.device,
        inode=identity.inode,
        generation=generation,
        source_path=_text(source_path),
        offset=identity.offset,
        head_length=identity.head.length,
        head_digest=identity.head.digest,
        frontier_length=identity.frontier.length,
        frontier_digest=identity.frontier.digest,
        target=_text(target),
        finished=finished,
    )


def _text(path: str) -> str:
    """A file name need not be UTF-8, JSON must be; such a file is then found again by its inode alone."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return path  # the same object, which thousands of files share with their entries


class Memory:
    def __init__(self, entries: list[Entry]) -> None:
        self._entries: dict[Key, Entry] = {(each.device, each.inode): each for each in entries}
        self._displaced: deque[Entry] = deque(maxlen=MOST_FINISHED)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def of(self, key: Key, path: str) -> Entry | None:
        """The entry for this device and inode, else for this path with the same inode on a renumbered device."""
        if (exact := self._entries.get(key)) is not None:
            return exact
        return next((e for e in self._entries.values() if e.inode == key[1] and e.path == path), None)

    def closed(self, open_now: Container[Key]) -> list[Entry]:
        """Those whose file is not among the open ones: its inode is not, or another file has taken it."""
        return [*(each for key, each in self._entries.items() if key not in open_now), *self._displaced]

    def displace(self, gone: Entry) -> None:
        """Another file has taken its inode. What it was may still lie there compressed, and is known by its content."""
        self._displaced.append(gone)

    def forget(self, gone: Entry) -> None:
        """Only itself: its inode may be remembered for another file by now."""
        if gone in self._displaced:
            self._displaced.remove(gone)
        elif self._entries.get((gone.device, gone.inode)) == gone:
            self.forget_key((gone.device, gone.inode))

    def forget_key(self, key: Key) -> None:
        self._entries.pop(key, None)

    def give_up(self, gone: Entry) -> None:
        """It was not found again; should it come back after all (a volume mounted late), it is still known."""
        self.keep(msgspec.structs.replace(gone, finished=True))

    def keep(self, kept: Entry) -> None:
        self._entries.pop((kept.device, kept.inode), None)
        self._entries[kept.device, kept.inode] = kept
        if kept.finished:
            finished = [each for each in self._entries.values() if each.finished]
            for each in finished[:-MOST_FINISHED]:
                self.forget(each)
