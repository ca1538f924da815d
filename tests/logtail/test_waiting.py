"""When a look is due: what is heard brings it sooner, and the rest after a look holds whatever is heard."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from logtail import waiting as of_waiting
from logtail.follower import Step
from logtail.pace import LOOKS_COMPARED, rest
from logtail.waiting import Waiting

from .conftest import PATIENCE_S, append

POLL_S, LOOK_S = 0.005, 1.0
REST_S = rest(LOOK_S, POLL_S)


class Clock:
    """Goes on by a step each time it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += REST_S / 3.5
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def waiting(tmp_path: Path, clock: Clock) -> AsyncIterator[Waiting]:
    """Of a tail that watches one directory, and has just made a look that took long."""
    with ThreadPoolExecutor(1) as worker:
        made = Waiting(lambda: [str(tmp_path)], worker, poll_interval=POLL_S, monotonic=clock)
        await made.watch()
        if not made._hinted:
            pytest.skip("the kernel grants no more watches now")
        assert made.begin() is None
        for _ in range(LOOKS_COMPARED):
            made.ended(Step(look_s=LOOK_S), None)
        yield made
        made.close()


async def test_a_directory_that_comes_brings_a_look_after_the_rest(
    waiting: Waiting, clock: Clock, tmp_path: Path
) -> None:
    looked_at = clock.now
    (tmp_path / "sub").mkdir()
    await asyncio.wait_for(waiting.wait(Step()), PATIENCE_S)
    assert REST_S <= clock.now - looked_at < 1
    assert not waiting._hints.directories_changed, "watched before the look"
    assert waiting.begin() is None
    waiting.ended(Step(look_s=LOOK_S), None)
    assert waiting.begin() == set()


async def test_so_it_does_while_files_are_written_to(waiting: Waiting, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for _ in range(2):
        assert waiting.begin() is not None
        append(tmp_path / "a", b"x")
        await asyncio.wait_for(waiting.wait(Step()), PATIENCE_S)
    assert not waiting._hints.directories_changed, "watched before the look"
    assert waiting.begin() is None


async def test_a_new_watch_brings_a_look(waiting: Waiting, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    waiting._hints.hear()
    waiting._hints.forget()
    waiting._directories = lambda: [str(tmp_path), str(tmp_path / "sub")]
    await waiting.watch()
    waits = 0
    while waiting.begin() is not None:
        waits += 1
    assert waits <= 4, "when the rest is over"


async def test_what_is_written_to_a_file_is_read_without_a_look(waiting: Waiting, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    waiting._hints.hear()
    waiting._hints.forget()
    append(tmp_path / "a", b"x")
    await asyncio.wait_for(waiting.wait(Step()), PATIENCE_S)
    assert waiting.begin() == {f"{tmp_path}/a"}


async def test_the_first_line_after_a_rest_is_not_waited_with(
    waiting: Waiting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    waiting._hints.hear()
    waiting._hints.forget()
    rests = 0

    async def comes(event: asyncio.Event, within_s: float) -> bool:
        nonlocal rests
        if event is not waiting._awake:
            rests += 1
            return False
        append(tmp_path / "a", b"x")
        await asyncio.wait_for(event.wait(), PATIENCE_S)
        return True

    monkeypatch.setattr(of_waiting, "_comes", comes)
    await waiting.wait(Step())
    assert (rests, waiting.begin()) == (1, {f"{tmp_path}/a"})
