"""The values a tail hands out: which file's life the bytes came from, where they lay in it, and the bytes themselves.

Nothing here reads or decides; every other module of the package may import this one.
"""

from dataclasses import dataclass, field

FILE_TROUBLES = (
    "damaged",
    "dangling_link",
    "directory",
    "no_regular_file",
    "permission_denied",
    "read_failed",
    "unreadable",
)
"""Why a file that matches may not be followed."""
ERROR_KINDS = ("checkpoint_unusable", "checkpoint_write_failed", *FILE_TROUBLES)
"""What `TailStats.errors` may count."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file's life: `generation` stays the same across renames and restarts, `path` is where it was first seen."""

    path: str
    generation: str
    """`<inode>-<microseconds since 1970 when it was first seen>`, both in hexadecimal."""
    resumed_to: int = field(default=0, compare=False)
    """Bytes before this were in the file when this process took it over, and may have been handed out by the last."""

    @property
    def since_ns(self) -> int:
        """When this file was first seen, in nanoseconds since 1970; the same after every restart."""
        return int(self.generation.rpartition("-")[2], 16) * 1000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines, each ended by a newline: the bytes [start, end) of one file's life.

    `final` marks the last chunk of this life (rotated away and quiet, truncated, or drained): each life that ends
    has one; its data may be empty, or lack the newline at its end. Should a writer that was not told of the rotation
    write on while it is not acknowledged yet, then there are further chunks, and another final one.
    `piece` marks a chunk that is one piece of a single line longer than `max_line_bytes` (or of a line whose
    beginning was handed out earlier): it ends with a newline only where that line does.
    """

    source: Source
    start: int
    data: bytes
    final: bool = False
    piece: bool = False
    joined: bool = False
    """Records of several lines: inside them each newline is a `multiline.MARK`."""
    written_ns: int = field(default=0, compare=False)
    """When the file was last written, nanoseconds since 1970, as it was last looked at; 0 where that is not known."""

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
    deleted: int = 0
    """Files deleted after their acknowledgement, where that is wished."""
    empty_globs: int = 0
    """Globs that match nothing now."""
    errors: dict[str, int] = field(default_factory=dict)
    in_trouble: dict[str, int] = field(default_factory=dict)
    """Files that match and cannot be followed or read now, by kind."""
    checkpoint_good: bool = True
    """The checkpoint could be written the last time it was tried."""
