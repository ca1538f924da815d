"""What may be configured, with its default, bounds and the rules between fields. Only what works is accepted.

Decoding, `${VAR}` and overrides are the chassis's; one input is described in `settings_inputs`, redaction and metrics
in `settings_records`.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from adapter_logformat.endpoint import Endpoint
from adapter_logformat.profiles import ProfileName
from adapter_logformat.settings_inputs import InputSettings, glob_regex
from adapter_logformat.settings_records import MetricsSettings, RedactSettings
from chassis.settings import Address, Mistake, OpsSettings, Seconds, SettingsError, Size, describe

SMALLEST_OUTPUT = 64 * 1024
OUTPUT_SCHEMES = ("file", "stdout", "tcp", "unix")


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
