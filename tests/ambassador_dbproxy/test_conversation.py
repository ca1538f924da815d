"""A limit in time for what is awaited, beside cancellations by others; a machine that answers by itself."""

import asyncio
import gc
import weakref

import pytest

from ambassador_dbproxy.conversation import ConnectionEnded, Conversation, Within


async def test_what_takes_longer_times_out() -> None:
    with pytest.raises(TimeoutError), Within(0):
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(0)  # and nobody is cancelled any more


async def test_what_is_in_time_is_left_alone() -> None:
    with Within(0):
        done = True
    await asyncio.sleep(0.01)
    assert done


async def test_an_error_is_passed_on() -> None:
    with pytest.raises(KeyError), Within(60):
        raise KeyError


async def test_of_two_limits_the_one_that_is_over_counts() -> None:
    with Within(60), pytest.raises(TimeoutError), Within(0):
        await asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError), Within(0), Within(60):
        await asyncio.get_running_loop().create_future()


async def test_a_cancellation_by_somebody_else_stays_one() -> None:
    async def wait(seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0, task.cancel)
        with Within(seconds):
            await asyncio.get_running_loop().create_future()

    for seconds in (60, 0):  # the latter is over when the task is cancelled
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(wait(seconds))


class Counting:
    """Answers each chunk with how many bytes it has had; a dot is the last, an exclamation mark one too many."""

    def __init__(self) -> None:
        self.hungry = True
        self.had = 0

    def feed(self, data: bytes) -> bytes:
        if b"!" in data:
            raise ValueError(data)
        self.had += len(data)
        self.hungry = self.hungry and b"." not in data
        return b"%d;" % self.had if data else b""


class Spoken(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


async def conversing(unread: bytes = b"") -> tuple[Conversation, Spoken, asyncio.Task[None]]:
    conversation, transport = Conversation(), Spoken()
    conversation.connection_made(transport)
    if unread:
        conversation.data_received(unread)
    task = asyncio.create_task(conversation.converse(Counting()))
    await asyncio.sleep(0)
    return conversation, transport, task


async def test_a_machine_answers_in_the_turn_in_which_bytes_arrive() -> None:
    conversation, transport, task = await conversing(b"a")
    assert transport.written == b"1;"
    conversation.data_received(b"bc")
    assert transport.written == b"1;3;"
    conversation.data_received(b".")
    conversation.eof_received()  # it had all that it wanted
    await task
    conversation.data_received(b"rest")
    assert await conversation.receive() == b"rest"
    assert transport.written == b"1;3;4;"


async def test_all_may_have_arrived_before() -> None:
    _, transport, task = await conversing(b"a.")
    await task
    assert transport.written == b"2;"


@pytest.mark.parametrize("unread", [b"", b"a"])
async def test_a_connection_that_ends_leaves_a_machine_hungry(unread: bytes) -> None:
    conversation, _, task = await conversing(unread)
    conversation.connection_lost(None)
    with pytest.raises(ConnectionEnded):
        await task


@pytest.mark.parametrize("unread", [b"", b"!"])
async def test_what_a_machine_raises_is_passed_on_and_it_is_asked_no_more(unread: bytes) -> None:
    conversation, transport, task = await conversing(unread)
    if not unread:
        conversation.data_received(b"!")
    conversation.data_received(b"a")
    with pytest.raises(ValueError, match="!"):
        await task
    assert transport.written == b""
    assert await conversation.receive() == b"a"


@pytest.mark.parametrize("refused", [True, False])
async def test_a_machine_that_raised_is_left_to_no_collector(refused: bool) -> None:
    """It may hold a password."""
    conversation, machine = Conversation(), Counting()
    conversation.connection_made(Spoken())
    kept = weakref.ref(machine)
    gc.disable()
    try:
        task = asyncio.create_task(conversation.converse(machine))
        await asyncio.sleep(0)
        if refused:
            conversation.data_received(b"!")
        else:
            conversation.connection_lost(None)
        with pytest.raises((ValueError, ConnectionEnded)):
            await task
        del machine, task, conversation
        await asyncio.sleep(0)  # the loop's last look at the task
        assert kept() is None
    finally:
        gc.enable()
