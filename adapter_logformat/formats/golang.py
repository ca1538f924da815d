"""Go's loggers: the standard one, the consoles of slog, charm, zap, logrus and zerolog, HashiCorp's hclog. Go's servers
are in `go_servers`.
"""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.grammar import CLOCK, ISO, Field, Layout, header_goes_on, iso_time, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, PANIC, TRACE, WARN, WORDS
from adapter_logformat.timestamps import Times

_LOGGER: Final[Field] = ("otel.scope.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_SHORT: Final = {
    "TRC": TRACE, "DBG": DEBUG, "INF": INFO, "WRN": WARN, "ERR": ERROR, "FTL": FATAL, "PNC": PANIC,
}  # fmt: skip
_LONG: Final = {
    "TRAC": TRACE, "DEBU": DEBUG, "INFO": INFO, "WARN": WARN, "ERRO": ERROR, "FATA": FATAL, "PANI": PANIC,
}  # fmt: skip


def _zap(record: Record, found: Mapping[str, str | None]) -> bool:
    """The last column is the fields as JSON, where there are any."""
    text, tab, fields = (record.body or "").rpartition("\t")
    if tab and fields.startswith("{") and fields.endswith("}"):
        told = pairs.json_object(record, fields)
        if told is None:
            return True
        record.body = text
        if isinstance(told.get("error"), str):
            record.attributes["exception.message"] = told.pop("error")
        record.attributes.update({OWN_PREFIX + key: value for key, value in told.items()})
    return True


def _std(record: Record, found: Mapping[str, str | None]) -> bool:
    """A header that goes on in brackets is some other logger's with the same time. Behind a bare level slog and charm
    write pairs."""
    if found["bare"] is not None:
        return pairs.put(record)
    return record.severity_text is not None or not header_goes_on(record.body or "")


