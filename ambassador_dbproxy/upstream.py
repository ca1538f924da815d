"""What the upstreams of all protocols share: a gate, servers, a password and TLS, and the looking after them.

How a server is talked with is the protocol's business; pooling would go between `open` there and its callers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.credentials import PasswordFile
from ambassador_dbproxy.routes import Route
from ambassador_dbproxy.server import Role, Server
from ambassador_dbproxy.servers import Servers
from ambassador_dbproxy.surroundings import Surroundings
from ambassador_dbproxy.tls import Encryption


class TargetUpstream(ABC):
    """One target of one listener. Implements `service.Upstream`."""

    ALPN: tuple[str, ...] = ()
    """What to say in a TLS handshake."""

    def __init__(self, route: Route, around: Surroundings) -> None:
        self.route = route
        self.gate = around.gate(route.name, self.probe)
        self.servers = Servers(route, around)
        self._around = around
        self._password = PasswordFile(route.target.password_file, around.log)
        self._encryption = Encryption(route.target.tls, self.ALPN, around.log)

    async def probe(self) -> None:
        """Return if a server would serve now; Unreachable or Unusable otherwise."""
        await self.servers.look(self._look, self.gate.report_up)

    def succeed(self, former: Self) -> None:
        """Go on with what `former`, which had the same route, knew of its servers and their password."""
        self.servers.succeed(former.servers)
        self._password = former._password

    async def close(self) -> None:
        """Stop probing and let nobody wait here any more."""
        await self.gate.close()

    @abstractmethod
    async def _look(self, conversation: Conversation, server: Server) -> Role:
        """Ask a server whether it would serve, and what it is; Unreachable or Unusable if it would not."""
