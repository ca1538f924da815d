"""What OpenSSH's server says of its peers, in its syslog messages and on its standard error (`sshd -D -e`, as in
containers, where lines have no header at all).

The texts are those of auth_log, auth.c, packet.c and kex.c; whoever connects chooses the user's name and the banner.
"""

import re
from typing import Final

from adapter_logformat.grammar import Format
from adapter_logformat.multiline import ALONE
from adapter_logformat.record import Record
from adapter_logformat.severity import CRIT, DEBUG, ERROR, INFO
from adapter_logformat.timestamps import Times

_ADDRESS: Final = r"(?P<client>[0-9A-Fa-f.:]{2,60}+(?:%[\w.\-]{1,32}+)?)"
_CLIENT: Final = r"(?P<client>[^\s\[\]()]{1,255}+)"
_PORT: Final = r"(?: port (?P<port>\d{1,5}+))?"
_PEER: Final = rf"{_CLIENT} port (?P<port>\d{{1,5}}+)"
_USER: Final = r"(?P<user>.{0,256})"
"""As long as it gets: whoever chose ` from 192.0.2.9 port 22` for a name shall not choose the address."""
_PREFIX: Final = r"(?:fatal: |error: )?(?:(?:ssh_dispatch_run_fatal|banner exchange): )?"
_MESSAGES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<outcome>Accepted|Failed|Postponed|Partial) (?P<method>[\w\-/]++) for (?:invalid user )?{_USER} from "
        rf"{_PEER}(?: ssh.*)?",
        rf"Invalid user {_USER} from {_CLIENT}{_PORT}",
        rf"User {_USER} from {_CLIENT} not allowed because .*",
        r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting)(?: (?:authenticating|invalid))? user "
        rf"{_USER} {_PEER}(?:[: ].*)?",
        rf"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting) {_PEER}(?:[: ].*)?",
        rf"(?:Connection (?:closed|reset) by|Disconnected from) {_ADDRESS}(?: .*)?",
        r"Received disconnect from (?P<client>\S{1,60}?)(?: port (?P<port>\d{1,5}+):|: )\d{1,9}+:.*",
        rf"(?:Close session: user|Starting session: .{{1,300}}? for) {_USER} from {_PEER}(?: .*)?",
        rf"{_PREFIX}maximum authentication attempts exceeded for (?:invalid user )?{_USER} from {_PEER}(?: .*)?",
        rf"{_PREFIX}PAM: .{{1,100}}? for (?:illegal user |invalid user )?{_USER} from {_CLIENT}",
        rf"{_PREFIX}(?:Unable to negotiate with|Connection from) {_PEER}(?:[: ].*)?",
        rf"Bad protocol version identification .* from {_CLIENT}{_PORT}",
        rf"Did not receive identification string from {_CLIENT}{_PORT}",
        rf"{_PREFIX}Timeout before authentication for (?:connection from )?{_ADDRESS}{_PORT}(?:[ ,].*)?",
        rf"reverse mapping checking getaddrinfo for .{{1,256}}? \[{_ADDRESS}\] failed.*",
        rf"Address {_ADDRESS} maps to .*",
        rf"drop connection #\d{{1,9}} from \[{_ADDRESS}\]:(?P<port>\d{{1,5}}+) on .*",
    )
)
_TARGETS: Final = {
    "user": "user.name", "client": "client.address", "method": "app.auth.method", "outcome": "app.auth.outcome",
}  # fmt: skip
_OWN: Final = re.compile(
    r"(?P<level>debug[123]|error|fatal): .*|Server listening on \S++ port \d++\.|Received signal \d++; .*"
    r"|(?:kex_exchange_identification|banner exchange|ssh_dispatch_run_fatal|kex_protocol_error|padding error): .*"
    r"|Accepted key \S++ \S++ found at .*|Bad packet length \d++\..*"
)
_SCALE: Final = {"debug1": DEBUG, "debug2": DEBUG, "debug3": DEBUG, "error": ERROR, "fatal": CRIT}


def tell(record: Record) -> bool:
    """Adds who came from where, and with what; `False` where the message speaks of no peer."""
    text = record.body or ""
    for pattern in _MESSAGES:
        found = pattern.fullmatch(text)
        if found is not None:
            for group, value in found.groupdict().items():
                if value and group == "port":
                    record.attributes["client.port"] = int(value)
                elif value:
                    record.attributes[_TARGETS[group]] = value.lower() if group == "outcome" else value
            return True
    return False


def read(line: str, times: Times) -> Record | None:
    """A line of standard error: without time, its level in front where it is not information."""
    own = _OWN.fullmatch(line)
    record = Record("sshd", severity_number=INFO, body=line)
    if not tell(record) and (own is None or own["level"] in ("error", "fatal")):
        return None
    if own is not None and own["level"]:
        record.severity_text, record.severity_number = own["level"], _SCALE[own["level"]]
        record.body = line[len(own["level"]) + 2 :]
    return record


FORMATS: Final = (
    Format(
        name="sshd",
        title="OpenSSH's server on its standard error: `sshd -D -e`",
        rank=62,
        read=read,
        sample="Failed password for invalid user admin from 192.0.2.7 port 38926 ssh2",
        rule=ALONE,
    ),
)
