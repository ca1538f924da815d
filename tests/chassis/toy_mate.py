"""The smallest mate there can be, run as a real process by the tests of the lifecycle."""

import asyncio
import sys
import threading
from typing import Literal

import msgspec
from aiohttp import web

from chassis import lifecycle
from chassis.command import Context, run_mate
from chassis.errors import OperatorError
from chassis.ops import loopback_only
from chassis.settings import Address, DrainSettings, OpsSettings, Seconds


class ToySettings(msgspec.Struct, frozen=True, kw_only=True):
    drains: Literal["at once", "when told", "never"] = "at once"
    fails: Literal[
        "nowhere", "build", "start", "start bug", "start hangs", "run", "returns", "drain", "close", "close hangs"
    ] = "nowhere"
    word: str = "first"
    ops: OpsSettings = OpsSettings(listen=Address("127.0.0.1:0"))
    drain: DrainSettings = DrainSettings(deadline=Seconds("30s"))


class Toy:
    def __init__(self, settings: ToySettings, context: Context) -> None:
        if settings.fails == "build":
            raise OperatorError("word", "cannot be built")
        if settings.fails == "close hangs":
            lifecycle.CLOSE_WITHIN_S = 0.2
        self.settings = settings
        self.context = context
        self.released = asyncio.Event()
        context.routes.append(("POST", "/release", loopback_only(self.release)))

    async def release(self, _: web.Request) -> web.Response:
        self.released.set()
        return web.Response(text="released\n")

    async def start(self) -> dict[str, object]:
        if self.settings.fails == "start":
            raise OperatorError("word", "is not a word")
        if self.settings.fails == "start bug":
            raise ZeroDivisionError("a bug at start")
        if self.settings.fails == "start hangs":
            self.context.log.info("hanging")
            await asyncio.Event().wait()
        return {"word": self.settings.word}

    async def run(self) -> None:
        if self.settings.fails == "run":
            raise ZeroDivisionError("a bug")
        if self.settings.fails != "returns":
            await asyncio.Event().wait()

    async def drain(self) -> None:
        self.context.log.info("draining", phase=self.context.phase().value)
        if self.settings.fails == "drain":
            raise ZeroDivisionError("a bug while draining")
        if self.settings.drains == "never":
            await asyncio.Event().wait()
        if self.settings.drains == "when told":
            await self.released.wait()
        self.released.set()

    async def close(self) -> bool:
        self.context.log.info("closed", path="caf\udce9.log")
        if self.settings.fails == "close":
            raise ZeroDivisionError("a bug at close")
        if self.settings.fails == "close hangs":
            await asyncio.to_thread(threading.Event().wait)
        return self.released.is_set()

    async def reload(self, settings: ToySettings) -> None:
        if settings.word == "refused":
            raise OperatorError("word", "cannot change to that")
        self.settings = settings


if __name__ == "__main__":
    sys.exit(run_mate(name="toy", prefix="TOY", model=ToySettings, build=Toy))
