"""Following a session by its packets: quiet moments, counted responses, intercepted changes of user, any slicing."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.tracking import LOOK_BYTES, SessionTracker
from ambassador_dbproxy.mysql.wire import encode

EOF_MODE, OK_MODE = 0, can.DEPRECATE_EOF
TRANSACTION, AUTOCOMMIT, MORE, CURSOR = 1, 2, 8, 0x40


def command(code: int, body: bytes = b"") -> bytes:
    return encode(0, bytes((code,)) + body)


def ok(status: int = AUTOCOMMIT, mark: bytes = b"\0", text: bytes = b"") -> bytes:
    return encode(1, mark + b"\0\0" + status.to_bytes(2, "little") + b"\0\0" + text)


def eof(status: int = AUTOCOMMIT) -> bytes:
    return encode(5, b"\xfe\0\0" + status.to_bytes(2, "little"))


QUERY, PREPARE, EXECUTE = command(3, b"SELECT 1"), command(22, b"SELECT ?"), command(23, b"\1\0\0\0\0\1\0\0\0")
CLOSE, LONG_DATA, PING, STATISTICS, FETCH = (
    command(code, b"\1\0\0\0") for code in (25, 24, 14, 9, 28)
)  # fmt: skip
END = ok(mark=b"\xfe")
COUNT, COLUMN, ROW, NULL_ROW = (
    encode(1, b"\1"),
    encode(2, b"\3def" + b"\0" * 30),
    encode(3, b"\0011"),
    encode(3, b"\xfb"),
)
ERROR = encode(1, b"\xff\x7a\x04#42S02Table 'x' doesn't exist")
PROGRESS = encode(1, b"\xff\xff\xff\1\1\2\0\0\0\5stage")
FILE_REQUEST = encode(1, b"\xfb/tmp/x")


def prepared(columns: int, parameters: int) -> bytes:
    counts = columns.to_bytes(2, "little") + parameters.to_bytes(2, "little")
    return encode(1, b"\0\1\0\0\0" + counts + b"\0\0\0\0")


Step = tuple[str, bytes, bool]


def tracker(capabilities: int = EOF_MODE, *, intercept: bool = False, seen: list[str] | None = None) -> SessionTracker:
    return SessionTracker(capabilities, AUTOCOMMIT, intercept=intercept, on_error=(seen or []).append)


def play(steps: list[Step], capabilities: int = EOF_MODE, step: int | None = None) -> SessionTracker:
    """Feed (direction, bytes, quiet afterwards?) and check each; everything of the app passes."""
    it = tracker(capabilities)
    for side, data, quiet in steps:
        size = step or max(1, len(data))
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        if side == "app":
            assert b"".join([it.client_bytes(each) for each in pieces]) == data
        else:
            for each in pieces:
                it.server_bytes(each)
        assert not it.lost
        assert it.quiet is quiet, (side, data)
    return it


BOTH: list[list[Step]] = [
    [("app", QUERY, False), ("server", ok(), True)],
    [("app", QUERY, False), ("server", ERROR, True)],
    [("app", QUERY, False), ("server", ok(TRANSACTION), False), ("app", QUERY, False), ("server", ok(), True)],
    [("app", QUERY, False), ("server", ok(TRANSACTION), False), ("app", QUERY, False), ("server", ERROR, False)],
    [("app", QUERY, False), ("server", ok(MORE), False), ("server", ok(), True)],
    [("app", QUERY, False), ("server", ok(MORE), False), ("server", ERROR, True)],
    [("app", QUERY, False), ("server", PROGRESS, False), ("server", PROGRESS, False), ("server", ok(), True)],
    [("app", CLOSE, True), ("app", LONG_DATA, True)],
    [("app", PING, False), ("server", ok(), True)],
    [("app", STATISTICS, False), ("server", encode(1, b"Uptime: 5"), True)],
    [("app", QUERY + PING, False), ("server", ok(), False), ("server", ok(), True)],
    [("app", QUERY[:7], False), ("app", QUERY[7:], False), ("server", ok(), True)],
    [("app", PREPARE, False), ("server", prepared(0, 0), True)],
    [("app", PREPARE, False), ("server", ERROR, True)],
    [("server", ERROR, True)],  # a server that shuts down speaks unasked
    [("app", QUERY, False), ("server", FILE_REQUEST, False), ("app", encode(2, b"1,2\n"), False),
     ("app", encode(3, b"3,4\n"), False), ("app", encode(0, b"\x11 looks like a command"), False),
     ("app", encode(4, b""), False), ("server", ok(), True)],
    [("app", QUERY, False), ("server", FILE_REQUEST, False), ("server", ERROR, False), ("app", encode(2, b""), True)],
    [("app", command(27, b"\0\0"), False), ("server", eof(), True)],  # SET_OPTION
    [("app", command(0x11, b"u\0"), False), ("server", encode(1, b"\xfeother\0" + b"n" * 21), False),
     ("app", encode(2, b"proof"), False), ("server", encode(3, b"\1\3"), False), ("server", ok(), True)],
]  # fmt: skip
WITH_EOF: list[list[Step]] = [
    [("app", QUERY, False), ("server", COUNT + COLUMN + eof() + ROW + NULL_ROW + eof(), True)],
    [("app", QUERY, False), ("server", COUNT + COLUMN + eof() + ROW, False), ("server", ERROR, True)],
    [("app", QUERY, False), ("server", COUNT + COLUMN + eof(), False), ("server", eof(TRANSACTION), False)],
    [("app", QUERY, False), ("server", COUNT + COLUMN + eof(MORE) + eof(MORE), False), ("server", ok(), True)],
    [("app", EXECUTE, False), ("server", COUNT + COLUMN + eof(CURSOR), True),
     ("app", FETCH, False), ("server", ROW + ROW, False), ("server", eof(), True)],
    [("app", PREPARE, False), ("server", prepared(1, 0) + COLUMN, False), ("server", eof(), True)],
    [("app", PREPARE, False), ("server", prepared(1, 2) + COLUMN * 2 + eof() + COLUMN, False), ("server", eof(), True)],
    [("app", command(4, b"t\0"), False), ("server", COLUMN + COLUMN, False), ("server", eof(), True)],
]  # fmt: skip
WITH_OK: list[list[Step]] = [
    [("app", QUERY, False), ("server", COUNT + COLUMN + ROW + NULL_ROW, False), ("server", END, True)],
    [("app", QUERY, False), ("server", COUNT + COLUMN + END, True)],
    [("app", QUERY, False), ("server", COUNT + COLUMN + ok(TRANSACTION, b"\xfe"), False)],
    [("app", QUERY, False), ("server", COUNT + COLUMN + ok(MORE, b"\xfe", b"x" * 40), False), ("server", ok(), True)],
    [("app", EXECUTE, False), ("server", COUNT + COLUMN + ok(CURSOR, b"\xfe"), True)],
    [("app", PREPARE, False), ("server", prepared(1, 2) + COLUMN * 2, False), ("server", COLUMN, True)],
    [("app", PREPARE + EXECUTE, False), ("server", prepared(1, 0) + COLUMN, False),
     ("server", COUNT + COLUMN + ROW + END, True)],
]  # fmt: skip
NO_METADATA, METADATA = encode(1, b"\0\1"), encode(1, b"\1\1")
OPTIONAL_METADATA: list[list[Step]] = [
    [("app", QUERY, False), ("server", METADATA + COLUMN + ROW, False), ("server", END, True)],
    [("app", QUERY, False), ("server", NO_METADATA + ROW + NULL_ROW, False), ("server", END, True)],
    [("app", QUERY, False), ("server", ok(), True)],
    [("app", PREPARE, False), ("server", prepared(1, 2), True)],
]
OPTIONAL_METADATA_WITH_EOF: list[list[Step]] = [
    [("app", QUERY, False), ("server", METADATA + COLUMN + eof() + ROW, False), ("server", eof(), True)],
    [("app", QUERY, False), ("server", NO_METADATA + eof() + ROW, False), ("server", eof(), True)],
]
CASES = [
    *((steps, mode) for steps in BOTH for mode in (EOF_MODE, OK_MODE)),
    *((steps, EOF_MODE) for steps in WITH_EOF),
    *((steps, OK_MODE) for steps in WITH_OK),
    *((steps, OK_MODE | can.OPTIONAL_METADATA) for steps in OPTIONAL_METADATA),
    *((steps, EOF_MODE | can.OPTIONAL_METADATA) for steps in OPTIONAL_METADATA_WITH_EOF),
]


@pytest.mark.parametrize("step", [None, 1, 2, 4, 5, 6, 31])
@pytest.mark.parametrize(("steps", "mode"), CASES)
def test_quiet_moments(steps: list[Step], mode: int, step: int | None) -> None:
    play(steps, mode, step)


@pytest.mark.parametrize("step", [None, 1000, 99991])
@pytest.mark.parametrize("mode", [EOF_MODE, OK_MODE])
def test_rows_and_commands_of_sixteen_mebibytes(mode: int, step: int | None) -> None:
    largest = b"\xff\xff\xff"
    # The continuation begins like an end mark, an error and a command; it is none of these.
    long_row = largest + b"\3" + b"\xfe" * 0xFFFFFF + encode(4, b"\xfe\0\0\2\0")
    full_row = largest + b"\3" + b"x" * 0xFFFFFF + encode(4, b"")
    long_query = largest + b"\0\3" + b"x" * 0xFFFFFE + encode(1, b"\x11no change of user")
    columns = COUNT + COLUMN + (eof() if mode == EOF_MODE else b"")
    end = eof() if mode == EOF_MODE else END
    steps = [
        ("app", long_query, False),
        ("server", columns + long_row + full_row + ROW, False),
        ("server", end, True),
        ("app", QUERY, False),
        ("server", ok(), True),
    ]
    play(steps, mode, step)


def test_the_header_of_the_largest_packet_may_come_alone() -> None:
    it = tracker()
    assert it.client_bytes(b"\xff\xff\xff\0") == b""  # it waits for the command
    assert it.client_bytes(b"\3") == b"\xff\xff\xff\0\3"
    it.client_bytes(b"x" * 0xFFFFFE + encode(1, b""))
    assert not it.quiet
    it.server_bytes(ok())
    assert it.quiet


def test_behind_an_unknown_command_nothing_is_intercepted() -> None:
    it = tracker(intercept=True)
    sent = command(99) + command(0x11, b"user\0") + b"\1\0"
    assert it.client_bytes(sent) == sent
    assert (it.lost, it.held, it.take_kept()) == (True, None, b"")


@pytest.mark.parametrize("step", [None, 1, 3])
def test_the_goodbye_is_seen_behind_what_is_still_asked(step: int | None) -> None:
    quit_ = command(1)
    assert not play([("app", QUERY + command(3, quit_), False)], step=step).said_goodbye
    assert play([("app", QUERY + quit_, False)], step=step).said_goodbye


def test_responses_and_errors_are_counted() -> None:
    seen: list[str] = []
    it = SessionTracker(0, AUTOCOMMIT, intercept=False, on_error=seen.append)
    for _ in range(3):
        it.client_bytes(QUERY)
        it.server_bytes(ERROR)
    assert it.transactions == 3
    assert seen == ["42S02"] * 3


def test_ours_may_follow_between_packets_and_goes_on_with_the_sequence() -> None:
    it = play([("app", QUERY, False)])
    assert (it.between_packets, it.next_sequence) == (True, 1)
    it.server_bytes(COUNT + COLUMN + eof())
    assert (it.between_packets, it.next_sequence) == (True, 6)
    it.server_bytes(ROW[:3])
    assert not it.between_packets
    it.server_bytes(ROW[3:] + eof())
    assert (it.between_packets, it.next_sequence) == (True, 1)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 7, 1000])
def test_a_change_of_user_is_held_with_all_that_follows(step: int) -> None:
    it = tracker(intercept=True)
    change = command(0x11, b"whoever\0\0\0")
    stream = QUERY + CLOSE + change + PING
    passed = b"".join(it.client_bytes(stream[at : at + step]) for at in range(0, len(stream), step))
    assert passed == QUERY + CLOSE
    assert it.held == change + PING
    assert not it.answered
    it.server_bytes(ok())
    assert it.answered
    assert not it.quiet
    assert it.user_changed(AUTOCOMMIT) == change + PING
    assert it.quiet
    assert it.client_bytes(PING) == PING


def test_a_cut_header_waits_for_its_command_and_is_not_lost() -> None:
    it = tracker(intercept=True)
    assert it.client_bytes(QUERY[:4]) == b""
    assert not it.quiet
    assert it.take_kept() == QUERY[:4]


@pytest.mark.parametrize("code", [0x1D, 0xEF, 0xFE])
def test_an_unknown_command_ends_the_tracking(code: int) -> None:
    it = tracker()
    assert it.client_bytes(command(code)) == command(code)
    assert it.lost
    it.server_bytes(ok())
    assert it.client_bytes(QUERY) == QUERY
    assert not it.quiet
    assert not it.between_packets


@pytest.mark.parametrize("data", [ok(), COLUMN, encode(1, b"\xfe\0\0")])
def test_a_server_that_speaks_unasked_ends_the_tracking(data: bytes) -> None:
    it = tracker()
    it.server_bytes(data)
    assert it.lost


TALK = st.lists(
    st.sampled_from(
        [
            *(("app", each) for each in (QUERY, PREPARE, EXECUTE, CLOSE, PING, STATISTICS, FETCH, encode(1, b""))),
            *(("server", each) for each in (ok(), ok(1), ok(8), ERROR, COUNT, COLUMN, ROW, eof(), END, FILE_REQUEST)),
            ("server", prepared(1, 1)),
            ("server", encode(9, b"")),
        ]
    ),
    max_size=14,
)


def state(it: SessionTracker) -> tuple[object, ...]:
    return it.quiet, it.lost, it.transactions, it.next_sequence, it.between_packets


@given(TALK, st.sampled_from([EOF_MODE, OK_MODE]), st.integers(1, 9))
def test_slicing_changes_nothing(talk: list[tuple[str, bytes]], mode: int, step: int) -> None:
    whole, sliced = tracker(mode), tracker(mode)
    for side, run in itertools.groupby(talk, key=lambda each: each[0]):
        stream = b"".join(data for _, data in run)
        pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
        if side == "app":
            assert whole.client_bytes(stream) == stream
            assert b"".join(map(sliced.client_bytes, pieces)) == stream
        else:
            whole.server_bytes(stream)
            for piece in pieces:
                sliced.server_bytes(piece)
        assert state(whole) == state(sliced)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=12), st.booleans())
def test_any_bytes_pass_once_and_little_is_kept(chunks: list[tuple[bool, bytes]], intercept: bool) -> None:
    it = tracker(intercept=intercept)
    asked = passed = b""
    for from_app, chunk in chunks:
        if from_app:
            asked += chunk
            passed += it.client_bytes(chunk)
        else:
            it.server_bytes(chunk)
        assert len(it._kept) <= LOOK_BYTES
        assert len(it._sent_kept) <= 4
    assert passed + bytes(it.held or it.take_kept()) == asked
