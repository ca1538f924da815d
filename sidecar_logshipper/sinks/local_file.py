"""A file to append to: the border, blocking. A batch is acknowledged when it is on the disk."""

import contextlib
import os
import stat
import threading

from sidecar_logshipper.batch import Batch
from sidecar_logshipper.compression import Compress
from sidecar_logshipper.sinks.plain import LinesWriter
from sidecar_logshipper.sinks.seam import Sent, Unreachable, writing
from sidecar_logshipper.sinks.settings import FileSink
from sidecar_logshipper.verdict import Action, Verdict

_ONE_WRITER = threading.Lock()  # a write that fails cuts the file back, and a reload may leave two lanes with one file


class LocalFile:
    def __init__(self, settings: FileSink, lines: LinesWriter, compress: Compress | None) -> None:
        self._path = settings.path
        self._lines = lines
        self._compress = compress

    def send(self, batch: Batch) -> Sent:
        """Opened anew each time, since somebody may have rotated it. What could not be written whole is taken back."""
        with writing():
            body = b"".join(self._lines.pieces(batch))
        if self._compress is not None:
            body = self._compress(body)
        try:
            with _ONE_WRITER:
                self._append(body)
        except OSError as error:
            raise Unreachable("write_failed", f"{self._path}: {error.strerror or error}") from error
        return Sent(Verdict(Action.ACK, "written"), size=len(body))

    def _append(self, body: bytes) -> None:
        # Not blocking, or else opening a pipe would wait for its reader.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, flags, 0o644)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("no regular file")
            try:
                rest = memoryview(body)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fdatasync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, status.st_size)
                raise
        finally:
            os.close(descriptor)

    def abort(self) -> None:
        """A write to a file ends by itself."""

    def close(self) -> None:
        """Nothing is kept open."""
