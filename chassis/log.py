"""The log of a mate: one JSON object a line on standard error, with stable event names.

Events are facts (`file_rotated`, `path=…`). No payload, SQL or secret is ever logged.
"""

import contextlib
import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO, cast

import msgspec
import structlog


def configure(mate: str, stream: TextIO | None = None) -> None:
    """Sends structlog's events, and whatever libraries say through `logging`, to `stream` (default: stderr)."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            _event_first,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Unbreakable(stream or sys.stderr))),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(mate=mate)
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)


def get(**context: object) -> Any:
    """A logger that adds `context` to each of its events."""
    return structlog.get_logger(**context)


def _event_first(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """For people who read over the shoulder: time, level and event open the line."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "mate", "event") if key in event}
    return {**first, **event}


def _to_json(event: dict[str, Any], **_: object) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except UnicodeEncodeError:  # the name of a file may be any bytes
        return msgspec.json.encode(_printable(event), enc_hook=str).decode()


def _printable(value: object) -> object:
    """`value` with the undecodable bytes in its texts written as \\xNN."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(inner) for inner in value]
    return value


class _Unbreakable:
    """A stream whose reader may go, or whose disk may fill: then there is nobody to tell, and work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _ToStructlog(logging.Handler):
    """What a library logs becomes the event `library_log`, so that standard error stays one JSON object a line."""

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        extra = {"exception": trace} if trace else {}
        level = logging.WARNING if record.levelno < logging.ERROR else logging.ERROR
        get().log(level, "library_log", library=record.name, message=record.getMessage(), **extra)