def _kitchen(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    hour, _, minute = (found["kitchen"] or "").partition(":")
    return times.clock(f"{int(hour) % 12 + (12 if found['half'] == 'PM' else 0):02d}:{minute}:00")


def _epoch(times: Times, text: str) -> Stamp | None:
    """Billions of seconds since 1970, as Go writes a float of that size."""
    digits = text.replace(".", "").ljust(10, "0")
    return times.epoch(int(digits[:10]), digits[10:19])


def _hclog(record: Record) -> bool:
    """A colon ends the message where pairs follow."""
    pairs.put(record)
    if any(name.startswith(OWN_PREFIX) or name == "exception.message" for name in record.attributes):
        record.body = (record.body or "").removesuffix(":")
    return True


LAYOUTS: Final = (
    Layout(
        name="go_std",
        title="Go's standard logger, slog's default and charm's",
        rank=60,
        pattern=rf"(?P<year>\d{{4}})/(?P<month>\d\d)/(?P<day>\d\d) {CLOCK}(?: (?P<file>[\w./\-]{{1,200}}?\.go):"
        rf"(?P<line>\d{{1,9}}+):)?"
        r" (?!\[[a-z]{1,10}\] \d{1,10}+#\d|\[[DIWEF]\] )"  # nginx, Beego
        r"(?:(?=[\[A-Z])\[?(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|DEBU|ERRO|FATA"
        r"|(?<=\[)(?:trace|debug|info|warn|warning|error|fatal)(?=\]))"
        r"(?:[+\-]\d{1,2})?(?:\]:?|:|(?P<bare>)(?= )) {1,4}"
        r"(?:<(?P<file2>[\w./\-]{1,200}?\.go):(?P<line2>\d{1,9}+)> )?)?(?P<body>.*)",
        # chi, Gitea, Squid
        yields=r"\d{4}/\d\d/\d\d [\d:.]{8,18} (?:(?:\[[^\]\n]{1,200}+\] )?\"[A-Z]{3,9} "
        r"|[\w./\-]{1,200}+:\d{1,9}:\S|kid\d\| )",
        sample="2026/11/20 08:51:00 main.go:12: listening on :8080",
        scale={**WORDS, **_LONG},
        fields={"file": _FILE, "line": _LINE, "file2": _FILE, "line2": _LINE},
        time=parts_time,
        rule=TEXT,
        finish=_std,
    ),
    Layout(
        name="zap_console",
        title="zap's console: columns between tabs",
        rank=84,
        pattern=rf"(?:{ISO}|(?P<epoch>1\.\d{{1,18}}+)e\+09)\t(?P<level>DEBUG|INFO|WARN|ERROR|DPANIC|PANIC|FATAL|debug|info|warn|error|dpanic|panic|fatal)\t"
        r"(?:\[?(?P<logger>(?!\d++\]?\t)[\w.\-/]++)\]?\t)?"
        r"(?:(?P<file>[\w.\-/@]{1,200}?\.(?:go|[cm]?[jt]sx?)):(?P<line>\d{1,9}+)(?::\d{1,9}+)?\t)?(?P<body>.*)",
        yields=r"\d{4}-[^\t\n]{10,40}\t[A-Z]{4,5}\t[^\t\n]++\t[A-Za-z_$][\w$.]*+\t[^{]",  # Trino
        sample='2026-11-20T08:51:00.123Z\tINFO\tshop.cart\tcart/cart.go:42\tadded\t{"item": 7}',
        scale=WORDS,
        fields={"logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=lambda times, found: _epoch(times, found["epoch"]) if found["epoch"] else iso_time(times, found),
        rule=TEXT,
        finish=_zap,
    ),
    Layout(
        name="logrus_console",
        title="logrus on a terminal: `INFO[0042] message  key=value`, also with a full time",
        rank=60,
        pattern=rf"(?P<level>TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[(?:(?P<uptime>\d{{4,9}})|{ISO})\]"
        r"(?:(?P<file>[\w./\-]{1,200}?\.go):(?P<line>\d{1,9}+)"
        r"(?: (?P<function>[\w./\-]{1,200}+(?:\(\*?\w++\)[\w.]*+)?\(\)))?)? ?(?P<body>.*)",
        sample="WARN[0042] low disk                                      free=5",
        scale=_LONG,
        fields={
            "uptime": ("app.uptime_s", int),
            "file": _FILE,
            "line": _LINE,
            "function": ("code.function.name", lambda text: text.removesuffix("()")),
        },
        time=lambda times, found: iso_time(times, found) if found["second"] else None,
        rule=TEXT,
        finish=lambda record, found: pairs.put(record),
    ),
    Layout(
        name="zerolog_console",
        title="zerolog's console writer, with a full time or its own `8:51AM`",
        rank=83,
        pattern=rf"(?:{ISO}|(?P<kitchen>\d{{1,2}}:\d\d)(?P<half>[AP]M)) (?P<level>TRC|DBG|INF|WRN|ERR|FTL|PNC) "
        r"(?!\([0-7]\): )(?:(?P<file>[\w./\-@]{1,200}?\.go):(?P<line>\d{1,9}+) > )?(?P<body>.*)",
        sample="2026-11-20T08:51:00Z INF server.go:7 > listening addr=:8080",
        scale=_SHORT,
        fields={"file": _FILE, "line": _LINE},
        time=lambda times, found: iso_time(times, found) if found["second"] else _kitchen(times, found),
        rule=TEXT,
        finish=lambda record, found: pairs.put(record),
    ),
    Layout(
        name="hclog",
        title="HashiCorp's hclog (Consul, Vault, Nomad)",
        rank=84,
        pattern=rf"(?=.{{10}}T\S{{8,18}}(?:Z|[+\-]\d\d:?\d\d) )"
        rf"{ISO} \[(?P<level>TRACE|DEBUG|INFO|WARN|ERROR)\] {{1,3}}(?!\[[\w.]{{1,200}}\] )(?:"
        rf"(?P<file>[\w./\-]{{1,200}}?\.go):"
        rf"(?P<line>\d{{1,9}}+): )?"
        r"(?:(?P<logger>[\w.\-]++): )?(?P<body>.*)",
        sample='2026-11-20T08:51:00.123Z [INFO]  agent.server: joined: server="one"',
        scale=WORDS,
        fields={"file": _FILE, "line": _LINE, "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: _hclog(record),
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
