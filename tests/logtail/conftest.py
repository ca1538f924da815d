"""A tail over real files, with its events kept, and a clock that tests can push forward."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logtail import checkpoint
from logtail.chunk import Chunk
from logtail.decoded import Opener
from logtail.discovery import Discovery
from logtail.follower import Follower
from logtail.multiline import Multiline
from logtail.tail import Tail

PATIENCE_S = 60


class Events:
    """Stands in for a structlog logger and keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.all.append((event, facts))

    warning = error = info

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.all if name == event]


class Clock:
    """Real time, plus what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Following:
    """One tail from start to close, as a caller that acknowledges what it is handed."""

    def __init__(self, tail: Tail, events: Events, clock: Clock) -> None:
        self.tail = tail
        self.events = events
        self.clock = clock

    async def chunk(self, *, ack: bool = True) -> Chunk:
        chunk = await asyncio.wait_for(self.tail.next(), PATIENCE_S)
        assert chunk is not None
        if ack:
            self.tail.ack(chunk)
        return chunk

    async def lines(self, count: int, *, ack: bool = True) -> list[bytes]:
        """The next `count` lines; never more."""
        lines: list[bytes] = []
        while len(lines) < count:
            lines += (await self.chunk(ack=ack)).data.splitlines()
        assert len(lines) == count, lines
        return lines

    async def drained(self) -> list[Chunk]:
        """Everything up to the end, final chunks included."""
        self.tail.drain(quiet=0.0)
        chunks = []
        while (chunk := await asyncio.wait_for(self.tail.next(), PATIENCE_S)) is not None:
            self.tail.ack(chunk)
            chunks.append(chunk)
        return chunks

    async def event(self, name: str) -> dict[str, Any]:
        """The first event of this name; `next` is called meanwhile, because looking is part of it."""
        while not self.events.of(name):
            await self.look()
        return self.events.of(name)[0]

    async def look(self) -> None:
        """Call `next` for a moment, in which nothing but final chunks is to come."""
        job = asyncio.create_task(self.tail.next())
        done, _ = await asyncio.wait((job,), timeout=0.05)
        if done:
            chunk = job.result()
            assert chunk is not None
            assert not chunk.data, chunk
            self.tail.ack(chunk)
        else:
            job.cancel()
            await asyncio.wait((job,))


class ByHand:
    """A follower whose steps a test takes one by one: its time stands still, so it looks when all was read only."""

    def __init__(self, *include: Path, most_open: int = 8, multiline: Multiline | None = None) -> None:
        self.follower = Follower(
            Discovery([str(each) for each in include], []),
            start_at="beginning",
            max_line_bytes=1024,
            chunk_bytes=4096,
            multiline=multiline,
            delete_after_ack=False,
            open_file=Opener(most_open).open,
            monotonic=lambda: 0.0,
            wall=lambda: 0.0,
        )
        self.happenings = self.follower.begin(None)

    def chunk(self) -> bytes:
        """The next chunk's data; nothing when there is none."""
        while True:
            self.follower.snapshot()
            step = self.follower.step(None)
            self.happenings += step.happenings
            if not step.save_first:
                return step.chunk.data if step.chunk is not None else b""

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for _, name, facts in self.happenings if name == event]


Follow = Callable[..., Any]


@pytest.fixture
async def follow(tmp_path: Path) -> AsyncIterator[Follow]:
    """Starts tails on `tmp_path/log`, all with the same checkpoint: in turn they are one tail, restarted."""
    open_tails: list[Tail] = []
    (tmp_path / "log").mkdir()

    async def start(*include: str, events: Events | None = None, **settings: Any) -> Following:
        events, clock = events or Events(), Clock()
        given: dict[str, Any] = {"max_line_bytes": 1024, "chunk_bytes": 4096, "poll_interval": 0.05} | settings
        tail = Tail(
            include=[f"{tmp_path}/log/{pattern}" for pattern in include or ("*.log",)],
            state_file=tmp_path / "state/tail.json",
            log=events,
            monotonic=clock,
            **given,
        )
        open_tails.append(tail)
        await asyncio.wait_for(tail.start(), PATIENCE_S)
        return Following(tail, events, clock)

    yield start
    for tail in open_tails:
        await tail.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log/app.log"


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def reuse_inode(state: Path, old: Path, new: Path) -> None:
    """As if `new` had been given the inode of `old`, a remembered file that is gone: in the checkpoint."""
    saved = checkpoint.load(state)
    assert saved is not None
    inode = new.stat().st_ino
    files = [msgspec.structs.replace(each, inode=inode) if each.path == str(old) else each for each in saved.files]
    checkpoint.write(state, checkpoint.encode(msgspec.structs.replace(saved, files=files)))
