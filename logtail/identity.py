"""Is this the file we knew? Pure: device, inode and two short digests of the content against what was remembered.

The head (the first ≤ 1 KiB handed out, growing with the file) tells another file on a reused inode; the frontier
(the bytes just before the offset) tells a truncation that grew back past it. Reading the bytes is the reader's work.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

HEAD_BYTES = 1024
FRONTIER_BYTES = 256


class Verdict(Enum):
    SAME = "same"  # go on at the offset
    TRUNCATED = "truncated"  # the same name and inode, other content: a new life from byte 0
    REPLACED = "replaced"  # another name and other content on a reused inode: a new life from byte 0
    COPY = "copy"  # another inode with the same content up to the offset: the old life may go on in it
    NEW = "new"  # nothing in common


@dataclass(frozen=True, slots=True)
class Mark:
    """`length` bytes whose digest is `digest`; a length of 0 matches everything."""

    length: int
    digest: str

    @classmethod
    def of(cls, content: bytes) -> "Mark":
        return cls(len(content), hashlib.blake2b(content, digest_size=16).hexdigest())

    def matches(self, content: bytes) -> bool:
        return self.length == 0 or Mark.of(content) == self


@dataclass(frozen=True, slots=True)
class Identity:
    """What was remembered of a file when `offset` bytes of it were safe."""

    device: int
    inode: int
    path: str
    offset: int
    head: Mark
    frontier: Mark


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is seen of a file now: its first `head.length` bytes, and the `frontier.length` bytes before the offset
    (both shorter, or empty, where the file is)."""

    device: int
    inode: int
    path: str
    head: bytes
    frontier: bytes


def extend(frontier: bytes, piece: bytes) -> bytes:
    """The frontier after `piece` was handed out behind `frontier`."""
    if len(piece) >= FRONTIER_BYTES:
        return piece[-FRONTIER_BYTES:]
    return (frontier + piece)[-FRONTIER_BYTES:]


def recognise(known: Identity, seen: Sighting) -> Verdict:
    """Judge a file found now against one remembered.

    A changed device number with the same inode and path is forgiven when the content agrees: the numbers of overlay
    and network mounts change at reboot.
    """
    content = known.head.matches(seen.head) and known.frontier.matches(seen.frontier)
    same_inode = known.inode == seen.inode
    same_path = known.path == seen.path
    if same_inode and known.device == seen.device:
        # With nothing handed out yet there is no content to go by, so the name must agree.
        if content and (same_path or known.head.length > 0):
            return Verdict.SAME
        return Verdict.TRUNCATED if same_path else Verdict.REPLACED
    if same_inode and same_path and content and known.offset > 0:
        return Verdict.SAME
    if content and known.offset > 0 and known.frontier.length > 0:
        return Verdict.COPY
    return Verdict.NEW
