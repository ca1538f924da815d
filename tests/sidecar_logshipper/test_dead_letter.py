"""The dead-letter file: the line, where it was, and why; bounded."""

import json
from pathlib import Path

import pytest

from logtail.chunk import Chunk, Source
from sidecar_logshipper.batch import Part
from sidecar_logshipper.dead_letter import DeadLetterFile, DeadLetterFull


def part(line: bytes) -> Part:
    return Part.of(Chunk(Source("/log/app.log", "1-a"), 4711, line))


def test_a_line_with_its_reason(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "new/dead.jsonl", 1000, clock=lambda: 0.0)
    file.write(part(b"poison\n"), "http_400", "cannot parse")
    file.write(part(b"\xff\xfe\n"), "http_400", "")
    first, second = map(json.loads, (tmp_path / "new/dead.jsonl").read_text().splitlines())
    assert first == {
        "time": "1970-01-01T00:00:00+00:00",
        "reason": "http_400",
        "answer": "cannot parse",
        "path": "/log/app.log",
        "generation": "1-a",
        "offset": 4711,
        "line": "poison",
    }
    assert second["line_base64"] == "//4K"


def test_it_is_bounded(tmp_path: Path) -> None:
    file = DeadLetterFile(tmp_path / "dead.jsonl", 300, clock=lambda: 0.0)
    file.write(part(b"a\n"), "http_400", "")
    before = (tmp_path / "dead.jsonl").read_bytes()
    with pytest.raises(DeadLetterFull):
        file.write(part(b"b" * 200 + b"\n"), "http_400", "")
    assert (tmp_path / "dead.jsonl").read_bytes() == before


def test_one_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").mkdir()
    with pytest.raises(OSError, match="directory"):
        DeadLetterFile(tmp_path / "dead.jsonl", 400, clock=lambda: 0.0).write(part(b"a\n"), "http_400", "")
