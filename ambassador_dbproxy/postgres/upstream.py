"""Server connections of one target: connected, logged in, and ready to be given to an app; probes and cancels too.

Here is the room for a pool: `PostgresUpstream.open` is the only place where a session gets its server connection.
Holding while the target is down is the gate's business, what the app sees of it the session's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TypeVar

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation, Within
from ambassador_dbproxy.dial import Unreachable, dial, peer_address
from ambassador_dbproxy.postgres.channel_binding import tls_server_end_point
from ambassador_dbproxy.postgres.errors import INVALID_PASSWORD, NOT_ACCEPTING, read_error
from ambassador_dbproxy.postgres.login import LoginFailed, ServerRefused, UpstreamLogin
from ambassador_dbproxy.postgres.recovery import ASK_RECOVERY, read_recovery
from ambassador_dbproxy.postgres.startup import SSL_REQUEST_PACKET, CancelRequest, StartupPacket
from ambassador_dbproxy.postgres.wire import Message, MessageReader, ProtocolViolation, encode
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import ALPN, TlsFailed, peer_certificate
from ambassador_dbproxy.upstream import TargetUpstream
from chassis.secret import SecretUnreadable
from chassis.settings import Address

T = TypeVar("T")
PROTOCOL_3_0 = 196608
TERMINATE = encode(b"X", b"")


@dataclass(slots=True)
class ServerConnection:
    """A connection to the very `address` of a server, with what it said that was not read as messages yet."""

    conversation: Conversation
    server: Server
    address: Address
    end_point: bytes | None = None  # the channel binding of its TLS
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
    role: Role = Role.UNKNOWN

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.server.conversation.send(TERMINATE)
        self.server.conversation.close()


@dataclass(slots=True)
class Waiting:
    """A server connection whose login is the app's own; `first` is what the server said to the start-up packet."""

    server: ServerConnection
    first: Message
    role: Role = Role.UNKNOWN

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.server.conversation.abort()


