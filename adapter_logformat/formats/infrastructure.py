"""What runs beside the apps: OpenStack's oslo.log, Windows' component servicing."""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import INFO, WORDS
from adapter_logformat.severity import PYTHON as PYTHON_SCALE

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)


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


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
