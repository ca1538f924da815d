"""Any line that begins like a log line: time, level, process, thread, logger and message of layouts nobody described.

It would rather leave a field out than guess it wrong: a word counts as a level only in a level's place, a number as a
process only between time and level or in brackets, a name as a logger only where nothing else can stand.
"""

import re
from typing import Final

from adapter_logformat.formats import generic_times, json_app, logfmt
from adapter_logformat.formats import header_words as words
from adapter_logformat.grammar import Format, is_number
from adapter_logformat.multiline import TEXT
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS
from adapter_logformat.timestamps import Times

NEAR: Final = 96
"""A time that begins further in belongs to the message."""
_GAP: Final = re.compile(r"[\s,|]*+(?:- (?!- ))?[\s,|]*+")
_BEFORE: Final = re.compile(r"[\s\[<({\"',|\-]*+")
_ENDS: Final = re.compile(r"\s*+--? ")
_PAIRS: Final = re.compile(r"(?:level|lvl|severity|msg|message)=|[\w.\-]{1,60}+=\S.{0,200}? (?:level|lvl|msg)=")
_CLOSING: Final = ("]", ")", ">", "}", '"', "'")
_NO_HEADER: Final = re.compile(
    r"(?i:\b(?:at|on|in|since|from|until|till|to|by|of|for|after|before|between|and|the|is|was|took):?) ?[\"'(\[]?\Z"
    r"|<[A-Za-z/!?]|\s*\d++ *\||\A\s*(?:!!|/\*|//|---|\+\+\+|[<>] )|[;,]\s*\Z"
    r"|(?i:(?<!\bts)(?<!time)(?<!stamp)(?<!date))=\s*\Z|\w\([\"']?\Z"
)
"""Before a time: the middle of a sentence, a tag, the number of a table's row, a comment, the head of a difference, a
setting, a column, a call."""
MOST_TOKENS: Final = 8


