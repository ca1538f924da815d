"""What firewalls and intrusion detection write: pairs that begin with `date=… time=…` (FortiGate, Sophos), Snort's and
Suricata's alerts, and what pfSense's filter says in a syslog message.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import Field, Format, Layout, is_number, parts_time, unread_time
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import ALERT, CRIT, DEBUG, ERROR, FATAL, INFO, NOTICE, WARN
from adapter_logformat.timestamps import Times

MOST_PAIRS: Final = 512
FEWEST_PAIRS: Final = 4
LONGEST_ALERT: Final = 4096

_BEGINS: Final = re.compile(
    r"(?:[a-z_]{2,30}=(?:\"[^\"]{0,80}+\"|[^\s\"]{0,80}+) ){0,8}?"
    r"date=\"?(?P<date>\d{4}-\d\d-\d\d)\"? time=\"?(?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}+))?\"? ",
    re.ASCII,
)
_PAIR: Final = re.compile(
    r"\s*+([A-Za-z_][\w.\-]{0,100}+)=(?:\"((?:[^\"\\]++|\\.){0,9999}+)\"|([^\s\"]*+))(?=\s|$)", re.ASCII
)
_ESCAPE: Final = re.compile(r"\\([\"\\])")
_ZONE: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}?):?(\d\d)?", re.ASCII)
_LEVELS: Final = {
    "EMERGENCY": FATAL, "ALERT": ALERT, "CRITICAL": CRIT, "ERROR": ERROR, "WARNING": WARN, "NOTICE": NOTICE,
    "NOTIFICATION": NOTICE, "INFORMATION": INFO, "DEBUG": DEBUG,
}  # fmt: skip
_TARGETS: Final[Mapping[str, Field]] = {
    "srcip": ("source.address", str), "src_ip": ("source.address", str), "dstip": ("destination.address", str),
    "dst_ip": ("destination.address", str), "srcport": ("source.port", int), "src_port": ("source.port", int),
    "dstport": ("destination.port", int), "dst_port": ("destination.port", int), "user": ("user.name", str),
    "user_name": ("user.name", str), "agent": ("user_agent.original", str), "httpmethod": ("http.request.method", str),
}  # fmt: skip
_UNITS: Final = {10: 0, 13: 3, 16: 6, 19: 9}
"""Digits of an `eventtime` → those behind its seconds."""

_ALERT_TEXT: Final = (
    r"\[(?P<generator>\d{1,10}+):(?P<signature>\d{1,10}+):(?P<revision>\d{1,10}+)\] (?P<body>.{0,1000}?)(?: \[\*\*\])?"
    r"(?: \[Classification: (?P<classification>[^\]]{0,200}+)\])?(?: \[Priority: (?P<priority>\d{1,3}+)\]):?"
    r"(?: <[^>]{1,60}+>)? \{(?P<transport>[^}]{1,30}+)\} (?P<source>\S{1,100}+) -> (?P<destination>\S{1,100}+)"
)
_ALERT: Final = re.compile(_ALERT_TEXT, re.ASCII)
_PARTY: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})|\[?([0-9a-fA-F:.]{2,60}?)\]?:(\d{1,5})", re.ASCII)
_PRIORITIES: Final = {"1": ERROR, "2": WARN, "3": INFO, "4": INFO}
_FILTER: Final = re.compile(r"\d{1,10}(?:,[^,]{0,200}+){3},(?:[^,]{0,60}+,){2}[a-z]{2,20},(?:in|out),[46],", re.ASCII)


def read_pairs(line: str, times: Times) -> Record | None:
    """Pairs with the date and the time among the first; what is no pair of its own is kept beside them."""
    begins = _BEGINS.match(line)
    if begins is None:
        return None
    told: dict[str, str] = {}
    at, end, is_whole = 0, len(line.rstrip()), True
    while at < end and (found := _PAIR.match(line, at)) is not None and len(told) < MOST_PAIRS:
        is_whole = is_whole and found[1] not in told
        told.setdefault(found[1], _ESCAPE.sub(r"\1", found[2]) if found[2] is not None else found[3])
        at = found.end()
    if len(told) < FEWEST_PAIRS or told.get("date") != begins["date"] or "time" not in told:
        return None
    record = Record("firewall_pairs")
    if at < end or not is_whole:
        record.attributes["app.extra"] = [line if at >= end else line[at:].strip()]
    record.timestamp = _moment(told, begins, times)
    written = f"{told.pop('date')} {told.pop('time')}"
    for name in ("msg", "message"):
        if record.body is None and told.get(name):
            record.body = told.pop(name)
    for name in ("level", "priority"):
        if record.severity_text is None and told.get(name, "").upper() in _LEVELS:
            record.severity_text = told.pop(name)
            record.severity_number = _LEVELS[record.severity_text.upper()]
    if told.get("devname"):
        record.resource["host.name"] = told.pop("devname")
    for name, value in told.items():
        _put(record, name, value)
    if record.timestamp is None:
        unread_time(record, written)
    return record


def _moment(told: Mapping[str, str], begins: re.Match[str], times: Times) -> Stamp | None:
    """The device's clock with its zone; where it names none, the seconds since the epoch."""
    zone, event = _ZONE.fullmatch(told.get("tz", "")), told.get("eventtime", "")
    if zone is None and is_number(event, 19) and len(event) in _UNITS:
        return times.epoch(int(event), unit_digits=_UNITS[len(event)])
    hours = None if zone is None else f"{zone[1]}{int(zone[2]):02d}:{zone[3] or '00'}"
    year, month, day = begins["date"].split("-")
    return times.parts(year, month, day, begins["clock"], begins["fraction"], hours or told.get("timezone"))


