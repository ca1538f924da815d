"""Server connections of one Redis target: connected, logged in, of the wanted role, and ready for an app; probes too.

`RedisUpstream.open` is the only place where a session gets its server connection. Holding while the target is down
is the gate's business, what the app sees of it the session's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.credentials import PasswordFile
from ambassador_dbproxy.dial import Unreachable, first_up
from ambassador_dbproxy.redis.login import LoginFailed, NotReady, Role, ServerRefused, UpstreamLogin
from ambassador_dbproxy.redis.resp import ProtocolViolation, ReplyReader
from ambassador_dbproxy.routes import Route, candidates
from ambassador_dbproxy.surroundings import Surroundings
from chassis.settings import Address


@dataclass(slots=True)
class LoggedIn:
    """A server connection that waits for the app's commands."""

    conversation: Conversation
    role: Role

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.conversation.abort()


class RedisUpstream:
    """One target of one listener."""

    def __init__(self, route: Route, around: Surroundings) -> None:
        self.route = route
        self.gate = around.gate(route.name, self.probe)
        self.server: Address | None = None  # the one that answered last
        self._around = around
        self._password = PasswordFile(route.target.password_file, around.log)
        self._database = None if route.target.database is None else int(route.target.database)

    async def open(self) -> LoggedIn:
        """A server connection for one app.

        Raises Unreachable while waiting may help; else LoginFailed, ServerRefused or SecretUnreadable.
        """
        password = await self._password.read()
        try:
            return await self._log_in(password)
        except ServerRefused as refusal:
            if not refusal.wrong_password:
                raise
            # The file may have been swapped between our reading it and the server's looking.
            other = await self._password.read_after_refusal(password)
            if other is None:
                raise
            return await self._log_in(other)

    async def probe(self) -> None:
        """Return if a server would take logins now, even if it refuses this one; Unreachable otherwise."""
        try:
            password = await self._password.read()
            opened = await self._log_in(password)
        except (ServerRefused, LoginFailed):
            return
        opened.conversation.close()

    async def close(self) -> None:
        """Stop probing and let nobody wait here any more."""
        await self.gate.close()

    async def _log_in(self, password: str | None) -> LoggedIn:
        async def talk(conversation: Conversation, address: Address) -> LoggedIn:
            login = UpstreamLogin(user=self.route.target.user, password=password, database=self._database)
            await self._bounded(conversation, address, login)
            return LoggedIn(conversation, login.role)

        around = self._around
        hosts = candidates(self.route, self.server)
        self.server, logged_in = await first_up(hosts, around.connect_timeout_s, around.tally.connected, talk)
        self._password.accepted(password)
        return logged_in

    async def _bounded(self, conversation: Conversation, address: Address, login: UpstreamLogin) -> None:
        """The login in the time it may take; its failures told apart: a server that is not up, or not as expected."""
        limit_s = self._around.login_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await _converse(conversation, login)
        except NotReady as error:
            raise Unreachable(f"{address}: {error}") from error
        except ConnectionEnded as error:
            raise Unreachable(f"{address}: closed the connection during the login") from error
        except TimeoutError as error:
            raise Unreachable(f"{address}: the login took longer than {limit_s:g}s") from error
        except ProtocolViolation as error:
            raise LoginFailed(f"{address} does not speak Redis as expected: {error}") from error


async def _converse(conversation: Conversation, login: UpstreamLogin) -> None:
    replies = ReplyReader()
    conversation.send(login.request)
    while not login.done:
        replies.feed(await conversation.receive())
        while not login.done and (reply := replies.next_reply()) is not None:
            login.receive(reply[0])
    conversation.give_back(replies.take_rest())
