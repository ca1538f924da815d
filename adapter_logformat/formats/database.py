"""MySQL and MariaDB (error log, general log, slow log as a block), Redis and Valkey. MongoDB's JSON is in
`json_server`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import HMS, ISO, Format, Layout, iso_time, parts_time, unread_time
from adapter_logformat.multiline import TEXT, Rule
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import DEBUG, ERROR, INFO, NOTICE, TRACE, WARN
from adapter_logformat.timestamps import Times

_MYSQL_SCALE: Final = {"SYSTEM": INFO, "NOTE": INFO, "WARNING": WARN, "ERROR": ERROR, "INFO": INFO}
_ROLES: Final = {"M": "master", "S": "replica", "C": "child", "X": "sentinel"}

_COMMANDS: Final = (
    "Sleep|Quit|Init DB|Query|Field List|Create DB|Drop DB|Refresh|Shutdown|Statistics|Processlist|Connect|Kill|Debug"
    "|Ping|Time|Delayed insert|Change user|Binlog Dump(?: GTID)?|Table Dump|Connect Out|Register (?:Slave|Replica)"
    "|Prepare|Execute|Long Data|Close stmt|Reset stmt|Set option|Fetch|Daemon|Reset Connection|Error"
)
"""What the server calls the commands of its protocol."""
_SURELY: Final = (
    r"(?:Query|Prepare|Execute) {2,20}(?i:select|insert|update|delete|replace|set|show|commit|rollback|begin|start"
    r"|create|alter|drop|use|call|with|truncate|lock|unlock|explain|desc|describe|grant|flush|load|xa|savepoint|/\*|\()"
    r"|Connect {2,20}\S{1,200}@|Init DB {2}|(?:Quit|Statistics|Ping) {0,20}$|(?:Close|Reset) stmt|Field List"
    rf"|(?:{_COMMANDS})\t"
)
"""Behind blanks in the place of a tab the words of some commands are anybody's."""
_GENERAL_TARGETS: Final = {
    "Query": "db.query.text", "Prepare": "db.query.text", "Execute": "db.query.text", "Init DB": "db.namespace",
}  # fmt: skip

_TIME: Final = re.compile(
    r"# Time: (?:(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)"
    r"|(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {1,2}(?P<clock>\d{1,2}:\d\d:\d\d))(?:\s.*)?"
)
_TOOK: Final = re.compile(r"# Query_time: \d{1,9}(?:\.\d{1,9})? {1,4}Lock_time: \d.*")
_USER: Final = re.compile(
    r"# User@Host: (?P<user>[^\s\[]*+)(?:\[(?P<inner>[^\]]*+)\])? @ {1,2}(?P<host>[^\s\[]*+) ?(?:\["
    r"(?P<address>[^\]]*+)\])?"
    r"(?:\s++Id:\s++(?P<id>\d{1,18}+))?.*"
)
_FIGURE: Final = re.compile(r"(?:^|(?<=\s))([A-Za-z]\w*+): ?(\S++|(?= |$))")
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_SET_TIMESTAMP: Final = re.compile(r"SET timestamp=(\d{1,11})(?:\.(\d{1,9}))?;", re.ASCII)
_USE: Final = re.compile(r"use `?([^`;]++)`?;", re.IGNORECASE)
LONGEST_FIGURES: Final = 1 << 12
_FIGURES: Final = {
    "Query_time": ("db.client.operation.duration", float), "Lock_time": ("app.lock_time", float),
    "Rows_sent": ("db.response.returned_rows", int), "Rows_examined": ("app.rows_examined", int),
    "Rows_affected": ("app.rows_affected", int), "Bytes_sent": ("app.bytes_sent", int),
    "Schema": ("db.namespace", str), "Thread_id": ("app.connection", int), "Id": ("app.connection", int),
    "Last_errno": ("app.last_errno", int),
}  # fmt: skip


def read_slow(line: str, times: Times) -> Record | None:
    """The first line of a block: `# Time:`, or `# User@Host:` where the second is the same as before, or the figures
    where whoever passed it on left those out."""
    if line.startswith("# Time: "):
        found = _TIME.fullmatch(line)
        if found is None:
            return None
        record = Record("mysql_slow", severity_number=WARN)
        if found["second"] is not None:
            record.timestamp = times.iso(found["second"], found["fraction"], found["zone"])
        else:
            record.timestamp = times.parts(found["year"], found["month"], found["day"], found["clock"])
        if record.timestamp is None:
            unread_time(record, line[8:])
        return record
    if _USER.fullmatch(line) or _TOOK.fullmatch(line):
        return Record("mysql_slow", severity_number=WARN)
    return None


