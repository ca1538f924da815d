"""What VMware's hosts and their managers write in files of their own."""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import ISO, Layout, iso_time
from adapter_logformat.multiline import TEXT_MARKS, Rule
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.severity import ALERT, CRIT, DEBUG, ERROR, FATAL, INFO, NOTICE, PANIC, TRACE, WARN

_SCALE: Final = {
    "PANIC": PANIC, "ERROR": ERROR, "WARNING": WARN, "INFO": INFO, "VERBOSE": DEBUG, "TRIVIA": TRACE, "EM": FATAL,
    "AL": ALERT, "CR": CRIT, "ER": ERROR, "WA": WARN, "NO": NOTICE, "IN": INFO, "DB": DEBUG, "ALERT": ALERT,
}  # fmt: skip
_CONTEXT: Final = re.compile(r"(?<= )(\w{1,60}+)=([^\s\]]++)")
_RULE: Final = Rule(rf"--> ?.*|-->|{TEXT_MARKS}", joins_unknown=True, traces=True)


def _vmware(record: Record, found: Mapping[str, str | None]) -> bool:
    """`[Originator@6876 sub=Vpxd opID=4f]`: the component, and which operation it worked for."""
    for name, value in _CONTEXT.findall(found["context"] or ""):
        record.attributes["otel.scope.name" if name == "sub" else OWN_PREFIX + name] = value
    level = found["short"] or found["kernel_level"]
    if level is not None:
        record.severity_text, record.severity_number = level, _SCALE[level.upper()]
    return True


LAYOUTS: Final = (
    Layout(
        name="vmware",
        title="VMware's hosts and vCenter: `time level program[process] [Originator@6876 sub=… opID=…] message`",
        rank=86,
        pattern=rf"{ISO} "
        r"(?:(?P<level>trivia|verbose|info|warning|error|panic) (?P<program>[\w.\-]{1,60}+)\[(?P<thread>\d{1,10}+)\] "
        r"(?=\[Originator@)"
        r"|(?P<short>Em|Al|Cr|Er|Wa|No|In|Db)\((?P<priority>\d{1,3}+)\) (?P<program2>[\w.\-/]{1,60}+)"
        r"(?:\[(?P<pid>\d{1,10}+)\])?: {1,2}(?:cpu(?P<cpu2>\d{1,4}+):(?P<world2>\d{1,10}+)\))?"
        r"|cpu(?P<cpu>\d{1,4}+):(?P<world>\d{1,10}+)(?: opID=(?P<op>\w{1,60}+))?\)"
        r"(?:(?P<kernel_level>WARNING|ALERT): )?)"
        r"(?:\[Originator@\d{1,10}+(?P<context>[^\]]{0,1000}+)\] ?)?(?P<body>.*)",
        sample="2026-11-20T08:51:00.193Z info vpxd[45715] [Originator@6876 sub=vpxLro opID=7e5dcf4a] BEGIN lro-84",
        scale=_SCALE,
        fields={
            "program": ("app.program", str), "program2": ("app.program", str), "thread": ("thread.id", int),
            "pid": ("process.pid", int), "priority": ("app.priority", int), "cpu": ("app.cpu", int),
            "cpu2": ("app.cpu", int), "world": ("app.world", int), "world2": ("app.world", int),
            "op": ("app.opID", str),
        },
        time=iso_time,
        rule=_RULE,
        finish=_vmware,
    ),
)  # fmt: skip

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
