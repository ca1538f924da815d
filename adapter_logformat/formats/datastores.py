"""Stores and the pools before them: ClickHouse, PgBouncer, Couchbase, SAP HANA, Ceph, and what Redis' MONITOR prints.
MySQL and Redis' own log are in `database`, PostgreSQL is in `postgres`.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import ALONE, LINES, TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import CRIT, DEBUG, ERROR, FATAL, INFO, NOTICE, TRACE, WARN, WORDS

_LOGGER: Final[Field] = ("otel.scope.name", str)
_THREAD: Final[Field] = ("thread.id", int)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_NODE: Final[Field] = ("app.node", str)
_POCO: Final = {
    "FATAL": FATAL, "CRITICAL": CRIT, "ERROR": ERROR, "WARNING": WARN, "NOTICE": NOTICE, "INFORMATION": INFO,
    "DEBUG": DEBUG, "TRACE": TRACE, "TEST": TRACE,
}  # fmt: skip
_CEPH: Final = {"-1": ERROR, "0": INFO, **{str(step): DEBUG if step < 10 else TRACE for step in range(1, 31)}}
"""Ceph's own levels: errors below zero, what is always written at zero, debugging above."""
_SOCKET: Final = re.compile(
    r"(?P<side>[CS])-(?P<socket>0x[\da-f]{6,16}): (?P<db>\([a-z]{4}\)|[^/\s]{1,64})/(?P<user>\([a-z]{6}\)|[^@\s]{1,64})"
    r"@(?P<host>\[[\da-f:.]{2,60}\]|[^\s:]{1,255}):(?P<port>\d{1,5}) (?P<body>.*)"
)


def _pool(record: Record, _: Mapping[str, str | None]) -> bool:
    """`C-0x55d2: shop/bob@192.0.2.1:50000 message`: a client's or a server's connection; `(nodb)`: none yet."""
    found = _SOCKET.fullmatch(record.body or "")
    if found is None:
        return True
    attributes, side = record.attributes, "client" if found["side"] == "C" else "server"
    attributes["app.connection"] = found["socket"]
    for group, name in (("db", "db.namespace"), ("user", "user.name")):
        if not found[group].startswith("("):
            attributes[name] = found[group]
    attributes[f"{side}.address"], attributes[f"{side}.port"] = found["host"].strip("[]"), int(found["port"])
    record.body = found["body"]
    return True


def _monitored(record: Record, found: Mapping[str, str | None]) -> bool:
    record.attributes["db.query.text"] = record.body
    record.attributes["db.operation.name"] = found["command"] or ""
    return True


