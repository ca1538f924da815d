"""The file for lines that the sink refuses for good: JSON lines with the line, where it was, and the sink's reason.

Bounded in size. What does not fit, or cannot be written, is for the caller to count as dropped.
"""

import base64
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from logtail.multiline import MARK
from sidecar_logshipper.batch import Part

# Lanes write from several threads, and a write that fails cuts the file back to where it began. One lock for all, since
# a reload replaces the object while lanes still finish with the old one.
_ONE_WRITER = threading.Lock()


class DeadLetterFull(Exception):
    """Writing this record would exceed `max_bytes`."""


class DeadLetterFile:
    def __init__(self, path: Path, max_bytes: int, clock: Callable[[], float]) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._clock = clock

    def write(self, part: Part, reason: str, answer: str) -> None:
        """Append one refused line and fsync; DeadLetterFull or OSError when it cannot be kept. Blocks.

        Opened anew each time: refusals are rare, and the file may have been moved away by a person who reads it.
        """
        raw = msgspec.json.encode(self._record(part, reason, answer)) + b"\n"
        with _ONE_WRITER:
            self._append(raw)

    def _append(self, raw: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(raw) > self._max_bytes:
                raise DeadLetterFull
            try:
                if os.write(descriptor, raw) < len(raw):
                    raise OSError("no room for the whole record")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)  # half a record would spoil the next one
                raise
        finally:
            os.close(descriptor)

    def _record(self, part: Part, reason: str, answer: str) -> dict[str, object]:
        record: dict[str, object] = {
            "time": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
            "reason": reason,
            "answer": answer,
            "path": part.chunk.source.path.encode("utf-8", "replace").decode(),
            "generation": part.chunk.source.generation,
            "offset": part.chunk.start,
        }
        raw = part.chunk.data.replace(MARK, b"\n") if part.chunk.joined else part.chunk.data
        try:
            record["line"] = raw.removesuffix(b"\n").decode()
        except UnicodeDecodeError:
            record["line_base64"] = base64.b64encode(raw).decode()
        return record
