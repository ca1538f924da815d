"""logfmt: `key=value key="quoted value" bare`; at least two pairs, and nothing that is not one. logrus text
and slog text are such.

A key that occurs twice keeps its last value. Values stay text, as logfmt has no types.
"""

import re
from typing import Final

from adapter_logformat.formats import json_app
from adapter_logformat.grammar import Format
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times

_PAIR: Final = re.compile(r'\s*+([^\s="]++)(?:=(?:"((?:[^"\\]++|\\.){0,9999}+)"|([^\s"]*+)))?+(?=\s|$)', re.ASCII)
MOST_PAIRS: Final = 1024
FEW: Final = 32
"""So many words must do to tell pairs from a sentence."""
_ESCAPE: Final = re.compile(r"\\(.)")
_PLAIN: Final = {"n": "\n", "t": "\t", "r": "\r"}


def read(line: str, times: Times) -> Record | None:
    """One logfmt line; `None` unless all of it is pairs and bare keys, two pairs at least."""
    fields: dict[str, object] = {}
    at, pairs, words, end = 0, 0, 0, len(line.rstrip())
    while at < end:
        found = _PAIR.match(line, at)
        if found is None:
            return None
        key, quoted, plain = found.groups()
        if quoted is not None:
            plain = _ESCAPE.sub(lambda escape: _PLAIN.get(escape[1], escape[1]), quoted)
        pairs += plain is not None
        words += 1
        if words > MOST_PAIRS or (words > FEW and pairs * 2 < words):
            return None
        fields[key] = plain if plain is not None else True
        at = found.end()
    if pairs < 2 or pairs * 2 < words:
        return None
    record = json_app.record(fields, times)
    record.format = "logfmt"
    return record


FORMATS: Final = (
    Format(
        name="logfmt",
        title="logfmt: key=value pairs (logrus text, slog text, go-kit, Heroku)",
        rank=30,
        read=read,
        sample='time="2026-11-20T08:51:00Z" level=info msg="started" port=8080',
        generic=True,
    ),
)
