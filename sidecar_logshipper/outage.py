"""Is the sink there? Pure: turns each try's outcome into at most two facts, the outage's beginning and its end."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recovery:
    """The end of an outage: how long it was, and how many tries failed in it."""

    seconds: float
    failed_tries: int


class Outage:
    """One for all lanes, since they share the sink."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._failed = 0
        self._reason = ""

    @property
    def is_on(self) -> bool:
        return self._since is not None

    def failed(self, reason: str, now: float) -> bool:
        """A try failed. True when this begins an outage, or changes its reason, so that it is worth an event."""
        self._failed += 1
        if self._since is None:
            self._since = now
        worth_telling = reason != self._reason
        self._reason = reason
        return worth_telling

    @property
    def failed_tries(self) -> int:
        return self._failed

    def ended(self, now: float) -> Recovery | None:
        """The sink took something. What there is to tell, None when there was no outage."""
        if self._since is None:
            return None
        recovery = Recovery(now - self._since, self._failed)
        self._since, self._failed, self._reason = None, 0, ""
        return recovery
