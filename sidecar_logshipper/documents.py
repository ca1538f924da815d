"""Each record as one JSON object with the members of its origin, and, where asked for, its time and id. Pure.

No member comes twice, for some servers refuse that: where a line has a member of the same name, the line's own stands.
A line that is no JSON object becomes `{"message": …}`.
"""

import msgspec

from sidecar_logshipper.batch import Part
from sidecar_logshipper.lines import LineReader, Lines
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.times import Clock

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Documents:
    """`time_name`: each document gets its time under this name, unless it has a usable one there; empty for none.

    `id_name`: each gets its id under this name; empty for none. `time_field`: where a JSON line holds its time.
    """

    def __init__(
        self, origin: Origin, *, time_field: str = "timestamp", time_name: str = "", id_name: str = ""
    ) -> None:
        self._origin = origin
        self._reader = LineReader(time_field)
        self._clock = Clock()
        self._time_field = time_field
        self._time_name = time_name
        self._id_name = id_name
        self._members = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in origin.members.items()}
        self._front = msgspec.json.encode(origin.members)[:-1]
        self._names = [msgspec.json.encode(name) for name in (*origin.members, time_name, id_name) if name]

    def of(self, part: Part) -> list[bytes]:
        return self.written(part, self._reader.read(part))

    def read(self, part: Part) -> Lines:
        return self._reader.read(part)

    def written(self, part: Part, lines: Lines) -> list[bytes]:
        """The documents of lines that were read already."""
        prefix = self._origin.id_prefix(part.chunk.source) if self._id_name else ""
        collide = any(name in part.chunk.data for name in self._names)
        if not collide and not self._time_name and not self._id_name:
            tails = None
        else:
            tails = [self._own(time, offset, prefix) for time, offset in zip(lines.times, lines.offsets, strict=True)]
        documents = []
        front = self._front
        for place, (text, told) in enumerate(zip(lines.text, lines.told, strict=True)):
            own = front if tails is None else _with(front, tails[place])
            if told is None:
                partial = b'"log.partial":true,' if part.chunk.piece else b""
                message = msgspec.json.encode(text.decode())
                documents.append((own + b"," if len(own) > 1 else own) + partial + b'"message":' + message + b"}")
            elif collide and any(name in text for name in self._names):
                documents.append(self._merged(text, lines.times[place], lines.offsets[place], prefix))
            else:
                documents.append(_put_in_front(own, text))
        return documents

    def _own(self, time: int, offset: int, prefix: str) -> bytes:
        """The members that differ from line to line, without braces."""
        written = []
        if self._time_name:
            written.append(b'"%b":"%b"' % (self._time_name.encode(), self._clock.written(time).encode()))
        if self._id_name:
            written.append(b"%b:%b" % (msgspec.json.encode(self._id_name), msgspec.json.encode(f"{prefix}{offset}")))
        return b",".join(written)

    def _merged(self, text: bytes, time: int, offset: int, prefix: str) -> bytes:
        own = _OBJECT.decode(text)
        merged: dict[str, msgspec.Raw] = dict(self._members)
        if self._id_name:
            merged[self._id_name] = msgspec.Raw(msgspec.json.encode(f"{prefix}{offset}"))
        merged |= own
        if self._time_name and not self._is_time(own.get(self._time_name)):
            merged[self._time_name] = msgspec.Raw(msgspec.json.encode(self._clock.written(time)))
        return msgspec.json.encode(merged)

    def _is_time(self, value: msgspec.Raw | None) -> bool:
        return value is not None and self._clock.read(msgspec.json.decode(value)) is not None


def _with(front: bytes, tail: bytes) -> bytes:
    if not tail:
        return front
    return front + (b"," if len(front) > 1 else b"") + tail


def _put_in_front(front: bytes, text: bytes) -> bytes:
    """`front`, an object without its closing brace, and the members of the object `text`."""
    rest = text.lstrip(b" \t")[1:].lstrip(b" \t\r")
    if len(front) == 1:
        return b"{" + rest
    return front + (b"" if rest.startswith(b"}") else b",") + rest
