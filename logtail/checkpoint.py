"""What remembers: versioned JSON with a checksum, replaced atomically (temporary file, fsync, rename, fsync directory).

Beside it lies a file of what changed since, record by record, written often and without fsync: it outlives the process,
not the machine, and counts only on top of the very checkpoint it was made for. A checkpoint that cannot be used is put
beside itself under another name, never overwritten. When to save, and what to do without a disk, the tail decides.
"""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from logtail.identity import Identity, Mark

VERSION = 1
_BEFORE, _AFTER = b'{"crc32":"', b'00000000"'  # the first member: of all that follows it, as eight hexadecimal digits
_FRONT = _BEFORE + _AFTER
_ENCODER = msgspec.json.Encoder()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file's life: where its safe prefix ends, and how to recognise it."""

    path: str
    device: int
    inode: int
    generation: str
    source_path: str
    offset: int
    head_length: int
    head_digest: str
    frontier_length: int
    frontier_digest: str
    target: str = ""
    """Where `path` led to, if it was a link."""
    finished: bool = False
    """Its end was reached and it was let go: remembered only so that it is not taken for new under another name."""

    @property
    def identity(self) -> Identity:
        return Identity(
            device=self.device,
            inode=self.inode,
            path=self.path,
            offset=self.offset,
            head=Mark(self.head_length, self.head_digest),
            frontier=Mark(self.frontier_length, self.frontier_digest),
        )


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    version: int = VERSION
    token: int = 0
    """Unlike that of any other checkpoint."""
    files: list[Entry] = []
    extra: dict[str, Any] = {}


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be laid over the checkpoint with the token `on`: entries by device and inode."""

    on: int
    files: list[Entry]


class _Version(msgspec.Struct):
    version: int


class CheckpointUnusable(Exception):
    """The file is there but cannot be used; it was moved to `moved_to` (None when even that failed)."""

    def __init__(self, path: Path, why: str, moved_to: Path | None) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
        self.moved_to = moved_to


def load(path: Path) -> Checkpoint | None:
    """What was saved, None when nothing was. Raises CheckpointUnusable after putting a bad file beside itself."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointUnusable(path, error.strerror or str(error), _quarantine(path)) from error
    try:
        _check(raw)
        version = msgspec.json.decode(raw, type=_Version).version
        if version != VERSION:
            raise CheckpointUnusable(path, f"version {version}, this program knows {VERSION}", _quarantine(path))
        return _with_changes(msgspec.json.decode(raw, type=Checkpoint), path)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointUnusable(path, str(error), _quarantine(path)) from error


def _with_changes(saved: Checkpoint, path: Path) -> Checkpoint:
    """With the records of changes that belong to it, the later ones on top; none after a power cut, perhaps."""
    entries = {(each.device, each.inode): each for each in saved.files}
    for changes in _records(path):
        if changes is not None and changes.on == saved.token:
            entries |= {(each.device, each.inode): each for each in changes.files}
    return msgspec.structs.replace(saved, files=list(entries.values()))


def damaged_changes(path: Path) -> int:
    """How many records of changes beside the checkpoint `path` do not count, since they are not as they were written:
    their files go on from where they were before, at a start."""
    return sum(changes is None for changes in _records(path))


def _records(path: Path) -> Iterator[Changes | None]:
    """In the order they were written; None for a damaged one. One cut short by a kill has no newline and is none."""
    try:
        *records, _ = _changes_path(path).read_bytes().split(b"\n")
    except OSError:
        return
    for record in filter(None, records):
        try:
            _check(record)
            changes = msgspec.json.decode(record, type=Changes)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield None
        else:
            yield changes


def _changes_path(path: Path) -> Path:
    return path.with_name(path.name + ".changes")


def _quarantine(path: Path) -> Path | None:
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.unusable-{number}")
        if not aside.exists():
            try:
                path.rename(aside)
            except OSError:
                return None
            return aside
    return None


def encode(content: Checkpoint | Changes) -> bytearray:
    """One JSON object. In place, since there may be megabytes of it."""
    raw = bytearray(_FRONT)
    _ENCODER.encode_into(content, raw, len(_FRONT))
    raw[len(_BEFORE) : len(_BEFORE) + 8] = b"%08x" % zlib.crc32(memoryview(raw)[len(_FRONT) + 1 :])
    raw[len(_FRONT)] = ord(",")  # for the brace that the content began with
    return raw


def _check(raw: bytes) -> None:
    """DecodeError where the checksum is another. Without one (older versions wrote none) it passes."""
    if raw.startswith(_BEFORE):
        checksum = b"%08x" % zlib.crc32(memoryview(raw)[len(_FRONT) + 1 :])
        if raw[len(_BEFORE) : len(_BEFORE) + 8] != checksum:
            raise msgspec.DecodeError("its checksum does not agree")


def write(path: Path, raw: bytes | bytearray) -> None:
    """Replace the file so that a crash at any moment leaves the old or the new one whole; OSError when it cannot."""
    temporary = path.with_name(path.name + ".tmp")
    _write(temporary, raw)
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_changes(path: Path, raw: bytes | bytearray, *, anew: bool = False) -> None:
    """Put down a record of changes beside the checkpoint `path`: kept when this process is killed; OSError when it
    cannot. `anew`: the records before it go, which belong to checkpoints before.

    It is appended, since a new file each time costs ten times as much.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_TRUNC if anew else 0)
    descriptor = os.open(_changes_path(path), flags, 0o600)
    try:
        _write_all(descriptor, b"\n" + raw + b"\n")  # the first one in case that the record before was cut short
    finally:
        os.close(descriptor)


def _write(path: Path, raw: bytes | bytearray) -> None:
    """A new file with `raw` in it; none when it cannot be written: it would take the last of a full volume's space."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, raw)
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, raw: bytes | bytearray) -> None:
    rest = memoryview(raw)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
