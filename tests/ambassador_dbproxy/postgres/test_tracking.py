"""Following a session by headers: quiet moments, counted transactions, any slicing."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.postgres.tracking import MAX_SHAPED_BYTES, MAX_SHAPES, SessionTracker, Shapes


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def ready(status: bytes) -> bytes:
    return message(b"Z", status)


QUERY, SYNC, PARSE = message(b"Q", b"SELECT 1\0"), message(b"S"), message(b"P", b"\0SELECT 1\0\0\0")
ROW, DONE, ERROR = message(b"D", b"Z\0\0\0\5I" * 3), message(b"C", b"SELECT 1\0"), message(b"E", b"SERROR\0C42P01\0\0")
FLUSH, ROWS = message(b"H"), message(b"d", b"1\n") * 2
COPY_IN = message(b"G", b"\0\0\0")
NOTICE = message(b"A", b"\0\0\0\1news\0\0")
Step = tuple[str, bytes, bool]


def play(steps: list[Step], step: int | None = None) -> SessionTracker:
    """Feed (direction, bytes, quiet afterwards?) and check each."""
    tracker = SessionTracker(lambda _: None, Shapes())
    for side, data, quiet in steps:
        feed = tracker.client_bytes if side == "app" else tracker.server_bytes
        size = step or max(1, len(data))
        for at in range(0, len(data), size):
            feed(data[at : at + size])
        assert tracker.quiet is quiet, (side, data)
    return tracker


@pytest.mark.parametrize("step", [None, 1, 2, 5, 6])
@pytest.mark.parametrize(
    "steps",
    [
        [("app", QUERY, False), ("server", ROW + DONE + ready(b"I"), True)],
        [("app", QUERY, False), ("server", ready(b"T"), False), ("app", QUERY, False), ("server", ready(b"I"), True)],
        [("app", QUERY, False), ("server", ERROR + ready(b"E"), False)],
        [("app", QUERY + QUERY, False), ("server", ready(b"I"), False), ("server", ready(b"I"), True)],
        [("app", PARSE, False), ("app", SYNC, False), ("server", message(b"1") + ready(b"I"), True)],
        [("app", QUERY[:7], False), ("app", QUERY[7:], False), ("server", ready(b"I"), True)],
        [("server", NOTICE, True), ("server", NOTICE[:8], False), ("server", NOTICE[8:], True)],
        [("app", QUERY, False), ("server", ROW, False), ("server", DONE, False), ("server", ready(b"I"), True)],
        [("app", message(b"X"), True)],
        [
            ("app", PARSE + FLUSH, False),
            ("server", message(b"1"), False),
            ("app", SYNC, False),
            ("server", ready(b"I"), True),
        ],
        [
            ("app", QUERY, False),
            ("app", ROWS + SYNC + ROWS + message(b"c"), False),
            ("server", DONE + ready(b"I"), True),
        ],
        [("app", PARSE + ROWS + message(b"c"), False), ("app", SYNC, False), ("server", DONE + ready(b"I"), True)],
    ],
)
def test_quiet_moments(steps: list[Step], step: int | None) -> None:
    play(steps, step)


@pytest.mark.parametrize("data", [b"", ROWS])
@pytest.mark.parametrize("step", [None, 1, 2, 5, 6])
def test_a_sync_beside_the_execute_of_a_copy_is_not_answered(step: int | None, data: bytes) -> None:
    """libpq asks so for a COPY with parameters, and again behind the data; the server answers the last Sync alone."""
    copy: list[Step] = [
        ("app", PARSE + SYNC, False),
        ("server", message(b"1") + COPY_IN, False),
        ("app", data + message(b"c") + SYNC, False),
    ]
    play([*copy, ("server", DONE + ready(b"I"), True), ("app", SYNC, False), ("server", ready(b"I"), True)], step)
    play([*copy, ("server", ERROR + ready(b"I"), True)], step)


@pytest.mark.parametrize("between", [FLUSH, SYNC, FLUSH + SYNC, SYNC + FLUSH])
@pytest.mark.parametrize("step", [None, 1, 2, 5, 6])
def test_no_sync_before_the_data_of_a_copy_is_answered(step: int | None, between: bytes) -> None:
    copy: list[Step] = [
        ("app", PARSE + SYNC, False),
        ("app", between, False),
        ("server", message(b"1") + COPY_IN, False),
        ("app", ROWS + message(b"c") + SYNC, False),
        ("server", DONE + ready(b"I"), True),
    ]
    play([*copy, *copy, ("app", QUERY, False), ("server", ready(b"I"), True)], step)
    play([("app", PARSE + SYNC + between, False), *copy[2:]], step)


@pytest.mark.parametrize("step", [None, 1, 2, 5, 6])
def test_a_copy_is_open_while_an_answer_before_it_is_due(step: int | None) -> None:
    steps: list[Step] = [
        ("app", PARSE + SYNC, False),
        ("app", PARSE + SYNC, False),
        ("app", ROWS, False),
        ("server", DONE + ready(b"I"), False),
        ("app", ROWS + message(b"c"), False),
        ("app", SYNC, False),
        ("server", DONE + ready(b"I"), True),
    ]
    play(steps, step)


@pytest.mark.parametrize("step", [None, 1, 2, 5, 6])
def test_a_copy_that_fails_is_over_whether_the_app_ends_it_or_not(step: int | None) -> None:
    """pgjdbc sends neither CopyDone nor CopyFail behind the server's error."""
    copy: list[Step] = [("app", QUERY, False), ("server", COPY_IN, False), ("app", ROWS, False)]
    for late in (b"", ROWS, ROWS + message(b"c")):
        failed: list[Step] = [("server", ERROR + ready(b"I"), True), *([("app", late, True)] if late else [])]
        play([*copy, *failed, ("app", PARSE + SYNC, False), ("server", ready(b"I"), True)], step)


