"""What runs beside the apps: OpenStack's oslo.log, CEF from security devices, PHP's error log, RabbitMQ, Android's
logcat, Windows' component servicing, and the supercomputers' logs with epoch and node in front.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, header_goes_on, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import CRIT, DEBUG, ERROR, FATAL, INFO, NOTICE, SYSLOG_WORDS, TRACE, WARN, WORDS
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
LONGEST_ESCAPED: Final = 1 << 16
"""A longer text keeps its escapes."""
_CEF_KEY: Final = re.compile(r"(?:^| )([A-Za-z][\w.\[\]\-]{0,100}+)=")
_CEF_ESCAPE: Final = re.compile(r"\\([\\|=nr])")
_CEF_TARGETS: Final[Mapping[str, Field]] = {
    "src": ("source.address", str), "dst": ("destination.address", str), "spt": ("source.port", int),
    "dpt": ("destination.port", int), "suser": ("user.name", str), "msg": ("app.msg", str),
    "shost": ("app.shost", str), "dhost": ("app.dhost", str), "request": ("url.original", str),
}  # fmt: skip
_LEEF_TARGETS: Final[Mapping[str, Field]] = {
    "src": ("source.address", str), "dst": ("destination.address", str), "srcPort": ("source.port", int),
    "dstPort": ("destination.port", int), "usrName": ("user.name", str), "url": ("url.original", str),
}  # fmt: skip
MOST_PAIRS: Final = 512
_CEF_WORDS: Final = {"LOW": INFO, "MEDIUM": WARN, "HIGH": ERROR, "VERY-HIGH": CRIT, "UNKNOWN": 0}


def _oslo(record: Record, found: Mapping[str, str | None]) -> bool:
    """`[req-… user project domain …]`: the request's context, `-` where it has none."""
    context = (found["context"] or "").split()
    if context and context[0].startswith("req-"):
        names = ("request_id", "user_id", "project_id", "domain_id", "user_domain_id", "project_domain_id")
        for name, value in zip(names, context, strict=False):
            if value != "-":
                record.attributes[OWN_PREFIX + name] = value
    elif context and context != ["-"]:
        record.attributes["app.context"] = found["context"]
    return True


def _cef(record: Record, found: Mapping[str, str | None]) -> bool:
    record.body = _cef_text(found["name"] or "")
    severity = found["severity"] or ""
    record.severity_text = severity or None
    if severity.isascii() and severity.isdigit() and len(severity) < 4:
        _step(record, severity)
    else:
        record.severity_number = _CEF_WORDS.get(severity.upper()) or None
    text = found["extension"] or ""
    keys = list(_CEF_KEY.finditer(text))
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        value = _cef_text(text[key.end() : end].strip())
        name, kind = _CEF_TARGETS.get(key[1], (OWN_PREFIX + key[1], str))
        if kind is int and not (value.isascii() and value.isdigit() and len(value) < 6):
            name, kind = OWN_PREFIX + key[1], str
        record.attributes[name] = kind(value)
    if len({key[1] for key in keys}) < len(keys) or text[: keys[0].start() if keys else len(text)].strip():
        _keep(record, text)
    return True


def _keep(record: Record, extension: str) -> None:
    """Not everything in it is a pair of its own: so it is kept as it is, too."""
    record.attributes["app.extra"] = [extension]


def _cef_text(text: str) -> str:
    return _CEF_ESCAPE.sub(_unescaped, text) if len(text) <= LONGEST_ESCAPED else text


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(found[1], found[1])


def _php(record: Record, found: Mapping[str, str | None]) -> bool:
    level = _PHP_LEVELS.match(record.body or "")
    if level is not None:
        word = level[1] or level[2]
        record.severity_text, record.severity_number = word, _PHP_SCALE.get(word.upper())
        record.body = (record.body or "")[level.end() :]
        return True
    # Free text comes from error_log(), which writes the zone; anything else is another program's.
    return found["zone"] is not None and not header_goes_on(record.body or "")


