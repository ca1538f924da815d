"""Severity scales: what a format's own level word or number means on OpenTelemetry's 1 to 24.

The number always comes from the scale of the format that read the line: pino's 20 is DEBUG, syslog's 3 is ERROR.
A word or number that a scale does not know gives `None`; nobody guesses.
"""

from collections.abc import Mapping

TRACE, DEBUG, INFO, NOTICE, WARN, ERROR, CRIT, ALERT, FATAL, PANIC = 1, 5, 9, 10, 13, 17, 18, 19, 21, 22

Scale = Mapping[str, int]
"""From the level as written (words in upper case) to the OpenTelemetry number."""

SYSLOG_NUMBERS: Scale = {
    "0": FATAL, "1": ALERT, "2": CRIT, "3": ERROR, "4": WARN, "5": NOTICE, "6": INFO, "7": DEBUG,
}  # fmt: skip
"""RFC 5424, chapter 6.2.1."""

SYSLOG_WORDS: Scale = {
    "EMERG": FATAL, "EMERGENCY": FATAL, "PANIC": FATAL, "ALERT": ALERT, "CRIT": CRIT, "CRITICAL": CRIT,
    "ERR": ERROR, "ERROR": ERROR, "WARNING": WARN, "WARN": WARN, "NOTICE": NOTICE, "INFO": INFO,
    "INFORMATIONAL": INFO, "DEBUG": DEBUG,
}  # fmt: skip

JAVA: Scale = {
    "TRACE": TRACE, "DEBUG": DEBUG, "INFO": INFO, "WARN": WARN, "ERROR": ERROR, "FATAL": FATAL,
    # java.util.logging
    "FINEST": TRACE, "FINER": TRACE + 2, "FINE": DEBUG, "CONFIG": DEBUG + 2, "WARNING": WARN, "SEVERE": ERROR,
}  # fmt: skip

PYTHON: Scale = {
    "NOTSET": TRACE, "TRACE": TRACE, "DEBUG": DEBUG, "INFO": INFO, "SUCCESS": INFO + 2, "WARNING": WARN, "WARN": WARN,
    "ERROR": ERROR, "CRITICAL": FATAL, "FATAL": FATAL,
}  # fmt: skip

PYTHON_NUMBERS: Scale = {"10": DEBUG, "20": INFO, "30": WARN, "40": ERROR, "50": FATAL}

PINO: Scale = {"10": TRACE, "20": DEBUG, "30": INFO, "40": WARN, "50": ERROR, "60": FATAL}
"""pino and bunyan; any number between two steps belongs to the step below it (see `between`)."""

SLOG: Scale = {"-4": DEBUG, "0": INFO, "4": WARN, "8": ERROR}

WORDS: Scale = {
    **SYSLOG_WORDS, **JAVA, **PYTHON, "PANIC": PANIC, "DPANIC": PANIC, "VERBOSE": TRACE, "SILLY": TRACE,
    "HTTP": INFO, "INFORMATION": INFO, "LOG": INFO, "DBG": DEBUG, "INF": INFO, "WRN": WARN, "FTL": FATAL,
    "PNC": PANIC, "TRC": TRACE, "CRITICAL": FATAL, "EMERG": FATAL, "EMERGENCY": FATAL,
}  # fmt: skip
"""What loggers of no known dialect write; only words, as a bare number means nothing without its scale."""


def of_status(status: int) -> int:
    """An access log has no level of its own: 5xx is the server's error, 4xx a warning, all else information."""
    return ERROR if status >= 500 else WARN if status >= 400 else INFO


def between(scale: Scale, level: int) -> int | None:
    """The number of the highest step of a numeric scale that `level` reaches; below the lowest step, that step's."""
    steps = sorted((int(step), number) for step, number in scale.items())
    reached = [number for step, number in steps if step <= level]
    return reached[-1] if reached else steps[0][1] if level > 0 else None
