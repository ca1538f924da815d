"""A limit in time for what is awaited, beside cancellations by others."""

import asyncio

import pytest

from ambassador_dbproxy.conversation import Within


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
