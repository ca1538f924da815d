"""Servers and programs written in Go: the request logs of gin, fiber and chi; etcd's capnslog, Gitea, Telegraf,
TiDB and its relatives, CockroachDB.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats.access import put_request
from adapter_logformat.formats.pairs import MOST, distinct, plain
from adapter_logformat.grammar import CLOCK, HMS, ISO, YMD, Field, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, NOTICE, TRACE, WARN, WORDS, of_status

_LOGGER: Final[Field] = ("otel.scope.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_STATUS: Final[Field] = ("http.response.status_code", int)
_CLIENT: Final[Field] = ("client.address", str)
_LETTERS: Final = {
    "T": TRACE, "D": DEBUG, "I": INFO, "N": NOTICE, "W": WARN, "E": ERROR, "C": FATAL, "F": FATAL,
}  # fmt: skip
_TOOK: Final = r"(?P<took>(?:\d{1,9}h)?(?:\d{1,9}m(?!s))?\d{1,12}+(?:\.\d{1,12}+)?(?:ns|µs|us|ms|s))"
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|ns|µs|us|s)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_TIDB_PAIR: Final = re.compile(
    r'\[(?P<key>"(?:[^"\\]|\\.){1,200}+"|[\w.\-/]{1,200}+)=(?P<value>"(?:[^"\\]|\\.){0,9999}+"|[^\]"\[]*+)\](?: |\Z)'
)


def _request(record: Record, found: Mapping[str, str | None]) -> bool:
    record.severity_number = of_status(int(found["status"] or 0))
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(found["took"] or ""))
    record.attributes["http.server.request.duration"] = seconds
    request = f"{found['method']} {found['target']}" + (f" {found['protocol']}" if found.get("protocol") else "")
    put_request(request, record.attributes)
    record.body = request + (f" {record.body}" if record.body else "")
    return True


def _tidb(record: Record, found: Mapping[str, str | None]) -> bool:
    """The fields are opened where all of the rest is fields."""
    record.body = plain(record.body or "")
    text, at = found["fields"] or "", 0
    run: list[tuple[str, str]] = []
    while at < len(text) and len(run) <= MOST and (pair := _TIDB_PAIR.match(text, at)):
        run.append((OWN_PREFIX + plain(pair["key"]), plain(pair["value"])))
        at = pair.end()
    told = distinct(run) if at == len(text) else None
    if told is None:
        record.body += " " + text
    else:
        record.attributes.update(told)
    return True


LAYOUTS: Final = (
    Layout(
        name="gin",
        title="gin's request log",
        rank=84,
        pattern=rf"\[GIN\] {YMD} - {CLOCK} \| {{1,4}}(?P<status>\d{{3}}) \| {{1,20}}{_TOOK} \| {{1,40}}"
        r"(?P<client>[^ |\n]++) \| ?(?P<method>[A-Z]++) {1,9}\"?(?P<target>[^\"\n]*+)\"?(?P<body>.*)",
        sample='[GIN] 2026/11/20 - 08:51:00 | 200 |     1.25ms |       192.0.2.1 | GET      "/items?id=7"',
        scale={},
        fields={"status": _STATUS, "client": _CLIENT},
        time=parts_time,
        finish=_request,
    ),
    Layout(
        name="gin_debug",
        title="gin's own messages",
        rank=84,
        pattern=r"\[GIN-debug\] (?:\[(?P<level>WARNING|ERROR)\] )?(?P<body>.*)",
        sample="[GIN-debug] [WARNING] Creating an Engine instance with the Logger and Recovery middleware already "
        "attached.",
        scale=WORDS,
        fields={},
        time=None,
        rule=TEXT,
    ),
    Layout(
        name="fiber",
        title="fiber's request log",
        rank=84,
        pattern=rf"{CLOCK} \| (?P<status>\d{{3}}) \| {{1,20}}{_TOOK} \| {{1,40}}(?P<client>[^ |\n]++) \| "
        r"(?P<method>[A-Z]++) {0,9}\| (?P<target>/[^ \n]*+) {0,40}\| (?:-(?=\n|\Z))?(?P<body>.*)",
        sample="08:51:00 | 200 |       1.25ms | 192.0.2.1 | GET | /items | -",
        scale={},
        fields={"status": _STATUS, "client": _CLIENT},
        time=clock_time,
        finish=_request,
    ),
    Layout(
        name="chi",
        title="chi's request log",
        rank=84,
        pattern=rf"{ISO} (?:\[(?P<request>[^\]\n]{{1,200}}+)\] )?\"(?P<method>[A-Z]++) (?P<target>[^ \"\n]++) "
        r"(?P<protocol>HTTP/\d(?:\.\d)?)\" from (?P<client>\[[\da-fA-F:.]+\]|[\w.\-]++):(?P<port>\d{1,5}+) - "
        rf"(?P<status>\d{{3}}) (?P<size>\d{{1,18}}+)B in {_TOOK}(?P<body>)",
        sample='2026/11/20 08:51:00 [host/abc-000001] "GET http://localhost:3000/a?b=1 HTTP/1.1" from [::1]:1234 - 200 '
        "12B in 1.2ms",
        scale={},
        fields={
            "request": ("app.request_id", str),
            "client": ("client.address", lambda text: text.strip("[]")),
            "port": ("client.port", int),
            "status": _STATUS,
            "size": ("http.response.body.size", int),
        },
        time=iso_time,
        finish=_request,
    ),
    Layout(
        name="etcd",
        title="etcd's capnslog: `time L | package: message`",
        rank=84,
        pattern=rf"{ISO} (?P<level>[TDINWEC]) \| (?P<logger>[\w./\-]++): (?P<body>.*)",
        sample="2026-11-20 08:51:00.123456 I | etcdserver: starting server",
        scale=_LETTERS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="gitea",
        title="Gitea and Forgejo: `time file.go:12:function() [I] message`",
        rank=84,
        pattern=rf"{ISO} (?P<file>[\w./\-]{{1,200}}?\.go):(?P<line>\d{{1,9}}+):"
        r"(?P<function>[^\s()]{1,200}+(?:\(\*?\w++\)[^\s()]{1,100}+)?)\(\) "
        r"\[(?P<level>[TDIWECF])\] (?P<body>.*)",
        sample="2026/11/20 08:51:00 cmd/web.go:102:runWeb() [I] Starting Gitea on PID: 12",
        scale=_LETTERS,
        fields={"file": _FILE, "line": _LINE, "function": ("code.function.name", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="telegraf",
        title="Telegraf: `time I! [plugin] message`",
        rank=84,
        pattern=rf"{ISO} (?P<level>[TDIWE])! (?:\[(?P<logger>[\w.:\-]{{1,200}}+)\] )?(?P<body>.*)",
        sample="2026-11-20T08:51:00Z E! [outputs.influxdb] when writing: no route",
        scale=_LETTERS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="tidb",
        title="TiDB, TiKV, Milvus: `[time] [LEVEL] [file:line] [message] [key=value] …`",
        rank=84,
        pattern=rf"\[{ISO}\] \[(?P<level>DEBUG|INFO|WARN|ERROR|FATAL|PANIC)\] \[(?:(?P<file>[\w./\-]{{1,200}}+):"
        r"(?P<line>\d{1,9}+)|<unknown>)\] \[(?P<body>\"(?:[^\"\\\n]|\\.){0,9999}+\"|[^\]\"\n]*+)\](?: (?P<fields>.*))?",
        sample='[2026/11/20 08:51:00.123 +00:00] [INFO] [server.go:12] ["server is running"] [addr=0.0.0.0:4000]',
        scale=WORDS,
        fields={"file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
        finish=_tidb,
    ),
    Layout(
        name="cockroachdb",
        title="CockroachDB: `Lyymmdd time goroutine file:line ⋮ [tags] counter message`",
        rank=87,
        pattern=rf"(?P<level>[IWEF])(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) {HMS} (?P<tid>\d{{1,18}}+) "
        r"(?:\d{1,3}@)?(?P<file>[^\s:\]]++):(?P<line>\d{1,9}+) (?:⋮ )?(?:\[(?P<tags>[^\]\n]*+)\] ?)?"
        r"(?:(?P<counter>\d{1,18}+) {1,2})?(?P<body>.*)",
        sample="I261120 08:51:00.123456 123 server/node.go:12 ⋮ [n1,client=1] 45  node connected",
        scale=_LETTERS,
        fields={
            "tid": ("thread.id", int),
            "file": _FILE,
            "line": _LINE,
            "tags": ("app.tags", str),
            "counter": ("app.counter", int),
        },
        time=parts_time,
        rule=TEXT,
        absent=frozenset({"-", ""}),
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
