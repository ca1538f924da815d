"""Consoles of application loggers in many languages: rich, Twisted, pytest, OpenTelemetry's Python, log15
(go-ethereum), Ruby's semantic_logger, Clojure's timbre, C++'s loguru, logback's own status, the Java Service Wrapper,
Node's warnings, Asterisk.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.formats.header_words import A_FILE, A_HOST
from adapter_logformat.grammar import (
    CLOCK,
    HMS,
    ISO,
    Field,
    Layout,
    clock_time,
    header_goes_on,
    iso_time,
    parts_time,
)
from adapter_logformat.multiline import TEXT, TEXT_MARKS, Rule
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, JAVA, NOTICE, PYTHON, TRACE, WARN, WORDS
from adapter_logformat.timestamps import Times

_PYTHON: Final = r"(?P<level>NOTSET|TRACE|DEBUG|INFO|SUCCESS|WARNING|WARN|ERROR|CRITICAL|FATAL)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_FUNCTION: Final[Field] = ("code.function.name", str)
_THREAD: Final[Field] = ("thread.name", str)
_RICH_NEXT: Final = r" {11,21}(?:NOTSET|DEBUG|INFO|WARNING|ERROR|CRITICAL) {1,5}\S"
_RICH_PLACE: Final = re.compile(r"(?P<file>[\w\-]+\.py):(?P<line>\d{1,7})", re.ASCII)
_RAISED: Final = re.compile(r"(?:(?P<body>.*) -- )?Exception: (?P<type>[A-Z][\w:]*): (?P<message>.*)", re.DOTALL)


def _date_if_any(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    if found["month"]:
        return parts_time(times, found)
    return clock_time(times, found) if found["clock"] else None


def _short_year(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    """What stands in front of `-11-26` may be a day as well."""
    stamp = parts_time(times, {**found, "fraction": None, "zone": None})
    return None if stamp is None else Stamp(stamp.text, f"year,{stamp.assumed}")


def _rich(record: Record) -> bool:
    """The place in the code stands at the right edge."""
    message, _, edge = (record.body or "").rpartition(" ")
    place = _RICH_PLACE.fullmatch(edge)
    if place is not None:
        record.body = message.rstrip(" ")
        record.attributes |= {"code.file.path": place["file"], "code.line.number": int(place["line"])}
    return True


def _traced(record: Record, found: Mapping[str, str | None]) -> bool:
    for name in ("trace_id", "span_id"):
        text = found[name]
        if text is not None and text.strip("0"):
            setattr(record, name, text)
    return True


def _semantic(record: Record) -> bool:
    raised = _RAISED.fullmatch(record.body or "")
    if raised is not None:
        record.body = raised["body"] or raised["message"]
        record.attributes |= {"exception.type": raised["type"], "exception.message": raised["message"]}
    return True


def _warning(record: Record) -> bool:
    record.severity_number = WARN
    return True


LAYOUTS: Final = (
    Layout(
        name="rich",
        title="Python's rich: `[time] LEVEL message … file.py:line`, the time only where it is another one",
        rank=82,
        pattern=rf"(?:\[(?:(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d\d) )?(?P<clock>\d\d:\d\d:\d\d)\] "
        rf"(?=[A-Z]{{4,8}} {{1,5}}\S.* [\w\-]+\.py:\d+)|(?={_RICH_NEXT}.* [\w\-]+\.py:\d+) {{11,21}})"
        rf"{_PYTHON} {{1,5}}(?P<body>.*)",
        sample="[11/20/26 08:51:00] INFO     started                                        app.py:12",
        scale=PYTHON,
        fields={},
        time=lambda times, found: _date_if_any(times, {**found, "fraction": None}),
        rule=Rule(rf"(?!{_RICH_NEXT})(?:{TEXT_MARKS})", joins_unknown=True, traces=True),
        finish=lambda record, found: _rich(record),
    ),
    Layout(
        name="twisted",
        title="Twisted, Cowrie: `time+zone [system] message`, `[module.Class#level] message`",
        rank=82,
        pattern=r"(?P<second>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{6}))?"
        r"(?P<zone>[+-]\d{4}|(?<=\.\d{6})Z) \[(?:-|(?P<logger>[\w.]++)#(?P<level>debug|info|warn|error|critical)"
        rf"|(?!{A_HOST})(?P<logger2>[a-z_]\w*+(?:\.[A-Za-z_]\w*+)++)"
        r"|(?P<system>[A-Za-z_][\w.() \-]{0,100}+,(?:\d{1,9}+(?:,[^\]\s]{1,100}+)?|client)))\] "
        r"(?P<body>.*)",
        sample="2026-11-20T08:51:00+0100 [twisted.web.server.Site#info] Starting factory",
        scale=PYTHON,
        fields={"logger": _LOGGER, "logger2": _LOGGER, "system": ("app.system", str)},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: not header_goes_on(record.body or ""),
    ),
    Layout(
        name="python_boxed",
        title="Python logging with the logger in brackets, as OpenTelemetry's too: `time LEVEL [logger] [file:line] "
        "[trace_id=… span_id=…] - message`",
        rank=80,
        pattern=rf"\[?{ISO}\]?(?: - | )\[?{_PYTHON} {{0,8}}\]? {{1,8}}"
        rf"\[(?P<logger>root|__main__|(?!{A_FILE}|{A_HOST})[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)++)"
        r"(?::(?P<line>\d{1,9}+))?\] "
        r"(?:\[(?P<file>[\w.\-/]{1,200}+):(?P<line2>\d{1,9}+)\] )?"
        r"(?:\[trace_id=(?:(?P<trace_id>[0-9a-f]{32})|\S{1,60}+) span_id=(?:(?P<span_id>[0-9a-f]{16})|\S{1,60}+)"
        r"(?: resource\.service\.name=(?P<service>[^\s\]]{1,200}+))?(?: trace_sampled=\w{1,8}+)?\] )?"
        r"(?:- )?+(?![\[(]|AMQ\d|[\w$]++(?:\.[\w$]++)++(?::\d{1,9}+)?(?:: | - | [\[(]))(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 INFO [shop.cart] [cart.py:42] [trace_id=0 span_id=0 "
        "resource.service.name=shop] - added",
        scale=PYTHON,
        fields={"logger": _LOGGER, "line": _LINE, "file": _FILE, "line2": _LINE},
        resource={"service": "service.name"},
        time=iso_time,
        rule=TEXT,
        finish=_traced,
    ),
    Layout(
        name="pytest",
        title="pytest's captured log: `LEVEL    logger:file.py:line message`",
        rank=60,
        pattern=rf"{_PYTHON} {{1,8}}(?P<logger>[A-Za-z_][\w.\-]*+):(?P<file>\w{{1,100}}+\.py):(?P<line>\d{{1,9}}+) "
        r"(?P<body>.*)",
        sample="DEBUG    asyncio:selector_events.py:54 Using selector: EpollSelector",
        scale=PYTHON,
        fields={"logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=None,
        rule=TEXT,
    ),
    Layout(
        name="log15",
        title="log15 and go-ethereum: `LEVEL [mm-dd|time|file:line] message   key=value`",
        rank=84,
        pattern=rf"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|CRIT|TRCE|DBUG|EROR) ?\[(?P<month>\d\d)-(?P<day>\d\d)\|{HMS}"
        r"(?:\|(?P<file>[\w./\-]{1,200}?\.go):(?P<line>\d{1,9}+))?\] (?P<body>.*)",
        sample="INFO [11-20|08:51:00.123] Imported new chain segment               blocks=1 txs=2 number=123",
        scale={**WORDS, "CRIT": FATAL, "TRCE": TRACE, "DBUG": DEBUG, "EROR": ERROR},
        fields={"file": _FILE, "line": _LINE},
        time=lambda times, found: parts_time(times, {**found, "year": None}),
        rule=TEXT,
        finish=lambda record, found: pairs.put(record),
    ),
    Layout(
        name="semantic_logger",
        title="Ruby's semantic_logger: `time L [pid:thread file:line] [tag] {tag: x} (took) Class -- message`",
        rank=84,
        pattern=rf"{ISO} (?P<level>[TDIWEF]) \[(?P<pid>\d{{1,10}}+):(?P<thread>[^\]\n]{{0,200}}?)"
        r"(?: (?P<file>[\w./\-]{1,200}+):(?P<line>\d{1,9}+))?\]"
        r"(?: (?P<tags>\[[^\]\n]{0,200}+\](?: \[[^\]\n]{0,200}+\])*+))?(?: (?P<named>\{[^}\n]{0,400}+\}))?"
        r"(?: \((?P<took>[\d.,]{1,20}+[mμu]?s)\))? (?P<logger>[A-Z][\w:]*+) -- (?P<body>.*)",
        sample="2026-11-20 08:51:00.123456 I [35940:puma 001] [7f3a] (1.2ms) Shop::Cart -- added -- {:item=>7}",
        scale={"T": TRACE, "D": DEBUG, "I": INFO, "W": WARN, "E": ERROR, "F": FATAL},
        fields={
            "pid": ("process.pid", int),
            "thread": _THREAD,
            "file": _FILE,
            "line": _LINE,
            "tags": ("app.tags", str),
            "named": ("app.named_tags", str),
            "took": ("app.duration", str),
            "logger": _LOGGER,
        },
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: _semantic(record),
    ),
    Layout(
        name="timbre",
        title="Clojure's timbre: `time host LEVEL [namespace:line] - message`",
        rank=85,
        pattern=rf"(?:(?=.{{10}}T\S{{8,18}}Z ){ISO}"
        r"|(?P<year>\d\d)-(?P<month>\d\d)-(?P<day>\d\d) (?P<clock>\d\d:\d\d:\d\d)) "
        r"(?P<host>[\w.\-]{1,255}+) (?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL|REPORT) "
        r"\[(?P<logger>[A-Za-z][\w.\-*+!?<>$]*+)(?<!\.py)(?::(?P<line>\d{1,9}+))?(?:,\d{1,9}+)?\] - (?P<body>.*)",
        sample="2026-11-20T08:51:00.123Z web-1 INFO [shop.cart:42] - added",
        scale={**WORDS, "REPORT": INFO},
        fields={"logger": _LOGGER, "line": _LINE},
        resource={"host": "host.name"},
        time=lambda times, found: iso_time(times, found) if found["second"] else _short_year(times, found),
        rule=TEXT,
    ),
    Layout(
        name="loguru_cpp",
        title="C++'s loguru: `time (uptime) [thread] file:line LEVEL| message`",
        rank=84,
        pattern=rf"{ISO} \( {{0,8}}(?P<uptime>\d{{1,9}}\.\d{{3}})s\) \[ {{0,60}}+(?P<thread>[^\]\n]{{0,60}}?) *+\]"
        r" {0,40}(?P<file>[\w.\-/]{1,100}+):(?P<line>\d{1,9}+) {1,10}"
        r"(?P<level>FATL|ERR|WARN|INFO|[1-9])\| (?P<body>.*)",
        sample="2026-11-20 08:51:00.123 (   0.123s) [main thread     ]           main.cpp:12    INFO| started",
        scale={"FATL": FATAL, "ERR": ERROR, "WARN": WARN, "INFO": INFO, **dict.fromkeys("123456789", DEBUG)},
        fields={"uptime": ("app.uptime_s", float), "thread": _THREAD, "file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="logback_status",
        title="logback on itself: `time |-LEVEL in class[name] - message`",
        rank=84,
        pattern=rf"{CLOCK} \|-(?P<level>INFO|WARN|ERROR) in (?P<logger>[A-Za-z][\w.$]*+)"
        r"(?P<context>[\[@(][^\n]{0,200}?)? - "
        r"(?P<body>.*)",
        sample="08:51:00,123 |-INFO in ch.qos.logback.classic.LoggerContext[default] - Found resource [logback.xml]",
        scale=JAVA,
        fields={"logger": _LOGGER, "context": ("app.context", str)},
        time=clock_time,
        rule=TEXT,
    ),
    Layout(
        name="service_wrapper",
        title="Java Service Wrapper: `LEVEL | source | time | message`",
        rank=84,
        pattern=r"(?P<level>STATUS|DEBUG|INFO|WARN|ERROR|FATAL|ADVICE|NOTICE) {1,4}\| "
        r"(?P<source>[\w .\-]{1,24}?) {1,10}\| "
        rf"(?P<year>\d{{4}})/(?P<month>\d\d)/(?P<day>\d\d) {HMS} \| ?(?P<body>.*)",
        sample="INFO   | jvm 1    | 2026/11/20 08:51:00 | Server started",
        scale={**WORDS, "STATUS": NOTICE, "ADVICE": NOTICE},
        fields={"source": ("app.source", str)},
        time=parts_time,
        rule=TEXT,
    ),
    Layout(
        name="node_warning",
        title="Node's own warnings: `(node:pid) [code] Warning: message`",
        rank=84,
        pattern=r"\(node:(?P<pid>\d{1,10}+)\) (?:\[(?P<code>[\w\-]{1,60}+)\] )?"
        r"(?P<kind>[A-Z]?\w{0,60}?Warning): (?P<body>.*)",
        sample="(node:7) [DEP0005] DeprecationWarning: Buffer() is deprecated",
        scale={},
        fields={"pid": ("process.pid", int), "code": ("app.code", str), "kind": ("app.warning", str)},
        time=None,
        rule=TEXT,
        finish=lambda record, found: _warning(record),
    ),
    Layout(
        name="asterisk",
        title="Asterisk: `[time] LEVEL[thread][call]: file.c:line function: message`",
        rank=84,
        pattern=rf"\[(?:{ISO}|(?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) (?P<clock>\d\d:\d\d:\d\d)"
        r"(?:\.(?P<part>\d{1,9}+))?)\] (?P<level>DEBUG|VERBOSE|NOTICE|WARNING|ERROR|SECURITY|DTMF|FAX)"
        r"\[(?P<tid>\d{1,10}+)\](?:\[(?P<call>C-[0-9a-f]{1,16}+)\])?:? "
        r"(?P<file>[\w.\-/]{1,100}+(?<=\.c|cc|pp)):(?:(?P<line>\d{1,9}+)(?: in)? (?P<function>\w{1,200}+):)? {0,8}"
        r"(?P<body>.*)",
        sample="[Nov 20 08:51:00] NOTICE[12][C-0000007f]: chan_sip.c:28926 handle_request_register: Wrong password",
        scale={**WORDS, "VERBOSE": INFO, "SECURITY": NOTICE, "DTMF": DEBUG, "FAX": INFO},
        fields={
            "tid": ("thread.id", int),
            "call": ("app.call_id", str),
            "file": _FILE,
            "line": _LINE,
            "function": _FUNCTION,
        },
        time=lambda times, found: (
            iso_time(times, found)
            if found["second"]
            else times.parts(None, found["month"] or "", found["day"] or "", found["clock"] or "", found["part"])
        ),
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
