"""Server connections of one Redis target: connected, logged in, of the wanted role, and ready for an app; probes too.

`RedisUpstream.open` is the only place where a session gets its server connection. Holding while the target is down
is the gate's business, what the app sees of it the session's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.redis.discovery import Sentinels
from ambassador_dbproxy.redis.login import LoginFailed, NotReady, ServerRefused, UpstreamLogin
from ambassador_dbproxy.redis.resp import ProtocolViolation, ReplyReader
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.upstream import TargetUpstream
from chassis.secret import SecretUnreadable


@dataclass(slots=True)
class LoggedIn:
    """A server connection that waits for the app's commands."""

    conversation: Conversation
    server: Server
    role: Role

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.conversation.close()


class RedisUpstream(TargetUpstream):
    """One target of one listener."""

    def __init__(self, route: Route, around: Surroundings) -> None:
        super().__init__(route, around)
        sentinel = route.target.sentinel
        self._sentinels = None if sentinel is None else Sentinels(route.target, sentinel, self._encryption, around)
        self._located = False
        self._complained = ""
        self._watch: asyncio.Task[None] | None = None
        self._database = None if route.target.database is None else int(route.target.database)

    async def open(self) -> LoggedIn:
        """A server connection for one app.

        Raises Unreachable while waiting may help; else TlsFailed, LoginFailed, ServerRefused or SecretUnreadable.
        """
        if self._sentinels is None:
            return await self._open()
        if self._located:
            try:
                return await self._open()
            except Unreachable:
                pass  # the Sentinels may know better by now
        await self._locate(self._sentinels)
        return await self._open()

    async def probe(self) -> None:
        if self._sentinels is not None:
            await self._look_around(self._sentinels)
        await super().probe()

    async def close(self) -> None:
        await super().close()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait((self._watch,))

    async def _look_around(self, sentinels: Sentinels) -> None:
        """Ask the Sentinels; while none of them knows, what they said last stands. Be told of changes from now on."""
        try:
            await self._locate(sentinels)
        except Unreachable as error:
            if not self._located:
                raise
            if self._complained != str(error):
                self._complained = str(error)
                self._around.log.warning("sentinels_unreachable", target=self.route.name, reason=str(error))
        if self._watch is None:
            watch = sentinels.watch(self.gate.look)
            self._watch = asyncio.get_running_loop().create_task(watch, name=f"watch Sentinels {self.route.name}")
            self._watch.add_done_callback(self._watch_ended)

    async def _locate(self, sentinels: Sentinels) -> None:
        self.servers.become(await sentinels.find())
        self._located, self._complained = True, ""

    def _watch_ended(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled() and (error := watch.exception()) is not None:
            self._around.log.error("bug", where=watch.get_name(), exc_info=error)

    async def _open(self) -> LoggedIn:
        return await self._password.try_with(self._log_in, _is_wrong_password)

    async def _look(self, conversation: Conversation, server: Server) -> Role:
        """Ask a server whether it takes logins, by logging in: only then does it say whether it is loading."""
        try:
            password = await self._password.read()
            found = await self._greet(conversation, server, password)
        except ServerRefused as error:
            if error.wrong_password and await self._password.read_after_refusal(password) is not None:
                conversation.close()
                return Role.UNKNOWN  # it is up, and there is another password that logins will try
            raise Unusable(f"{server.host}: {error}") from error
        except (LoginFailed, SecretUnreadable) as error:
            raise Unusable(f"{server.host}: {error}") from error
        self._password.accepted(password)
        found.abandon()
        return found.role

    async def _log_in(self, password: str | None) -> LoggedIn:
        return await self.servers.open(lambda conversation, server: self._greet(conversation, server, password))

    async def _greet(self, conversation: Conversation, server: Server, password: str | None) -> LoggedIn:
        """TLS and login in the time they may take. Tells a server that is not up from one that is not as expected."""
        target, limit_s = self.route.target, self._around.login_timeout_s
        login = UpstreamLogin(user=target.user, password=password, database=self._database)
        try:
            async with asyncio.timeout(limit_s):
                if self._encryption.wanted(server.host):
                    await self._encryption.protect(conversation, server.host)
                await _converse(conversation, login)
        except NotReady as error:
            raise Unreachable(f"{server.host}: {error}") from error
        except TimeoutError as error:
            raise Unreachable(f"{server.host}: the login took longer than {limit_s:g}s") from error
        except ProtocolViolation as error:
            raise LoginFailed(f"{server.host} does not speak Redis as expected: {error}") from error
        if login.role is Role.UNKNOWN and target.role != "any":
            raise LoginFailed(f"{server.host} does not tell its role to this user: {login.role_reason}")
        return LoggedIn(conversation, server, login.role)


def _is_wrong_password(error: Exception) -> bool:
    return isinstance(error, ServerRefused) and error.wrong_password


async def _converse(conversation: Conversation, login: UpstreamLogin) -> None:
    replies = ReplyReader()
    conversation.send(login.request)
    while not login.done:
        replies.feed(await conversation.receive())
        while not login.done and (reply := replies.next_reply()) is not None:
            login.receive(reply[0])
    conversation.give_back(replies.take_rest())
