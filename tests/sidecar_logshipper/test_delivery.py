"""What becomes of a batch, as a transcript: a sink that answers by script, and where each line ended up."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtail.chunk import Chunk, Source
from sidecar_logshipper.batch import Batch, Part
from sidecar_logshipper.dead_letter import DeadLetterFile, DeadLetterFull
from sidecar_logshipper.delivery import Delivery, Office
from sidecar_logshipper.ledger import Ledger
from sidecar_logshipper.outage import Outage
from sidecar_logshipper.records import singles
from sidecar_logshipper.sinks.seam import Sent, Unreachable, writing
from sidecar_logshipper.sinks.settings import RetrySettings
from sidecar_logshipper.trust import CREDIT
from sidecar_logshipper.verdict import Action, Verdict, partial

ACK = Verdict(Action.ACK, "ack")
REFUSED = Verdict(Action.BISECT, "http_400")
RETRY = Verdict(Action.RETRY, "http_503")


def batch(*lines: str, start: int = 0) -> Batch:
    content = "".join(f"{line}\n" for line in lines).encode()
    return Batch((Part.of(Chunk(Source("/log/app.log", "1-a"), start, content)),))


def lines_of(sent: Batch) -> list[str]:
    return [each.chunk.data.decode().rstrip() for part in sent.parts for each in singles(part)]


class ScriptedSink:
    """Calls `answer` with the lines of each request, and remembers them."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.answer: Callable[[list[str]], Verdict] = lambda lines: ACK

    def send(self, batch: Batch) -> Sent:
        self.requests.append(lines_of(batch))
        return Sent(self.answer(self.requests[-1]), "its own words", 10)

    def abort(self) -> None: ...
    def close(self) -> None: ...


class Events:
    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.all.append((event, facts))

    warning = error = info

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.all if name == event]


class Desk:
    """A delivery and everything that can be seen of it."""

    def __init__(self, folder: Path) -> None:
        self.sink = ScriptedSink()
        self.events = Events()
        self.ledger = Ledger()
        self.dead_path = folder / "dead.jsonl"
        self.threads = ThreadPoolExecutor(1)
        chances = cycle([0.0, 0.9, 0.3, 0.6, 0.1])
        self.office = Office(
            ledger=self.ledger,
            outage=Outage(),
            dead_letters=DeadLetterFile(self.dead_path, 1_000_000, lambda: 0.0),
            threads=self.threads,
            log=self.events,
            clock=lambda: 0.0,
            monotonic=lambda: 0.0,
            random=lambda: next(chances),
        )
        self.delivery = Delivery(self.office, self.sink, RetrySettings(initial=0.0001, max=0.0002))  # type: ignore[arg-type]

    async def deliver(self, *batches: Batch) -> list[Part]:
        """The first one, with the others ready to be asked for."""
        first, *others = batches
        for each in batches:
            self.ledger.take_in(each.count, each.size)
        done = await self.delivery.deliver(first, lambda: others.pop(0) if others else None)
        self.ledger.take_in(-sum(each.count for each in others), -sum(each.size for each in others))
        assert (self.ledger.pending.lines, self.ledger.pending.bytes) == (0, 0)
        return done

    @property
    def dead(self) -> dict[str, str]:
        """The lines set aside, with the reason."""
        if not self.dead_path.exists():
            return {}
        records = map(json.loads, self.dead_path.read_text().splitlines())
        return {record["line"]: record["reason"] for record in records}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.threads.shutdown()


@pytest.fixture
async def trusted(desk: Desk) -> Desk:
    """A desk whose sink has taken something before."""
    await desk.deliver(batch("first"))
    desk.sink.requests.clear()
    return desk


async def test_an_acknowledged_batch_is_one_request(desk: Desk) -> None:
    given = batch("a", "b")
    assert await desk.deliver(given) == list(given.parts)
    assert desk.sink.requests == [["a", "b"]]
    assert desk.ledger.acked.lines == 2
    assert desk.office.sent_bytes == 10


async def test_failures_are_tried_again_until_it_is_taken(desk: Desk) -> None:
    verdicts = iter([RETRY, Verdict(Action.HOLD, "http_401"), RETRY, ACK])
    desk.sink.answer = lambda lines: next(verdicts)
    await desk.deliver(batch("a"))
    assert desk.sink.requests == [["a"]] * 4
    assert [told["reason"] for told in desk.events.of("sink_unavailable")] == ["http_503", "http_401", "http_503"]
    assert desk.events.of("sink_unavailable")[0]["detail"] == "", "a server may echo lines and credentials"
    assert desk.events.of("sink_recovered")[0]["failed_tries"] == 3


