"""How long to wait before the next try.

Pure: who waits, and for what, is the caller's matter.
"""

from collections.abc import Callable, Iterator


def full_jitter(initial: float, cap: float, random: Callable[[], float]) -> Iterator[float]:
    """Endless waiting times in seconds, each drawn evenly from 0 to a ceiling that doubles from `initial` to `cap`.

    `random` returns a float in [0, 1). Drawing from the whole span keeps many clients from retrying in step.
    """
    ceiling = initial
    while True:
        yield random() * min(ceiling, cap)
        ceiling = min(ceiling * 2, cap)
