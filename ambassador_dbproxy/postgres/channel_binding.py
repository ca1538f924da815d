"""The channel binding `tls-server-end-point` (RFC 5929, chapter 4): what ties a SCRAM exchange to a certificate. Pure.

The hash is the one of the certificate's signature, which stands in clear in its DER form (RFC 5280, chapter 4.1).
"""

from __future__ import annotations

import hashlib

_RSA, _ECDSA = bytes.fromhex("2a864886f70d0101"), bytes.fromhex("2a8648ce3d04")
_HASHES = {
    _RSA + b"\x04": "sha256",  # md5 and sha1 are replaced by sha256
    _RSA + b"\x05": "sha256",
    _RSA + b"\x0b": "sha256",
    _RSA + b"\x0c": "sha384",
    _RSA + b"\x0d": "sha512",
    _RSA + b"\x0e": "sha224",
    _ECDSA + b"\x01": "sha256",
    _ECDSA + b"\x03\x01": "sha224",
    _ECDSA + b"\x03\x02": "sha256",
    _ECDSA + b"\x03\x03": "sha384",
    _ECDSA + b"\x03\x04": "sha512",
}
_SEQUENCE, _OBJECT_IDENTIFIER = 0x30, 0x06


def tls_server_end_point(certificate: bytes) -> bytes | None:
    """The binding of a certificate in DER form; None where its signature names no single hash, or is not known."""
    try:
        inside, _ = _contents(certificate, 0, _SEQUENCE)
        _, behind_body = _contents(certificate, inside.start, _SEQUENCE)
        algorithm, _ = _contents(certificate, behind_body, _SEQUENCE)
        identifier, _ = _contents(certificate, algorithm.start, _OBJECT_IDENTIFIER)
    except (IndexError, ValueError):
        return None
    name = _HASHES.get(certificate[identifier])
    return hashlib.new(name, certificate).digest() if name else None


def _contents(der: bytes, at: int, tag: int) -> tuple[slice, int]:
    """Where the contents of the value at `at` are, and where the next value starts; ValueError for another tag."""
    if der[at] != tag:
        raise ValueError(tag)
    length, start = der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size]), start + size
    if start + length > len(der):
        raise ValueError(length)
    return slice(start, start + length), start + length
