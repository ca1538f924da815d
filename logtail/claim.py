"""One process for one checkpoint: of two that shared it each would go on where the other is, and leave lines out.

A lock of the kernel's on a file beside the checkpoint (flock(2)), which ends with the process however that dies.
"""

import fcntl
import os
from pathlib import Path
from typing import Any

from chassis.errors import OperatorError


class Claim:
    """Taken before the checkpoint is loaded, released after it was saved for the last time."""

    def __init__(self, state_file: Path, log: Any) -> None:
        self._path = state_file.with_name(state_file.name + ".lock")
        self._log = log
        self._descriptor: int | None = None

    def take(self) -> None:
        """OperatorError where another process has it. Where no such file can be made, as on a volume that is full or
        read-only, or cannot be locked, there is no claim, which is told. Blocks, for ever on a volume that hangs."""
        try:
            descriptor = self._opened()
        except OSError as error:
            self._log.warning("state_dir_not_claimed", path=str(self._path), reason=error.strerror)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OperatorError(
                "state_dir", f"another process keeps its positions in {self._path.parent}; each needs one of its own"
            ) from error
        except OSError as error:  # a file system without locks
            os.close(descriptor)
            self._log.warning("state_dir_not_claimed", path=str(self._path), reason=error.strerror)
        else:
            self._descriptor = descriptor

    def _opened(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:  # made by another user; to lock it, reading is enough
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)

    def release(self) -> None:
        """Safe where nothing was taken."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
