"""Syslog as it lies in files and comes from relays: RFC 5424 and the older RFC 3164, with or without priority, with the
times that rsyslog and Cisco write.

Severity comes from the priority (RFC 5424, chapter 6.2.1); a line without one has none. A message that is itself in a
format (JSON, an access log, HAProxy, CEF, klog) is read by that format, the syslog fields stay beside.
"""

import re
from typing import Final

from adapter_logformat.formats import syslog_inside, syslog_programs
from adapter_logformat.grammar import Format, header_goes_on, is_number, unread_time
from adapter_logformat.multiline import LINES
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import SYSLOG_NUMBERS
from adapter_logformat.severity import WORDS as WORDS_OF_LEVELS
from adapter_logformat.timestamps import Times

WORDS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_TIME: Final = re.compile(
    r"(?:<(?P<priority>\d{1,3})>)?(?:(?P<sequence>\d{1,10}+)?: ?(?:(?P<origin>[A-Za-z][\w.\-]{0,255}+): )?)?[*.]?(?:"
    r"(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?(?P<clock>\d\d:\d\d:\d\d)(?:\."
    r"(?P<fraction>\d{1,9}+))?"
    r"(?: (?P<year2>\d{4})(?= )|(?: (?P<abbreviation>[A-Za-z]{3,5}))?:(?= %))?"
    r"|(?P<colons>\d{4}:\d\d:\d\d-\d\d:\d\d:\d\d)"  # Sophos UTM
    r"|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<part>\d{1,9}+))?(?P<zone>Z|[+-]\d\d:?\d\d)?+) "
    r"(?!GMT: [A-Z]{4,8} \()",  # Aerospike
    re.ASCII,
)
_TAG: Final = re.compile(
    r"(?P<tag>(?!(?:CEF|LEEF):)[^\s:\[\]]{1,128}+)"
    r"(?:\[(?P<pid>[^\]\s]{1,128}+)\](?: \((?P<sender>[^)\n]{1,300}+)\))?)?:(?: |\Z)"
    r"|(?P<words>[^\s:\[\]]{1,128}+(?: [^\s:\[\]]{1,128}+){1,3}+)\[(?P<pid2>\d{1,10}+)\](?: \("
    r"(?P<sender2>[^)\n]{1,300}+)\))?:"
    r"(?: |\Z)"
    r"|(?P<versioned>[^\s:\[\]]{1,128}+ v?\d[\w.]{0,30}+):(?: |\Z)"
)
_MARK: Final = re.compile(r"-- MARK --|(?:--- )?last message repeated \d{1,9} times?\b")
_HOST: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.:%\-]{0,255}+) {1,2}")
_NAMED_SO: Final = re.compile(
    r"(?=.*[A-Za-z:])(?=.*[\d.\-:])[A-Za-z0-9][\w.:\-]{0,254}(?<![:.])\Z|\d{1,3}(?:\.\d{1,3}){3}\Z", re.ASCII
)
"""A first word that can only be a host, where a priority says that a relay wrote the line."""
_BARE: Final = re.compile(r"<(?P<priority>0|[1-9]\d{0,2}+)>(?!\d{1,2} (?:-|\d{4}-\d\d))(?=\S)", re.ASCII)
_RELAYED: Final = re.compile(
    r"[*.]?[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9}+)?(?: [A-Z]{3,4}+)?: %", re.ASCII
)
"""What follows a Cisco router's number where a relay wrote its own time and the router's name before it."""
_EXPORTED: Final = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(?P<part>\d{3})Z (?=[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \S)",
    re.ASCII,
)
"""The moment that CloudWatch puts in front of a line when it exports a group of logs."""
_RFC5424: Final = re.compile(
    r"<(?P<priority>\d{1,3})>(?P<version>\d{1,2}) "
    r"(?:-|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d)?) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<pid>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    r"(?P<structured>-|(?:\[(?:[^\]\"\\]++|\"(?:[^\"\\]++|\\.){0,9999}+\"){0,9999}+\])++)(?: (?P<body>.*))?",
    re.ASCII,
)
_ELEMENT: Final = re.compile(
    r'\[([^\s=\]"\[]{1,128}+)((?: [^\s=\]"]{1,128}+= ?"(?:[^"\\]++|\\.){0,9999}+")*+)\]', re.ASCII
)
_PARAMETER: Final = re.compile(r' ([^\s=\]"]{1,128}+)= ?"((?:[^"\\]++|\\.){0,9999}+)"', re.ASCII)
_CISCO: Final = re.compile(r"%[A-Z0-9_\-]{1,60}?-([0-7])-")
_COMWARE: Final = re.compile(r"(%%\d\d[\w\-]{1,40}/([0-7])/[\w\-]{1,60})(?:\(\w\))?(?:\[\d{1,10}\])?: ?", re.ASCII)
"""Huawei's and H3C's module, severity and brief name."""
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
_NO_HOST: Final = "- "


def read_3164(line: str, times: Times) -> Record | None:
    """`<34>Oct 11 22:14:15 mymachine su[231]: 'su root' failed`; host, tag and process may each be missing, and the
    time where there is a priority."""
    exported = _EXPORTED.match(line)
    moment = times.iso(exported["second"], exported["part"], "Z") if exported is not None else None
    if exported is not None and moment is not None:
        inner = read_3164(line[exported.end() :], times)
        if inner is not None and (inner.timestamp is None or inner.timestamp.assumed):
            inner.timestamp = moment
        return inner
    time = _TIME.match(line)
    if time is None:
        return _read_bare(line, times)
    if time["priority"] is not None and int(time["priority"]) > 191:
        return None
    if time["origin"] is not None and not line.startswith("%", time.end()):
        return None
    host, tag, at = _parties(line, time.end(), is_relayed=time["priority"] is not None)
    host = time["origin"] or host
    is_event = line.startswith(("CEF:", "LEEF:"), at)
    if time["second"] is not None and not is_event and not _is_rsyslog(time, tag, host):
        return None
    if time["priority"] is None and header_goes_on(line[at : at + 64]):
        return None
    sequence = tag["tag"] or "" if tag is not None and tag["pid"] is None else ""
    if tag is not None and is_number(sequence) and _RELAYED.match(line, tag.end()):
        relayed = read_3164(line[tag.end() :], times)
        if relayed is not None:
            return _routed(relayed, int(sequence), host, time["priority"])
    record = Record("syslog_rfc3164", body=line[tag.end() if tag is not None else at :])
    if time["sequence"]:
        record.attributes["app.sequence"] = int(time["sequence"])
    if host is not None:
        record.resource["host.name"] = host
    _priority(record, time["priority"])
    if tag is not None:
        _program(record, tag)
    elif (comware := _COMWARE.match(record.body or "")) is not None:
        record.body = (record.body or "")[comware.end() :]
        record.attributes["syslog.appname"] = comware[1]
        if record.severity_number is None:
            record.severity_text, record.severity_number = WORDS[int(comware[2])], SYSLOG_NUMBERS[comware[2]]
    elif syslog_programs.packet(record.body or ""):
        syslog_programs.tell(record, "kernel")
    record.timestamp = _moment(time, times)
    if record.timestamp is None:
        unread_time(record, line[len(f"<{time['priority']}>") if time["priority"] else 0 : time.end()].strip())
    return syslog_inside.opened(record, times)


def _parties(line: str, at: int, *, is_relayed: bool) -> tuple[str | None, re.Match[str] | None, int]:
    """The host, the tag, and where the message begins that has no tag."""
    begin = at
    at += len(_NO_HOST) if line.startswith(_NO_HOST, at) else 0
    tag = _TAG.match(line, at)
    named = _HOST.match(line, at) if tag is None or tag["tag"] is None else None
    if named is None:
        return None, tag, begin
    end = named.end()
    if (after := _TAG.match(line, end)) is not None:
        return named[1], after, at
    if line.startswith(": %", end):  # Cisco's firewalls
        return named[1], _TAG.match(line, end + 2), at
    if line.startswith(("CEF:", "LEEF:", "%%"), end) or _MARK.match(line, end):
        return named[1], tag, end
    if is_relayed and tag is None and _NAMED_SO.match(named[1]):
        return named[1], None, end
    if line.startswith(("[", "IN="), end) and syslog_programs.packet(line[end : end + 400]):
        return named[1], tag, end
    return None, tag, begin


def _read_bare(line: str, times: Times) -> Record | None:
    """A priority and no time, as programs write that leave the time to the daemon."""
    found = _BARE.match(line)
    if found is None or int(found["priority"]) > 191:
        return None
    tag = _TAG.match(line, found.end())
    if tag is not None and tag["tag"] is None:
        tag = None  # whether its first word is a host cannot be told
    record = Record("syslog_rfc3164", body=line[tag.end() if tag is not None else found.end() :])
    _priority(record, found["priority"])
    if tag is not None:
        _program(record, tag)
    elif int(found["priority"]) < 8:
        syslog_programs.tell(record, "kernel")
    return syslog_inside.opened(record, times)


def _routed(record: Record, sequence: int, host: str | None, priority: str | None) -> Record:
    """The router's own message with what the relay said of it."""
    record.attributes["app.sequence"] = sequence
    if host is not None:
        record.resource["host.name"] = host
    _priority(record, priority)
    return record


def _moment(time: re.Match[str], times: Times) -> Stamp | None:
    if time["colons"] is not None:
        date, _, clock = time["colons"].partition("-")
        return times.iso(f"{date.replace(':', '-')}T{clock}")
    if time["second"] is not None:
        return times.iso(time["second"], time["part"], time["zone"])
    year = time["year"] or time["year2"]
    if year or time["abbreviation"]:
        found = (time["month"], time["day"], time["clock"], time["fraction"], time["abbreviation"])
        return times.parts(year, *found)
    return times.month_day(time["month"], time["day"], time["clock"], time["fraction"])


def _is_rsyslog(time: re.Match[str], tag: re.Match[str] | None, host: str | None) -> bool:
    """An ISO time begins many logs: only with a host, and a process or a priority or rsyslog's own precision."""
    if tag is None or host is None or host.upper() in WORDS_OF_LEVELS:
        return False
    if time["priority"] is not None:
        return True
    if time["zone"] is None and tag["pid"] is None and tag["tag"] not in syslog_programs.WITHOUT_PID:
        return False
    precise = time["part"] is not None and len(time["part"]) == 6 and time["zone"] != "Z"
    if ":" not in (time["zone"] or ":"):  # journalctl's, where only the kernel has no process
        return tag["pid"] is not None or tag["pid2"] is not None or tag["tag"] == "kernel"
    return tag["pid"] is not None or tag["pid2"] is not None or precise


def _program(record: Record, tag: re.Match[str]) -> None:
    name = tag["tag"] or tag["words"] or tag["versioned"] or ""
    record.attributes["syslog.appname"] = name
    pid = tag["pid"] or tag["pid2"]
    if pid is not None:
        _process(record, pid)
    sender = tag["sender"] or tag["sender2"]
    if sender is not None:
        record.attributes["app.sender"] = sender
    cisco = _CISCO.match(name) or _CISCO.match(record.body or "")
    if cisco is not None and record.severity_number is None:
        record.severity_text, record.severity_number = WORDS[int(cisco[1])], SYSLOG_NUMBERS[cisco[1]]
    syslog_programs.tell(record, name)


def read_5424(line: str, times: Times) -> Record | None:
    """`<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [sd@1 a="b"] message`; `-` is an absent field."""
    found = _RFC5424.fullmatch(line)
    if found is None or int(found["priority"]) > 191:
        return None
    record = Record("syslog_rfc5424")
    body = found["body"]
    # rsyslog writes the space that stood behind the tag in the older form in front of the message.
    record.body = body.removeprefix(" ").removeprefix("\ufeff") if body is not None else None
    structured = found["structured"]
    if structured != "-" and (told := _structured(structured)) is not None:
        record.attributes["syslog.structured_data"] = told
    elif structured != "-":  # no such element: it is the message
        record.body = structured if body is None else f"{structured} {body}"
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
    if found["second"] is not None:
        record.timestamp = times.iso(found["second"], found["fraction"], found["zone"])
        if record.timestamp is None:
            unread_time(record, found["second"])
    return syslog_inside.opened(record, times)


def _structured(text: str) -> dict[str, dict[str, object]] | None:
    """RFC 5424, chapter 6.3; a parameter that comes more than once has all its values. `None` where it is none."""
    elements: dict[str, dict[str, object]] = {}
    at = 0
    while at < len(text):
        element = _ELEMENT.match(text, at)
        if element is None:
            return None
        parameters = elements.setdefault(element[1], {})
        for name, written in _PARAMETER.findall(element[2]):
            value = _ESCAPED.sub(r"\1", written)
            before = parameters.get(name)
            if before is None:
                parameters[name] = value
            elif isinstance(before, list):
                before.append(value)
            else:
                parameters[name] = [before, value]
        at = element.end()
    return elements


def _priority(record: Record, text: str | None) -> None:
    if text is not None:
        facility, severity = divmod(int(text), 8)
        record.severity_text = WORDS[severity]
        record.severity_number = SYSLOG_NUMBERS[str(severity)]
        record.attributes["syslog.facility.code"] = facility


def _process(record: Record, text: str) -> None:
    is_pid = is_number(text, 10)
    record.attributes["process.pid" if is_pid else "syslog.procid"] = int(text) if is_pid else text


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
