"""Finding a server of a target that serves, and looking after all of them.

What is said to a server, and how it tells its role, is the protocol's business; waiting is the gate's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation
from ambassador_dbproxy.dial import Unreachable, dial
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Health, Role, Server, fits, ranked, rounds
from ambassador_dbproxy.service import OpenedT
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import ended_by_tls
from chassis.settings import Address

Ask = Callable[[Conversation, Server], Awaitable[Role]]


class Servers:
    """The servers of one target.

    `on_unfit` is called with a server that was found in a role which this target does not want.
    """

    def __init__(self, route: Route, around: Surroundings) -> None:
        self.on_unfit: Callable[[Server], None] = _nobody_asks
        self._name = route.name
        self._wanted = route.target.role
        self._around = around
        self._all = tuple(Server(host) for host in route.target.hosts)

    def become(self, hosts: Sequence[Address]) -> None:
        """These are the servers now, in this order. One that is gone is looked after while it has sessions."""
        known = {server.host: server for server in self._all}
        gone = [server for server in self._all if server.in_use and server.host not in hosts]
        self._all = (*(known.get(host) or Server(host) for host in hosts), *gone)

    def succeed(self, known: Iterable[Server]) -> None:
        """Go on with what was known of these, and with their counts. Of further ones, those with sessions."""
        earlier = {server.host: server for server in known}
        same = tuple(earlier.pop(server.host, server) for server in self._all)
        self._all = (*same, *(server for server in earlier.values() if server.in_use))

    def __iter__(self) -> Iterator[Server]:
        return iter(self._all)

    async def open(self, talk: Callable[[Conversation, Server], Awaitable[OpenedT]]) -> OpenedT:
        """What `talk` opened with the best server that is up and has the wanted role; its role is checked here.

        Unreachable and Unusable from `talk` move on to the next server. Unusable is raised if that was said of all
        of them, else Unreachable. Any other exception ends the search. Only on success the connection stays open.
        """
        failures: list[Exception] = []
        for roles in rounds(self._wanted):
            for server in ranked(self._all, roles):
                try:
                    opened: OpenedT = await self._with(server, talk)
                except (Unreachable, Unusable) as error:
                    failures.append(error)
                    continue
                self.seen(server, opened.role)
                if opened.role in roles:
                    return opened
                opened.abandon()
                failures.append(self._unfit(server))
        raise _verdict(failures)

    async def look(self, ask: Ask, found: Callable[[], None]) -> None:
        """Ask all servers for their roles at once, calling `found` for each that fits. Raises like `open` for none."""
        outcomes = await asyncio.gather(*(self._look_at(server, ask, found) for server in self._all))
        failures = [outcome for outcome in outcomes if outcome is not None]
        if len(failures) == len(outcomes):
            raise _verdict(failures)

    def seen(self, server: Server, role: Role) -> None:
        """A server is up and said its role."""
        server.health, server.reason = Health.UP, ""
        if role is server.role or role is Role.UNKNOWN:
            return
        if server.role is not Role.UNKNOWN:
            self._log.info("role_changed", target=self._name, server=str(server.host), role=role.value)
        server.role = role
        if not fits(self._wanted, role):
            self.on_unfit(server)

    @property
    def _log(self) -> Any:
        return self._around.log

    async def _look_at(self, server: Server, ask: Ask, found: Callable[[], None]) -> Exception | None:
        try:
            role = await self._with(server, ask)
        except (Unreachable, Unusable) as error:
            return error
        self.seen(server, role)
        if not fits(self._wanted, server.role):
            return self._unfit(server)
        found()
        return None

    async def _with(self, server: Server, talk: Callable[[Conversation, Server], Awaitable[Any]]) -> Any:
        began = time.monotonic()  # the loop's own time stands still while it works
        server.in_use += 1
        try:
            conversation = await dial(server.host, self._around.connect_timeout_s)
            self._around.tally.connected(time.monotonic() - began)
            try:
                return await talk(conversation, server)
            except ConnectionEnded as error:
                conversation.abort()  # the server has closed its side only
                if failed := ended_by_tls(conversation, server.host):
                    raise failed from error
                raise Unreachable(f"{server.host}: closed the connection during the login") from error
            except BaseException:
                conversation.abort()
                raise
        except (Unreachable, Unusable) as error:
            server.health = Health.DOWN if isinstance(error, Unreachable) else Health.FAULTY
            server.reason = str(error)
            raise
        finally:
            server.in_use -= 1

    def _unfit(self, server: Server) -> Unreachable:
        return Unreachable(f"{server.host}: is a {server.role.value}, wanted is {self._wanted}")


def _verdict(failures: Sequence[Exception]) -> Exception:
    text = "; ".join(dict.fromkeys(map(str, failures)))
    if all(isinstance(failure, Unusable) for failure in failures):
        return type(failures[0])(text)
    return Unreachable(text)


def _nobody_asks(_: Server) -> None:
    pass
