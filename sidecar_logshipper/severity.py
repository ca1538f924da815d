"""What a line's `level` means elsewhere: OpenTelemetry's severity numbers and syslog's severities. Pure."""

# OpenTelemetry logs data model, "Field: SeverityNumber"; 0 is unspecified. RFC 5424 section 6.2.1.
_LEVELS: dict[str, tuple[int, int]] = {
    "trace": (1, 7),
    "verbose": (1, 7),
    "debug": (5, 7),
    "info": (9, 6),
    "information": (9, 6),
    "informational": (9, 6),
    "notice": (10, 5),
    "warn": (13, 4),
    "warning": (13, 4),
    "err": (17, 3),
    "error": (17, 3),
    "severe": (17, 3),
    "crit": (21, 2),
    "critical": (21, 2),
    "fatal": (21, 2),
    "panic": (22, 0),
    "alert": (22, 1),
    "emerg": (24, 0),
    "emergency": (24, 0),
}


def otlp_number(level: str) -> int:
    """0 for a level nobody knows. `level` in lower case."""
    return _LEVELS.get(level, (0, 0))[0]


def syslog_code(level: str) -> int | None:
    """None for a level nobody knows. `level` in lower case."""
    known = _LEVELS.get(level)
    return None if known is None else known[1]
