"""Access logs of Apache httpd and nginx: common, combined, each with an optional leading `vhost[:port]` and
any trailing fields.

The first unescaped quote of a line opens the request, so the user may hold spaces and brackets; the request
may be empty, `-`, TLS bytes or hold spaces. Apache escapes `\\"`, `\\\\` and `\\xHH`, nginx `\\xHH`. How to
read many lines at once: `access_fast`.
"""

import re
from typing import Final

from adapter_logformat.grammar import NOTHING, Fast, Format, unread_time
from adapter_logformat.profiles import Render
from adapter_logformat.record import Record
from adapter_logformat.severity import of_status
from adapter_logformat.timestamps import Times

METHODS: Final = (
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
    # WebDAV and its relatives (RFC 4918, 3253, 5323)
    "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE",
)  # fmt: skip

LONGEST_HOST: Final = 300
MOST_ESCAPES: Final = 1 << 14
"""A text with more backslashes keeps them."""
MOST_EXTRAS: Final = 256
"""Further fields than these stay one text."""

_HEAD: Final = re.compile(
    r"(.+) \[(\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d{4})?)\] ", re.ASCII
)
_CHAIN: Final = re.compile(r"[0-9a-fA-F.:]{2,60}+(?:, ?[0-9a-fA-F.:]{2,60}+){1,20}+(?= )")
"""What a proxy's own log may have in the place of the client: those it was forwarded for."""
_QUOTED: Final = re.compile(r'"((?:[^"\\]++|\\.){0,9999}+)"', re.ASCII)
_STATUS: Final = re.compile(r" (\d{3}|[0-]) (\d{1,18}+|-)(?= |$)", re.ASCII)
_UNESCAPED_END: Final = re.compile(r'" (?:\d{3}|-) (?:\d{1,18}+|-)(?= |$)', re.ASCII)
_PAIR: Final = re.compile(r' "((?:[^"\\]++|\\.){0,9999}+)" "((?:[^"\\]++|\\.){0,9999}+)"(?= |$)', re.ASCII)
_ODD_PAIR: Final = re.compile(
    r' (?:(?P<took>\d{1,9}+\.\d{3}) (?="(?:-?"|[a-z\-]{2,20}+://)))?'
    r'(?(took)"(?P<quoted>(?:[^"\\]++|\\.){0,9999}+)"|(?P<bare>-|https?://[^ "]++)) '
    r'"(?P<agent>(?(took)(?=-?"|[A-Za-z][\w.+\-]{0,60}+/)|(?=[A-Za-z][\w.+\-]{0,60}+/\d))(?:[^"\\]++|\\.){0,9999}+)"'
    r"(?= |$)",
    re.ASCII,
)
"""nginx's `$request_time` before referer and agent, or a referer without quotes. What stands there is believed to be
the agent where it looks like a product."""
_EXTRA: Final = re.compile(r' (?:"((?:[^"\\]++|\\.){0,9999}+)"(?= |$)|([^ "][^ ]*+))', re.ASCII)
_PROXYS: Final = re.compile(
    r'" \d{1,15}+ (?:\d{1,9}+\.\d{1,9}+ \[|(?:"[^"]{0,999}+"|-) (?:"[^"]{0,999}+"|-) \d{1,15}+ms)', re.ASCII
)
"""What ingress-nginx and Traefik write behind a combined line."""
_SYSLOG: Final = re.compile(r"[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d ", re.ASCII)
_VHOST: Final = re.compile(
    r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.*-]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*?)(?::(\d{1,5}))?", re.ASCII
)
_PORTED: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})|\[([0-9a-fA-F:.]{2,60})\](?::(\d{1,5}))?", re.ASCII)
"""A client's address with its port, or in brackets."""
LARGEST_PORT: Final = 65535
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+", re.ASCII)
_PROTOCOL: Final = re.compile(r"(HTTP|RTSP|SIP|ICY|XDBC)/(\d(?:\.\d)?)", re.ASCII)
"""Scanners and players speak other protocols to the port of HTTP."""
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_ESCAPE: Final = re.compile(r'(?:\\x[0-9a-fA-F]{2})++|\\["\\nrtbfv]', re.ASCII)
_SIMPLE: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}


