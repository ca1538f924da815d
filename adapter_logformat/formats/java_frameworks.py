"""Frameworks of the JVM with layouts of their own: Spring with the ids of a trace, Dropwizard, Play, Akka,
slf4j-simple, and the layout with thread and class that NiFi, Hive and Confluence share.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import CLOCK, ISO, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import TEXT, TEXT_MARKS, Rule
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import JAVA as SCALE
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import fold

_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|SEVERE|CONFIG|FINE(?:R|ST)?)"
_CLASS: Final = r"(?P<logger>[A-Za-z_$][\w$]*+(?:\.[\w$]++)*+)"
_PACKAGED: Final = r"[a-z]\w*+(?:\.[a-z_]\w*+)*+\.[A-Z][\w$]*+(?<!Exception)(?<!Error)"
_CLOCK: Final = CLOCK.replace("fraction", "part")
_THREAD: Final[Field] = ("thread.name", str)
_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)


def _dropped(record: Record, first: str, lines: Sequence[str]) -> None:
    """Dropwizard marks the lines of a trace."""
    plain = [line.removeprefix("!").removeprefix(" ") for line in lines]
    fold(record, "", ["\t" + line if line.startswith(("at ", "... ")) else line for line in plain])


def _level(record: Record, word: str | None) -> bool:
    if word is not None:
        record.severity_text, record.severity_number = word, SCALE[word]
    return True


def _traced(record: Record) -> bool:
    """Ids of W3C's length are the record's own; older ones stay attributes."""
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        value = record.attributes.get(OWN_PREFIX + name)
        if isinstance(value, str) and len(value) == digits and value.strip("0"):
            setattr(record, name, record.attributes.pop(OWN_PREFIX + name))
    return True


def _akka_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    if found["month"]:
        return parts_time(times, {**found, "fraction": found["part"], "zone": None})
    return times.iso(found["second"] or found["second2"] or "", found["fraction"] or found["fraction2"], found["zone"])


LAYOUTS: Final = (
    Layout(
        name="spring_traced",
        title="Spring Boot with the ids of a trace: `[trace-span]` before the logger, or Sleuth's behind the level",
        rank=86,
        pattern=rf"{ISO} {{1,6}}{_LEVEL} (?:\[(?P<application>[^,\]\n]*+),(?P<trace>[0-9a-f]*+),(?P<span>[0-9a-f]*+)"
        r"(?:,(?P<exported>true|false)?)?\] (?P<pid>\d{1,10}+) --- \[ {0,40}+(?P<thread>[^\]\n]*+)\]"
        r"|(?P<pid2>\d{1,10}+) --- (?:\[(?P<application2>[^\]\n]*+)\] (?=\[[^\]\n]*+\] \[))?"
        r"\[ {0,40}+(?P<thread2>[^\]\n]*+)\] "
        r"\[ {0,60}(?P<trace2>[0-9a-f]*+)[\-, ]?(?P<span2>[0-9a-f]*+) {0,60}\]) "
        r"(?P<logger>[^\s:]++) {0,40}: ?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123  INFO [shop,0af7651916cd43dd8448eb211c80319c,b7ad6b7169203331,true] 12345 --- "
        "[main] c.e.Demo : added",
        scale=SCALE,
        fields={
            "pid": _PID,
            "pid2": _PID,
            "thread": _THREAD,
            "thread2": _THREAD,
            "logger": _LOGGER,
            "trace": ("app.trace_id", str),
            "trace2": ("app.trace_id", str),
            "span": ("app.span_id", str),
            "span2": ("app.span_id", str),
            "exported": ("app.exported", str),
        },
        resource={"application": "service.name", "application2": "service.name"},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({""}),
        finish=lambda record, found: _traced(record),
    ),
    Layout(
        name="dropwizard",
        title="Dropwizard: `LEVEL  [time] logger: message`, traces marked with `!`",
        rank=84,
        pattern=rf"{_LEVEL} {{1,3}}\[{ISO}\] (?P<logger>(?=[\w$\-]++\.)[A-Za-z_$][\w.$\-]*+): (?P<body>.*)",
        sample="INFO  [2026-11-20 08:51:00,123] com.example.App: started",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=Rule(rf"!.*|{TEXT_MARKS}", joins_unknown=True, traces=True, folds=True),
        fold=_dropped,
    ),
    Layout(
        name="play",
        title="Play: `time [LEVEL] from logger in thread - message`, and `time LEVEL  logger  message`",
        rank=82,
        pattern=rf"{ISO} (?:\[{_LEVEL}\] from {_CLASS} in (?P<thread>.{{1,200}}?) - "
        r"|(?P<level2>TRACE|DEBUG|INFO|WARN|ERROR) {2}"
        rf"(?P<logger2>{_PACKAGED}) {{2}}(?![\s\[\-:]))(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 [INFO] from play.api.Play in main - Application started",
        scale=SCALE,
        fields={"logger": _LOGGER, "thread": _THREAD, "logger2": _LOGGER},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: _level(record, found["level2"]),
    ),
    Layout(
        name="akka",
        title="Akka and Pekko: `[LEVEL] [time] [thread] [actor] message`, or with the time first",
        rank=85,
        pattern=rf"(?:\[{_LEVEL}\] \[(?:{ISO}|(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{{4}}) "
        rf"{_CLOCK})\] "
        r"\[(?P<thread>[^\]\n]++)\] \[(?P<actor>[^\]\n]*+)\] |\[(?P<second2>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)"
        r"(?:[.,](?P<fraction2>\d{1,9}+))?\] \[(?P<level2>TRACE|DEBUG|INFO|WARN|ERROR)\] "
        r"\[(?P<logger>[\w.$\-]++)\] \[(?:\] \[)?(?P<thread2>[^\]\n]++)\] (?:\[(?P<actor2>[^\]\n]*+)\] )?- )"
        r"(?P<body>.*)",
        sample="[INFO] [11/20/2026 08:51:00.123] [shop-akka.actor.default-dispatcher-2] [akka://shop/user/a] started",
        scale=SCALE,
        fields={
            "thread": _THREAD,
            "thread2": _THREAD,
            "logger": _LOGGER,
            "actor": ("app.actor", str),
            "actor2": ("app.actor", str),
        },
        time=lambda times, found: _akka_time(times, found),
        rule=TEXT,
        absent=frozenset({""}),
        finish=lambda record, found: _level(record, found["level2"]),
    ),
    Layout(
        name="thread_and_class",
        title="NiFi, Hive, Confluence: `time LEVEL [thread] logger message`, the logger bare or in brackets",
        rank=80,
        pattern=rf"{ISO} {{1,2}}{_LEVEL} {{1,2}}\[(?P<thread>[^\]\n]++)\] "
        rf"(?:(?P<logger>{_PACKAGED})|\[(?P<logger2>{_PACKAGED})\])(?: (?![:\-\[(])|: )(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 INFO [main] org.apache.nifi.NiFi Launching NiFi...",
        scale=SCALE,
        fields={"thread": _THREAD, "logger": _LOGGER, "logger2": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="slf4j_simple",
        title="slf4j-simple: `[thread] LEVEL logger - message`",
        rank=41,
        # No thread is called as the time is written.
        pattern=rf"\[(?![^\]\n]{{0,99}}(?:\d:\d\d|\d{{8}}T)|\d{{10}}[.\]])(?P<thread>[^\]\n]{{1,100}}+)\] "
        rf"{_LEVEL} {{1,2}}(?=[\w$]*+\.|[A-Z]){_CLASS} - (?P<body>.*)",
        sample="[main] INFO com.example.App - started",
        scale=SCALE,
        fields={"thread": _THREAD, "logger": _LOGGER},
        time=None,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
