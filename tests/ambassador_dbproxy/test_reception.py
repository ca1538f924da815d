"""Connections that have no session yet: what becomes of them when the ambassador ends, or when they leave."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ambassador_dbproxy.metrics import Tally
from ambassador_dbproxy.reception import Reception
from ambassador_dbproxy.refusal import Reason
from ambassador_dbproxy.settings import LimitSettings


class App:
    """A connection; notes what it is told."""

    def __init__(self) -> None:
        self.eof = self.lost = self.closed = False
        self.on_gone: Any = None
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True


class Service:
    """Never comes to an end with an app."""

    async def serve(self, app: App, floor: object) -> None:
        await asyncio.Event().wait()

    def farewell(self, reason: Reason, text: str) -> bytes:
        return reason.value.encode()


@pytest.fixture
def tally() -> Tally:
    return Tally(connected=lambda _: None, logged_in=lambda _: None)


@pytest.fixture
def reception(tally: Tally) -> Any:
    return Reception("it", cast(Any, Service()), cast(Any, SimpleNamespace(tally=tally, log=None)), lambda: None)


async def test_at_the_end_they_are_told_and_counted(reception: Any, tally: Tally) -> None:
    app = App()
    reception.accept(app, LimitSettings())
    await asyncio.wait(reception.close())
    assert (app.said, app.closed) == (b"closing", True)
    assert tally.refused[Reason.CLOSING] == 1


async def test_one_that_leaves_is_not(reception: Any, tally: Tally) -> None:
    app = App()
    reception.accept(app, LimitSettings())
    app.lost = True
    app.on_gone()
    await asyncio.wait(list(reception._starting))
    await asyncio.sleep(0)  # its callback
    assert app.said == b""
    assert tally.refused[Reason.CLOSING] == 0