def read(line: str, times: Times) -> Record | None:
    """One access line; `None` where it is none. Fields that are `-` are left out."""
    known = parse(line, times)
    if known is None:
        return None
    record, tail = known
    more = extras(tail)
    if more:
        record.attributes["app.extra"] = more
        if record.error:
            # As everywhere, what was wrong with the time comes last.
            record.attributes["app.time"] = record.attributes.pop("app.time")
    return record


def is_proxys(line: str) -> bool:
    """May a reverse proxy's own layout read the line better?"""
    return _PROXYS.search(line) is not None


def parse(line: str, times: Times) -> tuple[Record, str] | None:
    """The record of a line's known fields and the text after them, which variants with further fields read."""
    quote = line.find('"')
    if line.startswith('"" [', quote):
        quote = line.find('"', quote + 2)  # Apache's empty user
    head = _HEAD.fullmatch(line, 0, quote) if quote > 0 else None
    if head is None:
        return None
    requested = _request_end(line, quote)
    if requested is None:
        return None
    end, status = requested
    who = _who(head[1])
    if who is None:
        return None
    vhost, client, ident, user = who
    request = line[quote + 1 : end]
    record = Record("", body=request)
    attributes = record.attributes
    if vhost not in (None, "-") and (host := _VHOST.fullmatch(vhost or "")) is not None:
        attributes["server.address"] = host[1].strip("[]")
        if host[2] is not None:
            attributes["server.port"] = int(host[2])
    put_client(client, attributes)
    if ident != "-":
        attributes["app.ident"] = ident
    if user not in ("-", "", '""'):
        attributes["user.name"] = unescape(user)
    put_request(request, attributes)
    if status[1] not in ("-", "0"):
        attributes["http.response.status_code"] = int(status[1])
        record.severity_number = of_status(int(status[1]))
    if status[2] != "-":
        attributes["http.response.body.size"] = int(status[2])
    pair = _PAIR.match(line, status.end())
    if pair is not None:
        _put_pair(pair[1], pair[2], attributes)
    elif (pair := _ODD_PAIR.match(line, status.end())) is not None:
        _put_pair(pair["quoted"] or pair["bare"] or "", pair["agent"], attributes)
        if pair["took"]:
            attributes["http.server.request.duration"] = float(pair["took"])
    record.format = ("vhost_" if vhost is not None else "") + ("combined" if pair is not None else "common")
    record.timestamp = times.clf(head[2])
    if record.timestamp is None:
        unread_time(record, head[2])
    return record, line[pair.end() if pair is not None else status.end() :]


def _put_pair(referer: str, agent: str, attributes: dict[str, object]) -> None:
    if referer not in NOTHING:
        attributes["http.request.header.referer"] = [unescape(referer)]
    if agent not in NOTHING:
        attributes["user_agent.original"] = unescape(agent)


def _request_end(line: str, quote: int) -> tuple[int, re.Match[str]] | None:
    """Where the request's closing quote is, and the status and size after it."""
    quoted = _QUOTED.match(line, quote)
    if quoted is not None and (status := _STATUS.match(line, quoted.end())) is not None:
        return quoted.end() - 1, status
    # A server that does not escape quotes: only believed when a single place can be the end of the request.
    ends = [found.start() for found in _UNESCAPED_END.finditer(line, quote + 1)]
    if len(ends) != 1:
        return None
    status = _STATUS.match(line, ends[0] + 1)
    return (ends[0], status) if status is not None else None


