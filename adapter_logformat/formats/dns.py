"""Logs of name servers: BIND, Unbound, CoreDNS, and the client that they name."""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import HMS, ISO, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import LINES
from adapter_logformat.record import Record
from adapter_logformat.severity import DEBUG, SYSLOG_WORDS, WORDS

_LOGGER: Final[Field] = ("otel.scope.name", str)
_BIND_SCALE: Final = {**SYSLOG_WORDS, **{f"DEBUG {step}": DEBUG for step in range(100)}}
_BIND_CLIENT: Final = re.compile(
    r"client (?:@0x[0-9a-f]{1,16} )?(?P<client>[0-9a-fA-F:.]{2,60}+)#(?P<port>\d{1,5}+)(?: \((?P<name>[^)]{1,255}+)\))?"
)
_BIND_QUERY: Final = re.compile(
    r"(?:: view [^:]{1,100}+)?: query: (?P<name>\S{1,255}+) (?P<class>[A-Z]{2,10}+) (?P<kind>[A-Z0-9\-]{1,20}+) "
    r"(?P<flags>[+-]\S{0,30}+)(?: \((?P<server>[0-9a-fA-F:.]{2,60}+)\))?"
)
_UNBOUND_QUERY: Final = re.compile(r"(?P<client>[0-9a-fA-F:.]{2,60}+) (?P<name>\S{1,255}+\.) [A-Z0-9]{1,10} IN\b.*")


def _client(record: Record, found: re.Match[str] | None) -> None:
    if found is None:
        return
    for group, value in found.groupdict().items():
        if value and group == "port":
            record.attributes["client.port"] = int(value)
        elif value:
            record.attributes["client.address" if group == "client" else "dns.question.name"] = value


def _bind(record: Record, found: Mapping[str, str | None]) -> bool:
    who = _BIND_CLIENT.match(record.body or "")
    _client(record, who)
    query = _BIND_QUERY.match(record.body or "", who.end()) if who is not None else None
    if query is not None:
        record.attributes["dns.question.name"] = query["name"]
        record.attributes["app.query.type"], record.attributes["app.query.class"] = query["kind"], query["class"]
        record.attributes["app.query.flags"] = query["flags"]
        if query["server"]:
            record.attributes["server.address"] = query["server"]
    return found["level"] is not None or who is not None


def _unbound(record: Record, found: Mapping[str, str | None]) -> bool:
    _client(record, _UNBOUND_QUERY.fullmatch(record.body or ""))
    return True


LAYOUTS: Final = (
    Layout(
        name="bind",
        title="BIND's named: `time category: severity: message`",
        rank=86,
        pattern=rf"(?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) {HMS} "
        r"(?:(?P<logger>[a-z][a-z\-]{1,30}+): (?=critical|error|warning|notice|info|debug|client))?"
        r"(?:(?P<level>critical|error|warning|notice|info|debug \d\d?): )?(?P<body>.*)",
        sample="20-Nov-2026 08:51:00.123 general: error: zone example.com/IN: loading failed",
        scale=_BIND_SCALE,
        fields={"logger": _LOGGER},
        time=parts_time,
        rule=LINES,
        finish=_bind,
    ),
    Layout(
        name="unbound",
        title="Unbound: `[epoch] unbound[pid:thread] level: message`",
        rank=86,
        pattern=r"\[(?P<epoch>\d{9,11}+)\] (?P<program>unbound[\w\-]{0,20}+)"
        r"\[(?P<pid>\d{1,10}+):(?P<tid>[0-9a-f]{1,8}+)\] "
        r"(?P<level>fatal error|error|warning|notice|info|debug|query|reply): (?P<body>.*)",
        sample="[1795161060] unbound[7:0] info: 192.0.2.7 example.com. A IN",
        scale={**WORDS, "FATAL ERROR": WORDS["FATAL"], "QUERY": WORDS["INFO"], "REPLY": WORDS["INFO"]},
        fields={"program": ("app.program", str), "pid": ("process.pid", int), "tid": ("app.thread", str)},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0)),
        rule=LINES,
        finish=_unbound,
    ),
    Layout(
        name="coredns",
        title="CoreDNS, with or without time: queries and what its plugins say",
        rank=86,
        pattern=rf"(?:{ISO} )?\[(?P<level>DEBUG|INFO|WARNING|ERROR|FATAL|PANIC)\] (?P<body>"
        r"(?:(?P<client>\[[0-9a-fA-F:.%]{2,60}+\]|[\d.]{7,15}+):(?P<port>\d{1,5}+) - (?P<id>\d{1,5}+) "
        r'"(?P<kind>\S{1,20}+) (?P<class>\S{1,10}+) (?P<name>\S{1,255}+) (?P<transport>\S{1,10}+) (?P<asked>\d{1,9}+) '
        r'(?P<do>true|false) (?P<buffer>\d{1,9}+)" (?P<rcode>\S{1,20}+) (?P<flags>\S{1,60}+) (?P<size>\d{1,9}+) '
        r"(?P<took>\d{1,9}(?:\.\d{1,12}+)?)s|plugin/(?P<plugin>[\w\-]{1,60}+)(?:: .*|$)))",
        sample='[INFO] 192.0.2.7:36413 - 21583 "A IN example.com. udp 43 false 512" NXDOMAIN qr,rd,ra 136 0.000102078s',
        scale=WORDS,
        fields={
            "client": ("client.address", lambda text: text.strip("[]")),
            "port": ("client.port", int),
            "id": ("app.query.id", int),
            "kind": ("app.query.type", str),
            "class": ("app.query.class", str),
            "name": ("dns.question.name", str),
            "transport": ("network.transport", str),
            "asked": ("app.query.size", int),
            "do": ("app.query.dnssec", lambda text: text == "true"),
            "buffer": ("app.query.buffer_size", int),
            "rcode": ("app.response.code", str),
            "flags": ("app.response.flags", str),
            "size": ("app.response.size", int),
            "took": ("app.duration", float),
            "plugin": ("otel.scope.name", str),
        },
        time=lambda times, found: iso_time(times, found) if found["second"] else None,
        rule=LINES,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
