"""Programs and libraries written in Python whose layouts are their own: tornado and Jupyter, Ray, TensorFlow, PyTorch,
vLLM, Home Assistant, Odoo, Salt, Synapse, Prefect, Locust, dbt, Ansible, AWS Lambda.
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats.access import put_request
from adapter_logformat.grammar import CLOCK, HMS, ISO, Field, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, WARN
from adapter_logformat.severity import PYTHON as SCALE
from adapter_logformat.timestamps import Times

_LEVEL: Final = r"(?P<level>NOTSET|TRACE|DEBUG|INFO|SUCCESS|WARNING|WARN|ERROR|CRITICAL|FATAL)"
_LETTERS: Final = {"D": DEBUG, "I": INFO, "W": WARN, "E": ERROR, "C": FATAL, "F": FATAL}
_NAME: Final = r"(?P<logger>[A-Za-z_][\w.\-]*+)"
_PY: Final = r"(?P<file>[\w./\-]{1,200}+(?<=\.py)):(?P<line>\d{1,9}+)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_PID: Final[Field] = ("process.pid", int)
_TID: Final[Field] = ("thread.id", int)
_THREAD: Final[Field] = ("thread.name", str)
_PLACE: Final = {"file": _FILE, "line": _LINE}
_SERVED: Final = re.compile(
    r"(?P<status>\d{3}) (?P<method>[A-Z]{3,10}) (?P<target>\S{1,4000}+) \((?:(?P<user>[^@()\s]{1,100}+)@)?"
    r"(?P<client>[\da-fA-F.:]++)\) "
    r"(?P<took>\d{1,9}(?:\.\d{1,6})?)ms",
    re.ASCII,
)


def _tornado(record: Record) -> bool:
    """A served request: status, method, path, client and milliseconds."""
    served = _SERVED.fullmatch(record.body or "")
    if served is not None:
        attributes = record.attributes
        attributes["http.response.status_code"] = int(served["status"])
        attributes["client.address"] = served["client"]
        attributes["http.server.request.duration"] = float(served["took"]) / 1000
        if served["user"] is not None:
            attributes["user.name"] = served["user"]
        record.body = f"{served['method']} {served['target']}"
        put_request(record.body, attributes)
    return True


def _tornado_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    if found["second"]:
        return iso_time(times, found)
    if found["month"]:
        return times.parts(found["year"], found["month"], found["day"] or "", found["clock"] or "", found["part"])
    return times.clock(found["clock"] or "", found["part"])


LAYOUTS: Final = (
    Layout(
        name="tornado",
        title="tornado, Jupyter, Optuna: `[I 261120 08:51:00 module:line] message`, `[I 08:51:00.123 NotebookApp] …`",
        rank=86,
        pattern=rf"\[(?P<level>[DIWECF]) (?:{ISO}|(?:(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d) )?"
        rf"(?P<clock>\d\d:\d\d:\d\d)"
        r"(?:\.(?P<part>\d{1,9}+))?)(?: (?P<logger>[\w.\-]++)(?: (?P<module>[\w.]++))?(?::(?P<line>\d{1,9}+))?)?\] "
        r"(?P<body>.*)",
        sample="[I 261120 08:51:00 web:2239] 200 GET /items?id=7 (192.0.2.1) 0.50ms",
        scale=_LETTERS,
        fields={"logger": _LOGGER, "module": ("app.module", str), "line": _LINE},
        time=_tornado_time,
        rule=TEXT,
        finish=lambda record, found: _tornado(record),
    ),
    Layout(
        name="ray",
        title="Ray: `time LEVEL file.py:line -- message`, and `[time I pid tid] (process) file.cc:line: message`",
        rank=86,
        pattern=rf"(?:{ISO}\t{_LEVEL} {_PY} -- |\[(?P<second2>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d),"
        rf"(?P<fraction2>\d{{1,9}}+) "
        r"(?P<letter>[DIWECF]) (?P<pid>\d{1,10}+) (?P<tid>\d{1,10}+)\] (?:\((?P<process>[\w ]{1,60}+)\) )?"
        r"(?P<file2>[\w./\-]{1,200}+):(?P<line2>\d{1,9}+): )(?P<body>.*)",
        sample="2026-11-20 08:51:00,123\tINFO worker.py:1621 -- Started a local Ray instance.",
        scale=SCALE,
        fields={
            **_PLACE,
            "pid": _PID,
            "tid": _TID,
            "process": ("process.executable.name", str),
            "file2": _FILE,
            "line2": _LINE,
        },
        time=lambda times, found: times.iso(
            found["second"] or found["second2"] or "", found["fraction"] or found["fraction2"], found["zone"]
        ),
        rule=TEXT,
        finish=lambda record, found: _letter(record, found["letter"]),
    ),
    Layout(
        name="tensorflow",
        title="TensorFlow and others of Google: `time: I file.cc:line] message`",
        rank=86,
        pattern=rf"{ISO}: (?P<level>[IWEF]) (?P<file>[\w./\-]{{1,300}}+):(?P<line>\d{{1,9}}+)\] (?P<body>.*)",
        sample="2026-11-20 08:51:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:142] This binary is "
        "optimized",
        scale=_LETTERS,
        fields=_PLACE,
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="pytorch",
        title="PyTorch: `[W1120 08:51:00.123456789 file.cpp:line] message`",
        rank=86,
        pattern=rf"\[(?P<level>[IWEF])(?:(?P<month>\d\d)(?P<day>\d\d) {HMS})? (?:(?P<pid>\d{{1,10}}+) )?"
        r"(?P<file>[\w./\-]{1,300}+(?:(?<=\.cpp)|(?<=\.(?:cc|py|cu))|(?<=\.h))):(?P<line>\d{1,9}+)\] (?P<body>.*)",
        sample="[W1120 08:51:00.123456789 socket.cpp:464] [c10d] The client socket cannot be initialized",
        scale=_LETTERS,
        fields={"pid": _PID, **_PLACE},
        time=lambda times, found: parts_time(times, {**found, "year": None}) if found["month"] else None,
        rule=TEXT,
    ),
    Layout(
        name="vllm",
        title="vLLM: `LEVEL 11-20 08:51:00 [file.py:line] message`",
        rank=84,
        pattern=rf"(?:\((?P<process>\w{{1,60}}+) pid=(?P<pid>\d{{1,10}}+)\) )?{_LEVEL} (?P<month>\d\d)-"
        rf"(?P<day>\d\d) {HMS} "
        rf"\[?{_PY}\] (?P<body>.*)",
        sample="INFO 11-20 08:51:00 [api_server.py:1234] starting",
        scale=SCALE,
        fields={"process": ("process.executable.name", str), "pid": _PID, **_PLACE},
        time=lambda times, found: parts_time(times, {**found, "year": None}),
        rule=TEXT,
    ),
    Layout(
        name="home_assistant",
        title="Home Assistant: `time LEVEL (thread) [logger] message`",
        rank=85,
        pattern=rf"{ISO} {_LEVEL} \((?P<thread>(?!\d++\))[^)\n]++)\) \[(?P<logger>[A-Za-z_][\w.]*+)\] (?P<body>.*)",
        sample="2026-11-20 08:51:00.123 ERROR (MainThread) [homeassistant.core] Error doing job",
        scale=SCALE,
        fields={"thread": _THREAD, "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="odoo",
        title="Odoo: `time pid LEVEL database logger: message`",
        rank=82,
        pattern=rf"{ISO} (?P<pid>\d{{1,10}}+) {_LEVEL} (?P<database>[\w\-]{{1,100}}+|\?) "
        rf"(?P<logger>(?:odoo|openerp|py\.warnings|urllib3|werkzeug)(?![\w\-])[\w.]*+): (?P<body>.*)",
        sample="2026-11-20 08:51:00,123 12 INFO shop odoo.modules.loading: loading 1 modules...",
        scale=SCALE,
        fields={"pid": _PID, "database": ("db.namespace", str), "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({"?"}),
    ),
    Layout(
        name="salt",
        title="Salt: `time [logger:line][LEVEL][pid] message`; Pyramid: `time LEVEL [logger:line][thread] message`",
        rank=85,
        pattern=rf"{ISO} (?P<before>{_LEVEL} {{1,2}})?\[(?P<logger>[A-Za-z_][\w.]*+) {{0,40}}:"
        rf"(?P<line>\d{{1,9}}+) {{0,9}}\]"
        r"(?(before)|\[(?P<level2>[A-Z]{4,8}) {0,8}\])\[(?:(?P<pid>\d{1,10}+)|(?P<thread>[^\]\n]++))\] (?P<body>.*)",
        sample="2026-11-20 08:51:00,123 [salt.minion      :1234][INFO    ][12345] started",
        scale=SCALE,
        fields={"logger": _LOGGER, "line": _LINE, "pid": _PID, "thread": _THREAD},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: _word(record, found["level2"]),
    ),
    Layout(
        name="synapse",
        title="Synapse: `time - logger - line - LEVEL - request - message`",
        rank=84,
        pattern=rf"{ISO} - (?=synapse\b|twisted\b){_NAME} - (?P<line>\d{{1,9}}+) - {_LEVEL} - "
        r"(?P<request>[^\s]{0,200}+) ?- (?P<body>.*)",
        sample="2026-11-20 08:51:00,123 - synapse.app.homeserver - 123 - INFO - main - started",
        scale=SCALE,
        fields={"logger": _LOGGER, "line": _LINE, "request": ("app.context", str)},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({""}),
    ),
    Layout(
        name="prefect",
        title="Prefect: `08:51:00.123 | LEVEL   | logger - message`",
        rank=84,
        pattern=rf"{CLOCK} \| {_LEVEL} {{0,8}}\| "
        r"(?P<logger>(?=prefect|\w*+\.)[A-Za-z_][\w.\-]*+|(?:Flow|Task) run '[^'\n]*+') - (?P<body>.*)",
        sample="08:51:00.123 | INFO    | prefect.engine - Created flow run",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=clock_time,
        rule=TEXT,
    ),
    Layout(
        name="locust",
        title="Locust: `[time] host/LEVEL/logger: message`",
        rank=84,
        pattern=rf"\[{ISO}\] (?P<host>[\w.\-]{{1,200}}+)/{_LEVEL}/{_NAME}: (?P<body>.*)",
        sample="[2026-11-20 08:51:00,123] host1/INFO/locust.main: Starting Locust",
        scale=SCALE,
        fields={"logger": _LOGGER},
        resource={"host": "host.name"},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="dbt",
        title="dbt: `08:51:00.123456 [info ] [thread]: message`",
        rank=84,
        pattern=rf"{CLOCK} \[(?P<level>debug|info|warn|error) ?\] \[(?P<thread>[^\]\n]++)\]: (?P<body>.*)",
        sample="08:51:00.123456 [info ] [MainThread]: Running with dbt=1.5",
        scale=SCALE,
        fields={"thread": _THREAD},
        time=clock_time,
        rule=TEXT,
    ),
    Layout(
        name="ansible",
        title="Ansible: `time p=pid u=user n=logger | message`",
        rank=84,
        pattern=rf"{ISO} p=(?P<pid>\d{{1,10}}+) u=(?P<user>\S{{1,100}}+)(?: n=(?P<logger>\S{{1,100}}+))?"
        rf"(?: {_LEVEL})? ?\| {{0,3}}(?P<body>.*)",
        sample="2026-11-20 08:51:00,123 p=12 u=root n=ansible | PLAY [all] ***",
        scale=SCALE,
        fields={"pid": _PID, "user": ("user.name", str), "logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="aws_lambda",
        title="AWS Lambda: Python's `[LEVEL] time request message` and Node's `time request LEVEL message`, between "
        "tabs",
        rank=86,
        pattern=r"(?:\[(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)\]\t(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\."
        r"(?P<fraction>\d{3})"
        r"(?P<zone>Z)\t(?P<request>[0-9a-f\-]{36}|)\t|(?P<second2>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\."
        r"(?P<fraction2>\d{3})Z\t"
        r"(?P<request2>[0-9a-f\-]{36}|undefined)\t(?P<level2>TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\t)(?P<body>.*)",
        sample="[INFO]\t2026-11-20T08:51:00.123Z\tc6af9ac6-7b61-11e6-9a41-93e8deadbeef\tadded",
        scale=SCALE,
        fields={"request": ("faas.invocation_id", str), "request2": ("faas.invocation_id", str)},
        time=lambda times, found: times.iso(
            found["second"] or found["second2"] or "", found["fraction"] or found["fraction2"], "Z"
        ),
        rule=TEXT,
        absent=frozenset({"", "undefined"}),
        finish=lambda record, found: _word(record, found["level2"]),
    ),
)


def _letter(record: Record, letter: str | None) -> bool:
    if letter is not None:
        record.severity_text, record.severity_number = letter, _LETTERS[letter]
    return True


def _word(record: Record, word: str | None) -> bool:
    if word is not None:
        record.severity_text, record.severity_number = word, SCALE.get(word)
    return True


FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
