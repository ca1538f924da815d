"""One followed file from its first byte to its last acknowledgement: the record that the follower keeps of it.

It holds values and answers simple questions about them; looking, reading and deciding happen elsewhere. Pure.
"""

from dataclasses import dataclass, field

from logtail.acks import Acks
from logtail.chunk import Source
from logtail.follow import Fact, State, move
from logtail.identity import Identity, Mark
from logtail.opened import Opened

Key = tuple[int, int]


@dataclass(slots=True, eq=False)
class Life:
    source: Source
    file: Opened
    key: Key
    path: str
    """Where it is now; `source.path` is where it was first seen."""
    acks: Acks
    frontier: bytes
    """The bytes just before the bytes not yet handed out."""
    head: Mark
    midline: bool
    """The last byte handed out was no newline."""
    changed_at: float
    size: int = -1
    """Of the content, as far as it is known."""
    raw_size: int = -1
    mtime_ns: int = -1
    state: State = State.FOLLOWING
    queued: bool = False
    """There may be a whole line to read."""
    after: "Life | None" = None
    """The file that had this path before: its lines come first."""
    target: str = ""
    """Where `path` leads to, if it is a link."""
    to_delete: bool = False
    """When all of it is acknowledged, the file is deleted."""
    held: bool = False
    """There are whole lines to read that may be continued."""
    undecided: bool = False
    """Nothing to tell by yet: empty, or a first byte with which a compressed or a UTF-16 file may begin."""
    doubted: bool = False
    """It seemed to be truncated at the last look; believed when the next one says so too."""
    left_out: bool = False
    """The settings name it no more: nothing more is read, and it is let go when what is in flight is acknowledged."""
    gone: bool = field(default=False)
    """The content was truncated away; nothing is left to read."""

    def learn(self, fact: Fact) -> None:
        self.state = move(self.state, fact)

    @property
    def offset(self) -> int:
        """The next byte to hand out."""
        return self.acks.handed

    @property
    def open(self) -> bool:
        """May more of it be handed out?"""
        return self.state not in (State.FINISHING, State.FINISHED)

    @property
    def settled(self) -> bool:
        """Is it at all known what it holds now? If not, the next look is to tell."""
        return not self.doubted and self.raw_size >= 0

    @property
    def unsafe_bytes(self) -> int:
        """Bytes in the file that are not acknowledged."""
        return self.acks.in_flight if self.gone else max(self.size, self.acks.handed) - self.acks.committed

    def identity(self) -> Identity:
        """How to recognise it by what was handed out."""
        return Identity(*self.key, self.path, self.offset, self.head, Mark.of(self.frontier))

    def safe_identity(self) -> Identity:
        """How to recognise it by what was acknowledged: what a checkpoint stores."""
        return Identity(*self.key, self.path, self.acks.committed, self.head, Mark.of(self.acks.frontier))
