"""What may become of a followed file: its states, the facts that move it, and the table between them. Pure.

Finding the facts out is the follower's work; an illegal move raises instead of hiding in an `if`.
"""

from enum import Enum


class State(Enum):
    FOLLOWING = "following"  # a name that matches leads to it
    ROTATED = "rotated"  # it still has a name, but none that matches: its writer may not have noticed yet
    UNLINKED = "unlinked"  # it has no name any more: the open descriptor is all there is
    FINISHING = "finishing"  # its last bytes were handed out and wait for their acknowledgement
    FINISHED = "finished"  # all safe; the descriptor may be closed


class Fact(Enum):
    NAMED = "named"  # a matching name leads to it
    RENAMED = "renamed"  # no matching name leads to it, another one does
    REMOVED = "removed"  # no name is left
    ENDED = "ended"  # the content is gone (truncated), or everything is read and it will not grow: rotated, or drained
    ACKED = "acked"  # nothing of it is in flight
    CHANGED = "changed"  # it was written to after all, before it was let go


_HELD = {
    Fact.NAMED: State.FOLLOWING,
    Fact.RENAMED: State.ROTATED,
    Fact.REMOVED: State.UNLINKED,
    Fact.ENDED: State.FINISHING,
}
TABLE: dict[State, dict[Fact, State]] = {
    State.FOLLOWING: _HELD,
    State.ROTATED: _HELD,
    State.UNLINKED: _HELD,
    State.FINISHING: {
        Fact.NAMED: State.FINISHING,
        Fact.RENAMED: State.FINISHING,
        Fact.REMOVED: State.FINISHING,
        Fact.ACKED: State.FINISHED,
        Fact.CHANGED: State.ROTATED,  # what leads to it now, the next look tells
    },
    State.FINISHED: {},
}

# An unlinked file holds disk space, so it is let go soon; one that still has a name costs a descriptor only, and a
# writer that was not told of the rotation may go on writing to it for a long time.
QUIET_S = {State.UNLINKED: 5.0, State.ROTATED: 600.0}


# A file that was rotated may still be written to by an app that has not noticed; after this it is taken for done with.
DELETED_AFTER_S = 60.0


class IllegalMove(Exception):
    """A bug: this fact cannot hold in this state."""


def move(state: State, fact: Fact) -> State:
    try:
        return TABLE[state][fact]
    except KeyError:
        raise IllegalMove(f"{fact.name} while {state.name}") from None


def over(state: State, *, unread: int, in_flight: int, quiet_s: float) -> bool:
    """May a file that lost its name be let go? Only at end-of-file, with all acknowledged, and quiet for a while."""
    limit = QUIET_S.get(state)
    return limit is not None and unread == 0 and in_flight == 0 and quiet_s >= limit


def may_delete(state: State, *, renamed: bool, unread: int, in_flight: int, quiet_s: float) -> bool:
    """May a file be deleted, where that is wished? Only one that was `renamed` since it was found, with all of it
    acknowledged, and quiet for a while: of any other the app may still be writing."""
    named = state in (State.ROTATED, State.FOLLOWING)
    return named and renamed and unread == 0 and in_flight == 0 and quiet_s >= DELETED_AFTER_S
