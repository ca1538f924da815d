"""What stands in a syslog message: the line of a program that has a format of its own, behind syslog's header."""

import re
from typing import Final

from adapter_logformat.formats import registry
from adapter_logformat.record import Record
from adapter_logformat.timestamps import Times

CLEAR: Final = frozenset(
    ("json_app", "access", "haproxy_http", "haproxy_tcp", "haproxy_error", "ingress_nginx", "traefik", "nginx_error",
     "cef", "leef", "klog", "envoy", "istio", "postgres", "squid", "firewall_pairs", "auditd")
)  # fmt: skip
"""Formats so clear that a message can be known to be in them; of others it must have time and severity."""
NEVER: Final = frozenset(("syslog_rfc5424", "syslog_rfc3164", "sshd"))
_MAY_BE_CLEAR: Final = (
    r"\{\"|CEF:|LEEF:|[IWEF]\d{4} \d\d:|\d{9,10}\.\d{3} {1,9}-?\d|(?:[a-z_]{2,30}=\S{0,80} ){0,8}?date=\"?\d{4}-"
    r"|[^\"]{0,300}?\[\d\d/[A-Z][a-z]{2}/\d{4}:|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[|\[\d{4}-\d\d-\d\dT[^\]]{0,20}\] \""
    r"|(?:node=\S{1,255} )?type=[A-Z_]{2,60} msg=audit\("
)
_WITH_TIME: Final = r"\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\d{1,10}:[MSCX] \d\d [A-Z]"
_PAIRS: Final = r"(?:time|ts|t|level|lvl)=\S"
_MAY_BE: Final = re.compile(rf"(?P<clear>{_MAY_BE_CLEAR})|(?P<pairs>{_PAIRS})|{_WITH_TIME}")


def opened(record: Record, times: Times) -> Record:
    """The record of the message's own format, where it has one: its own fields win, the rest is syslog's."""
    text = record.body or ""
    may = _MAY_BE.match(text)
    if may is None:
        return record
    best: tuple[int, Record] | None = None
    for format in registry.candidates(text):
        if format.name in NEVER or (best is not None and format.rank <= best[0]):
            continue
        is_clear = format.name in CLEAR
        if not is_clear and (format.generic if may["pairs"] is None else format.name != "logfmt"):
            continue
        found = format.read(text, times)
        if found is None or found.error:
            continue
        if is_clear or (found.severity_number is not None and found.timestamp is not None):
            best = format.rank, found
    return record if best is None else _joined(record, best[1])


def _joined(outer: Record, inner: Record) -> Record:
    """A moment that says all of itself goes before one of which something has to be guessed."""
    if inner.timestamp is None or (
        inner.timestamp.assumed and outer.timestamp is not None and not outer.timestamp.assumed
    ):
        inner.timestamp = outer.timestamp
    if inner.severity_number is None:
        inner.severity_text, inner.severity_number = outer.severity_text, outer.severity_number
    inner.attributes = {**outer.attributes, **inner.attributes}
    inner.resource = {**outer.resource, **inner.resource}
    inner.error = outer.error
    return inner
