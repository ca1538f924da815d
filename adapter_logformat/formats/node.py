"""Node's loggers as text: Nest, morgan, pino-pretty, winston's simple form, n8n. log4js is in `java`, whose layouts it
follows; JSON of all of them in `json_app`.
"""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.formats.access import put_request
from adapter_logformat.grammar import ISO, Field, Layout, iso_time
from adapter_logformat.multiline import TEXT, TEXT_MARKS, Rule
from adapter_logformat.record import Record, Stamp
from adapter_logformat.severity import WORDS, of_status
from adapter_logformat.timestamps import Times

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)
_NPM: Final = r"(?P<level>silly|trace|debug|verbose|http|info|notice|warn|warning|error|crit|alert|emerg)"
_METHOD: Final = r"(?P<method>GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND) (?P<target>\S++)"
_TOOK: Final = r"(?P<took>\d{1,12}+(?:\.\d{1,6}+)?) ms|- ms"


def _nest_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    """As the machine's locale writes it: month first with AM and PM, else whichever can be a month."""
    first, second = found["first"] or "", found["second_part"] or ""
    is_us = found["sign"] == "/" and int(first) <= 12 and (found["half"] is not None or int(second) > 12)
    month, day = (first, second) if is_us else (second, first)
    stamp = times.parts(found["year"], month, day, found["clock"] or "", None, None, found["half"])
    sure = found["half"] is not None or found["sign"] != "/" or int(first) > 12 or int(second) > 12
    if stamp is None or sure:
        return stamp
    return Stamp(stamp.text, ",".join(filter(None, ("month", stamp.assumed))))


def _morgan(record: Record, found: Mapping[str, str | None]) -> bool:
    attributes = record.attributes
    status = found["status"]
    if status is not None:
        attributes["http.response.status_code"] = int(status)
        record.severity_number = of_status(int(status))
    size = found["size"] or found["size2"]
    if size not in (None, "-"):
        attributes["http.response.body.size"] = int(size or 0)
    took = found["took"] or found["took2"]
    if took is not None:
        attributes["http.server.request.duration"] = float(took) / 1000
    record.body = f"{found['method']} {found['target']}" + (f" {found['protocol']}" if found["protocol"] else "")
    put_request(record.body, attributes)
    return True


def _pretty_time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    if found["second"]:
        return iso_time(times, found)
    if found["epoch"]:
        return times.epoch(int(found["epoch"]), unit_digits=3)
    return times.clock(found["clock"] or "", found["part"])


LAYOUTS: Final = (
    Layout(
        name="nest",
        title="Nest: `[Nest] pid  - 11/20/2026, 8:51:00 AM     LOG [context] message`",
        rank=86,
        pattern=r"\[(?P<app>[\w \-]{1,60}+)\] (?P<pid>\d{1,10}+) {1,4}- (?P<first>\d{1,2})(?P<sign>[/.])"
        r"(?P<second_part>\d{1,2})[/.]"
        r"(?P<year>\d{4}), (?P<clock>\d{1,2}:\d\d:\d\d)(?: (?P<half>[AP]M))? {1,12}"
        r"(?:(?P<level>LOG|ERROR|WARN|DEBUG|VERBOSE|FATAL) )?(?:\[(?P<logger>[^\]\n]{1,200}+)\] )?(?P<body>.*?)"
        r"(?: \+(?P<since>\d{1,9})ms)?",
        sample="[Nest] 123  - 11/20/2026, 8:51:00 AM     LOG [RouterExplorer] Mapped {/items, GET} route +2ms",
        scale=WORDS,
        fields={"pid": _PID, "logger": _LOGGER, "since": ("app.since_ms", int)},
        resource={"app": "service.name"},
        time=_nest_time,
        rule=TEXT,
        absent=frozenset({"Nest"}),
    ),
    Layout(
        name="morgan",
        title="morgan: dev, tiny and short",
        rank=80,
        pattern=rf"(?:(?P<client>[\da-fA-F.:]{{2,60}}+|-) (?P<user>\S{{1,200}}+) )?{_METHOD}(?: (?P<protocol>HTTP/\d"
        rf"(?:\.\d)?))? "
        rf"(?:(?P<status>\d{{3}})|-) (?:(?P<size>\d{{1,18}}+|-) - (?:{_TOOK})|"
        rf"(?:{_TOOK.replace('took', 'took2')}) - (?P<size2>\d{{1,18}}+|-))"
        r"(?P<body>)",
        sample="GET /items?id=7 200 5.123 ms - 12",
        scale={},
        fields={"client": ("client.address", str), "user": ("user.name", str)},
        time=None,
        absent=frozenset({"-"}),
        finish=_morgan,
    ),
    Layout(
        name="pino_pretty",
        title="pino-pretty: `[08:51:00.123] INFO (app/pid on host): message`",
        rank=86,
        pattern=rf"\[(?:{ISO}|(?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<part>\d{{1,9}}+))?|(?P<epoch>1\d{{12}}))\] "
        r"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL|USERLVL) {1,2}"
        r"\((?:(?P<app>[^/()\n]{1,100}+)/)?(?P<pid>\d{1,10}+)(?: on (?P<host>[^()\s]{1,255}+))?\): ?(?P<body>.*)",
        sample="[08:51:00.123] INFO (shop/657 on host1): listening",
        scale=WORDS,
        fields={"pid": _PID},
        resource={"app": "service.name", "host": "host.name"},
        time=_pretty_time,
        rule=TEXT,
    ),
    Layout(
        name="n8n",
        title="n8n and winston between bars: `time | level | message`",
        rank=84,
        pattern=rf"{ISO} \| {_NPM} {{1,8}}\| (?P<body>.*)",
        sample='2026-11-20T08:51:00.123Z | info     | Started {"file":"start.js"}',
        scale=WORDS,
        fields={},
        time=iso_time,
        rule=TEXT,
        finish=lambda record, found: pairs.put_object(record),
    ),
    Layout(
        name="winston_simple",
        title="winston's simple form: `level: message {fields}`",
        rank=2,
        pattern=r"(?P<level>silly|debug|verbose|http|info|warn|error): (?!\S{1,300}\[\d{1,10}\](?: |\n|\Z))"
        # A value alone is a setting's, not a message.
        r"(?!(?:true|false|null|none|yes|no|on|off|~|-?\d{1,20}(?:\.\d{1,20})?)(?!.))(?P<body>\S.*)",
        sample='info: listening {"port":8080}',
        scale=WORDS,
        fields={},
        time=None,
        rule=Rule(TEXT_MARKS, fast=True, traces=True),  # no header that any line may go on with
        finish=lambda record, found: pairs.put_object(record),
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
