"""Syslog messages (RFC 5424), framed by octet counting (RFC 6587 section 3.4.1, RFC 5425 section 4.3). Pure."""

import re

from sidecar_logshipper.batch import Part
from sidecar_logshipper.lines import LineReader, Told
from sidecar_logshipper.origin import Origin
from sidecar_logshipper.severity import syslog_code
from sidecar_logshipper.sinks.settings import SyslogSink
from sidecar_logshipper.times import NS, Clock

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
_NOT_PRINTABLE = re.compile(r"[^!-~]")
_NO_PARAM_NAME = re.compile(r"[^!#-<>-\\^-~]")
_LONGEST_HOSTNAME, _LONGEST_APP_NAME, _LONGEST_PARAM_NAME = 255, 48, 32


class SyslogFormat:
    """HEADER, structured data with the members of the origin and the path, and the line as MSG."""

    def __init__(self, settings: SyslogSink, origin: Origin) -> None:
        self._origin = origin
        self._reader = LineReader(settings.time_field, origin.dating)
        self._clock = Clock()
        self._id_field = settings.record_id_field
        self._facility = FACILITIES.index(settings.facility)
        self._severity = SEVERITIES.index(settings.severity)
        host = _header(settings.hostname or origin.pod.get("k8s.pod.name", ""), _LONGEST_HOSTNAME)
        app = _header(settings.app_name or origin.labels.get("app", ""), _LONGEST_APP_NAME)
        self._sender = f" {host} {app} - - [{settings.structured_data_id}"

    def messages(self, part: Part) -> list[bytes]:
        """One framed message for each record."""
        lines = self._reader.read(part)
        source = part.chunk.source
        prefix = self._origin.id_prefix(source)
        members = {**self._origin.members, "path": source.path.encode("utf-8", "replace").decode()}
        if part.chunk.piece:
            members["partial"] = "true"
        sender = self._sender + "".join(_param(name, value) for name, value in members.items())
        framed = []
        for place, (text, told, time, offset) in enumerate(
            zip(lines.text, lines.told, lines.times, lines.offsets, strict=True)
        ):
            own = _param(self._id_field, f"{prefix}{offset}") if self._id_field else ""
            if place in lines.invalid:
                own += _param("invalid_utf8", "true")
            head = f"<{self._priority(told)}>1 {self._stamp(time)}{sender}{own}] "
            message = head.encode() + text
            framed.append(b"%d %b" % (len(message), message))
        return framed

    def _priority(self, told: Told | None) -> int:
        said = syslog_code(told.severity_name) if told else None
        return self._facility * 8 + (self._severity if said is None else said)

    def _stamp(self, time: int) -> str:
        """With six digits at most (section 6.2.3)."""
        return self._clock.written(time // 1000 * 1000)[:-4] + "Z" if time < 253_402_300_800 * NS else "-"


def _header(value: str, most: int) -> str:
    return _NOT_PRINTABLE.sub("_", value)[:most] or "-"


def _param(name: str, value: str) -> str:
    """A structured-data parameter (section 6.3.3)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
    return f' {_NO_PARAM_NAME.sub("_", name)[:_LONGEST_PARAM_NAME]}="{escaped}"'
