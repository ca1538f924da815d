"""A connection to a server, as far as it has come: connected, greeted, logged in.

What is said on it is decided in `upstream`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ambassador_dbproxy.conversation import Conversation
from ambassador_dbproxy.mysql.greeting import Greeting, LoginRequest
from ambassador_dbproxy.mysql.query import QUIT
from ambassador_dbproxy.mysql.wire import Packet, PacketReader, encode
from ambassador_dbproxy.server import Role, Server
from chassis.settings import Address


@dataclass(slots=True)
class ServerConnection:
    """A connection to `server`, at the very address that it was found at."""

    conversation: Conversation
    server: Server
    address: Address
    reader: PacketReader = field(default_factory=PacketReader)

    async def next_packet(self) -> Packet:
        """The server's next packet; ConnectionEnded or ProtocolViolation."""
        while (packet := self.reader.next_packet()) is None:
            self.reader.feed(await self.conversation.receive())
        return packet

    def send(self, sequence: int, body: bytes) -> None:
        """Send one packet."""
        self.conversation.send(encode(sequence, body))

    def quit(self) -> None:
        """Say goodbye and close."""
        self.send(0, QUIT)
        self.conversation.close()


@dataclass(slots=True)
class Greeted:
    """A server connection that waits for a login. `secure`: nobody else can read it."""

    server: ServerConnection
    greeting: Greeting
    secure: bool
    role: Role = Role.UNKNOWN

    def abandon(self) -> None:
        """Close it: it is not needed after all."""
        self.server.conversation.abort()


@dataclass(slots=True)
class LoggedIn:
    """A server connection after its login. `app` is what the app asked for, `request` what was sent for it, `ok` the
    body of the server's OK.

    `greeted` may be another connection than the one whose greeting the app saw: a refused password ends a connection.
    """

    greeted: Greeted
    app: LoginRequest
    request: LoginRequest
    ok: bytes

    @property
    def agreed(self) -> int:
        """The capabilities in force."""
        return self.request.capabilities & self.greeted.greeting.capabilities
