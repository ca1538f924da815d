"""What runs in front of people: Android's logcat, Chromium, Swift's and Apple's loggers, Unreal Engine, Minecraft "
"and its
relatives; and ROS, spdlog and Passenger, which are native programs too.
"""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.grammar import CLOCK, HMS, ISO, Field, Layout, clock_time, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import DEBUG, ERROR, FATAL, INFO, JAVA, NOTICE, TRACE, WARN, WORDS

_LOGGER: Final[Field] = ("otel.scope.name", str)
_PID: Final[Field] = ("process.pid", int)
_TID: Final[Field] = ("thread.id", int)
_THREAD: Final[Field] = ("thread.name", str)
_FILE: Final[Field] = ("code.file.path", str)
_LINE: Final[Field] = ("code.line.number", int)
_LOGCAT: Final = {"V": TRACE, "D": DEBUG, "I": INFO, "W": WARN, "E": ERROR, "F": FATAL, "A": FATAL}
_JAVA_LEVEL: Final = r"(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL)"
_PASSENGER: Final = {"C": FATAL, "E": ERROR, "W": WARN, "N": NOTICE, "I": INFO, "D": DEBUG}
_UNREAL: Final = {
    "FATAL": FATAL, "ERROR": ERROR, "WARNING": WARN, "DISPLAY": INFO, "LOG": INFO, "VERBOSE": DEBUG,
    "VERYVERBOSE": TRACE,
}  # fmt: skip


def _second_level(record: Record, levels: Mapping[str, int], *words: str | None) -> bool:
    word = next(filter(None, words), None)
    if word is not None:
        record.severity_text, record.severity_number = word, levels[word]
    return True


def _swift(record: Record, found: Mapping[str, str | None]) -> bool:
    """Metadata stand before the module in brackets. With neither that nor a gap before the colon the line is any
    program's, and pairs in it are part of what it says."""
    return (found["gap"] == " " or found["module"] is not None) and pairs.put_metadata(record)


