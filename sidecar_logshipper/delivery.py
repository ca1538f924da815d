"""Getting one batch to the sink: try for ever, hold, split or bisect, and dead-letter what is refused for good.

One delivery serves one lane. What an answer means is `verdict`'s matter, what goes into a batch the lane's.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol

from chassis.backoff import full_jitter
from chassis.secret import SecretUnreadable
from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.compression import Compress
from sidecar_logshipper.dead_letter import DeadLetterFile, DeadLetterFull
from sidecar_logshipper.ledger import Ledger
from sidecar_logshipper.outage import Outage
from sidecar_logshipper.settings import RetrySettings
from sidecar_logshipper.sinks.http import Answer, HttpLane, Unreachable
from sidecar_logshipper.verdict import Action, Verdict


class Encoder(Protocol):
    content_type: str

    def encode(self, lines: bytes, *, partial: bool = False) -> bytes: ...


@dataclass
class Office:
    """What all lanes of one shipper share."""

    ledger: Ledger
    outage: Outage
    dead_letters: DeadLetterFile
    threads: Executor
    log: Any
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    random: Callable[[], float]
    outcomes: Counter[str] = field(default_factory=Counter)
    """Requests by action."""
    sent_bytes: int = 0
    """Request bodies, as they went over the wire."""


class Delivery:
    def __init__(
        self, office: Office, lane: HttpLane, encoder: Encoder, compress: Compress | None, retry: RetrySettings
    ) -> None:
        self._office = office
        self._lane = lane
        self._encoder = encoder
        self._compress = compress
        self._retry = retry

    async def deliver(self, batch: Batch) -> None:
        """Returns when every line of the batch is acknowledged, dead-lettered or dropped, and so in the ledger."""
        ledger = self._office.ledger
        waiting = [batch]
        while waiting:
            piece = waiting.pop()
            decided, answer = await self._until_decided(piece)
            if decided.action is Action.ACK:
                ledger.ack(piece.count, piece.size)
                continue
            halves = piece.halves()
            if halves is None:
                await self._give_up(piece.parts[0], decided.reason, answer)
            else:
                waiting += reversed(halves)  # in order: the first half is sent first

    async def _until_decided(self, piece: Batch) -> tuple[Verdict, str]:
        """Tries again until the sink takes the piece or refuses it for good."""
        waits = full_jitter(self._retry.initial, self._retry.max, self._office.random)
        while True:
            decided, answer = await self._try(piece)
            self._office.outcomes[decided.action.value] += 1
            if decided.action not in (Action.RETRY, Action.HOLD):
                self._reached()
                return decided, answer
            wait_s = max(next(waits), decided.after)
            self._failed(decided, wait_s)
            await asyncio.sleep(wait_s)

    async def _try(self, piece: Batch) -> tuple[Verdict, str]:
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(self._office.threads, self._send, piece)
        except Unreachable as error:
            return verdict.of_failure(str(error)), ""
        except SecretUnreadable as error:
            return verdict.of_credentials(), error.why
        return verdict.of_status(answer.status, answer.retry_after, self._office.clock()), answer.text

    def _send(self, piece: Batch) -> Answer:
        """Encodes and sends, on a worker thread. Encoded anew at each try, so that an outage holds no second copy."""
        body = [self._encoder.encode(part.chunk.data, partial=part.chunk.piece) for part in piece.parts]
        if self._compress is not None:
            body = [self._compress(b"".join(body) if len(body) > 1 else body[0])]
        answer = self._lane.send(body)
        self._office.sent_bytes += sum(map(len, body))
        return answer

    def _failed(self, decided: Verdict, wait_s: float) -> None:
        office = self._office
        if office.outage.failed(decided.reason, office.monotonic()):
            office.log.warning(
                "sink_unavailable",
                reason=decided.reason,
                action=decided.action.value,
                attempt=office.outage.failed_tries,
                retry_in_s=round(wait_s, 3),
            )

    def _reached(self) -> None:
        recovery = self._office.outage.ended(self._office.monotonic())
        if recovery is not None:
            self._office.log.info(
                "sink_recovered", outage_s=round(recovery.seconds, 3), failed_tries=recovery.failed_tries
            )

    async def _give_up(self, part: Part, reason: str, answer: str) -> None:
        """One line is refused for good: into the dead-letter file with it."""
        office = self._office
        where = {"path": part.chunk.source.path, "offset": part.chunk.start, "reason": reason}
        try:
            await asyncio.get_running_loop().run_in_executor(
                office.threads, office.dead_letters.write, part, reason, answer
            )
        except DeadLetterFull:
            office.ledger.drop("dead_letter_full", part.count, len(part.chunk.data))
            office.log.error("record_dropped", why="dead_letter_full", **where)
        except OSError as error:
            office.ledger.drop("dead_letter_unwritable", part.count, len(part.chunk.data))
            office.log.error("record_dropped", why=f"dead_letter_unwritable: {error.strerror or error}", **where)
        else:
            office.ledger.dead_letter(part.count, len(part.chunk.data))
            office.log.warning("record_dead_lettered", **where)
