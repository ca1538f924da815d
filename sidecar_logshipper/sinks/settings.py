"""The settings of each sink: every key, its default and its bounds. `settings` holds all others.

Only what works is here, so that the schema never promises more than the program keeps.
"""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from chassis.settings import Address, Mistake, Seconds, SettingsError, Size, describe

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_OWN_HEADERS = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "host"})
_INDEX_NAME = re.compile(r"[^-_+A-Z\\/*?\"<>| ,#:][^A-Z\\/*?\"<>| ,#:]*")
_SD_ID = re.compile(r"[!#-<>-Z^-~\[]{1,32}")  # RFC 5424 section 6: printable ASCII without " = ]
_PRINTABLE = re.compile(r"[!-~]+")

RecordIdField = Annotated[str, describe("name of a member that holds each record's id; none: the id is not sent")]
TimeField = Annotated[str, describe("member of a JSON line that holds its time")]
Lines = Annotated[Literal["ndjson", "raw"], describe("ndjson: each line one JSON object; raw: the lines as they are")]


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP basic authentication (RFC 7617)."""

    username: Annotated[str, describe("who the shipper is")]
    password_file: Annotated[Path, describe("read again at every request, so that a rotated password is used")]


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the shipper shows who it is: one of these, or none."""

    bearer_token_file: Annotated[
        Path | None, describe("read again at every request, so that a rotated token is used")
    ] = None
    api_key_file: Annotated[Path | None, describe("the same for `Authorization: ApiKey …` (Elasticsearch)")] = None
    basic: BasicAuth | None = None

    def __post_init__(self) -> None:
        if sum(1 for each in (self.bearer_token_file, self.api_key_file, self.basic) if each) > 1:
            raise ValueError("give bearer_token_file, api_key_file or basic, only one of them")


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """TLS to the sink, read anew for each connection. Without ca_file the system's authorities are trusted."""

    ca_file: Annotated[Path | None, describe("PEM file of the authorities to trust")] = None
    cert_file: Annotated[Path | None, describe("PEM file of the client certificate (mTLS)")] = None
    key_file: Annotated[Path | None, describe("PEM file of its key, if not in cert_file")] = None
    server_name: Annotated[str | None, describe("name to ask for and to check, if not the sink's host")] = None

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


class Sink(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="sink"):
    """What every sink can be told."""

    batch: BatchSettings = BatchSettings()
    retry: RetrySettings = RetrySettings()


class RemoteSink(Sink, frozen=True, kw_only=True, tag="remote"):
    """What every sink that is reached over the network can be told."""

    tls: TlsSettings = TlsSettings()
    in_flight: Annotated[
        int, describe("requests under way at once; each file uses one of them, which keeps its order", ge=1, le=64)
    ] = 4
    timeout: Annotated[Seconds, describe("for connecting, and for each wait for the server")] = Seconds("30s")

    def __post_init__(self) -> None:
        if mistakes := self.mistakes():
            raise SettingsError(mistakes)

    def mistakes(self) -> list[Mistake]:
        return [Mistake("timeout", "expected more than 0s")] if self.timeout <= 0 else []


class OverHttp(RemoteSink, frozen=True, kw_only=True, tag="over_http"):
    """What every sink that takes HTTP requests can be told."""

    url: Annotated[str, describe("where to POST; without a path the protocol's usual one is used")]
    headers: Annotated[dict[str, str], describe("further request headers")] = {}
    auth: AuthSettings = AuthSettings()
    compression: Annotated[Literal["none", "gzip", "zstd"], describe("Content-Encoding of the requests")] = "none"

    def mistakes(self) -> list[Mistake]:
        mistakes = RemoteSink.mistakes(self) + [Mistake("url", text) for text in _url_mistakes(self.url)]
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
                mistakes.append(Mistake(f"headers.{name}", "not a header that can be set here"))
            elif "\r" in value or "\n" in value or not value.isascii():
                mistakes.append(Mistake(f"headers.{name}", "expected one line of ASCII"))
        return mistakes


class HttpSink(OverHttp, frozen=True, kw_only=True, tag="http"):
    """Any server that takes newline-delimited bodies by POST and answers 2xx when it has them."""

    encoding: Lines = "ndjson"
    record_id_field: RecordIdField = ""

    def mistakes(self) -> list[Mistake]:
        return OverHttp.mistakes(self) + _id_mistakes(self.encoding, self.record_id_field)


class LokiSink(OverHttp, frozen=True, kw_only=True, tag="loki"):
    """Grafana Loki's push API, /loki/api/v1/push."""

    compression: Annotated[Literal["none", "gzip"], describe("Content-Encoding of the requests")] = "none"
    tenant: Annotated[str, describe("the X-Scope-OrgID header, for a Loki with several tenants")] = ""
    stream_labels: Annotated[
        list[str] | None,
        describe("members (of labels and pod) that become stream labels, few and steady; default: all of labels"),
    ] = None
    structured_metadata: Annotated[
        bool, describe("send the other members, the path and the id beside each line (Loki ≥ 3); else leave them out")
    ] = True
    record_id_field: RecordIdField = ""
    time_field: TimeField = "timestamp"


class ElasticsearchSink(OverHttp, frozen=True, kw_only=True, tag="elasticsearch"):
    """Elasticsearch's bulk API, /_bulk, with the record's id as _id."""

    compression: Annotated[Literal["none", "gzip"], describe("Content-Encoding of the requests")] = "none"
    index: Annotated[str, describe("data stream or index that takes the records")] = "logs-podmates-default"
    time_field: TimeField = "timestamp"

    def mistakes(self) -> list[Mistake]:
        bad = not _INDEX_NAME.fullmatch(self.index) or len(self.index.encode()) > 255
        return OverHttp.mistakes(self) + ([Mistake("index", "no name of an index")] if bad else [])


