"""From lines to records, as a transcript; the fast paths held equal to the one that goes line by line."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar_logshipper.ndjson import Ndjson
from sidecar_logshipper.raw import Raw

BARE = Ndjson({})
MERGED = Ndjson({"app": "web", "k8s.pod.name": 'a"b'})
FRONT = b'{"app":"web","k8s.pod.name":"a\\"b",'


def test_objects_go_through_unchanged() -> None:
    lines = b'{"a":1}\n { "b" : [1, {"c": null}] } \r\n{}\n'
    assert BARE.encode(lines) == lines


def test_metadata_goes_in_front_so_that_the_lines_own_value_stands() -> None:
    assert MERGED.encode(b'{"a":1}\n{"app":"mine"}\n') == FRONT + b'"a":1}\n' + FRONT + b'"app":"mine"}\n'
    assert json.loads(MERGED.encode(b'{"app":"mine"}\n'))["app"] == "mine"


def test_an_empty_object_becomes_the_metadata_alone() -> None:
    assert MERGED.encode(b"{}\n{ }\n") == (FRONT[:-1] + b"}\n") * 2


def test_everything_else_becomes_a_message() -> None:
    assert BARE.encode(b"hello\n\n") == b'{"message":"hello"}\n{"message":""}\n'
    assert MERGED.encode(b"hello\n") == FRONT + b'"message":"hello"}\n'


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1',
        b'{"a":1,}',
        b'{"a":1}}',
        b'{"a":1} x',
        b'{"a":1}{"b":2}',
        b"{a:1}",
        b'{"a":NaN}',
        b'{"a":"\x01"}',
        b"[1,2]",
        b'"text"',
        b"17",
        b"null",
        b"{",
        b"}",
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_what_only_looks_like_an_object_becomes_a_message(line: bytes) -> None:
    for encoder in (BARE, MERGED):
        assert json.loads(encoder.encode(line + b"\n"))["message"] == line.decode()
        both = encoder.encode(b'{"good":1}\n' + line + b"\n").splitlines()
        assert json.loads(both[0])["good"] == 1
        assert json.loads(both[1])["message"] == line.decode()


def test_an_object_over_several_lines_is_several_messages() -> None:
    records = BARE.encode(b'{\n"a":1\n}\n{"b":2}\n').splitlines()
    assert [json.loads(record) for record in records] == [
        {"message": "{"},
        {"message": '"a":1'},
        {"message": "}"},
        {"b": 2},
    ]


TRAPS = [
    b'{"a":1}{"b":2}\n{"c":\n3}\n',
    b'{"a":1} {"b":2}\n{"c":{}\n}\n',
    b'{"a":1}\n{"b":\n{"c":2}}\n{}{}\n',
    b'{"a":1} "\x7f" {"b":2}\n{"c":\n}\n',
    b'{"a":"x\ny"}\n{}{}\n',
    b'{"a":[\n]}\n{}{}\n',
    b'{"a":1}\n"text"\n{}{}\n',
    b'{"a":1}\n\n{}{}\n',
    b'{"a":1\n,"b":2}\n{}{}\n',
    b'{"a":"delete \x7f"}\n{"c":\n3}\n{}{}\n',
]


@pytest.mark.parametrize("chunk", TRAPS)
def test_as_many_objects_as_lines_is_not_yet_one_on_each(chunk: bytes) -> None:
    for encoder in (BARE, MERGED):
        records = encoder.encode(chunk)
        assert records == encoder.encode_by_line(chunk)
        assert all(isinstance(json.loads(record), dict) for record in records.splitlines())


def test_lines_that_hold_the_mark_of_the_check_are_checked_in_another_way() -> None:
    lines = b'{"a":"delete \x7f"}\n{"b":2}\n'
    assert BARE.encode(lines) == lines


def test_escapes() -> None:
    text = 'quote " backslash \\ tab \t bell \x07 nul \x00 delete \x7f umlaut ü emoji 🙂 return \r in between'
    assert json.loads(BARE.encode(text.encode() + b"\n")) == {"message": text}


def test_a_carriage_return_at_the_end_is_dropped() -> None:
    assert BARE.encode(b"one\r\ntwo\r\n") == b'{"message":"one"}\n{"message":"two"}\n'


def test_bytes_that_are_not_utf8_are_replaced_within_their_line() -> None:
    assert BARE.encode(b"ab\xff\ncut \xe2\x82\nok\n").decode().splitlines() == [
        '{"log.invalid_utf8":true,"message":"ab\ufffd"}',
        '{"log.invalid_utf8":true,"message":"cut \ufffd"}',
        '{"message":"ok"}',
    ]


def test_the_last_line_may_lack_its_newline() -> None:
    assert BARE.encode(b'{"a":1}\n{"b":2}') == b'{"a":1}\n{"b":2}\n'
    assert BARE.encode(b"one\ntwo") == b'{"message":"one"}\n{"message":"two"}\n'
    assert BARE.encode(b"") == b""


def test_a_piece_of_a_longer_line_is_marked() -> None:
    assert BARE.encode(b'{"a":1}', partial=True) == b'{"log.partial":true,"message":"{\\"a\\":1}"}\n'
    assert MERGED.encode(b"end\n", partial=True) == FRONT + b'"log.partial":true,"message":"end"}\n'


LINES = st.one_of(
    st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",))).map(str.encode),
    st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from([b"{}", b"{", b"}", b'{"', b'"}', b"{ }", b' {"a":1}', b'{"a":1} ', b'{"a":1}\r', b"", b'{"":0}']),
    st.sampled_from(
        [b'{"a":', b"1}", b"{}{}", b"{} {}", b'{"a":[', b"]}", b'"\x7f"', b'{"a":"\x7f"}', b',"b":2}', b"null"]
    ),
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3).map(
        lambda members: json.dumps(members).encode()
    ),
)


@given(st.one_of(st.lists(LINES, min_size=1), st.lists(LINES.filter(lambda line: line[:2] == b'{"'), min_size=1)))
@example([b'{"a":1}', b'{"b":2}'])
@example([b'{"a":1}', b"{}"])
@example([b'{"a":[', b'{"b":2}]}'])
def test_whole_chunks_give_the_same_bytes_as_single_lines(lines: list[bytes]) -> None:
    chunk = b"\n".join(lines) + b"\n"
    for encoder in (BARE, MERGED):
        assert encoder.encode(chunk) == encoder.encode_by_line(chunk)


@given(st.lists(LINES, min_size=1))
def test_one_record_for_each_line_and_each_is_json(lines: list[bytes]) -> None:
    records = MERGED.encode(b"\n".join(lines) + b"\n").split(b"\n")
    assert len(records) == len(lines) + 1
    for record in records[:-1]:
        assert "app" in json.loads(record.decode("utf-8", "replace"))


def test_raw_adds_only_a_missing_newline() -> None:
    assert Raw().encode(b"a\n\xff\n") == b"a\n\xff\n"
    assert Raw().encode(b"a\nb") == b"a\nb\n"
    assert Raw().encode(b"piece", partial=True) == b"piece\n"
    assert Raw().encode(b"") == b""
