"""The formats of the catalogue are kept apart: whatever a stream began with, each line is read by the format that reads
it from a fresh stream, and what the shortcuts of detection leave out would have read nothing.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_logformat.detect import SWITCH_AFTER, Detector
from adapter_logformat.formats import generic_times, registry
from adapter_logformat.grammar import Format
from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.timestamps import Times

NOW = 1_795_161_060_000_000_000
FORMATS = {format.name: format for family in registry.FAMILIES for format in registry.load(family)}
LINES = {name: (format.sample + "\n").encode() for name, format in FORMATS.items()}
WHOLE = {"java_util_logging": LINES["java_util_logging"] + b"INFO: started\n"}
"""Records of which the sample is but the first line."""
OPEN_ENDED = {"ibm_mq": "takes every line up to its next header"}
FOLLOWING = SWITCH_AFTER + 2
"""Enough for the stream to change over, and for the whole-chunk form of the new format."""
INDENTED = {name for name, line in LINES.items() if line[:1] == b" "}
"""Behind another record such lines go on with it."""
INGRESS = FORMATS["ingress_nginx"].sample
TRAEFIK = FORMATS["traefik"].sample


def read(lines: bytes) -> bytes:
    stream = Stream(Options())
    return stream.feed(lines, NOW) + stream.flush(NOW)


@pytest.fixture(scope="module")
def alone() -> dict[str, bytes]:
    """What each format makes of `FOLLOWING` of its samples on a stream of their own."""
    return {name: read(line * FOLLOWING) for name, line in LINES.items()}


@pytest.mark.parametrize("first", sorted(FORMATS.keys() - OPEN_ENDED))
def test_no_format_takes_the_lines_of_another(first: str, alone: dict[str, bytes]) -> None:
    for name, line in LINES.items():
        if name not in INDENTED:
            written = read(WHOLE.get(first, LINES[first]) + line * FOLLOWING)
            assert written.endswith(alone[name]), (name, written[-600:])


@pytest.mark.parametrize("own", FORMATS.values(), ids=lambda format: format.name)
def test_foreign_lines_now_and_then_change_nothing(own: Format) -> None:
    times = Times()
    wanted = Detector().read(own.sample, times)
    detector = Detector()
    detector.read(own.sample, times)
    for other in FORMATS.values():
        detector.read(other.sample, times)
        assert detector.read(own.sample, times) == wanted, other.name
        assert detector.current is own, other.name


@pytest.mark.parametrize("line", [INGRESS, TRAEFIK])
def test_what_a_proxy_appends_is_read_behind_plain_access_lines_on_either_path(line: str) -> None:
    plain = FORMATS["access"].sample.encode() + b"\n"
    proxied = line.encode() + b"\n"
    name = b"ingress_nginx" if line is INGRESS else b"traefik"
    for lines in (plain + proxied, plain * 300 + proxied * 3 + plain * 300, (plain * 2 + proxied) * 50):
        written = read(lines)
        assert written.count(b'"log.format":"%b"' % name) == lines.count(proxied)
        assert written.count(b'"log.format":"combined"') == lines.count(plain)
        assert written == b"".join(read(each) for each in lines.splitlines(keepends=True))


def test_an_input_that_is_said_to_be_combined_is() -> None:
    stream = Stream(Options(only=("combined",)))
    written = stream.feed(INGRESS.encode() + b"\n", NOW)
    assert written.count(b'"log.format":"combined"') == 1


def pieces() -> Iterator[str]:
    for line in LINES.values():
        yield from line.decode().split()


PIECES = sorted(set(pieces()))
SAMPLES = sorted(line.decode().rstrip("\n") for line in LINES.values())


@st.composite
def altered(draw: st.DrawFn) -> str:
    """A sample with some of it cut out and something of another one in its place."""
    line = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 1))):
        at = draw(st.integers(0, len(line)))
        piece = draw(st.sampled_from(PIECES) | st.text('-:/.,[]{}()"=|0123456789TZabcINFO', max_size=4))
        line = line[:at] + piece + line[at + draw(st.integers(0, 12)) :]
    return line


@given(altered())
@settings(max_examples=300, derandomize=True)
def test_a_format_that_is_not_asked_would_not_have_read_the_line(line: str) -> None:
    """But for the loose ones: that a line begins with a pair is part of what logfmt is, and AWS' flow logs take their
    columns as they are."""
    times = Times()
    asked = registry.candidates(line)
    assert [each.rank for each in asked] == sorted((each.rank for each in asked), reverse=True)
    others = [each for each in FORMATS.values() if each not in asked and not each.generic and each.name != "aws_vpc"]
    missed = [each.name for each in others if each.read(line, times) is not None]
    assert missed == []


def each_layout_by_itself(text: str) -> generic_times.Found | None:
    """The slow form of `find`: the layout that begins first, of those the one listed first."""
    best: tuple[int, generic_times.Found] | None = None
    last = len(generic_times._PATTERNS) - 1
    for number, pattern in enumerate(generic_times._PATTERNS):
        found = pattern.search(text)
        if found is None or (number == last and found.start() > generic_times.LATEST_CLOCK):
            continue
        if best is None or found.start() < best[0]:
            best = found.start(), generic_times._found(found, number)
    return best[1] if best else None


@given(altered() | st.text("0123456789:./- ,TZJanMoMayAPUC+[]", max_size=60))
@settings(max_examples=300, derandomize=True)
def test_one_pattern_finds_the_time_that_each_layout_by_itself_finds(line: str) -> None:
    assert generic_times.find(line) == each_layout_by_itself(line)


@pytest.mark.parametrize(
    ("line", "thief"),
    [
        ("2026-11-20 08:51:00,123 | INFO | main | com.example.App | started", "activemq"),
        ("2026-11-20 08:51:00,123 | INFO | main | org.apache.activemq.Client | started", "activemq"),
        ("2026-11-20 08:51:00,123 | INFO | Loaded plugins | step2", "activemq"),
        ("2026-11-20 08:51:00,123 12 INFO Loaded module: shop", "odoo"),
        ("2026-11-20 08:51:00,123 12 INFO Opened config.yaml: 5 keys", "odoo"),
        ("2026-11-20 08:51:00,123 - app.main - 12 - INFO - retrying - attempt 2", "synapse"),
        ("08:51:00.123 | INFO | retry - attempt 2", "prefect"),
        ("20-Nov-2026 08:51:00 ERROR: connection refused", "bacula"),
        ("20-Nov-2026 08:51:00 worker: connection refused", "bacula"),
        ("[2026-11-20 08:51:00] [INFO] upload - done", "log4js"),
        ("[2026-11-20 08:51:00] INFO Sent mail to bob (example.com)", "kafka"),
        ("261120 085100 12 INFO Starting: 5 workers", "hdfs"),
        ("INFO - 2026-11-20 08:51:00 - started", "log4j_simple"),
        ("26/11/20 08:51:00 ERROR failed: disk full", "spark"),
        ("08:51:00 [worker] ERROR failed - attempt 2", "logback"),
        ("INFO retry later - attempt 2", "log4j_simple"),
        ("2026-11-20 08:51:00,123 INFO finished - attempt 2", "log4j"),
        ("2026-11-20 08:51:00,123 INFO [main] started - attempt 2", "log4j"),
        ("2026-11-20 08:51:00,123 ERROR [main] java.io.IOException broken pipe", "thread_and_class"),
        ("[worker] ERROR failed - retrying later", "slf4j_simple"),
        ("INFO  [2026-11-20 08:51:00] Result: 5", "dropwizard"),
        ("Nov 20, 2026 8:51:00 AM Server started", "java_util_logging"),
        ("20-Nov-2026 08:51:00 INFO [main] config.yaml loaded", "tomcat"),
        ("2026-11-20 08:51:00 INFO (cache) [hit 7] item found", "solr"),
        ("#close the door", "zeek"),
        ("#separator of the sections", "zeek"),
    ],
)
def test_a_line_of_anybody_is_no_products(line: str, thief: str) -> None:
    """Its words would stand in fields where they mean nothing."""
    assert FORMATS[thief].read(line, Times()) is None


@pytest.mark.parametrize(("time", "name"), [("2026-11-20 08:51:00,123", "log4j"), ("26/11/20 08:51:00", "spark")])
def test_what_was_thrown_is_no_logger(time: str, name: str) -> None:
    record = FORMATS[name].read(f"{time} ERROR [main] java.io.IOException: broken pipe", Times())
    assert record is not None
    assert record.body == "java.io.IOException: broken pipe"
    assert record.attributes == {"thread.name": "main"}
