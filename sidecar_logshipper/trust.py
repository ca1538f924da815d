"""May a refusal be believed? Pure.

A sink that has taken something lately and refuses a line means the line. One that has taken nothing since the start, or
has refused many lines in a row, more likely means its own settings or ours: then nothing is given up, it is held.
"""

CREDIT = 50
"""After an acceptance, so many refusals in a row are believed; then it takes the next acceptance."""


class Trust:
    """One for all lanes, since they share the sink. Zero at the start."""

    def __init__(self) -> None:
        self._credit = 0

    @property
    def is_given(self) -> bool:
        return self._credit > 0

    def accepted(self) -> None:
        self._credit = CREDIT

    def lose(self) -> None:
        """Another sink takes the place of this one."""
        self._credit = 0

    def refused(self) -> None:
        """One line is given up on the sink's word."""
        self._credit = max(0, self._credit - 1)
