"""Request bodies as they come over the wire, to text of a bounded size. What becomes of it is left to `receiver`."""

import zlib

MAX_BODY_BYTES = 16 * 1_048_576


class BodyRefused(Exception):
    """A body that is no text of the announced encoding, or longer than is taken."""


def decompress(body: bytes, encoding: str, most: int = MAX_BODY_BYTES) -> bytes:
    """The body behind a Content-Encoding (gzip, zstd or none). Raises BodyRefused; never makes more than `most`."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip":
            return _gunzip(body, most)
        case "zstd":
            return _unzstd(body, most)
        case other:
            raise BodyRefused(f"unknown content encoding {other!r}")


def _gunzip(body: bytes, most: int) -> bytes:
    text = b""
    while body:  # a gzip body may be several members, one after the other
        member = zlib.decompressobj(wbits=31)
        try:
            text += member.decompress(body, most + 1 - len(text))
        except zlib.error as error:
            raise BodyRefused(f"not gzip: {error}") from error
        if len(text) > most:
            raise BodyRefused(f"longer than {most} bytes")
        if not member.eof:
            raise BodyRefused("gzip body is cut short")
        body = member.unused_data
    return text


def _unzstd(body: bytes, most: int) -> bytes:
    import zstandard  # only when a shipper uses it

    try:
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            text = reader.read(most + 1)
    except zstandard.ZstdError as error:
        raise BodyRefused(f"not zstd: {error}") from error
    if len(text) > most:
        raise BodyRefused(f"longer than {most} bytes")
    return text
