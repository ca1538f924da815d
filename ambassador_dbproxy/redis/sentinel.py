"""What is asked of a Redis Sentinel, and what its answers say ("High availability with Redis Sentinel"). Pure.

Asking, and whom to believe, is `discovery`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ambassador_dbproxy.redis.resp import ErrorReply, ProtocolViolation, Reply, encode_command
from chassis.settings import Address

SWITCHED = b"+switch-master"
SUBSCRIBE = encode_command(b"SUBSCRIBE", SWITCHED)
ANSWERS = 2
"""Replies to one question."""
_NOT_SERVING = (b"s_down", b"o_down", b"disconnected")


@dataclass(frozen=True, slots=True)
class Known:
    """What one Sentinel knows."""

    primary: Address
    replicas: tuple[Address, ...]


def question(name: str) -> bytes:
    """Where are the primary `name` and its replicas?"""
    words = name.encode()
    return encode_command(b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", words) + encode_command(
        b"SENTINEL", b"REPLICAS", words
    )


def read_answers(primary: Reply, replicas: Reply) -> Known | None:
    """The two answers to `question`; None if this Sentinel knows no such primary. ProtocolViolation for others."""
    if primary is None:
        return None
    match primary:
        case (bytes() as host, bytes() as port):
            found = _address(host, port)
        case ErrorReply():
            raise ProtocolViolation(primary.text)
        case _:
            raise ProtocolViolation("an unexpected answer of a Sentinel")
    listed = replicas if isinstance(replicas, tuple) else ()
    return Known(found, tuple(filter(None, map(_replica, listed))))


def is_switch(message: Reply, name: str) -> bool:
    """True if a message of the subscription says that the primary `name` is another one now."""
    match message:
        case (b"message", channel, bytes() as text):
            return channel == SWITCHED and text.split(b" ")[0] == name.encode()
        case _:
            return False


def agreed(known: Iterable[Known], *, with_replicas: bool) -> tuple[Address, ...]:
    """The servers that Sentinels named: primaries first, among them the one that most of them named."""
    everything = list(known)
    votes = Counter(each.primary for each in everything)
    servers = [address for address, _ in votes.most_common()]
    if with_replicas:
        servers += [replica for each in everything for replica in each.replicas]
    return tuple(dict.fromkeys(servers))


def _replica(fields: Reply) -> Address | None:
    """One entry of SENTINEL REPLICAS, names and values in turn, if it can be of use."""
    if not isinstance(fields, tuple):
        return None
    pairs = dict(zip(fields[::2], fields[1::2], strict=False))
    host, port, flags = pairs.get(b"ip"), pairs.get(b"port"), pairs.get(b"flags")
    if not (isinstance(host, bytes) and isinstance(port, bytes) and isinstance(flags, bytes)):
        return None
    return None if any(flag in flags.split(b",") for flag in _NOT_SERVING) else _address(host, port)


def _address(host: bytes, port: bytes) -> Address:
    if not port.isdigit() or not 0 < int(port) < 65536 or not host:
        raise ProtocolViolation("a Sentinel named an address that is none")
    return Address.of(host.decode("ascii", "replace"), int(port))