LAYOUTS: Final = (
    Layout(
        name="clickhouse",
        title="ClickHouse: `time [ thread ] {query} <Level> logger: message`",
        rank=86,
        pattern=rf"{YMD} {HMS} \[ (?P<thread>\d{{1,10}}+) \] \{{(?P<query>[^}}\n]{{0,100}}+)\}} "
        rf"<(?P<level>{'|'.join(map(str.title, _POCO))})> (?P<logger>[^\n]{{1,300}}?): (?P<body>.*)",
        sample="2026.11.20 08:51:00.123456 [ 48 ] {e1e58966-f8e3-4bc3-ae94-d0e0e3b13179} <Debug> executeQuery: (from"
        " 192.0.2.1:43218) SELECT 1",
        scale=_POCO,
        fields={"thread": _THREAD, "query": ("app.query_id", str), "logger": _LOGGER},
        time=parts_time,
        rule=TEXT,
        absent=frozenset({""}),
    ),
    Layout(
        name="pgbouncer",
        title="PgBouncer: `time [pid] LEVEL socket: database/user@host:port message`",
        rank=86,
        pattern=rf"{ISO} (?:\[(?P<pid>\d{{1,10}}+)\]|(?P<pid2>\d{{1,10}}+)) (?:(?=LOG |NOISE )|(?=[A-Z]++ [CS]-0x))"
        r"(?P<level>NOISE|DEBUG|LOG|INFO|WARNING|ERROR|FATAL) (?P<body>.*)",
        sample="2026-11-20 08:51:00.123 UTC [12] LOG C-0x55d2e9990540: shop/bob@192.0.2.1:42806 login attempt: db=shop",
        scale={**WORDS, "NOISE": TRACE},
        fields={"pid": ("process.pid", int), "pid2": ("process.pid", int)},
        time=iso_time,
        rule=LINES,
        finish=_pool,
    ),
    Layout(
        name="couchbase",
        title="Couchbase's ns_server: `[logger:level,time,node:process:module:function:line]message`",
        rank=86,
        pattern=rf"\[(?P<logger>[a-z]\w{{0,40}}+):(?P<level>debug|info|warn|error|critical),{ISO},"
        r"(?P<node>[^,\]\n]{1,200}?):(?P<process>[^:\]\n]{1,200}+)"
        r":(?P<module>\w{1,100}+)(?::(?P<function>[\w/\-]{1,100}+):(?P<line>\d{1,9}+))?\](?P<body>.*)",
        sample="[ns_server:info,2026-11-20T08:51:00.123+01:00,ns_1@192.0.2.1:<0.58.0>:ns_server:log_pending:30]Starting",
        scale=WORDS,
        fields={
            "logger": _LOGGER, "node": _NODE, "process": ("app.process", str), "module": ("app.module", str),
            "function": ("code.function.name", str), "line": _LINE,
        },
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="sap_hana",
        title="SAP HANA's traces: `[thread]{connection}[transaction] time level component file(line) : message`",
        rank=86,
        pattern=r"\[(?P<thread>\d{1,10}+)\]\{(?P<connection>-?\d{1,18}+)\}\[(?P<transaction>-?\d{1,18}+/-?\d{1,18}+)\] "
        rf"{ISO} (?P<level>[diwef]) (?P<logger>\S{{1,60}}+) {{1,40}}"
        r"(?P<file>[\w./\-]{1,200}+)\((?P<line>\d{1,9}+)\) : (?P<body>.*)",
        sample="[12035]{200001}[15/40637290] 2026-11-20 08:51:00.123456 w backup           BackupManager.cpp(00245) : "
        "Backup took long",
        scale={"D": DEBUG, "I": INFO, "W": WARN, "E": ERROR, "F": FATAL},
        fields={
            "thread": _THREAD, "connection": ("app.connection", str), "transaction": ("app.transaction", str),
            "logger": _LOGGER, "file": _FILE, "line": _LINE,
        },
        time=iso_time,
        rule=TEXT,
        absent=frozenset({"-1", "-1/-1"}),
    ),
    Layout(
        name="ceph",
        title="Ceph's daemons: `time thread level message`",
        rank=85,
        pattern=rf"{ISO} (?P<thread>[\da-f]{{12,16}}+) {{1,2}}(?P<level>-1|\d{{1,2}}) (?P<body>.*)",
        sample="2026-11-20T08:51:00.123+0100 7f26c2813700  1 mon.a@0(leader).log v15 check_sub sending message to mgr",
        scale=_CEPH,
        fields={"thread": ("app.thread", str)},
        time=iso_time,
        rule=LINES,
    ),
    Layout(
        name="ceph_cluster",
        title="Ceph's cluster log: `time daemon (rank) number : channel [LVL] message`",
        rank=86,
        pattern=rf"{ISO} (?P<logger>(?:mon|mgr|osd|mds|rgw|client)\.[\w.\-]{{1,200}}+) "
        r"(?:\((?P<rank>[\w.\-]{1,100}+)\)|(?P<rank2>[\w.\-]{1,100}+) (?P<address>[^ ]{1,100}+)) (?P<number>\d{1,18}+) "
        r": (?P<channel>[a-z]{0,40}+) \[(?P<level>DBG|INF|SEC|WRN|ERR)\] (?P<body>.*)",
        sample="2026-11-20T08:51:00.123456+0100 mon.a (mon.0) 4867123 : cluster [WRN] Health check failed: 1 osd down",
        scale={"DBG": DEBUG, "INF": INFO, "SEC": NOTICE, "WRN": WARN, "ERR": ERROR},
        fields={
            "logger": _LOGGER, "rank": ("app.rank", str), "rank2": ("app.rank", str), "address": ("app.address", str),
            "number": ("app.sequence", int), "channel": ("app.channel", str),
        },
        time=iso_time,
        rule=LINES,
        absent=frozenset({"-", ""}),
    ),
    Layout(
        name="redis_monitor",
        title="What Redis' MONITOR prints: `epoch [database client] command`",
        rank=86,
        pattern=r"(?P<epoch>\d{9,11}+)\.(?P<fraction>\d{6}) \[(?P<db>\d{1,5}+) (?:lua|unix:(?P<path>[^\]\n]{1,200}+)"
        r"|\[?(?P<client>[\w.:\-]{1,255}?)\]?:(?P<port>\d{1,5}+))\] "
        r'(?P<body>"(?P<command>[^"\\]{1,100}+)"(?: "(?:[^"\\]++|\\.){0,9999}+"){0,9999}+)',
        sample='1795161060.123456 [0 192.0.2.1:52500] "set" "greeting" "hello"',
        scale={},
        fields={
            "db": ("db.namespace", str), "client": ("client.address", str), "port": ("client.port", int),
            "path": ("app.socket", str),
        },
        time=lambda times, found: times.epoch(int(found["epoch"] or 0), found["fraction"] or ""),
        rule=ALONE,
        finish=_monitored,
    ),
)  # fmt: skip

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
