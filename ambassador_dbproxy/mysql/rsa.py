"""RSA encryption with a server's public key: PEM in, RSAES-OAEP with SHA-1 out (RFC 8017, chapters 7.1 and A.1).

Only the public half is ever used here, for a password on its way to the server, so plain integers suffice and no
cryptographic library is needed. The seed is an argument; where its randomness comes from is the caller's business.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

SEED_BYTES = 20
MIN_KEY_BITS, MAX_KEY_BITS = 1024, 8192
MAX_EXPONENT_BITS = 64  # 65537 in practice; a larger one would only cost time
_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"
_RSA_ENCRYPTION = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1
_INTEGER, _BIT_STRING, _OBJECT_ID, _SEQUENCE = 0x02, 0x03, 0x06, 0x30


class BadKey(Exception):
    """What should be a public RSA key is none, or not one of a sensible size."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Modulus and exponent."""

    modulus: int
    exponent: int

    @property
    def size(self) -> int:
        """Bytes of the modulus, and of every encrypted message."""
        return (self.modulus.bit_length() + 7) // 8

    @classmethod
    def read(cls, pem: bytes) -> PublicKey:
        """From a PEM SubjectPublicKeyInfo (RFC 5280, chapter 4.1.2.7); BadKey for anything else."""
        begin, end = pem.find(_BEGIN), pem.find(_END)
        if begin < 0 or end < begin:
            raise BadKey("no public key in PEM form")
        try:
            der = base64.b64decode(b"".join(pem[begin + len(_BEGIN) : end].split()), validate=True)
        except binascii.Error as error:
            raise BadKey("the public key is not base64") from error
        info, _ = _element(der, _SEQUENCE)
        algorithm, rest = _element(info, _SEQUENCE)
        name, _ = _element(algorithm, _OBJECT_ID)
        if name != _RSA_ENCRYPTION:
            raise BadKey("the public key is not for RSA")
        bits, _ = _element(rest, _BIT_STRING)
        numbers, _ = _element(bits[1:], _SEQUENCE)
        modulus, rest = _element(numbers, _INTEGER)
        exponent, _ = _element(rest, _INTEGER)
        key = cls(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))
        if not MIN_KEY_BITS <= key.modulus.bit_length() <= MAX_KEY_BITS or not key.modulus & 1:
            raise BadKey(f"the public key is not of {MIN_KEY_BITS} to {MAX_KEY_BITS} bits")
        if not 2 <= key.exponent.bit_length() <= MAX_EXPONENT_BITS:
            raise BadKey("the public key has a strange exponent")
        return key


def encrypt(key: PublicKey, message: bytes, seed: bytes) -> bytes:
    """RSAES-OAEP-ENCRYPT with SHA-1 and an empty label. `seed` is SEED_BYTES fresh random bytes.

    ValueError for a message longer than the key's size less 42 bytes.
    """
    room = key.size - 2 * SEED_BYTES - 2 - len(message)
    if room < 0:
        raise ValueError("the message is too long for the key")
    block = hashlib.sha1(b"", usedforsecurity=False).digest() + bytes(room) + b"\1" + message
    masked_block = _xor(block, _mask(seed, len(block)))
    masked_seed = _xor(seed, _mask(masked_block, SEED_BYTES))
    number = int.from_bytes(masked_seed + masked_block, "big")
    return pow(number, key.exponent, key.modulus).to_bytes(key.size, "big")


def _mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-1 (RFC 8017, appendix B.2.1)."""
    blocks = range(length // SEED_BYTES + 1)
    stream = (hashlib.sha1(seed + at.to_bytes(4, "big"), usedforsecurity=False).digest() for at in blocks)
    return b"".join(stream)[:length]


def _element(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """Content of the DER element in front, which must have this tag, and what follows it."""
    if len(der) < 2 or der[0] != tag:
        raise BadKey("the public key is not well formed")
    length, at = der[1], 2
    if length & 0x80:
        width = length & 0x7F
        length, at = int.from_bytes(der[2 : 2 + width], "big"), 2 + width
    if at > len(der) or length > len(der) - at:
        raise BadKey("the public key is cut off")
    return der[at : at + length], der[at + length :]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
