"""klog and glog: `Lmmdd hh:mm:ss.uuuuuu pid file:line] message`, the message plain or structured
(`"text" key="value"`).
"""

import re
from collections.abc import Mapping
from typing import Final

from adapter_logformat.formats import pairs
from adapter_logformat.grammar import HMS, Layout, parts_time
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import OWN_PREFIX, Record, Stamp
from adapter_logformat.severity import ERROR, FATAL, INFO, WARN
from adapter_logformat.timestamps import Times

_MESSAGE: Final = re.compile(r'"(?:[^"\\]++|\\.){0,9999}+"(?= [^\s="]++(?: [^\s="]++)?=|\Z)')
_VALUE: Final = r'("(?:[^"\\]++|\\.){0,9999}+"|[\[{]\S*+|[^\s"]*+)(?= |\Z)'
_PAIR: Final = re.compile(rf' ([^\s="]++)={_VALUE}')
_TWO_WORDS: Final = re.compile(rf' ([^\s="]++ [^\s="]++)={_VALUE}')
"""Such a key is sure only behind a quotation mark: else its first word may be the end of a value."""


def _structured(record: Record, found: Mapping[str, str | None]) -> bool:
    """Opens the structured form only where all of the rest is pairs."""
    text = record.body or ""
    message = _MESSAGE.match(text)
    if message is None:
        return True
    at = message.end()
    run: list[tuple[str, str]] = []
    while at < len(text):
        pair = _PAIR.match(text, at) or (_TWO_WORDS.match(text, at) if text[at - 1] == '"' else None)
        if pair is None or len(run) == pairs.MOST or not _is_balanced(pair[2]):
            return True
        run.append(("exception.message" if pair[1] == "err" else OWN_PREFIX + pair[1], pairs.plain(pair[2])))
        at = pair.end()
    told = pairs.distinct(run)
    if told is not None:
        record.body = pairs.plain(message[0])
        record.attributes.update(told)
    return True


def _is_balanced(value: str) -> bool:
    """A list or object that ends where the pair does."""
    return value[:1] not in ("[", "{") or all(value.count(a) == value.count(b) for a, b in ("[]", "{}"))


def _time(times: Times, found: Mapping[str, str | None]) -> Stamp | None:
    return times.epoch(int(found["epoch"]), found["micros"] or "") if found["epoch"] else parts_time(times, found)


LAYOUT: Final = Layout(
    name="klog",
    title="klog and glog (Kubernetes and its relatives)",
    rank=87,
    pattern=rf"(?P<level>[IWEF])(?:(?P<year>\d{{4}}(?=\d{{4}} ))?(?P<month>\d\d)(?P<day>\d\d) {HMS}"
    # Abseil before it is initialised
    r"|0000 00:00:(?P<epoch>\d{10})\.(?P<micros>\d{6})) {1,7}"
    rf"(?P<pid>\d{{1,10}}+)"
    r" (?P<file>[^\s:\]]++):(?P<line>\d{1,9}+)\] ?(?P<body>.*)",
    sample='I1120 08:51:00.123456       1 controller.go:116] "Starting controller" name="node"',
    scale={"I": INFO, "W": WARN, "E": ERROR, "F": FATAL},
    fields={"pid": ("process.pid", int), "file": ("code.file.path", str), "line": ("code.line.number", int)},
    time=_time,
    rule=TEXT,
    finish=_structured,
)

FORMATS: Final = (LAYOUT.format(),)