def _who(head: str) -> tuple[str | None, str, str, str] | None:
    """`[vhost ]client ident user`; the user is what is left, with its spaces. A line inside syslog is syslog's."""
    if _SYSLOG.match(head) is not None:
        return None
    chain = _CHAIN.match(head)
    if chain is not None:
        ident, _, user = head[chain.end() + 1 :].partition(" ")
        return (None, chain[0], ident, user) if ident else None
    parts = head.split(" ", 3)
    if len(parts) < 3:
        return None
    if len(parts[0]) > LONGEST_HOST:
        parts = parts[:3]
    if len(parts) == 4 and parts[1] != "-" and (parts[2] == "-" or not _ADDRESS.fullmatch(parts[0])):
        named = _VHOST.fullmatch(parts[0]) is not None or parts[0] == "-"
        if named and (_ADDRESS.fullmatch(parts[1]) or parts[2] == "-"):
            return parts[0], parts[1], parts[2], parts[3]
    client, ident, user = head.split(" ", 2)
    if client[:1] == "@" and ident != "-":  # the stamp of multilog
        return None
    return (None, client, ident, user) if client and ident else None


def put_client(text: str, attributes: dict[str, object]) -> None:
    """The first client in `text`, its port apart from it; `-` is nobody."""
    first, comma, _ = text.partition(",")
    found = _PORTED.fullmatch(first)
    port = (found[2] or found[4]) if found is not None else None
    if found is not None and int(port or 0) <= LARGEST_PORT:
        attributes["client.address"] = found[1] or found[3]
        if port is not None:
            attributes["client.port"] = int(port)
    elif first != "-":
        attributes["client.address"] = first
    if comma:
        attributes["http.request.header.x-forwarded-for"] = [text]


def put_request(request: str, attributes: dict[str, object]) -> None:
    """Method, target and version where the request has them; anything else stays in the body alone (RFC 9112,
    chapter 3)."""
    method, space, rest = request.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    version = _PROTOCOL.fullmatch(protocol)
    if version is None:
        target, known = rest, method in METHODS and rest.startswith(("/", "http://", "https://"))
    else:
        known = _TOKEN.fullmatch(method) is not None and target != ""
    if not known or not space:
        return
    if method in METHODS:
        attributes["http.request.method"] = method
    else:
        attributes["http.request.method"] = "_OTHER"
        attributes["http.request.method_original"] = method
    target = unescape(target)
    if target.startswith("/") or target == "*":
        path, _, query = target.partition("?")
        attributes["url.path"] = path
        if query:
            attributes["url.query"] = query
    elif method == "CONNECT" or "://" not in target:
        attributes["url.original"] = target
    else:
        attributes["url.full"] = target
    if version is not None:
        attributes["network.protocol.name"] = version[1].lower()
        attributes["network.protocol.version"] = version[2]


def extras(text: str) -> list[str]:
    """The fields after the known ones, in order; text that is no list of fields is kept as one."""
    found: list[str] = []
    at = 0
    while at < len(text):
        if len(found) == MOST_EXTRAS:
            found.append(text[at + 1 :])
            break
        field = _EXTRA.match(text, at)
        if field is None:
            found.append(text[at + 1 :] if text[at] == " " else text[at:])
            break
        found.append(unescape(field[1]) if field[1] is not None else field[2])
        at = field.end()
    return found


def unescape(text: str) -> str:
    """Undoes the servers' escapes; the bytes of `\\xHH` runs are read as UTF-8, damaged ones as U+FFFD."""
    if "\\" not in text or text.count("\\") > MOST_ESCAPES:
        return text
    return _ESCAPE.sub(_plain, text)


def _plain(escape: re.Match[str]) -> str:
    text = escape[0]
    if text[1] == "x":
        return bytes.fromhex(text.replace("\\x", "")).decode(errors="replace")
    return _SIMPLE.get(text[1], text[1])


def _fast(render: Render) -> Fast:
    from adapter_logformat.formats.access_fast import AccessFast  # only streams that found their format need it

    return AccessFast(render)


FORMATS = (
    Format(
        name="access",
        title="Apache httpd and nginx access logs: combined and common, with virtual host and trailing fields",
        rank=80,
        read=read,
        variants=("combined", "vhost_combined", "common", "vhost_common"),
        sample='203.0.113.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif?x=1 HTTP/1.0" 200 2326 "-" "curl/8.5.0"',
        yields=is_proxys,
        fast=_fast,
    ),
)
