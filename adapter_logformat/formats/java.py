"""Java application logs: Spring Boot 2 and 3, logback and log4j layouts, Kafka, ZooKeeper, Hadoop and Spark; stack
traces join their record. Application servers and java.util.logging are in `java_server`.
"""

import re
from collections.abc import Sequence
from typing import Final

from adapter_logformat.formats.header_words import NOT_BEHIND
from adapter_logformat.grammar import CLOCK, ISO, Field, Format, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import TEXT, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import JAVA as SCALE

_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|SEVERE|CONFIG|FINE(?:R|ST)?)"
_THREAD: Final = r"\[ {0,40}+(?P<thread>[^\]\n]*+)\]"
_LOGGER: Final = r"(?P<logger>[\w.$/\-\[\]@]++)"
_THROWN: Final = r"(?=[A-Za-z_$][\w.$]*+(?:(?<=Exception)|(?<=Error)): )"
"""What a message without a logger before it may begin with, though it is named as loggers are."""
_THREAD_FIELD: Final[Field] = ("thread.name", str)
_LOGGER_FIELD: Final[Field] = ("otel.scope.name", str)

_LOGGER_BEHIND: Final = re.compile(r"(.*?)[ \t]?\(([\w$]++(?:\.[\w$]++)++)\)")


def _settings(record: Record, lines: Sequence[str]) -> None:
    """What `(logger)` ends is the last line of the message."""
    found = _LOGGER_BEHIND.fullmatch(lines[-1]) if lines else None
    if found is not None:
        record.attributes["otel.scope.name"] = found[2]
        lines = [*lines[:-1], *([found[1]] if found[1].strip() else ())]
    record.body = "\n".join([record.body or "", *lines])


