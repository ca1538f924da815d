"""What is compressed is read again by the standard tools, call after call."""

import gzip

import zstandard

from sidecar_logshipper.compression import compressor

BODIES = [b"", b"one line\n", b'{"a":1}\n' * 10_000]


def test_none() -> None:
    assert compressor("none") is None


def test_gzip() -> None:
    compress = compressor("gzip")
    assert compress is not None
    assert [gzip.decompress(compress(body)) for body in BODIES] == BODIES


def test_zstd() -> None:
    compress = compressor("zstd")
    assert compress is not None
    decompress = zstandard.ZstdDecompressor().decompress
    assert [decompress(compress(body)) for body in BODIES] == BODIES
