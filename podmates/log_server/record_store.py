"""What the log server keeps: an append-only file of records, each once, and the counts over it.

A record is acknowledged after it was synced to disk, so that a killed server knows on its return everything it ever
acknowledged, and recognises what is sent again. HTTP is left to `receiver`.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

IDENTITY_BYTES = 16


@dataclass
class Counts:
    """What was received since the file was begun (records) and since this process started (the rest)."""

    records: int = 0
    requests: int = 0
    repeats: int = 0
    refused: int = 0


def identity(line: bytes) -> bytes:
    """The identity of a record: a digest of its bytes. A shipper that repeats a record repeats its bytes."""
    return hashlib.blake2b(line, digest_size=IDENTITY_BYTES).digest()


def is_record(line: bytes) -> bool:
    """Whether the line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def lines_of(body: bytes) -> Iterator[bytes]:
    """The lines of a newline-delimited body, without empty ones."""
    return (line for line in body.split(b"\n") if line.strip())


class RecordStore:
    """The file and the identities of the records in it. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.counts = Counts()
        self._known: set[bytes] = set()
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = self._load()

    def add(self, lines: Iterable[bytes]) -> None:
        """Keep the lines not seen before; they are on disk when this returns. OSError when they cannot be."""
        fresh: dict[bytes, bytes] = {}
        for line in lines:
            key = identity(line)
            if key in self._known or key in fresh:
                self.counts.repeats += 1
            else:
                fresh[key] = line
        if fresh:
            self._append(b"\n".join(fresh.values()) + b"\n")
            self._known.update(fresh)
            self.counts.records += len(fresh)

    def read(self, offset: int, most: int) -> bytes:
        """Whole records from `offset` of the file on, at most `most` bytes unless the first one is longer."""
        piece = os.pread(self._file, min(most, self._size - offset), offset) if offset < self._size else b""
        return piece[: piece.rfind(b"\n") + 1] or piece

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        os.close(self._file)

    def _append(self, block: bytes) -> None:
        try:
            view = memoryview(block)
            while view:
                view = view[os.write(self._file, view) :]
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)  # half a batch would be taken for records
            raise
        self._size += len(block)

    def _load(self) -> int:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        os.ftruncate(self._file, whole)  # a record torn by a crash was never acknowledged
        self._known = {identity(line) for line in lines_of(content[:whole])}
        self.counts.records = len(self._known)
        return whole
