"""When the kernel refuses its hints, files are followed by looking, and hints are asked for again now and then."""

# ruff: noqa: ASYNC240 (the files are local and small)

import asyncio
import errno
from pathlib import Path
from typing import Any

import asyncinotify
import pytest

from logtail.hints import Hints
from logtail.pace import HINTS_AGAIN_S

from .conftest import PATIENCE_S, Follow, append

_Inotify = asyncinotify.Inotify


class Limits:
    """Of the kernel: how often it was asked for an instance, and whether it gives one, and watches on it."""

    def __init__(self) -> None:
        self.gives = self.gives_watches = False
        self.asked = self.watches = 0

    def instance(self) -> Any:
        self.asked += 1
        if not self.gives:
            raise OSError(errno.EMFILE, "Too many open files")
        limits = self

        class Inotify(_Inotify):
            def add_watch(self, *arguments: Any) -> Any:
                limits.watches += 1
                if not limits.gives_watches:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().add_watch(*arguments)

        return Inotify()


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    limits = Limits()
    monkeypatch.setattr(asyncinotify, "Inotify", limits.instance)
    return limits


async def test_refused_hints_are_asked_for_again_after_a_while(follow: Follow, log: Path, limits: Limits) -> None:
    log.write_bytes(b"one\n")
    tail = await follow(poll_interval=0.01)
    assert await tail.lines(1) == [b"one"]
    for line in (b"two", b"three"):
        append(log, line + b"\n")
        assert await tail.lines(1) == [line]
    assert (limits.asked, limits.watches) == (1, 0)
    limits.gives = True
    for watches in (1, 2, 3):  # the instance is there now, and is kept; the limit of watches is another
        limits.gives_watches = watches == 3
        tail.clock.ahead += HINTS_AGAIN_S
        while limits.watches < watches:
            await tail.look()
        append(log, b"more\n")
        assert await tail.lines(1) == [b"more"]
        assert (limits.asked, limits.watches) == (2, watches)
    tail.clock.ahead += HINTS_AGAIN_S
    append(log, b"last\n")
    assert await tail.lines(1) == [b"last"]
    assert (limits.asked, limits.watches) == (2, 3), "all is watched"


async def test_more_events_than_are_read_at_once_hold_up_nobody(tmp_path: Path) -> None:
    woken = asyncio.Event()
    hints = Hints(woken.set)
    if not hints.watch([str(tmp_path)]):
        pytest.skip("the kernel grants no more watches now")
    for _ in range(700):  # of 32 bytes each; two that are alike are one
        append(tmp_path / "a", b"x")
        append(tmp_path / "b", b"x")
    hints.arm()
    await asyncio.wait_for(woken.wait(), PATIENCE_S)
    hints.close()
