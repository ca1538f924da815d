"""Logs of supercomputers: Blue Gene's RAS events, event logs of clusters, and syslog with label, epoch and node in
front.
"""

from collections.abc import Mapping
from typing import Final

from adapter_logformat.grammar import Layout, parts_time
from adapter_logformat.record import Record
from adapter_logformat.severity import ERROR, WORDS


def _label(record: Record, found: Mapping[str, str | None]) -> bool:
    if found["label"] not in (None, "-"):
        record.attributes["app.label"] = found["label"]
    return True


LAYOUTS: Final = (
    Layout(
        name="bluegene",
        title="Blue Gene RAS: label, epoch, date, node, time, node, type, component, level, message",
        rank=86,
        pattern=r"(?P<label>[A-Z0-9_\-]{1,40}+) (?P<epoch>\d{9,11}) \d{4}\.\d\d\.\d\d (?P<node>[\w:\-]++) "
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)-(?P<clock>\d\d\.\d\d\.\d\d)\.(?P<fraction>\d{1,9}+) "
        r"(?P<node2>[\w:\-]++) "
        r"(?P<type>[A-Z]++) (?P<component>[A-Z_]++) (?P<level>[A-Z]++)(?: (?P<body>.*))?",
        sample="- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 R02-M1-N0-C:J12-U11 RAS"
        " KERNEL INFO "
        "instruction cache parity error corrected",
        scale={**WORDS, "FAILURE": ERROR, "SEVERE": ERROR},
        fields={
            "epoch": ("app.epoch", int),
            "type": ("app.type", str),
            "component": ("otel.scope.name", str),
        },
        resource={"node": "host.name"},
        time=parts_time,
        finish=_label,
    ),
    Layout(
        name="cluster_events",
        title="Event log of clusters: number, node, component, state, epoch, flag, message",
        rank=86,
        pattern=r"(?P<id>\d{1,10}+) (?P<node>[A-Za-z][\w.\-\[\]]*+|\d{1,10}+) (?P<component>[A-Za-z][\w.]*+) "
        r"(?P<state>[\w.\-]++) (?P<epoch>1?\d{9}) (?P<flag>-?\d) (?P<body>.*)",
        sample="134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change: Component",
        scale={},
        fields={
            "id": ("app.id", int),
            "component": ("otel.scope.name", str),
            "state": ("app.state", str),
            "flag": ("app.flag", int),
        },
        resource={"node": "host.name"},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0)),
    ),
    Layout(
        name="cluster_syslog",
        title="Syslog of supercomputers: label, epoch, date, node, syslog line",
        rank=86,
        pattern=r"(?P<label>[A-Z0-9_\-]{1,40}+) (?P<epoch>\d{9,11}) \d{4}\.\d\d\.\d\d (?P<node>\S++) "
        r"(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) (?P<place>\S++) "
        r"(?:(?P<tag>[^\s:\[\]]{1,128}+(?: [A-Z][^\s:\[\]]{1,60}+)?)(?:\[(?P<pid>\d{1,10}+)\])?: )?(?P<body>.*)",
        sample="- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed for"
        " user root",
        scale={},
        fields={
            "epoch": ("app.epoch", int),
            "place": ("app.place", str),
            "tag": ("syslog.appname", str),
            "pid": ("process.pid", int),
        },
        resource={"node": "host.name"},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0)),
        finish=_label,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
