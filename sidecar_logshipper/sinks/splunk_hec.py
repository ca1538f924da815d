"""Splunk's HTTP Event Collector (POST /services/collector/event). Pure.

Beside the HTTP status each answer has a code of Splunk's own, which says more: what is wrong with an event is told from
what is wrong with the token, the index or the server.
"""

from collections.abc import Mapping

import msgspec

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch
from sidecar_logshipper.lines import LineReader
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.seam import Answer, Encoded
from sidecar_logshipper.sinks.settings import SplunkHecSink
from sidecar_logshipper.slices import slices
from sidecar_logshipper.times import NS
from sidecar_logshipper.verdict import Action, Verdict

# No data, invalid data format, event field required, event field blank, error in the indexed fields.
_ABOUT_AN_EVENT = frozenset({5, 6, 12, 13, 15})
# What the codes mean, by Splunk's documentation: logged in the place of the server's own words.
_ABOUT_US = {
    1: "the token is disabled",
    2: "no token was sent",
    3: "the authorization is malformed",
    4: "the token is not known",
    7: "the index is not known or not allowed",
    10: "a data channel is missing",
    11: "the data channel is invalid",
    14: "acknowledgement is disabled",
    16: "a token in the query is not allowed",
}
_BUSY = {8: "an error inside the server", 9: "the server is busy"}


class _Reply(msgspec.Struct, rename={"event_number": "invalid-event-number"}):
    code: int
    event_number: int | None = None


class SplunkHec:
    content_type = "application/json"
    path = "/services/collector/event"
    query = ""
    headers: Mapping[str, str] = {}
    most_answer_bytes = 64 * 1024

    def __init__(self, settings: SplunkHecSink, origin: Origin) -> None:
        self._origin = origin
        self._reader = LineReader(settings.time_field, origin.dating)
        self._id_field = settings.record_id_field
        given = {
            "host": settings.host or origin.pod.get("k8s.pod.name", ""),
            "index": settings.index,
            "sourcetype": settings.sourcetype,
        }
        self._envelope: dict[str, object] = {name: value for name, value in given.items() if value}

    def encode(self, batch: Batch) -> Encoded:
        pieces = []
        for part in slices(batch):
            lines = self._reader.read(part)
            source = part.chunk.source
            prefix = self._origin.id_prefix(source)
            fields: dict[str, str] = dict(self._origin.members)
            if part.chunk.piece:
                fields["log.partial"] = "true"
            envelope = self._envelope | {"source": source.path.encode("utf-8", "replace").decode()}
            usual = _front(envelope, fields)
            events = []
            for place, (text, told, time, offset) in enumerate(
                zip(lines.text, lines.told, lines.times, lines.offsets, strict=True)
            ):
                own = {self._id_field: f"{prefix}{offset}"} if self._id_field else {}
                if place in lines.invalid:
                    own["log.invalid_utf8"] = "true"
                front = _front(envelope, fields | own) if own else usual
                second, rest = divmod(time, NS)
                events.append(b'%b"time":%d.%09d,"event":%b}\n' % (front, second, rest, _event(text, told is not None)))
            pieces.append(b"".join(events))
        return Encoded(pieces)

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        decided = verdict.of_status(answer.status, answer.retry_after, now)
        try:
            reply = msgspec.json.decode(answer.body, type=_Reply)
        except msgspec.MsgspecError:
            return decided
        reason = f"splunk_{reply.code}"
        if reply.code in _ABOUT_AN_EVENT:
            return Verdict(Action.BISECT, reason, suspect=reply.event_number)
        if reply.code in _ABOUT_US:
            return Verdict(Action.HOLD, reason, detail=_ABOUT_US[reply.code])
        if reply.code in _BUSY:
            return Verdict(Action.RETRY, reason, after=decided.after, detail=_BUSY[reply.code])
        return decided


def _front(envelope: Mapping[str, object], fields: Mapping[str, str]) -> bytes:
    return msgspec.json.encode({**envelope, "fields": fields})[:-1] + b","


def _event(text: bytes, is_object: bool) -> bytes:
    if is_object:
        return text
    # Splunk refuses a blank event, but a blank line is a line.
    return (
        msgspec.json.encode(text.decode()) if text.strip() else b'{"message":%b}' % msgspec.json.encode(text.decode())
    )
