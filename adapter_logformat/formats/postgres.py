"""PostgreSQL: stderr with the usual prefixes, and csvlog. jsonlog is read with the JSON loggers (`json_server`).

DETAIL, HINT, CONTEXT, STATEMENT and their like repeat the prefix of the message they belong to, and join it; lines
that begin with a tab continue the line before them.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import HMS, YMD, Format, Layout, is_number, parts_time
from adapter_logformat.multiline import Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, NOTICE, PANIC, TRACE, WARN
from adapter_logformat.timestamps import Times

SCALE: Final = {
    "DEBUG": DEBUG, "DEBUG1": DEBUG, "DEBUG2": TRACE, "DEBUG3": TRACE, "DEBUG4": TRACE, "DEBUG5": TRACE, "LOG": INFO,
    "INFO": INFO, "NOTICE": NOTICE, "WARNING": WARN, "ERROR": ERROR, "FATAL": FATAL, "PANIC": PANIC,
}  # fmt: skip
PARTS: Final = {
    "DETAIL": "app.detail", "HINT": "app.hint", "CONTEXT": "app.context", "QUERY": "app.query",
    "STATEMENT": "db.query.text", "LOCATION": "app.location", "BACKTRACE": "app.backtrace",
}  # fmt: skip

_CLOUD: Final = r"[^\s@]{0,255}@[^\s:@]{0,130}:\[\d{1,10}\]:"
"""Amazon's prefix `%t:%r:%u@%d:[%p]:`, after which a level may have but one blank where the line was passed on."""
_PART: Final = re.compile(rf".{{0,300}}?(?P<part>{'|'.join(PARTS)}):(?:  |(?<=\]:[A-Z]{{4}}:) |(?<=\]:[A-Z]{{6}}:) "
                          r"|(?<=\]:STATEMENT:) )(?P<text>.*)")  # fmt: skip
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}: ")
_PID: Final = re.compile(r"\[(\d{1,10})(?:-\d{1,9})?\]")
_NAMED: Final = re.compile(
    r"\b(user|db|app|client|host|pid)=(\[\w{1,20}\]|[^,\]]*?)(?=,|\]|\s+(?:\w+=|\[)|:\s|:\[|[:\s>]*$)"
)
_AT: Final = re.compile(r"(?:^|[\s:\]])([^\s:@\[\]=,]{1,64}+)@([^\s:@\[\]=,]{1,64}+)(?=[\s:,\[]|$)")
_ADDRESS: Final = r"((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F:]+)"
_REMOTE: Final = re.compile(rf"(?:^:?|[\s:]){_ADDRESS}\((\d{{1,5}})\)")
_HOST: Final = re.compile(rf" ?:(?:{_ADDRESS}|([A-Za-z][\w.\-]{{0,254}}+)):[^\s:]{{0,130}}@[^\s:]{{0,130}}:\[")
"""`:host:user@database:[pid]` without the port, as `%h` gives it."""
_SESSION: Final = re.compile(r"(?:^|[\s:\-|\[])([0-9a-f]{8}\.[0-9a-f]{1,8})(?=$|[\s:\-|\]])")
_PIECES: Final = (_NAMED, re.compile(r"\b\w{1,20}=[^\s,\]]*"), _REMOTE, _AT, _PID, _SESSION, re.compile(r"\[local\]"))
_WORD: Final = re.compile(r"[^\s:,|\0]*[A-Za-z]{2}[^\s:,|\0]*")
MOST_WORDS: Final = 4
"""User, database, application and command without a name, beside pieces that are sure."""
_UNKNOWN: Final = ("[unknown]", "", "[local]")

_TIME: Final = rf"{YMD} {HMS}(?: (?P<zone>[A-Z]{{1,5}}|[+-]\d\d(?::?\d\d)?))?"
_CSV_TIME: Final = re.compile(_TIME)
_COLUMNS: Final = (
    "log_time", "user", "database", "pid", "client", "session_id", "session_line", "command_tag", "session_start",
    "virtual_transaction", "transaction_id", "level", "sql_state", "message", "detail", "hint", "internal_query",
    "internal_query_pos", "context", "query", "query_pos", "location", "application_name", "backend_type",
    "leader_pid", "query_id",
)  # fmt: skip
_GREENPLUM: Final = (
    "log_time", "user", "database", "pid", "thread", "host", "port", "session_start", "transaction_id", "session_id",
    "command", "segment", "slice", "distributed", "local", "sub", "level", "sql_state", "message", "detail", "hint",
    "internal_query", "internal_query_pos", "context", "query", "query_pos", "function", "file", "line", "stack",
)  # fmt: skip