def _slow(record: Record, first: str, lines: Sequence[str]) -> None:
    """Comment lines give the figures, the rest is the statement."""
    attributes = record.attributes
    sql: list[str] = []
    for line in [first, *lines]:
        if line.startswith("# User@Host:") and (user := _USER.fullmatch(line)) is not None:
            for group, name in (("user", "user.name"), ("host", "client.address"), ("address", "client.address")):
                if user[group]:
                    attributes[name] = user[group]
            if user["id"]:
                attributes["app.connection"] = int(user["id"])
        elif line.startswith("# Time:"):
            continue
        elif line.startswith("#") and not sql:
            _figures(attributes, line)
        elif (moment := _SET_TIMESTAMP.fullmatch(line)) is not None:
            if record.timestamp is None and not record.error:
                record.timestamp = _epoch(moment)
        elif not sql and (use := _USE.fullmatch(line)) is not None:
            attributes["db.namespace"] = use[1]
        else:
            sql.append(line)
    if sql:
        attributes["db.query.text"] = "\n".join(sql)
    record.body = "\n".join(sql) if sql else first


def _figures(attributes: dict[str, object], line: str) -> None:
    """`# Query_time: 2.1  Lock_time: 0.0`; what is no list of figures (a plan) stays as text."""
    text = line[1:].strip()
    is_list = len(text) <= LONGEST_FIGURES and not text.startswith("explain: ") and not _FIGURE.sub("", text).strip()
    figures = _FIGURE.findall(text) if is_list else []
    if not figures or not all(map(_is_figure, figures)):
        if text:
            said = attributes.get("app.comment")
            attributes["app.comment"] = text if said is None else f"{said}\n{text}"
        return
    for key, value in figures:
        name, kind = _FIGURES.get(key, (OWN_PREFIX + key.lower(), _figure))
        if value:
            attributes[name] = int(float(value)) if kind is int else kind(value)


def _is_figure(figure: tuple[str, str]) -> bool:
    """Nothing, or a number where the server writes only numbers."""
    key, value = figure
    return not value or _FIGURES.get(key, ("", str))[1] is str or _NUMBER.fullmatch(value) is not None


