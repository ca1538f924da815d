"""The W3C extended log: IIS (between spaces) and CloudFront (between tabs). `#Fields:` names the columns of the lines
below it, and may change in mid-file; a line that has other columns is read only as one of the sets that IIS and
CloudFront write by default, and only where each column holds what it must.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from adapter_logformat.grammar import Format
from adapter_logformat.record import Record
from adapter_logformat.severity import of_status
from adapter_logformat.timestamps import Times

FIELDS: Final = "w3c.fields"
_DIRECTIVE: Final = re.compile(r"#(Software|Version|Date|Fields|Start-Date|End-Date|Remark): ?(.*)")
_REQUEST: Final = "cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
_STATUS: Final = "sc-status sc-substatus sc-win32-status"
_DEFAULTS: Final = tuple(
    tuple(f"date time {names}".split())
    for names in (
        f"s-ip {_REQUEST} cs(User-Agent) cs(Referer) {_STATUS} time-taken",
        f"s-ip {_REQUEST} cs(User-Agent) {_STATUS} time-taken",
        f"s-sitename s-ip {_REQUEST} cs(User-Agent) {_STATUS}",
        f"s-sitename s-computername s-ip {_REQUEST} cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host {_STATUS} "
        "sc-bytes cs-bytes time-taken",
        f"s-sitename s-computername s-ip {_REQUEST} cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host {_STATUS} "
        "sc-bytes cs-bytes time-taken X-Forwarded-For",
        f"s-ip {_REQUEST} cs(User-Agent) cs(Referer) {_STATUS} time-taken X-Forwarded-For",
    )
)
_CLOUDFRONT: Final = (
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status",
    "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type", "x-edge-request-id",
    "x-host-header", "cs-protocol", "cs-bytes", "time-taken", "x-forwarded-for", "ssl-protocol", "ssl-cipher",
    "x-edge-response-result-type", "cs-protocol-version", "fle-status", "fle-encrypted-fields", "c-port",
    "time-to-first-byte", "x-edge-detailed-result-type", "sc-content-type", "sc-content-len", "sc-range-start",
    "sc-range-end",
)  # fmt: skip
"""Grown over the years: a line may have fewer."""
FEWEST_CLOUDFRONT: Final = 18
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+(?:%\w{1,20})?", re.ASCII)
_METHOD: Final = re.compile(r"[A-Z][A-Z_\-]{1,30}", re.ASCII)
_GUESSED: Final = {
    "s-ip": _ADDRESS, "c-ip": _ADDRESS, "cs-method": _METHOD, "time-taken": _SECONDS, "X-Forwarded-For": _ADDRESS,
}  # fmt: skip
_VALUE: Final = re.compile(r'"[^"]*+"(?= |$)|(?<![^ ])[^ "][^ ]*+')
LONGEST_QUOTED: Final = 1 << 16
_CLOCK: Final = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_TEXTS: Final = {
    "s-ip": "server.address", "cs-method": "http.request.method", "cs-uri-stem": "url.path",
    "cs-uri-query": "url.query", "cs-username": "user.name", "c-ip": "client.address",
    "cs(User-Agent)": "user_agent.original", "cs-host": "app.host", "s-sitename": "app.site",
    "s-computername": "app.computer",
}  # fmt: skip
_NUMBERS: Final = {
    "s-port": "server.port", "c-port": "client.port", "sc-status": "http.response.status_code",
    "sc-bytes": "http.response.size", "cs-bytes": "http.request.size", "sc-substatus": "app.sc_substatus",
    "sc-win32-status": "app.sc_win32_status",
}  # fmt: skip


def read(line: str, times: Times) -> Record | None:
    """A directive, or a line with exactly the columns that were named."""
    if line.startswith("#"):
        directive = _DIRECTIVE.fullmatch(line)
        if directive is None:
            return None
        if directive[1] == "Fields":
            times.directives[FIELDS] = directive[2].strip()
        return Record("w3c", body=line)
    tabbed = "\t" in line
    named = times.directives.get(FIELDS, "").split()
    values = line.split("\t") if tabbed else _values(line) if named and '"' in line else line.split(" ")
    names: Sequence[str] = named if len(named) == len(values) else _guessed(values, tabbed=tabbed)
    if len(names) < 3:
        return None
    told = {name: value for name, value in zip(names, values, strict=True) if value not in ("-", "")}
    if "cs-uri-query" not in told and "?" in (stem := told.get("cs-uri-stem", "")):
        told["cs-uri-stem"], _, told["cs-uri-query"] = stem.partition("?")
    is_local = "date" not in told and "time" not in told
    date, clock = (
        pattern.fullmatch(told.pop(f"{name}-local" if is_local else name, ""))
        for name, pattern in (("date", _DATE), ("time", _CLOCK))
    )
    if date is None or clock is None or any(name in told and not _NUMBER.fullmatch(told[name]) for name in _NUMBERS):
        return None
    record = Record("w3c", body=line)
    record.timestamp = times.iso(f"{date[0]} {clock[1]}", clock[2], None if is_local else "Z")
    if record.timestamp is None:
        record.error = "time"
        record.attributes["app.time"] = f"{date[0]} {clock[0]}"
    for name, value in told.items():
        _put(record, name, value, tabbed=tabbed)
    return record


def _values(line: str) -> list[str]:
    """Columns between blanks; one in quotes may hold blanks, which its own kind of server writes so."""
    values = _VALUE.findall(line) if len(line) <= LONGEST_QUOTED else []
    return [value[1:-1] if value[:1] == '"' else value for value in values]


def _guessed(values: Sequence[str], *, tabbed: bool) -> Sequence[str]:
    """The default columns that these values are; empty where they fit none, or more than one."""
    if tabbed:
        sets = [_CLOUDFRONT[: len(values)]] if FEWEST_CLOUDFRONT <= len(values) <= len(_CLOUDFRONT) else []
    else:
        sets = [names for names in _DEFAULTS if len(names) == len(values)]
    fitting = [names for names in sets if all(map(_fits, names, values))]
    return fitting[0] if len(fitting) == 1 else ()


def _fits(name: str, value: str) -> bool:
    if name in ("c-ip", "cs-method", "sc-status"):
        return (_GUESSED.get(name) or _NUMBER).fullmatch(value) is not None
    pattern = _GUESSED.get(name) or (_NUMBER if name in _NUMBERS else None)
    return value == "-" or pattern is None or pattern.fullmatch(value) is not None


def _put(record: Record, name: str, value: str, *, tabbed: bool) -> None:
    attributes = record.attributes
    if name in _NUMBERS:
        attributes[_NUMBERS[name]] = int(value)
        if name == "sc-status":
            record.severity_number = of_status(int(value))
    elif name in ("time-taken", "TimeTakenMS") and _SECONDS.fullmatch(value):
        # IIS counts milliseconds, CloudFront seconds.
        attributes["http.server.request.duration"] = float(value) if tabbed else int(float(value)) / 1000
    elif name in ("cs-version", "cs-protocol-version") and value.startswith("HTTP/"):
        attributes["network.protocol.name"], attributes["network.protocol.version"] = "http", value[5:]
    elif name == "cs-uri":
        attributes["url.path"], mark, query = value.partition("?")
        if mark:
            attributes["url.query"] = query
    elif name == "cs(Referer)":
        attributes["http.request.header.referer"] = [_plain(value, tabbed=tabbed)]
    elif name in _TEXTS:
        attributes[_TEXTS[name]] = _plain(value, tabbed=tabbed) if name.startswith("cs(") else value
    else:
        attributes["app." + name] = value


def _plain(value: str, *, tabbed: bool) -> str:
    """In header fields IIS writes `+` for a space, others quote them; CloudFront escapes with percent signs."""
    return unquote(value, errors="replace") if tabbed else value if " " in value else value.replace("+", " ")


FORMATS: Final = (
    Format(
        name="w3c",
        title="W3C extended log: IIS, CloudFront",
        rank=88,
        read=read,
        sample="2026-11-20 08:51:00 192.0.2.10 GET /items id=7 443 - 192.0.2.1 Mozilla/5.0+(X11) - 200 0 0 15",
    ),
)
