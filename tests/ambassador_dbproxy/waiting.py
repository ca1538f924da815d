"""Waiting for facts of other processes, which ring no bell: each look takes its time, and there is an end to it."""

import time
from collections.abc import Callable

WAIT_S = 120.0


def until(met: Callable[[], object]) -> None:
    """Return once `met` says so; AssertionError if it does not within WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while not met():
        assert time.monotonic() < deadline, f"not so after {WAIT_S:g} s"
        time.sleep(0.01)