@pytest.mark.parametrize("step", [None, 1, 3])
def test_the_goodbye_is_seen_behind_what_is_still_asked(step: int | None) -> None:
    assert not play([("app", QUERY + message(b"Q", b"X\0\0\0\4\0"), False)], step).said_goodbye
    assert play([("app", QUERY + message(b"X"), False)], step).said_goodbye


def test_transactions_and_errors_are_counted() -> None:
    seen: list[str] = []
    tracker = SessionTracker(seen.append, Shapes())
    tracker.client_bytes(QUERY * 3)
    tracker.server_bytes((ERROR + ready(b"I")) * 3)
    assert tracker.transactions == 3
    assert seen == ["42P01"] * 3


def test_between_messages_one_of_ours_may_follow() -> None:
    tracker = play([("app", QUERY, False), ("server", ROW, False)])
    assert tracker.between_messages
    tracker.server_bytes(DONE[:3])
    assert not tracker.between_messages


@pytest.mark.parametrize("side", ["app", "server"])
def test_what_is_not_the_protocol_is_never_quiet_again(side: str) -> None:
    tracker = play([(side, b"D\0\0\0\1 and more", False)])
    assert tracker.lost
    tracker.server_bytes(ready(b"I"))
    assert not tracker.quiet


CONVERSATION = st.lists(
    st.sampled_from([ROW, DONE, ERROR, NOTICE, ready(b"I"), ready(b"T"), message(b"1")]), max_size=12
)


@given(CONVERSATION, st.lists(st.integers(0, 200), max_size=12))
def test_slicing_changes_nothing(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(messages)
    whole, sliced = SessionTracker(lambda _: None, Shapes()), SessionTracker(lambda _: None, Shapes())
    whole.server_bytes(stream)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        sliced.server_bytes(stream[start:end])
    assert (whole.quiet, whole.transactions, whole.between_messages) == (
        sliced.quiet,
        sliced.transactions,
        sliced.between_messages,
    )


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=10))
def test_no_bytes_are_a_surprise(chunks: list[tuple[bool, bytes]]) -> None:
    tracker = SessionTracker(lambda _: None, Shapes())
    for from_app, chunk in chunks:
        (tracker.client_bytes if from_app else tracker.server_bytes)(chunk)


APP = st.sampled_from(
    [QUERY, message(b"Q", b"SELECT 2\0"), PARSE, SYNC, FLUSH, ROWS, message(b"c"), QUERY[:7], b"S\0\0"]
)
SERVER = st.sampled_from(
    [ROW, message(b"D", b"Y" * 21), DONE, ERROR, NOTICE, ready(b"I"), ready(b"T"), message(b"1"), ROW[:9], b"Z\0\0"]
)
CHUNKS = st.lists(st.tuples(st.booleans(), st.lists(APP, max_size=4), st.lists(SERVER, max_size=4)), max_size=12)


@given(CHUNKS)
def test_known_shapes_change_nothing(chunks: list[tuple[bool, list[bytes], list[bytes]]]) -> None:
    """The fast path against the slow one, whose shapes are forgotten before each chunk."""
    shapes, none = Shapes(), Shapes()
    fast, slow = SessionTracker(lambda _: None, shapes), SessionTracker(lambda _: None, none)
    # The same again at once, so that shapes are met for which they were learned.
    for from_app, of_app, of_server in chunks + chunks:
        chunk = b"".join(of_app if from_app else of_server)
        none.server.clear()
        none.client.clear()
        for tracker in (fast, slow):
            (tracker.client_bytes if from_app else tracker.server_bytes)(chunk)
        assert (fast.quiet, fast.transactions, fast.between_messages, fast.lost) == (
            slow.quiet,
            slow.transactions,
            slow.between_messages,
            slow.lost,
        )


def test_shapes_are_bounded() -> None:
    shapes = Shapes()
    tracker = SessionTracker(lambda _: None, shapes)
    for size in range(3000):
        tracker.client_bytes(message(b"Q", b"x" * size))
    assert 0 < len(shapes.client) <= MAX_SHAPES
    assert max(shapes.client) <= MAX_SHAPED_BYTES
