"""Syslog as it lies in files and comes from relays: RFC 5424 and the older RFC 3164, with or without priority.

Severity comes from the priority (RFC 5424, chapter 6.2.1); a line without one has none.
"""

import re
from typing import Final

from adapter_logformat.grammar import Format, unread_time
from adapter_logformat.record import Record
from adapter_logformat.severity import SYSLOG_NUMBERS
from adapter_logformat.timestamps import Times

WORDS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_RFC3164: Final = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?P<month>[A-Z][a-z][a-z]) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d)"
    r" (?P<host>[^\s:\[\]]++) (?P<tag>[^\s:\[\]]{1,128}+(?: [^\s:\[\]]{1,128}+){0,2}+)"
    r"(?:\[(?P<pid>[^\]\s]{1,128}+)\])?+: ?(?P<body>.*)",
    re.ASCII,
)
_RFC5424: Final = re.compile(
    r"<(?P<priority>\d{1,3})>(?P<version>\d{1,2}) "
    r"(?:-|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    r"(?P<structured>-|(?:\[(?:[^\]\"\\]|\"(?:[^\"\\]|\\.)*+\")*+\])++)(?: (?P<body>.*))?",
    re.ASCII,
)
_ELEMENT: Final = re.compile(r'\[([^\s=\]"\[]{1,128}+)((?: [^\s=\]"]{1,128}+="(?:[^"\\]|\\.)*+")*+)\]', re.ASCII)
_PARAMETER: Final = re.compile(r' ([^\s=\]"]{1,128}+)="((?:[^"\\]|\\.)*+)"', re.ASCII)
_ESCAPED: Final = re.compile(r'\\(["\\\]])')


def read_3164(line: str, times: Times) -> Record | None:
    """`<34>Oct 11 22:14:15 mymachine su[231]: 'su root' failed`."""
    found = _RFC3164.fullmatch(line)
    if found is None or (found["priority"] is not None and int(found["priority"]) > 191):
        return None
    record = Record("syslog_rfc3164", body=found["body"], resource={"host.name": found["host"]})
    _priority(record, found["priority"])
    record.attributes["syslog.appname"] = found["tag"]
    if found["pid"] is not None:
        _process(record, found["pid"])
    record.timestamp = times.month_day(found["month"], found["day"], found["clock"])
    if record.timestamp is None:
        unread_time(record, f"{found['month']} {found['day']} {found['clock']}")
    return record


def read_5424(line: str, times: Times) -> Record | None:
    """`<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [sd@1 a="b"] message`; `-` is an absent field."""
    found = _RFC5424.fullmatch(line)
    if found is None or int(found["priority"]) > 191:
        return None
    record = Record("syslog_rfc5424")
    body = found["body"]
    record.body = body.removeprefix("\ufeff") if body is not None else None
    if found["host"] != "-":
        record.resource["host.name"] = found["host"]
    _priority(record, found["priority"])
    if found["app"] != "-":
        record.attributes["syslog.appname"] = found["app"]
    if found["pid"] != "-":
        _process(record, found["pid"])
    if found["id"] != "-":
        record.attributes["syslog.msgid"] = found["id"]
    if found["structured"] != "-":
        record.attributes["syslog.structured_data"] = {
            element[1]: {name: _ESCAPED.sub(r"\1", value) for name, value in _PARAMETER.findall(element[2])}
            for element in _ELEMENT.finditer(found["structured"])
        }
    if found["second"] is not None:
        record.timestamp = times.iso(found["second"], found["fraction"], found["zone"])
        if record.timestamp is None:
            unread_time(record, found["second"])
    return record


def _priority(record: Record, text: str | None) -> None:
    if text is not None:
        facility, severity = divmod(int(text), 8)
        record.severity_text = WORDS[severity]
        record.severity_number = SYSLOG_NUMBERS[str(severity)]
        record.attributes["syslog.facility.code"] = facility


def _process(record: Record, text: str) -> None:
    if text.isdigit() and len(text) < 11:
        record.attributes["process.pid"] = int(text)
    else:
        record.attributes["syslog.procid"] = text


FORMATS: Final = (
    Format(
        name="syslog_rfc5424",
        title="Syslog after RFC 5424",
        rank=75,
        read=read_5424,
        sample='<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [ex@32473 iut="3"] An event',
    ),
    Format(
        name="syslog_rfc3164",
        title="Syslog after RFC 3164, with or without priority, as in /var/log/syslog",
        rank=70,
        read=read_3164,
        sample="Oct 11 22:14:15 mymachine su[231]: 'su root' failed for lonvick on /dev/pts/8",
    ),
)
