"""Server connections of one target: connected, logged in, and ready to be given to an app; probes and cancels too.

Here is the room for a pool: `PostgresUpstream.open` is the only place where a session gets its server connection.
Holding while the target is down is the gate's business, what the app sees of it the session's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.credentials import PasswordFile
from ambassador_dbproxy.dial import Unreachable, dial, first_up
from ambassador_dbproxy.postgres.errors import INVALID_PASSWORD, NOT_ACCEPTING, read_error
from ambassador_dbproxy.postgres.login import Derive, LoginFailed, LoginState, ServerRefused, UpstreamLogin
from ambassador_dbproxy.postgres.startup import CancelRequest, StartupPacket
from ambassador_dbproxy.postgres.wire import Message, MessageReader, ProtocolViolation
from ambassador_dbproxy.routes import Route, candidates
from ambassador_dbproxy.surroundings import Surroundings
from chassis.settings import Address

T = TypeVar("T")
PROTOCOL_3_0 = 196608


@dataclass(slots=True)
class ServerConnection:
    """A connection to the very server `address`, with what it said that was not read as messages yet."""

    conversation: Conversation
    address: Address
    reader: MessageReader = field(default_factory=MessageReader)

    async def next_message(self) -> Message:
        """The server's next message; ConnectionEnded or ProtocolViolation."""
        while (message := self.reader.next_message()) is None:
            self.reader.feed(await self.conversation.receive())
        return message


@dataclass(slots=True)
class LoggedIn:
    """A server connection after its first ReadyForQuery. `greeting` is what the app must be sent of the login."""

    server: ServerConnection
    greeting: bytes
    backend_key: tuple[int, bytes] | None

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.server.conversation.abort()


@dataclass(slots=True)
class Waiting:
    """A server connection whose login is the app's own; `first` is what the server said to the start-up packet."""

    server: ServerConnection
    first: Message

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.server.conversation.abort()


class PostgresUpstream:
    """One target of one listener."""

    def __init__(self, route: Route, around: Surroundings) -> None:
        self.route = route
        self.gate = around.gate(route.name, self.probe)
        self.server: Address | None = None  # the one that answered last
        self._around = around
        self._password = PasswordFile(route.target.password_file, around.log)

    async def open(self, packet: StartupPacket) -> LoggedIn | Waiting:
        """A server connection for an app that sent `packet`; with a user configured it is logged in already.

        Raises Unreachable while waiting may help; else LoginFailed, ServerRefused or SecretUnreadable.
        """
        target = self.route.target
        routed = packet.routed(target.user, target.database)
        if target.user is None:
            return await self._ask(routed)
        password = await self._password.read()
        try:
            return await self._log_in(routed, target.user, password)
        except ServerRefused as refusal:
            if refusal.error.sqlstate != INVALID_PASSWORD:
                raise
            # The file may have been swapped between our reading it and the server's looking.
            other = await self._password.read_after_refusal(password)
            if other is None:
                raise
            return await self._log_in(routed, target.user, other)

    async def probe(self) -> None:
        """Return if a server would take logins now; Unreachable otherwise. Asks as `pg_isready` does."""
        target = self.route.target
        parameters = ((b"user", (target.user or "podmates").encode()), (b"database", b"podmates"))
        asked = await self._ask(StartupPacket(PROTOCOL_3_0, parameters).routed(None, target.database))
        asked.server.conversation.close()

    async def cancel(self, address: Address, request: CancelRequest) -> None:
        """Pass a cancel request to the server at `address`, and to no other; return when it has taken it."""
        conversation = await dial(address, self._around.connect_timeout_s)
        try:
            conversation.send(request.encode())
            async with asyncio.timeout(self._around.connect_timeout_s):
                await conversation.receive()
        except (ConnectionEnded, TimeoutError):
            pass  # closing without an answer is the server's answer
        finally:
            conversation.close()

    async def close(self) -> None:
        """Stop probing and let nobody wait here any more."""
        await self.gate.close()

    async def _log_in(self, packet: StartupPacket, user: str, password: str | None) -> LoggedIn:
        async def talk(server: ServerConnection) -> LoggedIn:
            login = UpstreamLogin(
                user=user,
                password=password,
                require_auth=frozenset(self.route.target.require_auth),
                nonce=self._around.nonce(),
            )
            server.conversation.send(packet.encode())
            await self._converse(server, login, password or "")
            return LoggedIn(server, bytes(login.greeting), login.backend_key)

        logged_in = await self._with_server(talk)
        self._password.accepted(password)
        return logged_in

    async def _converse(self, server: ServerConnection, login: UpstreamLogin, password: str) -> None:
        while login.state is not LoginState.READY:
            action = login.receive(await server.next_message())
            if isinstance(action, Derive):
                action = login.derived(await self._around.keys.derive(password, action.challenge))
            if action is not None:
                server.conversation.send(action.data)

    async def _ask(self, packet: StartupPacket) -> Waiting:
        """Send `packet` and read the server's first answer, whatever it is, unless it says that it is not up."""

        async def talk(server: ServerConnection) -> Waiting:
            server.conversation.send(packet.encode())
            message = await server.next_message()
            if message.kind == b"E" and (error := read_error(message.body)).sqlstate in NOT_ACCEPTING:
                raise Unreachable(f"{server.address}: {error.message}")
            return Waiting(server, message)

        return await self._with_server(talk)

    async def _with_server(self, talk: Callable[[ServerConnection], Awaitable[T]]) -> T:
        """The result of `talk` with the first server that is up. Its connection stays open only then."""

        async def bounded(conversation: Conversation, address: Address) -> T:
            return await self._bounded(talk, ServerConnection(conversation, address))

        around = self._around
        hosts = candidates(self.route, self.server)
        self.server, result = await first_up(hosts, around.connect_timeout_s, around.tally.connected, bounded)
        return result

    async def _bounded(self, talk: Callable[[ServerConnection], Awaitable[T]], server: ServerConnection) -> T:
        """`talk` in the time a login may take, its failures told apart: a server that is not up, or not as expected."""
        limit_s = self._around.login_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await talk(server)
        except ConnectionEnded as error:
            raise Unreachable(f"{server.address}: closed the connection during the login") from error
        except TimeoutError as error:
            raise Unreachable(f"{server.address}: the login took longer than {limit_s:g}s") from error
        except ProtocolViolation as error:
            raise LoginFailed(f"{server.address} does not speak PostgreSQL as expected: {error}") from error
        except ServerRefused as refusal:
            if refusal.error.sqlstate in NOT_ACCEPTING:
                raise Unreachable(f"{server.address}: {refusal.error.message}") from refusal
            raise
