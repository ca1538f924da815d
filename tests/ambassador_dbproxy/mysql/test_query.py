"""One statement, one value: in both forms of result."""

import pytest

from ambassador_dbproxy.mysql import capabilities as can
from ambassador_dbproxy.mysql.login import ServerRefused
from ambassador_dbproxy.mysql.query import MAX_PACKETS, OneValue, statement
from ambassador_dbproxy.mysql.wire import ProtocolViolation

COLUMN, EOF, END = b"\3def\0\0\0\1x\0", b"\xfe\0\0\2\0", b"\xfe\0\0\2\0\0\0"


@pytest.mark.parametrize(
    ("capabilities", "bodies", "value"),
    [
        (0, [b"\1", COLUMN, EOF, b"\0011", EOF], b"1"),
        (can.DEPRECATE_EOF, [b"\1", COLUMN, b"\3OFF", END], b"OFF"),
        (can.DEPRECATE_EOF, [b"\1", COLUMN, b"\xfb", END], None),
        (0, [b"\1", COLUMN, EOF, EOF], None),
        (0, [b"\0\0\0\2\0\0\0"], None),
    ],
)
def test_values(capabilities: int, bodies: list[bytes], value: bytes | None) -> None:
    it = OneValue(capabilities)
    for body in bodies:
        assert not it.done
        it.receive(body)
    assert it.done
    assert it.value == value


def test_errors_and_floods() -> None:
    with pytest.raises(ServerRefused):
        OneValue(0).receive(b"\xff\x15\x04#28000no")
    flood = OneValue(0)
    for _ in range(MAX_PACKETS + 1):
        flood.receive(b"\1x")
    with pytest.raises(ProtocolViolation):
        flood.receive(b"\1x")


def test_attributes_are_said_to_be_absent() -> None:
    assert statement("SELECT 1", 0) == b"\3SELECT 1"
    assert statement("SELECT 1", can.QUERY_ATTRIBUTES) == b"\3\0\1SELECT 1"
