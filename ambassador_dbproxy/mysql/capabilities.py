"""Capability flags (protocol documentation, "Capabilities Flags"; MariaDB's extended ones from bit 32 up), and which
of them the two legs of a session may not share.
"""

from __future__ import annotations

MYSQL = 1 << 0  # MariaDB clears it, and then sends four more bytes of capabilities
CONNECT_WITH_DB = 1 << 3
COMPRESS = 1 << 5
PROTOCOL_41 = 1 << 9
SSL = 1 << 11
SECURE_CONNECTION = 1 << 15
PLUGIN_AUTH = 1 << 19
CONNECT_ATTRS = 1 << 20
PLUGIN_AUTH_LENENC = 1 << 21
DEPRECATE_EOF = 1 << 24
OPTIONAL_METADATA = 1 << 25
ZSTD = 1 << 26
QUERY_ATTRIBUTES = 1 << 27
MULTI_FACTOR = 1 << 28
SSL_VERIFY = 1 << 30
COM_MULTI = 1 << 33

NEVER_OFFERED = SSL | COMPRESS | ZSTD | MULTI_FACTOR | SSL_VERIFY | COM_MULTI
"""What the app is not offered: TLS and compression belong to one leg, and after the login the bytes pass verbatim."""

LOGIN_ONLY = CONNECT_WITH_DB | SECURE_CONNECTION | PLUGIN_AUTH | PLUGIN_AUTH_LENENC | CONNECT_ATTRS
"""What shapes the login alone, so that the legs may differ in it."""
