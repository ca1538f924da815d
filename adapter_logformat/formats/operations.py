"""Logs of what watches servers, backs them up and carries their mail: Icinga, Nagios, Bacula, Exim."""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import HMS, ISO, YMD, Field, Layout, iso_time, parts_time
from adapter_logformat.multiline import LINES, TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import CRIT, DEBUG, ERROR, INFO, NOTICE, WARN

_LOGGER: Final[Field] = ("otel.scope.name", str)
_NAGIOS_STATE: Final = ("app.state", "app.state_type", "app.attempt")
_NAGIOS_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    **{f"{when} HOST STATE": ("host.name", *_NAGIOS_STATE) for when in ("CURRENT", "INITIAL")},
    **{f"{when} SERVICE STATE": ("host.name", "app.service", *_NAGIOS_STATE) for when in ("CURRENT", "INITIAL")},
    "HOST ALERT": ("host.name", *_NAGIOS_STATE), "SERVICE ALERT": ("host.name", "app.service", *_NAGIOS_STATE),
    "HOST NOTIFICATION": ("user.name", "host.name", "app.state", "app.command"),
    "SERVICE NOTIFICATION": ("user.name", "host.name", "app.service", "app.state", "app.command"),
    "PASSIVE HOST CHECK": ("host.name", "app.state"),
    "PASSIVE SERVICE CHECK": ("host.name", "app.service", "app.state"),
}  # fmt: skip
_EXIM_ADDRESS: Final = re.compile(r"(<=|=>|->|>>|\*>|\*\*|==) (\S++)")
_EXIM_HOST: Final = re.compile(r" H=[^\[]{0,300}+\[([0-9a-fA-F:.]{2,60}+)\](?::(\d{1,5}+))?")
LONGEST_HEAD: Final = 4096
"""Further in no host is looked for."""


def _nagios(record: Record, found: Mapping[str, str | None]) -> bool:
    names = _NAGIOS_FIELDS.get(found["type"] or "", ())
    values = (record.body or "").split(";", len(names)) if names else []
    if names and len(values) == len(names) + 1:  # the last is what the check said
        record.body = values.pop()
        for name, value in zip(names, values, strict=True):
            if name == "host.name":
                record.resource[name] = value
            else:
                record.attributes[name] = value
    return True


def _exim(record: Record, found: Mapping[str, str | None]) -> bool:
    text = record.body or ""
    if (address := _EXIM_ADDRESS.match(text)) is not None:
        record.attributes["app.flag"], record.attributes["app.address"] = address[1], address[2]
    if (host := _EXIM_HOST.search(text, 0, LONGEST_HEAD)) is not None:
        record.attributes["client.address"] = host[1]
        if host[2]:
            record.attributes["client.port"] = int(host[2])
    return True


LAYOUTS: Final = (
    Layout(
        name="icinga",
        title="Icinga 2: `[time] severity/facility: message`",
        rank=86,
        pattern=rf"\[{ISO}\] (?P<level>debug|notice|information|warning|critical)/"
        r"(?P<logger>\w{1,100}+): (?P<body>.*)",
        sample="[2026-11-20 08:51:00 +0100] information/Notification: Sending recovery notification for user 'on-call'",
        scale={"DEBUG": DEBUG, "NOTICE": NOTICE, "INFORMATION": INFO, "WARNING": WARN, "CRITICAL": CRIT},
        fields={"logger": _LOGGER},
        time=iso_time,
        rule=TEXT,
    ),
    Layout(
        name="nagios",
        title="Nagios and its relatives: `[epoch] TYPE: fields between semicolons`",
        rank=86,
        pattern=r"\[(?P<epoch>\d{9,11}+)\] (?:(?P<type>[A-Z]{4,20}+(?: [A-Z]{4,20}+){1,3}+)|(?P<level>Warning|Error)): "
        r"(?P<body>.*)",
        sample="[1795161060] SERVICE ALERT: web-1;HTTP;CRITICAL;SOFT;1;connection refused",
        scale={"WARNING": WARN, "ERROR": ERROR},
        fields={"type": ("app.type", str)},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0)),
        rule=LINES,
        finish=_nagios,
    ),
    Layout(
        name="bacula",
        title="Bacula and Bareos: `day-month time daemon JobId n: message`",
        rank=86,
        pattern=r"(?P<day>\d\d)-(?P<month>[A-Z][a-z]{2})(?:-(?P<year>\d{4}))? (?P<clock>\d\d:\d\d(?::\d\d)?) "
        r"(?P<logger>(?!(?:[A-Z]{4,8}|[Ee]rror|[Ww]arning) )[\w.\-]{1,100}+)"
        r"(?: JobId (?P<job>\d{1,10}+)|(?<=-dir)|(?<=-[fs]d)): (?P<body>.*)",
        sample='20-Nov 08:51 web-1-sd JobId 24: Labeled new Volume "Vol-0018"',
        scale={},
        fields={"logger": _LOGGER, "job": ("app.job_id", int)},
        time=parts_time,
        rule=LINES,
    ),
    Layout(
        name="exim",
        title="Exim's main log: `time id flag address fields`",
        rank=86,
        pattern=rf"{YMD} {HMS}(?: (?P<zone>[+-]\d{{4}}))?(?: \[(?P<pid>\d{{1,10}}+)\])? "
        r"(?P<id>[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})) (?P<body>.*)",
        sample="2026-11-20 08:51:00 1j1Z2g-00Faoy-Uh <= bob@example.com H=mail.example.com [192.0.2.7]:51792 P=esmtps",
        scale={},
        fields={"pid": ("process.pid", int), "id": ("app.message_id", str)},
        time=parts_time,
        rule=LINES,
        finish=_exim,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
