"""Errors that say whose fault it is; each fault asks for another reaction.

Here: the operator's. A peer's or an upstream's errors belong to the service that talks to it.
"""

from dataclasses import dataclass

EXIT_OPERATOR_MISTAKE = 64
"""Of a process that ends for one (sysexits.h: EX_USAGE)."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong setting: `path` as it is written in the file (`sink.batch.max_bytes`), `message` what to do."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SettingsError(Exception):
    """The settings cannot be used. Carries every mistake found, not only the first; exit status 64."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class OperatorError(Exception):
    """A setting that reads well but cannot be carried out (a port in use, a file nobody may read); exit status 64."""

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(f"{setting}: {message}")
        self.setting = setting
        self.message = message