def _prefix(record: Record, found: Mapping[str, str | None]) -> bool:
    """What the common prefixes say of the session: `[pid]`, `user@db`, `user=…,db=…,app=…,client=…`, `host(port)`."""
    prefix, attributes = found["prefix"] or "", record.attributes
    session = _SESSION.search(prefix)
    if found["bracket"] is None and _is_prose(prefix):
        return False
    if session is not None:
        attributes["session.id"] = session[1]
    if (pid := _PID.search(prefix)) is not None:
        attributes["process.pid"] = int(pid[1])
    named = dict(_NAMED.findall(prefix))
    who = _AT.search(prefix)
    if who is not None:
        named.setdefault("user", who[1])
        named.setdefault("db", who[2])
    if (remote := _REMOTE.search(prefix)) is not None:
        attributes["client.address"], attributes["client.port"] = remote[1], int(remote[2])
    elif (host := _HOST.match(prefix)) is not None:
        attributes["client.address"] = host[1] or host[2]
    for key, name in (("user", "user.name"), ("db", "db.namespace"), ("app", "app.application_name"),
                      ("client", "client.address"), ("host", "client.address")):  # fmt: skip
        if named.get(key, "") not in _UNKNOWN:
            attributes[name] = named[key].split("(")[0]
    if is_number(named.get("pid", ""), 10):
        attributes["process.pid"] = int(named["pid"])
    _sql_state(record)
    if found["level"] in PARTS:
        # A part whose message was cut off or is in another file.
        record.severity_number = None
    return True


def _is_prose(prefix: str) -> bool:
    """Words are left beside what a session is known by, and they are too many, or stand where no prefix has any."""
    pieces, text = 0, prefix
    for piece in _PIECES:
        text, count = piece.subn("\0", text)
        pieces += count
    text = text.strip(" :-|,>")
    words = len(_WORD.findall(text))
    if not words or (not pieces and not re.search(r"\s", text)):
        return bool(words) and prefix[:1] != ":"
    if text[0] == "\0" or pieces > 1:
        return words > MOST_WORDS
    return words > MOST_WORDS // 2 or text[-1] != "\0"


def _sql_state(record: Record) -> None:
    """With `log_error_verbosity = verbose` the message begins with its SQLSTATE."""
    state = _SQLSTATE.match(record.body or "")
    if state is not None and any(map(str.isdigit, state[0])):
        record.attributes["db.response.status_code"] = state[0][:5]
        record.body = (record.body or "")[state.end() :]


def _fold(record: Record, first: str, lines: Sequence[str]) -> None:
    """Each part goes to its attribute, the lines before the first one to the body."""
    target, texts = "", {"": [record.body or ""]}
    for line in lines:
        part = None if line[:1] in (" ", "\t", "") else _PART.fullmatch(line)
        if part is not None:
            target = part["part"]
            texts.setdefault(target, []).append(part["text"])
        else:
            texts[target].append(line.removeprefix("\t"))
    record.body = "\n".join(texts.pop(""))
    for name, text in texts.items():
        record.attributes[PARTS[name]] = "\n".join(text)


def read_csv(line: str, times: Times) -> Record | None:
    """The first line of a csvlog record; quoted columns may go on in the lines below."""
    time = _CSV_TIME.match(line)
    if time is None or line[time.end() : time.end() + 1] != ",":
        return None
    columns = _split(line)
    name = _kind(columns)
    if name is None:
        return None
    record = Record(name)
    record.timestamp = parts_time(times, time.groupdict())
    if record.timestamp is None:
        record.attributes["app.time"], record.error = time[0], "time"
    _fill(record, columns)
    return record


