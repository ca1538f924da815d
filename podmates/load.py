"""The clients of the sample app: a few loops that ask one request after the other, paced, counted and bounded.

Which request comes next is a plain function of its number, so that a run can be understood and repeated.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

PER_SECOND = 120.0
CLIENTS = 4
MOST_REQUESTS = 200_000
TIMEOUT = aiohttp.ClientTimeout(total=45)
HEADERS = {"User-Agent": "podmates-load/1"}
EXPECTED = {"orders": (200, 404), "price": (500,), "invoice": (502,)}


def target(number: int) -> str:
    """The path of the request with this number: mostly orders, some of them unknown, now and then a failure."""
    if number % 25 == 7:
        return f"/price/{number % 200 + 1}"
    if number % 25 == 19:
        return f"/invoice/{number % 200 + 1}"
    return f"/orders/{number % 210 + 1}"


def is_expected(path: str, status: int) -> bool:
    """Whether this status is what the app answers there when all is well."""
    return status in EXPECTED[path.split("/")[1]]


@dataclass
class LoadCounts:
    """What the clients saw. `failed`: no answer, or another than the app gives when all is well."""

    made: int = 0
    failed: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    first_failure: str = ""


class Load:
    """Requests against `base_url`, each naming its event with this run's `token`."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str) -> None:
        self.counts = LoadCounts()
        self._session = session
        self._base_url = base_url
        self._token = token
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Ask until `finish` is called or MOST_REQUESTS are made."""
        async with asyncio.TaskGroup() as clients:
            for n in range(CLIENTS):
                clients.create_task(self._client(), name=f"client {n}")

    def finish(self) -> None:
        """Let every client end with its present request."""
        self._stop.set()

    async def ask(self, path: str) -> tuple[int, dict[str, object]]:
        """One request, counted like all others. The status is 0 when there was no answer."""
        self.counts.made += 1
        event = f"evt-{self._token}-access-{self.counts.made:06d}"
        url = f"{self._base_url}{path}?event={event}"
        status, answer, reason = 0, {}, ""
        try:
            async with self._session.get(url, headers=HEADERS, timeout=TIMEOUT) as response:
                status, answer = response.status, await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
        self.counts.statuses[status] += 1
        if not is_expected(path, status):
            self.counts.failed += 1
            self.counts.first_failure = self.counts.first_failure or f"GET {path} ({event}): {reason or status}"
        return status, answer

    async def _client(self) -> None:
        interval = CLIENTS / PER_SECOND
        due = time.monotonic()
        while not self._stop.is_set() and self.counts.made < MOST_REQUESTS:
            await self.ask(target(self.counts.made))
            # Paced by the clock, but never making up for a slow answer with a burst.
            due = max(due + interval, time.monotonic())
            if (pause := due - time.monotonic()) > 0:
                try:
                    async with asyncio.timeout(pause):
                        await self._stop.wait()
                except TimeoutError:
                    pass
