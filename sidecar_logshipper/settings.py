"""The log shipper's settings: every key, its default and its bounds. Read and checked by the chassis.

Only what works is here, so that the schema never promises more than the program keeps.
"""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from chassis.settings import Address, Mistake, OpsSettings, Seconds, SettingsError, Size, describe

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_OWN_HEADERS = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "host"})


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


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP basic authentication (RFC 7617)."""

    username: str
    password_file: Annotated[Path, describe("read again at every request, so that a rotated password is used")]


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the shipper shows who it is: one of the two, or neither."""

    bearer_token_file: Annotated[
        Path | None, describe("read again at every request, so that a rotated token is used")
    ] = None
    basic: BasicAuth | None = None

    def __post_init__(self) -> None:
        if self.bearer_token_file and self.basic:
            raise ValueError("give bearer_token_file or basic, not both")


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS to the sink, for https URLs. Without ca_file the system's authorities are trusted."""

    ca_file: Annotated[Path | None, describe("PEM file of the authorities to trust")] = None
    cert_file: Annotated[Path | None, describe("PEM file of the client certificate (mTLS)")] = None
    key_file: Annotated[Path | None, describe("PEM file of its key, if not in cert_file")] = None
    server_name: Annotated[str | None, describe("name to ask for and to check, if not the URL's host")] = None

    def __post_init__(self) -> None:
        if self.key_file and not self.cert_file:
            raise ValueError("key_file needs cert_file")


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes into one request."""

    max_bytes: Annotated[Size, describe("log data in one request, before encoding; a longer line goes alone")] = Size(
        "1MiB"
    )
    max_age: Annotated[Seconds, describe("a line waits at most this long for others, unless the lane is busy")] = (
        Seconds("1s")
    )

    def __post_init__(self) -> None:
        if self.max_bytes < 4096:
            raise SettingsError([Mistake("max_bytes", "expected at least 4KiB")])


class RetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting between tries. Tries go on for ever; each wait is drawn from 0 to a ceiling that doubles."""

    initial: Annotated[Seconds, describe("the first ceiling")] = Seconds("200ms")
    max: Annotated[Seconds, describe("the highest ceiling")] = Seconds("30s")

    def __post_init__(self) -> None:
        if not 0 < self.initial <= self.max:
            raise ValueError("expected 0 < initial <= max")


class HttpSinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Any server that takes newline-delimited bodies by POST and answers 2xx when it has them."""

    type: Annotated[Literal["http"], describe("the protocol of the central log server")] = "http"
    url: Annotated[str, describe("where to POST, as in http://logs:9428/insert/jsonline")]
    encoding: Annotated[
        Literal["ndjson", "raw"], describe("ndjson: each line one JSON object; raw: the lines as they are")
    ] = "ndjson"
    compression: Annotated[Literal["none", "gzip", "zstd"], describe("Content-Encoding of the requests")] = "none"
    headers: Annotated[dict[str, str], describe("further request headers")] = {}
    auth: AuthSettings = AuthSettings()
    tls: TlsSettings = TlsSettings()
    batch: BatchSettings = BatchSettings()
    in_flight: Annotated[
        int, describe("requests under way at once; each file uses one of them, which keeps its order", ge=1, le=64)
    ] = 4
    timeout: Annotated[Seconds, describe("for connecting, and for each wait for the server")] = Seconds("30s")
    retry: RetrySettings = RetrySettings()

    def __post_init__(self) -> None:
        mistakes = [Mistake("url", text) for text in _url_mistakes(self.url)]
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
                mistakes.append(Mistake(f"headers.{name}", "not a header that can be set here"))
            elif "\r" in value or "\n" in value or not value.isascii():
                mistakes.append(Mistake(f"headers.{name}", "expected one line of ASCII"))
        if self.timeout <= 0:
            mistakes.append(Mistake("timeout", "expected more than 0s"))
        if mistakes:
            raise SettingsError(mistakes)


def _url_mistakes(url: str) -> list[str]:
    example = "http://logs:9428/insert/jsonline"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return [f"no usable URL: {error}"]
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return [f"expected a URL such as {example}, got {url!r}"]
    if parts.username or parts.password:
        return ["leave user and password out of the URL; use auth"]
    if not url.isascii() or any(c <= " " for c in url):
        return ["expected ASCII without spaces; percent-encode the rest"]
    return []


class DeadLetterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where lines go that the sink refuses for good."""

    path: Annotated[Path | None, describe("a file of JSON lines; default: dead.jsonl in state_dir")] = None
    max_bytes: Annotated[Size, describe("beyond this, refused lines are dropped and counted")] = Size("64MiB")


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the shipper ends."""

    deadline: Annotated[Seconds, describe("time after SIGTERM until what is left is given up and reported")] = Seconds(
        "20s"
    )
    quiet: Annotated[Seconds, describe("it ends when nothing was written to any file for this long")] = Seconds("1s")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the log shipper can be told."""

    files: FilesSettings
    labels: Annotated[dict[str, str], describe("members put in front of every record")] = {}
    pod: PodSettings = PodSettings()
    sink: HttpSinkSettings
    dead_letter: DeadLetterSettings = DeadLetterSettings()
    memory_budget: Annotated[Size, describe("log data read and not yet acknowledged, over all files")] = Size("16MiB")
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
