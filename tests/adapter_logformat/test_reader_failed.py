"""A format whose reader fails instead of refusing a line: the line goes out whole and says so, and others are read."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapter_logformat.grammar import Fast, Format
from adapter_logformat.options import BUG, Tally
from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times

NOW = 1_795_161_060_000_000_000


def fails_on_secrets(line: str, times: Times) -> Record:
    if "secret" in line:
        raise KeyError(line)
    return Record("shaky", body=line)


def fails_to_render(line: str, times: Times) -> Record:
    return Record("shaky", body="\ud800" if "secret" in line else line)


@pytest.mark.parametrize("read", [fails_on_secrets, fails_to_render])
def test_one_line_does_not_keep_the_others_from_being_read(
    read: Callable[[str, Times], Record], bugs_are_told: None
) -> None:
    stream = Stream(Options(own=[Format("shaky", "fails", 90, read, "x")]), tally := Tally())
    written = stream.feed(b"one\nthe secret\ntwo\n", NOW) + stream.flush(NOW)
    records: list[dict[str, Any]] = list(map(json.loads, written.splitlines()))
    assert [record["body"] for record in records] == ["one", "the secret", "two"]
    assert [record.get("parse.error") for record in records] == [None, BUG, None]
    assert tally.records == {"shaky": 2, "raw": 1}
    assert tally.unparsed == {BUG: 1}
    (told,) = tally.untold_bugs()
    assert "secret" not in told
    assert "Error at " in told
    assert tally.untold_bugs() == []


def test_a_fast_form_that_cannot_be_built_leaves_all_lines_to_the_slow_path(bugs_are_told: None) -> None:
    def fast(render: Render) -> Fast:
        raise ValueError("no template")

    shaky = Format("shaky", "fails", 90, lambda line, times: Record("shaky", body=line), "x", fast=fast)
    stream = Stream(Options(own=[shaky]))
    written = stream.feed(b"one\n", NOW) + stream.feed(b"two\nthree\n", NOW) + stream.flush(NOW)
    assert [json.loads(line)["body"] for line in written.splitlines()] == ["one", "two", "three"]
    assert any(bug.startswith("ValueError") for bug in stream.tally.bugs)
