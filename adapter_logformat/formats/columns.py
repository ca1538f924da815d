"""Logs whose columns a line of their own names: Zeek's (between tabs, `#fields` and `#types`) and the flow logs of AWS'
networks (between blanks; without a header line, the columns of version 2).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from adapter_logformat.grammar import Format
from adapter_logformat.record import OWN_PREFIX, Record
from adapter_logformat.timestamps import Times

FIELDS: Final = "zeek.fields"
TYPES: Final = "zeek.types"
FLOW: Final = "aws_vpc.fields"
"""What header lines said, in the stream's directives."""
_DIRECTIVE: Final = re.compile(
    r"#(?:separator \\x[0-9a-fA-F]{2}|"
    r"(set_separator|empty_field|unset_field|path|open|close|fields|types)(?:([ \t])(.*))?)"
)
_EPOCH: Final = re.compile(r"(\d{9,11})\.(\d{1,9})", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_REAL: Final = re.compile(r"-?\d{1,18}\.\d{1,18}", re.ASCII)
_ZEEK_TARGETS: Final[Mapping[str, str]] = {
    "id.orig_h": "source.address", "id.orig_p": "source.port", "id.resp_h": "destination.address",
    "id.resp_p": "destination.port", "proto": "network.transport", "query": "dns.question.name",
    "method": "http.request.method", "uri": "url.original", "status_code": "http.response.status_code",
    "user_agent": "user_agent.original",
}  # fmt: skip
_VERSION_2: Final = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log-status",
)  # fmt: skip
_FLOW_TARGETS: Final[Mapping[str, str]] = {
    "srcaddr": "source.address", "dstaddr": "destination.address", "srcport": "source.port",
    "dstport": "destination.port",
}  # fmt: skip
_FLOW_HEADER: Final = re.compile(r"[a-z][a-z0-9\-]{1,40}+(?: [a-z][a-z0-9\-]{1,40}+){5,60}+")
_FLOW_NUMBERS: Final = frozenset(
    ("version", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags", "traffic-path")
)


def read_zeek(line: str, times: Times) -> Record | None:
    """A header line, or one with the columns that the header named, whose first one is the time."""
    if line.startswith("#"):
        directive = _DIRECTIVE.fullmatch(line)
        if directive is None:
            return None
        if directive[1] and directive[2] != "\t" and FIELDS not in times.directives:
            return None  # a comment of anybody
        if directive[1] in ("fields", "types"):
            times.directives[f"zeek.{directive[1]}"] = directive[3] or ""
        return Record("zeek", body=line)
    names, values = times.directives.get(FIELDS, "").split("\t"), line.split("\t")
    epoch = _EPOCH.fullmatch(values[0])
    if epoch is None or len(names) != len(values) or len(names) < 3:
        return None
    record = Record("zeek", body=line)
    record.timestamp = times.epoch(int(epoch[1]), epoch[2])
    kinds = times.directives.get(TYPES, "").split("\t")
    for at, (name, value) in enumerate(zip(names, values, strict=True)):
        if at and value not in ("-", "(empty)", ""):
            kind = kinds[at] if len(kinds) == len(names) else ""
            record.attributes[_ZEEK_TARGETS.get(name, OWN_PREFIX + name)] = _typed(value, kind)
    return record


def _typed(value: str, kind: str) -> object:
    if kind in ("count", "int", "port") and _INTEGER.fullmatch(value):
        return int(value)
    if kind in ("double", "interval") and _REAL.fullmatch(value):
        return float(value)
    if kind == "bool" and value in ("T", "F"):
        return value == "T"
    return value


def read_flow(line: str, times: Times) -> Record | None:
    """The header line of a file, or a line with its columns; the time is the end of what was counted."""
    values = line.split(" ")
    if {"srcaddr", "dstaddr", "end"} <= set(values) and _FLOW_HEADER.fullmatch(line):
        times.directives[FLOW] = line
        return Record("aws_vpc", body=line)
    names: Sequence[str] = times.directives.get(FLOW, "").split() or _VERSION_2
    if len(values) != len(names):
        return None
    told = {name: value for name, value in zip(names, values, strict=True) if value != "-"}
    if not all(_INTEGER.fullmatch(told[name]) for name in _FLOW_NUMBERS & told.keys()):
        return None
    if told.get("action", "ACCEPT") not in ("ACCEPT", "REJECT") or "end" not in told:
        return None
    if told.get("log-status", "OK") not in ("OK", "NODATA", "SKIPDATA"):
        return None
    if not told.get("interface-id", "eni-").startswith("eni-"):
        return None
    record = Record("aws_vpc", body=line)
    record.timestamp = times.epoch(int(told["end"]))
    for name, value in told.items():
        record.attributes[_FLOW_TARGETS.get(name, OWN_PREFIX + name)] = int(value) if name in _FLOW_NUMBERS else value
    return record


FORMATS: Final = (
    Format(
        name="zeek",
        title="Zeek: columns between tabs, named by `#fields`",
        rank=88,
        read=read_zeek,
        sample="#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto",
    ),
    Format(
        name="aws_vpc",
        title="AWS VPC flow logs: version 2, or the columns that the first line names",
        rank=88,
        read=read_flow,
        sample="2 123456789010 eni-1235b8ca 192.0.2.7 192.0.2.1 49761 3389 6 20 4249 1795161000 1795161060 REJECT OK",
    ),
)
