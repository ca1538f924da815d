"""Tells glibc's allocator to keep the memory of whole batches instead of giving it back after each one.

Without this every batch is mapped, faulted in page by page and unmapped again: up to half of all CPU time. And one
arena for all threads: with one for each, every lane's thread would keep a batch's memory of its own (10 to 15 MB more).
"""

import ctypes

_M_TRIM_THRESHOLD = -1  # <malloc.h>, as documented in mallopt(3)
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
KEPT_BYTES = 16 * 1024 * 1024


def keep_memory() -> None:
    """Does nothing where the C library has no mallopt (musl)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_ARENA_MAX, 1)
