"""Single records out of a batch, by their place in it. Pure.

A record is a line, or a piece of a line that was too long; its offset is where its first byte lies in the file's life.
"""

from collections.abc import Collection
from dataclasses import replace

from sidecar_logshipper.batch import Batch, Part


def singles(part: Part) -> list[Part]:
    """Each record of the part as a part of its own."""
    chunk = part.chunk
    if part.count == 1:
        return [part]
    parts: list[Part] = []
    start = chunk.start
    for line in _lines(chunk.data):
        parts.append(Part(replace(chunk, start=start, data=line), 1))
        start += len(line)
    return parts


def _lines(content: bytes) -> list[bytes]:
    """With their newlines. Not bytes.splitlines, which cuts at carriage returns too."""
    pieces = content.split(b"\n")
    last = pieces.pop()
    return [piece + b"\n" for piece in pieces] + ([last] if last else [])


def only(batch: Batch, places: Collection[int]) -> Batch:
    """The records at these places (0 is the batch's first), in order; each a part of its own."""
    wanted = sorted(set(places), reverse=True)
    taken: list[Part] = []
    first = 0
    for part in batch.parts:
        if wanted and wanted[-1] < first + part.count:
            records = singles(part)
            while wanted and wanted[-1] < first + part.count:
                taken.append(records[wanted.pop() - first])
        first += part.count
    return Batch(tuple(taken))


def around(batch: Batch, place: int) -> list[Batch]:
    """What is before the record at `place`, the record, and what is after it; without the empty ones."""
    before: list[Part] = []
    after: list[Part] = []
    found: list[Part] = []
    first = 0
    for part in batch.parts:
        if first + part.count <= place:
            before.append(part)
        elif first > place:
            after.append(part)
        else:
            records = singles(part)
            here = place - first
            before += _joined(records[:here])
            found = [records[here]]
            after += _joined(records[here + 1 :])
        first += part.count
    return [Batch(tuple(parts)) for parts in (before, found, after) if parts]


def _joined(records: list[Part]) -> list[Part]:
    """Neighbouring records of one part, as one part again."""
    if len(records) < 2:
        return records
    chunk = records[0].chunk
    return [Part(replace(chunk, data=b"".join(each.chunk.data for each in records)), len(records))]
