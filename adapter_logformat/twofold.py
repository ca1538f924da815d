"""The whole-chunk form for a profile beside the one for `otel`: the metrics read what `otel` would write. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from adapter_logformat.grammar import Fast, Odd, Run
from adapter_logformat.timestamps import Times


def twofold(fast: Fast, otel: Fast) -> Fast:
    """`fast`, whose runs also tell what `otel` wrote; `None` for a chunk that the two do not part alike."""

    def both(chunk: bytes, times: Times, observed: str) -> Sequence[Run | Odd] | None:
        pieces = fast(chunk, times, observed)
        others = otel(chunk, times, observed) if pieces is not None else None
        if pieces is None or others is None or list(map(_extent, pieces)) != list(map(_extent, others)):
            return None
        return [
            replace(piece, told=other.written) if isinstance(piece, Run) and isinstance(other, Run) else piece
            for piece, other in zip(pieces, others, strict=True)
        ]

    return both


def _extent(piece: Run | Odd) -> object:
    return (piece.lines, dict(piece.records)) if isinstance(piece, Run) else piece.lines
