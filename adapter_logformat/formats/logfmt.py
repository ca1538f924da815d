"""logfmt: `key=value key="quoted value" bare`; at least two pairs, and nothing that is not one. logrus text
and slog text are such.

A key that occurs twice keeps its last value. Values stay text, as logfmt has no types, but for those that a name asks
for. The request lines of lograge and of Heroku's router are such too.
"""

import re
from typing import Final

from adapter_logformat.formats import json_app
from adapter_logformat.formats.access import METHODS, put_request
from adapter_logformat.formats.json_dialects import ATTRIBUTES
from adapter_logformat.formats.pairs import unescaped
from adapter_logformat.grammar import Format, is_number
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS, of_status
from adapter_logformat.timestamps import Times

_PAIR: Final = re.compile(r'\s*+([^\s="]++)(?:=(?:"((?:[^"\\]++|\\.){0,9999}+)"|([^\s"]*+)))?+(?=\s|$)', re.ASCII)
MOST_PAIRS: Final = 1024
FEW: Final = 32
"""So many words must do to tell pairs from a sentence."""
_INTS: Final = frozenset(key for key, (_, kind) in ATTRIBUTES.items() if kind is int)
_PLACE: Final = re.compile(r"([\w./\-@]{1,300}?\.\w{1,5}):(\d{1,9})", re.ASCII)
_TOOK: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)ms", re.ASCII)
_STATUS: Final = re.compile(r"[1-5]\d\d", re.ASCII)


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
            plain = unescaped(quoted)
        pairs += plain is not None
        words += 1
        if words > MOST_PAIRS or (words > FEW and pairs * 2 < words):
            return None
        fields[key] = plain if plain is not None else True
        at = found.end()
    if pairs < 2 or pairs * 2 < words:
        return None
    for key in _INTS & fields.keys():
        text = fields[key]
        if isinstance(text, str) and is_number(text):
            fields[key] = int(text)
    record = json_app.record(fields, times)
    record.format = "logfmt"
    _place(record)
    _request(record)
    return record


def _place(record: Record) -> None:
    """`caller=main.go:12`, as go-kit, slog and logrus name the place in the code."""
    attributes = record.attributes
    for key in ("app.caller", "app.source", "app.file"):
        value = attributes.get(key)
        place = _PLACE.fullmatch(value) if isinstance(value, str) else None
        if place is not None and not attributes.keys() & {"code.file.path", "code.line.number"}:
            del attributes[key]
            attributes |= {"code.file.path": place[1], "code.line.number": int(place[2])}
            if "app.func" in attributes and "code.function.name" not in attributes:
                attributes["code.function.name"] = attributes.pop("app.func")
            return


def _request(record: Record) -> None:
    """A request that was answered has method, path and status."""
    attributes = record.attributes
    method, target, status = (attributes.get(f"app.{key}") for key in ("method", "path", "status"))
    if not (method in METHODS and isinstance(target, str) and isinstance(status, str) and _STATUS.fullmatch(status)):
        return
    for key in ("app.method", "app.path", "app.status"):
        del attributes[key]
    attributes["http.response.status_code"] = int(status)
    put_request(f"{method} {target}", attributes)
    record.body = record.body or f"{method} {target}"
    level = attributes.get("app.at")
    if record.severity_text is None and isinstance(level, str) and level.upper() in WORDS:
        record.severity_text, record.severity_number = level, WORDS[level.upper()]
        del attributes["app.at"]
    elif record.severity_number is None:
        record.severity_number = of_status(int(status))
    if "app.dyno" in attributes:
        _router(record)
    elif "app.controller" in attributes and "app.action" in attributes:
        attributes["code.function.name"] = f"{attributes.pop('app.controller')}#{attributes.pop('app.action')}"
        took = attributes.get("app.duration")
        if isinstance(took, str) and _TOOK.fullmatch(took + "ms"):
            attributes["http.server.request.duration"] = float(took) / 1000
            del attributes["app.duration"]


def _router(record: Record) -> None:
    """Heroku's router: `service` is how long the app took, `fwd` whom the request came from."""
    attributes = record.attributes
    took = _TOOK.fullmatch(str(record.resource.get("service.name")))
    if took is not None:
        del record.resource["service.name"]
        attributes["http.server.request.duration"] = float(took[1]) / 1000
    if "app.host" in attributes:
        attributes["server.address"] = attributes.pop("app.host")
    chain = attributes.pop("app.fwd", None)
    if isinstance(chain, str):
        attributes["client.address"] = chain.partition(",")[0]
        if "," in chain:
            attributes["http.request.header.x-forwarded-for"] = [chain]
    size = attributes.get("app.bytes")
    if isinstance(size, str) and is_number(size):
        attributes["http.response.body.size"] = int(size)
        del attributes["app.bytes"]


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