async def test_an_unreachable_sink_is_named_with_the_reason(desk: Desk) -> None:
    failures = iter([Unreachable("tls_failed", "logs:443: self-signed certificate")])

    def answer(lines: list[str]) -> Verdict:
        if (failure := next(failures, None)) is not None:
            raise failure
        return ACK

    desk.sink.answer = answer
    await desk.deliver(batch("a"))
    told = desk.events.of("sink_unavailable")[0]
    assert (told["reason"], told["detail"]) == ("tls_failed", "logs:443: self-signed certificate")


async def test_a_line_that_the_sink_cannot_write_is_found_in_halves_and_set_aside(desk: Desk) -> None:
    def answer(lines: list[str]) -> Verdict:
        with writing():
            assert "c" not in lines, "quotes c"
        return ACK

    desk.sink.answer = answer
    await desk.deliver(batch("a", "b", "c", "d"))
    assert desk.dead == {"c": "unwritable"}
    assert desk.ledger.acked.lines == 3
    told = desk.events.of("record_unwritable")[0]
    assert (told["path"], told["offset"]) == ("/log/app.log", 4)
    assert told["error"].startswith("AssertionError at test_delivery.py:")


async def test_a_writer_that_can_write_nothing_gives_nothing_up(desk: Desk) -> None:
    tries = 0

    def answer(lines: list[str]) -> Verdict:
        nonlocal tries
        tries += 1
        with writing():
            assert tries > 20
        return ACK

    desk.sink.answer = answer
    await desk.deliver(batch("a", "b", "c"))
    assert desk.dead == {}
    assert desk.ledger.acked.lines == 3


async def test_a_fault_that_no_record_brings_out_is_waited_for(trusted: Desk) -> None:
    faults = iter([KeyError("a"), MemoryError()])

    def answer(lines: list[str]) -> Verdict:
        if (fault := next(faults, None)) is not None:
            raise fault
        return ACK

    trusted.sink.answer = answer
    await trusted.deliver(batch("a", "b"))
    assert trusted.dead == {}
    assert trusted.sink.requests == [["a", "b"]] * 3
    told = [each["error"].split(" at ")[0] for each in trusted.events.of("sink_fault")]
    assert told == ["KeyError", "MemoryError"]


async def test_the_offender_is_found_in_halves_and_set_aside(trusted: Desk) -> None:
    trusted.sink.answer = lambda lines: REFUSED if "c" in lines else ACK
    await trusted.deliver(batch("a", "b", "c", "d"))
    assert trusted.sink.requests == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert trusted.dead == {"c": "http_400"}
    assert trusted.ledger.acked.lines == 1 + 3


async def test_a_suspect_that_the_sink_names_is_tried_alone(trusted: Desk) -> None:
    def answer(lines: list[str]) -> Verdict:
        return Verdict(Action.BISECT, "splunk_6", suspect=lines.index("c")) if "c" in lines else ACK

    trusted.sink.answer = answer
    await trusted.deliver(batch("a", "b", "c", "d"))
    assert trusted.sink.requests == [["a", "b", "c", "d"], ["a", "b"], ["c"], ["d"]]
    assert trusted.dead == {"c": "splunk_6"}


async def test_each_record_as_the_sink_says(trusted: Desk) -> None:
    busy = Verdict(Action.RETRY, "item_429")
    bad = Verdict(Action.REFUSE, "mapper_parsing_exception", answer="field [n] is no number")
    answers = iter([partial({1: bad, 2: busy, 3: busy}), partial({1: busy}), ACK])
    trusted.sink.answer = lambda lines: next(answers)
    await trusted.deliver(batch("a", "b", "c", "d"))
    assert trusted.sink.requests == [["a", "b", "c", "d"], ["c", "d"], ["d"]]
    assert trusted.dead == {"b": "mapper_parsing_exception"}
    assert json.loads(trusted.dead_path.read_text())["answer"] == "field [n] is no number"
    assert trusted.ledger.acked.lines == 1 + 3


