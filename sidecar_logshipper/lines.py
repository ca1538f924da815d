"""What a part's lines are, for sinks that want each by itself: its text, its time, and what a JSON line says of itself.

Pure, and lean: one call of msgspec for a whole part where every line is a JSON object.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from logtail.multiline import MARK
from sidecar_logshipper.batch import Part
from sidecar_logshipper.dating import Dating
from sidecar_logshipper.times import Clock
from sidecar_logshipper.validity import invalid_lines

_TRACE_ID = re.compile(r"(?!0+$)[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0+$)[0-9a-f]{16}")


class Told(msgspec.Struct):
    """What a JSON object says of itself. Members of any type, for anybody may have written them."""

    time: Any = None
    level: Any = None
    severity: Any = None
    trace_id: Any = None
    span_id: Any = None

    @property
    def severity_name(self) -> str:
        """In lower case; empty when nothing usable is said."""
        for said in (self.level, self.severity):
            if isinstance(said, str):
                return said.lower()
        return ""

    @property
    def trace(self) -> str:
        return self.trace_id if isinstance(self.trace_id, str) and _TRACE_ID.fullmatch(self.trace_id) else ""

    @property
    def span(self) -> str:
        return self.span_id if isinstance(self.span_id, str) and _SPAN_ID.fullmatch(self.span_id) else ""


@dataclass(slots=True)
class Lines:
    """Parallel lists, one entry a record. `text` is UTF-8, with U+FFFD for what is not, and without line ends."""

    text: list[bytes]
    offsets: list[int]
    told: Sequence[Told | None]
    """None for a line that is no JSON object."""
    times: list[int]
    """Nanoseconds since 1970: what the line says, else as in `seen`."""
    seen: list[int]
    """When it was read first."""
    invalid: frozenset[int] = frozenset()
    """The places of those that held bytes that are no UTF-8."""


class LineReader:
    """`time_field`: the member of a JSON line that holds its time. `dating` knows the time of lines that say none."""

    def __init__(self, time_field: str, dating: Dating) -> None:
        self._dating = dating
        self._decoder = msgspec.json.Decoder(_told_with(time_field))
        self._clock = Clock()

    def read(self, part: Part) -> Lines:
        chunk = part.chunk
        content = chunk.data.removesuffix(b"\n")
        raw = [content] if part.count == 1 else content.split(b"\n")
        offsets, offset = [], chunk.start
        for line in raw:
            offsets.append(offset)
            offset += len(line) + 1
        invalid = _invalid(content, raw, joined=chunk.joined)
        if not content.isascii():
            raw = _valid(content, raw)
            content = b"\n".join(raw)
        told: Sequence[Told | None] = [None] * len(raw) if chunk.piece else self._told(content, raw)
        seen = self._dating.times(chunk.source, offsets)
        times = [self._time(line, said, otherwise) for line, said, otherwise in zip(raw, told, seen, strict=True)]
        if chunk.joined:
            # No object spans lines, so these are texts. What was no UTF-8 has become U+FFFD, the marks with it.
            whole = chunk.data.removesuffix(b"\n").split(b"\n")
            raw = [_valid_joined(line) if MARK in line else text for line, text in zip(whole, raw, strict=True)]
            told = [None if MARK in line else said for line, said in zip(whole, told, strict=True)]
        if b"\r" in content:
            raw = [line.removesuffix(b"\r") for line in raw]
        return Lines(raw, offsets, told, times, seen, invalid)

    def _told(self, content: bytes, raw: list[bytes]) -> Sequence[Told | None]:
        # Every boundary between }newline{, and as many objects as lines: then there is one on each, whole. (A value can
        # begin after a closing brace only when that brace closed the object before.)
        if content.startswith(b"{") and content.endswith(b"}") and content.count(b"}\n{") == len(raw) - 1:
            try:
                told = self._decoder.decode_lines(content)
            except (msgspec.MsgspecError, RecursionError):
                told = []
            if len(told) == len(raw):
                return told
        return [self._told_by(line) for line in raw]

    def _told_by(self, line: bytes) -> Told | None:
        if not line.lstrip(b" \t").startswith(b"{"):
            return None
        try:
            return self._decoder.decode(line)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def _time(self, line: bytes, said: Told | None, otherwise: int) -> int:
        if said is None:
            own = self._clock.read_leading(line[:48].decode("utf-8", "replace")) if b"-" in line[:10] else None
        else:
            own = self._clock.read(said.time)
        return otherwise if own is None else own


def _invalid(content: bytes, raw: list[bytes], *, joined: bool) -> frozenset[int]:
    if not invalid_lines(content, joined=joined):
        return frozenset()
    return frozenset(place for place, line in enumerate(raw) if invalid_lines(line, joined=joined))


def _valid_joined(record: bytes) -> bytes:
    return b"\n".join(_valid(line, [line])[0].removesuffix(b"\r") for line in record.split(MARK))


def _valid(content: bytes, raw: list[bytes]) -> list[bytes]:
    """The lines as valid UTF-8. (A newline is never part of another character, so that the lines stay the same.)"""
    try:
        content.decode()
    except UnicodeDecodeError:
        return [line if line.isascii() else line.decode("utf-8", "replace").encode() for line in raw]
    return raw


def _told_with(time_field: str) -> type[Told]:
    if time_field in Told.__struct_fields__[1:]:
        time_field = ""  # that member has its own meaning here
    return cast(
        "type[Told]", msgspec.defstruct("Told", [("time", Any, None)], bases=(Told,), rename={"time": time_field})
    )
