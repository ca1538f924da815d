"""Memory of a busy hour goes back to the system when the hour is over.

glibc gives each thread an arena of its own and keeps what was freed in it; a mate that is mostly idle would keep the
size of its busiest second. Does nothing where the C library is another (musl gives back by itself).
"""

import ctypes
import gc
from typing import Final

# <malloc.h>, mallopt(3)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
KEPT_BYTES: Final = 8 << 20
"""Free memory kept while there is work: chunks and their records are made in it again and again, without a page fault
for every 4 KiB of them."""


def share_one_arena() -> None:
    """For all threads that begin after this call."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def give_back() -> None:
    """What is free goes to the system; takes some 30 ms, so for idle moments."""
    gc.collect()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
