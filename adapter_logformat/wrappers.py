"""What a container runtime puts around each line an app writes: CRI (`time stream P|F text`) and Docker's json-file.

Peeled before any format is asked. Runtimes cut long lines near 16 KiB; joining the pieces again is left to the stream.
"""

import re
from typing import Final, NamedTuple

import msgspec

from adapter_logformat.timestamps import Times

_CRI: Final = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}+))?+(Z|[+-]\d\d:\d\d) (stdout|stderr) ([PF])(?::[^ ]*+)? (.*)",
    re.DOTALL,
)
_DOCKER_KEYS: Final = {"log", "stream", "time", "attrs"}
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}+))?+(Z|[+-]\d\d:\d\d)")
_decode = msgspec.json.Decoder().decode


class Peeled(NamedTuple):
    """One piece of an app's line: the app's text, whether more of that line follows, the stream it was written to
    and the moment the runtime read it (RFC 3339 in UTC)."""

    text: bytes
    partial: bool
    stream: str
    moment: str


def peel(line: bytes, times: Times) -> Peeled | None:
    """The piece in `line`, or `None` when no runtime wrapped it."""
    first = line[:1]
    if first.isdigit():
        return _cri(line, times) if line[4:5] == b"-" else None
    return _docker(line, times) if line.startswith(b'{"log":') else None


def is_docker(keys: tuple[str, ...]) -> bool:
    """Are these the keys of one object in Docker's json-file?"""
    return keys[:1] == ("log",) and len(keys) > 2 and set(keys) <= _DOCKER_KEYS and "time" in keys


def _cri(line: bytes, times: Times) -> Peeled | None:
    found = _CRI.fullmatch(line)
    if found is None:
        return None
    fraction = found[2].decode() if found[2] is not None else None
    stamp = times.iso(found[1].decode(), fraction, found[3].decode())
    return None if stamp is None else Peeled(found[6], found[5] == b"P", found[4].decode(), stamp.text)


def _docker(line: bytes, times: Times) -> Peeled | None:
    try:
        fields = _decode(line)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    if not isinstance(fields, dict) or not is_docker(tuple(fields)):
        return None
    text, stream, moment = fields["log"], fields.get("stream", "stdout"), fields["time"]
    if not isinstance(text, str) or stream not in ("stdout", "stderr") or not isinstance(moment, str):
        return None
    found = _TIME.fullmatch(moment)
    stamp = None if found is None else times.iso(found[1], found[2], found[3])
    if stamp is None:
        return None
    raw = text.encode("utf-8", "replace")
    return Peeled(raw.removesuffix(b"\n"), not raw.endswith(b"\n"), stream, stamp.text)