async def test_records_over_several_parts_keep_their_place(trusted: Desk) -> None:
    bad = Verdict(Action.REFUSE, "bad")
    trusted.sink.answer = lambda lines: partial({2: bad, 4: bad})
    parts = (*batch("a", "b").parts, *batch("c", start=100).parts, *batch("d", "e", "f", start=200).parts)
    await trusted.deliver(Batch(parts))
    assert trusted.dead == {"c": "bad", "e": "bad"}
    offsets = [json.loads(line)["offset"] for line in trusted.dead_path.read_text().splitlines()]
    assert offsets == [100, 202]


async def test_rejected_without_a_name_is_counted_as_dropped(desk: Desk) -> None:
    desk.sink.answer = lambda lines: Verdict(Action.ACK, "http_200", rejected=1)
    await desk.deliver(batch("a", "b", "c", "d"))
    assert desk.ledger.acked.lines == 3
    assert desk.ledger.dropped["rejected_by_sink"].lines == 1
    assert desk.events.of("records_rejected") == [{"count": 1, "of": 4}]


async def test_before_the_first_acceptance_nothing_is_refused_for_good(desk: Desk) -> None:
    tries = 0

    def answer(lines: list[str]) -> Verdict:
        nonlocal tries
        tries += 1
        return REFUSED if tries < 40 else ACK  # somebody mends it

    desk.sink.answer = answer
    await desk.deliver(batch(*map(str, range(10, 74))))
    assert desk.dead == {}
    assert desk.ledger.acked.lines == 64
    told = [told for told in desk.events.of("sink_unavailable") if told["reason"] == "everything_refused"]
    assert told[0]["detail"] == "http_400: its own words"
    # Halves down to one line, the other halves whole, then one line after the other, with waits between.
    sizes = [len(request) for request in desk.sink.requests[:14]]
    assert sizes == [64, 32, 16, 8, 4, 2, 1, 1, 2, 4, 8, 16, 32, 1]


async def test_one_accepted_line_shows_that_it_is_the_others(desk: Desk) -> None:
    desk.sink.answer = lambda lines: REFUSED if set(lines) & {"a", "c", "e"} else ACK
    await desk.deliver(batch("a", "b", "c", "d", "e", "f"))
    assert desk.dead == {"a": "http_400", "c": "http_400", "e": "http_400"}
    assert desk.ledger.acked.lines == 3


async def test_a_first_line_that_is_refused_does_not_block_what_comes_after_it(desk: Desk) -> None:
    desk.sink.answer = lambda lines: REFUSED if "poison" in lines else ACK
    done = await desk.deliver(batch("poison"), batch("good", start=7))
    assert [part.chunk.start for part in done] == [0, 7]
    assert desk.dead == {"poison": "http_400"}
    assert desk.ledger.acked.lines == 1


async def test_items_are_not_believed_either(desk: Desk) -> None:
    bad = Verdict(Action.REFUSE, "item_400")
    tries = 0

    def answer(lines: list[str]) -> Verdict:
        nonlocal tries
        tries += 1
        return partial(dict.fromkeys(range(len(lines)), bad)) if tries < 4 else ACK

    desk.sink.answer = answer
    await desk.deliver(batch("a", "b", "c"))
    assert desk.dead == {}
    assert desk.ledger.acked.lines == 3


async def test_what_is_certain_is_set_aside_at_once(desk: Desk) -> None:
    too_long = Verdict(Action.REFUSE, "over_max_line_bytes", certain=True)
    desk.sink.answer = lambda lines: partial({1: too_long})
    await desk.deliver(batch("a", "b"))
    assert desk.dead == {"b": "over_max_line_bytes"}


async def test_trust_is_spent_by_refusals_in_a_row(trusted: Desk) -> None:
    tries = 0

    def answer(lines: list[str]) -> Verdict:
        nonlocal tries
        tries += 1
        return REFUSED if tries < 400 else ACK

    trusted.sink.answer = answer
    await trusted.deliver(batch(*map(str, range(100))))
    assert len(trusted.dead) == CREDIT
    assert trusted.ledger.acked.lines == 1 + 100 - CREDIT