def _kind(columns: Sequence[str]) -> str | None:
    """Greenplum writes `p` before the process, and its own columns before the level."""
    if len(columns) > 11 and columns[11] in SCALE and is_number(columns[3], 10):
        return "postgres_csv"
    if len(columns) > 18 and columns[16] in SCALE and columns[3][:1] == "p" and is_number(columns[3][1:], 10):
        return "greenplum_csv"
    return None


def _fold_csv(record: Record, first: str, lines: Sequence[str]) -> None:
    if lines:
        _fill(record, _split("\n".join([first, *lines])))


def _split(text: str) -> list[str]:
    try:
        return (
            next(csv.reader([text], strict=False), []) if "\n" not in text else next(csv.reader(text.splitlines(True)))
        )
    except (csv.Error, StopIteration):
        return []


def _fill(record: Record, columns: Sequence[str]) -> None:
    """Columns vary with the version (23 in 9.x, 26 since 14): names go by position, missing ones are left out."""
    names = _GREENPLUM if record.format == "greenplum_csv" else _COLUMNS
    told = {name: text for name, text in zip(names, columns, strict=False) if text}
    record.severity_text = told.get("level")
    record.severity_number = SCALE.get(told.get("level", ""))
    record.body = told.get("message", "")
    attributes = record.attributes
    for key, name in (("user", "user.name"), ("database", "db.namespace"), ("sql_state", "db.response.status_code"),
                      ("command_tag", "db.operation.name"), ("detail", "app.detail"), ("hint", "app.hint"),
                      ("context", "app.context"), ("query", "db.query.text"), ("location", "app.location"),
                      ("application_name", "app.application_name"), ("backend_type", "app.backend_type"),
                      ("session_id", "session.id"), ("host", "client.address"), ("segment", "app.segment"),
                      ("function", "code.function.name"), ("file", "code.file.path"),
                      ("stack", "app.backtrace")):  # fmt: skip
        if key in told:
            attributes[name] = told[key]
    if is_number(pid := told.get("pid", "").removeprefix("p"), 10):
        attributes["process.pid"] = int(pid)
    if is_number(told.get("line", ""), 9):
        attributes["code.line.number"] = int(told["line"])
    host, colon, port = told.get("client", "").rpartition(":")
    if colon and is_number(port, 5):
        attributes["client.address"], attributes["client.port"] = host, int(port)
    if is_number(told.get("port", ""), 5):
        attributes["client.port"] = int(told["port"])


STDERR: Final = Layout(
    name="postgres",
    title="PostgreSQL stderr, with the usual values of log_line_prefix",
    rank=85,
    pattern=rf"(?P<bracket>< ?)?{_TIME}(?P<cloud>(?= ?:{_CLOUD}))?(?P<prefix>[ :\-]?.{{0,300}}?(?(bracket)> ?|))"
    rf"(?P<level>{'|'.join((*SCALE, *PARTS))}):(?(cloud) {{1,2}}|  )(?P<body>.*)",
    sample='2026-11-20 08:51:00.123 UTC [1234] bob@shop ERROR:  relation "x" does not exist at character 15',
    scale=SCALE,
    fields={},
    time=parts_time,
    rule=Rule(
        r"\t.*",
        joins_unknown=True,
        parts=rf"(.{{0,300}}?)(?:(?:{'|'.join(PARTS)}):  |(?<=\]:)(?:{'|'.join(PARTS)}): ).*",
        folds=True,
    ),
    finish=_prefix,
    fold=_fold,
)

FORMATS: Final = (
    STDERR.format(),
    Format(
        name="postgres_csv",
        title="PostgreSQL csvlog, and Greenplum's",
        variants=("postgres_csv", "greenplum_csv"),
        rank=88,
        read=read_csv,
        sample='2026-11-20 08:51:00.123 UTC,"bob","shop",1234,"192.0.2.1:50000",67444444.4d2,3,"SELECT",2026-11-20'
        " 08:50:00 "
        'UTC,3/4,0,ERROR,42P01,"relation ""x"" does not exist",,,,,,"select * from x;",15,,"psql","client'
        ' backend",,0',
        rule=Rule(r"(?!)", quoted=True, folds=True),
        fold=_fold_csv,
    ),
)
