"""All sinks by the settings that ask for them: how one is opened for a lane, checked at the start, and called."""

from collections.abc import Callable, Mapping

from chassis.secret import SecretUnreadable
from sidecar_logshipper.compression import compressor
from sidecar_logshipper.dating import Dating
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.settings import Settings
from sidecar_logshipper.sinks import settings as given
from sidecar_logshipper.sinks.credentials import credentials, setting_of, token
from sidecar_logshipper.sinks.dial import check_tls
from sidecar_logshipper.sinks.elasticsearch import Elasticsearch
from sidecar_logshipper.sinks.local_file import LocalFile
from sidecar_logshipper.sinks.loki import Loki
from sidecar_logshipper.sinks.otlp import Otlp
from sidecar_logshipper.sinks.over_http import OverHttpSink
from sidecar_logshipper.sinks.plain import LinesWriter, Plain
from sidecar_logshipper.sinks.seam import Dialect, Sink
from sidecar_logshipper.sinks.splunk_hec import SplunkHec
from sidecar_logshipper.sinks.stdout import Stdout
from sidecar_logshipper.sinks.syslog import SyslogConnection
from sidecar_logshipper.sinks.victorialogs import Victorialogs


def open_sink(settings: Settings, clock: Callable[[], float], dating: Dating | None = None) -> Sink:
    """A sink for one lane. Connects to nothing yet. `dating` knows the times of lines that say none."""
    sink, origin = settings.sink, Origin.of(settings, dating or Dating())
    if isinstance(sink, given.OverHttp):
        return OverHttpSink(sink, _dialect(sink, origin), compressor(sink.compression), _authorization(sink), clock)
    if isinstance(sink, given.SyslogSink):
        return SyslogConnection(sink, origin)
    lines = LinesWriter(sink.encoding, sink.record_id_field, origin)
    if isinstance(sink, given.FileSink):
        return LocalFile(sink, lines, compressor(sink.compression))
    return Stdout(lines)


def _dialect(sink: given.OverHttp, origin: Origin) -> Dialect:
    match sink:
        case given.HttpSink():
            return Plain(LinesWriter(sink.encoding, sink.record_id_field, origin))
        case given.LokiSink():
            return Loki(sink, origin)
        case given.ElasticsearchSink():
            return Elasticsearch(sink, origin)
        case given.OtlpSink():
            return Otlp(sink, origin)
        case given.VictorialogsSink():
            return Victorialogs(sink, origin)
        case given.SplunkHecSink():
            return SplunkHec(sink, origin)
    raise NotImplementedError(type(sink).__name__)


def _authorization(sink: given.OverHttp) -> Callable[[], Mapping[str, str]]:
    if isinstance(sink, given.SplunkHecSink):
        path = sink.token_file
        return lambda: token(path, "Splunk")
    auth = sink.auth
    return lambda: credentials(auth)


def check(sink: given.SinkSettings) -> None:
    """OperatorError when a file that the sink needs cannot be used now."""
    if isinstance(sink, given.OverHttp) and sink.url.startswith("https:"):
        check_tls(sink.tls)
    if isinstance(sink, given.SyslogSink) and sink.transport == "tls":
        check_tls(sink.tls)


def unreadable_credentials(sink: given.SinkSettings) -> tuple[str, SecretUnreadable] | None:
    """The setting of a file with credentials that cannot be used now, and why. It may be mounted later."""
    if not isinstance(sink, given.OverHttp):
        return None
    try:
        _authorization(sink)()
    except SecretUnreadable as error:
        if isinstance(sink, given.SplunkHecSink):
            return "sink.token_file", error
        return f"sink.auth.{setting_of(error.path, sink.auth)}", error
    return None


def sends_times(sink: given.SinkSettings) -> bool:
    """Does each record go with a time of its own, so that one is needed for lines that say none?"""
    return not isinstance(sink, given.HttpSink | given.FileSink | given.StdoutSink)


def peer(sink: given.SinkSettings) -> str:
    """Where the records go, for events."""
    if isinstance(sink, given.OverHttp):
        return sink.url
    if isinstance(sink, given.SyslogSink):
        return f"syslog over {sink.transport} to {sink.address}"
    return str(sink.path) if isinstance(sink, given.FileSink) else "standard output"
