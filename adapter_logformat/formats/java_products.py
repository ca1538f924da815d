"""Java products with layouts of their own: WebLogic, WebSphere and Liberty, GlassFish, Jetty, Jenkins, SonarQube,
Nexus, Jira, Neo4j, Artemis, Karaf, Trino.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import TEXT, Rule
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, NOTICE, TRACE, WARN
from adapter_logformat.severity import JAVA as SCALE
from adapter_logformat.timestamps import Times
from adapter_logformat.traces import fold

_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|SEVERE|CONFIG|FINE(?:R|ST)?)"
_DOTTED: Final = r"(?P<logger>[A-Za-z_$][\w$]*+(?:\.[\w$]++)++)"
_THREAD: Final[Field] = ("thread.name", str)
_LOGGER: Final[Field] = ("otel.scope.name", str)
_LINE: Final[Field] = ("code.line.number", int)
_TID: Final[Field] = ("thread.id", int)
_WEBLOGIC: Final = {
    "EMERGENCY": FATAL, "ALERT": FATAL - 2, "CRITICAL": FATAL - 3, "ERROR": ERROR, "WARNING": WARN, "NOTICE": NOTICE,
    "INFO": INFO, "DEBUG": DEBUG, "TRACE": TRACE,
}  # fmt: skip
_WEBSPHERE: Final = {
    "F": FATAL, "E": ERROR, "W": WARN, "A": INFO, "I": INFO, "C": DEBUG + 2, "D": DEBUG, "O": INFO, "R": ERROR,
    ">": TRACE, "<": TRACE, "1": DEBUG, "2": TRACE + 2, "3": TRACE,
}  # fmt: skip
_WEBLOGIC_NAMES: Final = (
    "host.name", "app.server", "thread.name", "app.user", "app.transaction", "app.context", "", "app.data",
)  # fmt: skip
_BOX_AT: Final = re.compile(r"<((?:[^<>]|<[^<>]*+>)*+)> ?")
_ID: Final = re.compile(r"[A-Z][\w\-]{0,30}-\d{4,9}")


def _us_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    """WebSphere writes month/day/year, or day.month.year where the locale says so."""
    first, second = found["first"] or "", found["second_part"] or ""
    is_us = found["sign"] == "/" and int(first) <= 12
    month, day = (first, second) if is_us else (second, first)
    fraction = (found["fraction"] or "").zfill(3)
    return times.parts(found["year"], month, day, found["clock"] or "", fraction, found["zone"])


def _weblogic(record: Record, found: Mapping[str, str | None]) -> bool:
    """`<subsystem> <machine> <server> <thread> <user> <transaction> <context> <epoch> [<…>] <id> <message>`, or on the
    console `<subsystem> <id> <message>`."""
    text = found["rest"] or ""
    fields: list[str] = []
    at = 0
    while len(fields) < 9 and (box := _BOX_AT.match(text, at)) is not None and not _ID.fullmatch(box[1]):
        fields.append(box[1])
        at = box.end()
    box = _BOX_AT.match(text, at)
    if box is None or not fields or not text.endswith(">"):
        return False
    record.attributes["otel.scope.name"] = fields[0]
    record.attributes["app.message_id"] = box[1]
    record.body = text[box.end() :].removeprefix("<").removesuffix(">")
    for name, value in zip(_WEBLOGIC_NAMES, fields[1:], strict=False):
        if value and name:
            record.attributes[name] = value
    if "host.name" in record.attributes:
        record.resource["host.name"] = record.attributes.pop("host.name")
    return True


def _glassfish(record: Record, found: Mapping[str, str | None]) -> bool:
    body = record.body or ""
    record.body = body.strip().removeprefix("[[").removesuffix("]]").strip() or None
    return True


def _glassfish_below(record: Record, first: str, lines: Sequence[str]) -> None:
    """The message is indented by two, and ends with the brackets that the first line opened."""
    text = [line.removeprefix("  ") for line in lines]
    if text:
        text[-1] = text[-1].removesuffix("]]")
    if text and not record.body:
        record.body, *text = text
    if text:
        fold(record, "", text)


LAYOUTS: Final = (
    Layout(
        name="weblogic",
        title="WebLogic: `####<time> <Level> <subsystem> <machine> … <id> <message>`, and its console",
        rank=86,
        pattern=r"(?:####)?<(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}), (?P<year>\d{4}),? "
        r"(?P<clock>\d{1,2}:\d\d:\d\d)(?:,(?P<fraction>\d{1,9}+))?(?: (?P<half>[AP]M))?"
        r"(?: (?P<zone>[A-Z]{2,5}|[+-]\d\d:?\d\d))?> "
        r"<(?P<level>Emergency|Alert|Critical|Error|Warning|Notice|Info|Debug|Trace)> (?P<rest><.*)",
        sample="####<Nov 20, 2026 8:51:00,123 AM UTC> <Info> <WebLogicServer> <host1> <AdminServer> <main> <> <> <> "
        "<1795161060123> <BEA-000377> <Starting WebLogic Server>",
        scale=_WEBLOGIC,
        fields={},
        time=parts_time,
        rule=TEXT,
        finish=_weblogic,
    ),
    Layout(
        name="websphere",
        title="WebSphere and Liberty: `[11/20/26 8:51:00:123 UTC] 00000001 component I message`",
        rank=86,
        pattern=r"\[(?P<first>\d{1,2})(?P<sign>[/.])(?P<second_part>\d{1,2})[/.](?P<year>\d\d(?:\d\d)?),? "
        r"(?P<clock>\d{1,2}:\d\d:\d\d):(?P<fraction>\d{1,3}) (?P<zone>[A-Z]{2,5}|[+-]\d\d:?\d\d)\] "
        r"(?P<thread>[0-9a-f]{8}) "
        r"(?P<logger>[^\s]{1,200}+) {1,80}(?P<level>[FEWAICDORZ123<>]) {1,3}(?P<body>.*)",
        sample="[11/20/26 8:51:00:123 UTC] 0000004a WSChannelFram E   CHFW0030E: no route",
        scale=_WEBSPHERE,
        fields={"thread": ("thread.id", lambda text: int(text, 16)), "logger": _LOGGER},
        time=_us_time,
        rule=TEXT,
    ),
    Layout(
        name="jenkins",
        title="Jenkins: `time [id=1] LEVEL class#method: message`, between tabs",
        rank=86,
        pattern=rf"{ISO} \[id=(?P<tid>\d{{1,18}}+)\]\t{_LEVEL}\t(?P<logger>[\w.$\-]++)(?:#(?P<function>[\w$<>]++))?"
        r"(?:: (?P<body>.*))?",
        sample="2026-11-20 08:51:00.123+0000 [id=1]\tINFO\thudson.WebAppMain#contextInitialized: started",
        scale=SCALE,
        fields={"tid": _TID, "logger": _LOGGER, "function": ("code.function.name", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="sonarqube",
        title="SonarQube: `time LEVEL  process[request][logger] message`",
        rank=86,
        pattern=rf"{YMD} {HMS} {_LEVEL} {{1,2}}(?P<process>[a-z]{{1,12}}+)\[(?P<request>[^\]\n]*+)\]"
        r"\[(?P<logger>[\w.$\-]++)\] (?P<body>.*)",
        sample="2026.11.20 08:51:00 INFO  app[][o.s.a.SchedulerImpl] Process is up",
        scale=SCALE,
        fields={"process": ("app.process", str), "request": ("app.request_id", str), "logger": _LOGGER},
        time=parts_time,
        rule=TEXT,
        absent=frozenset({""}),
    ),
    Layout(
        name="nexus",
        title="Sonatype Nexus: `time LEVEL  [thread] node user logger - message`",
        rank=84,
        pattern=rf"{ISO} {_LEVEL} {{1,2}}\[(?P<thread>[^\]\n]++)\] {{1,2}}"
        rf"(?:(?P<node>[\w\-]{{1,60}}+) )?(?P<user>[\w*@.\-]{{1,60}}+) {_DOTTED} - (?P<body>.*)",
        sample="2026-11-20 08:51:00,123+0000 INFO  [jetty-main-1]  *SYSTEM org.sonatype.nexus.bootstrap.Jetty - "
        "Starting",
        scale=SCALE,
        fields={"thread": _THREAD, "node": ("app.node", str), "user": ("user.name", str), "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="jira",
        title="Jira: `time thread LEVEL user request session address url [logger] message`",
        rank=84,
        pattern=rf"{ISO} (?!TRACE|DEBUG|INFO|WARN|ERROR|FATAL)"
        rf"(?P<thread>[^\s\[]{{1,100}}+(?: [^\s\[]{{1,40}}+){{0,2}}?) "
        rf"{_LEVEL} {{1,6}}(?:(?P<user>[\w@.\-]{{1,100}}+) (?P<request>\d{{1,6}}x\d{{1,12}}x\d{{1,6}}) "
        r"(?P<session>[\w\-]{1,40}+) (?P<client>[\w.:,\-]{1,200}+) (?P<path>\S{1,2000}+) )?"
        r"\[(?P<logger>[A-Za-z_$][\w$]*+(?:\.[\w$]++)++)\] (?:- )?+(?P<body>.*)",
        sample="2026-11-20 08:51:00,123+0000 http-nio-8080-exec-1 INFO admin 531x1x1 abc1 192.0.2.1 /login.jsp "
        "[c.a.jira.Class] added",
        scale=SCALE,
        fields={
            "thread": _THREAD,
            "user": ("user.name", str),
            "request": ("app.request_id", str),
            "session": ("app.session", str),
            "client": ("app.client", str),
            "path": ("url.path", str),
            "logger": _LOGGER,
        },
        time=iso_time,
        rule=TEXT,
        absent=frozenset({"-"}),
    ),
    Layout(
        name="neo4j",
        title="Neo4j and others with a zone, the level and perhaps a logger in brackets",
        rank=80,
        pattern=r"(?P<second>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)[.,](?P<fraction>\d{1,9}+)(?P<zone>[+-]\d{4}) "
        rf"{_LEVEL} {{2}}(?:\[(?P<logger>[A-Za-z_$][\w$]*+(?:\.[\w$]++)++)\] "
        r"(?:\[(?P<context>[^\]\n]*+)\] )?)?(?P<body>[^\[\s].*)",
        sample="2026-11-20 08:51:00.123+0000 INFO  [o.n.k.d.Database] [neo4j/abc] recovered",
        scale=SCALE,
        fields={"logger": _LOGGER, "context": ("app.context", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="artemis",
        title="Artemis: `time LEVEL  [logger] message`",
        rank=82,
        pattern=rf"{ISO} {_LEVEL} {{1,2}}\[(?P<logger>[A-Za-z_$][\w$]*+(?:\.[\w$]++){{2,20}}+)\] "
        r"(?P<body>AMQ\d{6}: .*)",
        sample="2026-11-20 08:51:00,123 INFO  [org.apache.activemq.artemis.core.server] AMQ221000: live",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="karaf",
        title="Karaf and ServiceMix: `time | LEVEL | thread | logger | bundle | message`",
        rank=88,
        pattern=rf"{ISO} \| {_LEVEL} {{0,3}}\| (?P<thread>[^|\n]{{1,200}}?) {{0,40}}\| "
        r"(?P<logger>[\w.$\-]++) {0,60}\| (?P<bundle>\d{0,9}+ - [^|\n]{0,200}?) {0,40}\| (?P<body>.*)",
        sample="2026-11-20T08:51:00,123 | INFO  | features-1 | FeaturesServiceImpl | 18 - "
        "org.apache.karaf.features.core - 4.3 | Installing",
        scale=SCALE,
        fields={"thread": _THREAD, "logger": _LOGGER, "bundle": ("app.bundle", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="jetty",
        title="Jetty: `time:LEVEL:logger:thread: message`",
        rank=86,
        pattern=r"(?P<second>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(?P<fraction>\d{3})(?P<zone>(?!))?: ?"
        r"(?P<level>DEBUG|INFO|WARN|FATAL|TRACE|ERROR) ?:"
        r"(?P<logger>[\w.$\-]++):(?P<thread>[^:\n]++): ?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123:INFO :oejs.Server:main: jetty-11.0.11",
        scale=SCALE,
        fields={"logger": _LOGGER, "thread": _THREAD},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="glassfish",
        title="GlassFish and Payara: a header of brackets, the message in `[[ … ]]`",
        rank=86,
        pattern=rf"\[{ISO}\] \[(?P<product>[A-Za-z][^\]\n]*+)\] \[(?P<level>[A-Z]{{4,9}})\] \[(?P<id>[^\]\n]*+)\] "
        r"\[(?P<logger>[^\]\n]*+)\] \[tid: _ThreadID=(?P<tid>\d{1,10}+) _ThreadName=(?P<thread>[^\]\n]*+)\] "
        r"\[timeMillis: \d{1,16}\] \[levelValue: -?\d{1,6}\]"
        r"(?P<extra>(?: \[[A-Z_]++: [^\]\n]*+\])*+) (?P<body>\[\[.*)",
        sample="[2026-11-20T08:51:00.123+0000] [Payara 5.2] [INFO] [NCLS-CORE-00046] [javax.enterprise.system.core] "
        "[tid: _ThreadID=1 _ThreadName=main] [timeMillis: 1795161060123] [levelValue: 800] [[Grizzly started]]",
        scale=SCALE,
        fields={
            "product": ("app.product", str),
            "id": ("app.message_id", str),
            "logger": _LOGGER,
            "tid": _TID,
            "thread": _THREAD,
            "extra": ("app.context", str.strip),
        },
        time=iso_time,
        rule=Rule(r"[ \t].*|(?!\[\d{4}-).*\]\]", joins_unknown=True, traces=True, folds=True),
        absent=frozenset({""}),
        finish=_glassfish,
        fold=_glassfish_below,
    ),
    Layout(
        name="trino",
        title="Trino and Presto: `time LEVEL thread logger message`, between tabs",
        rank=85,
        pattern=rf"{ISO}\t{_LEVEL}\t(?P<thread>[^\t\n]++)\t(?P<logger>[A-Z][\w$]*+|[A-Za-z_$][\w$]*+(?:\.[\w$]++)++)"
        r"(?<!\.go)\t(?!\{)(?P<body>.*)",
        sample="2026-11-20T08:51:00.123Z\tINFO\tmain\tio.trino.server.Server\tSERVER STARTED",
        scale=SCALE,
        fields={"thread": _THREAD, "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
