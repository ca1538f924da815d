"""Lines as a body, whatever takes it: newline-delimited JSON or the lines as they were. Pure.

Spoken to any HTTP server that takes such bodies; written to files and standard output too.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from sidecar_logshipper import verdict
from sidecar_logshipper.batch import Batch
from sidecar_logshipper.documents import Documents
from sidecar_logshipper.ndjson import Ndjson
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.raw import Raw
from sidecar_logshipper.sinks.seam import Answer, Encoded
from sidecar_logshipper.verdict import Verdict


class WritesLines(Protocol):
    content_type: str

    def encode(self, lines: bytes, *, partial: bool = False, joined: bool = False) -> bytes: ...


class LinesWriter:
    """Whole chunks at a time; line by line only where each line gets an id."""

    def __init__(self, encoding: Literal["ndjson", "raw"], record_id_field: str, origin: Origin) -> None:
        self._lines: WritesLines = Raw() if encoding == "raw" else Ndjson(origin.members)
        self.content_type = self._lines.content_type
        self._documents: Documents | None = None
        if encoding == "ndjson" and record_id_field:
            self._documents = Documents(origin, id_name=record_id_field)

    def pieces(self, batch: Batch) -> list[bytes]:
        if self._documents is not None:
            return [b"".join(line + b"\n" for line in self._documents.of(part)) for part in batch.parts]
        chunks = [part.chunk for part in batch.parts]
        return [self._lines.encode(each.data, partial=each.piece, joined=each.joined) for each in chunks]


class Plain:
    """The dialect of a server that takes newline-delimited bodies and answers 2xx when it has them."""

    path = "/"
    query = ""
    headers: Mapping[str, str] = {}
    most_answer_bytes = 64 * 1024

    def __init__(self, lines: LinesWriter) -> None:
        self._lines = lines
        self.content_type = lines.content_type

    def encode(self, batch: Batch) -> Encoded:
        return Encoded(self._lines.pieces(batch))

    def judge(self, answer: Answer, batch: Batch, now: float) -> Verdict:
        return verdict.of_status(answer.status, answer.retry_after, now)
