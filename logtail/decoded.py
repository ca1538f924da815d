"""Files whose content must be decoded first: gzip (RFC 1952) and UTF-16, readable as if they were plain.

Decoding goes forward in bounded steps and keeps a small window; reading further back begins again at the file's
beginning, which costs time (once after a restart) and no memory. How such a file is told from a plain one is here too.
"""

import codecs
import errno
import zlib
from collections.abc import Callable
from typing import Protocol

from logtail.opened import Condition, Descriptors, Opened, Plain

GZIP_MAGIC = b"\x1f\x8b"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARKS = (GZIP_MAGIC, *UTF16_MARKS)
_UNDECIDED = (b"", *{mark[:1] for mark in _MARKS})
_RAW_STEP = 64 * 1024
_STEP = 256 * 1024
_KEPT_BACK = 4096
_KEPT_HEAD = 4096
_KEPT_RAW = 256


class Undecodable(OSError):
    """The content is damaged; `decoded` came before the damage."""

    def __init__(self, decoded: bytes = b"") -> None:
        super().__init__(errno.EIO, "damaged gzip")
        self.decoded = decoded


class Decoder(Protocol):
    def feed(self, raw: bytes) -> bytes:
        """What can be decoded now, `_STEP` bytes at most by intent; call again with nothing while `hungry` is False.

        Not to be called again after Undecodable.
        """

    @property
    def hungry(self) -> bool: ...


class Gunzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self._rest = b""
        self._more_inside = False

    @property
    def hungry(self) -> bool:
        return not self._rest and not self._more_inside

    @property
    def complete(self) -> bool:
        """What was fed ends where a member ends."""
        return self._inner.eof

    def feed(self, raw: bytes) -> bytes:
        if self._inner.eof:
            # Members may follow one another, and zeros may pad the end.
            self._rest = (self._rest + raw).lstrip(b"\0")
            if not self._rest:
                return b""
            self._inner, raw, self._rest = zlib.decompressobj(31), self._rest, b""
        raw, before = self._rest + raw, self._inner.copy()
        try:
            out = self._inner.decompress(raw, _STEP)
        except zlib.error as error:
            raise Undecodable(_up_to_damage(before, raw)) from error
        self._more_inside = len(out) >= _STEP
        self._rest = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail
        return out


def _up_to_damage(inner: "zlib._Decompress", raw: bytes) -> bytes:
    """What the longest part of `raw` decodes to that meets none; of a step that does, zlib gives out nothing."""
    decoded, good, bad = b"", 0, len(raw)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            decoded = inner.copy().decompress(raw[:middle], _STEP)
            good = middle
        except zlib.error:
            bad = middle
    return decoded


class FromUtf16:
    """To UTF-8. Without a byte order mark the bytes are taken for little-endian."""

    hungry = True

    def __init__(self) -> None:
        self._inner: codecs.IncrementalDecoder | None = None

    def feed(self, raw: bytes) -> bytes:
        if self._inner is None:
            if not raw:
                return b""
            kind = "utf-16" if raw[:2] in UTF16_MARKS else "utf-16-le"
            self._inner = codecs.getincrementaldecoder(kind)(errors="replace")
        return self._inner.decode(raw).encode("utf-8", "replace")

    def finish(self) -> bytes:
        """What a character that was begun becomes where no more comes."""
        return self._inner.decode(b"", final=True).encode("utf-8", "replace") if self._inner is not None else b""