class PostgresUpstream(TargetUpstream):
    """One target of one listener."""

    ALPN = ALPN["postgres"]

    def __init__(self, route: Route, around: Surroundings) -> None:
        super().__init__(route, around)
        self._require_auth = frozenset(route.target.require_auth)
        self._routed = lru_cache(maxsize=16)(self._route)

    async def open(self, packet: StartupPacket) -> LoggedIn | Waiting:
        """A server connection for an app that sent `packet`; with a user configured it is logged in already.

        Raises Unreachable while waiting may help; else TlsFailed, LoginFailed, ServerRefused or SecretUnreadable.
        """
        routed = self._routed(packet)
        user = self.route.target.user
        if user is None:
            return await self.servers.open(partial(self._talk, lambda at: self._ask(at, routed)))
        return await self._password.try_with(lambda password: self._log_in(routed, user, password), _is_wrong_password)

    async def cancel(self, server: ServerConnection, request: CancelRequest) -> None:
        """Pass a cancel request to the very address of `server`; return when it was taken.

        Raises Unreachable or TlsFailed.
        """
        limit_s = self._around.connect_timeout_s
        conversation = await dial(server.address, limit_s)
        try:
            with Within(limit_s):
                if self._encryption.wanted(server.server.host):
                    await self._encrypt(ServerConnection(conversation, server.server, server.address))
                conversation.send(request.encode())
                await conversation.receive()
        except (ConnectionEnded, TimeoutError):
            pass  # closing without an answer is the server's answer
        finally:
            conversation.close()

    async def _look(self, conversation: Conversation, server: Server) -> Role:
        """Ask a server whether it takes logins, as `pg_isready` does; where its role matters, by logging in."""
        target = self.route.target
        parameters = ((b"user", (target.user or "podmates").encode()), (b"database", b"podmates"))
        packet = StartupPacket(PROTOCOL_3_0, parameters).routed(None, target.database).encode()
        try:
            if target.role == "any" or target.user is None:
                asked = await self._talk(lambda at: self._ask(at, packet), conversation, server)
                asked.server.conversation.close()
                return Role.UNKNOWN
            user, password = target.user, await self._password.read()
            found = await self._talk(lambda at: self._greet(at, packet, user, password), conversation, server)
        except (LoginFailed, ServerRefused, SecretUnreadable) as error:
            raise Unusable(f"{server.host}: {error}") from error
        found.abandon()
        return found.role

    def _route(self, packet: StartupPacket) -> bytes:
        """The start-up packet for the server."""
        return packet.routed(self.route.target.user, self.route.target.database).encode()

    def _log_in(self, packet: bytes, user: str, password: str | None) -> Awaitable[LoggedIn]:
        return self.servers.open(partial(self._talk, lambda at: self._greet(at, packet, user, password)))

    async def _greet(self, server: ServerConnection, packet: bytes, user: str, password: str | None) -> LoggedIn:
        login = UpstreamLogin(
            user=user,
            password=password,
            require_auth=self._require_auth,
            nonce=self._around.nonce(),
            end_point=server.end_point,
            salted=partial(self._around.keys.known, password or ""),
        )
        conversation = server.conversation
        conversation.send(packet)
        await conversation.converse(login)
        if login.challenge is not None:
            conversation.send(login.derived(await self._around.keys.derive(password or "", login.challenge)))
            await conversation.converse(login)
        conversation.give_back(login.take_rest())
        in_recovery = login.in_hot_standby
        if in_recovery is None and self.route.target.role != "any":
            in_recovery = await _ask_recovery(server)
        role = Role.UNKNOWN if in_recovery is None else Role.REPLICA if in_recovery else Role.PRIMARY
        return LoggedIn(server, bytes(login.greeting), login.backend_key, role)

    async def _ask(self, server: ServerConnection, packet: bytes) -> Waiting:
        """Send `packet` and read the server's first answer, whatever it is, unless it says that it is not up."""
        server.conversation.send(packet)
        message = await server.next_message()
        if message.kind == b"E" and (error := read_error(message.body)).sqlstate in NOT_ACCEPTING:
            raise Unreachable(f"{server.address}: {error.message}")
        return Waiting(server, message)

    async def _talk(
        self, talk: Callable[[ServerConnection], Awaitable[T]], conversation: Conversation, server: Server
    ) -> T:
        """TLS, then `talk`, in the time a login may take. Tells a server that is not up from one not as expected."""
        limit_s = self._around.login_timeout_s
        at = ServerConnection(conversation, server, peer_address(conversation, server.host))
        try:
            with Within(limit_s):
                if self._encryption.wanted(server.host):
                    await self._encrypt(at)
                return await talk(at)
        except TimeoutError as error:
            raise Unreachable(f"{at.address}: the login took longer than {limit_s:g}s") from error
        except ProtocolViolation as error:
            raise LoginFailed(f"{at.address} does not speak PostgreSQL as expected: {error}") from error
        except ServerRefused as refusal:
            if refusal.error.sqlstate in NOT_ACCEPTING:
                raise Unreachable(f"{at.address}: {refusal.error.message}") from refusal
            raise

    async def _encrypt(self, server: ServerConnection) -> None:
        """Ask for TLS as the settings want it (protocol 3, "SSL Session Encryption")."""
        conversation, host = server.conversation, server.server.host
        if self._encryption.direct:
            answer = b"S"
        else:
            conversation.send(SSL_REQUEST_PACKET)
            answer = await conversation.receive()
        if answer[:1] == b"S":
            conversation.give_back(answer[1:])
            await self._encryption.protect(conversation, host)
            certificate = peer_certificate(conversation)
            server.end_point = certificate and tls_server_end_point(certificate)
        elif answer != b"N":
            # Not to be shown to the app: nobody has vouched for the server yet (CVE-2024-10977).
            raise TlsFailed(f"{host}: the server answered the request for TLS with something else")
        elif self._encryption.required:
            raise TlsFailed(f"{host}: the server offers no TLS")


def _is_wrong_password(error: Exception) -> bool:
    return isinstance(error, ServerRefused) and error.error.sqlstate == INVALID_PASSWORD


async def _ask_recovery(server: ServerConnection) -> bool:
    """Ask a server older than 14 what newer ones say by themselves."""
    server.conversation.send(ASK_RECOVERY)
    answer: bool | None = None
    while (message := await server.next_message()).kind != b"Z":
        answer = read_recovery(message) if answer is None else answer
    if answer is None:
        raise ProtocolViolation("no answer to the question for the role")
    return answer
