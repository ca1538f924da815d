"""Logs of servers with layouts of their own: MongoDB before 4.4, Squid, BIND, Samba, SQL Server, fail2ban, the kernel's
ring buffer, the audit daemon, and the loggers of PHP frameworks and of Minecraft.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import CLOCK, HMS, ISO, YMD, Field, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT, Rule
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, JAVA, NOTICE, PYTHON, SYSLOG_WORDS, WARN, of_status

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)
_THREAD: Final[Field] = ("thread.name", str)
_WEEKDAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_BIND_SCALE: Final = {**SYSLOG_WORDS, **{f"DEBUG {step}": DEBUG for step in range(100)}}
_SAMBA_SCALE: Final = {"0": ERROR, "1": WARN, "2": NOTICE, "3": INFO, **{str(step): DEBUG for step in range(4, 11)}}
_AUDIT_PAIR: Final = re.compile(r"(?<![\w\-])([\w\-]{1,60}+)=(?:\"([^\"]*+)\"|'([^']*+)'|(\S*+))")
MOST_PAIRS: Final = 256
LONGEST_EVENT: Final = 1 << 16
"""Pairs further in stay in the body alone."""
_AUDIT_TARGETS: Final[Mapping[str, Field]] = {"pid": _PID, "exe": ("process.executable.path", str)}


def _squid(record: Record, found: Mapping[str, str | None]) -> bool:
    record.body = f"{found['method']} {found['url']} {found['status']}"
    record.severity_number = of_status(int(found["status"] or 0))
    record.attributes["http.server.request.duration"] = int(found["elapsed"] or 0) / 1000
    return True


def _audit(record: Record, found: Mapping[str, str | None]) -> bool:
    """The event's own pairs, each under the app's prefix; of a name that comes twice the first one."""
    for at, pair in enumerate(_AUDIT_PAIR.finditer(record.body or "", 0, LONGEST_EVENT)):
        if at == MOST_PAIRS or pair.end() == LONGEST_EVENT:
            break
        value = next(text for text in (*pair.groups()[1:], "") if text is not None)
        name, kind = _AUDIT_TARGETS.get(pair[1], (OWN_PREFIX + pair[1], str))
        if kind is int and not (value.isascii() and value.isdigit() and len(value) < 11):
            name, kind = OWN_PREFIX + pair[1], str
        record.attributes.setdefault(name, kind(value))
    return True


LAYOUTS: Final = (
    Layout(
        name="mongodb_text",
        title="MongoDB before 4.4: `time severity component [context] message`, and without the two before 3.0",
        rank=86,
        pattern=rf"(?:{ISO} (?P<level>[FEWID]\d?) {{1,2}}(?P<component>[A-Z]{{1,12}}|-) {{1,10}}|{_WEEKDAY} "
        rf"(?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) (?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<part>\d{{1,9}}+))? "
        r"(?!\[(?i:trace|debug|info|notice|warn|warning|err|error|crit|critical|fatal|alert|emerg|panic|severe)\]))"
        r"\[(?P<context>[^\]\n]{1,200}+)\] (?P<body>.*)",
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
        pattern=r"(?P<epoch>1\d{9})\.(?P<fraction>\d{3}) {1,6}(?P<elapsed>\d{1,9}+) (?P<client>\S++) "
        r"(?P<result>[A-Z_]++)/(?P<status>\d{3}) (?P<size>\d{1,18}+) (?P<method>[A-Z_]++) (?P<url>\S++) (?P<user>\S++) "
        r"(?P<hierarchy>[A-Z_]++)/(?P<peer>\S++)(?: (?P<type>\S.*))?",
        sample="1795161060.123    180 192.0.2.7 TCP_MISS/200 411 GET http://example.com/a.gif - HIER_DIRECT/192.0.2.9 "
        "image/gif",
        scale={},
        fields={
            "client": ("client.address", str),
            "result": ("app.result", str),
            "status": ("http.response.status_code", int),
            "size": ("http.response.size", int),
            "method": ("http.request.method", str),
            "url": ("url.full", str),
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
        name="bind",
        title="BIND's named: `time category: severity: message`",
        rank=86,
        pattern=rf"(?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) {HMS} (?P<logger>[a-z][a-z\-]{{1,30}}+): "
        r"(?P<level>critical|error|warning|notice|info|debug \d\d?): (?P<body>.*)",
        sample="20-Nov-2026 08:51:00.123 general: error: zone example.com/IN: loading failed",
        scale=_BIND_SCALE,
        fields={"logger": _LOGGER},
        time=parts_time,
        rule=LINES,
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
    ),
    Layout(
        name="monolog",
        title="Monolog, and Laravel with it: `[time] channel.LEVEL: message`",
        rank=86,
        pattern=rf"\[{ISO}\] (?P<logger>[\w\-]{{1,60}}+)\."
        r"(?P<level>DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY): (?P<body>.*)",
        sample="[2026-11-20T08:51:00.123456+00:00] app.ERROR: Uncaught exception {} []",
        scale=SYSLOG_WORDS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="minecraft",
        title="Minecraft servers: `[time] [thread/LEVEL]: message`",
        rank=86,
        pattern=rf"\[(?:(?P<day>\d\d)(?P<month>[A-Z][a-z]{{2}})(?P<year>\d{{4}}) )?{CLOCK}\] "
        r"\[(?P<thread>[^\]\n/]{1,60}+(?:/(?![A-Z]{4,5}\])[^\]\n/]{1,60}+){0,4}+)"
        r"/(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\](?: \[(?P<logger>[^\]\n]{1,200}+)\])?: (?P<body>.*)",
        sample="[08:51:00] [Server thread/INFO]: Starting minecraft server version 1.20.4",
        scale=JAVA,
        fields={"thread": _THREAD, "logger": _LOGGER},
        time=lambda times, found: parts_time(times, found) if found["day"] else clock_time(times, found),
        rule=TEXT,
    ),
    Layout(
        name="auditd",
        title="The Linux audit daemon: `type=… msg=audit(time:serial): …`",
        rank=86,
        pattern=r"(?:node=(?P<node>\S{1,255}+) )?type=(?P<type>[A-Z0-9_\[\]]{1,60}+) msg=audit\((?P<epoch>\d{9,11})\."
        r"(?P<fraction>\d{3}):(?P<serial>\d{1,18}+)\): {0,2}(?P<body>.*)",
        sample='type=SYSCALL msg=audit(1795161060.123:24287): arch=c000003e syscall=2 success=no pid=3538 comm="cat" '
        'exe="/bin/cat"',
        scale={},
        fields={"type": ("app.type", str), "serial": ("app.serial", int)},
        resource={"node": "host.name"},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0), found["fraction"] or ""),
        finish=_audit,
    ),
)


def _samba(record: Record, found: Mapping[str, str | None]) -> bool:
    record.attributes["code.function.name"] = found["function"] or found["inside"] or ""
    if found["function"]:
        record.attributes["code.line.number"] = int(found["inside"] or 0) if (found["inside"] or "").isdigit() else 0
    record.body = (record.body or "").strip() or None
    return True


def _below(record: Record, lines: Sequence[str]) -> None:
    said = [record.body] if record.body else []
    record.body = "\n".join([*said, *(line.removeprefix("  ") for line in lines)])


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
