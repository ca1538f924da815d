"""Getting one batch to the sink: try for ever, hold, split or bisect, and dead-letter what is refused for good.

One delivery serves one lane. What an answer means is the sink's matter, what goes into a batch the lane's.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from chassis.backoff import full_jitter
from chassis.secret import SecretUnreadable
from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.dead_letter import DeadLetterFile, DeadLetterFull
from sidecar_logshipper.discretion import veiled
from sidecar_logshipper.ledger import Ledger
from sidecar_logshipper.outage import Outage
from sidecar_logshipper.records import around, only
from sidecar_logshipper.sinks.seam import Sent, Sink, Unreachable, Unwritable, fault
from sidecar_logshipper.sinks.settings import RetrySettings
from sidecar_logshipper.trust import Trust
from sidecar_logshipper.verdict import Action, Verdict

UNWRITABLE = "unwritable"

More = Callable[[], Batch | None]


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
    trust: Trust = field(default_factory=Trust)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Requests by action."""
    sent_bytes: int = 0
    """Request bodies, as they went over the wire."""
    hurried: bool = False
    """The drain's deadline is near: no pause is longer than HURRIED_WAIT_S."""


@dataclass
class Errand:
    """One batch on its way: what is still to be sent, in order from the end, and what was refused but not believed."""

    parts: list[Part]
    waiting: list[Batch]
    waits: Iterator[float]
    doubted: list[Batch] = field(default_factory=list)
    complaint: str = ""
    """The last refusal that was not believed, for people."""


HURRIED_WAIT_S = 1.0


