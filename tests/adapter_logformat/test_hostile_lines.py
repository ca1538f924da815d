"""Whatever a line holds, the time to read it grows with its length and no faster: for every format of the catalogue,
its first lines and those below them.
"""

import re
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

SLOW_S = 0.5
"""For 32 KiB where quadratic readers need ten seconds: it decides between shapes, not between times."""
TOKEN = re.compile(r"(?<=\W)(?=\w)|(?<=\w)(?=\W)|(?<=\W)(?=\W)")
MOST_TOKENS = 24
FOLDING = [format for format in FORMATS if format.fold is not None]
BELOW = {
    "db2_diag": ["PID : ", "NODE : 0 DB : ", "MESSAGE : "],
    "oracle": ["LENGTH: 1\n" + "A B :[7] 'x\n" * 480, "LENGTH : '7'\nACTION :[7] '", "ORA-", "Errors in "],
    "postgres": ["2026-11-20 08:51:00.123 UTC [1234] bob@shop DETAIL:  ", "2026-11-20 08:51:00.123 UTC [1234] "],
    "mysql_slow": ["# User@Host: ", "# Query_time: ", "# explain: ", "SET timestamp="],
    "java_util_logging": ["INFO: ", "SEVERE: x\njava.lang.Error: "],
    "kafka_config": ["\ta = ", "\ta = b (c."],
    "postgres_csv": ['"', ',"'],
}
"""How the lines below a header begin, where the format itself gives them their place."""


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


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_something_long_before_each_word(format: Format) -> None:
    sample = format.sample
    places = [found.start() for found in TOKEN.finditer(sample)]
    for turn, at in enumerate(places[:: -(-len(places) // MOST_TOKENS) or 1]):
        for part in (" ", PARTS[turn % len(PARTS)]):
            line = sample[:at] + part * (SHORT // len(part)) + sample[at:]
            assert cost(line) < SLOW_S, (part, line[:100])


@pytest.mark.parametrize("format", [each for each in FORMATS if "[" in each.sample], ids=lambda format: format.name)
def test_a_mebibyte_of_padding_in_brackets(format: Format) -> None:
    before, bracket, behind = format.sample.partition("[")
    for rest in (behind, "INFO"):
        assert cost(before + bracket + " " * (LONG - 2048) + rest) < LONG_S


@pytest.mark.parametrize("format", FOLDING, ids=lambda format: format.name)
def test_long_lines_below_a_header(format: Format) -> None:
    for begin in ["", " ", "\t", *BELOW.get(format.name, [])]:
        for part in PARTS:
            for end in ("", "x"):
                assert cost(f"{format.sample}\n{begin}{part * (SHORT // len(part))}{end}") < SLOW_S, (begin, part)
