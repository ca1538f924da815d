"""Standard output: the border, blocking, but no longer than until `abort`, even when nobody reads the pipe.

What the pipe took counts as delivered.
"""

import os
import select

from sidecar_logshipper.batch import Batch
from sidecar_logshipper.sinks.plain import LinesWriter
from sidecar_logshipper.sinks.seam import Sent, Unreachable, writing
from sidecar_logshipper.verdict import Action, Verdict

LOOK_MS = 100


class Stdout:
    def __init__(self, lines: LinesWriter, descriptor: int = 1) -> None:
        self._lines = lines
        self._descriptor = descriptor
        self._aborted = False
        self._cut = b""
        """The rest of a line that was begun: written first, so that no reader sees half a line."""

    def send(self, batch: Batch) -> Sent:
        with writing():
            body = b"".join(self._lines.pieces(batch))
        self._write(self._cut)
        self._cut = b""
        self._write(body)
        return Sent(Verdict(Action.ACK, "written"), size=len(body))

    def _write(self, body: bytes) -> None:
        # A pipe that poll calls writable takes PIPE_BUF bytes at once; a larger piece could block for ever.
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        rest = memoryview(body)
        while rest:
            if self._aborted:
                raise self._failed(rest, body, "stopped")
            if not poll.poll(LOOK_MS):
                continue
            try:
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
            except OSError as error:
                raise self._failed(rest, body, error.strerror or str(error)) from error

    def _failed(self, rest: memoryview, body: bytes, why: str) -> Unreachable:
        begun = len(body) - len(rest)
        if begun and body[begun - 1 : begun] != b"\n":
            end = body.find(b"\n", begun)
            self._cut = body[begun : end + 1]
        return Unreachable("write_failed", f"standard output: {why}")

    def abort(self) -> None:
        self._aborted = True

    def close(self) -> None:
        """Standard output is not ours to close."""
