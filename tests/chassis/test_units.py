"""Quantities as people write them."""

import pytest

from chassis.units import Address, Seconds, Size


@pytest.mark.parametrize(
    ("written", "value"),
    [("1MiB", 1048576), ("64 KiB", 65536), ("10MB", 10_000_000), ("1.5kib", 1536), (4096, 4096), ("0", 0)],
)
def test_sizes(written: object, value: int) -> None:
    assert Size(written) == value


@pytest.mark.parametrize(
    ("written", "value"), [("30s", 30), ("200ms", 0.2), ("5m", 300), ("1h", 3600), (2.5, 2.5), ("7", 7)]
)
def test_spans_of_time(written: object, value: float) -> None:
    assert Seconds(written) == pytest.approx(value)


@pytest.mark.parametrize("written", ["", "MiB", "-1", "1 XiB", "1e3", "1..2", "nan", True, None, [], "1s"])
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(ValueError, match="such as 64KiB"):
        Size(written)


def test_a_size_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="more than there can be"):
        Size("9" * 400)


@pytest.mark.parametrize("text", ["1MiB", "3KiB", "5", "2GiB"])
def test_a_size_is_printed_as_it_is_written(text: str) -> None:
    assert str(Size(text)) == text


@pytest.mark.parametrize("text", ["200ms", "30s", "5m", "1h", "0s"])
def test_a_span_is_printed_as_it_is_written(text: str) -> None:
    assert str(Seconds(text)) == text


def test_addresses() -> None:
    four, six, unix = Address("127.0.0.1:80"), Address("[::1]:0"), Address("unix:///run/x.sock")
    assert (four.host, four.port, four.path) == ("127.0.0.1", 80, "")
    assert (six.host, six.port) == ("::1", 0)
    assert (unix.path, unix.host) == ("/run/x.sock", "")
    assert Address.of("::1", 9) == "[::1]:9"


@pytest.mark.parametrize("text", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:///s"])
def test_what_only_this_pod_can_reach(text: str) -> None:
    assert Address(text).is_loopback


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost.example:1"])
def test_what_others_can_reach(text: str) -> None:
    assert not Address(text).is_loopback


@pytest.mark.parametrize("text", ["", "80", ":80", "h:", "h:x", "h:65536", "::1:80", "unix://x", 80, "h:-1", "h:٣"])
def test_what_is_no_address(text: object) -> None:
    with pytest.raises(ValueError, match=r"expected|brackets"):
        Address(text)
