"""Headers that nobody described, made of their usual pieces: what is read is right, what is not sure is left out."""

import json
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_logformat.pipeline import Options, Stream

NOW = 1_795_161_060_000_000_000
MOMENT = datetime(2026, 11, 19, 18, 5, 7, 123000)
EPOCH = "1795111507.123"
TIMES = [
    "%Y-%m-%d %H:%M:%S,123", "%Y-%m-%dT%H:%M:%S.123Z", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S.123",
    "%Y.%m.%d %H:%M:%S",
    "%Y%m%d %H:%M:%S.123", "%Y%m%d-%H:%M:%S:123", "%Y%m%dT%H%M%S", "%d/%b/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S.123",
    "%d %b %Y %H:%M:%S,123", "%b %d %Y %H:%M:%S", "%b %d, %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%y/%m/%d %H:%M:%S", "%m-%d %H:%M:%S.123", EPOCH,
    "%Y-%m-%d %H:%M:%S.123 +0000", "%Y-%m-%d %H:%M:%S UTC", "%a, %d %b %Y %H:%M:%S GMT",
]  # fmt: skip
LEVELS = ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL"]
MESSAGES = [
    "started", "connection from 192.0.2.1 port 22", "a=1 and b=2 now", "reading file /tmp/x: done", "took 12 ms",
    "user x - none", "[x] y", "it is so: 3", "", "Error in nothing", "100% of 7", '"quoted" text', "- dashed",
]  # fmt: skip
NUMBERS = {"DEBUG": 5, "INFO": 9, "WARN": 13, "WARNING": 13, "ERROR": 17, "FATAL": 21}


@st.composite
def headers(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A line and the truth about it."""
    truth: dict[str, Any] = {}
    layout = draw(st.sampled_from(TIMES))
    time = MOMENT.strftime(layout)
    time = draw(st.sampled_from(["{}", "[{}]", "<{}>"])).format(time)
    pieces = []
    if draw(st.booleans()):
        truth["process.pid"] = draw(st.integers(1, 99999))
        pieces.append(draw(st.sampled_from(["[{}]", "({})"])).format(truth["process.pid"]))
    if draw(st.integers(0, 3)):
        truth["severity_text"] = draw(st.sampled_from(LEVELS))
        level = draw(st.sampled_from(["{}", "[{}]", "<{}>", "{}:", "({})"])).format(truth["severity_text"])
        pieces.insert(draw(st.integers(0, len(pieces))), level)
        if draw(st.booleans()):
            truth["otel.scope.name"] = draw(st.sampled_from(["shop.cart", "com.example.Shop", "core::net", "worker"]))
            pieces.append(truth["otel.scope.name"] + ":")
    # A number with nothing behind it is no header.
    messages = MESSAGES if pieces or layout != EPOCH else list(filter(None, MESSAGES))
    truth["body"] = draw(st.sampled_from(messages))
    gap = draw(st.sampled_from([" ", "  ", "\t", " - ", " | "]))
    line = gap.join([time, *pieces, truth["body"]])
    truth["time"] = MOMENT.strftime("%Y-%m-%dT%H:%M:%S")
    return line, truth


@given(headers())
@settings(max_examples=1000)
def test_nothing_is_read_wrongly(made: tuple[str, dict[str, Any]]) -> None:
    line, truth = made
    stream = Stream(Options())
    (raw,) = (stream.feed(line.encode() + b"\n", NOW) + stream.flush(NOW)).splitlines()
    record = json.loads(raw)
    told = record.get("attributes", {})
    assert record["timestamp"][:19] == truth["time"], record
    if "severity_text" in truth:
        assert record["severity_text"] == truth["severity_text"], record
        assert record["severity_number"] == NUMBERS[truth["severity_text"]]
    else:
        assert "severity_text" not in record, record
    assert told.get("process.pid", truth.get("process.pid")) == truth.get("process.pid"), record
    assert told.get("otel.scope.name", truth.get("otel.scope.name")) == truth.get("otel.scope.name"), record
    assert record.get("body", "").endswith(truth["body"].strip()) or truth["body"] == "- dashed", record
