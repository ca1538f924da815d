"""Python's servers and the loggers beside `logging`: uvicorn, werkzeug and http.server, Django, Celery, loguru,
Airflow, structlog's console. gunicorn's access log is a common one, its error log a `python_asctime`.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.formats.access import put_request
from adapter_logformat.grammar import CLOCK, ISO, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import PYTHON as SCALE
from adapter_logformat.severity import of_status

_LEVEL: Final = r"(?P<level>NOTSET|TRACE|DEBUG|INFO|SUCCESS|WARNING|WARN|ERROR|CRITICAL|FATAL)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_FUNCTION: Final[Field] = ("code.function.name", str)
_LINE: Final[Field] = ("code.line.number", int)
_UVICORN: Final = re.compile(
    r'(?P<client>[^ ]+):(?P<port>\d{1,5}) - "(?P<request>.*)" (?P<status>\d{3})(?: [\w \-\']*)?', re.ASCII
)
_DATE: Final = r"(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4})"
_STATUS: Final[Field] = ("http.response.status_code", int)


def _uvicorn(record: Record, found: Mapping[str, str | None]) -> bool:
    access = _UVICORN.fullmatch(record.body or "")
    if access is None:
        return True
    attributes = record.attributes
    attributes["client.address"], attributes["client.port"] = access["client"].strip("[]"), int(access["port"])
    put_request(access["request"], attributes)
    attributes["http.response.status_code"] = int(access["status"])
    record.body = access["request"]
    return True


def _access(record: Record, found: Mapping[str, str | None]) -> bool:
    put_request(record.body or "", record.attributes)
    record.severity_number = of_status(int(found["status"] or 0))
    return True


LAYOUTS: Final = (
    Layout(
        name="uvicorn",
        title="uvicorn: its own lines and the access lines in the same form",
        rank=84,
        pattern=rf"{_LEVEL}: {{2,5}}(?P<body>.*)",
        sample='INFO:     127.0.0.1:52345 - "GET /items/7?x=1 HTTP/1.1" 200 OK',
        scale=SCALE,
        fields={},
        time=None,
        rule=TEXT,
        finish=_uvicorn,
    ),
    Layout(
        name="werkzeug",
        title="werkzeug (Flask's server) and Python's http.server: common without a zone",
        rank=84,
        pattern=rf"(?P<client>[^ ]++) - (?P<user>[^ ]++) \[{_DATE} {CLOCK}\] "
        r'(?:"(?P<body>.*)" (?P<status>\d{3}) (?P<size>\d{1,18}+|-)|(?P<other>code \d{3}, .*))',
        sample='127.0.0.1 - - [20/Nov/2026 08:51:00] "GET /a?b=1 HTTP/1.1" 404 -',
        scale={},
        fields={
            "client": ("client.address", str),
            "user": ("user.name", str),
            "status": _STATUS,
            "size": ("http.response.body.size", int),
        },
        time=parts_time,
        absent=frozenset({"-"}),
        finish=lambda record, found: _access(record, found) if found["status"] else _other(record, found),
    ),
    Layout(
        name="django",
        title="Django's development server",
        rank=84,
        pattern=rf'\[{_DATE} {CLOCK}\] "(?P<body>.*)" (?P<status>\d{{3}}) (?P<size>\d{{1,18}}+|-)',
        sample='[20/Nov/2026 08:51:00] "GET /admin/ HTTP/1.1" 302 0',
        scale={},
        fields={"status": _STATUS, "size": ("http.response.body.size", int)},
        time=parts_time,
        absent=frozenset({"-"}),
        finish=_access,
    ),
    Layout(
        name="celery",
        title="Celery: `[time: LEVEL/process] message`",
        rank=84,
        pattern=rf"\[{ISO}: {_LEVEL}/(?P<process>[\w\-]++)\] (?:(?P<task>[\w.\-]++\[[0-9a-f\-]{{36}}\]): )?"
        rf"(?P<body>.*)",
        sample="[2026-11-20 08:51:00,123: INFO/MainProcess] Task shop.mail received",
        scale=SCALE,
        fields={"process": ("process.executable.name", str), "task": ("app.task", str)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="loguru",
        title="loguru's default",
        rank=84,
        pattern=rf"{ISO} \| {_LEVEL} {{0,8}} \| (?P<logger>[\w.<>\-]++):(?P<function>[\w<>]++):"
        rf"(?P<line>\d{{1,9}}+) [\-|] (?P<body>.*)",
        sample="2026-11-20 08:51:00.123 | INFO     | shop.cart:add:42 - added",
        scale=SCALE,
        fields={"logger": _LOGGER, "function": _FUNCTION, "line": _LINE},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="airflow",
        title="Airflow's task log",
        rank=84,
        pattern=rf"\[(?:{ISO}|(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d), (?P<clock>\d\d:\d\d:\d\d) "
        r"(?P<zone2>[A-Z]{3,4}|[+\-]\d\d:?\d\d))\] "
        rf"\{{(?P<file>[\w./\-]{{1,200}}?\.py):(?P<line>\d{{1,9}}+)\}} {_LEVEL} - (?P<body>.*)",
        sample="[2026-11-20T08:51:00.123+0000] {taskinstance.py:1158} INFO - Starting attempt 1 of 1",
        scale=SCALE,
        fields={"file": ("code.file.path", str), "line": _LINE},
        time=lambda times, found: (
            iso_time(times, found) if found["second"] else parts_time(times, {**found, "zone": found["zone2"]})
        ),
        rule=TEXT,
    ),
    Layout(
        name="structlog_console",
        title="structlog's console renderer",
        rank=80,
        pattern=rf"(?:{ISO}|(?P<date>\d{{4}}-\d\d-\d\d) (?P<minute>\d\d:\d\d)\.(?P<rest>\d\d)) "
        r"\[(?P<level>debug|info|warning|warn|error|critical|exception) {1,8}\] (?P<body>.*)",
        sample="2026-11-20T08:51:00.123456Z [info     ] order paid                     order=7",
        scale={**SCALE, "EXCEPTION": SCALE["ERROR"]},
        fields={},
        time=lambda times, found: (
            iso_time(times, found)
            if found["second"]
            else times.iso(f"{found['date']} {found['minute']}:{found['rest']}")
        ),
        rule=TEXT,
        finish=lambda record, found: _event(record),
    ),
)


def _other(record: Record, found: Mapping[str, str | None]) -> bool:
    record.body = found["other"]
    return True


_NAMED: Final = re.compile(r"(.{29} {1}) ?\[([A-Za-z_][\w.]*)\]")


def _event(record: Record) -> bool:
    """The event is padded to a column of its own; a logger in brackets and pairs follow it."""
    pairs.put(record)
    named = _NAMED.fullmatch(record.body or "")
    if named is not None:
        record.attributes["otel.scope.name"] = named[2]
        record.body = named[1].rstrip()
    return True


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
