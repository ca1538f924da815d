"""Rust: env_logger and its relatives (pretty_env_logger, fern, log4rs, flexi_logger, simplelog, slog-term), and the
text forms of tracing's subscriber.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.grammar import CLOCK, HMS, ISO, Field, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import TEXT, Rule
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import WORDS

_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR)"
_TARGET_NAME: Final = r"(?P<logger>[A-Za-z_]\w*+(?:::\w++)*+)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_SPANS: Final = re.compile(r"(?:[A-Za-z_][\w.\- ]{0,100}+(?:\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*+\")*+\})?:)++ ")
_TARGET: Final = re.compile(
    r"(?P<target>[A-Za-z_]\w*+(?:::\w++)*+):(?: (?P<file>[\w./\-]{1,200}?\.rs):(?P<line>\d{1,9}+):)? "
)


def _tracing(record: Record, found: Mapping[str, str | None]) -> bool:
    """`span{field=1}:other: crate::module: message`: the target is the last word before the message."""
    text, at = record.body or "", 0
    spans = _SPANS.match(text)
    if spans is not None and (_TARGET.match(text, spans.end()) is not None):
        record.attributes["app.spans"] = spans[0][:-2]
        at = spans.end()
    target = _TARGET.match(text, at)
    if target is not None:
        record.attributes["otel.scope.name"] = target["target"]
        if target["file"] is not None:
            record.attributes["code.file.path"] = target["file"]
            record.attributes["code.line.number"] = int(target["line"])
        record.body = text[target.end() :]
    # Without any of these it may be another language's logger as well.
    sure = target is not None and ("::" in target["target"] or target["file"] is not None or bool(found["aligned"]))
    if not sure and (spans is None or "{" not in spans[0]):
        return False
    return pairs.put(record)


def _pretty(record: Record, found: Mapping[str, str | None]) -> bool:
    """Behind the message stand `, key: value`; the places of event and spans are in the lines below."""
    _comma_pairs(record)
    return True


def _comma_pairs(record: Record) -> None:
    first, *rest = (record.body or "").split(", ", pairs.MOST + 1)
    found = [pair for text in rest if (pair := _COMMA_PAIR.fullmatch(text))]
    told = pairs.distinct((OWN_PREFIX + pair[1], pairs.plain(pair[2])) for pair in found)
    if told and len(found) == len(rest) <= pairs.MOST:
        record.body = first
        record.attributes.update(told)


def _second_level(record: Record, word: str | None) -> bool:
    if word is not None:
        record.severity_text, record.severity_number = word, WORDS[word]
    return True


def _below(record: Record, first: str, lines: Sequence[str]) -> None:
    spans = []
    for line in lines:
        place = _PLACE.fullmatch(line)
        if place is not None and "code.file.path" not in record.attributes:
            record.attributes |= {"code.file.path": place[1], "code.line.number": int(place[2])}
            if place[3]:
                record.attributes["thread.name"] = place[3]
        else:
            spans.append(line.strip())
    if spans:
        record.attributes["app.spans"] = "\n".join(spans)


_COMMA_PAIR: Final = re.compile(r"([A-Za-z_][\w.\-]{0,100}+): (.+)")
_PLACE: Final = re.compile(r"    at ([\w./\\:\-]{1,300}?\.rs):(\d{1,9})(?: on (.+))?")

LAYOUTS: Final = (
    Layout(
        name="rust_env_logger",
        title="Rust's env_logger",
        rank=84,
        # Without a time only padded as it pads, or with a path of modules.
        pattern=rf"\[(?:{ISO} |(?=(?:INFO |WARN ) [a-z_]|(?:TRACE|DEBUG|ERROR) \w++::))"
        rf"{_LEVEL} {{1,2}}(?P<logger>[\w:.\-]++)(?:\(\d{{1,9}}+\))?\] (?P<body>.*)",
        sample="[2026-11-20T08:51:00Z INFO  shop::cart] added",
        scale=WORDS,
        fields={"logger": ("otel.scope.name", str)},
        time=lambda times, found: iso_time(times, found) if found["second"] else None,
        rule=TEXT,
    ),
    Layout(
        name="rust_tracing",
        title="Rust's tracing, as tracing-subscriber prints it",
        rank=82,
        pattern=rf"(?P<second>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{{1,9}}+))?"
        # Microseconds and a level set to the right are how it writes each line, which then has a target.
        rf"(?P<zone>Z|[+-]\d\d:\d\d)(?P<aligned>(?<=\.\d{{6}}Z) (?: (?=INFO|WARN)|(?=TRACE|DEBUG|ERROR)))?+ {{0,2}}"
        rf"(?<= ){_LEVEL}"
        r" {1,2}(?:(?P<thread>[\w\-.]{1,64}+(?= ThreadId\(\d)) )?(?:(?P<id>ThreadId\(\d++\)) )?"
        r"(?=[^\[\-(| ])(?P<body>.*)",
        sample="2026-11-20T08:51:00.123456Z  INFO request{id=7}: shop::cart: added item=7",
        scale=WORDS,
        fields={"thread": ("thread.name", str), "id": ("app.thread_id", str)},
        time=iso_time,
        rule=TEXT,
        finish=_tracing,
    ),
    Layout(
        name="rust_tracing_pretty",
        title="Rust's tracing, its pretty form: places and spans in the lines below",
        rank=84,
        pattern=rf"  {ISO} {{1,2}}{_LEVEL} {_TARGET_NAME}: (?P<body>.*)",
        sample="  2026-11-20T08:51:00.123456Z  INFO shop::cart: added, item: 7",
        scale=WORDS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=Rule(r" {4}(?:at|in|with) .*", folds=True),
        finish=_pretty,
        fold=_below,
    ),
    Layout(
        name="rust_pretty_env_logger",
        title="Rust's pretty_env_logger: `LEVEL target > message`",
        rank=80,
        pattern=rf" ?(?:{ISO} )?{_LEVEL} {{1,2}}{_TARGET_NAME} {{1,40}}> (?P<body>.*)",
        sample=" INFO  shop::cart > added",
        scale=WORDS,
        fields={"logger": _LOGGER},
        time=lambda times, found: iso_time(times, found) if found["second"] else None,
        rule=TEXT,
    ),
    Layout(
        name="rust_dashed",
        title="Rust's log4rs: `time LEVEL module::path - message`",
        rank=82,
        pattern=rf"{ISO} {_LEVEL} {{1,2}}(?P<logger>[A-Za-z_]\w*+(?:::\w++)++) - (?P<body>.*)",
        sample="2026-11-20T08:51:00.123456+00:00 INFO shop::cart - added",
        scale=WORDS,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="rust_boxed",
        title="Rust's simple_logger, flexi_logger and fern: level and `[module]`, also `[date][time][module][LEVEL]`",
        rank=82,
        pattern=rf"(?:\[?{ISO}\]? \[?{_LEVEL}\]? {{1,2}}\[(?P<logger>[A-Za-z_]\w*+(?:::\w++)++)\]"
        r"|\[(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\]\[(?P<clock>\d\d:\d\d:\d\d)\]"
        r"\[(?P<logger2>[A-Za-z_]\w*+(?:::\w++)*+)\]\[(?P<level2>TRACE|DEBUG|INFO|WARN|ERROR)\]) "
        r"(?:(?P<file>[\w./\\\-]{1,200}?\.rs):(?P<line>\d{1,9}+): )?(?P<body>.*)",
        sample="[2026-11-20 08:51:00.123456 +00:00] INFO [shop::cart] src/main.rs:12: added",
        scale=WORDS,
        fields={"logger": _LOGGER, "logger2": _LOGGER, "file": _FILE, "line": _LINE},
        time=lambda times, found: iso_time(times, found) if found["second"] else parts_time(times, found),
        rule=TEXT,
        finish=lambda record, found: _second_level(record, found["level2"]),
    ),
    Layout(
        name="rust_simplelog",
        title="Rust's simplelog: `time [LEVEL] (thread) module::path: [file:line] message`",
        rank=82,
        pattern=rf"{CLOCK} \[{_LEVEL}\] (?:\((?P<thread>[\w\-]{{1,60}}+)\) )?(?P<logger>[A-Za-z_]\w*+(?:::\w++)++): "
        r"(?:\[(?P<file>[\w./\\\-]{1,200}?\.rs):(?P<line>\d{1,9}+)\] )?(?P<body>.*)",
        sample="08:51:00 [INFO] (1) shop::cart: [src/main.rs:12] added",
        scale=WORDS,
        fields={"thread": ("thread.name", str), "logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=clock_time,
        rule=TEXT,
    ),
    Layout(
        name="rust_slog",
        title="Rust's slog-term: `Nov 20 08:51:00.123 INFO message, key: value`",
        rank=80,
        pattern=rf"(?P<month>[A-Z][a-z]{{2}}) (?P<day>\d\d) {HMS} (?P<level>TRCE|DEBG|INFO|WARN|ERRO|CRIT) "
        r"(?P<body>.*)",
        sample="Nov 20 08:51:00.123 INFO added, item: 7",
        scale={**WORDS, "TRCE": WORDS["TRACE"], "DEBG": WORDS["DEBUG"], "ERRO": WORDS["ERROR"]},
        fields={},
        time=lambda times, found: parts_time(times, {**found, "year": None}),
        rule=TEXT,
        finish=_pretty,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
