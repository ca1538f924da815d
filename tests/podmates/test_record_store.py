"""What the log server keeps: each record once, and after any crash everything it had acknowledged."""

from pathlib import Path

import pytest

from podmates.log_server.record_store import RecordStore, is_record, lines_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def kept(store: RecordStore) -> bytes:
    return store.read(0, 1_000_000)


def test_records_are_kept_in_order_each_once(path: Path) -> None:
    store = RecordStore(path)
    store.add([b'{"a":1}', b'{"b":2}', b'{"a":1}'])
    store.add([b'{"b":2}', b'{"c":3}'])
    assert kept(store) == b'{"a":1}\n{"b":2}\n{"c":3}\n'
    assert (store.counts.records, store.counts.repeats) == (3, 2)


def test_it_comes_back_with_everything_and_recognises_it(path: Path) -> None:
    first = RecordStore(path)
    first.add([b'{"a":1}', b'{"b":2}'])
    # No close: the process was killed.
    second = RecordStore(path)
    second.add([b'{"b":2}', b'{"c":3}'])
    assert kept(second) == b'{"a":1}\n{"b":2}\n{"c":3}\n'
    assert (second.counts.records, second.counts.repeats) == (3, 1)


@pytest.mark.parametrize("torn", [b'{"b"', b'{"b":2}'])
def test_a_record_torn_by_a_crash_is_taken_away_and_may_come_again(path: Path, torn: bytes) -> None:
    path.write_bytes(b'{"a":1}\n' + torn)
    store = RecordStore(path)
    assert kept(store) == b'{"a":1}\n'
    store.add([b'{"b":2}'])
    assert path.read_bytes() == b'{"a":1}\n{"b":2}\n'


def test_it_is_read_in_pages_of_whole_records(path: Path) -> None:
    store = RecordStore(path)
    store.add([b'{"a":1}', b'{"b":2}', b'{"long":' + b"9" * 50 + b"}"])
    assert store.read(0, 20) == b'{"a":1}\n{"b":2}\n'
    assert store.read(8, 10) == b'{"b":2}\n'
    assert len(store.read(16, 20)) == 20  # longer than a page: it comes in pieces
    assert store.read(1_000, 20) == b""


def test_lines_of_a_body() -> None:
    assert list(lines_of(b"a\n\nb\n \nc")) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("line", "good"), [(b"{}", True), (b"[1]", False), (b"{", False), (b"\xff", False), (b"", False)]
)
def test_a_record_is_a_json_object(line: bytes, good: bool) -> None:
    assert is_record(line) is good
