"""TLS over a connected transport, through ssl.MemoryBIO: what the event loops' own TLS does in less memory.

An idle session keeps about 31 KiB, nearly all of it OpenSSL's; asyncio's own keeps 256 KiB more. It can also
half-close. Which certificates are believed is `tls`'s business, what is said inside the protocols'.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from typing import Any, cast

SLICE_BYTES = 16384
"""One TLS record's worth. Memory BIOs never shrink, so that they are fed no more than this at a time."""
SMALL_BYTES = 512
"""Reading allocates all that is asked for, so that small records are read with no more than this."""
_WANTS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """TLS on top of `raw`, as a client of `server_hostname`, or as the server if that is None.

    Of use to `protocol` once `handshaken` is done. `data_received` may be given what was read from `raw` before.

    Reading pauses and write buffers are those of `raw`. An end-of-file without close_notify is no honest end: the
    connection is then lost.
    """

    def __init__(
        self, raw: asyncio.Transport, protocol: asyncio.Protocol, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        super().__init__()
        self.handshaken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._raw = raw
        self._protocol = protocol
        self._from_peer, self._to_peer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._from_peer, self._to_peer, server_side=server_hostname is None, server_hostname=server_hostname
        )
        self._shaken = self._ended_writing = self._ended_reading = False
        self._failure: Exception | None = None
        raw.set_protocol(self)
        self._shake_hands()

    @property
    def tls(self) -> ssl.SSLObject:
        """The session, for its version, cipher and the server's certificate."""
        return self._tls

    # As the transport of the conversation inside.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._ended_writing or not self._shaken:
            return  # without a handshake there is no way to say anything
        if len(data) <= SLICE_BYTES:
            self._tls.write(data)
            self._raw.write(self._to_peer.read())
        else:
            self._raw.write(b"".join(self._encrypted(data)))

    def _encrypted(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        with memoryview(data) as whole:
            for at in range(0, len(whole), SLICE_BYTES):
                self._tls.write(whole[at : at + SLICE_BYTES])
                yield self._to_peer.read()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if self._ended_writing:
            return
        self._ended_writing = True
        # It says close_notify and then wants the peer's, which may come as late as it likes.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        if not self._raw.is_closing():
            self.write_eof()
            self._raw.close()

    def abort(self) -> None:
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def is_reading(self) -> bool:
        return self._raw.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._raw.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    # As the protocol of the connection outside.

    def data_received(self, data: bytes) -> None:
        if self._ended_reading:
            return
        if not self._shaken:
            if not self.handshaken.done():
                self._from_peer.write(data)
                self._shake_hands()
                data = b""
            if not self._shaken:
                return
        if plain := self._decrypted(data):
            self._protocol.data_received(plain)
        if self._to_peer.pending:
            self._flush()  # an answer to the peer's change of keys
        if self._ended_reading:
            self._protocol.eof_received()

    def eof_received(self) -> bool:
        # False closes the transport: what comes behind an unannounced end was cut off, by whomever.
        return self._ended_reading

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.handshaken.done():
            self.handshaken.set_exception(exc or ConnectionResetError("closed during the TLS handshake"))
        self._protocol.connection_lost(self._failure or exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _decrypted(self, data: bytes) -> bytes:
        """What `data` completes; at the end of the stream `_ended_reading` is set."""
        size = len(data)
        if size <= SLICE_BYTES:
            self._from_peer.write(data)
            return self._records(size if size > SMALL_BYTES else SMALL_BYTES)
        pieces = []
        for at in range(0, size, SLICE_BYTES):
            self._from_peer.write(data[at : at + SLICE_BYTES])
            pieces.append(self._records(SLICE_BYTES))
        return b"".join(pieces)

    def _records(self, size: int) -> bytes:
        read, incoming = self._tls.read, self._from_peer
        pieces = b""
        try:
            while piece := read(size):
                pieces = pieces + piece if pieces else piece
                if len(piece) < size and not incoming.pending:
                    return pieces  # as mostly: one record, and nothing behind it
            self._ended_reading = True
        except _WANTS:
            pass  # a record is not complete yet
        except ssl.SSLZeroReturnError:
            self._ended_reading = True  # said only where we have ended writing before
        except ssl.SSLError as error:
            self._failure = error
            self._flush()  # the alert that tells the peer why
            self._raw.abort()
        return pieces

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except _WANTS:
            pass
        except ssl.SSLError as error:
            self.handshaken.set_exception(error)
        else:
            self._shaken = True
            self.handshaken.set_result(None)
        self._flush()

    def _flush(self) -> None:
        if data := self._to_peer.read():
            self._raw.write(data)