class OpensearchSink(ElasticsearchSink, frozen=True, kw_only=True, tag="opensearch"):
    """OpenSearch's bulk API, the same as Elasticsearch's."""


class OtlpSink(OverHttp, frozen=True, kw_only=True, tag="otlp"):
    """OpenTelemetry's OTLP over HTTP, /v1/logs."""

    encoding: Annotated[Literal["protobuf", "json"], describe("how the messages are written")] = "protobuf"
    record_id_field: RecordIdField = "log.record.uid"
    time_field: TimeField = "timestamp"


class VictorialogsSink(OverHttp, frozen=True, kw_only=True, tag="victorialogs"):
    """VictoriaLogs' JSON lines API, /insert/jsonline."""

    stream_fields: Annotated[
        list[str] | None,
        describe("members that name a stream, few and steady; default: all of labels, pod and namespace"),
    ] = None
    message_field: Annotated[str, describe("member of a JSON line that holds its message")] = "message"
    max_line_bytes: Annotated[
        Size, describe("its -insert.maxLineSizeBytes: it would drop longer records and say 200, so they are set aside")
    ] = Size("256KiB")
    record_id_field: RecordIdField = ""
    time_field: TimeField = "timestamp"


class SplunkHecSink(OverHttp, frozen=True, kw_only=True, tag="splunk_hec"):
    """Splunk's HTTP Event Collector, /services/collector/event."""

    compression: Annotated[Literal["none", "gzip"], describe("Content-Encoding of the requests")] = "none"
    token_file: Annotated[Path, describe("the collector's token, read again at every request")]
    index: Annotated[str, describe("the index, if not the token's own")] = ""
    sourcetype: Annotated[str, describe("the source type, if not the token's own")] = ""
    host: Annotated[str, describe("default: pod.name")] = ""
    record_id_field: RecordIdField = ""
    time_field: TimeField = "timestamp"

    def mistakes(self) -> list[Mistake]:
        given = self.auth != AuthSettings()
        return OverHttp.mistakes(self) + ([Mistake("auth", "use token_file")] if given else [])


Severity = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip


class SyslogSink(RemoteSink, frozen=True, kw_only=True, tag="syslog"):
    """Syslog (RFC 5424) over TCP (RFC 6587) or TLS (RFC 5425), with octet counting. At most once: see the docs."""

    address: Annotated[Address, describe("host and port, as in logs:6514")]
    transport: Annotated[Literal["tcp", "tls"], describe("tls: as `tls` says")] = "tcp"
    facility: Annotated[Facility, describe("the facility of all messages")] = "user"
    severity: Annotated[Severity, describe("of messages whose line is no JSON object with a known `level`")] = "info"
    hostname: Annotated[str, describe("HOSTNAME; default: pod.name")] = ""
    app_name: Annotated[str, describe("APP-NAME; default: the label app")] = ""
    structured_data_id: Annotated[
        str, describe("SD-ID of the members; the number is the example of RFC 5612, use your own where you have one")
    ] = "podmates@32473"
    resend_window: Annotated[
        Size, describe("the last messages sent are sent again after a lost connection, up to so many bytes")
    ] = Size("64KiB")
    record_id_field: RecordIdField = ""
    time_field: TimeField = "timestamp"

    def mistakes(self) -> list[Mistake]:
        mistakes = RemoteSink.mistakes(self)
        if self.address.path or self.address.port == 0:
            mistakes.append(Mistake("address", "expected host:port"))
        if not _SD_ID.fullmatch(self.structured_data_id):
            mistakes.append(Mistake("structured_data_id", 'expected up to 32 printable ASCII characters, no = ] "'))
        for name, value, most in (("hostname", self.hostname, 255), ("app_name", self.app_name, 48)):
            if value and not (_PRINTABLE.fullmatch(value) and len(value) <= most):
                mistakes.append(Mistake(name, f"expected up to {most} printable ASCII characters"))
        return mistakes


class FileSink(Sink, frozen=True, kw_only=True, tag="file"):
    """A file to append to, for tests and for another program to read."""

    path: Annotated[Path, describe("appended to, made if absent, opened anew for each batch")]
    encoding: Lines = "ndjson"
    compression: Annotated[Literal["none", "gzip", "zstd"], describe("each batch becomes a member or frame")] = "none"
    record_id_field: RecordIdField = ""
    in_flight: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if mistakes := _id_mistakes(self.encoding, self.record_id_field):
            raise SettingsError(mistakes)


class StdoutSink(Sink, frozen=True, kw_only=True, tag="stdout"):
    """Standard output, for pipes and for a look at what would be sent."""

    encoding: Lines = "ndjson"
    record_id_field: RecordIdField = ""
    in_flight: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if mistakes := _id_mistakes(self.encoding, self.record_id_field):
            raise SettingsError(mistakes)


SinkSettings = (
    HttpSink
    | LokiSink
    | ElasticsearchSink
    | OpensearchSink
    | OtlpSink
    | VictorialogsSink
    | SplunkHecSink
    | SyslogSink
    | FileSink
    | StdoutSink
)


def _id_mistakes(encoding: str, record_id_field: str) -> list[Mistake]:
    raw = encoding == "raw" and record_id_field
    return [Mistake("record_id_field", "raw lines have no members; it needs encoding: ndjson")] if raw else []


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
