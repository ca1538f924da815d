"""Which stream reads what: one for each followed file and each sender, made after the input it belongs to, and what a
checkpoint keeps of them. Pure; when something is read, and where its records go, is the matter of `conversion`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from adapter_logformat.grammar import Format
from adapter_logformat.measures import Measures
from adapter_logformat.options import Limits, Options, Tally
from adapter_logformat.pipeline import Stream
from adapter_logformat.settings import Settings
from adapter_logformat.settings_inputs import InputSettings, RegexFormat, StartRegex, glob_regex


class SavedStream(msgspec.Struct, frozen=True):
    """A file's stream in a checkpoint."""

    path: str
    state: dict[str, Any]


@dataclass(slots=True)
class Followed:
    """One file: where it was first seen, its stream, and how far that has read in this life."""

    path: str
    stream: Stream
    end: int = 0


class Streams:
    """All streams under one set of settings. `files` by generation, `senders` with the address they came to."""

    def __init__(self, settings: Settings, tally: Tally, measures: Measures) -> None:
        self.files: dict[str, Followed] = {}
        self.senders: dict[str, tuple[str, Stream]] = {}
        self._tally = tally
        self._options = [
            (tuple(map(glob_regex, source.paths)), source.listen, _options(settings, source, measures))
            for source in settings.inputs
        ]
        self._saved: dict[str, SavedStream] = {}
        self._touched: set[str] = set()

    def file(self, generation: str, path: str) -> Followed:
        """The one of this file, made where it is new."""
        if generation not in self.files:
            self.files[generation] = Followed(path, self._of_file(path))
        return self.files[generation]

    def sender(self, name: str, listen: str) -> Stream:
        """The one of a sender to `listen`, made where it is new."""
        if name not in self.senders:
            options = next(
                # An input that is gone since a reload still gets what it had received.
                (options for _, address, options in self._options if address == listen),
                self._options[0][2],
            )
            self.senders[name] = listen, Stream(options, self._tally)
        return self.senders[name][1]

    def forget(self, generation: str) -> None:
        """The file has ended, or is gone."""
        self.files.pop(generation, None)
        self._saved.pop(generation, None)
        self._touched.discard(generation)

    @property
    def wait(self) -> bool:
        """Does a joined record wait for its possible continuation?"""
        return any(followed.stream.waits for followed in self.files.values()) or any(
            stream.waits for _, stream in self.senders.values()
        )

    def rest(self, generations: Sequence[str]) -> None:
        """These files' streams begin anew with what they have to remember, without the templates and caches they
        grew."""
        for generation in generations:
            followed = self.files[generation]
            rested = self._of_file(followed.path)
            rested.restore(followed.stream.snapshot())
            followed.stream = rested

    def touch(self, generation: str) -> None:
        """The stream has changed since it was last saved."""
        self._touched.add(generation)

    def saved(self, instead: Mapping[str, dict[str, Any]]) -> dict[str, SavedStream]:
        """What a checkpoint made now holds; `instead` stands for streams that have gone further than what is
        acknowledged, and is forgotten with the next one."""
        for generation in self._touched:
            followed = self.files[generation]
            state = instead.get(generation) or followed.stream.snapshot()
            self._saved[generation] = SavedStream(followed.path, state)
        self._touched = set(instead)
        return self._saved

    def revive(self, generation: str, saved: SavedStream) -> Followed:
        """Goes on where a checkpoint left the stream. `ValueError` for a state that is none."""
        followed = Followed(saved.path, self._of_file(saved.path))
        followed.stream.restore(saved.state)
        self.files[generation] = followed
        return followed

    def _of_file(self, path: str) -> Stream:
        options = next(
            (options for patterns, _, options in self._options if any(p.fullmatch(path) for p in patterns)),
            self._options[0][2],
        )
        return Stream(replace(options, attributes={"log.file.path": path}), self._tally)


def own_formats(source: InputSettings) -> tuple[Format, ...]:
    """The format that the settings themselves describe."""
    if not isinstance(source.format, RegexFormat):
        return ()
    from adapter_logformat.formats.custom import custom  # only for those who wrote a regex

    return (custom(source.format.regex, source.format.time),)


def _options(settings: Settings, source: InputSettings, measures: Measures) -> Options:
    joined = settings.multiline
    return Options(
        only=source.formats,
        own=own_formats(source),
        zone=source.timezone,
        profile=settings.output.profile,
        join=source.multiline != "none",
        start=source.multiline.start if isinstance(source.multiline, StartRegex) else None,
        keep_original=settings.keep_original,
        measures=measures or None,
        limits=Limits(settings.max_line_bytes, joined.max_lines, joined.max_bytes, joined.idle, joined.max_age),
    )
