"""The filter as people use it: through a pipe, with files, with wrong options."""

import gzip
import json
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

from tests.mate_process import ROOT, WAIT_S

COMMAND = [sys.executable, "-m", "adapter_logformat"]
LINE = b'203.0.113.7 - - [20/Nov/2026:08:51:00 +0000] "GET /1 HTTP/1.1" 200 12 "-" "curl/8"\n'


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, cwd=ROOT, timeout=WAIT_S, check=False
    )


def test_a_pipe_in_and_a_pipe_out() -> None:
    done = run("convert", "--now", "2026-11-20T09:00:00Z", stdin=LINE * 2 + b"words")
    assert (done.returncode, done.stderr) == (0, b"")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["log.format"] for record in records] == ["combined", "combined", "raw"]
    assert {record["observed_timestamp"] for record in records} == {"2026-11-20T09:00:00.000000Z"}


def test_the_same_input_gives_the_same_bytes() -> None:
    sample = str(ROOT / "tests/adapter_logformat/samples/java.txt")
    once, again = (run("convert", "--now", "2026-11-20T09:00:00Z", sample).stdout for _ in range(2))
    assert once == again != b""


def test_gzip_and_utf_16_are_unpacked_from_files_and_pipes(tmp_path: Path) -> None:
    plain = run("convert", "--now", "2026-11-20T09:00:00Z", stdin=LINE * 9000).stdout
    middle = len(LINE) * 4000 + 7
    members = b"".join(gzip.compress(part) for part in ((LINE * 9000)[:middle], (LINE * 9000)[middle:]))
    for name, content in (("a.gz", members), ("b.log", (LINE * 9000).decode().encode("utf-16"))):
        (tmp_path / name).write_bytes(content)
        assert run("convert", "--now", "2026-11-20T09:00:00Z", str(tmp_path / name)).stdout == plain
        assert run("convert", "--now", "2026-11-20T09:00:00Z", stdin=content).stdout == plain
        assert b"9000 lines, 9000 records, 100.0% read" in run("explain", str(tmp_path / name)).stdout


def test_a_gzip_file_that_is_cut_short_or_damaged_is_read_as_far_as_it_goes_and_told_of(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(LINE.replace(b"/1 ", b"/%d " % number) for number in range(2000)))
    broken = bytearray(packed)
    broken[-6] ^= 0xFF  # its checksum
    other = tmp_path / "b.log"
    other.write_bytes(LINE * 3)
    begun = len(zlib.decompressobj(31).decompress(packed[:-300]).splitlines())
    assert 1000 < begun < 2000
    for content, lines, said in ((packed[:-300], begun, b"ends too early"), (bytes(broken), 2000, b"damaged gzip")):
        (tmp_path / "a.gz").write_bytes(content)
        done = run("convert", str(tmp_path / "a.gz"), str(other))
        assert done.returncode == 74
        assert b"a.gz: " in done.stderr
        assert said in done.stderr
        assert done.stdout.count(b"\n") == lines + 3
        told = run("explain", str(tmp_path / "a.gz"), str(other))
        assert told.returncode == 74
        assert said in told.stderr
        assert b"a.gz: %d lines, %d records" % (lines, lines) in told.stdout
        assert b"b.log: 3 lines, 3 records" in told.stdout


def test_what_waits_to_be_joined_when_a_file_breaks_off_is_written(tmp_path: Path) -> None:
    trace = (
        b"2026-11-20 08:51:00,123 ERROR [main] a.b.C - boom\njava.lang.IllegalStateException: x\n\tat a.b.d(C.java:1)"
    )
    (tmp_path / "a.gz").write_bytes(gzip.compress(trace)[:-5])
    done = run("convert", str(tmp_path / "a.gz"))
    assert done.returncode == 74
    assert json.loads(done.stdout)["attributes"]["exception.type"] == "java.lang.IllegalStateException"


def test_a_character_of_utf_16_that_is_cut_in_two_is_no_end_without_a_trace() -> None:
    for begun in (b"c", b"\x3d\xd8", b"\x3d\xd8\x00"):
        record = json.loads(run("convert", stdin=b"\xff\xfe" + "ab".encode("utf-16-le") + begun).stdout)
        assert record["body"] == "ab\ufffd"
    assert json.loads(run("convert", stdin=b"\xff\xfe" + "ab".encode("utf-16-le")).stdout)["body"] == "ab"


def test_each_file_is_a_stream_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(LINE.rstrip())
    second.write_bytes(LINE)
    assert run("convert", str(first), str(second)).stdout.count(b'"combined"') == 2


