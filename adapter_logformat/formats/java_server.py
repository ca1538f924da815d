"""Java servers with layouts of their own: java.util.logging, Tomcat, JBoss and Quarkus, Elasticsearch, Cassandra,
Solr; and the JVM's own log.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import CLOCK, HMS, ISO, YMD, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import TEXT, TEXT_MARKS, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import JAVA as SCALE
from adapter_logformat.traces import fold

_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|SEVERE|CONFIG|FINE(?:R|ST)?)"
_LEVEL_LINE: Final = re.compile(rf"{_LEVEL}: (?P<body>.*)")
_THREAD: Final[Field] = ("thread.name", str)
_LOGGER: Final[Field] = ("otel.scope.name", str)
_METHOD: Final[Field] = ("code.function.name", str)
_JVM: Final = (
    "gc|safepoint|class|cds|aot|jit|os|pagesize|codecache|compilation|module|modules|thread|monitorinflation|startuptime"
    "|logging|stringtable|stringdedup|task|biasedlocking|redefine|exceptions|jfr|metaspace|nmt|perf|vmthread|arguments"
)
"""The first tags of the JVM's own log."""
_ANYBODYS: Final = ("task", "thread", "module", "modules", "os", "logging", "class", "exceptions", "perf", "arguments")


def _two_lines(record: Record, first: str, lines: Sequence[str]) -> None:
    """java.util.logging's SimpleFormatter: time, class and method in the first line, level and message in the"
    " second."""
    found = _LEVEL_LINE.fullmatch(lines[0]) if lines else None
    if found is not None:
        record.severity_text, record.severity_number = found["level"], SCALE.get(found["level"])
        record.body = found["body"]
        lines = lines[1:]
    elif lines:
        record.body = ""
    if lines:
        fold(record, "", lines)


def _class_and_method(record: Record, found: Mapping[str, str | None]) -> bool:
    logger, dot, method = (found["place"] or "").rpartition(".")
    if not dot or method[:1].isupper():  # the class alone
        record.attributes["otel.scope.name"] = found["place"]
    else:
        record.attributes["otel.scope.name"], record.attributes["code.function.name"] = logger, method
    return True


def _is_jvm(found: Mapping[str, str | None]) -> bool:
    """Other loggers write brackets too: the JVM's uptime or its way to write a time is sure, else only its words."""
    if found["uptime"] or (re.fullmatch(r"[+-]\d{4}", found["zone"] or "") and len(found["fraction"] or "") == 3):
        return True
    first = (found["logger"] or "").split(",")[0]
    return first not in _ANYBODYS and bool(found["pid"] or (found["body"] or "").startswith("GC("))