async def test_another_lane_s_luck_is_no_credit_of_its_own(desk: Desk) -> None:
    """What is doubted is asked again when another lane was lucky; only a true acceptance makes refusals believed."""
    trust = desk.office.trust

    def answer(lines: list[str]) -> Verdict:
        if len(desk.sink.requests) == 3:  # meanwhile elsewhere: one acceptance, and all but one refusal it is good for
            trust.accepted()
            for _ in range(CREDIT - 1):
                trust.refused()
        return REFUSED if len(desk.sink.requests) < 60 else ACK

    desk.sink.answer = answer
    await desk.deliver(batch("a", "b"))
    assert len(desk.dead) == 1
    assert desk.ledger.acked.lines == 1


async def test_too_large_is_halved_down_to_the_line_and_no_further(trusted: Desk) -> None:
    trusted.sink.answer = lambda lines: Verdict(Action.SPLIT, "http_413") if "big" in lines or len(lines) > 2 else ACK
    await trusted.deliver(batch("a", "b", "big", "c", "d"))
    assert trusted.dead == {"big": "http_413"}
    assert trusted.ledger.acked.lines == 1 + 4


SCRIPTS = st.lists(st.sampled_from(["retry", "hold", "lost", "go"]), max_size=12)


@given(
    lines=st.lists(st.sampled_from(["good", "bad", "a longer good one", "a longer bad one"]), min_size=1, max_size=24),
    most=st.integers(2, 40),
    by_item=st.booleans(),
    named=st.booleans(),
    script=SCRIPTS,
)
def test_every_line_is_taken_once_or_set_aside(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], most: int, by_item: bool, named: bool, script: list[str]
) -> None:
    """Whatever lines are bad, whatever a request may hold, whether or not the sink names the offenders."""
    numbered = [f"{line} {number:02}" for number, line in enumerate(lines)]
    taken: list[str] = []
    moods = iter(script)

    def answer(sent: list[str]) -> Verdict:
        mood = next(moods, "go")
        if mood == "lost":
            raise Unreachable("timeout")
        if mood != "go":
            return RETRY if mood == "retry" else Verdict(Action.HOLD, "http_401")
        if len(sent) > most:
            return Verdict(Action.SPLIT, "http_413")
        bad = [place for place, line in enumerate(sent) if "bad" in line]
        if by_item:
            taken.extend(line for line in sent if "bad" not in line)
            return partial({place: Verdict(Action.REFUSE, "bad") for place in bad})
        if bad:
            return Verdict(Action.BISECT, "bad", suspect=bad[0] if named else None)
        taken.extend(sent)
        return ACK

    async def play() -> Desk:
        desk = Desk(tmp_path_factory.mktemp("desk"))
        desk.sink.answer = answer
        # A good line comes at last, so that it can be told whose fault it was.
        await desk.deliver(batch(*numbered), batch("good at last", start=10_000))
        desk.threads.shutdown()
        return desk

    desk = asyncio.run(play())
    assert sorted({*taken} - {"good at last"}) == sorted(line for line in numbered if "bad" not in line)
    assert len(taken) == len(set(taken))
    assert set(desk.dead) == {line for line in numbered if "bad" in line}


async def test_a_drain_ends_a_pause_that_the_server_asked_for(desk: Desk) -> None:
    verdicts = iter([Verdict(Action.RETRY, "http_503", after=3600.0), ACK])
    desk.sink.answer = lambda lines: next(verdicts)
    delivering = asyncio.create_task(desk.deliver(batch("a")))
    while not desk.events.of("sink_unavailable"):  # noqa: ASYNC110 (a worker thread gets it there)
        await asyncio.sleep(0)
    desk.delivery.hurry()
    async with asyncio.timeout(30):  # an hour, were it not for the drain
        await delivering
    assert desk.sink.requests == [["a"]] * 2


async def test_dead_letters_of_several_threads_stay_whole_and_in_their_bounds(tmp_path: Path) -> None:
    parts = [batch(f"line {number}").parts[0] for number in range(200)]
    file = DeadLetterFile(tmp_path / "dead.jsonl", 20_000, lambda: 0.0)

    def write(part: Part) -> bool:
        try:
            file.write(part, "refused", "")
        except DeadLetterFull:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        written = [part for part, done in zip(parts, threads.map(write, parts), strict=True) if done]
    content = (tmp_path / "dead.jsonl").read_bytes()
    assert len(content) <= 20_000
    kept = {json.loads(line)["line"] for line in content.splitlines()}
    assert kept == {part.chunk.data.decode().rstrip() for part in written}
    assert 0 < len(written) < len(parts)
