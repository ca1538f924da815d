"""Go: the standard logger, the consoles of zap, logrus and zerolog, gin, etcd's capnslog, HashiCorp's hclog."""

import json
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats.access import put_request
from adapter_logformat.grammar import CLOCK, ISO, YMD, Field, Layout, header_goes_on, iso_time, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, NOTICE, PANIC, TRACE, WARN, WORDS, of_status

_LOGGER: Final[Field] = ("otel.scope.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_ETCD: Final = {"T": TRACE, "D": DEBUG, "I": INFO, "N": NOTICE, "W": WARN, "E": ERROR, "C": FATAL}
_SHORT: Final = {
    "TRC": TRACE, "DBG": DEBUG, "INF": INFO, "WRN": WARN, "ERR": ERROR, "FTL": FATAL, "PNC": PANIC,
}  # fmt: skip
_UNITS: Final = {"ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def _zap(record: Record, found: Mapping[str, str | None]) -> bool:
    """The last column is the fields as JSON, where there are any."""
    text, tab, fields = (record.body or "").rpartition("\t")
    if tab and fields.startswith("{") and fields.endswith("}"):
        try:
            told = json.loads(fields)
        except (ValueError, RecursionError):
            return True
        record.body = text
        record.attributes.update({OWN_PREFIX + key: value for key, value in told.items()})
    return True


def _gin(record: Record, found: Mapping[str, str | None]) -> bool:
    status = int(found["status"] or 0)
    record.severity_number = of_status(status)
    record.attributes["http.server.request.duration"] = float(found["took"] or 0) * _UNITS[found["unit"] or "s"]
    put_request(f"{found['method']} {found['target']}", record.attributes)
    record.body = f"{found['method']} {found['target']}" + (f" {record.body}" if record.body else "")
    return True


def _std(record: Record, found: Mapping[str, str | None]) -> bool:
    """A header that goes on in brackets is some other logger's with the same time."""
    return record.severity_text is not None or not header_goes_on(record.body or "")


LAYOUTS: Final = (
    Layout(
        name="go_std",
        title="Go's standard logger, and slog's default",
        rank=60,
        pattern=rf"(?P<year>\d{{4}})/(?P<month>\d\d)/(?P<day>\d\d) {CLOCK}(?: (?P<file>[\w./\-]{{1,200}}?\.go):"
        rf"(?P<line>\d{{1,9}}+):)?"
        r" (?!\[[a-z]{1,10}\] \d{1,10}+#\d)"  # nginx
        r"(?:\[?(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)(?:\]:?|:|(?= )) {1,4})?(?P<body>.*)",
        sample="2026/11/20 08:51:00 main.go:12: listening on :8080",
        scale=WORDS,
        fields={"file": _FILE, "line": _LINE},
        time=parts_time,
        rule=TEXT,
        finish=_std,
    ),
    Layout(
        name="zap_console",
        title="zap's console: columns between tabs",
        rank=84,
        pattern=rf"{ISO}\t(?P<level>DEBUG|INFO|WARN|ERROR|DPANIC|PANIC|FATAL|debug|info|warn|error|dpanic|panic|fatal)\t"
        r"(?:(?P<logger>[\w.\-/]++)\t)?(?:(?P<file>[\w.\-/@]{1,200}?\.go):(?P<line>\d{1,9}+)\t)?(?P<body>.*)",
        sample='2026-11-20T08:51:00.123Z\tINFO\tshop.cart\tcart/cart.go:42\tadded\t{"item": 7}',
        scale=WORDS,
        fields={"logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
        finish=_zap,
    ),
    Layout(
        name="logrus_console",
        title="logrus on a terminal: `INFO[0042] message  key=value`",
        rank=60,
        pattern=r"(?P<level>TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[(?P<uptime>\d{4,9})\] ?(?P<body>.*)",
        sample="WARN[0042] low disk                                      free=5",
        scale={"TRAC": TRACE, "DEBU": DEBUG, "INFO": INFO, "WARN": WARN, "ERRO": ERROR, "FATA": FATAL, "PANI": PANIC},
        fields={"uptime": ("app.uptime_s", int)},
        time=None,
        rule=TEXT,
    ),
    Layout(
        name="zerolog_console",
        title="zerolog's console writer with a full time",
        rank=83,
        pattern=rf"{ISO} (?P<level>TRC|DBG|INF|WRN|ERR|FTL|PNC) "
        r"(?:(?P<file>[\w./\-]{1,200}?\.go):(?P<line>\d{1,9}+) >"
        rf" )?(?P<body>.*)",
        sample="2026-11-20T08:51:00Z INF server.go:7 > listening addr=:8080",
        scale=_SHORT,
        fields={"file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="gin",
        title="gin's request log",
        rank=84,
        pattern=rf"\[GIN\] {YMD} - {CLOCK} \| {{1,4}}(?P<status>\d{{3}}) \| {{1,20}}(?P<took>\d{{1,12}}+"
        rf"(?:\.\d{{1,12}}+)?)"
        r"(?P<unit>ns|µs|us|ms|s) \| {1,40}(?P<client>[^ |]++) \| (?P<method>[A-Z]++) {1,9}\"?"
        r"(?P<target>[^\"]*+)\"?(?P<body>.*)",
        sample='[GIN] 2026/11/20 - 08:51:00 | 200 |     1.25ms |       192.0.2.1 | GET      "/items?id=7"',
        scale={},
        fields={"status": ("http.response.status_code", int), "client": ("client.address", str)},
        time=parts_time,
        finish=_gin,
    ),
    Layout(
        name="etcd",
        title="etcd's capnslog: `time L | package: message`",
        rank=84,
        pattern=rf"{ISO} (?P<level>[TDINWEC]) \| (?P<logger>[\w./\-]++): (?P<body>.*)",
        sample="2026-11-20 08:51:00.123456 I | etcdserver: starting server",
        scale=_ETCD,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="hclog",
        title="HashiCorp's hclog (Consul, Vault, Nomad)",
        rank=84,
        pattern=rf"(?=.{{10}}T\S{{8,18}}(?:Z|[+\-]\d\d:?\d\d) )"
        rf"{ISO} \[(?P<level>TRACE|DEBUG|INFO|WARN|ERROR)\] {{1,3}}(?:(?P<file>[\w./\-]{{1,200}}?\.go):"
        rf"(?P<line>\d{{1,9}}+): )?"
        r"(?:(?P<logger>[\w.\-]++): )?(?P<body>.*)",
        sample='2026-11-20T08:51:00.123Z [INFO]  agent.server: joined: server="one"',
        scale=WORDS,
        fields={"file": _FILE, "line": _LINE, "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
