"""The ambassador's login as transcripts: what is asked, and what each of the server's replies leads to."""

import pytest

from ambassador_dbproxy.redis.login import LoginFailed, NotReady, ServerRefused, UpstreamLogin, read_role
from ambassador_dbproxy.redis.resp import ErrorReply, ProtocolViolation, Push, Reply, encode_command
from ambassador_dbproxy.server import Role

PRIMARY: Reply = (b"master", 3129659, ((b"127.0.0.1", b"9001", b"3129242"),))
REPLICA: Reply = (b"slave", b"10.0.0.1", 6379, b"connected", 3129659)


def login(**changes: object) -> UpstreamLogin:
    return UpstreamLogin(**{"user": "app", "password": "p w", "database": 2, **changes})  # type: ignore[arg-type]


def test_all_is_asked_at_once() -> None:
    asked = [(b"AUTH", b"app", b"p w"), (b"SELECT", b"2"), (b"ROLE",), (b"PING",)]
    assert login().request == b"".join(encode_command(*words) for words in asked)


@pytest.mark.parametrize(
    ("user", "password", "first"),
    [
        ("default", "x", (b"AUTH", b"x")),
        ("app", None, (b"AUTH", b"app", b"")),
        ("äpp", "ö", (b"AUTH", "äpp".encode(), "ö".encode())),
        (None, None, (b"ROLE",)),
    ],
)
def test_who_logs_in(user: str | None, password: str | None, first: tuple[bytes, ...]) -> None:
    asked = login(user=user, password=password, database=None).request
    assert asked.startswith(encode_command(*first))


def test_the_way_through() -> None:
    steps = login()
    for reply in (b"OK", Push((b"news",)), b"OK", PRIMARY):
        steps.receive(reply)
        assert not steps.done
    steps.receive(b"PONG")
    assert steps.done
    assert steps.role is Role.PRIMARY


@pytest.mark.parametrize(
    ("reply", "role"),
    [
        (PRIMARY, Role.PRIMARY),
        (REPLICA, Role.REPLICA),
        ((b"slave", b"10.0.0.1", 6379, b"connect", -1), Role.REPLICA),
        ((b"slave", b"10.0.0.1", 6379, b"sync", -1), Role.REPLICA),
        ((b"else",), Role.UNKNOWN),
    ],
)
def test_roles(reply: Reply, role: Role) -> None:
    assert read_role(reply) is role


@pytest.mark.parametrize("reply", [b"OK", None, 1, ()])
def test_no_role(reply: Reply) -> None:
    with pytest.raises(ProtocolViolation):
        read_role(reply)


@pytest.mark.parametrize(
    ("replies", "raised"),
    [
        ([ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")], ServerRefused),
        ([ErrorReply("ERR max number of clients reached")], ServerRefused),
        ([ErrorReply("NOPERM this user has no permissions")], ServerRefused),
        ([b"OK", ErrorReply("ERR DB index is out of range")], LoginFailed),
        ([b"OK", b"OK", ErrorReply("DENIED Redis is running in protected mode")], ServerRefused),
        ([b"OK", b"OK", PRIMARY, ErrorReply("LOADING Redis is loading the dataset in memory")], NotReady),
        ([b"OK", b"OK", REPLICA, ErrorReply("MASTERDOWN Link with MASTER is down")], NotReady),
        ([b"what?"], ProtocolViolation),
        ([b"OK", 1], ProtocolViolation),
        ([b"OK", b"OK", (b"sentinel", (b"mymaster",))], LoginFailed),
        ([b"OK", b"OK", b"OK"], ProtocolViolation),
        ([b"OK", b"OK", PRIMARY, b"PONG", b"more"], ProtocolViolation),
    ],
)
def test_what_ends_it(replies: list[Reply], raised: type[Exception]) -> None:
    steps = login()
    for reply in replies[:-1]:
        steps.receive(reply)
    with pytest.raises(raised) as caught:
        steps.receive(replies[-1])
    assert "p w" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERR unknown command 'AUTH', with args beginning with: 'app' 'p w'", "ERR AUTH was refused"),
        ("ERR unknown command `AUTH`, with args beginning with: `app`, `p ", "ERR AUTH was refused"),
        ("p w is not liked", "ERR AUTH was refused"),
        ("NOPERM nobody may log in with p w", "NOPERM nobody may log in with (password)"),
        ("ERR Client sent AUTH, but no password is set", "ERR Client sent AUTH, but no password is set"),
    ],
)
def test_of_an_answer_to_the_password_only_what_repeats_none_of_it(said: str, told: str) -> None:
    with pytest.raises(ServerRefused) as caught:
        login().receive(ErrorReply(said))
    assert caught.value.error.text == told


def test_the_password_is_in_no_other_answer_either() -> None:
    steps = login(database=None)
    steps.receive(b"OK")
    steps.receive(ErrorReply("NOPERM p w may not"))
    assert steps.role_reason == "NOPERM (password) may not"


@pytest.mark.parametrize("text", ["NOAUTH Authentication required.", "NOPERM no", "BUSY running a script", "MISCONF x"])
def test_what_does_not(text: str) -> None:
    steps = login(user=None, password=None, database=None)
    steps.receive(ErrorReply("NOAUTH Authentication required."))
    steps.receive(ErrorReply(text))
    assert steps.done
    assert (steps.role, steps.role_reason) == (Role.UNKNOWN, "NOAUTH Authentication required.")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("WRONGPASS no", True),
        ("ERR invalid password", True),
        ("ERR wrong number of arguments", False),
        ("DENIED x", False),
    ],
)
def test_when_another_password_may_help(text: str, wrong: bool) -> None:
    assert ServerRefused(ErrorReply(text)).wrong_password is wrong
