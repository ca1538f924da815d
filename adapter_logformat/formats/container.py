"""What container runtimes write around an app's lines, as entries of the catalogue.

The stream peels them before any format is asked (`wrappers`), so a record carries the name of the format inside; these
readers only show what a wrapper holds.
"""

from typing import Final

from adapter_logformat import wrappers
from adapter_logformat.grammar import Format, Read
from adapter_logformat.record import Record, Stamp
from adapter_logformat.timestamps import Times


def _reader(name: str, first: str) -> Read:
    def read(line: str, times: Times) -> Record | None:
        peeled = wrappers.peel(line.encode("utf-8", "replace"), times) if line.startswith(first) else None
        if peeled is None:
            return None
        record = Record(name, Stamp(peeled.moment, ""), body=peeled.text.decode(errors="replace"))
        record.attributes["log.iostream"] = peeled.stream
        return record

    return read


FORMATS: Final = (
    Format(
        name="cri",
        title="CRI container log (containerd, CRI-O): what is inside is read by its own format",
        rank=100,
        read=_reader("cri", "2"),
        sample="2026-11-20T08:51:00.123456789Z stdout F hello",
    ),
    Format(
        name="docker_json",
        title="Docker's json-file log: what is inside is read by its own format",
        rank=100,
        read=_reader("docker_json", '{"log":'),
        sample='{"log":"hello\\n","stream":"stderr","time":"2026-11-20T08:51:00.123456789Z"}',
    ),
)
