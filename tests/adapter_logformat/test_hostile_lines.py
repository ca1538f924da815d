"""Whatever a line holds, the time to read it grows with its length and no faster: for every format of the catalogue."""

import time

import pytest

from adapter_logformat.formats import registry
from adapter_logformat.grammar import Format
from adapter_logformat.pipeline import Options, Stream

NOW = 1_795_161_060_000_000_000
FORMATS = [format for family in registry.FAMILIES for format in registry.load(family)]
PARTS = [
    "a", " ", ":", "[", "]", " [", "(", " (a", '"', '\\"', "\\", "a=", '="', ",", "{", '{"a":', "-", "a.", "::", "1",
    ": ", " - ", "|", "\t", "1 ", "a b", "at ", "/", '=" ', "#", "1:", "a,", ", a: ", "[a] ",
]  # fmt: skip
SHORT, LONG = 1 << 15, 1 << 20
SHORT_S, LONG_S = 0.05, 0.25
"""A reader that is not linear needs seconds to hours for such lines; the rest is room for a busy machine. What a long
line costs where nothing else runs is some 30 ms."""


def cost(line: str) -> float:
    """Seconds of processor time, the best of some where the first is suspicious: neighbours cost cache and clock."""
    best = 1e9
    raw = line.encode() + b"\n"
    for _ in range(5):
        stream = Stream(Options())
        began = time.process_time()
        stream.feed(raw, NOW)
        stream.flush(NOW)
        best = min(best, time.process_time() - began)
        if best < SHORT_S / 2:
            break
    return best


def lines(sample: str, part: str, size: int) -> tuple[str, str, str]:
    filler = part * (size // len(part))
    middle = len(sample) // 2
    return sample + filler, sample[:middle] + filler + sample[middle:], filler + sample


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_long_tails_and_middles(format: Format) -> None:
    for part in PARTS:
        for line in lines(format.sample, part, SHORT):
            assert cost(line) < SHORT_S, (part, line[:100])


@pytest.mark.parametrize("at", range(len(FORMATS)), ids=lambda at: FORMATS[at].name)
def test_a_line_of_a_mebibyte(at: int) -> None:
    for part in (PARTS[at % len(PARTS)], PARTS[(at * 7 + 3) % len(PARTS)]):
        for line in lines(FORMATS[at].sample, part, LONG - 2048):
            assert cost(line) < LONG_S, (part, line[:100])


@pytest.mark.parametrize("part", PARTS)
def test_nothing_but_one_thing(part: str) -> None:
    assert cost(part * ((LONG - 1) // len(part))) < LONG_S
