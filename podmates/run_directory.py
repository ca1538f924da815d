"""The fresh directory of one run, and the sweeping of those whose run was killed before it could clean up.

A run holds a lock on its directory for as long as it lives, so a directory whose lock is free has no owner.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "podmates-demo-"
LOCK = "lock"


@contextlib.contextmanager
def fresh() -> Iterator[Path]:
    """A new directory, removed at the end. Any user may pass through it, none but the owner may list it."""
    base = Path(tempfile.gettempdir())
    sweep(base)
    directory, lock = _claimed(base)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _claimed(base: Path) -> tuple[Path, int]:
    """A new directory and its lock. One that another run swept away before it was locked is made again."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        directory.chmod(0o711)  # PostgreSQL runs as another user when the demo runs as root
        lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return directory, lock
        os.close(lock)


def sweep(base: Path) -> list[Path]:
    """Remove the directories in `base` that an earlier run of this user left behind; returns them."""
    return [directory for directory in sorted(base.glob(PREFIX + "*")) if _remove_if_ownerless(directory)]


def _remove_if_ownerless(directory: Path) -> bool:
    try:
        if directory.stat().st_uid != os.geteuid():
            return False
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # just being made, just being removed, or not one of ours
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(directory, ignore_errors=True)
        return True
    finally:
        os.close(lock)
