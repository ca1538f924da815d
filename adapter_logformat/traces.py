"""Stack traces: the type and message of what was thrown, and bare traces that start a record of their own.

`fold` gives the joined lines of a record their place: the rest of the message to `body`, the trace to `exception.*`.
Which lines are a trace's is left to `multiline`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from adapter_logformat.multiline import JAVA_THROWN, TRACE_RULES, Rule, trace_of
from adapter_logformat.record import Record
from adapter_logformat.severity import ERROR

NAMES: Final[Mapping[str, str]] = {
    "java": "java_stacktrace", "python": "python_traceback", "go": "go_panic", "rust": "rust_panic",
    "dotnet": "dotnet_stacktrace", "node": "node_stacktrace", "ruby": "ruby_backtrace", "php": "php_stacktrace",
    "dart": "dart_stacktrace", "elixir": "elixir_stacktrace", "cpp": "cpp_terminate",
}  # fmt: skip
"""Language → `log.format` of a trace that no header belongs to."""
_LANGUAGES: Final = {name: language for language, name in NAMES.items()}

_THROWN: Final = re.compile(
    r"(?:Exception in thread \"(?P<thread>[^\"]*+)\" |Unhandled [Ee]xception[.:] |Uncaught )?+"
    rf"(?P<type>{JAVA_THROWN}|[A-Z]\w{{0,100}}+(?:(?<=Error)|(?<=Exception)))(?: \[\w++\])?+(?::? (?P<message>.*))?"
)
_FRAME: Final = re.compile(r"\s++(?:at |\.\.\. \d)|Caused by: |\s++---(?:>| End of) ")
_RUBY_FRAME: Final = re.compile(r"\s*+(?:from )?[^\s:]++:\d{1,9}+:in [`']")
_PHP_FRAME: Final = re.compile(r"#\d{1,6}+ (?! )|Stack trace:|  thrown in ")
_PYTHON_TRACE: Final = re.compile(r"(?:  \+ Exception Group |\s*+)Traceback \(most recent call last\):")
_PYTHON_RAISED: Final = re.compile(r"(?P<type>(?:[A-Za-z_<][\w<>]*+\.)*+[A-Za-z_]\w*+)(?:: ?(?P<message>.*))?")
_GO_DIED: Final = re.compile(r"\s*+(?P<type>panic|fatal error): (?P<message>.*?)(?: \[recovered[^\]]*+\])?")
_RUST_OLD: Final = re.compile(r"thread '([^']*+)' (?:\(\d{1,19}+\) )?+panicked at '(.*)', [^']*+:\d++:\d++")
_RUST_NEW: Final = re.compile(r"thread '([^']*+)' (?:\(\d{1,19}+\) )?+panicked at .*:\d++:\d++:")
_RUBY_RAISED: Final = re.compile(r"(?:[^\s:]++:\d{1,9}+:in [`'][^']*+': )?+(?P<message>.*) \((?P<type>[A-Z][\w:]*+)\)")
_RAILS_RAISED: Final = re.compile(r"(?P<type>[A-Z][\w:]*+) \((?P<message>.*)\):?")
_PHP_RAISED: Final = re.compile(r"Uncaught (?:exception ')?(?P<type>[A-Z\\][\w\\]*+)(?:'[^:]*+)?: (?P<message>.*)")
_PHP_OLD: Final = re.compile(r"exception '(?P<type>[\w\\]++)' with message '(?P<message>.*)' in \S")
_DART_FRAME: Final = re.compile(r"#\d{1,6}+ ")
_ELIXIR_RAISED: Final = re.compile(r"\*\* \((?P<type>[\w.]++)\) (?P<message>.*)")
_ELIXIR_FRAME: Final = re.compile(r"\s++(?:\([\w\- .]++\) )?[^\s:]++:\d++: ")
_CPP_THROWN: Final = re.compile(r"terminate called after throwing an instance of '(?P<type>[^']++)'")
_PHP_PLACE: Final = re.compile(r" in [^\s:]++:\d++\Z")


def start(line: str) -> tuple[Record, Rule, str] | None:
    """The record that a bare trace's first line begins, how it goes on, and the trace's language; `None` when
    it is none."""
    language = trace_of(line)
    if not language:
        return None
    record = Record(NAMES[language], severity_number=ERROR)
    thrown = _THROWN.fullmatch(line)
    if thrown is not None and thrown["thread"] is not None:
        record.attributes["thread.name"] = thrown["thread"]
    return record, TRACE_RULES[language], language


def fold(record: Record, first: str, lines: Sequence[str]) -> bool:
    """Puts the lines joined to `record` where they belong; `first` is the whole first line (a bare trace
    begins there). False: what began like a bare trace is none after all."""
    language = _LANGUAGES.get(record.format)
    if language is None:
        _fold_header(record, lines)
        return True
    if language in _NEED_FRAMES and not any(line for line in lines):
        return False
    if language in _FRAMES and not any(map(_FRAMES[language].match, [first, *lines])):
        return False
    _READ[language](record, [first, *lines])
    return True


def thrown(text: str, key: str) -> dict[str, str] | None:
    """What a text under an error key of a JSON log tells: a trace with its type and message, or the message alone."""
    trace = text.rstrip("\n").split("\n")
    if len(trace) == 1 and key in ("err", "error", "exception"):
        return {"exception.message": text}
    record = Record("", body="")
    if any(_PYTHON_TRACE.match(line) for line in trace):
        _python(record, trace)
    else:
        _READ[trace_of(trace[0]) or "java"](record, trace)
    return {name: str(value) for name, value in record.attributes.items()} | {"exception.stacktrace": text}


def _fold_header(record: Record, lines: Sequence[str]) -> None:
    begin, language = next(((at, found) for at, line in enumerate(lines) if (found := _begins(line))), (len(lines), ""))
    trace = list(lines[begin:])
    while begin and not lines[begin - 1]:
        # A blank line before the trace separates, it is no part of the message.
        begin -= 1
    if language in ("node", "go") and len(trace) == 1:
        # A sentence that looks like the beginning of a trace.
        begin, trace = len(lines), []
    if begin:
        record.body = "\n".join([record.body or "", *lines[:begin]])
    if trace:
        _READ[language](record, trace)


def _begins(line: str) -> str:
    """The language of the trace that `line` is the first of, even when it is no more than a frame."""
    if not line:
        return ""
    if _PYTHON_TRACE.match(line):
        return "python"
    if _FRAME.match(line):
        return "java"
    if _RUBY_FRAME.match(line):
        return "ruby"
    if _PHP_FRAME.match(line):
        return "php"
    return trace_of(line.lstrip(" \t"))


def _java(record: Record, trace: Sequence[str]) -> None:
    """Also .NET and Node: a type, its message, frames that begin with `at`."""
    first = trace[0].lstrip(" \t")
    thrown = _THROWN.fullmatch(first)
    text = None
    if thrown is None and record.body:
        # log.error(e.toString(), e) and friends: what was thrown is the last line of the message.
        thrown = _THROWN.fullmatch(record.body.rsplit("\n", 1)[-1])
    elif thrown is not None:
        more = next((at for at, line in enumerate(trace) if at and _FRAME.match(line)), len(trace))
        text = "\n".join([thrown["message"] or "", *trace[1:more]]) if more > 1 else thrown["message"]
    if thrown is not None:
        _put(record, thrown["type"], text if text is not None else thrown["message"])
    if record.body is None:
        record.body = trace[0]
        if len(trace) == 1:
            return
    record.attributes["exception.stacktrace"] = "\n".join(trace)


def _python(record: Record, trace: Sequence[str]) -> None:
    """The exception that came out at the end is the first unindented line after the last `Traceback`
    (traceback module)."""
    begin = max((at for at, line in enumerate(trace) if _PYTHON_TRACE.match(line)), default=0)
    at = next((at for at in range(begin + 1, len(trace)) if trace[at][:1] not in (" ", "\t", "")), None)
    raised = _PYTHON_RAISED.fullmatch(trace[at]) if at is not None else None
    if at is not None and raised is not None:
        message = raised["message"]
        _put(record, raised["type"], None if message is None else "\n".join([message, *trace[at + 1 :]]))
    _rest(record, trace, trace[at] if at is not None else trace[0])


def _go(record: Record, trace: Sequence[str]) -> None:
    """`panic:` or `fatal error:` and the goroutines; a panic in the handling of another is named by the first."""
    died = next((found for line in trace if (found := _GO_DIED.fullmatch(line))), None)
    if died is not None:
        _put(record, died["type"], died["message"])
    _rest(record, trace, trace[0])


def _rust(record: Record, trace: Sequence[str]) -> None:
    """Rust before 1.73 wrote the message before the place, later ones in the next line."""
    old, new = _RUST_OLD.fullmatch(trace[0]), _RUST_NEW.fullmatch(trace[0])
    message = old[2] if old else trace[1] if new and len(trace) > 1 else None
    named = old or new
    if named:
        _put(record, "panic", message)
        record.attributes.setdefault("thread.name", named[1])
    _rest(record, trace, trace[0] if message is None else message)


def _ruby(record: Record, trace: Sequence[str]) -> None:
    raised = _RUBY_RAISED.fullmatch(trace[0])
    if raised is None and record.body:
        last = record.body.rsplit("\n", 1)[-1]
        raised = _RAILS_RAISED.fullmatch(last) or _RUBY_RAISED.fullmatch(last)
    if raised is None:
        raised = _RAILS_RAISED.fullmatch(trace[0].strip())
    if raised is not None:
        _put(record, raised["type"], raised["message"])
    _rest(record, trace, trace[0])


def _php(record: Record, trace: Sequence[str]) -> None:
    texts = [trace[0], record.body or ""]
    raised = next((found for text in texts for how in (_PHP_OLD, _PHP_RAISED) if (found := how.search(text))), None)
    if raised is not None:
        _put(record, raised["type"], _PHP_PLACE.sub("", raised["message"]))
    _rest(record, trace, trace[0])


def _node(record: Record, trace: Sequence[str]) -> None:
    """Before an error that nobody caught Node shows the line of source that it came from."""
    begin = next((at for at, line in enumerate(trace) if _THROWN.fullmatch(line.lstrip(" \t"))), 0)
    _java(record, trace[begin:])
    if begin:
        record.attributes["exception.stacktrace"] = "\n".join(trace)


def _dart(record: Record, trace: Sequence[str]) -> None:
    """What was thrown is all that stands before the first frame; it may say its class as Java does."""
    frames = next((at for at, line in enumerate(trace) if _DART_FRAME.match(line)), len(trace))
    said = [line for line in trace[trace[0] == "Unhandled exception:" : frames] if line]
    found = _THROWN.fullmatch(said[0]) if said else None
    if found is not None:
        _put(record, found["type"], "\n".join([found["message"] or "", *said[1:]]).strip("\n") or None)
    elif said:
        record.attributes["exception.message"] = "\n".join(said)
    _rest(record, trace, said[0] if said else trace[0])


def _elixir(record: Record, trace: Sequence[str]) -> None:
    at = next((at for at, line in enumerate(trace) if _ELIXIR_RAISED.match(line.lstrip())), 0)
    raised = _ELIXIR_RAISED.fullmatch(trace[at].lstrip())
    if raised is not None:
        end = next((end for end in range(at + 1, len(trace)) if _ELIXIR_FRAME.match(trace[end])), at + 1)
        _put(record, raised["type"], "\n".join([raised["message"], *trace[at + 1 : end]]).rstrip())
    _rest(record, trace, trace[0])


def _cpp(record: Record, trace: Sequence[str]) -> None:
    thrown = _CPP_THROWN.fullmatch(trace[0])
    said = next((line.strip() for line in trace if line.strip().startswith("what():")), "")
    if thrown is not None:
        _put(record, thrown["type"], said.removeprefix("what():").strip() or None)
    _rest(record, trace, trace[0])


def _put(record: Record, kind: str, message: str | None) -> None:
    record.attributes["exception.type"] = kind
    if message is not None:
        record.attributes["exception.message"] = message


def _rest(record: Record, trace: Sequence[str], body: str) -> None:
    if record.body is None:
        record.body = body
    record.attributes["exception.stacktrace"] = "\n".join(trace)


_READ: Final[Mapping[str, Callable[[Record, Sequence[str]], None]]] = {
    "java": _java, "dotnet": _java, "node": _node, "python": _python, "go": _go, "rust": _rust, "ruby": _ruby,
    "php": _php, "dart": _dart, "elixir": _elixir, "cpp": _cpp,
}  # fmt: skip
_NEED_FRAMES: Final = ("node", "ruby", "php", "go", "elixir")
"""One line of these alone is no trace but a sentence that looks like its beginning."""
_FRAMES: Final = {"dart": _DART_FRAME, "node": re.compile(r"\s++at |\s*+[\^~]++\Z")}
"""Lines of which a trace of these has one."""
