"""The packets that open a session: the server's greeting, the app's response, a change of user (protocol
documentation, "Connection Phase" and "COM_CHANGE_USER"). Each is read from bytes and written to bytes.

Who answers what, and when, is decided in `admission` (towards the app) and `login` (towards the server).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.passwords import NATIVE, SHA2
from ambassador_dbproxy.mysql.wire import Fields, ProtocolViolation, counted

SCRAMBLE_BYTES = 20
COM_CHANGE_USER = 0x11
_PROTOCOL_VERSION = 10
_RESPONSE_HEAD = struct.Struct("<IIB23s")
_OFFERED_PLUGINS = frozenset((NATIVE, SHA2))


@dataclass(frozen=True, slots=True)
class Greeting:
    """Handshake V10. `capabilities` has MariaDB's extended flags from bit 32 up; `scramble` is 20 bytes."""

    version: bytes
    thread_id: int
    scramble: bytes
    capabilities: int
    charset: int
    status: int
    plugin: bytes

    @classmethod
    def read(cls, body: bytes) -> Greeting:
        """ProtocolViolation for another protocol version, or a server older than 4.1."""
        fields = Fields(body)
        if (version := fields.integer(1)) != _PROTOCOL_VERSION:
            raise ProtocolViolation(f"greeting of protocol version {version}, expected {_PROTOCOL_VERSION}")
        name, thread_id, scramble = fields.until_nul(), fields.integer(4), fields.take(8)
        fields.take(1)
        low, charset, status, high = (fields.integer(width) for width in (2, 1, 2, 2))
        capabilities = low | high << 16
        length = fields.integer(1)
        filler = fields.take(10)
        if not capabilities & can.MYSQL:
            capabilities |= int.from_bytes(filler[6:], "little") << 32
        if not capabilities & can.PROTOCOL_41 or not capabilities & can.SECURE_CONNECTION:
            raise ProtocolViolation("the server is older than protocol 4.1")
        scramble += fields.take(max(13, length - 8))[:12]
        if len(scramble) != SCRAMBLE_BYTES:
            raise ProtocolViolation("greeting with a scramble of a wrong length")
        plugin = fields.until_nul() if capabilities & can.PLUGIN_AUTH else b""
        return cls(name, thread_id, scramble, capabilities, charset, status, plugin)

    def encode(self) -> bytes:
        """The body as a server sends it."""
        head = struct.pack(
            "<HBHHB",
            self.capabilities & 0xFFFF,
            self.charset,
            self.status,
            self.capabilities >> 16 & 0xFFFF,
            SCRAMBLE_BYTES + 1 if self.capabilities & can.PLUGIN_AUTH else 0,
        )
        extended = 0 if self.capabilities & can.MYSQL else self.capabilities >> 32
        plugin = self.plugin + b"\0" if self.capabilities & can.PLUGIN_AUTH else b""
        return b"".join(
            (
                bytes((_PROTOCOL_VERSION,)),
                self.version + b"\0",
                self.thread_id.to_bytes(4, "little"),
                self.scramble[:8] + b"\0",
                head,
                bytes(6) + extended.to_bytes(4, "little"),
                self.scramble[8:] + b"\0",
                plugin,
            )
        )

    def for_app(self, scramble: bytes) -> Greeting:
        """The same server as the app is to see it, with a scramble of ours and a plugin that every client has."""
        plugin = self.plugin if self.plugin in _OFFERED_PLUGINS else NATIVE
        return replace(self.passed_through(), scramble=scramble, plugin=plugin)

    def passed_through(self) -> Greeting:
        """As the app is to see it when its login is the server's to judge."""
        return replace(self, capabilities=self.capabilities & ~can.NEVER_OFFERED)


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """Handshake Response 41, or COM_CHANGE_USER, without its framing. `attributes` are kept as they were encoded.

    `head` are the response's 32 bytes of capabilities, packet size, character set and filler, where MariaDB's
    extended capabilities are; for COM_CHANGE_USER the two bytes of the character set, or nothing.
    """

    capabilities: int
    head: bytes
    user: bytes
    auth: bytes
    database: bytes | None
    plugin: bytes | None
    attributes: bytes | None

    @classmethod
    def read(cls, body: bytes) -> LoginRequest:
        """From a response; ProtocolViolation for one that asks for TLS or compression, or is older than 4.1."""
        fields = Fields(body)
        head = fields.take(_RESPONSE_HEAD.size) if len(body) >= _RESPONSE_HEAD.size else b""
        capabilities = int.from_bytes(body[:4], "little")
        if not head or not capabilities & can.PROTOCOL_41:
            raise ProtocolViolation("the client is older than protocol 4.1")
        if capabilities & can.SSL:
            raise ProtocolViolation("the client asks for TLS, which was not offered on this address")
        if capabilities & can.COMPRESS:
            # Clients that say so unasked go on to compress, and would wait for ever for an answer that they understand.
            raise ProtocolViolation("the client asks for compression, which was not offered on this address")
        user = fields.until_nul()
        if capabilities & can.PLUGIN_AUTH_LENENC:
            auth = fields.counted()
        elif capabilities & can.SECURE_CONNECTION:
            auth = fields.take(fields.integer(1))
        else:
            auth = fields.until_nul()
        database = fields.until_nul() if capabilities & can.CONNECT_WITH_DB else None
        plugin, attributes = _read_tail(fields, capabilities)
        return cls(capabilities, head, user, auth, database or None, plugin, attributes)

    @classmethod
    def read_change(cls, body: bytes, capabilities: int) -> LoginRequest:
        """From COM_CHANGE_USER, sent by a client that logged in with these capabilities."""
        fields = Fields(body)
        if fields.integer(1) != COM_CHANGE_USER:
            raise ProtocolViolation("not a change of user")
        user = fields.until_nul()
        if capabilities & can.SECURE_CONNECTION:
            auth = fields.take(fields.integer(1)) if fields.left else b""
        else:
            auth = fields.until_nul()
        database = fields.until_nul()
        head = fields.take_at_most(2)
        plugin, attributes = _read_tail(fields, capabilities)
        return cls(capabilities, head, user, auth, database or None, plugin, attributes)

    def routed(self, server: int, user: bytes, database: bytes | None) -> LoginRequest:
        """For a server of these capabilities, as `user`; only what shapes the login itself may differ.

        `database` None keeps the one that the app named. What proves the user (`auth`, `plugin`) is set later.
        """
        database = database if database is not None else self.database
        capabilities = self.capabilities & ~can.LOGIN_ONLY & ~can.NEVER_OFFERED | can.SECURE_CONNECTION
        capabilities |= server & (can.PLUGIN_AUTH | can.PLUGIN_AUTH_LENENC | self.capabilities & can.CONNECT_ATTRS)
        if database is not None:
            capabilities |= can.CONNECT_WITH_DB
        return replace(self, capabilities=capabilities, user=user, auth=b"", database=database, plugin=None)

    def naming(self, database: bytes) -> LoginRequest:
        """The same with another database."""
        return replace(self, capabilities=self.capabilities | can.CONNECT_WITH_DB, database=database)

    def proven(self, plugin: bytes, auth: bytes) -> LoginRequest:
        """With the proof of the user."""
        return replace(self, plugin=plugin, auth=auth)

    def encode(self, *, extra: int = 0) -> bytes:
        """The body of a response; `extra` are capabilities to add."""
        capabilities = self.capabilities | extra
        if capabilities & can.PLUGIN_AUTH_LENENC:
            auth = counted(self.auth)
        elif capabilities & can.SECURE_CONNECTION:
            auth = _short(self.auth)
        else:
            auth = self.auth + b"\0"
        database = (self.database or b"") + b"\0" if capabilities & can.CONNECT_WITH_DB else b""
        return b"".join((self.encode_head(extra), self.user + b"\0", auth, database, self._tail()))

    def encode_head(self, extra: int = 0) -> bytes:
        """The first 32 bytes: with the capability SSL they are a request for TLS."""
        return (self.capabilities & 0xFFFFFFFF | extra).to_bytes(4, "little") + self.head[4:]

    def encode_change(self) -> bytes:
        """The body of COM_CHANGE_USER, command byte included."""
        return b"".join(
            (
                bytes((COM_CHANGE_USER,)),
                self.user + b"\0",
                _short(self.auth),
                (self.database or b"") + b"\0",
                self.head,
                self._tail() if self.head else b"",
            )
        )

    def _tail(self) -> bytes:
        plugin = (self.plugin or b"") + b"\0" if self.capabilities & can.PLUGIN_AUTH else b""
        attributes = self.attributes if self.capabilities & can.CONNECT_ATTRS else None
        return plugin + (b"" if attributes is None else counted(attributes))


def _read_tail(fields: Fields, capabilities: int) -> tuple[bytes | None, bytes | None]:
    plugin = fields.until_nul() if capabilities & can.PLUGIN_AUTH else None
    attributes = None
    if capabilities & can.CONNECT_ATTRS:
        attributes = fields.counted() if fields.left else b""
    return plugin, attributes


def _short(auth: bytes) -> bytes:
    if len(auth) > 0xFF:
        raise ProtocolViolation("an answer of more than 255 bytes cannot be sent to this server")
    return bytes((len(auth),)) + auth
