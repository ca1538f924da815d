"""Texts of the demo: raw events, records, last words, the ledger as it grows, and what a signal does."""

import asyncio
import json
from pathlib import Path

import pytest

from podmates.interruption import Interruption
from podmates.ledger import Ledger
from podmates.narration import event_lines, last_event, raw_event, record_text
from podmates.sample_app.event_log import EventLog


def test_an_event_is_its_line_and_the_trace_below() -> None:
    assert event_lines(["a evt-1", "\tat x", "", "b evt-2", "\tat y"]) == ["a evt-1", "\tat x", ""]
    assert event_lines(["a evt-1"]) == ["a evt-1"]


def test_a_record_is_shown_one_member_a_line() -> None:
    assert record_text({"a": 1, "b": {"c": "é"}}) == '{"a": 1,\n "b": {"c": "é"}}'


def test_the_last_event_of_a_name() -> None:
    lines = ["no json", "[1]", '{"event": "stopped", "n": 1}', '{"event": "stopped", "n": 2}', '{"event": "other"}']
    assert last_event(lines, "stopped") == {"n": 2}
    assert last_event(lines, "missing") is None


def test_what_is_logged_is_in_the_ledger_and_can_be_found_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.events() == []
    log = EventLog(tmp_path / "app", ledger.path, instance="abc")
    first, second = log.new_event("python"), log.new_event("json")
    assert (first, second) == ("evt-abc-python-000001", "evt-abc-json-000002")
    log.write("python", first, f"it failed ({first})\n  frame\nValueError: x", {"severity_number": 17})
    assert [(item.event, item.kind, item.last_line) for item in ledger.events()] == [(first, "python", "ValueError: x")]
    log.write("json", second, json.dumps({"event": second}), {})
    log.write("access", None, "a line", {})
    assert [item.event for item in ledger.events()] == [first, second, None]
    assert [item.last_line for item in ledger.events()] == ["ValueError: x", "", ""]
    log.close()
    path, text = raw_event(tmp_path, "python", first)
    assert (path.name, text) == ("worker.log", f"it failed ({first})\n  frame\nValueError: x")


async def test_a_signal_cancels_what_is_going_on_once() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    interruption = Interruption(task)
    interruption.arrive(2)
    interruption.arrive(15)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert interruption.signal == 2


async def test_a_signal_that_is_waited_for_cancels_nothing() -> None:
    async def wait() -> str:
        await interruption.wait()
        return "it came"

    task = asyncio.create_task(wait())
    interruption = Interruption(task)
    await asyncio.sleep(0)
    interruption.arrive(2)
    assert await task == "it came"
    assert interruption.signal is None
