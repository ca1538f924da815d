"""Coverage-guided fuzzing of everything that reads an app's log lines, with libFuzzer's options; needs atheris.

Each target says what must hold for any bytes; an exception, or a line that takes long for its length, ends the run.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
with atheris.instrument_imports(include=["adapter_logformat"]):
    from adapter_logformat.formats import registry
    from adapter_logformat.formats.json_app import parse
    from adapter_logformat.inputs.framing import Framing
    from adapter_logformat.pipeline import Options, Stream
    from adapter_logformat.profiles import PROFILES
    from adapter_logformat.redact import DETECTORS, Redactor, Rule

    FORMATS = [format for family in registry.FAMILIES for format in registry.load(family)]

LONGEST = 4096
NOW = 1_795_161_060_000_000_000
SAMPLES = [format.sample.split("\n")[0].encode() for format in FORMATS]


class Slow(Stream):
    """A stream that never takes the whole-chunk form."""

    def _fast_of(self, format: object) -> None:
        return None


def records(data: bytes) -> None:
    """Valid JSON lines with unique keys, the same however the input is cut and whichever path reads it."""
    provider = atheris.FuzzedDataProvider(data)
    cut, profile = provider.ConsumeIntInRange(0, 400), PROFILES[provider.ConsumeIntInRange(0, len(PROFILES) - 1)]
    raw = provider.ConsumeBytes(provider.remaining_bytes())
    options = Options(profile=profile)
    whole, sliced, slow = Stream(options), Stream(options), Slow(options)
    written = whole.feed(raw, NOW) + whole.flush(NOW)
    pieces = sliced.feed(raw[:cut], NOW), sliced.feed(raw[cut:], NOW), sliced.flush(NOW)
    assert written == b"".join(pieces), "another cut"
    assert written == slow.feed(raw, NOW) + slow.flush(NOW), "another path"
    lines = written.decode().split("\n")
    assert lines.pop() == ""
    assert len(lines) == whole.tally.records.total()
    for line in lines:
        json.loads(line, object_pairs_hook=_unique)


def alike(data: bytes) -> None:
    """Many lines of one format with something changed in them: fast and slow give the same."""
    provider = atheris.FuzzedDataProvider(data)
    sample = SAMPLES[provider.ConsumeIntInRange(0, len(SAMPLES) - 1)]
    lines = []
    while provider.remaining_bytes() and len(lines) < 40:
        at, gone = provider.ConsumeIntInRange(0, len(sample)), provider.ConsumeIntInRange(0, 12)
        changed = sample[:at] + provider.ConsumeBytes(provider.ConsumeIntInRange(0, 12)) + sample[at + gone :]
        lines += [sample, changed] if provider.ConsumeBool() else [sample]
    raw = b"\n".join(lines) + b"\n"
    fast, slow = Stream(Options()), Slow(Options())
    for _ in range(2):
        assert fast.feed(raw, NOW) == slow.feed(raw, NOW)
    assert fast.flush(NOW) == slow.flush(NOW)


def single_lines(data: bytes) -> None:
    """No reader raises, whatever line it is asked about."""
    line = data.decode(errors="replace").replace("\n", " ")
    stream = Stream(Options())
    for format in FORMATS:
        format.read(line, stream._lane.times)
    parse(line)
    stream.message(data, NOW)


def redacted(data: bytes) -> None:
    """What was valid JSON stays so."""
    stream = Stream(Options())
    written = stream.feed(data, NOW) + stream.flush(NOW)
    left = Redactor([Rule(name) for name in DETECTORS], Counter())(written)
    assert left.count(b"\n") == written.count(b"\n")
    for line in left.decode().split("\n")[:-1]:
        json.loads(line, object_pairs_hook=_unique)


def framed(data: bytes) -> None:
    """Messages and lines out of a connection are the same however its bytes arrive, and none is lost."""
    provider = atheris.FuzzedDataProvider(data)
    cut = provider.ConsumeIntInRange(0, 100)
    raw = provider.ConsumeBytes(provider.remaining_bytes())
    whole, sliced = Framing(LONGEST), Framing(LONGEST)
    told = [whole.feed(raw) + whole.end(), sliced.feed(raw[:cut]) + sliced.feed(raw[cut:]) + sliced.end()]
    messages = [[piece.data for piece in pieces if piece.message] for pieces in told]
    assert messages[0] == messages[1]
    lines = [b"".join(piece.data for piece in pieces if not piece.message) for pieces in told]
    assert lines[0] == lines[1]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


TARGETS = (records, alike, single_lines, redacted, framed)


def one_input(data: bytes) -> None:
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
