"""Signals that come before a process can act on them: held back by the kernel until the lifecycle listens.

The first process of a container has no default action: a SIGTERM that comes while it still imports its modules would
be lost, and the container be killed after the whole grace period. Elsewhere an early SIGHUP would end the process.
"""

import contextlib
import signal
from collections.abc import Iterator

HELD = {signal.SIGTERM, signal.SIGHUP}


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Holds the signals back, until `release` or the end of the block. For the very first lines of a service."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def release() -> None:
    """Lets the signals through, those that came meanwhile included. To be called once there are handlers for them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
