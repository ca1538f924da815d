"""Which files match now? Globs (`*`, `?`, `[…]`, `**` over directories) minus excludes, each answered with one stat.

A name and a link to the same file are one find. What matches but cannot be followed is returned as a problem;
reporting it once is the follower's work.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from logtail import reader

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Find:
    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int

    @property
    def key(self) -> tuple[int, int]:
        return self.device, self.inode


@dataclass(slots=True)
class Scan:
    """`finds` by (device, inode); `problems` by path: a short word for why it cannot be followed; `empty`: the globs
    that match nothing at all."""

    finds: dict[tuple[int, int], Find] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)


class Discovery:
    """Compiled once; `scan` looks again."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._globs = [(pattern, _split(os.path.abspath(pattern))) for pattern in include]
        self._excludes = [re.compile(fnmatch.translate(pattern)) for pattern in exclude if "/" not in pattern]
        self._excluded_paths = [re.compile(fnmatch.translate(pattern)) for pattern in exclude if "/" in pattern]

    def scan(self) -> Scan:
        scan = Scan()
        for pattern, (base, segments) in self._globs:
            matched = False
            for path in _walk(base, segments):
                if not self._excluded(path):
                    matched |= _look(path, scan)
            if not matched:
                scan.empty.append(pattern)
        return scan

    def _excluded(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return any(e.match(name) for e in self._excludes) or any(e.match(path) for e in self._excluded_paths)

    def directories(self) -> list[str]:
        """The directories in which a matching name may appear or change, as they stand now."""
        return sorted({place for _, (base, segments) in self._globs for place in _places(base, segments)})


def _look(path: str, scan: Scan) -> bool:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if dangling := os.path.islink(path):
            scan.problems[path] = "dangling_link"
        return dangling
    except OSError as error:
        scan.problems[path] = reader.word(error)
        return True
    if not stat.S_ISREG(status.st_mode):
        scan.problems[path] = "directory" if stat.S_ISDIR(status.st_mode) else "no_regular_file"
        return True
    find = Find(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    held = scan.finds.get(find.key)
    # Of several names of one file the true one is kept, so that a link that goes away is no rotation.
    if held is None or (os.path.islink(held.path) and not os.path.islink(path)):
        scan.finds[find.key] = find
    return True


def find(path: str) -> Find | None:
    """What is at `path` now; None where nothing is, or what is not followed."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Find(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def target(path: str) -> str:
    """Where a link leads to in the end; empty for what is no link."""
    return os.path.realpath(path) if os.path.islink(path) else ""


def siblings(path: str) -> Iterator[Find]:
    """The regular files in the directory of `path`, itself included; nothing when the directory cannot be read."""
    directory = os.path.dirname(path)
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    if entry.is_file(follow_symlinks=False):
                        status = os.stat(entry.path)
                        yield Find(entry.path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                except OSError:
                    continue  # it went away between the two calls
    except OSError:
        return


def _split(pattern: str) -> tuple[str, list[str]]:
    """The longest directory without a wildcard, and the remaining segments."""
    parts = pattern.split("/")
    for at, part in enumerate(parts):
        if _MAGIC.search(part):
            return "/".join(parts[:at]) or "/", parts[at:]
    return pattern, []


def _walk(base: str, segments: list[str]) -> Iterator[str]:
    if not segments:
        yield base
        return
    head, rest = segments[0], segments[1:]
    if head == "**":
        for directory in _tree(base, set()):
            yield from _walk(directory, rest or ["*"])
        return
    if not _MAGIC.search(head):
        yield from _walk(f"{base.rstrip('/')}/{head}", rest)
        return
    matches = re.compile(fnmatch.translate(head)).match
    for name, is_directory in _names(base):
        # As in a shell, a leading dot is matched only by a dot.
        if (name[0] != "." or head[0] == ".") and matches(name) and (is_directory or not rest):
            yield from _walk(f"{base.rstrip('/')}/{name}", rest)


def _names(directory: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(directory) as entries:
            return sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError:
        return []  # not there yet, or not a directory: looked for again at the next scan


def _tree(directory: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The directory and all below it, through links too, each once."""
    try:
        status = os.stat(directory)
    except OSError:
        return
    if (status.st_dev, status.st_ino) in seen or not stat.S_ISDIR(status.st_mode):
        return
    seen.add((status.st_dev, status.st_ino))
    yield directory
    for name, is_directory in _names(directory):
        if is_directory and name[0] != ".":
            yield from _tree(f"{directory.rstrip('/')}/{name}", seen)


def _places(base: str, segments: list[str]) -> Iterator[str]:
    if not segments:
        yield os.path.dirname(base)
        return
    yield base
    head, rest = segments[0], segments[1:]
    if head == "**":
        yield from _tree(base, set())
    elif rest:
        matches = re.compile(fnmatch.translate(head)).match
        for name, is_directory in _names(base):
            if is_directory and (name[0] != "." or head[0] == ".") and matches(name):
                yield from _places(f"{base.rstrip('/')}/{name}", rest)
