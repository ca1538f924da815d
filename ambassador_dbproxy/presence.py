"""Whether an app that has ended its direction of a connection is still there: one that half closes waits for answers,
one that was killed in mid-query does not, and both look the same on the wire. The kernel tells them apart, where the
app is on the same host (Linux, proc(5) "/proc/net/tcp"). What follows from it is the session's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import sys
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_MAPPED = bytes(10) + b"\xff\xff"
_INODE = 8  # behind the two addresses, which are fields 0 and 1


async def has_gone(transport: asyncio.BaseTransport) -> bool | None:
    """True if no process holds the other end of `transport` any more; None where that cannot be told."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return None
    if sock.family == socket.AF_UNIX:
        return _hung_up(sock.fileno())
    ours, theirs = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    if not (ours and theirs):
        return None
    return await asyncio.to_thread(_is_left, theirs[:2], ours[:2])


def _hung_up(descriptor: int) -> bool:
    """A unix socket hangs up when its peer is closed; one that only half closes does not."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def _is_left(theirs: tuple[str, int], ours: tuple[str, int]) -> bool | None:
    for table in _TABLES:
        with contextlib.suppress(OSError):
            held = is_held(table.read_text(), theirs, ours)
            if held is not None:
                return not held
    return None


def is_held(table: str, local: tuple[str, int], remote: tuple[str, int]) -> bool | None:
    """What a table of connections says of the one from `local` to `remote`; None if it is not in there.

    One that no process holds has the inode 0.
    """
    for mapped in (False, True):
        at = table.find(f" {_written(local, mapped)} {_written(remote, mapped)} ")
        if at >= 0:
            return table[at : table.find("\n", at)].split()[_INODE] != "0"
    return None


def _written(end: tuple[str, int], mapped: bool) -> str:
    """As the tables write it: words of four bytes, each as a number of this machine's, in hexadecimal."""
    host, port = end
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
    packed = packed.removeprefix(_MAPPED)  # of a dual-stack listener, whose peer may well have a socket for IPv4
    if mapped and len(packed) == 4:
        packed = _MAPPED + packed
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
