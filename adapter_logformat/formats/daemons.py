"""Logs of servers with layouts of their own: MongoDB before 4.4, Squid, Samba, SQL Server, fail2ban, the kernel's ring
buffer, and whatever multilog puts its stamps before.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.formats import syslog_inside
from adapter_logformat.formats.access import METHODS, extras
from adapter_logformat.grammar import HMS, ISO, YMD, Field, Format, Layout, is_number, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, NOTICE, PYTHON, WARN, of_status
from adapter_logformat.timestamps import Times

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)
_THREAD: Final[Field] = ("thread.name", str)
_HEX: Final = re.compile(r"[\da-f]{24}", re.ASCII)
_WEEKDAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONGO_THREADS: Final = (
    r"conn\d{1,9}|initandlisten|mongosMain|rs[A-Z]\w{1,40}|repl\w{0,40}|ReplicationExecutor|ReplCoord\S{0,20}"
    r"|websvr|TTLMonitor|DataFileSync|FileAllocator|journal|clientcursormon|PeriodicTask\S{0,20}|snapshotthread"
    r"|signalProcessingThread|interruptThread|Balancer|LockPinger|CheckConfigServers|cleanupOldData\S{0,40}|migrateThread"
)
"""The threads of servers that wrote neither severity nor component."""
_ERRORLOG_ERROR: Final = re.compile(r"Error: \d{1,6}, Severity: (\d{1,2}), State: \d{1,5}\..*", re.ASCII)
_TAI: Final = 0x400000000000000A
"""TAI64N counts from 1970 in TAI, which was ten seconds ahead then; daemontools and runit know no leap seconds."""
_SAMBA_SCALE: Final = {"0": ERROR, "1": WARN, "2": NOTICE, "3": INFO, **{str(step): DEBUG for step in range(4, 11)}}


def _squid(record: Record, found: Mapping[str, str | None]) -> bool:
    record.body = f"{found['method']} {found['url']} {found['status']}"
    attributes = record.attributes
    status, elapsed = int(found["status"] or 0), int(found["elapsed"] or 0)
    if status:  # 000: nothing was answered
        attributes["http.response.status_code"] = status
        record.severity_number = of_status(status)
    if elapsed >= 0:  # the clock went back
        attributes["http.server.request.duration"] = elapsed / 1000
    else:
        attributes["app.elapsed_ms"] = elapsed
    attributes["url.full" if "://" in (found["url"] or "") else "url.original"] = found["url"]
    if found["extra"]:
        attributes["app.extra"] = extras(found["extra"])
    method = found["method"] or ""
    if method in METHODS:
        attributes["http.request.method"] = method
    elif method != "-":  # Squid's own (ICP_QUERY, NONE), or what no server knows
        attributes["http.request.method"], attributes["http.request.method_original"] = "_OTHER", method
    return True


LAYOUTS: Final = (
    Layout(
        name="mongodb_text",
        title="MongoDB before 4.4: `time severity component [context] message`, and without the two before 3.0",
        rank=86,
        pattern=rf"(?:{ISO} (?:(?P<level>[FEWID]\d?) {{1,2}}(?P<component>[A-Z]{{1,12}}|-) {{1,10}}"
        rf"|(?<=[+\-]\d\d\d\d )(?=\[(?:{_MONGO_THREADS})\] ))|{_WEEKDAY} "
        rf"(?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) (?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<part>\d{{1,9}}+))? "
        r"(?!\[(?i:trace|debug|info|notice|warn|warning|err|error|crit|critical|fatal|alert|emerg|panic|severe)\]))"
        r"(?:\[(?P<context>[^\]\n]{1,200}+)\] |(?(level)|(?!)))(?P<body>.*)",
        sample="2026-11-20T08:51:00.450+0100 I NETWORK  [initandlisten] waiting for connections on port 27017",
        scale={"F": FATAL, "E": ERROR, "W": WARN, "I": INFO, **{f"D{step}": DEBUG for step in ("", 1, 2, 3, 4, 5)}},
        fields={"component": _LOGGER, "context": _THREAD},
        time=lambda times, found: (
            times.iso(found["second"], found["fraction"], found["zone"])
            if found["second"]
            else times.month_day(found["month"] or "", found["day"] or "", found["clock"] or "", found["part"])
        ),
        rule=TEXT,
        absent=frozenset("-"),
    ),
    Layout(
        name="squid",
        title="Squid's own access log",
        rank=86,
        pattern=r"(?P<epoch>1\d{9})\.(?P<fraction>\d{3}) {1,6}(?P<elapsed>-?\d{1,9}+) (?P<client>\S++) "
        r"(?P<result>[A-Z_]++)/(?P<status>\d{3}) (?P<size>\d{1,18}+) (?P<method>\S{1,60}+) "
        r"(?P<url>\S.*?) (?P<user>\S++) (?P<hierarchy>[A-Z][A-Z_]*+)/(?P<peer>\S++)"
        r"(?: (?P<type>[^\s;]++(?:; ?[\w.\-]{1,60}+=[^\s;]{1,100}+){0,9}+;?+))?(?P<extra>(?: .*)?)",
        sample="1795161060.123    180 192.0.2.7 TCP_MISS/200 411 GET http://example.com/a.gif - HIER_DIRECT/192.0.2.9 "
        "image/gif",
        scale={},
        fields={
            "client": ("client.address", str),
            "result": ("app.result", str),
            "size": ("http.response.size", int),
            "user": ("user.name", str),
            "hierarchy": ("app.hierarchy", str),
            "peer": ("server.address", str),
            "type": ("app.content_type", str),
        },
        time=lambda times, found: times.epoch(int(found["epoch"] or 0), found["fraction"] or ""),
        absent=frozenset("-"),
        finish=_squid,
    ),
    Layout(
        name="dmesg",
        title="The kernel's ring buffer (dmesg): seconds since the start, which are no moment",
        rank=60,
        pattern=r"\[ {0,5}(?P<uptime>\d{1,9}\.\d{6})\] "
        r"(?:(?P<logger>[A-Za-z][\w\-]{0,30}(?: [\da-f][\da-f\-.:]{0,20}?)?): )?(?P<body>.*)",
        sample="[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd",
        scale={},
        fields={"uptime": ("app.uptime_s", float), "logger": _LOGGER},
        time=None,
        rule=LINES,
    ),
    Layout(
        name="fail2ban",
        title="fail2ban",
        rank=86,
        pattern=rf"{ISO} (?P<logger>fail2ban[\w.]*+) {{0,30}}\[(?P<pid>\d{{1,10}}+)\]: "
        r"(?P<level>[A-Z]++) {1,10}(?:\[(?P<jail>[^\]\n]{1,100}+)\] )?(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 fail2ban.actions        [1234]: NOTICE  [sshd] Ban 192.0.2.7",
        scale={**PYTHON, "NOTICE": NOTICE},
        fields={"logger": _LOGGER, "pid": _PID, "jail": ("app.jail", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="samba",
        title="Samba: a header with level and place, the message indented below",
        rank=86,
        pattern=rf"\[{YMD} {HMS}, {{1,2}}(?P<level>\d{{1,2}}+)(?:, pid=(?P<pid>\d{{1,10}}+)[^\]\n]{{0,200}}+)?\] "
        r"(?P<file>[\w./\-]{1,200}+):(?:(?P<line>\d{1,9}+)|(?P<function>\w{1,100}+))\((?P<inside>\w{1,100}+)\)"
        r"(?P<body>.*)",
        sample="[2026/11/20 08:51:00.123456,  0] ../../source3/smbd/server.c:1784(main)",
        scale=_SAMBA_SCALE,
        fields={"pid": _PID, "file": ("code.file.path", str), "line": ("code.line.number", int)},
        time=parts_time,
        rule=Rule(r"[ \t]{1,}.*", folds=True),
        finish=lambda record, found: _samba(record, found),
        fold=lambda record, _, lines: _below(record, lines),
    ),
    Layout(
        name="mssql",
        title="SQL Server's ERRORLOG: `time source message`",
        rank=80,
        pattern=rf"{YMD} (?P<clock>\d\d:\d\d:\d\d)\.(?P<fraction>\d\d) (?P<source>Server|Logon|Backup|spid\d{{1,6}}s?)"
        r" {1,16}(?P<body>.*)",
        sample="2026-11-20 08:51:00.45 spid12s     Starting up database 'master'.",
        scale={},
        fields={"source": _LOGGER},
        time=parts_time,
        rule=LINES,
        finish=lambda record, _: _mssql(record),
    ),
)


def _mssql(record: Record) -> bool:
    """An error comes in two lines, of which the first has its severity: up to 10 it is none, above 19 it is fatal."""
    found = _ERRORLOG_ERROR.fullmatch(record.body or "")
    if found is not None:
        level = int(found[1])
        record.severity_text = "Error"
        record.severity_number = FATAL if level > 19 else ERROR if level > 10 else INFO
    return True


def read_multilog(line: str, times: Times) -> Record | None:
    """`@400000003b4a39c23294b13c message` (TAI64N, as tai64n and svlogd write it); what stands behind the stamp is read
    by its own format."""
    if len(line) < 26 or line[0] != "@" or line[25] != " " or not _HEX.fullmatch(line, 1, 25):
        return None
    seconds, nanoseconds = int(line[1:17], 16) - _TAI, int(line[17:25], 16)
    if seconds < 0 or nanoseconds >= 10**9:
        return None
    record = Record("multilog", body=line[26:])
    record.timestamp = times.epoch(seconds, f"{nanoseconds:09d}")
    return None if record.timestamp is None else syslog_inside.opened(record, times)


def _samba(record: Record, found: Mapping[str, str | None]) -> bool:
    record.attributes["code.function.name"] = found["function"] or found["inside"] or ""
    if found["function"]:
        if is_number(found["inside"] or ""):
            record.attributes["code.line.number"] = int(found["inside"] or 0)
        elif found["inside"]:
            record.attributes["app.inside"] = found["inside"]
    record.body = (record.body or "").strip() or None
    return True


def _below(record: Record, lines: Sequence[str]) -> None:
    said = [record.body] if record.body else []
    record.body = "\n".join([*said, *(line.removeprefix("  ") for line in lines)])


FORMATS: Final = (
    *(layout.format() for layout in LAYOUTS),
    Format(
        name="multilog",
        title="daemontools' multilog and runit's svlogd: TAI64N stamps before any line",
        rank=86,
        read=read_multilog,
        sample="@400000006a15f5a62aa21dac fatal: out of memory",
        rule=LINES,
    ),
)
