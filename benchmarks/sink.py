"""A log server that takes everything and only counts lines: a process of its own, cheap enough not to matter.

It says its port, then answers each line on its input with what it has received since the last one, as JSON. An answer
to a request goes out before its lines are counted, so that counting (and decompressing) happens in the sink's time.
After a line with a number in it, each request is answered only after so many seconds.
"""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable

RECEIVE_BYTES = 1024 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ENCODING = re.compile(rb"\r\ncontent-encoding: *(\w+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Tally:
    """What has arrived, over all connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.lines = self.requests = self.wire_bytes = 0
        self.received_at = 0.0
        self.delay_s = 0.0

    def add(self, lines: int, wire_bytes: int, received_at: float) -> None:
        with self._lock:
            self.lines += lines
            self.requests += 1
            self.wire_bytes += wire_bytes
            self.received_at = received_at

    def take(self) -> dict[str, float]:
        with self._lock:
            taken = {
                "lines": self.lines,
                "requests": self.requests,
                "wire_bytes": self.wire_bytes,
                "received_at": self.received_at,
            }
            self.lines = self.requests = self.wire_bytes = 0
        return taken


def decoder(encoding: bytes) -> Callable[[bytes], bytes]:
    if encoding == b"gzip":
        from isal import igzip

        return igzip.decompress
    if encoding == b"zstd":
        import zstandard

        return zstandard.ZstdDecompressor().decompress
    return bytes


def serve(connection: socket.socket, tally: Tally) -> None:
    """Takes requests until the peer closes."""
    buffer = bytearray(RECEIVE_BYTES)
    decoders: dict[bytes, Callable[[bytes], bytes]] = {}
    waiting = b""
    while True:
        while (end := waiting.find(b"\r\n\r\n")) < 0:
            received = connection.recv(65536)
            if not received:
                return
            waiting += received
        head, body = waiting[:end], waiting[end + 4 :]
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        pieces = [body[:length]]
        waiting, missing = body[length:], length - len(pieces[0])
        while missing > 0:
            count = connection.recv_into(buffer, min(missing, len(buffer)))
            if not count:
                return
            pieces.append(bytes(memoryview(buffer)[:count]))
            missing -= count
        at = time.time()
        time.sleep(tally.delay_s)
        connection.sendall(_ANSWER)
        encoding = _ENCODING.search(head)
        name = encoding[1] if encoding else b""
        content = decoders.setdefault(name, decoder(name))(b"".join(pieces))
        tally.add(lines_in(content), length, at)


def lines_in(content: bytes) -> int:
    """The last one need not end; replacing is four times as fast as count(b"\\n") before Python 3.13."""
    unended = bool(content) and not content.endswith(b"\n")
    return len(content) - len(content.replace(b"\n", b"")) + unended


def main() -> None:
    tally = Tally()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection, tally), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for line in sys.stdin:
        tally.delay_s = float(line.strip() or tally.delay_s)
        print(json.dumps(tally.take()), flush=True)


if __name__ == "__main__":
    main()