LAYOUTS: Final = (
    Layout(
        name="logcat",
        title="Android's logcat: `threadtime`, `time`, `brief`, and Android Studio's",
        rank=87,
        pattern=rf"(?:(?:(?P<year>\d{{4}})-)?(?P<month>\d\d)-(?P<day>\d\d) {HMS}(?: (?P<zone>[+-]\d{{4}}))? "
        r"(?: {0,6}(?P<pid>\d{1,7}+) {1,6}(?P<tid>\d{1,7}+) (?P<level>[VDIWEFA]) (?P<tag>[^:\n]{0,200}?) {0,30}: ?"
        r"|(?P<level2>[VDIWEFA])/(?P<tag2>[^(\n]{0,200}?) {0,30}\( {0,6}(?P<pid2>\d{1,7}+)\): ?"
        r"| ?(?P<pid3>\d{1,7}+)-(?P<tid3>\d{1,7}+)(?: {1,4}(?P<tag3>[^ \n]{1,200}+) {1,40}"
        r"(?P<app>[\w.:\-]{1,200}+) {1,40}"
        r"(?P<level3>[VDIWEFA]) {2}|/(?P<app2>[\w.:\-?]{1,200}+) (?P<level4>[VDIWEFA])/(?P<tag4>[^:\n]{0,200}?): ?))"
        r"|(?P<level5>[VDIWEFA])/(?P<tag5>[^(:\n]{1,200}?) {0,30}\( {0,6}(?P<pid5>\d{1,7}+)\): ?)(?P<body>.*)",
        sample="03-17 16:13:38.811  1702  2395 D WindowManager: printFreezingDisplayLogsopening app wtoken = AppWindow",
        scale=_LOGCAT,
        fields={
            **dict.fromkeys(("pid", "pid2", "pid3", "pid5"), _PID),
            **dict.fromkeys(("tid", "tid3"), _TID),
            **dict.fromkeys(("tag", "tag2", "tag3", "tag4", "tag5"), _LOGGER),
            **dict.fromkeys(("app", "app2"), ("app.package", str)),
        },
        time=lambda times, found: parts_time(times, found) if found["month"] else None,
        rule=LINES,
        absent=frozenset({"", "?"}),
        finish=lambda record, found: _second_level(
            record, _LOGCAT, found["level2"], found["level3"], found["level4"], found["level5"]
        ),
    ),
    Layout(
        name="chromium",
        title="Chromium and Electron: `[pid:tid:1120/085100.123456:LEVEL:file.cc(line)] message`",
        rank=86,
        pattern=r"\[(?:(?P<pid>\d{1,10}+):)?(?:(?P<tid>\d{1,18}+):)?(?P<month>\d\d)(?P<day>\d\d)/(?P<clock>\d{6})"
        r"(?:\.(?P<fraction>\d{1,9}+))?:(?P<level>INFO|WARNING|ERROR|FATAL|VERBOSE\d{1,2}):(?P<file>[^\s()\]]{1,300}?)"
        r"(?:\((?P<line>\d{1,9}+)\)|:(?P<line2>\d{1,9}+))\] (?P<body>.*)",
        sample="[1234:5678:1120/085100.123456:ERROR:ui/gl/display.cc(12)] eglInitialize failed",
        scale={**WORDS, **{f"VERBOSE{step}": TRACE for step in range(10)}},
        fields={"pid": _PID, "tid": _TID, "file": _FILE, "line": _LINE, "line2": _LINE},
        time=lambda times, found: parts_time(times, {**found, "year": None}),
        rule=TEXT,
    ),
    Layout(
        name="swift_log",
        title="Swift's log: `time level label : key=value [module] message`",
        rank=84,
        pattern=r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}+))?(?P<zone>Z|[+-]\d\d:?\d\d) "
        r"(?P<level>trace|debug|info|notice|warning|error|critical) (?P<logger>[\w.\-]{1,200}+)(?P<gap> ?):"
        r"(?P<metadata>(?: [\w.\-]{1,60}+=[^\s\[]{0,400}+){0,32}+)(?: \[(?P<module>\w{1,100}+)\])? (?P<body>.*)",
        sample="2026-11-20T08:51:00+0000 info com.example.App : order=7 [App] added",
        scale=WORDS,
        fields={"logger": _LOGGER, "metadata": ("app.metadata", str), "module": ("app.module", str)},
        time=iso_time,
        rule=TEXT,
        absent=frozenset({""}),
        finish=_swift,
    ),
    Layout(
        name="apple",
        title="NSLog and os_log: `time program[pid:thread] [category] message`",
        rank=84,
        pattern=rf"{ISO} (?P<program>[A-Za-z][\w.\- ]{{0,100}}?)\[(?P<pid>\d{{1,10}}+):"
        rf"(?P<tid>\d{{1,18}}+|[\da-f]{{3,16}}+)\] "
        r"(?:\[(?P<logger>[\w.\-:]{1,100}+)\] )?(?P<body>.*)",
        sample="2026-11-20 08:51:00.123456+0000 Shop[123:4567] [network] connected",
        scale={},
        fields={
            "program": ("process.executable.name", str),
            "pid": _PID,
            "tid": ("thread.id", lambda text: int(text) if text.isdecimal() else int(text, 16)),
            "logger": _LOGGER,
        },
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="unreal",
        title="Unreal Engine: `[2026.11.20-08.51.00:123][  0]LogCategory: Verbosity: message`",
        rank=86,
        pattern=r"\[(?P<year>\d{4})\.(?P<month>\d\d)\.(?P<day>\d\d)-(?P<clock>\d\d\.\d\d\.\d\d):"
        r"(?P<fraction>\d{3})\]\[ {0,3}(?P<frame>\d{1,9}+)\]"
        r"(?:(?P<logger>\w{1,100}+): )?(?:(?P<level>Fatal|Error|Warning|Display|Log|Verbose|VeryVerbose): )?"
        r"(?P<body>.*)",
        sample="[2026.11.20-08.51.00:123][  0]LogInit: Display: Running engine",
        scale=_UNREAL,
        fields={"frame": ("app.frame", int), "logger": _LOGGER},
        time=parts_time,
        rule=TEXT,
    ),
    Layout(
        name="minecraft",
        title="Minecraft servers: `[time] [thread/LEVEL]: message`, `[time LEVEL]: [plugin] message`",
        rank=86,
        pattern=rf"\[(?:(?P<day>\d\d)(?P<month>[A-Z][a-z]{{2}})(?P<year>\d{{4}}) )?{CLOCK}(?:\] "
        r"\[(?P<thread>[^\]\n/]{1,60}+(?:/(?![A-Z]{4,5}\])[^\]\n/]{1,60}+){0,4}+)"
        rf"/{_JAVA_LEVEL}\]| (?P<level2>TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\])(?: \["
        rf"(?P<logger>[^\]\n]{{1,200}}+)\])?: (?P<body>.*)",
        sample="[08:51:00] [Server thread/INFO]: Starting minecraft server version 1.20.4",
        scale=JAVA,
        fields={"thread": _THREAD, "logger": _LOGGER},
        time=lambda times, found: parts_time(times, found) if found["day"] else clock_time(times, found),
        rule=TEXT,
        finish=lambda record, found: _second_level(record, JAVA, found["level2"]),
    ),
    Layout(
        name="spdlog",
        title="spdlog and Boost: `[time] [logger] [level] [file:line] message`",
        rank=82,
        pattern=rf"\[{ISO}\] (?:\[(?:(?P<tid>0x[\da-f]{{1,16}})|(?P<logger>[A-Za-z_][\w.\-]{{0,100}}+))\] )?"
        r"\[(?P<level>trace|debug|info|warning|warn|error|err|critical|fatal)\] {1,5}"
        r"(?:\[(?P<file>[\w./\\\-]{1,200}+(?<=[a-z])):(?P<line>\d{1,9}+)\] )?(?P<body>.*)",
        sample="[2026-11-20 08:51:00.123] [shop] [info] [main.cpp:12] added",
        scale=WORDS,
        fields={"tid": ("thread.id", lambda text: int(text, 16)), "logger": _LOGGER, "file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="ros",
        title="ROS: `[LEVEL] [seconds.nanoseconds] [node]: message`",
        rank=84,
        pattern=r"(?:\[(?P<process>[\w.\-]{1,100}+)\] )?\[ ?(?P<level>DEBUG|INFO|WARN|ERROR|FATAL)\] \["
        r"(?P<epoch>1\d{9})\.(?P<fraction>\d{1,9}+)"
        r"(?:, \d{1,12}(?:\.\d{1,9})?)?\](?: \[(?P<logger>[\w./\-]{1,200}+)\])?: (?P<body>.*)",
        sample="[INFO] [1795161060.123456789] [talker]: publishing",
        scale=WORDS,
        fields={"process": ("app.process", str), "logger": _LOGGER},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0), found["fraction"] or ""),
        rule=TEXT,
    ),
    Layout(
        name="passenger",
        title="Phusion Passenger: `[ N time pid/thread file.cpp:line ]: message`",
        rank=86,
        pattern=rf"\[ (?P<level>[CEWNID]\d?) {ISO} (?P<pid>\d{{1,10}}+)/(?P<thread>\w{{1,20}}+) "
        r"(?P<file>[\w./\-]{1,200}+):(?P<line>\d{1,9}+) \]: (?P<body>.*)",
        sample="[ N 2026-11-20 08:51:00.1234 12/T1 age/Cor/CoreMain.cpp:1340 ]: Passenger core running",
        scale={**_PASSENGER, **{f"D{step}": DEBUG for step in range(2, 4)}},
        fields={"pid": _PID, "thread": _THREAD, "file": _FILE, "line": _LINE},
        time=iso_time,
        rule=TEXT,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
