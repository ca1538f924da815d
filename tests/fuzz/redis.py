"""Coverage-guided fuzzing of everything that reads Redis's bytes, with libFuzzer's options; needs atheris.

Each target says what must hold for any bytes; an exception that the module does not promise ends the run.
"""

import sys
from pathlib import Path

import atheris

sys.path[0] = str(Path(__file__).parent.parent.parent)  # not this folder, whose names are those of drivers
with atheris.instrument_imports(include=["ambassador_dbproxy"]):
    from ambassador_dbproxy.redis.commands import Command, Cut, cut_command
    from ambassador_dbproxy.redis.handshake import Handshake
    from ambassador_dbproxy.redis.login import LoginFailed, NotReady, ServerRefused, UpstreamLogin
    from ambassador_dbproxy.redis.resp import MAX_REPLY_BYTES, ProtocolViolation, ReplyReader
    from ambassador_dbproxy.redis.sentinel import agreed, is_switch, read_answers


def replies(data: bytes) -> None:
    """However they are cut, replies are the same; none is waited for beyond the bound."""
    whole, sliced = ReplyReader(), ReplyReader()
    found: list[object] = []
    again: list[object] = []
    try:
        whole.feed(data)
        while (reply := whole.next_reply()) is not None:
            found.append(reply)
        for at in range(len(data)):
            sliced.feed(data[at : at + 1])
            while (reply := sliced.next_reply()) is not None:
                again.append(reply)
    except ProtocolViolation:
        return
    rest = whole.take_rest()
    assert (found, rest) == (again, sliced.take_rest())
    assert len(rest) <= MAX_REPLY_BYTES


def commands(data: bytes) -> None:
    """A command that is cut off lies within what came."""
    buffer = bytearray(data)
    while isinstance(command := cut_command(buffer), Command):
        assert 0 < command.size <= len(buffer)
        del buffer[: command.size]
    assert isinstance(command, Cut)


def handshake(data: bytes) -> None:
    """The server's bytes all reach the app in order; cut to single bytes the same is said to both."""
    provider = atheris.FuzzedDataProvider(data)
    database_is_set = provider.ConsumeBool()
    said: list[tuple[bytes, bytes]] = []
    chunks: list[tuple[bool, bytes]] = []
    while provider.remaining_bytes():
        chunks.append((provider.ConsumeBool(), provider.ConsumeBytes(provider.ConsumeIntInRange(0, 200))))
    for size in (1 << 20, 1):
        it = Handshake(database_is_set=database_is_set)
        to_server = to_app = b""
        try:
            for from_app, chunk in chunks:
                for at in range(0, len(chunk), size):
                    piece = chunk[at : at + size]
                    if it.done:
                        to_server, to_app = (to_server + piece, to_app) if from_app else (to_server, to_app + piece)
                        continue
                    moves = (it.app_bytes if from_app else it.server_bytes)(piece)
                    to_server, to_app = to_server + moves.to_server, to_app + moves.to_app
        except ProtocolViolation:
            return
        said.append((to_server, to_app))
    assert said[0] == said[1]


def login(data: bytes) -> None:
    """A login ends, one way or the other."""
    it = UpstreamLogin(user="u", password="p", database=3)
    reader = ReplyReader()
    reader.feed(data)
    try:
        while not it.done and (reply := reader.next_reply()) is not None:
            it.receive(reply[0])
    except (ProtocolViolation, LoginFailed, ServerRefused, NotReady):
        return


def sentinel(data: bytes) -> None:
    """Whatever a Sentinel says is an address or is refused."""
    reader = ReplyReader()
    reader.feed(data)
    try:
        primary, replicas = reader.next_reply(), reader.next_reply()
        if primary is None or replicas is None:
            return
        is_switch(primary[0], "name")
        if (known := read_answers(primary[0], replicas[0])) is not None:
            agreed([known], with_replicas=True)
    except ProtocolViolation:
        return


TARGETS = (replies, commands, handshake, login, sentinel)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