LAYOUTS: Final = (
    Layout(
        name="spring_boot",
        title="Spring Boot 2 and 3 console log",
        rank=85,
        pattern=rf"{ISO} {{1,6}}{_LEVEL} (?P<pid>\d{{1,10}}+) --- (?:\[(?P<application>[^\]\n]*+)\]"
        rf" (?=\[))?{_THREAD} "
        r"(?P<logger>[^\s:]++) {0,40}: ?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123  INFO 12345 --- [           main] c.e.DemoApplication : Started in 2.1 seconds",
        scale=SCALE,
        fields={
            "pid": ("process.pid", int),
            "thread": _THREAD_FIELD,
            "logger": _LOGGER_FIELD,
        },
        resource={"application": "service.name"},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="zookeeper",
        title="ZooKeeper: `%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m`",
        rank=84,
        pattern=rf"{ISO}(?: \[myid:(?P<myid>[^\]\n]*+)\])? - {_LEVEL} {{1,6}}"
        r"\[(?P<thread>.{0,400}):(?P<logger>[\w$.]++)@(?P<line>\d{1,9}+)\] - (?P<body>.*)",
        sample="2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - "
        "Notification time out: 3200",
        scale=SCALE,
        fields={
            "myid": ("app.myid", str),
            "thread": _THREAD_FIELD,
            "logger": _LOGGER_FIELD,
            "line": ("code.line.number", int),
        },
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="kafka",
        title="Kafka: `[%d] %p %m (%c)`",
        rank=83,
        # Flask's messages end in brackets too.
        pattern=rf"(?=\[[^\]\n]{{19}},\d{{3}}\])\[{ISO}\] {_LEVEL} {{1,6}}(?!in \w++: |- )"
        r"(?P<body>.*) \((?P<logger>[\w$]++(?:\.[\w$]++)++)\)",
        sample="[2026-11-20 08:51:00,123] INFO [KafkaServer id=0] started (kafka.server.KafkaServer)",
        scale=SCALE,
        fields={"logger": _LOGGER_FIELD},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="kafka_config",
        title="The settings that Kafka and its clients list: a line for each, the logger behind the last one",
        rank=83,
        pattern=rf"(?=\[[^\]\n]{{19}},\d{{3}}\])\[{ISO}\] {_LEVEL} {{1,6}}(?P<body>[A-Z]\w{{1,60}}+ values: {{0,2}})",
        sample="[2026-11-20 08:51:00,107] INFO KafkaConfig values: ",
        scale=SCALE,
        fields={},
        time=iso_time,
        rule=Rule(r"[ \t].*", folds=True),
        fold=lambda record, _, lines: _settings(record, lines),
    ),
    Layout(
        name="logback",
        title="logback's own default: `%d{HH:mm:ss.SSS} [%thread] %-5level %logger -- %msg`, also with the level first",
        rank=82,
        pattern=rf"{CLOCK} (?=[^\[\n]{{0,12}}\[)(?:{_THREAD} )?{_LEVEL} {{1,6}}(?:\[(?P<thread2>[^\]\n]*+)\] {{1,6}})?"
        r"(?P<logger>(?=[^\s.]*+\.|[A-Z])[^\s]++) --? ?(?P<body>.*)",
        sample="08:51:00.123 [main] INFO  c.e.Demo -- started",
        scale=SCALE,
        fields={"thread": _THREAD_FIELD, "thread2": _THREAD_FIELD, "logger": _LOGGER_FIELD},
        time=clock_time,
        rule=TEXT,
    ),
    Layout(
        name="spark",
        title="Spark and old Hadoop: `%d{yy/MM/dd HH:mm:ss} %p %c{1}: %m`",
        rank=82,
        pattern=rf"(?P<year>\d\d)/(?P<month>\d\d)/(?P<day>\d\d) {CLOCK} {_LEVEL} {{1,3}}(?:{_THREAD} {{1,2}})?"
        rf"(?:(?P<logger>(?=[\w$\-]*+\.|[A-Z])[A-Za-z_$][\w.$\-]*+)(?<!Exception)(?<!Error){NOT_BEHIND}"
        rf"(?:\([^)\s]*+\))?:(?!:) ?|{_THROWN})(?P<body>.*)",
        sample="17/06/09 20:10:40 INFO executor.CoarseGrainedExecutorBackend: Registered signal handlers for [TERM]",
        scale=SCALE,
        fields={"thread": _THREAD_FIELD, "logger": _LOGGER_FIELD},
        time=parts_time,
        rule=TEXT,
    ),
    Layout(
        name="hdfs",
        title="HDFS of old: `%d{yyMMdd HHmmss} %t %p %c: %m`",
        rank=82,
        pattern=rf"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) (?P<clock>\d{{6}}) (?P<pid>\d{{1,10}}+) {_LEVEL}"
        rf" {{1,3}}"
        r"(?P<logger>(?=[\w$\-]++\.)[A-Za-z_$][\w.$\-]*+):(?!:) ?(?P<body>.*)",
        sample="081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_388 terminating",
        scale=SCALE,
        fields={"pid": ("process.pid", int), "logger": _LOGGER_FIELD},
        time=parts_time,
        rule=TEXT,
    ),
    Layout(
        name="log4j_location",
        title="log4j with the place in the code: `%d %-5p [%t] %c{1} (%F:%M(%L)) - %m` and the like",
        rank=82,
        pattern=rf"{ISO} (?:{_THREAD} {{1,6}})?\[?{_LEVEL} {{0,3}}\]? {{0,6}}(?<= )(?:\[(?P<thread2>[^\]\n]*+)\]"
        rf" {{1,6}})?"
        r"(?P<logger>[A-Za-z_$][\w.$]*+) {1,6}[\[(](?P<file>[\w$]++\.(?:java|scala|kt|groovy))"
        r":(?:(?P<method>[\w$<>]++)(?:\((?P<line2>\d{1,9}+)\)|:(?P<line3>\d{1,9}+))|(?P<line>\d{1,9}+))[\])]"
        r"(?: - |: | )(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 INFO  [main] c.e.Demo (Demo.java:main(42)) - started",
        scale=SCALE,
        fields={
            "thread": _THREAD_FIELD,
            "thread2": _THREAD_FIELD,
            "logger": _LOGGER_FIELD,
            "file": ("code.file.path", str),
            "method": ("code.function.name", str),
            "line": ("code.line.number", int),
            "line2": ("code.line.number", int),
            "line3": ("code.line.number", int),
        },
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="log4js",
        title="Node's log4js: `[time] [LEVEL] category - message`",
        rank=82,
        pattern=rf"(?=\[.{{10}}T.{{8}}\.\d{{3}})\[{ISO}\] \[{_LEVEL}\] (?P<logger>[\w.\-]{{1,100}}+) - (?P<body>.*)",
        sample="[2026-11-20T08:51:00.123] [INFO] default - listening",
        scale=SCALE,
        fields={"logger": _LOGGER_FIELD},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="log4j_bars",
        title="log4j and logback between bars: `%d | %p | %t | %c | %m`",
        rank=85,
        # ActiveMQ's message, logger and thread stand in the same columns.
        pattern=rf"{ISO} \| {_LEVEL} {{0,3}}\| {{0,40}}(?P<thread>[^|\s][^|\n]{{0,99}}?) {{0,40}}\| "
        r"(?P<logger>(?!org\.apache\.activemq\.)[a-z]\w*+(?:\.[a-z_]\w*+)*+\.[A-Z][\w$]*+)(?<!Exception)(?<!Error)"
        r" {0,60}\| (?!(?:main|(?:ActiveMQ|RMI|qtp\d)[^|\n]*+)$)(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 | INFO  | main | com.example.Demo | started",
        scale=SCALE,
        fields={"thread": _THREAD_FIELD, "logger": _LOGGER_FIELD},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="log4j_simple",
        title="log4j 1 without a date: TTCCLayout `%r [%t] %p %c %x - %m` and SimpleLayout `%p - %m`",
        rank=41,
        pattern=rf"(?:(?P<uptime>\d{{1,12}}+) {_THREAD} )?{_LEVEL} {{1,6}}(?:(?(uptime)|(?=[\w$]++\.))"
        r"(?P<logger>[A-Za-z_$][\w.$]*+)(?: {1,3}(?P<context>[^ \-][^ ]{0,100}+))? {1,6})?- "
        r"(?!\d{4}-\d\d-\d\d[ T])(?P<body>.*)",
        sample="176 [main] INFO  org.foo.Bar  - Located nearest gas station.",
        scale=SCALE,
        fields={
            "uptime": ("app.uptime_ms", int),
            "thread": _THREAD_FIELD,
            "logger": _LOGGER_FIELD,
            "context": ("app.context", str),
        },
        time=None,
        rule=TEXT,
    ),
    Layout(
        name="log4j",
        title="log4j and logback with date: thread, level and logger in their usual orders",
        rank=81,
        pattern=rf"{ISO} (?:{_THREAD} {{1,6}})?\[?{_LEVEL} {{0,3}}\]? {{0,6}}(?<= )"
        r"(?:\[(?P<thread2>[^\]\n]*+)\] {1,6})?"
        # With neither dot, thread nor dash the word before a colon is the message's own: `Result: 5`, `https://…`.
        r"(?:(?=[A-Za-z_$][\w$]*+\.)"
        r"|(?=[A-Z]|root\b)(?(thread)|(?(thread2)|(?=[\w.$]++(?::\d{1,9}+)?(?: {1,80}\[[^\]\n]*+\])? {1,80}-))))"
        rf"(?:(?P<logger>(?!AMQ\d)[A-Za-z_$][\w.$]*+)(?<!Exception)(?<!Error){NOT_BEHIND}(?::(?P<line>\d{{1,9}}+))?"
        r"(?: {1,80}\[(?P<context>[^\]\n]++)?\](?= - ))?(?::(?= |$) {0,6}| {1,80}--? )|"
        rf"{_THROWN})(?P<body>.*)",
        yields=r"\d{4}-\S{5}T\S{8,18}(?:Z|[+\-]\d\d:?\d\d) \[[A-Z]{4,5}\] ",  # hclog
        sample="2026-11-20 08:51:00,123 [main] INFO  com.example.Demo - started",
        scale=SCALE,
        fields={
            "thread": _THREAD_FIELD,
            "thread2": _THREAD_FIELD,
            "logger": _LOGGER_FIELD,
            "line": ("code.line.number", int),
            "context": ("app.context", str),
        },
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final[tuple[Format, ...]] = tuple(layout.format() for layout in LAYOUTS)