class Decoded:
    """The content of `raw` as `decoder` makes it.

    What was decoded is kept and not read again, so it cannot show that the file was written anew behind it. The first
    raw bytes and those before the next ones to decode can: where they have changed, the file is as good as empty.
    """

    def __init__(self, raw: Opened, decoder: Callable[[], Decoder]) -> None:
        self._raw = raw
        self._make = decoder
        self.compressed = decoder is Gunzip
        self._head = b""
        self._raw_head = b""
        self._begin()

    def _begin(self) -> None:
        self._decoder = self._make()
        self.damaged = False
        self._raw_at = 0
        self._raw_before = b""
        self._window = bytearray()
        self._window_at = 0

    @property
    def path(self) -> str:
        return self._raw.path

    @path.setter
    def path(self, path: str) -> None:
        self._raw.path = path

    @property
    def kept(self) -> bool:
        return self._raw.kept

    @kept.setter
    def kept(self, kept: bool) -> None:
        self._raw.kept = kept

    def look(self) -> Condition:
        return self._raw.look()

    def extent(self, size: int) -> int:
        if size < self._raw_at or self._is_written_anew():
            return 0  # truncated: what is kept here is gone from the file
        return self._window_at + len(self._window) + max(0, size - self._raw_at)

    def _is_written_anew(self) -> bool:
        before = self._raw_before
        return (
            self._raw.pread(len(self._raw_head), 0) != self._raw_head
            or self._raw.pread(len(before), self._raw_at - len(before)) != before
        )

    def close(self) -> None:
        self._window = bytearray()
        self._raw.close()

    def read_into(self, view: memoryview, offset: int) -> int:
        content = self.pread(len(view), offset)
        view[: len(content)] = content
        return len(content)

    def pread(self, length: int, offset: int) -> bytes:
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if offset < self._window_at:
            self._begin()
        while self._window_at + len(self._window) < offset + length and self._step():
            self._trim(offset)
        self._trim(offset)
        at = offset - self._window_at
        if self.damaged and length and at >= len(self._window):
            raise Undecodable
        return bytes(memoryview(self._window)[at : at + length]) if at >= 0 else b""

    def _trim(self, offset: int) -> None:
        surplus = min(offset, self._window_at + len(self._window)) - _KEPT_BACK - self._window_at
        if surplus > 0:
            del self._window[:surplus]
            self._window_at += surplus

    def _step(self) -> bool:
        """Decode some more; False at the end of what there is, or can be decoded."""
        if self.damaged:
            return False
        raw = self._next_raw() if self._decoder.hungry else b""
        if not raw and self._decoder.hungry:
            return False
        try:
            self._window += self._decoder.feed(raw)
        except Undecodable as damage:
            self.damaged = True
            self._window += damage.decoded
        if self._window_at == 0 and len(self._head) < _KEPT_HEAD:
            self._head = bytes(self._window[:_KEPT_HEAD])
        return True

    def _next_raw(self) -> bytes:
        """Read together with the bytes before it, so that no truncation comes between them unseen."""
        expected = self._raw_before if self._raw_at else self._raw_head
        start = self._raw_at - len(self._raw_before)
        seen = self._raw.pread(len(expected) + _RAW_STEP, start)
        if not seen.startswith(expected):
            return b""
        raw = seen[len(self._raw_before) :]
        self._raw_at += len(raw)
        self._raw_before = seen[-_KEPT_RAW:]
        if start == 0:
            self._raw_head = seen[:_KEPT_RAW]
        return raw


def is_undecided(file: Opened) -> bool:
    """Its beginning does not tell yet what it will be."""
    return file.pread(2, 0) in _UNDECIDED or is_mistaken(file)


def is_mistaken(file: Opened) -> bool:
    """It was opened as a plain file just before its beginning told that it is none."""
    return isinstance(file, Plain) and file.pread(2, 0) in _MARKS


def as_it_shows(file: Opened) -> Opened:
    """The same file, by what its beginning tells now."""
    begin = file.pread(2, 0)
    if begin == GZIP_MAGIC:
        return Decoded(file, Gunzip)
    return Decoded(file, FromUtf16) if begin in UTF16_MARKS else file


class Opener:
    """Opens files as they are to be read, at most `most` at once. `utf16`: also without a byte order mark."""

    def __init__(self, most: int, *, utf16: bool = False) -> None:
        self._descriptors = Descriptors(most)
        self._utf16 = utf16

    def open(self, path: str) -> Opened:
        """OSError where `path` leads to no readable regular file."""
        raw = self._descriptors.open(path)
        try:
            file = as_it_shows(raw)
        except OSError:
            raw.close()
            raise
        return Decoded(raw, FromUtf16) if self._utf16 and file is raw else file
