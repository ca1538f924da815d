"""What the adapter makes of a log: which formats read how much of it, one sample record, and the first lines
it could not read.

Pure: reads through the same stream as the mate. Opening files and printing are left to `commands`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from adapter_logformat.convert import BLOCK_BYTES, Readable
from adapter_logformat.formats import registry
from adapter_logformat.pipeline import Options, Stream

SHOWN: Final = 5


@dataclass(slots=True)
class Explanation:
    """Counts over a whole file; `score`: the share of its records that some format read without complaint."""

    records: int = 0
    lines: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    sample: bytes = b""
    examples: list[str] = field(default_factory=list)

    @property
    def score(self) -> float:
        return 1 - self.unread.total() / self.records if self.records else 0.0


def explain(source: Readable, options: Options, now_ns: int) -> Explanation:
    """Reads `source` to its end."""
    found = Explanation()
    stream = Stream(options)
    while block := source.read(BLOCK_BYTES):
        _look_at(stream.feed(block, now_ns), found)
    _look_at(stream.flush(now_ns), found)
    found.lines, found.records = stream.tally.lines, stream.tally.records.total()
    found.formats, found.unread = stream.tally.records, stream.tally.unparsed
    return found


def _look_at(written: bytes, found: Explanation) -> None:
    """Keeps the first good record and the first bad lines; decodes only what may be one of them."""
    if not found.sample:
        found.sample = next((line for line in written.split(b"\n") if line and b'"parse.error"' not in line), b"")
    if len(found.examples) < SHOWN and b'"parse.error"' in written:
        for line in written.split(b"\n"):
            if b'"parse.error"' in line and len(found.examples) < SHOWN:
                record = json.loads(line)
                if "parse.error" in record:
                    found.examples.append(record.get("log.record.original") or record.get("body") or "")


def _title(format: str) -> str:
    if format in registry.NAMES:
        return registry.named(format).title
    if format in registry.TRACES:
        return "stack trace without a header"
    return "no format reads it" if format == registry.RAW else "the settings' own format"


def _harmless(text: str) -> str:
    """The text as a terminal may show it: what would steer the terminal is written as an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def report(name: str, found: Explanation) -> Iterator[str]:
    """The explanation as lines of text for a person."""
    yield f"{name}: {found.lines} lines, {found.records} records, {found.score:.1%} read"
    for format, count in found.formats.most_common():
        yield f"  {format:18}{count:10}{count / found.records:8.1%}  {_title(format)}"
    for reason, count in found.unread.most_common():
        yield f"  parse.error {reason}: {count}"
    if found.sample:
        yield f"  sample: {found.sample.decode()}"
    for line in found.examples:
        yield f"  not read: {_harmless(line[:200])}"
