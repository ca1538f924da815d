"""Logs of message brokers: RabbitMQ and other Erlang loggers, ActiveMQ, NATS, Mosquitto, IBM MQ."""

import re
from collections.abc import Sequence
from typing import Final

from adapter_logformat.grammar import HMS, ISO, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import ALERT, DEBUG, ERROR, FATAL, INFO, JAVA, NOTICE, SYSLOG_WORDS, WARN, WORDS
from adapter_logformat.timestamps import Times

_PID: Final[Field] = ("process.pid", int)
_BROKER_THREAD: Final = re.compile(
    r"main|(?:ActiveMQ|Camel|JMX|KahaDB|RMI|Thread-\d|VMTransport|pool-\d|qtp\d).{0,200}"
)
_BROKER_LOGGER: Final = re.compile(r"[\w$]{1,60}\.[\w.$]{1,200}", re.ASCII)
_MQ_TIME: Final = re.compile(r"\s+Time\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)\)", re.ASCII)
_MQ_HOST: Final = re.compile(r"\s+Host\(([^)]{1,255}+)\)(?: Installation\(([^)]{1,255}+)\))?")
_MQ_CODE: Final = re.compile(r"(AMQ\d{4,5})([ISWEFT]?): .*")
_MQ_SCALE: Final = {"I": INFO, "S": ERROR, "W": WARN, "E": ERROR, "F": FATAL, "T": FATAL}


def _activemq(record: Record) -> bool:
    """The message may hold bars; behind it stand logger and thread, or what its audit log writes, the thread alone. Any
    other columns between bars are not this broker's."""
    rest, _, thread = (record.body or "").rpartition(" | ")
    if not rest:
        return False
    body, _, logger = rest.rpartition(" | ")
    known = _BROKER_THREAD.fullmatch(thread) is not None
    if body and _BROKER_LOGGER.fullmatch(logger) is not None:
        if not known and (not logger.startswith("org.apache.activemq.") or _BROKER_THREAD.fullmatch(body) is not None):
            return False
        record.body = body
        record.attributes["otel.scope.name"] = logger
    elif known and thread != "main":
        record.body = rest
    else:
        return False
    record.attributes["thread.name"] = thread
    return True


def _mq(record: Record, _: str, lines: Sequence[str]) -> None:
    """The message begins with its code; what stands before it are figures of the header."""
    for at, line in enumerate(lines):
        if (moment := _MQ_TIME.fullmatch(line)) is not None:
            record.timestamp = Times().text(moment[1]) or record.timestamp
        elif (host := _MQ_HOST.fullmatch(line)) is not None:
            record.resource["host.name"] = host[1]
        elif (code := _MQ_CODE.fullmatch(line)) is not None:
            record.severity_text, record.severity_number = code[2] or None, _MQ_SCALE.get(code[2])
            record.attributes["app.code"] = code[1]
            record.attributes["app.header"] = "\n".join([record.body or "", *lines[:at]])
            record.body = "\n".join(lines[at:])
            return
    record.body = "\n".join([record.body or "", *lines])


LAYOUTS: Final = (
    Layout(
        name="rabbitmq",
        title="RabbitMQ and other Erlang loggers: `time [level] <process> message`",
        rank=85,
        pattern=rf"{ISO} \[(?P<level>debug|info|notice|warning|error|critical|alert|emergency"
        r"|debu|noti|warn|erro|crit|aler|emer)\] <(?P<process>[\d.]++)>(?!@) ?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123456+00:00 [info] <0.222.0> Server startup complete",
        scale={**SYSLOG_WORDS, "DEBU": DEBUG, "NOTI": NOTICE, "ERRO": ERROR, "ALER": ALERT, "EMER": FATAL},
        fields={"process": ("app.process", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="activemq",
        title="ActiveMQ: `time | LEVEL | message | logger | thread`",
        rank=86,
        pattern=rf"{ISO} \| (?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL) {{0,2}}\| (?P<body>.*)",
        yields=r".{20,40}? \| [A-Z]{4,5} {0,2}\| [^|\n]{1,200}\| [^|\n]{1,200}\| \d{0,9} - ",  # Karaf
        sample="2026-11-20 08:51:00,491 | INFO  | KahaDB is version 6 | org.apache.activemq.MessageDatabase | main",
        scale=JAVA,
        fields={},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: _activemq(record),
    ),
    Layout(
        name="nats",
        title="NATS: `[pid] date time [LVL] message`",
        rank=86,
        pattern=rf"\[(?P<pid>\d{{1,10}}+)\] {ISO} \[(?P<level>TRC|DBG|INF|WRN|ERR|FTL)\] (?P<body>.*)",
        sample="[1] 2026/11/20 08:51:00.123456 [INF] Starting nats-server",
        scale={**WORDS, "ERR": ERROR},
        fields={"pid": _PID},
        time=iso_time,
        rule=LINES,
    ),
    Layout(
        name="ibm_mq",
        title="IBM MQ's AMQERR: `date time - Process(…) User(…) Program(…)`, figures and the message below",
        rank=86,
        pattern=rf"(?P<day>\d\d)[./](?P<month>\d\d)[./](?P<year>\d{{4}}) {HMS}(?: (?P<half>[AP]M))? - "
        r"(?P<body>Process\((?P<pid>\d{1,10}+)\.(?P<tid>\d{1,10}+)\) User\((?P<user>[^)]{0,255}+)\) "
        r"Program\((?P<program>[^)]{0,255}+)\).*)",
        sample="20/11/2026 08:51:00 - Process(16776.1) User(mqm) Program(strmqm)",
        scale={},
        fields={"pid": _PID, "tid": ("thread.id", int), "user": ("user.name", str), "program": ("app.program", str)},
        time=parts_time,
        rule=Rule(r"(?!\d\d[./]\d\d[./]\d{4} \d).*", folds=True),
        fold=_mq,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
