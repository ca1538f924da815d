"""One life of a mate, read from top to bottom: start, announce, wait, drain under a deadline, close.

What starting, draining and closing mean is the mate's matter; this file owns the order, the signals and the
exit status.
"""

import asyncio
import enum
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from chassis import signals
from chassis.errors import EXIT_OPERATOR_MISTAKE, OperatorError
from chassis.units import Seconds

EXIT_CLEAN = 0
EXIT_BUG = 70
EXIT_WORK_LEFT = 75

CLOSE_WITHIN_S = 10.0  # saving and closing take milliseconds, unless a volume hangs


class Phase(enum.Enum):
    """Where a mate is in its life. It moves only forward."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Mate(Protocol):
    """What a service gives to be run. Each method is called once, in this order, but for `reload`."""

    async def start(self) -> dict[str, object]:
        """Opens and binds everything; returns facts for the `ready` event. OperatorError on operator mistakes."""

    async def run(self) -> None:
        """Works until cancelled, also while draining. Returning or raising before that is a bug."""

    async def drain(self) -> None:
        """Finishes the work at hand. Cancelled when the deadline passes."""

    async def close(self) -> bool:
        """Always the last call: saves and closes everything; True when no work was left behind."""

    async def reload(self, settings: Any) -> None:
        """Takes over new, valid settings. OperatorError to refuse them; then the old ones stay."""


class Life:
    """The phase of one mate and the wishes that reach it from outside (signals, `/quitquitquit`)."""

    def __init__(self, log: Any) -> None:
        self.phase = Phase.STARTING
        self.stop_asked = asyncio.Event()
        self.stop_asked_at = 0.0  # by the loop's clock
        self.stop_insisted = asyncio.Event()
        self.reload_asked = asyncio.Event()
        self.close_cut_short = False
        """Something hangs that cannot be cancelled, as a thread in a call to a volume that is gone."""
        self._log = log

    @property
    def is_ready(self) -> bool:
        return self.phase is Phase.READY

    @property
    def has_started(self) -> bool:
        return self.phase in (Phase.READY, Phase.DRAINING)

    def stop(self, reason: str) -> None:
        """Asks for a drain. Asking again changes nothing: container runtimes send SIGTERM more than once."""
        if not self.stop_asked.is_set():
            self.stop_asked.set()
            self.stop_asked_at = asyncio.get_running_loop().time()
            self._log.info("stop_asked", reason=reason)

    def interrupt(self) -> None:
        """Ctrl-C asks for a drain too, and pressed once more it ends the drain at once."""
        if self.stop_asked.is_set():
            self.stop_insisted.set()
        self.stop("SIGINT")

    def listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop, "SIGTERM")
        loop.add_signal_handler(signal.SIGINT, self.interrupt)
        loop.add_signal_handler(signal.SIGHUP, self.reload_asked.set)
        signals.release()


async def live(
    mate: Mate,
    life: Life,
    log: Any,
    *,
    announce: Callable[[dict[str, object]], None],
    watch: Callable[[], Coroutine[Any, Any, None]],
    drain_deadline: Callable[[], Seconds],
) -> int:
    """Runs `mate` to its end and returns the exit status.

    `announce` is told the facts of the start; `watch` looks after changed settings until it is cancelled;
    `drain_deadline` is asked when the drain begins, since a reload may have changed it.
    """
    life.listen_to_signals()
    facts, status = await _started(mate, life, log, drain_deadline)
    if facts is None:
        return max(status, await _closed(mate, life, log, left=EXIT_CLEAN))
    life.phase = Phase.READY
    announce(facts)

    work = asyncio.create_task(mate.run(), name="run")
    asked = asyncio.create_task(life.stop_asked.wait(), name="stop_asked")
    watching = asyncio.create_task(watch(), name="watch")
    await asyncio.wait((work, asked, watching), return_when=asyncio.FIRST_COMPLETED)

    life.phase = Phase.DRAINING
    if not work.done() and not watching.done():
        status = await _drain(mate, work, life, log, drain_deadline())
    for task in (work, asked, watching):
        status = max(status, await _ended(task, asked, log))
    closed = await _closed(mate, life, log, left=EXIT_WORK_LEFT)
    life.phase = Phase.STOPPED
    # A bug tells more than the work that it left.
    status = EXIT_BUG if EXIT_BUG in (status, closed) else closed
    log.info("stopped", status=status)
    return status


async def _started(
    mate: Mate, life: Life, log: Any, drain_deadline: Callable[[], Seconds]
) -> tuple[dict[str, object] | None, int]:
    """The facts of the start, or None and the exit status: the operator's mistake, a bug, or a stop while it hangs.

    A stop waits for the start, and what is there is drained: the work of a Job may be done before its mate has started.
    Both together have the time of a drain.
    """
    start = asyncio.create_task(mate.start(), name="start")
    asked = asyncio.create_task(life.stop_asked.wait(), name="stop_asked")
    insisted = asyncio.create_task(life.stop_insisted.wait(), name="stop_insisted")
    await asyncio.wait((start, asked), return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        await asyncio.wait((start, insisted), timeout=drain_deadline(), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    insisted.cancel()
    if not start.done():
        log.error("start_cut_short", reason="interrupted" if life.stop_insisted.is_set() else "deadline")
        start.cancel()
        await asyncio.wait((start,), timeout=CLOSE_WITHIN_S)
        return None, EXIT_WORK_LEFT
    try:
        return start.result(), EXIT_CLEAN
    except OperatorError as error:
        log.error("cannot_start", setting=error.setting, reason=error.message)
        return None, EXIT_OPERATOR_MISTAKE
    except Exception as error:
        log.error("bug", where="start", reason=str(error), exc_info=error)
        return None, EXIT_BUG


async def _closed(mate: Mate, life: Life, log: Any, *, left: int) -> int:
    """Closes the mate in bounded time; `left` is the status when work was left behind."""
    try:
        async with asyncio.timeout(CLOSE_WITHIN_S):
            return EXIT_CLEAN if await mate.close() else left
    except TimeoutError:
        life.close_cut_short = True
        log.error("close_cut_short", deadline_s=CLOSE_WITHIN_S)
        return left
    except Exception as error:
        log.error("bug", where="close", reason=str(error), exc_info=error)
        return EXIT_BUG


async def _drain(mate: Mate, work: asyncio.Task[None], life: Life, log: Any, deadline: Seconds) -> int:
    """Lets the mate finish, until it has, until `deadline` has passed, or until somebody insists."""
    drain = asyncio.create_task(mate.drain(), name="drain")
    insisted = asyncio.create_task(life.stop_insisted.wait(), name="stop_insisted")
    gone_s = asyncio.get_running_loop().time() - life.stop_asked_at
    await asyncio.wait(
        (drain, insisted, work), timeout=max(0.0, deadline - gone_s), return_when=asyncio.FIRST_COMPLETED
    )
    if not drain.done() and not work.done():
        log.warning("drain_cut_short", reason="interrupted" if insisted.done() else "deadline", deadline=str(deadline))
    insisted.cancel()
    if not drain.done():
        drain.cancel()
    await asyncio.wait((drain, insisted))
    if not drain.cancelled() and (error := drain.exception()):
        log.error("drain_failed", reason=str(error), exc_info=error)
        return EXIT_BUG
    return EXIT_CLEAN


async def _ended(task: asyncio.Task[Any], asked: asyncio.Task[Any], log: Any) -> int:
    """Ends `task`. One that ended by itself, other than `asked`, was meant to go on: that is a bug, and loud."""
    by_itself = task.done() and task is not asked
    task.cancel()
    await asyncio.wait((task,))
    error = None if task.cancelled() else task.exception()
    if error is None and (not by_itself or task.cancelled()):
        return EXIT_CLEAN
    log.error("bug", where=task.get_name(), reason=str(error or "ended although nobody asked"), exc_info=error)
    return EXIT_BUG
