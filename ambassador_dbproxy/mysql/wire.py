"""Framing of MySQL packets (protocol documentation, "MySQL Packets" and "Basic Types"), within a stated bound.

Knows lengths, sequence ids and field types only. What a packet means is decided in `greeting`, `login` and `tracking`.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LOGIN_PACKET_BYTES = 65536
"""Bound of one packet's body before the session is up: far above names, attributes and keys, far below 16 MiB."""
LARGEST_BODY = 0xFFFFFF
"""A body of exactly this size is continued by the next packet."""
HEAD_BYTES = 4


class ProtocolViolation(Exception):
    """The peer sent what the protocol does not allow. The text holds no payload and can be shown to the peer."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: its sequence id (0 to 255, counted anew from each command) and its body."""

    sequence: int
    body: bytes

    def encode(self) -> bytes:
        """The packet on the wire; the inverse of reading it."""
        return encode(self.sequence, self.body)


def encode(sequence: int, body: bytes) -> bytes:
    """Frame `body`, which is shorter than LARGEST_BODY."""
    return len(body).to_bytes(3, "little") + bytes((sequence & 0xFF,)) + body


class PacketReader:
    """Cuts a byte stream into packets whose bodies have at most `max_bytes`."""

    def __init__(self, max_bytes: int = MAX_LOGIN_PACKET_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer. Nothing is judged before `next_packet` is asked."""
        self._buffer += data

    def next_packet(self) -> Packet | None:
        """The next whole packet, or None until more is fed; ProtocolViolation for a length over the bound."""
        if len(self._buffer) < HEAD_BYTES:
            return None
        length = int.from_bytes(self._buffer[:3], "little")
        if length > self._max_bytes:
            raise ProtocolViolation(f"packet of {length} bytes, allowed are {self._max_bytes}")
        end = HEAD_BYTES + length
        if len(self._buffer) < end:
            return None
        packet = Packet(self._buffer[3], bytes(self._buffer[HEAD_BYTES:end]))
        del self._buffer[:end]
        return packet

    def take_rest(self) -> bytes:
        """Hand over the bytes that were not yet read as packets, and forget them."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


class Fields:
    """Reads the fields of one body in order. ProtocolViolation where the body is too short for what it promises."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._body) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise ProtocolViolation("packet ends in the middle of a field")
        piece = self._body[self._at : self._at + count]
        self._at += count
        return piece

    def take_at_most(self, count: int) -> bytes:
        """The next `count` bytes, or fewer if there are no more."""
        return self.take(min(count, self.left))

    def integer(self, width: int) -> int:
        """An unsigned integer of `width` bytes, lowest byte first."""
        return int.from_bytes(self.take(width), "little")

    def length_encoded(self) -> int:
        """A length-encoded integer."""
        first = self.integer(1)
        if first < 0xFB:
            return first
        width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
        if width is None:
            raise ProtocolViolation("not a length-encoded integer")
        return self.integer(width)

    def counted(self) -> bytes:
        """Bytes behind their length-encoded length."""
        return self.take(self.length_encoded())

    def until_nul(self) -> bytes:
        """Bytes up to a NUL, or to the end of the body: some clients leave the last NUL out."""
        end = self._body.find(0, self._at)
        if end < 0:
            return self.rest()
        piece = self._body[self._at : end]
        self._at = end + 1
        return piece

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left)


def length_encoded(value: int) -> bytes:
    """`value` (below 2**64) as a length-encoded integer."""
    if value < 0xFB:
        return bytes((value,))
    for mark, width in ((0xFC, 2), (0xFD, 3)):
        if value < 1 << 8 * width:
            return bytes((mark,)) + value.to_bytes(width, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def counted(data: bytes) -> bytes:
    """`data` behind its length-encoded length."""
    return length_encoded(len(data)) + data
