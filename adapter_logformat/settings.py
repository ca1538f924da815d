"""What may be configured, with its default, bounds and the rules between fields. Only what works is accepted.

Decoding, `${VAR}` and overrides are the chassis's; which formats exist the catalogue knows, which patterns are safe
`patterns`.
"""

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from adapter_logformat.endpoint import Endpoint
from adapter_logformat.formats.registry import NAMES
from adapter_logformat.profiles import ProfileName
from adapter_logformat.redact import Action, Detector
from chassis.settings import Address, Mistake, OpsSettings, Seconds, SettingsError, Size, describe

SMALLEST_OUTPUT = 64 * 1024
AUTO = "auto"
ACCESS_METRICS = ("http_requests", "http_response_bytes", "http_request_duration_seconds")
LISTEN_SCHEMES = ("udp", "tcp", "unix", "unixgram", "fifo", "stdin")
OUTPUT_SCHEMES = ("file", "stdout", "tcp", "unix")


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


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the records go."""

    to: Annotated[
        str,
        describe("file:///PATH, stdout:, tcp://HOST:PORT or unix:///PATH; only a file holds each record exactly once "
                 "after a kill"),
    ]  # fmt: skip
    profile: Annotated[ProfileName, describe("how a record is written")] = "otel"
    max_bytes: Annotated[Size, describe("a file is rotated before it grows beyond this")] = Size("64MiB")
    keep: Annotated[int, describe("so many rotated files stay beside it (.1 is the youngest)", ge=1, le=100)] = 3

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint.of(self.to, OUTPUT_SCHEMES)

    @property
    def path(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.endpoint.path) if self.endpoint.scheme == "file" else None

    def __post_init__(self) -> None:
        mistakes = []
        try:
            Endpoint.of(self.to, OUTPUT_SCHEMES)
        except ValueError as error:
            mistakes.append(Mistake("to", str(error)))
        if self.max_bytes < SMALLEST_OUTPUT:
            mistakes.append(Mistake("max_bytes", "expected at least 64KiB"))
        if mistakes:
            raise SettingsError(mistakes)


class RedactSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must not be stored."""

    detect: Annotated[Detector | None, describe("a detector that is ready-made")] = None
    pattern: Annotated[str | None, describe("or a regex of your own")] = None
    name: Annotated[str, describe("of your own pattern, in what stands instead of a match and at /metrics")] = "pattern"
    action: Annotated[
        Action, describe("mask: [email] stands there; hash: a keyed hash, alike for alike text; drop: nothing")
    ] = "mask"
    key_file: Annotated[Path | None, describe("the secret of the hashes, at least 16 bytes")] = None

    def __post_init__(self) -> None:
        mistakes = []
        if (self.detect is None) == (self.pattern is None):
            mistakes.append(Mistake("detect", "name a detector or write a pattern, one of the two"))
        if (self.action == "hash") != (self.key_file is not None):
            mistakes.append(Mistake("key_file", "goes with `action: hash`, and only with it"))
        if self.pattern is not None:
            from adapter_logformat.formats.regex_check import objection  # only for those who wrote a regex

            wrong = objection(self.pattern)
            if wrong is not None:
                mistakes.append(Mistake("pattern", wrong))
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", self.name):
            mistakes.append(Mistake("name", "write small letters, digits and underscores"))
        if mistakes:
            raise SettingsError(mistakes)


class LabelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the value of a label comes from."""

    field: Annotated[str, describe("an attribute, a resource attribute, severity_text or log.format")]
    allow: Annotated[list[str], describe("the values that may occur, all others count as `other`; empty: any")] = []


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Records that are counted."""

    name: Annotated[str, describe("the metric is called logs_NAME (_total where it counts)")]
    formats: Annotated[list[str], describe("only records of these formats; empty: all")] = []
    where: Annotated[dict[str, str], describe("field: the text it must have")] = {}
    value: Annotated[str, describe("the field to sum up, instead of counting records")] = ""
    buckets: Annotated[list[float], describe("upper bounds; with them `value` becomes a histogram")] = []
    labels: Annotated[dict[str, LabelSettings], describe("label: where its value comes from")] = {}

    def __post_init__(self) -> None:
        mistakes = []
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,80}", self.name):
            mistakes.append(Mistake("name", "write small letters, digits and underscores"))
        mistakes += [
            Mistake(f"labels.{name}", "write small letters, digits and underscores, and not le")
            for name in self.labels
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,80}", name) or name == "le"
        ]
        if self.buckets and not self.value:
            mistakes.append(Mistake("buckets", "need a value"))
        if list(self.buckets) != sorted(set(self.buckets)):
            mistakes.append(Mistake("buckets", "expected rising numbers"))
        for at, name in enumerate(self.formats):
            if name not in NAMES:
                mistakes.append(Mistake(f"formats[{at}]", unknown_format(name)))
        if mistakes:
            raise SettingsError(mistakes)


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics made from the records, for apps that have none."""

    access_log: Annotated[
        bool, describe("requests, bytes and durations of any access log, by method and status class")
    ] = False
    paths: Annotated[
        list[str],
        describe("adds the label path: templates as in /users/{id} or /static/*, all others count as `other`"),
    ] = []
    max_series: Annotated[
        int, describe("of one metric; values beyond it are counted under __overflow__", ge=1, le=100000)
    ] = 1000
    idle: Annotated[Seconds, describe("a series that nothing was added to for so long is forgotten")] = Seconds("1h")
    rules: Annotated[list[RuleSettings], describe("rules of your own")] = []

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        mistakes = [
            Mistake(f"rules[{at}].name", f"{name} is there already")
            for at, name in enumerate(names)
            if name in names[:at] or name in ACCESS_METRICS
        ]
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
    redact: Annotated[list[RedactSettings], describe("what is taken out of every record, in this order")] = []
    metrics: Annotated[MetricsSettings, describe("metrics made from the records")] = MetricsSettings()
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
                if self.output.path and glob_regex(pattern).fullmatch(str(self.output.path)):
                    mistakes.append(
                        Mistake(f"inputs[{at}].paths[{place}]", "matches the output file, which would feed itself")
                    )
        listens = [source.listen for source in self.inputs if source.listen]
        for at, source in enumerate(self.inputs):
            if source.listen and listens.index(source.listen) < len([s for s in self.inputs[:at] if s.listen]):
                mistakes.append(Mistake(f"inputs[{at}].listen", f"{source.listen} is listened on already"))
        if self.max_line_bytes < 1024:
            mistakes.append(Mistake("max_line_bytes", "expected at least 1KiB"))
        if mistakes:
            raise SettingsError(mistakes)


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
