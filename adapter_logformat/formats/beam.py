"""Erlang and Elixir: Elixir's Logger, OTP's logger and lager (ejabberd, VerneMQ), CouchDB, EMQX. RabbitMQ is in
`brokers`.
"""

import re
from collections.abc import Sequence
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.grammar import CLOCK, HMS, ISO, Field, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import INDENTED, TEXT, Rule
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import ERROR, INFO, SYSLOG_WORDS

_LEVEL: Final = r"(?P<level>debug|info|notice|warn|warning|error|critical|alert|emergency|emerg)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_FUNCTION: Final[Field] = ("code.function.name", str)
_LINE: Final[Field] = ("code.line.number", int)
_PROCESS: Final[Field] = ("app.process", str)
_MEMBER: Final = re.compile(r"(?:\A|, )(?P<key>[a-z_]{1,40}): (?P<value>.*?)(?=, [a-z_]{1,40}: |\Z)", re.DOTALL)


def _emqx(record: Record) -> bool:
    """`msg: started, mfa: emqx:start/2, line: 12`: each a field of its own."""
    text = record.body or ""
    if len(text) > pairs.LONGEST:
        return True
    members = pairs.distinct((found["key"], found["value"]) for found in _MEMBER.finditer(text))
    if members is None or {"pid", "process"} <= members.keys():
        return True
    record.body = members.pop("msg", record.body)
    function = members.pop("mfa", None)
    if function is not None:
        record.attributes["code.function.name"] = function
    if members.get("line", "").isdecimal() and len(members["line"]) < 10:
        record.attributes["code.line.number"] = int(members.pop("line"))
    if "pid" in members:
        record.attributes["app.process"] = members.pop("pid").strip("<>")
    record.attributes.update({OWN_PREFIX + key: value for key, value in members.items()})
    return True


def _report(record: Record, first: str, lines: Sequence[str]) -> None:
    record.body = "\n".join(lines)


LAYOUTS: Final = (
    Layout(
        name="elixir",
        title="Elixir's Logger: `08:51:00.123 key=value [level] message`",
        rank=82,
        pattern=rf"{CLOCK} (?P<metadata>(?:[\w.]{{1,60}}+=\S{{0,200}}+ ){{0,16}}+)\[{_LEVEL}\] {{1,3}}(?P<body>.*)",
        sample="08:51:00.123 request_id=F7a [info] GET /items",
        scale=SYSLOG_WORDS,
        fields={"metadata": ("app.metadata", str)},
        time=clock_time,
        rule=TEXT,
        absent=frozenset({""}),
        finish=lambda record, found: pairs.put_metadata(record),
    ),
    Layout(
        name="erlang",
        title="OTP's logger and lager: `time [level] <process>@module:function:line message` (ejabberd)",
        rank=88,
        pattern=rf"{ISO} \[{_LEVEL}\] <(?P<process>\d{{1,9}}(?:\.\d{{1,9}}){{2}})>@(?P<logger>\w{{1,200}}+)"
        r"(?::(?P<function>[\w\-/]{1,200}+))?:(?P<line>\d{1,9}+):? (?P<body>.*)",
        sample="2026-11-20 08:51:00.123456+00:00 [info] <0.90.0>@ejabberd_app:start/2:62 ejabberd is started",
        scale=SYSLOG_WORDS,
        fields={"process": _PROCESS, "logger": _LOGGER, "function": _FUNCTION, "line": _LINE},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="couchdb",
        title="CouchDB: `[level] time node <process> request message`",
        rank=86,
        pattern=rf"\[{_LEVEL}\] {ISO} (?P<node>[\w.\-]{{1,200}}@[\w.\-]{{1,200}}+) (?P<process><\d{{1,9}}"
        rf"(?:\.\d{{1,9}}){{2}}>) "
        r"(?P<request>[\w\-]{8,40}+) (?P<body>.*)",
        sample="[info] 2026-11-20T08:51:00.123456Z nonode@nohost <0.9.0> -------- Apache CouchDB has started",
        scale=SYSLOG_WORDS,
        fields={"node": ("app.node", str), "process": _PROCESS, "request": ("app.request_id", str)},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({"--------"}),
    ),
    Layout(
        name="erlang_report",
        title="Erlang's reports of old: `=LEVEL REPORT==== time ===`, the message below",
        rank=86,
        pattern=r"=(?P<level>[A-Z]{4,12}) REPORT==== (?P<day>\d{1,2})-(?P<month>[A-Z][a-z]{2})-(?P<year>\d{4})::"
        rf"{HMS} ===(?P<body>)",
        sample="=INFO REPORT==== 20-Nov-2026::08:51:00.123456 ===",
        scale={**SYSLOG_WORDS, "CRASH": ERROR, "SUPERVISOR": INFO, "PROGRESS": INFO},
        fields={},
        time=parts_time,
        rule=Rule(INDENTED, joins_unknown=True, folds=True),
        fold=_report,
    ),
    Layout(
        name="emqx",
        title="EMQX: `time [level] msg: …, key: value`",
        rank=86,
        pattern=rf"{ISO} \[{_LEVEL}\] (?P<body>(?:(?!msg: )[a-z_]{{1,40}}+: [^,\n]{{1,200}}+, ){{0,8}}+msg: .*)",
        sample="2026-11-20T08:51:00.123456+00:00 [info] msg: started, mfa: emqx:start/2, line: 12",
        scale=SYSLOG_WORDS,
        fields={},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: _emqx(record),
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
