"""Stores and the pools before them: ClickHouse, PgBouncer, Couchbase, SAP HANA, Ceph, Aerospike, Scylla, Db2, Oracle,
and what Redis' MONITOR prints.
MySQL and Redis' own log are in `database`, PostgreSQL is in `postgres`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, is_number, iso_time, parts_time
from adapter_logformat.multiline import ALONE, LINES, TEXT, Rule
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import CRIT, DEBUG, ERROR, FATAL, INFO, NOTICE, TRACE, WARN, WORDS
from adapter_logformat.timestamps import Times

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


_DB2_KEYS: Final = "PID|TID|PROC|INSTANCE|NODE|DB|APPHDL|APPID|AUTHID|HOSTNAME|EDUID|EDUNAME|FUNCTION"
_DB2_KEY: Final = re.compile(rf"(?<!\S)({_DB2_KEYS})\s*+:(?!\S)")
_DB2_TARGETS: Final = {
    "TID": "thread.id", "PROC": "app.program", "DB": "db.namespace", "AUTHID": "user.name",
    "EDUNAME": "thread.name", "FUNCTION": "code.function.name", "PID": "process.pid",
}  # fmt: skip
_ORACLE_KEY: Final = re.compile(r"([A-Z][A-Z ]{1,30}+):\[\d{1,9}\] '")
_ORACLE_TARGETS: Final = {
    "ACTION": "db.query.text", "DATABASE USER": "user.name", "CLIENT ADDRESS": "client.address",
}  # fmt: skip
_ORACLE_CODE: Final = re.compile(r"ORA-\d{5}\b")
_ORACLE_MARK: Final = re.compile(
    r"(?:ORA|TNS)-\d{5}|^(?:Errors in |Thread \d|LENGTH ?:|(?:LGWR|SMON|PMON|ARC\w|CKPT|RECO|LNS)\b)|\b(?:ORACLE|SCN)\b"
    r"|\b(?i:alter (?:database|system|user)|log (?:switch|sequence)|archived? log|redo|tablespace|instance)\b",
    re.MULTILINE,
)
"""What the server says of itself; below a time as `date` writes it anything else is anybody's."""
LONGEST_AUDIT: Final = 1 << 16


def _db2_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    """Behind the time stand the minutes by which it is ahead."""
    hours, minutes = divmod(int((found["ahead"] or "")[1:]), 60)
    zone = f"{(found['ahead'] or '')[0]}{hours:02d}{minutes:02d}"
    return times.parts(found["year"], found["month"] or "", found["day"] or "", found["clock"] or "",
                       found["fraction"], zone)  # fmt: skip


def _db2(record: Record, _: str, lines: Sequence[str]) -> None:
    """Figures of the header up to the first line that begins with none; what follows is the message."""
    at = 0
    while at < len(lines) and _DB2_KEY.match(lines[at]):
        keys = list(_DB2_KEY.finditer(lines[at]))
        ends = [key.start() for key in keys[1:]] + [len(lines[at])]
        for key, end in zip(keys, ends, strict=True):
            _db2_figure(record, key[1], lines[at][key.end() : end].strip())
        at += 1
    record.body = "\n".join(lines[at:]) or None


def _db2_figure(record: Record, key: str, value: str) -> None:
    if value and key == "HOSTNAME":
        record.resource["host.name"] = value
    elif value:
        is_id = key in ("PID", "TID") and is_number(value)
        record.attributes[_DB2_TARGETS.get(key, OWN_PREFIX + key.lower())] = int(value) if is_id else value


def _oracle(record: Record, first: str, lines: Sequence[str]) -> None:
    """What stands below the time: messages, or the pairs of an audit trail."""
    text = record.body = "\n".join(lines)
    if first[:1].isalpha() and _ORACLE_MARK.search(text[:LONGEST_AUDIT]) is None:
        _dated(record, lines)
    elif text.startswith("LENGTH") and len(text) <= LONGEST_AUDIT:
        _audit(record, lines)
    elif (code := _ORACLE_CODE.search(text, 0, LONGEST_AUDIT)) is not None:
        record.attributes["db.response.status_code"] = code[0]


def _dated(record: Record, lines: Sequence[str]) -> None:
    """What `date` wrote, and a script's lines below it: the first may tell their level."""
    from adapter_logformat.formats import generic  # only such records need it

    record.format = "generic"
    told = generic.read(lines[0], Times()) if lines else None
    if told is not None and told.timestamp is None and told.severity_text is not None:
        record.severity_text, record.severity_number = told.severity_text, told.severity_number
        record.attributes |= told.attributes
        record.body = "\n".join([told.body or "", *lines[1:]])


