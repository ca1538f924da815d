"""Ruby: the standard Logger, Rails' request block (Started … Processing … Completed), Sidekiq, Puma."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.formats.access import put_request
from adapter_logformat.grammar import ISO, Layout, iso_time
from adapter_logformat.multiline import TEXT, Rule
from adapter_logformat.record import Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, WARN, WORDS, of_status
from adapter_logformat.timestamps import Times

_TAGS: Final = r"(?:\[[^\]\s]{1,100}+\] ){0,4}+"
_COMPLETED: Final = re.compile(
    rf"{_TAGS}Completed (?P<status>\d{{3}}) .{{0,60}}? in (?P<took>\d{{1,12}}+(?:\.\d{{1,9}}+)?)ms.*"
)
_PROCESSING: Final = re.compile(rf"{_TAGS}Processing by (?P<handler>[\w:]++#[\w?!]++) as .*")
_RAISED: Final = re.compile(rf"{_TAGS}(?P<type>[A-Z]\w*+(?:::\w++)*+) \((?P<message>.*)\):")


def _lograge(record: Record) -> bool:
    """A message of nothing but the pairs of a request."""
    if record.body is not None and record.body.startswith("method="):
        from adapter_logformat.formats import logfmt  # only lograge needs it

        told = logfmt.read(record.body, Times())
        if told is not None and "http.request.method" in told.attributes:
            _join(record, told)
    return True


def _join(record: Record, told: Record) -> None:
    """A moment of which something has to be guessed, or another level, stays in the body with all pairs."""
    record.attributes.update(told.attributes)
    record.resource.update(told.resource)
    record.trace_id, record.span_id, record.trace_flags = told.trace_id, told.span_id, told.trace_flags
    is_sure = told.timestamp is None or not told.timestamp.assumed
    if told.timestamp is not None and is_sure:
        record.timestamp = told.timestamp
    if is_sure and told.severity_text in (None, record.severity_text):
        record.body = told.body


def _request(record: Record, first: str, lines: Sequence[str]) -> None:
    """Status, duration and handler from the lines below; an error's trace goes to `exception.*`."""
    attributes = record.attributes
    record.body = first
    for at, line in enumerate(lines):
        if (completed := _COMPLETED.fullmatch(line)) is not None:
            attributes["http.response.status_code"] = int(completed["status"])
            attributes["http.server.request.duration"] = float(completed["took"]) / 1000
            record.severity_number = of_status(int(completed["status"]))
        elif (handler := _PROCESSING.fullmatch(line)) is not None:
            attributes["code.function.name"] = handler["handler"]
        elif (raised := _RAISED.fullmatch(line)) is not None:
            attributes["exception.type"], attributes["exception.message"] = raised["type"], raised["message"]
            record.severity_number = ERROR
            frames = [frame for frame in lines[at + 1 :] if frame]
            if frames:
                attributes["exception.stacktrace"] = "\n".join(frames)
            lines = lines[: at + 1]
            break
    if lines:
        record.body = "\n".join([first, *lines])


def _started(record: Record, found: Mapping[str, str | None]) -> bool:
    put_request(f"{found['method']} {found['target']}", record.attributes)
    return True


LAYOUTS: Final = (
    Layout(
        name="ruby_logger",
        title="Ruby's Logger, and Crystal's first",
        rank=84,
        pattern=rf"[DIWEFA], \[{ISO} #(?P<pid>\d{{1,10}}+)\] {{1,3}}(?P<level>DEBUG|INFO|WARN|ERROR|FATAL|ANY) -- "
        r"(?P<logger>[^:]{0,200}?): (?P<body>.*)",
        sample="I, [2026-11-20T08:51:00.123456 #1234]  INFO -- shop: started",
        scale={"DEBUG": DEBUG, "INFO": INFO, "WARN": WARN, "ERROR": ERROR, "FATAL": FATAL},
        fields={"pid": ("process.pid", int), "logger": ("otel.scope.name", str)},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({""}),
        finish=lambda record, found: _lograge(record),
    ),
    Layout(
        name="sidekiq",
        title="Sidekiq: `time pid=12 tid=abc class=Job jid=def LEVEL: message`, and before 6 `time 12 TID-abc … "
        "LEVEL: …`",
        rank=86,
        pattern=rf"{ISO} (?:pid=(?P<pid>\d{{1,10}}+) tid=(?P<tid>\w{{1,20}}+)(?P<context>"
        rf"(?: [\w.]{{1,60}}+=\S{{0,400}}+){{0,32}}+)"
        r"|(?P<pid2>\d{1,10}+) TID-(?P<tid2>\w{1,20}+)(?P<context2>(?: (?!"
        r"(?:DEBUG|INFO|WARN|ERROR|FATAL): )\S{1,200}+){0,8}+)) "
        r"(?P<level>DEBUG|INFO|WARN|ERROR|FATAL): (?P<body>.*)",
        sample="2026-11-20T08:51:00.123Z pid=12 tid=abc class=Job jid=def elapsed=0.1 INFO: done",
        scale=WORDS,
        fields={
            "pid": ("process.pid", int),
            "pid2": ("process.pid", int),
            "tid": ("app.tid", str),
            "tid2": ("app.tid", str),
            "context": ("app.context", str),
            "context2": ("app.context", str),
        },
        time=iso_time,
        rule=TEXT,
        absent=frozenset({""}),
        finish=lambda record, found: pairs.put_metadata(record, "app.context"),
    ),
    Layout(
        name="puma",
        title="Puma: `[pid] Puma …`, `[pid] - Worker …`, `[pid] * …`",
        rank=80,
        pattern=r"\[(?P<pid>\d{1,7}+)\] (?P<body>(?:Puma |- |\* |\+ |! ).*)",
        sample="[12] - Worker 0 (PID: 15) booted in 0.1s, phase: 0",
        scale={},
        fields={"pid": ("process.pid", int)},
        time=None,
    ),
    Layout(
        name="rails",
        title="Rails' request log: one record a request",
        rank=84,
        pattern=rf'{_TAGS}Started (?P<method>[A-Z]{{3,10}}) "(?P<target>[^"]*+)" for (?P<client>[^ ]++) at'
        rf" {ISO}(?P<body>)",
        sample='Started GET "/items/7?x=1" for 192.0.2.1 at 2026-11-20 08:51:00 +0100',
        scale=WORDS,
        fields={"client": ("client.address", str)},
        time=iso_time,
        rule=Rule(
            rf"[ \t].*|{_TAGS}(?:Processing by |Completed |Redirected to |Render(?:ed|ing) |Sent |Filter chain"
            rf" |Unpermitted |"
            r"\(?\d++\.\d++ms\)|(?!(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL) \()[A-Z]\w*+"
            r"(?:::\w++)*+ \(|[\w/.\-]++:\d++:in ).*",
            joins_unknown=True,
            folds=True,
        ),
        finish=_started,
        fold=_request,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
