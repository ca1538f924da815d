"""What proves a password to a MySQL server (protocol documentation, "Authentication Methods"), as plain functions.

Which of them is used, and whether the connection is safe enough for it, is `login`'s decision.
"""

from __future__ import annotations

import hashlib

NATIVE = b"mysql_native_password"
SHA2 = b"caching_sha2_password"
CLEAR = b"mysql_clear_password"


def native(password: bytes, nonce: bytes) -> bytes:
    """SHA1(p) XOR SHA1(nonce + SHA1(SHA1(p))), 20 bytes; nothing for an empty password."""
    if not password:
        return b""
    once = _sha1(password)
    return _xor(once, _sha1(nonce + _sha1(once)))


def sha2(password: bytes, nonce: bytes) -> bytes:
    """SHA256(p) XOR SHA256(SHA256(SHA256(p)) + nonce), 32 bytes; a single NUL for an empty password."""
    if not password:
        return b"\0"
    once = hashlib.sha256(password).digest()
    return _xor(once, hashlib.sha256(hashlib.sha256(once).digest() + nonce).digest())


def clear(password: bytes) -> bytes:
    """The password itself and a NUL: for a connection that nobody else can read."""
    return password + b"\0"


def veiled(password: bytes, nonce: bytes) -> bytes:
    """The password and its NUL, XORed with the nonce over and over: what goes into the RSA encryption."""
    text = password + b"\0"
    return _xor(text, (nonce * (len(text) // len(nonce) + 1))[: len(text)])


def _sha1(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