def _label(record: Record, found: Mapping[str, str | None]) -> bool:
    if found["label"] not in (None, "-"):
        record.attributes["app.label"] = found["label"]
    return True


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
        name="cef",
        title="CEF, the Common Event Format of security devices",
        rank=90,
        pattern=r"CEF: ?(?P<version>\d{1,2})\|(?P<vendor>(?:[^|\\]++|\\.){0,999}+)\|(?P<product>"
        r"(?:[^|\\]++|\\.){0,999}+)"
        r"\|(?P<release>(?:[^|\\]++|\\.){0,999}+)\|(?P<class>(?:[^|\\]++|\\.){0,999}+)\|(?P<name>"
        r"(?:[^|\\]++|\\.){0,999}+)\|"
        r"(?P<severity>[^|]{0,20}+)"
        r"\|(?P<extension>.*)",
        sample="CEF:0|Security|threatmanager|1.0|100|worm successfully stopped|10|src=192.0.2.1 dst=192.0.2.2 spt=1232",
        scale={},
        fields={
            "vendor": ("app.device_vendor", _cef_text),
            "product": ("app.device_product", _cef_text),
            "release": ("app.device_version", _cef_text),
            "class": ("app.event_class", _cef_text),
        },
        time=None,
        finish=_cef,
    ),
    Layout(
        name="leef",
        title="LEEF 1.0 and 2.0, the Log Event Extended Format of security devices",
        rank=90,
        pattern=r"LEEF: ?(?P<version>[12](?:\.\d)?)\|(?P<vendor>[^|]*+)\|(?P<product>[^|]*+)\|(?P<release>[^|]*+)\|"
        r"(?P<class>[^|]*+)\|(?:(?P<delimiter>0?x[0-9a-fA-F]{2,4}|[^\w\s|]?)\|)?(?P<extension>.*)",
        sample="LEEF:2.0|Lancope|StealthWatch|1.0|41|^|src=192.0.2.1^dst=192.0.2.2^sev=5^usrName=bob",
        scale={},
        fields={
            "vendor": ("app.device_vendor", str),
            "product": ("app.device_product", str),
            "release": ("app.device_version", str),
            "class": ("app.event_class", str),
        },
        time=None,
        finish=lambda record, found: _leef(record, found),
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
        name="rabbitmq",
        title="RabbitMQ and other Erlang loggers: `time [level] <process> message`",
        rank=85,
        pattern=rf"{ISO} \[(?P<level>debug|info|notice|warning|error|critical|alert|emergency)\] <"
        rf"(?P<process>[\d.]++)>"
        r" ?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123456+00:00 [info] <0.222.0> Server startup complete",
        scale=SYSLOG_WORDS,
        fields={"process": ("app.process", str)},
        time=iso_time,
        rule=TEXT,
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
    Layout(
        name="bluegene",
        title="Blue Gene RAS: label, epoch, date, node, time, node, type, component, level, message",
        rank=86,
        pattern=r"(?P<label>[A-Z0-9_\-]{1,40}+) (?P<epoch>\d{9,11}) \d{4}\.\d\d\.\d\d (?P<node>[\w:\-]++) "
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)-(?P<clock>\d\d\.\d\d\.\d\d)\.(?P<fraction>\d{1,9}+) "
        r"(?P<node2>[\w:\-]++) "
        r"(?P<type>[A-Z]++) (?P<component>[A-Z_]++) (?P<level>[A-Z]++)(?: (?P<body>.*))?",
        sample="- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 R02-M1-N0-C:J12-U11 RAS"
        " KERNEL INFO "
        "instruction cache parity error corrected",
        scale={**WORDS, "FAILURE": ERROR, "SEVERE": ERROR},
        fields={
            "epoch": ("app.epoch", int),
            "type": ("app.type", str),
            "component": _LOGGER,
        },
        resource={"node": "host.name"},
        time=parts_time,
        finish=_label,
    ),
    Layout(
        name="cluster_events",
        title="Event log of clusters: number, node, component, state, epoch, flag, message",
        rank=86,
        pattern=r"(?P<id>\d{1,10}+) (?P<node>[A-Za-z][\w.\-\[\]]*+) (?P<component>[A-Za-z][\w.]*+) "
        r"(?P<state>[\w.\-]++) (?P<epoch>1?\d{9}) (?P<flag>-?\d) (?P<body>.*)",
        sample="134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change: Component",
        scale={},
        fields={
            "id": ("app.id", int),
            "component": _LOGGER,
            "state": ("app.state", str),
            "flag": ("app.flag", int),
        },
        resource={"node": "host.name"},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0)),
    ),
    Layout(
        name="cluster_syslog",
        title="Syslog of supercomputers: label, epoch, date, node, syslog line",
        rank=86,
        pattern=r"(?P<label>[A-Z0-9_\-]{1,40}+) (?P<epoch>\d{9,11}) \d{4}\.\d\d\.\d\d (?P<node>\S++) "
        r"(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) (?P<place>\S++) "
        r"(?:(?P<tag>[^\s:\[\]]{1,128}+(?: [A-Z][^\s:\[\]]{1,60}+)?)(?:\[(?P<pid>\d{1,10}+)\])?: )?(?P<body>.*)",
        sample="- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed for"
        " user root",
        scale={},
        fields={"epoch": ("app.epoch", int), "place": ("app.place", str), "tag": ("syslog.appname", str), "pid": _PID},
        resource={"node": "host.name"},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0)),
        finish=_label,
    ),
)


def _leef(record: Record, found: Mapping[str, str | None]) -> bool:
    """Pairs behind a tab or the delimiter that the header names; a severity from 1 to 10."""
    named = found["delimiter"] or ""
    is_code = len(named) > 1
    delimiter = chr(int(named.lstrip("0").lstrip("x"), 16)) if is_code and named.strip("0x") else named or "\t"
    record.body = found["class"]
    pairs = (found["extension"] or "").split(delimiter)
    keys: set[str] = set()
    for pair in pairs[:MOST_PAIRS]:
        key, equals, value = pair.partition("=")
        if not equals or not key or key in keys:
            continue
        keys.add(key)
        if key == "sev" and value.isascii() and value.isdigit() and len(value) < 3:
            _step(record, value)
        name, kind = _LEEF_TARGETS.get(key, (OWN_PREFIX + key, str))
        if kind is int and not (value.isascii() and value.isdigit() and len(value) < 6):
            name, kind = OWN_PREFIX + key, str
        record.attributes.setdefault(name, kind(value))
    if len(keys) < len(list(filter(None, pairs))):
        _keep(record, found["extension"] or "")
    return True


def _step(record: Record, text: str) -> None:
    step = int(text)
    record.severity_text = text
    record.severity_number = INFO if step <= 3 else WARN if step <= 6 else ERROR if step <= 8 else CRIT


def _logcat(record: Record, level: str | None) -> bool:
    if level is not None:
        record.severity_text, record.severity_number = level, _LOGCAT_SCALE[level]
    return True


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
