"""The log shipper's settings: every key, its default and its bounds. Read and checked by the chassis.

Those of the sinks are in `sinks.settings`.
Only what works is here, so that the schema never promises more than the program keeps.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from chassis.settings import Address, Mistake, OpsSettings, Seconds, SettingsError, Size, describe
from sidecar_logshipper.sinks.settings import SinkSettings


class MultilineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines belong to one record: one of the two."""

    start: Annotated[str, describe("regex that matches at the beginning of a record's first line")] = ""
    continuation: Annotated[str, describe("regex that matches at the beginning of each further line")] = ""

    def __post_init__(self) -> None:
        if bool(self.start) == bool(self.continuation):
            raise ValueError("give start or continuation, one of them")
        for name in ("start", "continuation"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise SettingsError([Mistake(name, f"no regular expression: {error}")]) from error


class FilesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which files are followed."""

    include: Annotated[
        list[str], describe("globs of the files to follow; ** is any number of directories", min_length=1)
    ]
    exclude: Annotated[list[str], describe("globs of names (or, with a slash, of whole paths) to leave out")] = []
    start_at: Annotated[
        Literal["beginning", "end"], describe("where the very first start begins; files that come later begin at 0")
    ] = "beginning"
    max_line_bytes: Annotated[Size, describe("a longer line is split into records of this size")] = Size("1MiB")
    multiline: Annotated[
        Literal["none"] | MultilineSettings, describe("stack traces and the like as one record; a record ends 1s later")
    ] = "none"
    delete_after_ack: Annotated[
        bool, describe("delete a file that was rotated, once all of it is acknowledged and it was quiet for a minute")
    ] = False
    encoding: Annotated[
        Literal["utf-8", "utf-16"],
        describe("of files without a byte order mark; UTF-16 is recognised by its mark, gzip by its first bytes"),
    ] = "utf-8"

    def __post_init__(self) -> None:
        mistakes = [
            Mistake(f"include[{i}]", "write an absolute path, as in /var/log/app/*.log")
            for i, pattern in enumerate(self.include)
            if not pattern.startswith("/")
        ]
        if not self.include:
            mistakes.append(Mistake("include", "name at least one file or glob"))
        if self.max_line_bytes < 1024:
            mistakes.append(Mistake("max_line_bytes", "expected at least 1KiB"))
        if mistakes:
            raise SettingsError(mistakes)


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the lines come from; what is not empty becomes a member of each record."""

    name: Annotated[str, describe("becomes k8s.pod.name")] = ""
    namespace: Annotated[str, describe("becomes k8s.namespace.name")] = ""
    node: Annotated[str, describe("becomes k8s.node.name")] = ""
    uid: Annotated[str, describe("becomes k8s.pod.uid, and opens the ids of records")] = ""


class DeadLetterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where lines go that the sink refuses for good."""

    path: Annotated[Path | None, describe("a file of JSON lines; default: dead.jsonl in state_dir")] = None
    max_bytes: Annotated[Size, describe("beyond this, refused lines are dropped and counted")] = Size("64MiB")


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the shipper ends."""

    deadline: Annotated[Seconds, describe("time after SIGTERM until what is left is given up and reported")] = Seconds(
        "20s"
    )
    quiet: Annotated[Seconds, describe("it ends when no file has grown for this long since SIGTERM")] = Seconds("750ms")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the log shipper can be told."""

    files: FilesSettings
    labels: Annotated[dict[str, str], describe("members put in front of every record")] = {}
    pod: PodSettings = PodSettings()
    instance: Annotated[
        str,
        describe(
            "opens the ids of records, one for each shipper; default: pod.uid, else pod.namespace and pod.name",
            max_length=200,  # Elasticsearch's ids have 512 bytes at most
        ),
    ] = ""
    sink: Annotated[SinkSettings, describe("the central log server")]
    dead_letter: DeadLetterSettings = DeadLetterSettings()
    memory_budget: Annotated[
        Size, describe("log data read and not yet acknowledged, with its copies, over all files")
    ] = Size("16MiB")
    state_dir: Annotated[Path, describe("where positions are remembered; must outlive the container")] = Path(
        "/var/lib/podmates"
    )
    drain: DrainSettings = DrainSettings()
    ops: OpsSettings = OpsSettings(listen=Address("0.0.0.0:9101"))

    @property
    def dead_letter_path(self) -> Path:
        return self.dead_letter.path or self.state_dir / "dead.jsonl"

    @property
    def checkpoint_path(self) -> Path:
        return self.state_dir / "logshipper.json"
