"""Any line that begins like a log line: time, level, process, thread, logger and message of layouts nobody described.

It would rather leave a field out than guess it wrong: a word counts as a level only in a level's place, a number as a
process only between time and level or in brackets, a name as a logger only where nothing else can stand.
"""

import re
from typing import Final

from adapter_logformat.formats import generic_times, json_app, logfmt
from adapter_logformat.formats import header_words as words
from adapter_logformat.formats.generic_header import Header
from adapter_logformat.grammar import Format
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS
from adapter_logformat.timestamps import Times

NEAR: Final = 96
"""A time that begins further in belongs to the message."""
_BEFORE: Final = re.compile(r"[\s\[<({\"',|\-]*+")
_PAIRS: Final = re.compile(r"(?:level|lvl|severity|msg|message)=|[\w.\-]{1,60}+=\S.{0,200}? (?:level|lvl|msg)=")
_CLOSING: Final = ("]", ")", ">", "}", '"', "'")
_NO_HEADER: Final = re.compile(
    r"(?i:\b(?:at|on|in|since|from|until|till|to|by|of|for|after|before|between|and|the|is|was|took):?) ?[\"'(\[]?\Z"
    r"|<[A-Za-z/!?]|\s*\d++ *\||\A\s*(?:!!|/\*|//|---|\+\+\+|[<>] )|[;,]\s*\Z"
    r"|(?i:(?<!\bts)(?<!time)(?<!stamp)(?<!date))=\s*\Z|\w\([\"']?\Z"
)
"""Before a time: the middle of a sentence, a tag, the number of a table's row, a comment, the head of a difference, a
setting, a column, a call."""


def read(line: str, times: Times) -> Record | None:
    """A line with a time near its beginning, or at least a level as its first word; `None` for any other."""
    found = generic_times.find(line[:NEAR])
    record = None if found is None else _timed(line, found, times)
    return record if record is not None else _levelled(line, times)


def _levelled(line: str, times: Times) -> Record | None:
    """Without a time only what nobody writes into a sentence counts: a level in capitals or brackets."""
    boxes = words.BOXES_AND_LEVEL.match(line)
    if boxes is None and (words.LEVEL.match(line) is None or not (line[0] in "[<(" or line[1:2].isupper())):
        return None
    if words.NO_LEVEL.match(line) is not None:
        return None
    header = Header(line, Record("generic"))
    if boxes is None:
        header.level()
    header.rest()
    return _opened(header.record, times)


def _timed(line: str, found: generic_times.Found, times: Times) -> Record | None:
    before, at = line[: found.begin], found.end
    header = Header(line, record := Record("generic"))
    if not _is_header(before, header):
        return None
    kept = _kept(before if record.severity_text is None else before[header.at :])
    at += line[at : at + 1] in _CLOSING
    at += line[at : at + 1] == ":"
    # A router writes the time since it started like a clock.
    if found.is_bare and (kept or not line[at:].strip() or line.startswith(" %", at)):
        return None
    if kept:
        record.attributes["thread.name" if words.is_thread(kept) else "app.before"] = kept
    record.timestamp = found.stamp(times)
    if record.timestamp is None:
        return None
    header.at = at
    header.letter()
    header.rest()
    return _opened(record, times)


def _opened(record: Record, times: Times) -> Record:
    """A message that is one JSON object, or pairs where the header has no level, tells the rest of the fields."""
    text = record.body or ""
    inner = None
    if text[:1] == "{" and text[-1:] == "}":
        inner = json_app.read(text, times)
    elif record.severity_text is None and _PAIRS.match(text) is not None:
        inner = logfmt.read(text, times)
    if inner is None or inner.error:
        return record
    inner.format = record.format
    inner.timestamp = inner.timestamp or record.timestamp
    if inner.severity_text is None:
        inner.severity_text, inner.severity_number = record.severity_text, record.severity_number
    inner.attributes = {**record.attributes, **inner.attributes}
    inner.body = text if inner.body is None else inner.body
    return inner


def _is_header(before: str, header: Header) -> bool:
    """Before the time only a level, brackets, and a few words such as a host may stand; no sentence."""
    lead = _BEFORE.match(before)
    header.at = lead.end() if lead is not None else 0
    if header.at < len(before):
        header.at = header.at - 1 if header.at and before[header.at - 1] in "[<(" else header.at
        if header.level():
            before = before[header.at :]
    return len(before.split()) < 3 and ": " not in before and _NO_HEADER.search(before) is None


def _kept(before: str) -> str:
    """Words before the time that are no level: kept as they are."""
    text = before.strip(" \t[]<>(){}\"',|-:")
    return "" if text.upper() in WORDS else text


FORMATS: Final = (
    Format(
        name="generic",
        title="any other log with a time near the start: time, level, process, logger and message",
        rank=1,
        read=read,
        sample="20261120-8:51:0:606|Step_LSC|30002312|onStandStepChanged 3579",
        rule=TEXT,
        generic=True,
    ),
)
