"""What no logger wrote (shells, builds, tables, settings, banners, sentences) is kept as it is: no time, level or
logger is guessed, and no record of a log takes it for its own.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from adapter_logformat.pipeline import Options, Stream

NOW = 1_795_161_060_000_000_000  # 2026-11-20T07:51:00Z
TEXTS = Path(__file__).with_name("plain_text.txt").read_text().splitlines()
"""Lines that begin with `# ` name what follows, and are plain themselves."""
ACCESS = '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1'
COLOURS = ["\x1b[1;31mfailed\x1b[0m to build", "\x1b[2K\r 12% [==>      ]", "\x1b[32m✓\x1b[39m adds two items"]
BINARY = b"\x7fELF\x02\x01\x01\x00\x00\n\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\n\xff\xfe\xfd 08:51:00\n"


def read(*lines: str) -> list[dict[str, Any]]:
    return made_of("".join(f"{line}\n" for line in lines).encode())


def made_of(lines: bytes) -> list[dict[str, Any]]:
    stream = Stream(Options())
    return [json.loads(each) for each in (stream.feed(lines, NOW) + stream.flush(NOW)).splitlines()]


def is_plain(record: dict[str, Any]) -> bool:
    told = {"timestamp", "observed_timestamp", "body", "log.format", "parse.error", "timestamp.assumed"}
    return record.keys() <= told and record["log.format"] == "raw" and record["timestamp.assumed"] == "observed"


@pytest.mark.parametrize("text", [*TEXTS, *COLOURS])
def test_nothing_is_guessed(text: str) -> None:
    (record,) = read(text)
    assert is_plain(record), record
    assert record["body"] == text


def test_nothing_is_guessed_of_bytes_that_are_no_text() -> None:
    assert all(record["log.format"] == "raw" for record in made_of(BINARY))
    assert "severity_number" not in b"".join(json.dumps(record).encode() for record in made_of(BINARY)).decode()


@pytest.mark.parametrize("long", ["word " * 40_000, "=" * 200_000, "1,2;" * 50_000])
def test_nothing_is_guessed_of_a_long_line(long: str) -> None:
    assert is_plain(read(long)[0])


def test_a_level_alone_is_no_header_that_the_lines_below_go_on_with() -> None:
    first, *rest = read("ERROR: no matching version", "Collecting idna", "[section]", "  at a (b.js:1:2)")
    assert (first["severity_text"], first["body"]) == ("ERROR", "no matching version")
    assert [record["body"] for record in rest] == ["Collecting idna", "[section]", "  at a (b.js:1:2)"]


def test_between_the_lines_of_a_log_each_is_a_record_of_its_own() -> None:
    lines = [line for text in TEXTS[:40] for line in (ACCESS, text)]
    records = read(*lines)
    assert [record["log.format"] for record in records] == ["common", "raw"] * 40


@pytest.mark.parametrize(
    ("line", "severity", "body"),
    [
        ("[INFO] Finished at: 2026-11-20T08:51:00+01:00", "INFO", "Finished at: 2026-11-20T08:51:00+01:00"),
        ("WARNING: Running pip as root", "WARNING", "Running pip as root"),
        ("ERROR 1045 (28000): Access denied for user", "ERROR", "1045 (28000): Access denied for user"),
    ],
)
def test_a_level_that_is_surely_one_is_told_and_the_message_is_whole(line: str, severity: str, body: str) -> None:
    (record,) = read(line)
    assert (record["severity_text"], record["body"]) == (severity, body)
    assert record["timestamp.assumed"] == "observed"
