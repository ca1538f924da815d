"""The lines as they were, for sinks that take plain text. Pure."""

from logtail.multiline import MARK


class Raw:
    """Adds nothing but the newline that the last line may lack."""

    content_type = "text/plain"

    def encode(self, lines: bytes, *, partial: bool = False, joined: bool = False) -> bytes:
        """`lines`, each ended by a newline. A piece of a longer line (`partial`) becomes a line of its own, those
        of a record (`joined`) stay several."""
        if joined:
            lines = lines.replace(MARK, b"\n")
        return lines if lines.endswith(b"\n") or not lines else lines + b"\n"