class _Header:
    """Reads one header from left to right."""

    def __init__(self, line: str, record: Record) -> None:
        self.line = line
        self.record = record
        self.at = 0
        self._boxes: list[str] = []
        self._sure = (0, 0)
        self._numbers: list[int] = []
        self._named = False

    def rest(self) -> None:
        """Everything after the time, up to the message."""
        if self.line[self.at : self.at + 1] == "|" or self.line[self.at : self.at + 2] == " |":
            self._columns()
        else:
            self._sure = (self.at, 0)
            for _ in range(MOST_TOKENS):
                if not self._token():
                    break
            self._give_back()
        self._settle()
        self.record.body = self.line[self.at :]

    def level(self) -> bool:
        """A level here, whichever way it is written."""
        found = words.LEVEL.match(self.line, self.at)
        if found is None or self.record.severity_text is not None:
            return False
        word = found["boxed"] or found["upper"] or found["marked"]
        self.record.severity_text, self.record.severity_number = word, WORDS.get(word.upper())
        self.at = found.end()
        return True

    def letter(self) -> None:
        """A level of one letter in brackets, as it stands directly behind a time."""
        gap = _GAP.match(self.line, self.at)
        found = words.LETTER.match(self.line, gap.end() if gap is not None else self.at)
        if found is not None and self.record.severity_text is None:
            word = words.LETTERS[found["letter"]]
            self.record.severity_text, self.record.severity_number = found["letter"], WORDS[word]
            self.at = found.end()

    def _token(self) -> bool:
        begin = self.at
        gap = _GAP.match(self.line, begin)
        self.at = gap.end() if gap is not None else begin
        if self.level() or self._number() or self._place() or self._name():
            self._sure = (self.at, len(self._boxes))
            return True
        if self._box():
            return True
        self.at = begin if self.line[begin : begin + 1] not in (" ", "\t", "-", ",", "|", "]", ":") else self.at
        return False

    def _number(self) -> bool:
        found = words.NUMBER.match(self.line, self.at)
        if found is None or len(self._numbers) > 1:
            return False
        if found["bare"] is not None and not self._is_before_header(found.end()):
            return False
        self._numbers += [int(text) for text in (found["bare"] or found["boxed"], found["boxed2"]) if text]
        self.at = found.end()
        return True

    def _is_before_header(self, at: int) -> bool:
        """A bare number is no part of the message only where a level or another number still follows."""
        if self.record.severity_text is not None:
            return False
        for _ in range(2):
            gap = _GAP.match(self.line, at)
            at = gap.end() if gap is not None else at
            if words.LEVEL.match(self.line, at) is not None:
                return True
            number = words.NUMBER.match(self.line, at)
            if number is None:
                return False
            at = number.end()
        return False

    def _box(self) -> bool:
        found = words.BOX.match(self.line, self.at)
        if found is None or len(self._boxes) > 3:
            return False
        self._boxes.append(found["text"].strip())
        self.at = found.end()
        return True

    def _place(self) -> bool:
        """A place in the code; without a time before it the line is a compiler's as well."""
        found = words.PLACE.match(self.line, self.at) if self.record.timestamp is not None else None
        if found is None or "code.file.path" in self.record.attributes:
            return False
        self._put("code.file.path", found["file"])
        self._put("code.line.number", int(found["line"]))
        function = found["function"] or found["function2"]
        if function is not None:
            self._put("code.function.name", function)
        self.at = found.end()
        return True

    def _name(self) -> bool:
        if self._named:
            return False
        found = words.NAMED.match(self.line, self.at)
        if found is not None:
            pid = found["pid"] or found["pid2"]
            if pid is None and not words.is_logger(found["name"], self.record.severity_text is not None):
                return False
            if pid is not None:
                self._numbers.append(int(pid))
            name = found["name"]
        else:
            found = words.BETWEEN_DASHES.match(self.line, self.at) or words.DASHED.match(self.line, self.at)
            if found is None:
                return False
            name, line = words.name_and_line(found["name"])
            if found.re is words.DASHED and not words.is_logger(name, after_level=True) and " *" not in name:
                return False
            if line is not None:
                self._put("code.line.number", line)
        self._put("otel.scope.name", name)
        self._named = True
        self.at = found.end()
        return True

    def _give_back(self) -> None:
        """Brackets that nothing sure follows may be the message's own, unless a dash or colon ends the header."""
        at, boxes = self._sure
        if len(self._boxes) == boxes or _ENDS.match(self.line, self.at) or self.line[self.at - 1] == ":":
            return
        if all(words.is_logger(text, after_level=False) for text in self._boxes[boxes:]):
            return
        self.at = at
        del self._boxes[boxes:]

    def _columns(self) -> None:
        """`time|word|number|message`. Without a level a table whose first column is a number is no header."""
        begin = self.at
        self._read_columns()
        if self.record.severity_text is None and words.NUMBERS_FIRST.match(self.line, begin):
            self.at = begin
            del self._numbers[:], self._boxes[:]
            self.record.attributes.pop("otel.scope.name", None)

    def _read_columns(self) -> None:
        for _ in range(MOST_TOKENS):
            bar = re.compile(r" ?\| ?").match(self.line, self.at)
            if bar is None:
                return
            self.at = bar.end()
            if self.level() or (self.line[self.at : self.at + 1] in "[(" and self._number()):
                continue
            if self._place() or self._named_before_bar():
                continue
            column = words.COLUMN.match(self.line, self.at)
            if column is None:
                return
            text = column[0].rstrip(":")
            if text.upper() in WORDS and self.record.severity_text is None:
                self.record.severity_text, self.record.severity_number = text, WORDS[text.upper()]
            elif is_number(text, 10):
                self._numbers.append(int(text))
            elif not self._named and (text[:1].isalpha() or text[:1] == "_"):
                self._put("otel.scope.name", text)
                self._named = True
            else:
                self._boxes.append(text)
            self.at = column.end()

    def _named_before_bar(self) -> bool:
        """`name:` as a column of its own."""
        begin, numbers, told = self.at, len(self._numbers), dict(self.record.attributes)
        if self._name() and re.match(r" ?\|", self.line[self.at : self.at + 2]):
            return True
        if self.at != begin:
            self.at, self._named = begin, False
            del self._numbers[numbers:]
            self.record.attributes = told
        return False

    def _settle(self) -> None:
        """What stood in brackets: a dotted name is the logger, one other word before the message the thread."""
        for name, number in zip(("process.pid", "thread.id"), self._numbers, strict=False):
            self._put(name, number)
        left = []
        for text in self._boxes:
            if not self._named and words.is_logger(text, after_level=False):
                self._put("otel.scope.name", text)
                self._named = True
            else:
                left.append(text)
        if len(left) == 1 and words.is_thread(left[0]):
            self._put("thread.name", left[0])
        elif left:
            self._put("app.context", left)
        gap = re.compile(r"[\s|]*+(?:(?:--?|:|=>) )?").match(self.line, self.at)
        self.at = gap.end() if gap is not None and (gap.end() > self.at) else self.at

    def _put(self, name: str, value: object) -> None:
        self.record.attributes.setdefault(name, value)


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
    header = _Header(line, Record("generic"))
    if boxes is None:
        header.level()
    header.rest()
    return _opened(header.record, times)


def _timed(line: str, found: generic_times.Found, times: Times) -> Record | None:
    before, at = line[: found.begin], found.end
    header = _Header(line, record := Record("generic"))
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


def _is_header(before: str, header: _Header) -> bool:
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