LAYOUTS: Final = (
    Layout(
        name="storm",
        title="Apache Storm: `time logger thread [LEVEL] message`",
        rank=82,
        pattern=rf"(?=.{{19}}[.,]\d){ISO} (?P<logger>[A-Za-z_$][\w$]*+(?:\.[\w$]++)++) "
        rf"(?P<thread>[^\s\[\]]{{1,200}}+(?:\[-?\d{{1,9}}+,? -?\d{{1,9}}+\])?) \[{_LEVEL}\] (?P<body>.*)",
        sample="2026-11-20 08:51:00.123 o.a.s.d.supervisor main [INFO] Starting supervisor",
        scale=SCALE,
        fields={"thread": ("thread.name", str), "logger": ("otel.scope.name", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="java_util_logging",
        title="java.util.logging's SimpleFormatter, in two lines",
        rank=84,
        pattern=r"(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}), (?P<year>\d{4}),? (?P<clock>\d{1,2}:\d\d:\d\d) "
        r"(?P<half>[AP]M)"
        r" (?P<body>(?P<logger>(?=[\w$/\-]++\.|[A-Z][\w$]*+ (?:main|run|<init>)$)[\w.$/\-]++)"
        r"(?: (?P<method>[\w$<>\-]++))?)",
        sample="Nov 20, 2026 8:51:00 AM com.example.Demo main",
        scale=SCALE,
        fields={"logger": _LOGGER, "method": _METHOD},
        time=parts_time,
        rule=Rule(
            TEXT_MARKS,
            joins_unknown=True,
            traces=True,
            once=rf"{_LEVEL.replace('?P<level>', '?:')}: .*",
            folds=True,
        ),
        fold=_two_lines,
    ),
    Layout(
        name="tomcat",
        title="Tomcat's one-line formatter (catalina.out)",
        rank=84,
        pattern=rf"(?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) {HMS} {_LEVEL} \["
        r"(?P<thread>[^\]\n]*+(?:\]++(?! )[^\]\n]*+){0,9}+\]{0,9}?)\] "
        r"(?P<place>(?=[\w$/<>\-]*+\.[\w$/<>\-]*+\.|[A-Z][\w$/<>\-]*+\.)[\w.$/<>\-]++) (?P<body>.*)",
        sample="20-Nov-2026 08:51:00.123 INFO [main] org.apache.catalina.startup.Catalina.start Server startup in"
        " [9] ms",
        scale=SCALE,
        fields={"thread": _THREAD},
        time=parts_time,
        rule=TEXT,
        finish=_class_and_method,
    ),
    Layout(
        name="jboss",
        title="JBoss, WildFly, Keycloak and Quarkus: `%d %-5p [%c] (%t) %s`",
        rank=84,
        pattern=rf"(?:{YMD} )?{CLOCK} {_LEVEL} {{1,6}}\[(?P<logger>[\w.$\-]++)\] "
        r"\((?P<thread>(?![\w$]{1,100}+\.(?:java|scala|kt|groovy):|(?:retry|try|attempt|took|in|after|of) )[^)\n]*+)\) "
        r"(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 INFO  [org.jboss.as] (MSC service thread 1-2) WFLYSRV0025: started",
        scale=SCALE,
        fields={"thread": _THREAD, "logger": _LOGGER},
        time=lambda times, found: (
            parts_time(times, found) if found["year"] else times.clock(found["clock"] or "", found["fraction"])
        ),
        rule=TEXT,
    ),
    Layout(
        name="elasticsearch",
        title="Elasticsearch, OpenSearch and Logstash: `[time][LEVEL][logger] [node] message`",
        rank=84,
        # With blanks between the brackets it is anybody's layout, but for a logger that only Java writes.
        pattern=rf"(?=[^\]]++\]\[|[^\]]++\] \[[^\]]++\] ?\[[\w$\-]++\.)"
        rf"\[{ISO}\] ?\[{_LEVEL} {{0,2}}\] ?\[(?P<logger>[A-Za-z][\w.$\-]*+) {{0,40}}\] ?+(?:\["
        r"(?P<node>[\w.\-]++)\] ?)?+(?!- )(?P<body>.*)",
        sample="[2026-11-20T08:51:00,123][INFO ][o.e.n.Node               ] [node-1] started",
        scale=SCALE,
        fields={"logger": _LOGGER, "node": ("app.node", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="cassandra",
        title="Cassandra: `%-5level [%thread] %date %F:%L - %msg`",
        rank=84,
        pattern=rf"{_LEVEL} {{1,4}}\[(?P<thread>[^\]\n]*+)\] {ISO} (?P<file>[\w$]++\.java):(?P<line>\d{{1,9}}+) -"
        rf" (?P<body>.*)",
        sample="INFO  [main] 2026-11-20 08:51:00,123 CassandraDaemon.java:500 - JVM vendor: Eclipse",
        scale=SCALE,
        fields={"thread": _THREAD, "file": ("code.file.path", str), "line": ("code.line.number", int)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="solr",
        title="Solr: `%d %-5p (%t) [%X] %c message`",
        rank=83,
        pattern=rf"{ISO} {_LEVEL} {{1,6}}\((?P<thread>[^)\n]*+)\) "
        r"\[(?![A-Za-z_][\w.]*+\])(?P<context>[^\]\n]*+)\] (?P<logger>(?=[\w$]++\.)[\w.$]++)"
        rf" (?P<body>.*)",
        sample="2026-11-20 08:51:00.123 INFO  (qtp-12) [c:shop s:shard1] o.a.s.c.SolrCore started",
        scale=SCALE,
        fields={"thread": _THREAD, "context": ("app.context", str), "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({"", "   "}),
    ),
    Layout(
        name="jvm",
        title="The JVM's unified log (garbage collection): `[time][uptime][pid][level][tags] message`",
        rank=86,
        pattern=rf"(?:\[{ISO}\])?(?:\[(?P<uptime>\d{{1,9}}[.,]\d{{3}})s\])?(?<=\])(?:\[(?P<pid>\d{{1,10}}+)\])?"
        r"(?:\[(?P<tid>\d{1,10}+)\])?(?:\[(?P<level>trace|debug|info|warning|error) {0,3}\])?"
        rf"\[(?P<logger>(?:{_JVM})(?:,[a-z]{{1,20}}+){{0,8}}+) {{0,40}}\] (?P<body>.*)",
        sample="[2026-11-20T08:51:00.243+0000][31245][gc,heap      ] GC(0) Eden regions: 48->0(47)",
        scale=SCALE,
        fields={
            "uptime": ("app.uptime_s", lambda text: float(text.replace(",", "."))),
            "pid": ("process.pid", int),
            "tid": ("thread.id", int),
            "logger": _LOGGER,
        },
        time=lambda times, found: iso_time(times, found) if found["second"] else None,
        rule=TEXT,
        accept=_is_jvm,
    ),
)


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
