"""The gate: one prober, bounded waiting, everybody let in when the target is back."""

import asyncio

import pytest
from structlog.testing import CapturingLogger

from ambassador_dbproxy.dial import Unreachable
from ambassador_dbproxy.gate import Gate, GateClosed, HoldExpired, TooManyWaiting
from ambassador_dbproxy.refusal import Unusable
from ambassador_dbproxy.server import Health


class Target:
    """Down until told otherwise; counts the probes."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.probes = 0
        self.probed_thrice = asyncio.Event()
        self.probing = 0
        self.most_probing = 0

    async def probe(self) -> None:
        self.probes += 1
        if self.probes == 3:
            self.probed_thrice.set()
        self.probing += 1
        self.most_probing = max(self.most_probing, self.probing)
        await asyncio.sleep(0)
        self.probing -= 1
        if not self.up.is_set():
            raise Unreachable("db:5432: refused")


def gate(target: Target, waiting: int = 100) -> Gate:
    return Gate(
        "orders/dev",
        target.probe,
        interval_s=0.01,
        max_waiting=waiting,
        random=lambda: 0.5,
        log=CapturingLogger(),
    )


def later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_an_unknown_target_is_tried_and_a_known_good_one_too() -> None:
    it = gate(Target())
    await it.wait(later(0))
    it.report_up()
    await it.wait(later(0))
    await it.close()


async def test_a_crowd_waits_behind_one_prober() -> None:
    target = Target()
    it = gate(target)
    it.report_down("refused")
    crowd = [asyncio.create_task(it.wait(later(10))) for _ in range(100)]
    await target.probed_thrice.wait()
    assert it.waiting == 100
    assert target.most_probing == 1
    target.up.set()
    await asyncio.gather(*crowd)
    assert it.health is Health.UP
    assert it.waiting == 0
    await it.close()


async def test_an_up_target_is_looked_after_and_seen_to_go_down() -> None:
    target = Target()
    target.up.set()
    it = gate(target)
    it.look()
    await target.probed_thrice.wait()
    assert it.health is Health.UP
    target.up.clear()
    while it.health is not Health.DOWN:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await it.close()


async def test_a_faulty_target_holds_nobody() -> None:
    class Faulty(Target):
        async def probe(self) -> None:
            raise Unusable("db:5432: certificate has expired") if self.up.is_set() else Unreachable("refused")

    target = Faulty()
    it = gate(target)
    it.report_down("refused")
    waiting = asyncio.create_task(it.wait(later(10)))
    target.up.set()
    await waiting
    assert (it.health, it.reason) == (Health.FAULTY, "db:5432: certificate has expired")
    await it.close()


async def test_a_bug_in_the_probe_is_loud_and_the_prober_goes_on() -> None:
    class Buggy(Target):
        async def probe(self) -> None:
            if self.probes == 0:
                self.probes = 1
                raise ZeroDivisionError

    it = gate(Buggy())
    it.report_down("refused")
    await it.wait(later(10))
    assert it.health is Health.UP
    await it.close()


async def test_the_bounds() -> None:
    it = gate(Target(), waiting=1)
    it.report_down("refused")
    first = asyncio.create_task(it.wait(later(0.05)))
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting):
        await it.wait(later(10))
    with pytest.raises(HoldExpired, match="refused"):
        await first
    await it.close()


async def test_closing_sends_everybody_on() -> None:
    it = gate(Target())
    it.report_down("refused")
    waiting = asyncio.create_task(it.wait(later(10)))
    await asyncio.sleep(0)
    await it.close()
    with pytest.raises(GateClosed):
        await waiting
    with pytest.raises(GateClosed):
        await it.wait(later(10))
