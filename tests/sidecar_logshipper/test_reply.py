"""An HTTP answer out of bytes, as a transcript; the same bytes also one at a time."""

import pytest

from sidecar_logshipper.sinks.reply import BadReply, Reply
from sidecar_logshipper.sinks.seam import Answer

MOST = 100
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read(stream: bytes, *, by: int = 1 << 20) -> tuple[Answer, bool]:
    """The answer in `stream` and whether the connection may be used again. The stream's end is the connection's."""
    reply = Reply(MOST)
    pieces = [stream[at : at + by] for at in range(0, len(stream), by)]
    for piece in [*pieces, b""]:
        if (answer := reply.feed(piece)) is not None:
            return answer, reply.reusable
    raise AssertionError("no answer")


@pytest.mark.parametrize("by", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("stream", "answer", "reusable"),
    [
        (GOOD, Answer(200, None, b"ok"), True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, None, b""), True),
        (b"HTTP/1.1 204\r\nContent-Length: 7\r\n\r\n", Answer(204, None, b""), True),
        (b"HTTP/1.1 503 Busy\r\nretry-after:  7 \r\nCONTENT-LENGTH:0\r\n\r\n", Answer(503, "7", b""), True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", Answer(200, None, b"ok"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Answer(200, None, b"ok"), False),
        (
            b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
            Answer(200, None, b"ok"),
            True,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", Answer(200, None, b"until the end"), False),
        (b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + GOOD, Answer(200, None, b"ok"), True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n",
            Answer(200, None, b"abc0123456789"),
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n",
            Answer(200, None, b"a"),
            True,
        ),
    ],
)  # fmt: skip
def test_answers(stream: bytes, answer: Answer, reusable: bool, by: int) -> None:
    assert read(stream, by=by) == (answer, reusable)


def test_what_follows_an_answer_unasked_makes_the_connection_useless() -> None:
    assert read(GOOD + GOOD) == (Answer(200, None, b"ok"), False)


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n",
    ],
)
def test_of_a_long_body_the_beginning_is_enough(stream: bytes) -> None:
    assert read(stream, by=50) == (Answer(200, None, b"x" * MOST), False)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
)
def test_an_answer_cut_short_is_none(stream: bytes) -> None:
    for by in (1, 1 << 20):
        with pytest.raises(ConnectionResetError):
            read(stream, by=by)


@pytest.mark.parametrize(
    "stream",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"x" * 100_000,
    ],
)
def test_what_is_no_answer(stream: bytes) -> None:
    with pytest.raises(BadReply):
        read(stream, by=4096)