def test_the_mark_of_utf_8_is_no_text_of_the_first_line() -> None:
    mark = b"\xef\xbb\xbf"
    for first in (b'{"level":"info","msg":"one"}\r\n', LINE, b"2026-11-20 08:51:00,123 - shop - INFO - added\n"):
        done = run("convert", "--now", "2026-11-20T09:00:00Z", stdin=mark + first + mark + first)
        assert done.stdout == run("convert", "--now", "2026-11-20T09:00:00Z", stdin=first * 2).stdout


def test_a_zone_is_applied_with_its_daylight_saving() -> None:
    lines = b"2026-07-01 12:00:00,000 - a - INFO - x\n2026-12-01 12:00:00,000 - a - INFO - x\n"
    done = run("convert", "--timezone", "Europe/Berlin", stdin=lines)
    assert [json.loads(line)["timestamp"] for line in done.stdout.splitlines()] == [
        "2026-07-01T10:00:00.000Z",
        "2026-12-01T11:00:00.000Z",
    ]


def test_a_year_that_is_missing_is_the_one_in_which_the_file_was_written(tmp_path: Path) -> None:
    old = tmp_path / "messages"
    old.write_bytes(b"Dec 30 22:14:15 web su[231]: one\nJan  2 22:14:15 web su[231]: two\n")
    os.utime(old, (1104710400, 1104710400))  # 3 January 2005
    records = [json.loads(line) for line in run("convert", str(old)).stdout.splitlines()]
    assert [record["timestamp"] for record in records] == ["2004-12-30T22:14:15Z", "2005-01-02T22:14:15Z"]
    told = run("convert", "--now", "2026-11-20T09:00:00Z", str(old)).stdout.splitlines()
    assert [json.loads(line)["timestamp"][:10] for line in told] == ["2025-12-30", "2026-01-02"]


def test_what_must_not_be_stored_is_masked_on_demand() -> None:
    done = run("convert", "--redact", "ipv4", "--redact", "email", stdin=LINE.replace(b"curl/8", b"bob@example.com"))
    assert b"203.0.113.7" not in done.stdout
    assert json.loads(done.stdout)["attributes"]["user_agent.original"] == "[email]"
    assert run("convert", "--redact", "secrets").returncode == 64


def test_a_named_format_reads_only_its_lines() -> None:
    done = run("convert", "--format", "pino", stdin=LINE)
    assert json.loads(done.stdout)["log.format"] == "raw"


def test_a_reader_that_has_enough_is_no_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "convert", "/dev/zero"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(WAIT_S) == 0
        assert process.stderr.read() == b""


def test_a_reader_that_closes_at_once_is_no_error_of_the_other_commands(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(LINE)
    for arguments in (["explain", str(log)], ["formats"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=write_end, stderr=subprocess.PIPE, cwd=ROOT, timeout=WAIT_S, check=False
        )
        os.close(write_end)
        assert (done.returncode, done.stderr) == (0, b"")


def test_mistakes_are_named_with_64() -> None:
    for arguments, word in (
        (["convert", "--format", "nope"], b"nope"),
        (["convert", "--format", "combned"], b"did you mean combined?"),
        (["convert", "--timezone", "Mars"], b"Mars"),
        (["convert", "--now", "later"], b"later"),
        (["convert", "/nonexistent"], b"/nonexistent"),
        (["translate"], b"translate"),
    ):
        done = run(*arguments)
        assert done.returncode == 64
        assert word in done.stderr


def test_an_explanation_names_formats_shares_and_what_was_not_read(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(LINE * 3 + b"some words\n")
    done = run("explain", str(log), str(tmp_path / "none"))
    said = done.stdout.decode()
    assert done.returncode == 64
    assert "4 lines, 4 records, 75.0% read" in said
    assert "not read: some words" in said
    assert b"none" in done.stderr


def test_an_unread_line_does_not_steer_the_terminal() -> None:
    said = run("explain", "-", stdin="x \033[2J ä\tb\n".encode()).stdout.decode()
    assert "not read: x \\x1b[2J ä\\tb\n" in said


def test_the_help_of_the_mate_names_the_commands() -> None:
    said = run("--help").stdout.decode()
    assert re.findall(r"^  ([a-z]+) ", said, re.MULTILINE) == ["convert", "explain", "formats"]


def test_the_catalogue_is_listed() -> None:
    names = [line.split()[0] for line in run("formats").stdout.decode().splitlines()]
    assert {"combined", "pino", "spring_boot", "python_default", "logfmt"} <= set(names)
    assert len(names) == len(set(names))
