"""The seam between delivery and the sinks: what a sink is given and what it must give back. Pure.

A sink sends one batch and says what came of it. A sink over HTTP is a `Dialect` (pure: how a batch is written, what an
answer means) on the transport in `http`; others speak for themselves.
"""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sidecar_logshipper.batch import Batch
from sidecar_logshipper.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `body` is its beginning, as far as the dialect asked for it."""

    status: int
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one batch: what to do about it, the sink's own words, and the bytes that went over the wire."""

    verdict: Verdict
    answer: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body, in pieces to be sent one after the other, and the records (by their place in the batch) left out of it
    because this sink would drop them silently."""

    pieces: Sequence[bytes]
    refused: Mapping[int, Verdict] = field(default_factory=dict)


class Unreachable(Exception):
    """No answer came. `reason` is a short stable word, `detail` is for people: the peer, and what the system says."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Unwritable(Exception):
    """Some record of the batch brings out a fault of ours in writing the batch as this sink wants it."""


@contextmanager
def writing() -> Iterator[None]:
    """Around everything that hangs on the records alone: what fails in it raises Unwritable, saying where."""
    try:
        yield
    except MemoryError:
        raise  # that is not about the records
    except Exception as error:
        raise Unwritable(fault(error)) from error


def fault(error: BaseException) -> str:
    """The kind of error and the place in the code, and not its text, which may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class Sink(Protocol):
    """One lane's way to the sink. `send` is called by one thread at a time, `abort` and `close` from anywhere."""

    def send(self, batch: Batch) -> Sent:
        """Blocks. Unreachable without an answer; SecretUnreadable without credentials; Unwritable before anything is
        sent."""
        ...

    def abort(self) -> None:
        """For the end: wakes the thread that waits in `send`, which raises Unreachable, as do all later calls."""
        ...

    def close(self) -> None: ...


class Dialect(Protocol):
    """What one protocol says over HTTP."""

    content_type: str
    path: str
    """Where to POST when the URL has no path."""
    query: str
    """Added to the URL's own query; may be empty."""
    headers: Mapping[str, str]
    most_answer_bytes: int
    """Of an answer's body, so many are read."""

    def encode(self, batch: Batch) -> Encoded: ...

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        """`batch` without the records that `encode` left out. `now`: seconds since 1970, for dates in the answer."""
        ...