class Delivery:
    def __init__(self, office: Office, sink: Sink, retry: RetrySettings) -> None:
        self._office = office
        self._sink = sink
        self._retry = retry
        self._sending: Sink | None = None
        self._wake = asyncio.Event()

    def take_over(self, sink: Sink, retry: RetrySettings) -> None:
        """From the next try on by another sink; a try under way ends first, so that nothing is sent twice for this."""
        if self._sending is None:
            self._sink.close()
        self._sink, self._retry = sink, retry
        self._office.trust.lose()  # this one has not taken anything yet
        self._wake.set()

    def hurry(self) -> None:
        """A drain has begun: a pause under way ends, and those to come are short, whatever the server asked for."""
        self._office.hurried = True
        self._wake.set()

    def abort(self) -> None:
        """For the end: whoever waits for an answer gives up."""
        self._sink.abort()
        if self._sending is not None:
            self._sending.abort()

    def close(self) -> None:
        self._sink.close()

    async def deliver(self, batch: Batch, more: More = lambda: None) -> list[Part]:
        """Returns when every line of the batch is acknowledged, dead-lettered or dropped, and so in the ledger.

        `more` may give another batch, which is then delivered together with this one: asked when the sink has refused
        all of this one and nothing shows yet whether these lines are to blame. All parts delivered are returned.
        """
        errand = Errand(list(batch.parts), [batch], self._waits())
        while errand.waiting or errand.doubted:
            if errand.waiting:
                piece = errand.waiting.pop()
                await self._carry_out(await self._try(piece), piece, errand)
            else:
                await self._probe(errand, more)
        return errand.parts

    def _waits(self) -> Iterator[float]:
        return full_jitter(self._retry.initial, self._retry.max, self._office.random)

    async def _try(self, piece: Batch) -> Sent:
        """One request, encoded anew each time, so that an outage holds no second copy."""
        loop = asyncio.get_running_loop()
        sink = self._sending = self._sink
        try:
            sent = await loop.run_in_executor(self._office.threads, sink.send, piece)
        except Unreachable as error:
            sent = Sent(verdict.of_failure(error.reason, error.detail))
        except SecretUnreadable as error:
            sent = Sent(verdict.of_credentials(str(error)))
        except Unwritable as error:
            sent = self._unwritable(piece, str(error))
        except Exception as error:
            # A fault of ours that nothing ties to a record: the lane goes on, and nothing is given up for it.
            self._office.log.error("sink_fault", error=fault(error))
            sent = Sent(Verdict(Action.HOLD, "internal_error", detail=fault(error)))
        finally:
            self._sending = None
            if sink is not self._sink:
                sink.close()
        self._office.outcomes[sent.verdict.action.value] += 1
        self._office.sent_bytes += sent.size
        return sent

    def _unwritable(self, piece: Batch, why: str) -> Sent:
        """As if the sink had refused it: the record is looked for in halves, and believed to be the one to blame where
        others are taken."""
        if piece.count == 1:
            chunk = piece.parts[0].chunk
            self._office.log.error("record_unwritable", path=chunk.source.path, offset=chunk.start, error=why)
        return Sent(Verdict(Action.BISECT, UNWRITABLE), why)

    async def _carry_out(self, sent: Sent, piece: Batch, errand: Errand) -> None:
        """Do what the verdict asks for; what remains to be sent is put back first in `errand.waiting`."""
        decided = sent.verdict
        match decided.action:
            case Action.ACK:
                self._taken(piece, decided, errand)
            case Action.PARTIAL:
                await self._sort(sent, piece, errand)
            case Action.RETRY | Action.HOLD:
                errand.waiting.append(piece)
                await self._wait(decided, errand)
            case _:
                await self._cut(sent, piece, errand)

    def _taken(self, piece: Batch, decided: Verdict, errand: Errand) -> None:
        """The sink has it, all of it or all but some that it does not name."""
        count, size, rejected = piece.count, piece.size, min(decided.rejected, piece.count)
        lost = size * rejected // count if count else 0
        self._office.ledger.ack(count - rejected, size - lost)
        if rejected:
            self._office.ledger.drop("rejected_by_sink", rejected, lost)
            self._office.log.error("records_rejected", count=rejected, of=count)
        self._accepted(errand)

    def _accepted(self, errand: Errand, *, all_of_it: bool = True) -> None:
        self._office.trust.accepted()
        if all_of_it:
            self._reached()
            errand.waits = self._waits()
        self._doubt_no_more(errand)

    def _doubt_no_more(self, errand: Errand) -> None:
        """Now that the sink takes something, its refusals mean something: ask again about those that were doubted."""
        errand.waiting += reversed(errand.doubted)
        errand.doubted = []

    async def _sort(self, sent: Sent, piece: Batch, errand: Errand) -> None:
        """Each record as the sink says: acknowledged, to be sent again alone, or refused."""
        verdicts = sent.verdict.records
        left = only(piece, verdicts)
        if left.count < piece.count:
            self._office.ledger.ack(piece.count - left.count, piece.size - left.size)
            self._accepted(errand, all_of_it=all(each.action is Action.REFUSE for each in verdicts.values()))
        again: list[Part] = []
        doubted: list[Part] = []
        waiting_for: Verdict | None = None
        for part, of_record in zip(left.parts, (verdicts[place] for place in sorted(verdicts)), strict=True):
            if of_record.action is Action.REFUSE:
                if not await self._refuse(part, of_record, of_record.answer or sent.answer, errand):
                    doubted.append(part)
            else:
                again.append(part)
                if waiting_for is None or of_record.action is Action.HOLD:
                    waiting_for = of_record
        if doubted:
            errand.doubted.append(Batch(tuple(doubted)))
        if waiting_for is not None:
            errand.waiting.append(Batch(tuple(again)))
            await self._wait(waiting_for, errand)

    async def _cut(self, sent: Sent, piece: Batch, errand: Errand) -> None:
        """Too large, or something in it is refused."""
        decided = sent.verdict
        halves = piece.halves()
        if halves is None:
            if not await self._refuse(piece.parts[0], decided, sent.answer, errand):
                errand.doubted.append(piece)
        elif errand.doubted and not self._office.trust.is_given:
            errand.doubted.append(piece)  # one line was found that is refused alone; more of the same tells nothing
        elif decided.suspect is not None and decided.suspect < piece.count:
            errand.waiting += reversed(around(piece, decided.suspect))
        else:
            errand.waiting += reversed(halves)  # in order: the first half is sent first

    async def _probe(self, errand: Errand, more: More) -> None:
        """All that was sent is refused, and nothing shows that it is the lines: wait, then try one of them, any one,
        and what has been written since. Where anything is taken, the refusals were about the lines after all."""
        trust = self._office.trust
        if not trust.is_given:
            await self._wait(Verdict(Action.HOLD, "everything_refused", detail=errand.complaint), errand)
        if trust.is_given:  # another lane had luck
            self._doubt_no_more(errand)
            return
        if (batch := more()) is not None:
            errand.parts += batch.parts
            errand.waiting.append(batch)
        piece = errand.doubted.pop(int(self._office.random() * len(errand.doubted)))
        place = int(self._office.random() * piece.count)
        pieces = around(piece, place)
        errand.waiting.append(pieces.pop(1 if place else 0))  # the one line; it is sent next
        errand.doubted += pieces

    async def _wait(self, decided: Verdict, errand: Errand) -> None:
        wait_s = max(next(errand.waits), decided.after)
        if self._office.hurried:
            wait_s = min(wait_s, HURRIED_WAIT_S)
        self._failed(decided, wait_s)
        self._wake.clear()
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        else:
            errand.waits = self._waits()  # what failed was another sink, or there is little time left

    def _failed(self, decided: Verdict, wait_s: float) -> None:
        office = self._office
        if office.outage.failed(decided.reason, office.monotonic()):
            office.log.warning(
                "sink_unavailable",
                reason=decided.reason,
                detail=decided.detail,  # never the server's own words: it may echo the lines, or the credentials
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

    async def _refuse(self, part: Part, decided: Verdict, answer: str, errand: Errand) -> bool:
        """One record is refused: into the dead-letter file with it. False when that cannot be believed yet."""
        trust = self._office.trust
        if not decided.certain:
            if not trust.is_given:
                errand.complaint = f"{decided.reason}: {veiled(answer, part.chunk.data)}"
                return False
            trust.refused()
            if decided.reason != UNWRITABLE:  # of which the sink knows nothing
                self._reached()
        await self._give_up(part, decided.reason, answer)
        return True

    async def _give_up(self, part: Part, reason: str, answer: str) -> None:
        """Into the dead-letter file with it; what that cannot take is dropped and counted."""
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
