"""The mate: what listens, and the conversion that is at work; with new settings another conversion takes over.

Sockets that both settings name stay open through that. How bytes become records and stay safe is `conversion`'s
matter.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from adapter_logformat.conversion import Conversion
from adapter_logformat.inputs.intake import Intake
from adapter_logformat.inputs.listeners import Listener
from adapter_logformat.measures import Family, Label, Measures, Rule
from adapter_logformat.metrics import LogformatMetrics
from adapter_logformat.options import Tally
from adapter_logformat.settings import Settings
from chassis.command import Context
from chassis.errors import OperatorError
from logtail.chunk import TailStats

QUIET_LOOK_S: Final = 0.02


class Adapter:
    """Built once per process by the chassis; see `chassis.lifecycle.Mate` for the order of the calls."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self.tally = Tally()
        self.redacted: Counter[str] = Counter()
        self._settings = settings
        self._context = context
        self._measures = measures_of(settings)
        self._log = context.log
        self._intake = Intake()
        self._listeners: dict[str, Listener] = {}
        self._ended: set[str] = set()
        self._conversion = Conversion(settings, context, self.tally, self._intake, self.redacted, self._measures)
        self._taken_over = asyncio.Event()
        self._changing = asyncio.Lock()
        context.registry.register(LogformatMetrics(self))

    async def start(self) -> dict[str, object]:
        """Takes up the work where the checkpoint left it, then listens."""
        await self._conversion.start()
        await self._listen(self._settings)
        facts: dict[str, object] = {"output": self._settings.output.to, "files": self._conversion.tail_stats().files}
        if self._listeners:
            facts["listeners"] = {listen: listener.where for listen, listener in self._listeners.items()}
        return facts

    async def run(self) -> None:
        """The conversion at work, and after a change of settings the next one."""
        while True:
            await self._conversion.run()
            await self._taken_over.wait()
            self._taken_over.clear()

    async def drain(self) -> None:
        """Reads what is left, ends all records, and saves."""
        async with self._changing:
            quiet = self._settings.drain.quiet
            await self._listeners_quiet(quiet)
            await self._close_listeners(set(self._listeners))
            await self._conversion.drain(quiet)

    async def close(self) -> bool:
        """True when everything that was read is in the output and saved."""
        await self._close_listeners(set(self._listeners))
        left = self._conversion.work_left()
        if left:
            self._log.warning("work_left", **left)
        return await self._conversion.close()

    async def reload(self, settings: Settings) -> None:
        """New settings from the next line on, old ones again where the new cannot be carried out."""
        if settings.ops != self._settings.ops:
            raise OperatorError("ops.listen", "cannot change while the adapter runs")
        async with self._changing:
            before = self._settings
            await self._conversion.pause()
            senders = self._conversion.senders()
            await self._conversion.close()
            try:
                await self._take_over(settings, senders)
            except OperatorError:
                await self._conversion.close()
                await self._take_over(before, senders)
                raise
            finally:
                self._taken_over.set()

    async def _take_over(self, settings: Settings, senders: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
        if settings.metrics != self._settings.metrics:
            self._measures = measures_of(settings)
        self._conversion = Conversion(settings, self._context, self.tally, self._intake, self.redacted, self._measures)
        await self._conversion.start()
        self._conversion.adopt(senders)
        await self._listen(settings)
        self._settings = settings

    # -- listening -----------------------------------------------------------------------------------------------------

    async def _listen(self, settings: Settings) -> None:
        """Opens what is new in `settings` and closes what is not there any more."""
        wanted = {source.listen: at for at, source in enumerate(settings.inputs) if source.listen}
        await self._close_listeners(set(self._listeners) - set(wanted))
        opened: set[str] = set()
        try:
            for listen, at in wanted.items():
                if listen in self._listeners:
                    continue
                endpoint = settings.inputs[at].endpoint
                listener = Listener(listen, endpoint, self._intake, settings.max_line_bytes, partial(self._end, listen))
                await listener.open(f"inputs[{at}].listen")
                self._listeners[listen] = listener
                opened.add(listen)
                if not endpoint.is_inside_the_pod:
                    self._log.warning("listens_beyond_the_pod", listen=listener.where)
        except OperatorError:
            await self._close_listeners(opened)
            raise

    async def _close_listeners(self, listens: set[str]) -> None:
        for listen in listens:
            await self._listeners.pop(listen).close()

    def _end(self, listen: str) -> None:
        """Standard input has ended; where it was all there is, so has the work."""
        self._ended.add(listen)
        if self._ended >= {source.listen or "files" for source in self._settings.inputs}:
            self._context.stop("end of input")

    async def _listeners_quiet(self, quiet: float) -> None:
        """Until nothing was received for `quiet` seconds: what the app says last is still heard."""
        seen, since = -1, self._context.monotonic()
        while self._listeners.keys() - self._ended:
            received = sum(listener.received.bytes for listener in self._listeners.values())
            now = self._context.monotonic()
            if received != seen or self._intake.bytes:
                seen, since = received, now
            if now - since >= quiet:
                return
            await asyncio.sleep(QUIET_LOOK_S)

    # -- what the metrics page asks ------------------------------------------------------------------------------------

    def tail_stats(self) -> TailStats:
        return self._conversion.tail_stats()

    def output_counts(self) -> Mapping[str, int]:
        return self._conversion.output_counts()

    def measured(self) -> Iterator[Family]:
        return self._measures.families(int(self._context.clock() * 1_000_000_000))

    def unmeasured(self) -> int:
        return self._measures.dropped

    def redacting(self) -> tuple[str, ...]:
        return tuple(wanted.detect or wanted.name for wanted in self._settings.redact)

    def is_blocked(self) -> bool:
        return self._conversion.is_blocked()

    def listeners(self) -> list[Listener]:
        return list(self._listeners.values())


def measures_of(settings: Settings) -> Measures:
    """The rules that the settings ask for."""
    wanted = settings.metrics
    rules = [
        Rule(
            name=rule.name,
            labels=tuple(Label(name, each.field, frozenset(each.allow)) for name, each in rule.labels.items()),
            formats=frozenset(rule.formats),
            where=rule.where,
            value=rule.value,
            buckets=tuple(rule.buckets),
        )
        for rule in wanted.rules
    ]
    return Measures(
        rules, access_log=wanted.access_log, paths=wanted.paths, max_series=wanted.max_series, idle_s=wanted.idle
    )
