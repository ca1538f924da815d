"""Content-Encoding for request bodies: none, gzip (RFC 1952, through ISA-L), zstd (RFC 8878). Pure.

The libraries are imported when first used: an idle sidecar that compresses nothing should not carry them.
"""

from collections.abc import Callable
from typing import Literal

Compress = Callable[[bytes], bytes]
GZIP_LEVEL = 1
ZSTD_LEVEL = 1


def compressor(kind: Literal["none", "gzip", "zstd"]) -> Compress | None:
    """A function for one caller at a time (it keeps its state between calls); None for no compression."""
    if kind == "gzip":
        from isal import igzip

        return lambda body: igzip.compress(body, GZIP_LEVEL)
    if kind == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    return None
