"""The values a tail hands out: which file's life the bytes came from, where they lay in it, and the bytes themselves.

Nothing here reads or decides; every other module of the package may import this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """One file's life: `generation` stays the same across renames and restarts, `path` is where it was first seen."""

    path: str
    generation: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a newline: the bytes [start, end) of one file.

    Only the last piece of a finished file may lack the newline, and only the pieces of a line longer than
    `max_line_bytes` are cut inside a line (`cut` then counts the pieces in this chunk that end without
    their newline). `skipped` bytes of NUL padding before `start` belong to this chunk's acknowledgement.
    """

    source: Source
    start: int
    data: bytes
    final: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True)
class TailStats:
    """What a tail is doing, as plain numbers: bytes, seconds, and counts since the start."""

    files: int = 0
    lag_bytes: int = 0
    oldest_unacked_s: float = 0.0
    rotations: int = 0
    truncations: int = 0
    bytes_read: int = 0
    long_lines: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
