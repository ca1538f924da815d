"""What may be configured, with its default, bounds and the rules between fields. Only what works is accepted.

Decoding, `${VAR}` and overrides are the chassis's; which formats exist the catalogue knows.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from adapter_logformat.formats.registry import NAMES
from chassis.settings import Address, Mistake, OpsSettings, Seconds, SettingsError, Size, describe

SMALLEST_OUTPUT = 64 * 1024
AUTO = "auto"


class InputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One set of log files and how they are read."""

    paths: Annotated[list[str], describe("globs of the files to follow; ** is any number of directories", min_length=1)]
    exclude: Annotated[list[str], describe("globs of names (or, with a slash, of whole paths) to leave out")] = []
    format: Annotated[
        str | list[str], describe("auto, the name of one format, or the names of those that may occur")
    ] = AUTO
    timezone: Annotated[str, describe("IANA zone of times that are written without one")] = "UTC"
    multiline: Annotated[Literal["auto", "none"], describe("auto: stack traces and their like join their record")] = (
        "auto"
    )

    @property
    def formats(self) -> tuple[str, ...]:
        """The only formats allowed; empty: all."""
        if isinstance(self.format, str):
            return () if self.format == AUTO else (self.format,)
        return tuple(self.format)

    def __post_init__(self) -> None:
        mistakes = [
            Mistake(f"paths[{at}]", "write an absolute path, as in /var/log/app/*.log")
            for at, pattern in enumerate(self.paths)
            if not pattern.startswith("/")
        ]
        if not self.paths:
            mistakes.append(Mistake("paths", "name at least one file"))
        for at, name in enumerate(self.formats):
            if name not in NAMES:
                path = "format" if isinstance(self.format, str) else f"format[{at}]"
                mistakes.append(Mistake(path, f"no format is called {name!r}; `adapter-logformat formats` lists them"))
        if isinstance(self.format, list) and not self.format:
            mistakes.append(Mistake("format", f"name at least one format, or write {AUTO}"))
        if not is_zone(self.timezone):
            mistakes.append(
                Mistake("timezone", f"no time zone is called {self.timezone!r}; write one as in Europe/Berlin")
            )
        if mistakes:
            raise SettingsError(mistakes)


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the records go."""

    to: Annotated[str, describe("the file that the records are written to, as in file:///var/log/podmates/app.jsonl")]
    profile: Annotated[Literal["otel"], describe("how a record is written")] = "otel"
    max_bytes: Annotated[Size, describe("the file is rotated before it grows beyond this")] = Size("64MiB")
    keep: Annotated[int, describe("so many rotated files stay beside it (.1 is the youngest)", ge=1, le=100)] = 3

    @property
    def path(self) -> Path:
        return Path(self.to.removeprefix("file://"))

    def __post_init__(self) -> None:
        mistakes = []
        if not self.to.startswith("file:///") or self.to.endswith("/"):
            mistakes.append(
                Mistake("to", f"expected a file such as file:///var/log/podmates/app.jsonl, got {self.to!r}")
            )
        if self.max_bytes < SMALLEST_OUTPUT:
            mistakes.append(Mistake("max_bytes", "expected at least 64KiB"))
        if mistakes:
            raise SettingsError(mistakes)


class MultilineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how large a joined record may get."""

    idle: Annotated[Seconds, describe("a record that nothing continued for so long is complete")] = Seconds("1s")
    max_age: Annotated[Seconds, describe("a record is written at the latest so long after its first line")] = Seconds(
        "10s"
    )
    max_lines: Annotated[int, describe("a record of more lines is written in parts, marked log.truncated", ge=10)] = (
        1000
    )
    max_bytes: Annotated[Size, describe("a record of more bytes is written in parts, marked log.truncated")] = Size(
        "1MiB"
    )


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What happens after SIGTERM."""

    deadline: Annotated[Seconds, describe("time until what is left is given up and reported")] = Seconds("25s")
    quiet: Annotated[Seconds, describe("files count as finished when nothing was written for so long")] = Seconds("1s")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The adapter's settings."""

    inputs: Annotated[list[InputSettings], describe("the logs to read", min_length=1)]
    output: Annotated[OutputSettings, describe("where the records go")]
    keep_original: Annotated[
        Literal["never", "on_failure", "always"], describe("when a record carries the text it was read from")
    ] = "on_failure"
    start_at: Annotated[
        Literal["beginning", "end"], describe("where the very first start begins; files that come later begin at 0")
    ] = "beginning"
    max_line_bytes: Annotated[Size, describe("a longer line is split into records of this size")] = Size("1MiB")
    multiline: Annotated[MultilineSettings, describe("limits of joined records")] = MultilineSettings()
    state_dir: Annotated[Path, describe("directory of the checkpoint; it must outlive the container")] = Path(
        "/var/lib/podmates"
    )
    drain: Annotated[DrainSettings, describe("what happens after SIGTERM")] = DrainSettings()
    ops: Annotated[OpsSettings, describe("probes and metrics")] = OpsSettings(listen=Address("0.0.0.0:9102"))

    def __post_init__(self) -> None:
        mistakes = []
        if not self.inputs:
            mistakes.append(Mistake("inputs", "name at least one input"))
        for at, source in enumerate(self.inputs):
            for place, pattern in enumerate(source.paths):
                if glob_regex(pattern).fullmatch(str(self.output.path)):
                    mistakes.append(
                        Mistake(f"inputs[{at}].paths[{place}]", "matches the output file, which would feed itself")
                    )
        if self.max_line_bytes < 1024:
            mistakes.append(Mistake("max_line_bytes", "expected at least 1KiB"))
        if mistakes:
            raise SettingsError(mistakes)


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
