"""Server connections of one target: connected and greeted, then logged in for an app; probes and kills too.

Here is the room for a pool: `MysqlUpstream.open` and `log_in` are where a session gets its server connection.
Holding while the target is down is the gate's business, what the app sees of it the session's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Self, TypeVar

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable, dial, peer_address
from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.errors import ACCESS_DENIED, ERR, NOT_ACCEPTING
from ambassador_dbproxy.mysql.greeting import SCRAMBLE_BYTES, Greeting, LoginRequest
from ambassador_dbproxy.mysql.login import LoginFailed, LoginState, ServerRefused, UpstreamLogin
from ambassador_dbproxy.mysql.query import OneValue, statement
from ambassador_dbproxy.mysql.server_connection import Greeted, LoggedIn, ServerConnection
from ambassador_dbproxy.mysql.wire import MAX_LOGIN_PACKET_BYTES, Packet, ProtocolViolation
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server, fits
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import TlsFailed, ended_by_tls
from ambassador_dbproxy.upstream import TargetUpstream
from chassis.secret import SecretUnreadable
from chassis.settings import Address

T = TypeVar("T")

_OWN_CAPABILITIES = can.MYSQL | can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.DEPRECATE_EOF
_OWN_HEAD = bytes(4) + MAX_LOGIN_PACKET_BYTES.to_bytes(4, "little") + b"\x2d" + bytes(23)  # in utf8mb4_general_ci
OWN_REQUEST = LoginRequest(_OWN_CAPABILITIES, _OWN_HEAD, b"podmates", b"", None, None, None)
"""What the ambassador logs in with for a purpose of its own."""
NOT_LETTING_IN = (ServerRefused, LoginFailed, SecretUnreadable, TlsFailed)
"""The server is there, and does not let us in: to be told to the app, not to be waited for."""


class MysqlUpstream(TargetUpstream):
    """One target of one listener."""

    def __init__(self, route: Route, around: Surroundings) -> None:
        super().__init__(route, around)
        self._refused_password: str | None = None  # not to be tried by probes: servers lock accounts for that

    def succeed(self, former: Self) -> None:
        super().succeed(former)
        self._refused_password = former._refused_password

    def scramble(self) -> bytes:
        """Twenty fresh bytes without a NUL, for a greeting of ours."""
        return self._around.nonce().encode()[:SCRAMBLE_BYTES]

    async def open(self) -> Greeted:
        """The greeting of the best server that is up; Unreachable while waiting may help, else as `log_in`."""
        return await self.servers.open(self._meet)

    async def log_in(self, greeted: Greeted, app: LoginRequest) -> LoggedIn:
        """Log in as the target's user, otherwise as the app asked, at a server of the wanted role.

        Raises Unreachable, or one of NOT_LETTING_IN; the connection is of no further use then.
        """
        logged_in = await self._log_in(greeted, app)
        wanted, server = self.route.target.role, greeted.server.server
        if wanted != "any":
            try:
                role = await self._ask_role(logged_in)
            except BaseException:
                logged_in.greeted.abandon()  # which may be another one than the caller has
                raise
            self.servers.seen(server, role)
            if not fits(wanted, role):
                logged_in.greeted.abandon()
                raise Unreachable(f"{server.host}: is a {role.value} now, wanted is {wanted}")
        return logged_in

    async def change_user(self, logged_in: LoggedIn, app: LoginRequest) -> bytes:
        """Log in anew on a connection in use; the body of the server's OK. Raises as `log_in` does."""
        login = self._login(await self._password.read(), logged_in.greeted.secure)
        greeting, server = logged_in.greeted.greeting, logged_in.greeted.server
        request = self._routed(greeting, app).proven(*login.begin(greeting.plugin, greeting.scramble))

        async def talk() -> bytes:
            server.send(0, request.encode_change())
            return await _converse(server, login)

        return await self.bounded(server, talk())

    async def pass_on(self, greeted: Greeted, app: Packet, request: LoginRequest) -> int:
        """Send the app's own response on, encrypted if the target wants it; returns by how much sequence ids differ."""
        database = self.route.target.database
        if database is not None:
            named = request.naming(database.encode())
            app = Packet(app.sequence, named.encode())
        if not await self._protect(greeted, request):
            greeted.server.send(app.sequence, app.body)
            return 0
        flags = int.from_bytes(app.body[:4], "little") | can.SSL
        greeted.server.send(app.sequence + 1, flags.to_bytes(4, "little") + app.body[4:])
        return 1

    async def dismiss(self, greeted: Greeted) -> None:
        """Leave a greeted connection that is not needed, in a way that the server does not hold against us.

        Servers block hosts that keep leaving after the greeting (max_connect_errors). Raises as `log_in` does.
        """
        try:
            if self.route.target.user is None:
                greeted.server.send(1, OWN_REQUEST.encode())
                await self.bounded(greeted.server, greeted.server.next_packet())
            elif self._refused_password is None or self._refused_password != await self._password.read():
                (await self._log_in(greeted, OWN_REQUEST)).greeted.server.quit()
        finally:
            greeted.server.conversation.close()

    async def kill(self, server: ServerConnection, thread_id: int) -> None:
        """Let the server of `server` end the session `thread_id`. Raises as `log_in` does."""
        killer = await self._log_in(await self._greet(server.server, server.address), OWN_REQUEST)
        try:
            await self.ask(killer, f"KILL {thread_id}")
        finally:
            killer.greeted.server.quit()

    async def ask(self, logged_in: LoggedIn, sql: str) -> bytes | None:
        """The first value of a statement's result. Raises Unreachable, ServerRefused or LoginFailed."""
        server, agreed = logged_in.greeted.server, logged_in.agreed

        async def talk() -> bytes | None:
            server.send(0, statement(sql, agreed))
            answer = OneValue(agreed)
            while not answer.done:
                answer.receive((await server.next_packet()).body)
            return answer.value

        return await self.bounded(server, talk())

    async def bounded(self, server: ServerConnection, talk: Awaitable[T]) -> T:
        """`talk` in the time a login may take, its failures told apart: a server that is not up, or not as expected."""
        limit_s = self._around.login_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await talk
        except ConnectionEnded as error:
            if failed := ended_by_tls(server.conversation, server.server.host):
                raise failed from error
            raise Unreachable(f"{server.address}: closed the connection during the login") from error
        except TimeoutError as error:
            raise Unreachable(f"{server.address}: the login took longer than {limit_s:g}s") from error
        except ProtocolViolation as error:
            raise LoginFailed(f"{server.address} does not speak MySQL as expected: {error}") from error
        except ServerRefused as refusal:
            if refusal.error.number in NOT_ACCEPTING:
                raise Unreachable(f"{server.address}: {refusal.error.message}") from refusal
            raise

    async def _meet(self, conversation: Conversation, server: Server) -> Greeted:
        """A greeting for an app. The role is what the last look or login has found; only one that does not fit is
        asked again first, on this connection, so that the greeting comes from another one.
        """
        greeted = await self._greeted(conversation, server, peer_address(conversation, server.host))
        wanted = self.route.target.role
        if wanted == "any" or fits(wanted, server.role):
            greeted.role = server.role
            return greeted
        role = await self._role(greeted)
        if fits(wanted, role):
            greeted = await self._greet(server, greeted.server.address)
        greeted.role = role
        return greeted

    async def _look(self, conversation: Conversation, server: Server) -> Role:
        try:
            greeted = await self._greeted(conversation, server, peer_address(conversation, server.host))
            if self.route.target.role != "any":
                return await self._role(greeted)
            await self.dismiss(greeted)
        except (ServerRefused, LoginFailed, SecretUnreadable) as error:
            if self.route.target.role != "any":
                raise Unusable(f"{server.host}: cannot ask for its role: {error}") from error
            # It is up; what is wrong with the login, or that it is full, is told to the app that tries.
            conversation.abort()
        return Role.UNKNOWN

    async def _role(self, greeted: Greeted) -> Role:
        """Log in on a connection of our own, ask the server what it is, and leave."""
        logged_in = await self._log_in(greeted, OWN_REQUEST)
        try:
            return await self._ask_role(logged_in)
        finally:
            logged_in.greeted.server.quit()

    async def _ask_role(self, logged_in: LoggedIn) -> Role:
        read_only = await self.ask(logged_in, "SELECT @@global.read_only")
        return Role.PRIMARY if read_only in (b"0", b"OFF") else Role.REPLICA

    async def _greeted(self, conversation: Conversation, server: Server, address: Address) -> Greeted:
        connection = ServerConnection(conversation, server, address)

        async def talk() -> Greeted:
            body = (await connection.next_packet()).body
            if body[:1] == bytes((ERR,)):
                raise ServerRefused(body)
            return Greeted(connection, Greeting.read(body), secure=bool(server.host.path))

        return await self.bounded(connection, talk())

    async def _greet(self, server: Server, address: Address) -> Greeted:
        """The greeting of one very server."""
        conversation = await dial(address, self._around.connect_timeout_s)
        try:
            return await self._greeted(conversation, server, address)
        except BaseException:
            conversation.abort()
            raise

    async def _again(self, greeted: Greeted) -> Greeted:
        """Another connection to the same server.

        Its thread id is not the one that the app was told. That one belonged to the connection which was refused, and
        is not given out again, so that a KILL with it finds nobody.
        """
        self._around.log.info("login_repeated", target=self.route.name, server=str(greeted.server.address))
        return await self._greet(greeted.server.server, greeted.server.address)

    async def _log_in(self, greeted: Greeted, app: LoginRequest) -> LoggedIn:
        unused: Greeted | None = greeted

        async def log_in(password: str | None) -> LoggedIn:
            nonlocal unused
            now, unused = unused or await self._again(greeted), None
            try:
                return await self._log_in_with(password, now, app)
            except ServerRefused as refusal:
                if _is_wrong_password(refusal):
                    self._refused_password = password
                raise

        logged_in = await self._password.try_with(log_in, _is_wrong_password)
        self._refused_password = None
        return logged_in

    async def _log_in_with(self, password: str | None, greeted: Greeted, app: LoginRequest) -> LoggedIn:
        server, greeting = greeted.server, greeted.greeting
        request = self._routed(greeting, app)

        async def talk() -> LoggedIn:
            protected = await self._protect(greeted, request)
            login = self._login(password, greeted.secure)
            proven = request.proven(*login.begin(greeting.plugin, greeting.scramble))
            server.send(1 + protected, proven.encode(extra=can.SSL if protected else 0))
            return LoggedIn(greeted, app, request, await _converse(server, login))

        try:
            return await self.bounded(server, talk())
        except BaseException:
            greeted.abandon()
            raise

    async def _protect(self, greeted: Greeted, request: LoginRequest) -> bool:
        """Encrypt the connection if the target wants it and the server can; True if it is encrypted now."""
        encryption, server = self._encryption, greeted.server
        if not encryption.wanted(server.server.host):
            return False
        if not greeted.greeting.capabilities & can.SSL:
            if encryption.required:
                raise TlsFailed(f"{server.server.host}: the server offers no TLS")
            return False
        server.send(1, request.encode_head(can.SSL))
        server.conversation.give_back(server.reader.take_rest())
        await encryption.protect(server.conversation, server.server.host)
        greeted.secure = True
        return True

    def _routed(self, greeting: Greeting, app: LoginRequest) -> LoginRequest:
        target = self.route.target
        # For a purpose of its own the ambassador opens none: a database that is missing is for the app to hear of.
        database = None if target.database is None or app is OWN_REQUEST else target.database.encode()
        return app.routed(greeting.capabilities, (target.user or "").encode(), database)

    def _login(self, password: str | None, secure: bool) -> UpstreamLogin:
        allowed = frozenset(self.route.target.require_auth)
        return UpstreamLogin(password=password, secure=secure, require_auth=allowed, seed=secrets.token_bytes)


def _is_wrong_password(error: Exception) -> bool:
    return isinstance(error, ServerRefused) and error.error.number == ACCESS_DENIED.number


async def _converse(server: ServerConnection, login: UpstreamLogin) -> bytes:
    """Go on with a login until the server lets us in; the body of its OK."""
    while True:
        packet = await server.next_packet()
        answer = login.receive(packet.body)
        if login.state is LoginState.READY:
            return packet.body
        if answer is not None:
            server.send(packet.sequence + 1, answer)
