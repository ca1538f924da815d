"""Whatever a line holds, the time to read it grows with its length and no faster."""

import time

import pytest

from adapter_logformat.formats import registry
from adapter_logformat.pipeline import Options, Stream

NOW = 1_795_161_060_000_000_000
SAMPLES = [format.sample for family in registry.FAMILIES for format in registry.load(family)]
PARTS = [
    "a",
    " ",
    ":",
    "[",
    "]",
    " [",
    "(",
    " (a",
    '"',
    '\\"',
    "\\",
    "a=",
    '="',
    ",",
    "{",
    '{"a":',
    "-",
    "a.",
    "::",
    "1",
]
SIZE = 1 << 18
SLOWEST_S = 0.4  # a quadratic reader needs minutes for such a line; a linear one some milliseconds


@pytest.mark.parametrize("sample", SAMPLES)
def test_long_tails_and_middles(sample: str) -> None:
    for part in PARTS:
        filler = part * (SIZE // len(part))
        middle = len(sample) // 2
        for line in (sample + filler, sample[:middle] + filler + sample[middle:], filler + sample, filler):
            stream = Stream(Options())
            began = time.process_time()
            stream.feed(line.encode() + b"\n", NOW)
            stream.flush(NOW)
            assert time.process_time() - began < SLOWEST_S, (part, line[:100])