def _audit(record: Record, lines: Sequence[str]) -> None:
    """`KEY:[length] 'value'`; a value may have more lines, up to the next key."""
    pairs: list[tuple[str, list[str]]] = []
    for line in lines:
        if (found := _ORACLE_KEY.match(line)) is not None:
            pairs.append((found[1].rstrip(), [line[found.end() :]]))
        elif pairs:
            pairs[-1][1].append(line)
    for key, value in pairs:
        text = "\n".join(value).rstrip()
        if len(text) > 1 and text.endswith("'"):
            name = _ORACLE_TARGETS.get(key, OWN_PREFIX + key.lower().replace(" ", "_"))
            record.attributes[name] = text[:-1]


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
        pattern=rf"{ISO} (?P<thread>(?:7f|ffff)[\da-f]{{8,14}}+) (?= \d |-1 |\d\d ) ?(?P<level>-1|\d{{1,2}}) "
        r"(?P<body>.*)",
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
        name="aerospike",
        title="Aerospike: `time GMT: LEVEL (module): (file:line) message`",
        rank=86,
        pattern=rf"(?P<month>[A-Z][a-z]{{2}}) (?P<day>\d\d) (?P<year>\d{{4}}) {HMS} (?P<zone>[A-Z]{{3,4}}): "
        r"(?P<level>CRITICAL|WARNING|INFO|DEBUG|DETAIL) \((?P<logger>[\w\-:]{1,60}+)\): "
        r"(?:\((?P<file>[\w./\-]{1,100}+):(?P<line>\d{1,9}+)\) )?(?P<body>.*)",
        sample="Nov 20 2026 08:51:00 GMT: INFO (info): (ticker.c:168) NODE-ID bb902b0a8c04202 CLUSTER-SIZE 1",
        scale={"CRITICAL": FATAL, "WARNING": WARN, "INFO": INFO, "DEBUG": DEBUG, "DETAIL": TRACE},
        fields={"logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=parts_time,
        rule=LINES,
    ),
    Layout(
        name="scylla",
        title="Scylla and Seastar: `LEVEL time [shard n] logger - message`",
        rank=86,
        pattern=rf"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR) {{1,2}}{ISO} "
        r"\[shard {1,3}(?P<shard>\d{1,5}+)(?::\s*\w+)?\] (?P<logger>[\w.\-]{1,100}+) - (?P<body>.*)",
        sample="INFO  2026-11-20 08:51:00,083 [shard 1] compaction - Compacting 4 tables",
        scale=WORDS,
        fields={"shard": ("app.shard", int), "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="db2_diag",
        title="Db2's db2diag.log: a header, figures and the message below",
        rank=86,
        pattern=r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)-(?P<clock>\d\d\.\d\d\.\d\d)\.(?P<fraction>\d{6})"
        r"(?P<ahead>[+-]\d{3}) (?P<record>[A-Z]\d{1,18}[A-Z]\d{1,9}) {1,20}LEVEL: (?P<level>[A-Z][a-z]{2,10})(?P<body>)"
        r"(?: \(.{0,30}\))?\s{0,9}",
        sample="2026-11-20-08.51.00.193659+060 E15259E495            LEVEL: Event",
        scale={"EVENT": INFO, "INFO": INFO, "WARNING": WARN, "ERROR": ERROR, "SEVERE": CRIT, "CRITICAL": FATAL},
        fields={"record": ("app.record_id", str)},
        time=_db2_time,
        rule=Rule(rf"(?:{_DB2_KEYS}|MESSAGE|CHANGE|RETCODE|CALLED|IMPACT|DATA #\d+|START|STOP|CALLSTCK)\s*:.*|[ \t].*",
                  joins_unknown=True, folds=True),
        fold=_db2,
    ),
    Layout(
        name="oracle",
        title="Oracle's alert log and audit trail: a time alone in its line, the rest below",
        rank=80,
        pattern=r"(?:(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(?P<fraction>\d{6})(?P<zone>[+-]\d\d:\d\d)"
        r"|[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) (?P<day>\d\d) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})"
        r"(?: (?P<ahead>[+-]\d\d:\d\d))?)(?P<body>)",
        sample="2026-11-20T08:51:00.339827-05:00",
        scale={},
        fields={},
        time=lambda times, found: iso_time(times, found) if found["second"] else times.parts(
            found["year"], found["month"] or "", found["day"] or "", found["clock"] or "", None, found["ahead"]),
        rule=Rule(r"[ \t].*|Warning: .*|ORA-\d{5}.*|Errors in .*", joins_unknown=True, folds=True),
        fold=_oracle,
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
