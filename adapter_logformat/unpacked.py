"""A file or pipe for the short-lived commands, unpacked on the way where it begins as gzip (RFC 1952) or UTF-16 does,
as the mate itself reads such files. Nothing of it is held but the block at hand.
"""

import errno
from typing import BinaryIO

from logtail.decoded import GZIP_MAGIC, UTF16_MARKS, Decoder, FromUtf16, Gunzip, Undecodable


class Unpacked:
    """The content of `source`. What is damaged or ends too early is read as far as it goes; `damage` then tells why."""

    def __init__(self, source: BinaryIO) -> None:
        # read1 gives what a pipe has now, so that `tail -f | convert` does not wait for a full block.
        self._read = getattr(source, "read1", source.read)
        self._decoder: Decoder | None = None
        self._begun = False
        self.damage: OSError | None = None

    def read(self, size: int, /) -> bytes:
        """Some bytes; nothing at the end."""
        if self.damage is not None:
            return b""
        try:
            return self._next(size)
        except Undecodable as damage:
            self.damage = damage
            return damage.decoded
        except OSError as damage:
            self.damage = damage
            return b""

    def _next(self, size: int) -> bytes:
        if not self._begun:
            return self._first(size)
        if self._decoder is None:
            block: bytes = self._read(size)
            return block
        return self._decoded(self._decoder, b"", size)

    def _first(self, size: int) -> bytes:
        self._begun = True
        raw: bytes = self._read(size)
        if len(raw) == 1:
            raw += self._read(size)
        if raw[:2] == GZIP_MAGIC:
            self._decoder = Gunzip()
        elif raw[:2] in UTF16_MARKS:
            self._decoder = FromUtf16()
        return raw if self._decoder is None else self._decoded(self._decoder, raw, size)

    def _decoded(self, decoder: Decoder, raw: bytes, size: int) -> bytes:
        while True:
            if not raw and decoder.hungry:
                raw = self._read(size)
                if not raw:
                    if isinstance(decoder, Gunzip) and not decoder.complete:
                        raise OSError(errno.EIO, "the gzip data ends too early")
                    return decoder.finish() if isinstance(decoder, FromUtf16) else b""
            decoded = decoder.feed(raw)
            if decoded:
                return decoded
            raw = b""
