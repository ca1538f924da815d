"""What may be configured of one input: its place, its format, its zone, and where its records begin.

Which patterns are safe `formats.regex_check` knows; what all of it adds up to is in `settings`.
"""

import difflib
import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from adapter_logformat.endpoint import Endpoint
from adapter_logformat.formats.registry import NAMES
from chassis.settings import Mistake, SettingsError, describe

AUTO = "auto"
LISTEN_SCHEMES = ("udp", "tcp", "unix", "unixgram", "fifo", "stdin")


class RegexFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A format of one's own: a line is a record where the regex matches all of it."""

    regex: Annotated[
        str, describe("with named groups: time, level, message, logger, pid, status…; a__b becomes the attribute a.b")
    ]
    time: Annotated[
        str | None, describe("layout of the group time, as in %d/%b/%Y:%H:%M:%S %z; without one ISO 8601")
    ] = None

    def __post_init__(self) -> None:
        from adapter_logformat.formats.custom import custom  # only for those who wrote a regex
        from adapter_logformat.formats.regex_check import objection

        wrong = objection(self.regex)
        if wrong is not None:
            raise SettingsError([Mistake("regex", wrong)])
        try:
            custom(self.regex)
        except ValueError as error:
            raise SettingsError([Mistake("regex", str(error))]) from error
        try:
            custom(self.regex, self.time)
        except ValueError as error:
            raise SettingsError([Mistake("time", str(error))]) from error


class StartRegex(msgspec.Struct, frozen=True, kw_only=True):
    """Where records of several lines begin."""

    start: Annotated[str, describe("a line that does not match this at its beginning continues the record before it")]

    def __post_init__(self) -> None:
        from adapter_logformat.formats.regex_check import objection  # only for those who wrote a regex

        wrong = objection(self.start)
        if wrong is not None:
            raise SettingsError([Mistake("start", wrong)])


class InputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One set of log files, or one address that is listened on, and how it is read."""

    paths: Annotated[list[str], describe("globs of the files to follow; ** is any number of directories")] = []
    exclude: Annotated[list[str], describe("globs of names (or, with a slash, of whole paths) to leave out")] = []
    listen: Annotated[
        str,
        describe("instead of paths: udp://HOST:PORT, tcp://HOST:PORT, unix:///PATH, unixgram:///PATH, fifo:///PATH or "
                 "stdin:; without a host it is loopback"),
    ] = ""  # fmt: skip
    format: Annotated[
        str | list[str] | RegexFormat,
        describe("auto, the name of one format, the names of those that may occur, or a regex of your own"),
    ] = AUTO
    timezone: Annotated[str, describe("IANA zone of times that are written without one")] = "UTC"
    multiline: Annotated[
        Literal["auto", "none"] | StartRegex,
        describe("auto: stack traces and their like join their record; none: every line is one"),
    ] = "auto"

    @property
    def formats(self) -> tuple[str, ...]:
        """The only formats allowed; empty: all."""
        if isinstance(self.format, RegexFormat):
            return ()
        if isinstance(self.format, str):
            return () if self.format == AUTO else (self.format,)
        return tuple(self.format)

    @property
    def endpoint(self) -> Endpoint:
        """Where to listen; only where `listen` is set."""
        return Endpoint.of(self.listen, LISTEN_SCHEMES)

    def __post_init__(self) -> None:
        mistakes = [*self._place_mistakes(), *self._format_mistakes()]
        if not is_zone(self.timezone):
            mistakes.append(
                Mistake("timezone", f"no time zone is called {self.timezone!r}; write one as in Europe/Berlin")
            )
        if mistakes:
            raise SettingsError(mistakes)

    def _place_mistakes(self) -> list[Mistake]:
        mistakes = [
            Mistake(f"paths[{at}]", "write an absolute path, as in /var/log/app/*.log")
            for at, pattern in enumerate(self.paths)
            if not pattern.startswith("/")
        ]
        if self.listen:
            try:
                Endpoint.of(self.listen, LISTEN_SCHEMES)
            except ValueError as error:
                mistakes.append(Mistake("listen", str(error)))
        if bool(self.paths) == bool(self.listen):
            mistakes.append(Mistake("paths", "name at least one file, or an address to listen on, and not both"))
        return mistakes

    def _format_mistakes(self) -> list[Mistake]:
        mistakes = []
        for at, name in enumerate(self.formats):
            if name not in NAMES:
                path = "format" if isinstance(self.format, str) else f"format[{at}]"
                mistakes.append(Mistake(path, unknown_format(name)))
        if isinstance(self.format, list) and not self.format:
            mistakes.append(Mistake("format", f"name at least one format, or write {AUTO}"))
        return mistakes


def unknown_format(name: str) -> str:
    """What to say of a format that is not in the catalogue."""
    close = difflib.get_close_matches(name, [AUTO, *NAMES], n=1)
    hint = f"did you mean {close[0]}?" if close else "`adapter-logformat formats` lists them"
    return f"no format is called {name!r}; {hint}"


def is_zone(name: str) -> bool:
    """Is `name` a zone of the IANA database on this machine?"""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A glob over whole paths as a regex: `*` and `?` stay within a directory, `**` is any number of directories."""
    out = []
    for part in re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]]+\])", pattern):
        if part == "**/":
            out.append(r"(?:[^/]+/)*")
        elif part == "**":
            out.append(r".*")
        elif part in ("*", "?"):
            out.append(r"[^/]" + part.replace("?", ""))
        elif part.startswith("[") and part.endswith("]"):
            out.append("[" + part[1:-1].replace("\\", r"\\").replace("!", "^", part[1] == "!") + "]")
        else:
            out.append(re.escape(part))
    return re.compile("".join(out))
