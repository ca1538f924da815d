"""Python's `logging`: the default `LEVEL:logger:message`, and the usual layouts with `asctime`, also
between colons or bars, and with the place in the code; tracebacks join their record.
"""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats.header_words import NOT_BEHIND
from adapter_logformat.grammar import CLOCK, ISO, Field, Format, Layout, iso_time, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.severity import PYTHON as SCALE

_LEVEL: Final = r"(?P<level>NOTSET|TRACE|DEBUG|INFO|SUCCESS|WARNING|WARN|ERROR|CRITICAL|FATAL)"
_NAME: Final = r"(?P<logger>[A-Za-z_][\w.\-]*+)"
_PY: Final = r"(?P<file>[\w./\-]{1,200}+(?<=\.py)):(?P<line>\d{1,9}+)"
_LOGGER: Final[Field] = ("otel.scope.name", str)
_PLACE: Final[Mapping[str, Field]] = {"file": ("code.file.path", str), "line": ("code.line.number", int)}

LAYOUTS: Final = (
    Layout(
        name="python_default",
        title="Python logging.basicConfig: `LEVEL:logger:message`",
        rank=40,
        pattern=rf"{_LEVEL}:(?P<logger>[A-Za-z_][\w.\-]*+):(?!//|\\)(?P<body>.*)",
        sample="WARNING:root:disk is nearly full",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=None,
        rule=TEXT,
    ),
    Layout(
        name="python_verbose",
        title="Django's verbose layout: `%(levelname)s %(asctime)s %(module)s %(process)d %(thread)d %(message)s`",
        rank=80,
        pattern=rf"{_LEVEL} {ISO} (?P<module>[A-Za-z_][\w.]*+) (?P<pid>\d{{1,10}}+) (?P<tid>\d{{1,20}}+) (?P<body>.*)",
        sample="WARNING 2026-11-20 08:51:00,123 views 1234 140123456789 Not Found: /favicon.ico",
        scale=SCALE,
        fields={"module": _LOGGER, "pid": ("process.pid", int), "tid": ("thread.id", int)},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="python_asctime",
        title="Python logging with asctime: `%(asctime)s - %(name)s - %(levelname)s - %(message)s`, Flask, gunicorn",
        rank=79,
        # A date with slashes and a bare level behind it are Go's.
        pattern=r"(?!\d{4}/\S{5} \S{1,20} [A-Z]{4,8} )"
        rf"\[?{ISO}\]?(?: - | )(?:\[(?P<pid>\d{{1,10}}+)\] )?"
        r"(?:(?:(?P<thread>MainThread|Thread-\d{1,9}+|ThreadPoolExecutor-\d{1,9}+_\d{1,9}+)|(?P<logger>[A-Za-z_][\w.\-]*+))"
        rf" (?:- )?(?=[\[A-Z]))?\[?{_LEVEL} {{0,8}}\]?"
        r"(?:(?: in (?P<module>\w++)| \[(?P<logger2>[A-Za-z_][\w.\-]*+)\]"
        # Any other single word before a colon is the message's own: `Result: 5`, `https://…`.
        rf"| (?P<logger3>root|__main__|[A-Za-z_][\w\-]*+(?:\.[\w\-]++)++){NOT_BEHIND}(?=:(?: |$)))?"
        r":(?!:) {0,4}| - | )"
        rf"(?:[\[(]?{_PY}(?::(?P<function>[A-Za-z_]\w*+))?[\])]?(?:: | - | {{1,8}}))?"
        # What is no message, but the header of another layout going on: the end of somebody else's bracket, a module of
        # Rust, a logger with its context or none, Spring's process, Solr's thread, a place in Rust, a category or
        # thread with the next field behind it, ZooKeeper's place.
        # Only a first word that is followed so may be one of those.
        r"(?! *+(?:(?=[^\s\[\]]++(?:\]| ++(?:\[|\(null|---)|(?<=:) ))(?:[^\s\[\]]++\] "
        r"|[\w$]++(?:\.[\w$]++)++ {1,80}\[[^\]\n]{0,200}+\] - |[\w.]++ \(null\) - |\d{1,10}+ --- \["
        r"|\w++: [\w./\-]{1,200}+(?<=\.rs):\d)|\([^)\n]{1,200}+\) \["
        r"|\[(?:\w++(?:::\w++)++\] |(?:root|__main__|\w++(?:\.\w++)++)(?::\d{1,9}+)?\] "
        r"|[\w.$\-]{1,200}+\] \((?![\w$]++\.java:)"
        r"|[^\]\n]{0,200}+\] {1,6}[A-Za-z_$][\w$]*+(?:\.[\w$]++)++(?::\d++)?(?:: | - | [\[(])"
        r"|[^\n]{1,400}?@\d{1,9}+\] - )))"
        r"(?P<body>.*)",
        # hclog and what is alike; Java's with thread and class; log4js and TiDB; Kafka.
        yields=r"\d{4}-\d\d-\d\d(?:T\S{8,18}(?:Z|[+\-]\d\d:?\d\d) \[?[A-Z]{4,5}\]? "
        r"|[T ]\S{8,18}+ (?:[A-Z]{4,5} (?: |\[|\()|\[[A-Z]{4,5}\] from |\S{1,100}+ [A-Z]{4,5} {1,6}"
        r"(?:\[|\S{1,100}+ \d++x)))"
        r"|\[\d{4}[\-/][^\]\n]{1,40}\] (?:\[[A-Z]{4,8}\] (?:\[|[\w.\-]{1,100}+ - )"
        r"|[A-Z]{4,8} {1,6}(?:[A-Z]\w{1,60}+ values: {0,2}(?!.)|.{0,9999}\([\w$]++(?:\.[\w$]++)++\)(?!.)))",
        sample="2026-11-20 08:51:00,123 - shop.cart - INFO - added",
        scale=SCALE,
        fields={
            "pid": ("process.pid", int),
            "logger": _LOGGER,
            "thread": ("thread.name", str),
            "logger2": _LOGGER,
            "logger3": _LOGGER,
            "module": ("app.module", str),
            **_PLACE,
            "function": ("code.function.name", str),
        },
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="python_colons",
        title="Python logging between colons: `time:LEVEL:logger:message` (certbot, Superset)",
        rank=82,
        pattern=rf"{ISO}:{_LEVEL}:{_NAME}:(?!//|\\) ?(?P<body>.*)",
        sample="2026-11-20 08:51:00,123:DEBUG:certbot._internal.main:certbot version: 1.0",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="python_bars",
        title="Python logging between bars: `time | LEVEL | logger | message` (fairseq)",
        rank=87,
        pattern=rf"{ISO} \| {_LEVEL} {{0,8}}\| {_NAME} {{0,40}}\| (?P<body>(?:[^|\n]++|(?<! )\||\|(?! ))*+)",
        sample="2026-11-20 08:51:00 | INFO | fairseq.trainer | begin training epoch 1",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="python_us",
        title="Transformers' examples: `11/20/2026 08:51:00 - LEVEL - logger -   message`",
        rank=80,
        pattern=rf"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{{4}}) {CLOCK} - {_LEVEL} - {_NAME} - {{1,3}}(?P<body>.*)",
        sample="11/20/2026 08:51:00 - INFO - __main__ -   training",
        scale=SCALE,
        fields={"logger": _LOGGER},
        time=parts_time,
        rule=TEXT,
    ),
)

FORMATS: Final[tuple[Format, ...]] = tuple(layout.format() for layout in LAYOUTS)
