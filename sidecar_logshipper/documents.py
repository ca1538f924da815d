"""Each record as one JSON object with the members of its origin, and, where asked for, its time and id. Pure.

No member comes twice, for some servers refuse that: where a line has a member of the same name, the line's own stands.
A line that is no JSON object becomes `{"message": …}`.
"""

import msgspec

from sidecar_logshipper.batch import Part
from sidecar_logshipper.lines import LineReader, Lines, Told
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.times import Clock, is_rfc3339

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PARTIAL = b'"log.partial":true,'
_INVALID = b'"log.invalid_utf8"'


class Documents:
    """`time_name`: each document gets its time under this name, unless it has RFC 3339 text there; empty for none.

    `id_name`: each gets its id under this name; empty for none. `time_field`: where a JSON line holds its time.
    """

    def __init__(
        self, origin: Origin, *, time_field: str = "timestamp", time_name: str = "", id_name: str = ""
    ) -> None:
        self._origin = origin
        self._reader = LineReader(time_field, origin.dating)
        self._clock = Clock()
        self._time_name = time_name
        self._time_is_own = time_name == time_field
        self._id_name = id_name
        self._members = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in origin.members.items()}
        self._front = msgspec.json.encode(origin.members)[:-1]
        self._time_key = msgspec.json.encode(time_name)
        self._id_key = msgspec.json.encode(id_name)
        # As JSON texts nearly always write them. A name with needless escapes in it is not seen, and comes twice.
        self._names = [msgspec.json.encode(name) for name in (*origin.members, id_name) if name]

    def of(self, part: Part) -> list[bytes]:
        return self.written(part, self._reader.read(part))

    def read(self, part: Part) -> Lines:
        return self._reader.read(part)

    def written(self, part: Part, lines: Lines) -> list[bytes]:
        """The documents of lines that were read already."""
        names = [name for name in self._names if name in part.chunk.data]
        stands = [self._stands(told) for told in lines.told]
        if not names and not self._id_name and None not in lines.told and all(stands) and not lines.invalid:
            front = self._front
            return lines.text if len(front) == 1 else [_put_in_front(front, text) for text in lines.text]
        return self._each(part, lines, stands, names)

    def _stands(self, told: Told | None) -> bool:
        """Nothing is to be said about the time of this line."""
        return not self._time_name or (self._time_is_own and told is not None and is_rfc3339(told.time))

    def _each(self, part: Part, lines: Lines, stands: list[bool], names: list[bytes]) -> list[bytes]:
        """The same as the fast path of `written`, for lines of every kind; `names` are those to look for."""
        id_prefix = self._origin.id_prefix(part.chunk.source)
        documents = []
        for place, (text, told, stand, time, offset) in enumerate(
            zip(lines.text, lines.told, stands, lines.times, lines.offsets, strict=True)
        ):
            own = {} if stand else {self._time_key: b'"' + self._clock.written(time).encode() + b'"'}
            if self._id_name:
                own[self._id_key] = msgspec.json.encode(f"{id_prefix}{offset}")
            if place in lines.invalid:
                own[_INVALID] = b"true"
            if told is None:
                front = self._in_front(own)
                separator = b"," if len(front) > 1 else b""
                partial = _PARTIAL if part.chunk.piece else b""
                message = msgspec.json.encode(text.decode())
                documents.append(front + separator + partial + b'"message":' + message + b"}")
            elif any(name in text for name in (names if stand else (*names, self._time_key))):
                documents.append(self._merged(text, own))
            else:
                documents.append(_put_in_front(self._in_front(own), text))
        return documents

    def _in_front(self, own: dict[bytes, bytes]) -> bytes:
        if not own:
            return self._front
        written = b",".join(key + b":" + value for key, value in own.items())
        return self._front + (b"," if len(self._front) > 1 else b"") + written

    def _merged(self, text: bytes, own: dict[bytes, bytes]) -> bytes:
        """What the line says comes last and stands, except for a time that is none."""
        said = _OBJECT.decode(text)
        merged = self._members | {msgspec.json.decode(key): msgspec.Raw(value) for key, value in own.items()}
        time = merged.get(self._time_name)
        merged |= said
        said_time = said.get(self._time_name)
        if time is not None and said_time is not None and not _is_time(said_time):
            merged[self._time_name] = time
        return msgspec.json.encode(merged)


def _is_time(said: msgspec.Raw) -> bool:
    """What cannot be read, such as a number beyond all floats or an endless nesting, is no time."""
    try:
        return is_rfc3339(msgspec.json.decode(said))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        return False


def _put_in_front(front: bytes, text: bytes) -> bytes:
    """`front`, an object without its closing brace, and the members of the object `text`."""
    rest = text.lstrip(b" \t")[1:].lstrip(b" \t\r")
    if len(front) == 1:
        return b"{" + rest
    return front + (b"" if rest.startswith(b"}") else b",") + rest
