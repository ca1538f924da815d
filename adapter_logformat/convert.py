"""The filter: log lines in, records out, through the same streams as the mate; and the listing of the catalogue.

Reads its input in blocks and never holds a whole file. Opening files and the command line belong to `__main__`.
"""

from collections.abc import Callable
from typing import BinaryIO, Protocol

from adapter_logformat.formats import registry
from adapter_logformat.pipeline import Options, Stream, Tally

BLOCK_BYTES = 128 * 1024
SAMPLE_CHARACTERS = 110


class Readable(Protocol):
    """Where lines come from. `damage`: why it ended before its end."""

    damage: OSError | None

    def read(self, size: int, /) -> bytes:
        """What there is now, about `size` bytes; nothing at the end, and where nothing more can be read."""


def convert(
    source: Readable,
    sink: BinaryIO,
    options: Options,
    now_ns: int,
    redact: Callable[[bytes], bytes] = lambda written: written,
) -> Tally:
    """Every record of `source`, in order, through `redact` to `sink`. All carry `now_ns` as observed."""
    stream = Stream(options)
    while block := source.read(BLOCK_BYTES):
        records = redact(stream.feed(block, now_ns))
        if records:
            sink.write(records)
            sink.flush()
    sink.write(redact(stream.flush(now_ns)))
    sink.flush()
    return stream.tally


def listing() -> str:
    """The catalogue as a table: name of `log.format`, then what it is."""
    rows = []
    for family in registry.FAMILIES:
        for format in registry.load(family):
            rows += [f"{name:16} {format.title}" for name in format.names]
    return "\n".join(rows) + "\n"


def formats_table() -> str:
    """The catalogue as Markdown, one row for each format with a line of its kind."""
    rows = ["| `log.format` | what it is | a line of it |", "|---|---|---|"]
    for family in registry.FAMILIES:
        for format in registry.load(family):
            names = ", ".join(f"`{name}`" for name in format.names)
            rows.append(f"| {names} | {_cell(format.title)} | {_code(format.sample)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(sample: str) -> str:
    """The first line of a sample as inline code; longer ones are cut."""
    first = sample.split("\n", 1)[0].replace("\t", " ")
    text = first if len(first) <= SAMPLE_CHARACTERS else first[:SAMPLE_CHARACTERS] + "…"
    marks = "``" if "`" in text else "`"
    return f"{marks}{_cell(text)}{marks}" if text else ""
