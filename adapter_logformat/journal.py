"""Notes written ahead of the output: which step of which file makes the records that are appended next.

A note is in the file before the first byte of its records is in the output, so after a kill each byte of the output is
known by the step that made it, and the step can be taken again at its own time with the very same bytes (`replay`).
Each commit begins the notes anew. Blocking calls; the adapter runs them on its output thread.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

Deed = Literal["feed", "last", "expire"]
"""What was done to a stream: bytes fed, the end of its file reached (also with bytes), or its waiting record ended."""


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One step: `generation` was read up to `end` at `now_ns`, which made the output's bytes [begins, ends).

    `commit` is the number of the checkpoint it follows; the first `skipped` records that the step made were in the
    output before, from an earlier life."""

    commit: int
    generation: str
    deed: Deed
    end: int
    now_ns: int
    begins: int
    ends: int
    skipped: int = 0


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Note)


class Journal:
    """The notes since the last commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._length = 0

    def open(self) -> list[Note]:
        """The notes that were left; a last one without its end is none, as nothing of it was written. OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        with open(self._descriptor, "rb", closefd=False) as file:
            raw = file.read()
        whole = raw[: raw.rfind(b"\n") + 1]
        self._length = len(whole)
        os.ftruncate(self._descriptor, self._length)
        notes = []
        for line in whole.splitlines():
            try:
                notes.append(_decoder.decode(line))
            except msgspec.DecodeError:
                break  # a damaged disk: what follows cannot be trusted to follow
        return notes

    def write(self, note: Note) -> None:
        """The whole note, or OSError and nothing of it."""
        line = _encode(note) + b"\n"
        written = 0
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                raise OSError(28, "no space left on device")
        except OSError:
            if written:
                os.ftruncate(self._descriptor, self._length)
            raise
        self._length += written

    def begin_anew(self) -> None:
        """A checkpoint holds what the notes told."""
        if self._length:
            os.ftruncate(self._descriptor, 0)
            self._length = 0

    def close(self) -> None:
        """Safe to call twice, and when `open` failed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
