"""After a kill: which steps to take again, at which time, and how many of their records are in the output already.

Pure. A stream makes the same bytes of the same input at the same time, however it is cut; so a step taken again may
leave out what the output holds, and nobody who follows the output sees a byte change.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from adapter_logformat.journal import Deed, Note

ALL: Final = -1


class Step(msgspec.Struct, frozen=True):
    """Read up to `end` at `now_ns`; the first `skip` records that come of it are in the output (`ALL`: every one)."""

    deed: Deed
    end: int
    now_ns: int
    skip: int


@dataclass(frozen=True, slots=True)
class Part:
    """A step as it is taken now: `data` up to `end`. `partly`: the rest of the step's bytes are still to come."""

    deed: Deed
    data: bytes
    end: int
    now_ns: int
    skip: int = 0
    partly: bool = False


def to_take_again(
    saved: Mapping[str, Sequence[Step]],
    notes: Sequence[Note],
    length: int | None,
    records_in: Callable[[int, int], int],
) -> dict[str, list[Step]]:
    """The steps that follow the checkpoint, by generation.

    `saved` are those the checkpoint itself still had before it, `length` how much of the output is there (whole lines;
    `None`: nobody knows, the file is another), `records_in(begin, end)` counts the records of a part of it."""
    waiting = {generation: deque(steps) for generation, steps in saved.items()}
    steps: dict[str, list[Step]] = {}
    for at, note in enumerate(notes):
        if length is None:
            # The output was taken away: only the last step may not have been written as a whole.
            there = ALL if at < len(notes) - 1 else note.skipped
        elif note.ends <= length:
            there = ALL
        else:
            there = note.skipped + (records_in(note.begins, length) if note.begins < length else 0)
        steps.setdefault(note.generation, []).append(Step(note.deed, note.end, note.now_ns, there))
        _advance(waiting.get(note.generation), note)
    for generation, rest in waiting.items():
        if rest:
            steps.setdefault(generation, []).extend(rest)
    return steps


def _advance(waiting: deque[Step] | None, note: Note) -> None:
    """A note of a step that was itself a repetition takes the place of the step that was repeated."""
    if not waiting:
        return
    first = waiting[0]
    if note.end >= first.end:
        waiting.popleft()
    elif first.skip != ALL:
        waiting[0] = Step(first.deed, first.end, first.now_ns, max(0, first.skip - note.skipped))


class Replay:
    """The steps still to be taken again; empty most of the time."""

    def __init__(self, steps: Mapping[str, Sequence[Step]]) -> None:
        self._steps = {generation: deque(each) for generation, each in steps.items() if each}

    def __bool__(self) -> bool:
        return bool(self._steps)

    def awaits(self, generation: str) -> bool:
        """Does this file have steps to take again before anything new may happen to it?"""
        return generation in self._steps

    def left(self) -> dict[str, list[Step]]:
        """What a checkpoint must remember."""
        return {generation: list(steps) for generation, steps in self._steps.items()}

    def without_bytes(self, generation: str) -> Iterator[Part]:
        """The steps that need no input: a waiting record was ended right after the checkpoint."""
        steps = self._steps.get(generation)
        while steps and steps[0].deed == "expire":
            step = steps.popleft()
            self._tidy(generation)
            yield Part("expire", b"", step.end, step.now_ns, step.skip)

    def parts(self, generation: str, start: int, data: bytes, *, final: bool, now_ns: int) -> Iterator[Part]:
        """The bytes [start, start + len(data)) as the steps saw them; what is new after them, at `now_ns`."""
        at, end = start, start + len(data)
        steps = self._steps.get(generation)
        while steps and steps[0].end <= end:
            step = steps.popleft()
            self._tidy(generation)
            yield Part(step.deed, data[at - start : max(step.end, at) - start], step.end, step.now_ns, step.skip)
            at = max(step.end, at)
            final = final and step.deed != "last"
        if steps and at < end:
            yield Part("feed", data[at - start :], end, steps[0].now_ns, steps[0].skip, partly=True)
        elif at < end or final or start == end:
            yield Part("last" if final else "feed", data[at - start :], end, now_ns)
        if final:
            self.forget(generation)

    def consumed(self, generation: str, records: int) -> None:
        """So many records of the step that is under way were left out."""
        steps = self._steps.get(generation)
        if steps and steps[0].skip != ALL:
            first = steps[0]
            steps[0] = Step(first.deed, first.end, first.now_ns, max(0, first.skip - records))

    def forget(self, generation: str) -> bool:
        """The file is gone for good. True when some of what followed the checkpoint is in the output."""
        return any(step.skip for step in self._steps.pop(generation, ()))

    def generations(self) -> list[str]:
        return list(self._steps)

    def _tidy(self, generation: str) -> None:
        if not self._steps[generation]:
            del self._steps[generation]
