"""PHP: its error log and PHP-FPM's, Monolog (Symfony, Laravel) with its context, CodeIgniter, Yii, Laminas."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapter_logformat.formats import pairs
from adapter_logformat.formats.json_app import DAMAGED
from adapter_logformat.grammar import HMS, ISO, Field, Layout, header_goes_on, iso_time, parts_time
from adapter_logformat.multiline import TEXT, TEXT_MARKS, Rule
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, NOTICE, SYSLOG_WORDS, WARN
from adapter_logformat.traces import fold

_LEVEL: Final = r"(?P<level>DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_PHP_LEVELS: Final = re.compile(
    r"PHP (Fatal error|Parse error|Recoverable fatal error|Catchable fatal error|Warning|Notice|Deprecated|Strict"
    r" Standards|Core error|Core warning|Compile error): {1,2}|(NOTICE|WARNING|ERROR|ALERT|DEBUG): "
)
_PHP_SCALE: Final = {
    "FATAL ERROR": FATAL, "PARSE ERROR": FATAL, "CORE ERROR": FATAL, "COMPILE ERROR": FATAL,
    "RECOVERABLE FATAL ERROR": ERROR, "CATCHABLE FATAL ERROR": ERROR, "WARNING": WARN, "CORE WARNING": WARN,
    "NOTICE": NOTICE, "DEPRECATED": NOTICE, "STRICT STANDARDS": NOTICE, "ERROR": ERROR, "ALERT": SYSLOG_WORDS["ALERT"],
    "DEBUG": DEBUG,
}  # fmt: skip
_FILE: Final = re.compile(r"[^\n]* in (?P<file>(?:/|[A-Z]:\\)[^\n]{1,1000})")
_FILE_ROOM: Final = 1010
_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)
_OBJECT: Final = re.compile(r" (?=[\[{])")
_THROWN: Final = re.compile(r"\[object\] \((?P<type>[\w\\]{1,200}+)\(code: ?(?P<code>[^)\n]{0,40})\): ")
_THROWN_AT: Final = re.compile(r"([^\n]{1,1000}):(\d{1,9})\)", re.ASCII)
LONGEST: Final = 1 << 16
"""Behind a longer message nothing is looked for."""


def _php(record: Record, found: Mapping[str, str | None]) -> bool:
    level = _PHP_LEVELS.match(record.body or "")
    if level is not None:
        word = level[1] or level[2]
        record.severity_text, record.severity_number = word, _PHP_SCALE.get(word.upper())
        record.body = (record.body or "")[level.end() :]
        _placed(record)
        return True
    # Free text comes from error_log(), which writes the zone; anything else is another program's.
    return found["zone"] is not None and not header_goes_on(record.body or "")


def _placed(record: Record) -> None:
    """PHP ends its own messages with the place; it stays in the message, which refers to it."""
    text, _, line = (record.body or "").rpartition(" on line ")
    place = _FILE.fullmatch(text[-_FILE_ROOM:]) if _NUMBER.fullmatch(line) else None
    if place is not None:
        record.attributes |= {"code.file.path": place["file"], "code.line.number": int(line)}


def _context(record: Record, first: str, lines: Sequence[str]) -> None:
    """`message {context} {extra}`, each of them `[]` where it is empty; the trace in a context spans lines."""
    text = "\n".join([record.body or "", *lines]).rstrip()
    split = _split(text) if len(text) <= LONGEST else None
    told = pairs.distinct(split[1]) if split is not None else None
    if split is None or told is None:
        if lines:
            fold(record, "", lines)
        record.body = (record.body or "").rstrip()
        return
    record.body, _, is_damaged = split
    if is_damaged:
        record.error = record.error or DAMAGED
    for key, value in told.items():
        if key != "exception" or not _thrown(record, value):
            record.attributes[OWN_PREFIX + key] = value


def _split(text: str) -> tuple[str, list[tuple[str, Any]], bool] | None:
    """The message, what the one or two JSON values that end the text name, and whether they are damaged; `None` where
    it ends otherwise."""
    for tries, place in enumerate(_OBJECT.finditer(text)):
        if tries == 16:
            break
        named: list[tuple[str, Any]] = []
        at, is_damaged = place.end(), False
        for name in ("context", "extra"):
            try:
                value, at, has_halves = pairs.json_value(text, at)
            except ValueError:
                break
            is_damaged |= has_halves
            named += value.items() if isinstance(value, dict) else [(name, value)] if value else []
            at += text[at : at + 1] == " "
            if at == len(text):
                return text[: place.start()].rstrip(), named, is_damaged
    return None


def _thrown(record: Record, value: object) -> bool:
    head, _, trace = value.rstrip().partition("\n[stacktrace]\n") if isinstance(value, str) else ("", "", "")
    found = _THROWN.match(head)
    if found is None:
        return False
    message, at, place = head[found.end() :].rpartition(" at /")
    where = _THROWN_AT.fullmatch(place)
    if not at or where is None:
        return False
    record.attributes |= {"exception.type": found["type"], "exception.message": message}
    record.attributes |= {"code.file.path": "/" + where[1], "code.line.number": int(where[2])}
    if trace:
        record.attributes["exception.stacktrace"] = trace
    if found["code"] not in ("", "0"):
        record.attributes["app.code"] = found["code"]
    return True


LAYOUTS: Final = (
    Layout(
        name="php",
        title="PHP's error log and PHP-FPM's",
        rank=86,
        pattern=rf"(?:\[(?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) {HMS}"
        r"(?: (?P<zone>[A-Za-z]++(?:/[A-Za-z_]++)*+))?\] "
        # What the command line writes has no time; an exception that nobody caught is a trace's beginning.
        r"|(?=PHP (?:Notice|Warning|Deprecated|Parse error|Fatal error|Strict Standards):  (?!Uncaught )))(?P<body>.*)",
        sample="[20-Nov-2026 08:51:00 UTC] PHP Warning:  Undefined variable $x in /srv/index.php on line 3",
        scale=_PHP_SCALE,
        fields={},
        time=lambda times, found: parts_time(times, found) if found["month"] else None,
        rule=TEXT,
        finish=_php,
    ),
    Layout(
        name="monolog",
        title="Monolog, and Laravel with it: `[time] channel.LEVEL: message {context} {extra}`",
        rank=86,
        pattern=rf"\[{ISO}\] (?P<logger>[\w\-]{{1,60}}+)\.{_LEVEL}: (?P<body>.*)",
        sample='[2026-11-20T08:51:00.123456+00:00] app.ERROR: Uncaught exception {"order":7} []',
        scale=SYSLOG_WORDS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=Rule(
            rf"\[(?:stacktrace|previous exception)\].*|#\d++ .*|\"\}}.*|{TEXT_MARKS}", joins_unknown=True, folds=True
        ),
        fold=_context,
    ),
    Layout(
        name="symfony_console",
        title="Symfony on a terminal: `08:51:00 LEVEL     [channel] message`",
        rank=82,
        pattern=rf"(?P<clock>\d\d:\d\d:\d\d) (?=[A-Z ]{{10}}\[){_LEVEL} {{1,9}}\["
        rf"(?P<logger>[a-z][\w\-]{{0,60}}+)\] (?!- )(?P<body>.*)",
        sample='08:51:00 INFO      [app] Matched route ["route" => "x"]',
        scale=SYSLOG_WORDS,
        fields={"logger": _LOGGER},
        time=lambda times, found: times.clock(found["clock"] or ""),
        rule=TEXT,
    ),
    Layout(
        name="codeigniter",
        title="CodeIgniter: `LEVEL - time --> message`",
        rank=82,
        pattern=rf"(?P<level>DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY) - {ISO} --> (?P<body>.*)",
        sample="ERROR - 2026-11-20 08:51:00 --> Severity: Warning",
        scale=SYSLOG_WORDS,
        fields={},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="yii",
        title="Yii: `time [address][user][session][level][category] message`",
        rank=85,
        pattern=rf"{ISO} \[(?P<client>[\da-fA-F.:]{{2,60}}+|-)\]\[(?P<user>[^\]\n]{{0,100}}+)\]\["
        rf"(?P<session>[^\]\n]{{0,100}}+)\]"
        r"\[(?P<level>trace|info|warning|error|profile(?: begin| end)?)\]\[(?P<logger>[^\]\n]{1,200}+)\] (?P<body>.*)",
        sample="2026-11-20 08:51:00 [192.0.2.1][7][-][error][yii\\db\\Exception] no connection",
        scale={**SYSLOG_WORDS, "TRACE": 1},
        fields={
            "client": ("client.address", str),
            "user": ("user.id", str),
            "session": ("session.id", str),
            "logger": _LOGGER,
        },
        time=iso_time,
        rule=TEXT,
        absent=frozenset({"-", ""}),
    ),
    Layout(
        name="laminas",
        title="Laminas and Zend: `time LEVEL (number): message`",
        rank=85,
        pattern=rf"{ISO} (?P<level>EMERG|ALERT|CRIT|ERR|WARN|NOTICE|INFO|DEBUG) \([0-7]\): (?P<body>.*)",
        sample="2026-11-20T08:51:00+00:00 ERR (3): no connection",
        scale=SYSLOG_WORDS,
        fields={},
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
