"""SCRAM-SHA-256 as a client (RFC 5802, RFC 7677), with channel binding where TLS gives one, and without I/O.

The slow key derivation is a function of its own (`salted_password`), so that the caller runs it off the loop and
keeps its result. The nonce is an argument; where its randomness comes from is the caller's business.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

MAX_ITERATIONS = 1_000_000
"""A server that asks for more is refused: the work would be ours, at its word. PostgreSQL's default is 4096."""
MAX_SALT_BYTES = 1024
_KEY_BYTES = 32
_SERVER_FIRST = re.compile(rb"r=([!-+\--~]+),s=([^,]*),i=([^,]*)")  # further attributes are extensions and are ignored


class Binding(Enum):
    """What is said of channel binding first of all, as the gs2-header (RFC 5802, chapter 6)."""

    NONE = b"n,,"
    NOT_OFFERED = b"y,,"  # we could; a server that could too knows then that somebody in between has hidden its offer
    END_POINT = b"p=tls-server-end-point,,"


class ScramError(Exception):
    """The server's part of the exchange is malformed or false. The text holds nothing secret."""


class Challenge(NamedTuple):
    """What the key derivation needs from the server: `salt` bytes and a checked number of `iterations`."""

    salt: bytes
    iterations: int


def prepared_password(password: str) -> bytes:
    """The password after SASLprep (RFC 4013), or as it stands where SASLprep forbids it, as PostgreSQL does."""
    if password.isascii() and password.isprintable():
        return password.encode()
    # Rarely needed, and its tables cost memory.
    from ambassador_dbproxy.postgres.saslprep import Prohibited, saslprep

    try:
        return saslprep(password).encode()
    except Prohibited:
        return password.encode("utf-8", "surrogateescape")


def salted_password(password: str, challenge: Challenge) -> bytes:
    """SaltedPassword of RFC 5802, chapter 3: milliseconds of CPU by design."""
    return hashlib.pbkdf2_hmac("sha256", prepared_password(password), challenge.salt, challenge.iterations)


class ScramClient:
    """One exchange: `first` → `challenge` → `final` → `verify`, each once and in this order.

    `nonce` is printable ASCII without a comma and must be unguessable and fresh. With Binding.END_POINT, which is for
    SCRAM-SHA-256-PLUS, `end_point` is that of the connection's TLS (RFC 5929, tls-server-end-point).
    """

    def __init__(self, nonce: str, binding: Binding = Binding.NONE, end_point: bytes = b"") -> None:
        self._nonce = nonce.encode()
        self._gs2_header = binding.value
        self._end_point = end_point
        self._first_bare = b"n=,r=" + self._nonce  # the server takes the user from the start-up packet
        self._server_first = b""
        self._server_nonce = b""
        self._server_final = b""  # what it will say if it knows the password

    def first(self) -> bytes:
        """client-first-message."""
        return self._gs2_header + self._first_bare

    def challenge(self, server_first: bytes) -> Challenge:
        """Check server-first-message; ScramError for a foreign nonce, a bad salt or too many iterations."""
        found = _SERVER_FIRST.match(server_first)
        if found is None:
            raise ScramError("the server's message lacks the attributes r, s, i")
        nonce, encoded_salt, iterations = found.groups()
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise ScramError("the server's nonce does not extend ours")
        self._server_first, self._server_nonce = server_first, nonce
        return _challenge(encoded_salt, iterations)

    def final(self, salted: bytes) -> bytes:
        """client-final-message with the proof that we know the password behind `salted`."""
        without_proof = b"c=%b,r=%b" % (_encoded(self._gs2_header + self._end_point), self._server_nonce)
        auth_message = b"%b,%b,%b" % (self._first_bare, self._server_first, without_proof)
        client_key, stored_key, server_key = _keys(salted)
        proof = client_key ^ int.from_bytes(_signature(stored_key, auth_message))
        self._server_final = b"v=" + _encoded(_signature(server_key, auth_message))
        return b"%b,p=%b" % (without_proof, _encoded(proof.to_bytes(_KEY_BYTES)))

    def verify(self, server_final: bytes) -> None:
        """Believe the server only if it knows the password too; ScramError otherwise."""
        if server_final.startswith(b"e="):
            raise ScramError("the server rejected the exchange")
        said, _, _ = server_final.partition(b",")
        if not self._server_final or not hmac.compare_digest(said, self._server_final):
            raise ScramError("the server's signature is false: it does not know the password")


@lru_cache(maxsize=64)
def _challenge(encoded_salt: bytes, iterations: bytes) -> Challenge:
    """Kept, as a server asks the same for each login of a user."""
    try:
        salt = base64.b64decode(encoded_salt, validate=True)
    except binascii.Error as error:
        raise ScramError("the server's message is not base64 where it should be") from error
    if not 0 < len(salt) <= MAX_SALT_BYTES:
        raise ScramError("the server sent no usable salt")
    if not (iterations.isdigit() and len(iterations) <= 9 and 0 < int(iterations) <= MAX_ITERATIONS):
        raise ScramError(f"the server asks for iterations outside 1 to {MAX_ITERATIONS}")
    return Challenge(salt, int(iterations))


@lru_cache(maxsize=64)
def _keys(salted: bytes) -> tuple[int, hmac.HMAC, hmac.HMAC]:
    """ClientKey, StoredKey and ServerKey (RFC 5802, chapter 3), the latter two as what signs with them."""
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return int.from_bytes(client_key), hmac.new(stored_key, None, "sha256"), hmac.new(server_key, None, "sha256")


def _signature(key: hmac.HMAC, message: bytes) -> bytes:
    signing = key.copy()  # a third of what beginning with the key takes
    signing.update(message)
    return signing.digest()


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False)
