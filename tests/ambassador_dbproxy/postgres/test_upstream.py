"""What a login at a PostgreSQL server makes of words that come sooner than they are waited for."""

import asyncio
import contextlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ambassador_dbproxy.postgres.login import ServerRefused
from ambassador_dbproxy.postgres.startup import StartupPacket
from ambassador_dbproxy.postgres.upstream import PROTOCOL_3_0, PostgresUpstream
from ambassador_dbproxy.postgres.wire import encode
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.settings import TargetSettings
from chassis.settings import Address

Make = Callable[..., Any]
OFFER = encode(b"R", struct.pack(">I", 10) + b"SCRAM-SHA-256\0\0")
CHALLENGE = encode(b"R", struct.pack(">I", 11) + b"r=" + b"n" * 24 + b"server,s=c2FsdA==,i=1")
FULL = encode(b"E", b"SFATAL\0VFATAL\0C53300\0Mtoo many connections for role\0\0")


@pytest.mark.parametrize("closes", [False, True])
async def test_the_servers_words_right_behind_the_challenge_are_heard(
    surroundings: Make, tmp_path: Path, closes: bool
) -> None:
    """The salt is not known yet, so that the login pauses between the two messages of one chunk."""
    over = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(OFFER)
        await reader.read(1000)
        writer.write(CHALLENGE + FULL)
        if closes:
            writer.write_eof()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        over.set()

    password_file = tmp_path / "password"
    password_file.write_text("secret")
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        host = Address.of(*server.sockets[0].getsockname())
        target = TargetSettings(hosts=(host,), user="u", password_file=password_file)
        upstream = PostgresUpstream(Route("it", "dev", target), surroundings())
        with pytest.raises(ServerRefused) as caught:
            await upstream.open(StartupPacket(PROTOCOL_3_0, ((b"user", b"x"),)))
        await over.wait()
    assert caught.value.error.sqlstate == "53300"
