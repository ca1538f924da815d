"""A part in slices of a size that a processor's cache likes, for writing that makes an object of each line. Pure.

Else a batch of a megabyte would be ten megabytes of objects for a moment, in each lane.
"""

from collections.abc import Iterator
from dataclasses import replace

from sidecar_logshipper.batch import Batch, Part

SLICE_BYTES = 128 * 1024


def slices(batch: Batch, most_bytes: int = SLICE_BYTES) -> Iterator[Part]:
    """The same records in the same order; each slice has whole records, at least one."""
    for part in batch.parts:
        chunk = part.chunk
        if part.count == 1 or len(chunk.data) <= most_bytes:
            yield part
            continue
        start, size = 0, len(chunk.data)
        while start < size:
            end = size
            if size - start > most_bytes:
                end = (
                    chunk.data.rfind(b"\n", start, start + most_bytes) + 1 or chunk.data.find(b"\n", start) + 1 or size
                )
            yield Part.of(replace(chunk, start=chunk.start + start, data=chunk.data[start:end]))
            start = end
