"""What security devices and the audit daemon write: CEF, LEEF, and `type=… msg=audit(…)`, each a header and pairs.

No byte of the pairs is lost: where they are not all pairs of their own, the text is kept beside them.
"""

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final

from adapter_logformat.grammar import Field, Layout, is_number
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import CRIT, ERROR, INFO, WARN
from adapter_logformat.timestamps import Times

LONGEST_ESCAPED: Final = 1 << 16
"""A longer text keeps its escapes."""
MOST_PAIRS: Final = 512
MOST_AUDIT_PAIRS: Final = 256
LONGEST_EVENT: Final = 1 << 16
"""What stands further in is no pair of its own, nor the time."""

_CEF_KEY: Final = re.compile(r"(?:^| )([A-Za-z_][\w.\[\]\-]{0,100}+)=")
_CEF_ESCAPE: Final = re.compile(r"\\([\\|=nr])")
_CEF_TARGETS: Final[Mapping[str, Field]] = {
    "src": ("source.address", str), "dst": ("destination.address", str), "spt": ("source.port", int),
    "dpt": ("destination.port", int), "suser": ("user.name", str), "msg": ("app.msg", str),
    "shost": ("app.shost", str), "dhost": ("app.dhost", str), "request": ("url.original", str),
}  # fmt: skip
_CEF_WORDS: Final = {"LOW": INFO, "MEDIUM": WARN, "HIGH": ERROR, "VERY-HIGH": CRIT, "UNKNOWN": 0}
_LEEF_TARGETS: Final[Mapping[str, Field]] = {
    "src": ("source.address", str), "dst": ("destination.address", str), "srcPort": ("source.port", int),
    "dstPort": ("destination.port", int), "usrName": ("user.name", str), "url": ("url.original", str),
}  # fmt: skip
_MOMENT: Final = (
    r"(?:(?P<epoch>\d{13})|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<part>\d{1,9}))?"
    r"(?P<zone2>Z|[+-]\d\d:?\d\d)?|(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?"
    r"(?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?: (?P<zone>[A-Z]{3,4}|[+-]\d\d:?\d\d))?)"
)
_CEF_TIMES: Final = tuple(re.compile(rf"(?:^| ){key}={_MOMENT}(?= |$)", re.ASCII) for key in ("rt", "end", "start"))
"""Received by the device, else when what it reports ended or began."""
_LEEF_TIMES: Final = (re.compile(rf"(?:^|[^\w.\-])devTime={_MOMENT}(?!\w)", re.ASCII),)

_AUDIT_PAIR: Final = re.compile(r"(?<![\w\-])([\w\-]{1,60}+)=(?:\"([^\"]*+)\"|'([^']*+)'|([^\s']*+))")
_AUDIT_HEX: Final = re.compile(r"(?:[0-9A-F]{2})++")
_AUDIT_ENCODED: Final = frozenset({"exe", "comm", "proctitle", "cwd", "acct", "cmd", "name"})
"""What the daemon writes in hexadecimal digits where it holds blanks, quotes or controls."""
_AUDIT_TARGETS: Final[Mapping[str, Field]] = {
    "pid": ("process.pid", int), "ppid": ("process.parent_pid", int), "exe": ("process.executable.path", str),
    "cwd": ("process.working_directory", str), "acct": ("user.name", str), "proctitle": ("process.command_line", str),
}  # fmt: skip


def _cef(record: Record, found: Mapping[str, str | None]) -> bool:
    record.body = _cef_text(found["name"] or "")
    severity = found["severity"] or ""
    record.severity_text = severity or None
    if is_number(severity, 3):
        _step(record, severity)
    else:
        record.severity_number = _CEF_WORDS.get(severity.upper()) or None
    text = found["extension"] or ""
    header = frozenset(record.attributes)
    keys = list(islice(_CEF_KEY.finditer(text), MOST_PAIRS + 1))
    told: set[str] = set()
    for at, key in enumerate(keys[:MOST_PAIRS]):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        value = _cef_text(text[key.end() : end].strip())
        name, kind = _CEF_TARGETS.get(key[1], (OWN_PREFIX + key[1], str))
        if kind is int and not is_number(value, 5):
            name, kind = OWN_PREFIX + key[1], str
        if name not in header:
            told.add(key[1])
            record.attributes[name] = kind(value)
    if len(told) < len(keys) or text[: keys[0].start() if keys else len(text)].strip():
        _keep(record, text)
    return True


def _keep(record: Record, extension: str) -> None:
    """Not everything in it is a pair of its own: so it is kept as it is, too."""
    record.attributes["app.extra"] = [extension]


def _cef_text(text: str) -> str:
    return _CEF_ESCAPE.sub(_unescaped, text) if len(text) <= LONGEST_ESCAPED else text


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r"}.get(found[1], found[1])


def _leef(record: Record, found: Mapping[str, str | None]) -> bool:
    """Pairs behind a tab or the delimiter that the header names; a severity from 1 to 10."""
    named = found["delimiter"] or ""
    is_code = len(named) > 1
    delimiter = chr(int(named.lstrip("0").lstrip("x"), 16)) if is_code and named.strip("0x") else named or "\t"
    record.body = found["class"]
    pairs = (found["extension"] or "").split(delimiter)
    count = 0
    for pair in pairs[:MOST_PAIRS]:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            continue
        name, kind = _LEEF_TARGETS.get(key, (OWN_PREFIX + key, str))
        if kind is int and not is_number(value, 5):
            name, kind = OWN_PREFIX + key, str
        if name in record.attributes:
            continue
        count += 1
        record.attributes[name] = kind(value)
        if key == "sev" and is_number(value, 2):
            _step(record, value)
    if count < len(list(filter(None, pairs))):
        _keep(record, found["extension"] or "")
    return True


