"""The header of a log line that nobody described, read from left to right: level, numbers, place, logger, brackets.

Where it begins, and what stands before its time, is `generic`'s; how each of its words looks is said by `header_words`.
"""

import re
from typing import Final

from adapter_logformat.formats import header_words as words
from adapter_logformat.grammar import is_number
from adapter_logformat.record import Record
from adapter_logformat.severity import WORDS

_GAP: Final = re.compile(r"[\s,|]*+(?:- (?!- ))?[\s,|]*+")
_ENDS: Final = re.compile(r"\s*+--? ")
MOST_TOKENS: Final = 8


class Header:
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
        """`time|word|number|message`. Without a level a table is no header: one whose first column is a number, or that
        has blanks and neither a place in the code nor a dotted logger."""
        begin, attributes = self.at, self.record.attributes
        self._read_columns()
        logger = str(attributes.get("otel.scope.name", ""))
        is_known = "code.file.path" in attributes or words.is_logger(logger, after_level=False)
        is_known |= self.line[begin : begin + 1] == "|"
        if self.record.severity_text is None and (not is_known or words.NUMBERS_FIRST.match(self.line, begin)):
            self.at = begin
            del self._numbers[:], self._boxes[:]
            attributes.pop("otel.scope.name", None)

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
