"""Requests to the sample app of a pod, one after the other, each naming its event; and what came of them."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from podmates.load import is_expected, target
from tests.containers.stage import Pod, request, until

APP_PORT = 8080
LOG_SERVER_PORT = 8514
ANSWERS_WITHIN_S = 20.0  # when a pod's network goes in the middle of a request, nobody says that it was in vain


@dataclass
class Traffic:
    """What was asked of the app at `url`."""

    url: str
    token: str = field(default_factory=lambda: secrets.token_hex(3))
    made: int = 0
    unexpected: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def ask(self, path: str) -> tuple[int, bytes]:
        """One request; what the app would not answer when all is well is kept in `unexpected`."""
        self.made += 1
        status, body = request(f"{self.url}{path}?event=evt-{self.token}-access-{self.made:06d}", ANSWERS_WITHIN_S)
        if not is_expected(path, status):
            self.unexpected.append(f"{path}: {status} {body.decode()}")
        return status, body

    def more(self, count: int) -> None:
        """Returns when so many more were asked."""
        goal = self.made + count
        until(lambda: self.made >= goal, "the traffic stands still")

    def go_on(self) -> None:
        """Until the end, or until nobody answers: then the app has gone, and soon the network of its pod."""
        while not self._over.is_set() and self.ask(target(self.made))[0]:
            pass

    def end(self) -> None:
        self._over.set()


@contextmanager
def traffic(pod: Pod) -> Iterator[Traffic]:
    """Requests to the app of `pod` without a pause, until the block ends or the app does."""
    it = Traffic(f"http://{pod.address}:{APP_PORT}")
    thread = threading.Thread(target=it.go_on, name=f"traffic for {pod.name}")
    thread.start()
    try:
        yield it
    finally:
        it.end()
        thread.join()


def received(log_server: Pod, pod: Pod) -> list[bytes]:
    """The records that the log server holds of a pod."""
    lines: list[bytes] = []
    offset = 0
    while page := log_server.ask(LOG_SERVER_PORT, f"/records?offset={offset}")[1]:
        offset += len(page)
        lines += page.splitlines()
    return [line for line in lines if json.loads(line).get("k8s.pod.name") == pod.name]
