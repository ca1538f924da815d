"""What every upstream is given of the world: limits in time, chance, log, counts, and how a gate is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ambassador_dbproxy.credentials import SaltedPasswords
from ambassador_dbproxy.gate import Gate
from ambassador_dbproxy.metrics import Tally
from ambassador_dbproxy.settings import ListenerSettings, Settings


@dataclass(frozen=True)
class Surroundings:
    """Shared by the upstreams of one listener. Times are in seconds; `random` returns a float in [0, 1)."""

    connect_timeout_s: float
    login_timeout_s: float
    probe_interval_s: float
    max_waiting: int
    keys: SaltedPasswords
    tally: Tally
    random: Callable[[], float]
    nonce: Callable[[], str]
    log: Any

    @classmethod
    def of(
        cls,
        settings: Settings,
        listener: ListenerSettings,
        *,
        keys: SaltedPasswords,
        tally: Tally,
        random: Callable[[], float],
        nonce: Callable[[], str],
        log: Any,
    ) -> Surroundings:
        """As the settings of one listener want them."""
        return cls(
            connect_timeout_s=settings.connect_timeout,
            login_timeout_s=settings.login_timeout,
            probe_interval_s=settings.health.interval,
            max_waiting=listener.limits.waiting,
            keys=keys,
            tally=tally,
            random=random,
            nonce=nonce,
            log=log,
        )

    def gate(self, name: str, probe: Callable[[], Awaitable[None]]) -> Gate:
        """A gate for the target `name`."""
        return Gate(
            name,
            probe,
            interval_s=self.probe_interval_s,
            max_waiting=self.max_waiting,
            random=self.random,
            log=self.log,
        )
