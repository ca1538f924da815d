"""The bulk API of Elasticsearch and OpenSearch (POST /_bulk, newline-delimited JSON). Pure.

Each record is created under its own id, so that one sent again is found to be there (409), which is as good as taken.
HTTP 200 with `errors: true` says of each item what became of it.
"""

import re
from collections.abc import Mapping

import msgspec

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch
from sidecar_logshipper.documents import Documents
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.sinks.seam import Answer, Encoded
from sidecar_logshipper.sinks.settings import ElasticsearchSink
from sidecar_logshipper.slices import slices
from sidecar_logshipper.verdict import Action, Verdict

ALREADY_THERE = 409
_NAME = re.compile(r"[a-z_]{1,80}")


class _Error(msgspec.Struct):
    type: str = ""
    reason: str | None = None


class _Result(msgspec.Struct):
    status: int
    error: _Error | str | None = None


class _Item(msgspec.Struct):
    create: _Result


class _Outcome(msgspec.Struct):
    errors: bool


class _Outcomes(msgspec.Struct):
    items: list[_Item]


_OUTCOME = msgspec.json.Decoder(_Outcome)
_OUTCOMES = msgspec.json.Decoder(_Outcomes)


class Elasticsearch:
    content_type = "application/x-ndjson"
    path = "/_bulk"
    query = "filter_path=errors,items.*.status,items.*.error"  # the rest of the answer is longer than the request
    headers: Mapping[str, str] = {}
    most_answer_bytes = 16 * 1024 * 1024

    def __init__(self, settings: ElasticsearchSink, origin: Origin) -> None:
        self._origin = origin
        self._documents = Documents(origin, time_field=settings.time_field, time_name="@timestamp")
        self._action = b'{"create":{"_index":%b,"_id":"' % msgspec.json.encode(settings.index)

    def encode(self, batch: Batch) -> Encoded:
        pieces = []
        for part in slices(batch):
            lines = self._documents.read(part)
            documents = self._documents.written(part, lines)
            front = self._action + msgspec.json.encode(self._origin.id_prefix(part.chunk.source))[1:-1]
            pieces.append(
                b"".join(
                    [
                        b'%b%d"}}\n%b\n' % (front, offset, document)
                        for offset, document in zip(lines.offsets, documents, strict=True)
                    ]
                )
            )
        return Encoded(pieces)

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        if answer.status != 200:
            return verdict.of_status(answer.status, answer.retry_after, now)
        try:
            if not _OUTCOME.decode(answer.body).errors:
                return Verdict(Action.ACK, "http_200")
            items = _OUTCOMES.decode(answer.body).items
        except msgspec.MsgspecError:
            return Verdict(Action.RETRY, "bad_answer", detail="no answer of a bulk request")
        if len(items) != batch.count:
            return Verdict(Action.RETRY, "bad_answer", detail=f"{len(items)} items for {batch.count} records")
        of_items = {place: _of(item.create) for place, item in enumerate(items)}
        return verdict.partial({place: each for place, each in of_items.items() if each is not None})


def _of(result: _Result) -> Verdict | None:
    if result.status == ALREADY_THERE:
        return None
    kind, why = f"item_{result.status}", ""
    if isinstance(result.error, _Error):
        # Logged as the reason, so it must be the name that it is: mapper_parsing_exception, and nothing longer.
        kind = result.error.type if _NAME.fullmatch(result.error.type) else kind
        why = result.error.reason or ""
    elif result.error:
        why = result.error
    return verdict.of_record(result.status, kind, why)
