"""The W3C extended log: IIS (between spaces) and CloudFront (between tabs). `#Fields:` names the columns of the lines
below it, and may change in mid-file; without one, the columns IIS writes by default are tried.
"""

import re
from typing import Final
from urllib.parse import unquote

from adapter_logformat.grammar import Format
from adapter_logformat.record import Record
from adapter_logformat.severity import of_status
from adapter_logformat.timestamps import Times

FIELDS: Final = "w3c.fields"
_DIRECTIVE: Final = re.compile(r"#(Software|Version|Date|Fields|Start-Date|End-Date|Remark): ?(.*)")
_DEFAULT: Final = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status "
    "sc-substatus sc-win32-status time-taken"
)
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
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
    names = times.directives.get(FIELDS, _DEFAULT).split()
    tabbed = "\t" in line
    values = line.split("\t" if tabbed else " ")
    if len(values) != len(names) or len(names) < 3:
        return None
    told = {name: value for name, value in zip(names, values, strict=True) if value not in ("-", "")}
    date, clock = _DATE.fullmatch(told.pop("date", "")), _CLOCK.fullmatch(told.pop("time", ""))
    if date is None or clock is None or any(name in told and not _NUMBER.fullmatch(told[name]) for name in _NUMBERS):
        return None
    record = Record("w3c", body=line)
    record.timestamp = times.iso(f"{date[0]} {clock[1]}", clock[2], "Z")
    if record.timestamp is None:
        record.error = "time"
        record.attributes["app.time"] = f"{date[0]} {clock[0]}"
    for name, value in told.items():
        _put(record, name, value, tabbed=tabbed)
    return record


def _put(record: Record, name: str, value: str, *, tabbed: bool) -> None:
    attributes = record.attributes
    if name in _NUMBERS:
        attributes[_NUMBERS[name]] = int(value)
        if name == "sc-status":
            record.severity_number = of_status(int(value))
    elif name == "time-taken" and re.fullmatch(r"\d{1,12}(?:\.\d{1,9})?", value, re.ASCII):
        # IIS counts milliseconds, CloudFront seconds.
        attributes["http.server.request.duration"] = float(value) if tabbed else int(float(value)) / 1000
    elif name == "cs(Referer)":
        attributes["http.request.header.referer"] = [_plain(value, tabbed=tabbed)]
    elif name in _TEXTS:
        attributes[_TEXTS[name]] = _plain(value, tabbed=tabbed) if name.startswith("cs(") else value
    else:
        attributes["app." + name] = value


def _plain(value: str, *, tabbed: bool) -> str:
    """In header fields IIS writes `+` for a space; CloudFront escapes with percent signs."""
    return unquote(value, errors="replace") if tabbed else value.replace("+", " ")


FORMATS: Final = (
    Format(
        name="w3c",
        title="W3C extended log: IIS, CloudFront",
        rank=88,
        read=read,
        sample="2026-11-20 08:51:00 192.0.2.10 GET /items id=7 443 - 192.0.2.1 Mozilla/5.0+(X11) - 200 0 0 15",
    ),
)
