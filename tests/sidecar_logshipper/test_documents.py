"""Lines as JSON documents: the fast path held equal to the one that looks at each line; no member twice."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logtail.chunk import Chunk, Source
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.dating import Dating
from sidecar_logshipper.documents import Documents
from sidecar_logshipper.lines import LineReader
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.records import around, only, singles

SEEN_US = 1_700_000_000_000_000
ORIGIN = Origin({"app": "web", 'say "hi"': "\\"}, {"k8s.pod.name": "web-1"}, "uid")

NAMES = st.sampled_from(["app", "timestamp", "@timestamp", "id", "level", "n", "message", "k8s.pod.name", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("2026-01-02T03:04:05Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4).map(lambda tree: json.dumps(tree, ensure_ascii=False).encode())
LINES = OBJECTS | st.binary(max_size=20).map(lambda line: line.replace(b"\n", b" ")) | st.just(b'{"a":1}{"b":2}')


def part(content: bytes, start: int = 0) -> Part:
    return Part.of(Chunk(Source("/log/app.log", f"a-{SEEN_US:x}"), start, content))


def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(members)) == len(members), f"a member comes twice: {members}"
    return dict(members)


@pytest.mark.parametrize("time_name", ["", "timestamp", "@timestamp"])
@pytest.mark.parametrize("id_name", ["", "id"])
@given(lines=st.lists(LINES, min_size=1, max_size=5))
@example(lines=[b'{"timestamp":"2026-01-02T03:04:05Z"}'])
@example(lines=[b'{"a":1}{"b":2}', b'{"c":{}', b"}"])
@example(lines=[b'{"app":"own"}', b" {} ", b"\r"])
def test_every_line_is_one_document(time_name: str, id_name: str, lines: list[bytes]) -> None:
    documents = Documents(ORIGIN, time_name=time_name, id_name=id_name)
    content = b"".join(line + b"\n" for line in lines)
    together = documents.of(part(content))
    assert len(together) == len(lines)
    apart, offset = [], 0
    for line in lines:
        apart += documents.of(part(line + b"\n", offset))
        offset += len(line) + 1
    assert together == apart
    for line, document in zip(lines, together, strict=True):
        found = json.loads(document, object_pairs_hook=once)
        assert isinstance(found["k8s.pod.name"], object)
        try:
            own = json.loads(line)
        except ValueError:
            own = None
        if isinstance(own, dict):
            untouched = {name: value for name, value in own.items() if name != time_name}
            assert {name: found[name] for name in untouched} == untouched
        elif not isinstance(own, list | int | float | str | None):
            assert "message" in found
        if time_name:
            assert isinstance(found[time_name], str)
        if id_name:
            assert id_name in found


@pytest.mark.parametrize("said", ["1e400", "-1e400", "[" * 900 + "]" * 900, '{"a":1e999}', "1" * 5000])
def test_a_time_that_cannot_be_read_is_none(said: str) -> None:
    content = b'{"@timestamp":%b,"a":1}\n{"a":2}\n' % said.encode()
    documents = Documents(ORIGIN, time_name="@timestamp").of(part(content))
    times = [json.loads(document)["@timestamp"] for document in documents]
    assert [time[:20] for time in times] == ["2023-11-14T22:13:20."] * 2
    assert json.loads(documents[0])["a"] == 1


@given(st.lists(LINES, min_size=1, max_size=6), st.integers(0, 1000))
def test_the_reader_finds_the_same_in_a_chunk_as_in_its_lines(lines: list[bytes], start: int) -> None:
    reader = LineReader("timestamp", Dating())
    together = reader.read(part(b"".join(line + b"\n" for line in lines), start))
    offset = start
    for place, line in enumerate(lines):
        alone = reader.read(part(line + b"\n", offset))
        assert (together.text[place], together.offsets[place]) == (alone.text[0], alone.offsets[0] or offset)
        assert (together.told[place] is None) == (alone.told[0] is None)
        assert together.times[place] == alone.times[0]
        offset += len(line) + 1


@given(
    st.lists(st.lists(st.sampled_from([b"a", b"bb", b""]), min_size=1, max_size=4), min_size=1, max_size=4), st.data()
)
def test_records_are_picked_by_their_place(groups: list[list[bytes]], data: st.DataObject) -> None:
    parts = tuple(part(b"".join(line + b"\n" for line in group), n * 100) for n, group in enumerate(groups))
    batch = Batch(parts)
    records = [single for each in parts for single in singles(each)]
    assert [(each.count, each.chunk.data.count(b"\n")) for each in records] == [(1, 1)] * batch.count
    places = data.draw(st.sets(st.integers(0, batch.count - 1)))
    assert list(only(batch, places).parts) == [records[place] for place in sorted(places)]
    place = data.draw(st.integers(0, batch.count - 1))
    pieces = around(batch, place)
    found = [single for piece in pieces for each in piece.parts for single in singles(each)]
    assert found == records
    assert pieces[1 if place else 0].count == 1
