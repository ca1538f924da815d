"""A sink over HTTP: a dialect's words on the transport of `http`."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch
from sidecar_logshipper.compression import Compress
from sidecar_logshipper.records import only
from sidecar_logshipper.sinks.http import HttpLane
from sidecar_logshipper.sinks.seam import Dialect, Sent, writing
from sidecar_logshipper.sinks.settings import OverHttp
from sidecar_logshipper.verdict import Action

MOST_ANSWER_TEXT = 500


class OverHttpSink:
    def __init__(
        self,
        settings: OverHttp,
        dialect: Dialect,
        compress: Compress | None,
        authorization: Callable[[], Mapping[str, str]],
        clock: Callable[[], float],
    ) -> None:
        self._dialect = dialect
        self._compress = compress
        self._clock = clock
        headers = {"Content-Type": dialect.content_type, **dialect.headers}
        where = target(settings.url, dialect.path, dialect.query)
        self._lane = HttpLane(settings, where, headers, authorization, dialect.most_answer_bytes)

    def send(self, batch: Batch) -> Sent:
        with writing():
            encoded = self._dialect.encode(batch)
        body, refused = encoded.pieces, encoded.refused
        if refused and len(refused) == batch.count:
            return Sent(verdict.partial(refused))
        if self._compress is not None:
            body = [self._compress(b"".join(body) if len(body) > 1 else body[0])]
        answer = self._lane.send(body)
        if refused:
            batch = only(batch, [place for place in range(batch.count) if place not in refused])
        decided = self._dialect.judge(answer, batch, self._clock())
        if refused and decided.action is Action.ACK:
            decided = verdict.partial(refused)
        shown = answer.body[:MOST_ANSWER_TEXT].decode("utf-8", "replace")
        return Sent(decided, shown, sum(map(len, body)))

    def abort(self) -> None:
        self._lane.abort()

    def close(self) -> None:
        self._lane.close()


def target(url: str, path: str, query: str) -> str:
    """The request target (RFC 9112 section 3.2.1): the URL's path or else `path`, with both queries."""
    parts = urlsplit(url)
    where = parts.path if parts.path not in ("", "/") else path
    queries = "&".join(filter(None, (parts.query, query)))
    return where + (f"?{queries}" if queries else "")
