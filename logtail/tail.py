"""The loop that follows files: asks the border for bytes, the pure modules for decisions, and hands out chunks.

Being written: the signatures are agreed, the bodies follow.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from logtail.chunk import Chunk, TailStats


class Tail:
    def __init__(
        self,
        *,
        include: Sequence[str],
        exclude: Sequence[str] = (),
        start_at: Literal["beginning", "end"] = "beginning",
        state_file: Path | None,
        max_line_bytes: int,
        chunk_bytes: int = 262144,
        poll_interval: float = 0.25,
        log: Any,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.extra: Mapping[str, object] = {}

    async def start(self) -> None:
        """Load the checkpoint and look for files once; OperatorError for a state directory that cannot be made."""
        raise NotImplementedError

    async def next(self, max_bytes: int | None = None) -> Chunk | None:
        """The next chunk; waits for data. None only after `drain` once everything is read. Cancelling loses nothing."""
        raise NotImplementedError

    def ack(self, chunk: Chunk) -> None:
        """The chunk is safe elsewhere. Any order; only the contiguous prefix of each file is committed."""
        raise NotImplementedError

    def drain(self, quiet: float) -> None:
        """From now on read to the end, wait until all files were quiet for `quiet` seconds, then finish."""
        raise NotImplementedError

    async def save(self, extra: Mapping[str, object] | None = None) -> bool:
        """Write the checkpoint now; False when it could not be written."""
        raise NotImplementedError

    def stats(self) -> TailStats:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