def _put(record: Record, key: str, value: str) -> None:
    name, kind = _TARGETS.get(key, (OWN_PREFIX + key, str))
    if (kind is int and not is_number(value, 5)) or name in record.attributes:
        name, kind = OWN_PREFIX + key, str
    record.attributes[name] = kind(value)


def _alert(record: Record, found: Mapping[str, str | None]) -> bool:
    """Who, to whom, and the rule; 1 is the highest priority."""
    attributes = record.attributes
    attributes["app.rule"] = f"{found['generator']}:{found['signature']}:{found['revision']}"
    if found["classification"]:
        attributes["app.classification"] = found["classification"]
    transport = (found["transport"] or "").lower()
    attributes["network.transport"] = transport
    if found["priority"] is not None:
        record.severity_text, record.severity_number = found["priority"], _PRIORITIES.get(found["priority"])
    for side in ("source", "destination"):
        written = found[side] or ""
        party = _PARTY.fullmatch(written)
        if party is not None and (party[1] or transport in ("tcp", "udp", "sctp")):
            attributes[f"{side}.address"], attributes[f"{side}.port"] = party[1] or party[3], int(party[2] or party[4])
        else:
            attributes[f"{side}.address"] = written
    return True


def tell_alert(record: Record) -> bool:
    """Adds what an alert in a syslog message says; the message stays as it is."""
    text = record.body or ""
    found = _ALERT.fullmatch(text) if len(text) <= LONGEST_ALERT else None
    if found is None:
        return False
    given = record.severity_text, record.severity_number
    _alert(record, found.groupdict())
    if given[1] is not None:
        record.severity_text, record.severity_number = given
    return True


def tell_filter(record: Record) -> bool:
    """Adds what pfSense's `filterlog` says of a packet."""
    text = record.body or ""
    if _FILTER.match(text) is None:
        return False
    values = text.split(",", 32)
    is_4 = values[8] == "4"
    transport, source = (16, 18) if is_4 else (12, 15)
    if len(values) < source + 2:
        return False
    attributes = record.attributes
    for name, value in zip(("app.rule", "app.tracker", "app.interface", "app.action", "app.direction"),
                           (values[0], values[3], values[4], values[6], values[7]), strict=True):  # fmt: skip
        if value:
            attributes[name] = value
    attributes["network.transport"] = values[transport].lower()
    attributes["source.address"], attributes["destination.address"] = values[source : source + 2]
    for name, value in zip(("source.port", "destination.port"), values[source + 2 : source + 4], strict=False):
        if attributes["network.transport"] in ("tcp", "udp") and is_number(value, 5):
            attributes[name] = int(value)
    return True


LAYOUTS: Final = (
    Layout(
        name="snort",
        title="Alerts of Snort and Suricata: `month/day-time [**] [rule] message [**] … {protocol} from -> to`",
        rank=88,
        pattern=r"(?P<month>\d\d)/(?P<day>\d\d)(?:/(?P<year>\d{4}|\d\d))?-(?P<clock>\d\d:\d\d:\d\d)\."
        r"(?P<fraction>\d{1,9}) {1,2}(?:\[(?P<action>\w{1,20})\] )?\[\*\*\] " + _ALERT_TEXT,
        sample="11/20/2026-08:51:00.655000  [**] [1:2001219:20] Potential SSH scan [**] [Classification: Attempted "
        "Information Leak] [Priority: 2] {TCP} 192.0.2.7:51200 -> 192.0.2.1:22",
        scale={},
        fields={"action": ("app.action", str)},
        time=parts_time,
        finish=_alert,
    ),
)

FORMATS: Final = (
    Format(
        name="firewall_pairs",
        title="Firewalls' pairs that begin with `date=… time=…`: FortiGate, Sophos",
        rank=88,
        read=read_pairs,
        sample='date=2026-11-20 time=03:51:00 devname="fw-1" level="warning" tz="-0500" srcip=192.0.2.7 srcport=61930 '
        'dstip=192.0.2.1 dstport=443 action="blocked" msg="URL belongs to a denied category"',
    ),
    *(layout.format() for layout in LAYOUTS),
)
