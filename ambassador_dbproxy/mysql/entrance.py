"""How an app gets in: greeted as by its server, and logged in there as the target's user or as itself.

Both ways end in a server connection that is logged in and an app that was told so, or in Refused with an answer in
the app's own sequence. The relay that follows is `session`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.mysql.admission import Admission, AdmissionState
from ambassador_dbproxy.mysql.errors import ACCESS_DENIED, CODES, ERR, MORE, OK, Code, read_error, refusal
from ambassador_dbproxy.mysql.greeting import LoginRequest
from ambassador_dbproxy.mysql.login import LoginFailed, ServerRefused
from ambassador_dbproxy.mysql.server_connection import Greeted, LoggedIn
from ambassador_dbproxy.mysql.upstream import MysqlUpstream
from ambassador_dbproxy.mysql.wire import Packet, PacketReader, ProtocolViolation, encode
from ambassador_dbproxy.refusal import Reason, Refused
from ambassador_dbproxy.service import Floor
from ambassador_dbproxy.tls import TlsFailed
from chassis.secret import SecretUnreadable

T = TypeVar("T")

_CACHED = bytes((MORE, 3))  # of caching_sha2_password: the one packet of a login that wants no answer


class AppReader:
    """The app's packets during a login.

    `sequence` is that of a packet of ours behind the app's own next one, or behind its last one once that is here: an
    app that is owed nothing yet reads only after it has written.
    """

    def __init__(self, app: Conversation, timeout_s: float, sequence: int) -> None:
        self.sequence = sequence
        self._app = app
        self._timeout_s = timeout_s
        self._packets = PacketReader()

    async def next_packet(self) -> Packet:
        """ConnectionEnded also when the app says nothing for too long; Refused for what is no packet of a login."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while (packet := self._packets.next_packet()) is None:
                    self._packets.feed(await self._app.receive())
        except TimeoutError as error:
            raise ConnectionEnded from error
        except ProtocolViolation as error:
            raise refused(Reason.PROTOCOL, str(error), self.sequence) from error
        self.sequence = packet.sequence + 1
        return packet

    def give_back_rest(self) -> None:
        """Leave what was not read as packets to whoever reads next."""
        self._app.give_back(self._packets.take_rest())


async def enter(
    app: Conversation, reader: AppReader, upstream: MysqlUpstream, greeted: Greeted, floor: Floor[MysqlUpstream]
) -> LoggedIn:
    """The app may log in as it likes; the ambassador does as the target's user."""
    offered = greeted.greeting.for_app(upstream.scramble())
    app.send(encode(0, offered.encode()))
    packet = await reader.next_packet()
    admission = Admission(offered.plugin, offered.scramble)
    request = await admit(app, reader, admission, packet, read_response(packet))
    logged_in = await ask_server(upstream, admission, floor, _reported(upstream, upstream.log_in(greeted, request)))
    app.send(admission.welcome(logged_in.ok))
    reader.give_back_rest()
    return logged_in


async def _reported(upstream: MysqlUpstream, login: Awaitable[T]) -> T:
    """The outcome of `login`, which says of the target whether it is up; the end of a connection in use does not."""
    try:
        return await login
    except Unreachable as error:
        upstream.gate.report_down(str(error))
        raise


async def pass_through(
    app: Conversation, reader: AppReader, upstream: MysqlUpstream, greeted: Greeted, floor: Floor[MysqlUpstream]
) -> LoggedIn:
    """The app's own login, packet by packet in turn, until the server's verdict. Only sequence ids may change."""
    server = greeted.server
    app.send(encode(0, greeted.greeting.passed_through().encode()))
    packet = await reader.next_packet()
    request = read_response(packet)
    try:
        shift = await upstream.bounded(server, upstream.pass_on(greeted, packet, request))
        while True:
            packet = await upstream.bounded(server, server.next_packet())
            app.send(encode(packet.sequence - shift, packet.body))
            reader.sequence = packet.sequence - shift + (1 if packet.body == _CACHED else 2)
            mark = packet.body[:1]
            if mark == bytes((ERR,)):
                error = read_error(packet.body)
                floor.tally.error(error.sqlstate)
                raise Refused(Reason.LOGIN, f"the server refused the app's login: {error.message}", b"")
            if mark == bytes((OK,)):
                reader.give_back_rest()
                return LoggedIn(greeted, request, request, packet.body)
            if packet.body != _CACHED:
                answer = await reader.next_packet()
                server.send(answer.sequence + shift, answer.body)
    except Unreachable as error:
        upstream.gate.report_down(str(error))
        raise refused(Reason.HOLD, str(error), reader.sequence) from error
    except TlsFailed as error:
        raise refused(Reason.TLS, str(error), reader.sequence) from error
    except LoginFailed as error:
        raise refused(Reason.LOGIN, str(error), reader.sequence) from error


def read_response(packet: Packet) -> LoginRequest:
    """The app's answer to its greeting; Refused if it is none."""
    try:
        return LoginRequest.read(packet.body)
    except ProtocolViolation as error:
        raise refused(Reason.PROTOCOL, str(error), packet.sequence + 1) from error


async def admit(
    app: Conversation, reader: AppReader, admission: Admission, packet: Packet, request: LoginRequest
) -> LoginRequest:
    """Lead the app's client to where it waits for the verdict on its `request`, which came in `packet`."""
    app.send(admission.ask(request, packet.sequence))
    if admission.state is AdmissionState.SWITCHED:
        reader.sequence = admission.sequence + 1
        try:
            admission.answer(await reader.next_packet())
        except ProtocolViolation as error:
            raise refused(Reason.PROTOCOL, str(error), reader.sequence) from error
    return request


async def ask_server(
    upstream: MysqlUpstream, admission: Admission, floor: Floor[MysqlUpstream], login: Awaitable[T]
) -> T:
    """The outcome of `login`, or Refused with what to tell the app."""
    name = upstream.route.name
    sequence = admission.sequence
    try:
        return await login
    except ServerRefused as error:
        floor.tally.error(error.error.sqlstate)
        said = error.error
        text = f"{name}: the server refused the login: {said.message}"
        told = said.message
        if said.number == ACCESS_DENIED.number:  # about a user whom the app may not know
            told += f" (the database ambassador logged in as the user configured for {name})"
        code = Code(said.number, said.sqlstate or ACCESS_DENIED.sqlstate)
        raise Refused(Reason.LOGIN, text, refusal(code, told, sequence)) from error
    except Unreachable as error:
        raise refused(Reason.HOLD, f"{name}: {error}", sequence) from error
    except TlsFailed as error:
        raise refused(Reason.TLS, str(error), sequence) from error
    except (LoginFailed, SecretUnreadable) as error:
        raise refused(Reason.LOGIN, f"the database ambassador could not log in to {name}: {error}", sequence) from error


def refused(reason: Reason, text: str, sequence: int) -> Refused:
    """Refused in the middle of a login, where an answer must go on with the sequence."""
    return Refused(reason, text, refusal(CODES[reason], text, sequence))
