"""How long to wait until the next look? Pure.

Hints tell of most things at once; looking is what does not depend on them. A look costs time for each file, so with
many files the looks become fewer.
"""

SETTLE_S = 0.01  # a writer that writes line by line is looked at 100 times a second, not at every line
LOOK_SHARE = 20  # and a look that takes long is made seldom: at most 1/20 of the time is spent on looking
LOOKS_COMPARED = 3  # the least of the last looks counts: a busy machine or a slow disk make a single one long
DRAIN_POLL_S = 0.02
HINTED_POLL_S = 1.0  # polling behind working hints only catches what they miss (remote writers, linked directories)
CALM_SHARE = 500  # and where nothing but a hint is waited for, at most 1/500 of the time is spent on it
MOST_CALM_POLL_S = 30.0
HINTS_AGAIN_S = 60.0  # when hints were refused, they are asked for again


def rest(look_s: float, poll_s: float) -> float:
    """Seconds after a look that took `look_s` in which no hint is heard."""
    return max(SETTLE_S, LOOK_SHARE * min(look_s, poll_s))


def poll(look_s: float, poll_s: float, *, hinted: bool, calm: bool) -> float:
    """Seconds until the next look when no hint comes. `poll_s`: without hints. `calm`: nothing is expected that time
    alone brings, as the end of a record or of a file."""
    if not hinted:
        return poll_s
    return min(max(HINTED_POLL_S, CALM_SHARE * look_s), MOST_CALM_POLL_S) if calm else HINTED_POLL_S


def busy_poll(look_s: float, poll_s: float) -> float:
    """Seconds until the next look for a caller that has no room for what is read."""
    return max(poll_s, LOOK_SHARE * look_s)