def _step(record: Record, text: str) -> None:
    step = int(text)
    record.severity_text = text
    record.severity_number = INFO if step <= 3 else WARN if step <= 6 else ERROR if step <= 8 else CRIT


def _time(patterns: tuple[re.Pattern[str], ...]) -> Callable[[Times, Mapping[str, str | None]], Stamp | None]:
    """The moment that the first of the patterns finds among the pairs."""

    def read(times: Times, header: Mapping[str, str | None]) -> Stamp | None:
        for pattern in patterns:
            found = pattern.search(header["extension"] or "", 0, LONGEST_EVENT)
            if found is not None:
                return _moment(times, found)
        return None

    return read


def _moment(times: Times, found: re.Match[str]) -> Stamp | None:
    if found["epoch"]:
        return times.epoch(int(found["epoch"]), unit_digits=3)
    if found["second"]:
        return times.iso(found["second"], found["part"], found["zone2"])
    return times.parts(found["year"], found["month"], found["day"], found["clock"], found["fraction"], found["zone"])


def _audit(record: Record, found: Mapping[str, str | None]) -> bool:
    """The event's own pairs and those that a program put into `msg='…'`, each under the app's prefix; of a name that
    comes twice the first one."""
    text = record.body or ""
    audit_pairs(record, found["type"] or "", text)
    return True


def audit_pairs(record: Record, kind: str, text: str) -> None:
    """Puts the pairs of an event into the attributes, a pair's own pairs too."""
    for at, pair in enumerate(_AUDIT_PAIR.finditer(text, 0, LONGEST_EVENT)):
        if at == MOST_AUDIT_PAIRS or pair.end() == LONGEST_EVENT:
            break
        key, inner = pair[1], pair[3]
        if inner is not None and key == "msg" and "=" in inner:
            audit_pairs(record, kind, inner)
            continue
        value = next(text for text in (*pair.groups()[1:], "") if text is not None)
        if (
            pair[4]
            and _AUDIT_HEX.fullmatch(value)
            and (key in _AUDIT_ENCODED or (kind == "EXECVE" and key[:1] == "a" and key[1:].isdigit()))
        ):
            value = bytes.fromhex(value).decode(errors="replace").rstrip("\0").replace("\0", " ")
        _audit_put(record, key, value)


def _audit_put(record: Record, key: str, value: str) -> None:
    name, kind = _AUDIT_TARGETS.get(key, (OWN_PREFIX + key, str))
    if kind is int and not is_number(value, 10):
        name, kind = OWN_PREFIX + key, str
    record.attributes.setdefault(name, kind(value))


LAYOUTS: Final = (
    Layout(
        name="cef",
        title="CEF, the Common Event Format of security devices",
        rank=90,
        pattern=r"CEF: ?(?P<version>\d{1,2})\|(?P<vendor>(?:[^|\\]++|\\.){0,999}+)\|(?P<product>"
        r"(?:[^|\\]++|\\.){0,999}+)"
        r"\|(?P<release>(?:[^|\\]++|\\.){0,999}+)\|(?P<class>(?:[^|\\]++|\\.){0,999}+)\|(?P<name>"
        r"(?:[^|\\]++|\\.){0,999}+)\|"
        r"(?P<severity>[^|]{0,20}+)"
        r"(?:\|(?P<extension>.*))?",
        sample="CEF:0|Security|threatmanager|1.0|100|worm successfully stopped|10|src=192.0.2.1 dst=192.0.2.2 spt=1232",
        scale={},
        fields={
            "vendor": ("app.device_vendor", _cef_text),
            "product": ("app.device_product", _cef_text),
            "release": ("app.device_version", _cef_text),
            "class": ("app.event_class", _cef_text),
        },
        time=_time(_CEF_TIMES),
        finish=_cef,
    ),
    Layout(
        name="leef",
        title="LEEF 1.0 and 2.0, the Log Event Extended Format of security devices",
        rank=90,
        pattern=r"LEEF: ?(?P<version>[12](?:\.\d)?)\|(?P<vendor>[^|]*+)\|(?P<product>[^|]*+)\|(?P<release>[^|]*+)\|"
        r"(?P<class>[^|]*+)\|(?:(?P<delimiter>0?x[0-9a-fA-F]{2,4}|[^\w\s|]?|\t)\|)?(?P<extension>.*)",
        sample="LEEF:2.0|Lancope|StealthWatch|1.0|41|^|src=192.0.2.1^dst=192.0.2.2^sev=5^usrName=bob",
        scale={},
        fields={
            "vendor": ("app.device_vendor", str),
            "product": ("app.device_product", str),
            "release": ("app.device_version", str),
            "class": ("app.event_class", str),
        },
        time=_time(_LEEF_TIMES),
        finish=lambda record, found: _leef(record, found),
    ),
    Layout(
        name="auditd",
        title="The Linux audit daemon: `type=… msg=audit(time:serial): …`",
        rank=86,
        pattern=r"(?:node=(?P<node>\S{1,255}+) )?type=(?P<type>[A-Z0-9_\[\]]{1,60}+) msg=audit\((?P<epoch>\d{9,11})\."
        r"(?P<fraction>\d{3}):(?P<serial>\d{1,18}+)\): {0,2}(?P<body>.*)",
        sample='type=SYSCALL msg=audit(1795161060.123:24287): arch=c000003e syscall=2 success=no pid=3538 comm="cat" '
        'exe="/bin/cat"',
        scale={},
        fields={"type": ("app.type", str), "serial": ("app.serial", int)},
        resource={"node": "host.name"},
        time=lambda times, found: times.epoch(int(found["epoch"] or 0), found["fraction"] or ""),
        finish=_audit,
    ),
)

FORMATS: Final = tuple(layout.format() for layout in LAYOUTS)
