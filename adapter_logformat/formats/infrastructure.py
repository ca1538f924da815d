"""What runs beside the apps: OpenStack's oslo.log, PHP's error log, Android's logcat, Windows' component servicing."""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, header_goes_on, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, NOTICE, SYSLOG_WORDS, TRACE, WARN, WORDS
from adapter_logformat.severity import PYTHON as PYTHON_SCALE

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)
_TID: Final[Field] = ("thread.id", int)
_LOGCAT_SCALE: Final = {
    "V": TRACE, "D": DEBUG, "I": INFO, "W": WARN, "E": ERROR, "F": FATAL, "A": FATAL,
}  # fmt: skip
_PHP_LEVELS: Final = re.compile(
    r"PHP (Fatal error|Parse error|Recoverable fatal error|Catchable fatal error|Warning|Notice|Deprecated|Strict"
    r" Standards"
    r"|Core error|Core warning|Compile error): {1,2}|(NOTICE|WARNING|ERROR|ALERT|DEBUG): "
)
_PHP_SCALE: Final = {
    "FATAL ERROR": FATAL, "PARSE ERROR": FATAL, "CORE ERROR": FATAL, "COMPILE ERROR": FATAL,
    "RECOVERABLE FATAL ERROR": ERROR, "CATCHABLE FATAL ERROR": ERROR, "WARNING": WARN, "CORE WARNING": WARN,
    "NOTICE": NOTICE, "DEPRECATED": NOTICE, "STRICT STANDARDS": NOTICE, "ERROR": ERROR, "ALERT": SYSLOG_WORDS["ALERT"],
    "DEBUG": DEBUG,
}  # fmt: skip


def _oslo(record: Record, found: Mapping[str, str | None]) -> bool:
    """`[req-… user project domain …]`: the request's context, `-` where it has none."""
    context = (found["context"] or "").split()
    if context and context[0].startswith("req-"):
        names = ("request_id", "user_id", "project_id", "domain_id", "user_domain_id", "project_domain_id")
        for name, value in zip(names, context, strict=False):
            if value != "-":
                record.attributes[OWN_PREFIX + name] = value
        if len(context) > len(names):
            record.attributes["app.context"] = " ".join(context[len(names) :])
    elif context and context != ["-"]:
        record.attributes["app.context"] = found["context"]
    return True


def _php(record: Record, found: Mapping[str, str | None]) -> bool:
    level = _PHP_LEVELS.match(record.body or "")
    if level is not None:
        word = level[1] or level[2]
        record.severity_text, record.severity_number = word, _PHP_SCALE.get(word.upper())
        record.body = (record.body or "")[level.end() :]
        return True
    # Free text comes from error_log(), which writes the zone; anything else is another program's.
    return found["zone"] is not None and not header_goes_on(record.body or "")


LAYOUTS: Final = (
    Layout(
        name="openstack",
        title="OpenStack's oslo.log, also with the file's name in front",
        rank=87,
        pattern=rf"(?:(?P<file>[\w.\-]{{1,100}}?\.log[\w.:\-]*+) )?{ISO} (?P<pid>\d{{1,10}}+) "
        r"(?P<level>TRACE|DEBUG|INFO|AUDIT|WARNING|ERROR|CRITICAL) (?P<logger>[\w.\-]++) "
        r"\[(?P<context>[^\]\n]*+)\] ?(?P<body>.*)",
        sample="2017-05-16 00:00:00.008 25746 INFO nova.osapi_compute.wsgi.server"
        " [req-38101a0b-2096-447d-96ea-a692162415ae "
        '113d3a99c3da401fbd62cc2caa5b96d2 54fadb412c4e40cdbaed9335e4c35a9e - - -] 192.0.2.1 "GET /v2" status: 200',
        scale={**PYTHON_SCALE, "AUDIT": INFO},
        fields={"file": ("app.file", str), "pid": _PID, "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
        finish=_oslo,
    ),
    Layout(
        name="php",
        title="PHP's error log and PHP-FPM's",
        rank=86,
        pattern=rf"\[(?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d{{4}}) {HMS}(?: (?P<zone>[A-Za-z]++"
        rf"(?:/[A-Za-z_]++)*+))?\] "
        r"(?P<body>.*)",
        sample="[20-Nov-2026 08:51:00 UTC] PHP Warning:  Undefined variable $x in /srv/index.php on line 3",
        scale=_PHP_SCALE,
        fields={},
        time=parts_time,
        rule=TEXT,
        finish=_php,
    ),
    Layout(
        name="logcat",
        title="Android's logcat: `threadtime` and `time`",
        rank=87,
        pattern=rf"(?:(?P<year>\d{{4}})-)?(?P<month>\d\d)-(?P<day>\d\d) {HMS}(?: (?P<zone>[+-]\d{{4}}))? "
        r"(?: {0,6}(?P<pid>\d{1,7}+) {1,6}(?P<tid>\d{1,7}+) (?P<level>[VDIWEFA]) (?P<tag>[^:]{0,200}?) {0,30}: ?"
        r"|(?P<level2>[VDIWEFA])/(?P<tag2>[^(]{0,200}?) {0,30}\( {0,6}(?P<pid2>\d{1,7}+)\): ?)(?P<body>.*)",
        sample="03-17 16:13:38.811  1702  2395 D WindowManager: printFreezingDisplayLogsopening app wtoken = AppWindow",
        scale=_LOGCAT_SCALE,
        fields={"pid": _PID, "pid2": _PID, "tid": _TID, "tag": _LOGGER, "tag2": _LOGGER},
        time=parts_time,
        rule=LINES,
        absent=frozenset({""}),
        finish=lambda record, found: _logcat(record, found["level2"]),
    ),
    Layout(
        name="windows_cbs",
        title="Windows component servicing (CBS.log): `time, Level  Component  message`",
        rank=85,
        pattern=rf"{YMD} {HMS}, (?P<level>Info|Warning|Error|Perf) {{1,30}}(?P<logger>[A-Z][A-Z0-9]{{1,9}}+)"
        rf" {{1,10}}(?P<body>.*)",
        sample="2016-09-28 04:30:30, Info                  CBS    Loaded Servicing Stack v6.1.7601.23505",
        scale={**WORDS, "PERF": INFO},
        fields={"logger": _LOGGER},
        time=parts_time,
        rule=LINES,
    ),
)


def _logcat(record: Record, level: str | None) -> bool:
    if level is not None:
        record.severity_text, record.severity_number = level, _LOGCAT_SCALE[level]
    return True


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