def _figure(text: str) -> object:
    """A number where it is written as one."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _epoch(moment: re.Match[str]) -> Stamp | None:
    return Times().epoch(int(moment[1]), moment[2] or "")


def _redis(record: Record, found: Mapping[str, str | None]) -> bool:
    role = found["role"] or found["role2"]
    if role is not None:
        record.attributes["app.role"] = _ROLES.get(role, role)
    return True


LAYOUTS: Final = (
    Layout(
        name="mysql_error",
        title="MySQL 5.7 and 8 error log",
        rank=86,
        pattern=r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}+))?(?P<zone>Z|[+-]\d\d:\d\d) "
        r"(?:(?P<program>mysqld_safe) |(?P<thread>\d{1,18}+) \[(?P<level>System|Note|Warning|ERROR|Error)\] "
        r"(?:\[(?P<code>MY-\d{1,9}+)\] \[(?P<subsystem>[^\]]*+)\] )?)(?P<body>.*)",
        sample="2026-11-20T08:51:00.123456Z 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld 8.0.30) starting",
        scale=_MYSQL_SCALE,
        fields={
            "program": ("otel.scope.name", str),
            "thread": ("thread.id", int),
            "code": ("db.response.status_code", str),
            "subsystem": ("otel.scope.name", str),
        },
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="mariadb_error",
        title="MariaDB error log, and MySQL's before 5.7",
        rank=85,
        pattern=r"(?:(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)|(?P<year2>\d\d)(?P<month2>\d\d)(?P<day2>\d\d))"
        r" {1,2}(?P<clock>\d{1,2}:\d\d:\d\d) (?:(?:(?P<thread>(?:0x)?[0-9a-f]{1,18}+) |(?=\[Note\])|(?(year)(?!)))"
        r"\[(?P<level>Note|Warning|ERROR|Error|Info)\] (?:(?P<logger>[A-Z][A-Za-z]{2,20}+): )?"
        r"|(?(year)(?!)) ?(?P<program>mysqld_safe(?= )|InnoDB(?=: )):? )(?P<body>.*)",
        sample="2026-11-20  8:51:00 0 [Note] InnoDB: Compressed tables use zlib 1.2.13",
        scale=_MYSQL_SCALE,
        fields={"logger": ("otel.scope.name", str), "program": ("otel.scope.name", str)},
        time=lambda times, found: times.parts(
            found["year"] or found["year2"],
            found["month"] or found["month2"] or "",
            found["day"] or found["day2"] or "",
            found["clock"] or "",
        ),
        rule=TEXT,
        finish=lambda record, found: _thread(record, found["thread"]),
    ),
    Layout(
        name="mysql_entrypoint",
        title="MySQL's and MariaDB's container while it makes the database",
        rank=87,
        pattern=rf"{ISO} \[(?P<level>Note|Warn|ERROR)\] \[(?P<logger>Entrypoint)\]: (?P<body>.*)",
        sample="2026-11-20 08:51:00+00:00 [Note] [Entrypoint]: Initializing database files",
        scale={**_MYSQL_SCALE, "WARN": WARN},
        fields={"logger": ("otel.scope.name", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="mysql_start",
        title="What MySQL and MariaDB write at the head of their query logs",
        rank=86,
        pattern=r"(?P<body>(?=[^,\n]{0,200}(?:mysqld|mariadbd)[\w.\-]{0,40}+, )[/A-Z][^,\n]{1,250}+, Version: "
        r"(?P<version>[\w.:+~\-]{1,100}?)(?: \(.{0,200}\))?\. started with:)",
        sample="/usr/sbin/mysqld, Version: 8.0.30 (MySQL Community Server - GPL). started with:",
        scale={},
        fields={"version": ("app.version", str)},
        time=None,
        rule=Rule(r"T[Cc][Pp] [Pp]ort: .*|Time {1,40}Id {1,10}Command {1,10}Argument"),
    ),
    Layout(
        name="mysql_general",
        title="MySQL and MariaDB general query log; times may be missing on lines of the same second",
        rank=86,
        # Two blanks and more are what some that pass lines on make of a tab.
        pattern=r"(?:(?:(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {1,2}(?P<clock>\d{1,2}:\d\d:\d\d)"
        r"|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}+))?(?P<zone>Z|[+-]\d\d:\d\d)|\t)"
        rf"(?:\t {{0,12}}| {{2,20}}(?=\d++ (?:{_SURELY})))|(?=\d++ (?:Query|Connect|Prepare|Execute|Init DB)\t))"
        rf"(?P<connection>\d{{1,18}}+) (?P<command>{_COMMANDS})(?:(?:\t| {{2,20}})(?P<body>.*))?",
        sample="2026-11-20T08:51:00.123456Z\t    7 Query\tSELECT 1",
        scale={},
        fields={"connection": ("app.connection", int), "command": ("app.command", str)},
        time=lambda times, found: (
            times.iso(found["second"], found["fraction"], found["zone"])
            if found["second"]
            else parts_time(times, found)
            if found["year"]
            else None
        ),
        rule=Rule(r"[ \t](?!\t {0,12}\d).*", joins_unknown=True, folds=True),
        fold=lambda record, first, lines: _general(record, first, lines),
    ),
    Layout(
        name="redis",
        title="Redis and Valkey",
        rank=86,
        pattern=r"(?:(?:(?P<pid>\d{1,10}+):(?P<role>[MSCX]) |\[(?P<pid2>\d{1,10}+)(?::(?P<role2>[MSCX]))?\] )?+"
        rf"(?P<day>\d\d) (?P<month>[A-Z][a-z]{{2}}) (?:(?P<year>\d{{4}}) )?{HMS} "
        r"(?P<level>[.*#]|(?(pid)-|(?(pid2)-|(?!)))) "  # a dash alone is anybody's
        r"|(?P<pid3>\d{1,10}+):signal-handler \((?P<epoch>\d{9,11}+)\) )(?P<body>.*)",
        sample="1234:M 20 Nov 2026 08:51:00.123 * Ready to accept connections tcp",
        scale={".": TRACE, "-": DEBUG, "*": NOTICE, "#": WARN},
        fields={"pid": ("process.pid", int), "pid2": ("process.pid", int), "pid3": ("process.pid", int)},
        time=lambda times, found: times.epoch(int(found["epoch"])) if found["epoch"] else parts_time(times, found),
        rule=TEXT,
        finish=_redis,
    ),
)


def _general(record: Record, _: str, lines: Sequence[str]) -> None:
    """A statement goes on in the lines below."""
    record.body = "\n".join([record.body or "", *lines])
    name = _GENERAL_TARGETS.get(str(record.attributes["app.command"]))
    if name is not None:
        record.attributes[name] = record.body


def _thread(record: Record, text: str | None) -> bool:
    if text is not None:
        record.attributes["thread.id"] = int(text, 16 if text.startswith("0x") or not text.isdigit() else 10)
    return True


FORMATS: Final = (
    *(layout.format() for layout in LAYOUTS),
    Format(
        name="mysql_slow",
        title="MySQL and MariaDB slow query log: one record a query",
        rank=86,
        read=read_slow,
        sample="# Time: 2026-11-20T08:51:00.123456Z",
        rule=Rule(
            r"# (?!Time: |User@Host: ).*|[ \t].*|SET timestamp=.*|use .*",
            joins_unknown=True,
            once=r"# User@Host: .*",
            folds=True,
        ),
        fold=_slow,
    ),
)
