"""What does the sink's answer mean for the batch? Pure: an HTTP status (RFC 9110) or a failure becomes one action.

The actions are carried out by `delivery`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum

LONGEST_RETRY_AFTER_S = 3600.0  # a server's slip of the pen must not silence a pod for a year


class Action(Enum):
    ACK = "ack"  # the sink has it
    RETRY = "retry"  # it may work later, unchanged
    HOLD = "hold"  # nothing will work until somebody mends the settings or the server; keep trying, slowly
    SPLIT = "split"  # too large: send it in halves
    BISECT = "bisect"  # something in it is refused: look for it in halves
    PARTIAL = "partial"  # the sink said of each record what became of it
    REFUSE = "refuse"  # of one record: refused for good


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one answer, or one record's part of it, asks for. `reason` is a stable word for logs and dead letters."""

    action: Action
    reason: str
    after: float = 0.0
    """Do not try again before that many seconds."""
    detail: str = ""
    """More about it for people, in our words or the system's: it is logged, so the sink's own must not be in it."""
    answer: str = ""
    """The sink's own words about this record alone, for the dead-letter file."""
    records: Mapping[int, "Verdict"] = field(default_factory=dict)
    """With PARTIAL: RETRY, HOLD or REFUSE for the records at these places in the batch; all others are acknowledged."""
    suspect: int | None = None
    """With BISECT: the place of the record that the sink complains about, where it says so."""
    rejected: int = 0
    """With ACK: so many records were dropped by the sink, which does not say which."""
    certain: bool = False
    """With REFUSE: this can be about nothing but the record."""


_RETRIED = frozenset({408, 425, 429})
# 401, 403, 407 speak of the credentials; 404, 405, a redirect of the address; 406, 411, 415 of the form. None of them
# speaks of a record: taking them so would move the whole log into the dead-letter file while an ingress is deployed.
_HELD = frozenset({401, 403, 404, 405, 406, 407, 411, 415})


def of_status(status: int, retry_after: str | None, now: float) -> Verdict:
    """`retry_after` is the header of that name (seconds or an HTTP date), `now` the time in seconds since 1970."""
    reason = f"http_{status}"
    if 200 <= status < 300:
        return Verdict(Action.ACK, reason)
    if status in _RETRIED or status >= 500:
        return Verdict(Action.RETRY, reason, floor(retry_after, now))
    if status == 413:
        return Verdict(Action.SPLIT, reason)
    if status in _HELD or status < 400:
        return Verdict(Action.HOLD, reason, floor(retry_after, now))
    return Verdict(Action.BISECT, reason)


def of_failure(reason: str, detail: str = "") -> Verdict:
    """No answer: it could not be reached, or went away, or was too slow."""
    return Verdict(Action.RETRY, reason, detail=detail)


def of_credentials(detail: str = "") -> Verdict:
    """The request could not be made because a credentials file cannot be read."""
    return Verdict(Action.HOLD, "credentials_unreadable", detail=detail)


def of_record(status: int, reason: str, answer: str = "") -> Verdict | None:
    """What the sink's status (as in HTTP) for a single record of a batch asks for; None when it has the record."""
    if 200 <= status < 300:
        return None
    if status in _RETRIED or status >= 500:
        return Verdict(Action.RETRY, reason)
    if status in _HELD or status < 400:
        return Verdict(Action.HOLD, reason)
    return Verdict(Action.REFUSE, reason, answer=answer)


def partial(records: Mapping[int, Verdict]) -> Verdict:
    """ACK when there is nothing to say about any record."""
    return Verdict(Action.PARTIAL, "partial", records=records) if records else Verdict(Action.ACK, "ack")


def floor(retry_after: str | None, now: float) -> float:
    """Seconds from a Retry-After header (RFC 9110 section 10.2.3); 0 when absent or unreadable."""
    if not retry_after:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)
