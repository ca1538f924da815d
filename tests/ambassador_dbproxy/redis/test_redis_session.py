"""When an app is read from: not while any of several reasons holds, whichever ends first."""

from types import SimpleNamespace
from typing import Any

import pytest

from ambassador_dbproxy.redis.session import RedisSession


class Transport:
    """Notes whether it is read from."""

    def __init__(self) -> None:
        self.reading = True
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...
    def set_protocol(self, leg: Any) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...


class Joined:
    """A session whose legs are called as the loop would call them."""

    def __init__(self) -> None:
        self.app, self.server = Transport(), Transport()
        target = SimpleNamespace(user="u", database=None)
        floor = SimpleNamespace(entered=lambda _: None, left=lambda _: None)
        opened = SimpleNamespace(conversation=self._conversation(self.server), server=None)
        upstream = SimpleNamespace(route=SimpleNamespace(target=target, name="it/dev"))
        self.session = RedisSession(self._conversation(self.app), opened, upstream, floor)  # type: ignore[arg-type]
        self.from_app, self.from_server = self.session._app, self.session._server

    def _conversation(self, transport: Transport) -> Any:
        return SimpleNamespace(transport=transport, lost=False, eof=False, take_unread=lambda: b"")


@pytest.fixture
async def joined() -> Joined:
    return Joined()


async def test_a_reply_during_the_login_does_not_make_room_at_the_server(joined: Joined) -> None:
    joined.from_app.data_received(b"PING\r\n")
    joined.from_server.pause_writing()
    joined.from_server.data_received(b"+PONG\r\n")
    assert not joined.app.reading
    joined.from_server.resume_writing()
    assert joined.app.reading


async def test_room_at_the_server_does_not_put_commands_before_their_turn(joined: Joined) -> None:
    joined.from_server.pause_writing()
    joined.from_app.data_received(b"PING\r\nAUTH x\r\n")
    joined.from_server.resume_writing()
    assert not joined.app.reading
    joined.from_server.data_received(b"+PONG\r\n")
    assert joined.app.reading
    assert joined.app.written == b"+PONG\r\n+OK\r\n"


async def test_an_app_that_is_listened_to_cannot_ask_on(joined: Joined) -> None:
    joined.from_app.data_received(b"SET k v\r\n")
    joined.from_server.pause_writing()
    joined.session.leave("switched")
    joined.from_server.data_received(b"+OK\r\n")
    joined.from_server.resume_writing()
    assert not joined.app.reading
    joined.session.end("switched")
    assert joined.app.reading


async def test_one_that_leaves_is_read_to_its_end_whatever_held_it(joined: Joined) -> None:
    joined.from_app.data_received(b"SET k v\r\n")
    joined.from_server.pause_writing()
    joined.session.end("switched")
    assert joined.app.reading
