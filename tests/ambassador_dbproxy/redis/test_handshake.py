"""The app's first commands as transcripts: what the server sees of them, what the app is answered, in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador_dbproxy.redis.commands import Command, cut_command
from ambassador_dbproxy.redis.handshake import MAX_COMMANDS, Handshake
from ambassador_dbproxy.redis.resp import ProtocolViolation, encode_command

OK = b"+OK\r\n"


def say(text: str) -> bytes:
    """A command as drivers send it."""
    return encode_command(*(word.encode() for word in text.split()))


def talk(data: bytes, size: int = 1 << 20, *, database_is_set: bool = False) -> tuple[bytes, bytes, Handshake]:
    """What server and app get of `data`, if the server says nothing."""
    handshake = Handshake(database_is_set=database_is_set)
    to_server = to_app = b""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        if handshake.done:
            to_server += piece
            continue
        moves = handshake.app_bytes(piece)
        to_server += moves.to_server
        to_app += moves.to_app
    return to_server, to_app, handshake


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("sent", "to_server", "to_app", "done"),
    [
        (say("AUTH secret"), b"", OK, False),
        (say("auth user secret"), b"", OK, False),
        (b"AUTH secret\r\n", b"", OK, False),
        (b'  auth user "two words"\n', b"", OK, False),
        (say("AUTH"), say("AUTH"), b"", False),  # the server's to complain
        (say("AUTH a b c"), say("AUTH a b c"), b"", False),
        (say("AUTH x") + say("GET a"), say("GET a"), OK, True),
        (say("AUTH x") + say("AUTH y") + b"PING\r\n", b"PING\r\n", OK + OK, False),
        (say("HELLO 3 AUTH user secret"), say("HELLO 3"), b"", False),
        (say("HELLO 3 AUTH u p SETNAME me"), say("HELLO 3 SETNAME me"), b"", False),
        (say("HELLO 3 SETNAME me auth u p"), say("HELLO 3 SETNAME me"), b"", False),
        (say("HELLO 3 SETNAME AUTH"), say("HELLO 3 SETNAME AUTH"), b"", False),
        (b"HELLO 2 AUTH u 'p q' SETNAME x\r\n", b"HELLO 2 SETNAME x\r\n", b"", False),
        (say("HELLO"), say("HELLO"), b"", False),
        (say("HELLO 3 AUTH u"), say("HELLO 3 AUTH u"), b"", False),
        (say("SELECT 3"), say("SELECT 3"), b"", False),
        (say("CLIENT SETNAME x") + say("CLIENT SETINFO LIB-VER 1"),) * 2 + (b"", False),
        (say("CLIENT REPLY OFF") + say("AUTH x"),) * 2 + (b"", True),
        (say("CLIENT"), say("CLIENT"), b"", True),
        (say("SUBSCRIBE a") + say("AUTH x"),) * 2 + (b"", True),
        (b"GET a\r\nAUTH x\r\n",) * 2 + (b"", True),
        (b"\r\nAUTH x\r\n",) * 2 + (b"", True),
        (b"*0\r\n",) * 2 + (b"", True),
        (b"*1048577\r\n",) * 2 + (b"", True),  # Redis before 7 says why not before any name comes
        (b"*1048576\r\n", b"", b"", False),
        (b"*x\r\nAUTH x\r\n",) * 2 + (b"", True),
        (b"*2\r\n$x\r\n",) * 2 + (b"", True),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",) * 2 + (b"", True),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",) * 2 + (b"", True),  # TLS, for the server to refuse
        (b"", b"", b"", False),
    ],
)
def test_transcripts(sent: bytes, to_server: bytes, to_app: bytes, done: bool, size: int) -> None:
    got_server, got_app, handshake = talk(sent, size)
    assert (got_server, got_app, handshake.done) == (to_server, to_app, done)


def test_a_set_database_answers_select() -> None:
    sent = say("AUTH x") + say("SELECT 3") + say("GET a") + say("SELECT 4")
    assert talk(sent, database_is_set=True)[:2] == (say("GET a") + say("SELECT 4"), OK + OK)
    assert talk(say("SELECT x"), database_is_set=True)[:2] == (say("SELECT x"), b"")


def test_an_answer_waits_for_its_turn() -> None:
    handshake = Handshake(database_is_set=False)
    moves = handshake.app_bytes(say("HELLO 3") + say("AUTH x") + say("CLIENT SETNAME n") + say("AUTH y"))
    assert (moves.to_server, moves.to_app) == (say("HELLO 3"), b"")
    assert handshake.blocked
    moves = handshake.server_bytes(b"%1\r\n+server\r\n$5\r\nre")
    assert (moves.to_server, moves.to_app) == (b"", b"%1\r\n+server\r\n$5\r\nre")
    moves = handshake.server_bytes(b"dis\r\n")
    assert (moves.to_server, moves.to_app) == (say("CLIENT SETNAME n"), b"dis\r\n" + OK)
    moves = handshake.server_bytes(b">1\r\n+news\r\n")  # a push is no reply
    assert (moves.to_server, moves.to_app) == (b"", b">1\r\n+news\r\n")
    moves = handshake.server_bytes(OK)
    assert (moves.to_server, moves.to_app) == (b"", OK + OK)
    assert not handshake.blocked
    assert not handshake.done


def test_an_answer_does_not_cut_a_push_in_two() -> None:
    handshake = Handshake(database_is_set=False)
    handshake.app_bytes(say("HELLO 3") + say("AUTH x"))
    assert handshake.server_bytes(b"%0\r\n>1\r\n").to_app == b"%0\r\n>1\r\n"
    assert handshake.server_bytes(b"+news\r\n").to_app == b"+news\r\n" + OK


def test_the_end_does_not_wait_for_replies() -> None:
    to_server, to_app, handshake = talk(say("CLIENT SETNAME n") + say("GET a") + say("AUTH x"))
    assert (to_server, to_app) == (say("CLIENT SETNAME n") + say("GET a") + say("AUTH x"), b"")
    assert handshake.done


def test_a_large_value_is_never_kept() -> None:
    head = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n"
    assert talk(head)[0] == head
    to_server, _, handshake = talk(head[:13])  # the name is enough
    assert (to_server, handshake.done) == (head[:13], True)
    head = b"*2\r\n$4\r\nPING\r\n$536870912\r\n"
    assert talk(head)[0] == head
    head = b"*1000000000\r\n$6\r\nSELECT\r\n"
    assert talk(head)[0] == head


@pytest.mark.parametrize(
    "login",
    [
        b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
        b"*11\r\n$4\r\nAUTH\r\n",
        b"*3\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$99999999\r\n",
        b"AUTH " + b"x" * 20_000,
    ],
)
def test_a_login_over_the_bounds_is_refused_not_passed_on(login: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="more than 10 words"):
        talk(login)


def test_a_login_without_end_ends() -> None:
    to_server, to_app, handshake = talk(say("AUTH x") * (MAX_COMMANDS + 5))
    assert (to_server, to_app) == (say("AUTH x") * 5, OK * MAX_COMMANDS)
    assert handshake.done


COMMANDS = st.sampled_from(
    [say("AUTH s3cret"), say("HELLO 3 AUTH u s3cret"), b"AUTH s3cret\r\n", b"hello 2 auth u s3cret setname n\r\n",
     say("SELECT 1"), say("CLIENT SETNAME n"), say("PING"), b"PING\r\n"]
)  # fmt: skip


@given(st.lists(COMMANDS, max_size=12), st.integers(1, 40))
def test_whatever_the_pieces_the_secret_stays_here_and_replies_keep_their_places(
    commands: list[bytes], size: int
) -> None:
    """Against a server that answers its nth command with n, once it has it whole."""
    handshake = Handshake(database_is_set=False)
    stream = b"".join(commands)
    at_server, to_app, answered = bytearray(), b"", 0
    for at in range(0, len(stream), size):
        moves = handshake.app_bytes(stream[at : at + size])
        while True:
            assert b"s3cret" not in moves.to_server
            at_server += moves.to_server
            to_app += moves.to_app
            command = cut_command(at_server)
            if not isinstance(command, Command):
                break
            del at_server[: command.size]
            answered += 1
            moves = handshake.server_bytes(b":%d\r\n" % answered)
    numbers = iter(range(1, 100))
    assert to_app == b"".join(OK if _is_auth(each) else b":%d\r\n" % next(numbers) for each in commands)


def _is_auth(command: bytes) -> bool:
    return command.startswith((b"AUTH", b"*2\r\n$4\r\nAUTH"))


@given(st.binary(max_size=200), st.integers(1, 9))
def test_hostile_bytes_lose_nothing(data: bytes, size: int) -> None:
    """Nothing but a bound is an error, and the size of the pieces does not matter."""
    whole, pieces = _fed(data, 1 << 20), _fed(data, size)
    assert whole == pieces


def _fed(data: bytes, size: int) -> object:
    try:
        to_server, to_app, handshake = talk(data, size)
    except ProtocolViolation:
        return "refused"
    return to_server, to_app, handshake.done
