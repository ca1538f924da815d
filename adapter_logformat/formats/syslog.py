"""Syslog as it lies in files and comes from relays: RFC 5424 and the older RFC 3164, with or without priority, with the
times that rsyslog and Cisco write.

Severity comes from the priority (RFC 5424, chapter 6.2.1); a line without one has none. A message that is itself in a
format (JSON, an access log, HAProxy, CEF, klog) is read by that format, the syslog fields stay beside.
"""

import re
from typing import Final

from adapter_logformat.formats import registry, syslog_programs
from adapter_logformat.grammar import Format, header_goes_on, unread_time
from adapter_logformat.multiline import LINES
from adapter_logformat.record import Record
from adapter_logformat.severity import SYSLOG_NUMBERS
from adapter_logformat.timestamps import Times

WORDS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
INSIDE: Final = frozenset(
    ("json_app", "access", "haproxy_http", "haproxy_tcp", "haproxy_error", "ingress_nginx", "traefik", "nginx_error",
     "cef", "leef", "klog", "envoy", "istio", "postgres")
)  # fmt: skip
"""Formats so clear that a message can be known to be in them."""

_TIME: Final = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?:\d{1,10}: )?(?:[*.])?(?:"
    r"(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?(?P<clock>\d\d:\d\d:\d\d)(?:\."
    r"(?P<fraction>\d{1,9}+))?"
    r"(?: (?P<year2>\d{4})(?= )|(?: (?P<abbreviation>[A-Z]{3,4}))?:(?= %))?"
    r"|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<part>\d{1,9}+))?(?P<zone>Z|[+-]\d\d:?\d\d)) ",
    re.ASCII,
)
_TAG: Final = re.compile(
    r"(?P<tag>[^\s:\[\]]{1,128}+)(?:\[(?P<pid>[^\]\s]{1,128}+)\](?: \((?P<sender>[^)\n]{1,300}+)\))?)?:(?: |\Z)"
    r"|(?P<words>[^\s:\[\]]{1,128}+(?: [^\s:\[\]]{1,128}+){1,3}+)\[(?P<pid2>\d{1,10}+)\](?: \("
    r"(?P<sender2>[^)\n]{1,300}+)\))?:"
    r"(?: |\Z)"
    r"|(?P<versioned>[^\s:\[\]]{1,128}+ v?\d[\w.]{0,30}+):(?: |\Z)"
)
_MARK: Final = re.compile(r"-- MARK --|(?:--- )?last message repeated \d{1,9} times?\b")
_HOST: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.:%\-]{0,255}+) ")
_RFC5424: Final = re.compile(
    r"<(?P<priority>\d{1,3})>(?P<version>\d{1,2}) "
    r"(?:-|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    r"(?P<structured>-|(?:\[(?:[^\]\"\\]++|\"(?:[^\"\\]++|\\.){0,9999}+\"){0,9999}+\])++)(?: (?P<body>.*))?",
    re.ASCII,
)
_ELEMENT: Final = re.compile(
    r'\[([^\s=\]"\[]{1,128}+)((?: [^\s=\]"]{1,128}+="(?:[^"\\]++|\\.){0,9999}+")*+)\]', re.ASCII
)
_PARAMETER: Final = re.compile(r' ([^\s=\]"]{1,128}+)="((?:[^"\\]++|\\.){0,9999}+)"', re.ASCII)
_CISCO: Final = re.compile(r"%[A-Z0-9_\-]{1,60}?-([0-7])-")
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
_MAY_BE_INSIDE: Final = re.compile(
    r'\{"|CEF:|LEEF:|[IWEF]\d{4} \d\d:|[^"]{0,300}?\[\d\d/[A-Z][a-z]{2}/\d{4}:|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d'
    r' \[|\[\d{4}-\d\d-\d\dT[^\]]{0,20}\] "'
)


def read_3164(line: str, times: Times) -> Record | None:
    """`<34>Oct 11 22:14:15 mymachine su[231]: 'su root' failed`; host, tag and process may each be missing."""
    time = _TIME.match(line)
    if time is None or (time["priority"] is not None and int(time["priority"]) > 191):
        return None
    at = time.end()
    host = None
    tag = _TAG.match(line, at)
    named = _HOST.match(line, at) if tag is None or tag["tag"] is None else None
    if named is not None and (after := _TAG.match(line, named.end())) is not None:
        host, tag = named[1], after
    elif named is not None and line.startswith(("CEF:", "LEEF:"), named.end()):
        host, at = named[1], named.end()
    elif named is not None and line.startswith(": %", named.end()):  # Cisco's firewalls
        host, tag = named[1], _TAG.match(line, named.end() + 2)
    elif named is not None and _MARK.match(line, named.end()):
        host, at = named[1], named.end()
    if time["second"] is not None and not _is_rsyslog(time, tag, host):
        return None
    if time["priority"] is None and header_goes_on(line[at : at + 64]):
        return None
    record = Record("syslog_rfc3164", body=line[tag.end() if tag is not None else at :])
    if host is not None:
        record.resource["host.name"] = host
    _priority(record, time["priority"])
    if tag is not None:
        _program(record, tag)
    if time["second"] is not None:
        record.timestamp = times.iso(time["second"], time["part"], time["zone"])
    elif time["year"] or time["year2"]:
        year = time["year"] or time["year2"]
        record.timestamp = times.parts(year, time["month"], time["day"], time["clock"], time["fraction"])
    elif time["abbreviation"]:
        found = (time["month"], time["day"], time["clock"], time["fraction"], time["abbreviation"])
        record.timestamp = times.parts(None, *found)
    else:
        record.timestamp = times.month_day(time["month"], time["day"], time["clock"], time["fraction"])
    if record.timestamp is None:
        unread_time(record, line[len(f"<{time['priority']}>") if time["priority"] else 0 : at].strip())
    return _opened(record, times)


def _is_rsyslog(time: re.Match[str], tag: re.Match[str] | None, host: str | None) -> bool:
    """An ISO time begins many logs: only with a host, and a process or a priority or rsyslog's own precision."""
    if tag is None or host is None:
        return False
    precise = time["part"] is not None and len(time["part"]) == 6 and time["zone"] != "Z"
    if ":" not in (time["zone"] or ":"):  # journalctl's, where only the kernel has no process
        return tag["pid"] is not None or tag["pid2"] is not None or tag["tag"] == "kernel"
    return tag["pid"] is not None or tag["pid2"] is not None or time["priority"] is not None or precise


def _program(record: Record, tag: re.Match[str]) -> None:
    name = tag["tag"] or tag["words"] or tag["versioned"] or ""
    record.attributes["syslog.appname"] = name
    pid = tag["pid"] or tag["pid2"]
    if pid is not None:
        _process(record, pid)
    sender = tag["sender"] or tag["sender2"]
    if sender is not None:
        record.attributes["app.sender"] = sender
    cisco = _CISCO.match(name)
    if cisco is not None and record.severity_number is None:
        record.severity_text, record.severity_number = WORDS[int(cisco[1])], SYSLOG_NUMBERS[cisco[1]]
    syslog_programs.tell(record, name)


def _opened(record: Record, times: Times) -> Record:
    """The record of the message's own format, where it has one: its own fields win, the rest is syslog's."""
    text = record.body or ""
    if not _MAY_BE_INSIDE.match(text):
        return record
    best: tuple[int, Record] | None = None
    for format in registry.candidates(text):
        if format.name in INSIDE and (best is None or format.rank > best[0]):
            found = format.read(text, times)
            if found is not None and not found.error:
                best = format.rank, found
    if best is None:
        return record
    inner = best[1]
    inner.timestamp = inner.timestamp or record.timestamp
    if inner.severity_number is None:
        inner.severity_text, inner.severity_number = record.severity_text, record.severity_number
    inner.attributes = {**record.attributes, **inner.attributes}
    inner.resource = {**record.resource, **inner.resource}
    inner.error = record.error
    return inner


def read_5424(line: str, times: Times) -> Record | None:
    """`<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [sd@1 a="b"] message`; `-` is an absent field."""
    found = _RFC5424.fullmatch(line)
    if found is None or int(found["priority"]) > 191:
        return None
    record = Record("syslog_rfc5424")
    body = found["body"]
    # rsyslog writes the space that stood behind the tag in the older form in front of the message.
    record.body = body.removeprefix(" ").removeprefix("\ufeff") if body is not None else None
    if found["host"] != "-":
        record.resource["host.name"] = found["host"]
    _priority(record, found["priority"])
    if found["app"] != "-":
        record.attributes["syslog.appname"] = found["app"]
        syslog_programs.tell(record, found["app"])
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
    return _opened(record, times)


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
        rule=LINES,
    ),
)
