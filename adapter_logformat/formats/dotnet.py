""".NET: the console of Microsoft.Extensions.Logging (two lines and more), text of Serilog, NLog, "
"log4net."""

import re
from collections.abc import Sequence
from typing import Final

from adapter_logformat.grammar import CLOCK, ISO, Field, Layout, iso_time
from adapter_logformat.multiline import TEXT, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, TRACE, WARN, WORDS
from adapter_logformat.traces import fold

_SCALE: Final = {"TRCE": TRACE, "DBUG": DEBUG, "INFO": INFO, "WARN": WARN, "FAIL": ERROR, "CRIT": FATAL}
_LOGGER: Final[Field] = ("otel.scope.name", str)
_CLOCK: Final = CLOCK.replace("?P<fraction>", "?P<clock_fraction>")
_PADDING: Final = " " * 6
_SERILOG: Final = {"VRB": TRACE, "DBG": DEBUG, "INF": INFO, "WRN": WARN, "ERR": ERROR, "FTL": FATAL}
_SCOPE: Final = re.compile(r"=> .*")


def _message(record: Record, first: str, lines: Sequence[str]) -> None:
    """The message is in the lines below, six spaces in; an exception follows it in the same way."""
    plain = [line.removeprefix(_PADDING) for line in lines]
    if plain and _SCOPE.fullmatch(plain[0]):
        record.attributes["app.scope"], *plain = plain
    if plain and not record.body:
        record.body, *plain = plain
    if plain:
        fold(record, "", plain)


LAYOUTS: Final = (
    Layout(
        name="dotnet_console",
        title=".NET console logger",
        rank=84,
        pattern=rf"(?:\[?(?:{ISO}|{_CLOCK})\]? )?(?P<level>trce|dbug|info|warn|fail|crit): (?P<logger>[\w.`+\-<>]++)\["
        rf"(?P<event>-?\d{{1,10}}+)\]"
        r"(?: (?P<body>.*))?",
        sample="info: Microsoft.Hosting.Lifetime[14]",
        scale=_SCALE,
        fields={"logger": _LOGGER, "event": ("app.event_id", int)},
        time=lambda times, found: (
            iso_time(times, found)
            if found["second"]
            else times.clock(found["clock"], found["clock_fraction"])
            if found["clock"]
            else None
        ),
        rule=Rule(r" {6}.*", joins_unknown=False, traces=True, folds=True),
        fold=_message,
    ),
    Layout(
        name="serilog_text",
        title="Serilog's console and file text",
        rank=84,
        pattern=rf"\[?(?:{ISO}|{_CLOCK}) \[?(?P<level>VRB|DBG|INF|WRN|ERR|FTL)\] "
        r"(?:\[(?P<logger>[A-Z]\w*+(?:\.[A-Z]\w*+)++)\] )?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123 +01:00 [INF] started",
        scale=_SERILOG,
        fields={"logger": _LOGGER},
        time=lambda times, found: (
            iso_time(times, found) if found["second"] else times.clock(found["clock"] or "", found["clock_fraction"])
        ),
        rule=TEXT,
    ),
    Layout(
        name="serilog_thread",
        title="Serilog with thread and class in brackets: `[time] [INF] [1] class: message` (Jellyfin)",
        rank=85,
        pattern=rf"\[(?:{ISO}|{_CLOCK})\] \[(?P<level>VRB|DBG|INF|WRN|ERR|FTL)\] \[(?P<tid>\d{{1,10}}+)\] "
        r"(?P<logger>[A-Za-z_][\w.`+]{0,200}+): (?P<body>.*)",
        sample="[08:51:00] [INF] [1] Main: Jellyfin version 10.8.0",
        scale=_SERILOG,
        fields={"tid": ("thread.id", int), "logger": _LOGGER},
        time=lambda times, found: (
            iso_time(times, found) if found["second"] else times.clock(found["clock"] or "", found["clock_fraction"])
        ),
        rule=TEXT,
    ),
    Layout(
        name="log4net",
        title="log4net with its empty context: `time [thread] LEVEL logger (null) - message`",
        rank=82,
        pattern=rf"{ISO} \[(?P<thread>[^\]\n]++)\] (?P<level>DEBUG|INFO|WARN|ERROR|FATAL) {{1,2}}"
        rf"(?P<logger>[A-Za-z_][\w.`+]*+) "
        r"\[?\(null\)\]? - (?P<body>.*)",
        sample="2026-11-20 08:51:00,123 [1] INFO  Shop.Cart (null) - added",
        scale=WORDS,
        fields={"thread": ("thread.name", str), "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="nlog",
        title="NLog's default: `${longdate}|${level}|${logger}|${message}`",
        rank=84,
        pattern=rf"{ISO}\|(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL|Trace|Debug|Info|Warn|Error|Fatal)\|"
        rf"(?P<logger>[^|]*+)\|"
        r"(?P<body>.*)",
        sample="2026-11-20 08:51:00.1234|INFO|Shop.Cart|added",
        scale=WORDS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
