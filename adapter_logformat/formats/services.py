"""Services of a host with small layouts of their own: GlusterFS, supervisord, Squid's cache log, lighttpd's errors, FTP
servers, Calico. Squid's access log is in `daemons`.
"""

from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import ALONE, LINES, TEXT
from adapter_logformat.severity import ALERT, CRIT, DEBUG, ERROR, FATAL, INFO, NOTICE, TRACE, WARN, WORDS

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_USER: Final[Field] = ("user.name", str)
_CLIENT: Final[Field] = ("client.address", str)
_CTIME: Final = (
    rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) {HMS} (?P<year>\d{{4}}) "
)
LAYOUTS: Final = (
    Layout(
        name="glusterfs",
        title="GlusterFS: `[time] L [MSGID: n] [file:line:function] domain: message`",
        rank=86,
        pattern=rf"\[{ISO}\] (?P<level>[MACEWNIDT]) (?:\[MSGID: (?P<id>\d{{1,9}}+)\] )?"
        r"\[(?P<file>[\w.\-]{1,100}+):(?P<line>\d{1,9}+):(?P<function>[\w.]{1,200}+)\] "
        r"(?P<logger>\d{1,9}-[^:\s]{1,200}+): (?P<body>.*)",
        sample="[2026-11-20 08:51:00.817353] I [MSGID: 106499] [glusterd-handler.c:4264:__glusterd_handle] "
        "0-management: Received status volume req",
        scale={
            "M": FATAL, "A": ALERT, "C": CRIT, "E": ERROR, "W": WARN, "N": NOTICE, "I": INFO, "D": DEBUG, "T": TRACE,
        },
        fields={
            "id": ("app.message_id", int), "file": _FILE, "line": _LINE, "function": ("code.function.name", str),
            "logger": _LOGGER,
        },
        time=iso_time,
        rule=LINES,
    ),
    Layout(
        name="supervisord",
        title="supervisord: its levels of four letters (its INFO and WARN read as `python_asctime`)",
        rank=84,
        pattern=rf"(?=.{{19}},\d{{3}} ){ISO} (?P<level>BLAT|TRAC|DEBG|ERRO|CRIT) (?P<body>.*)",
        sample="2026-11-20 08:51:00,584 CRIT Supervisor is running as root.",
        scale={"BLAT": TRACE, "TRAC": TRACE, "DEBG": DEBUG, "ERRO": ERROR, "CRIT": CRIT},
        fields={},
        time=iso_time,
        rule=LINES,
    ),
    Layout(
        name="squid_cache",
        title="Squid's cache log: `time kid| message`",
        rank=86,
        pattern=rf"{YMD} {HMS}(?: (?P<kid>kid\d{{1,4}}+))?\| "
        r"(?:(?P<level>WARNING|ERROR|FATAL|ALERT|NOTICE): )?(?P<body>.*)",
        sample="2026/11/20 08:51:00 kid1| Accepting HTTP Socket connections at local=[::]:3128",
        scale=WORDS,
        fields={"kid": ("app.process", str)},
        time=parts_time,
        rule=LINES,
    ),
    Layout(
        name="lighttpd_error",
        title="lighttpd's error log: `time: (file.c.line) message`",
        rank=86,
        pattern=rf"{YMD} {HMS}: \((?P<file>[\w./\-]{{1,200}}?\.c)\.(?P<line>\d{{1,9}}+)\) (?P<body>.*)",
        sample="2026-11-20 08:51:00: (server.c.1939) server started (lighttpd/1.4.69)",
        scale={},
        fields={"file": _FILE, "line": _LINE},
        time=parts_time,
        rule=LINES,
    ),
    Layout(
        name="vsftpd",
        title="vsftpd's own log",
        rank=86,
        pattern=_CTIME + r"\[pid (?P<pid>\d{1,10}+)\] (?:\[(?P<user>[^\]\n]{1,100}+)\] )?"
        r'(?P<body>[A-Z][A-Za-z ]{2,30}+: Client "(?P<client>[^"\n]{1,100}+)".*)',
        sample='Fri Nov 20 08:51:00 2026 [pid 3] [ftp] OK LOGIN: Client "192.0.2.1"',
        scale={},
        fields={"pid": _PID, "user": _USER, "client": _CLIENT},
        time=parts_time,
        rule=LINES,
    ),
    Layout(
        name="xferlog",
        title="FTP servers' transfer log (wu-ftpd, ProFTPD, vsftpd)",
        rank=86,
        pattern=_CTIME + r"(?P<took>\d{1,9}+) (?P<client>\S{1,255}+) (?P<size>\d{1,18}+) "
        r"(?P<body>(?P<path>\S.{0,4096}?) (?P<type>[ab]) (?P<action>[CUT_]{1,3}+) (?P<direction>[oid]) "
        r"(?P<access>[agr]) (?P<user>\S{1,255}+) (?P<service>\w{1,30}+) (?P<method>[01]) "
        r"(?P<id>\S{1,255}+)(?: (?P<status>[ci]))?)",
        sample="Fri Nov 20 08:51:00 2026 1 192.0.2.1 530 /incoming/a.deb b _ i a anonymous@ ftp 0 * c",
        scale={},
        fields={
            "took": ("app.duration", int), "client": _CLIENT, "size": ("app.bytes", int), "path": ("file.path", str),
            "type": ("app.transfer_type", str), "action": ("app.special_action", str),
            "direction": ("app.direction", str), "access": ("app.access_mode", str), "user": _USER,
            "service": ("network.protocol.name", str), "id": ("app.authenticated_user", str),
            "status": ("app.completion_status", str),
        },
        time=parts_time,
        rule=ALONE,
        absent=frozenset({"*", "_"}),
    ),
    Layout(
        name="calico",
        title="Calico: `time [LEVEL][pid] component/file.go line: message`, pairs behind it",
        rank=86,
        pattern=rf"{ISO} \[(?P<level>DEBUG|INFO|WARNING|ERROR|FATAL|PANIC)\]\[(?P<pid>\d{{1,10}}+)\] "
        r"(?:(?P<logger>[\w\-]{1,100}+)/)?(?P<file>[\w.\-]{1,100}?\.go) (?P<line>\d{1,9}+): (?P<body>.*)",
        sample='2026-11-20 08:51:00.735 [INFO][216945] felix/table.go 851: Parsing line ipVersion=0x4 table="nat"',
        scale=WORDS,
        fields={"pid": _PID, "logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: pairs.put(record),
    ),
)  # fmt: skip

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
