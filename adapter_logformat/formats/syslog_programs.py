"""What well-known programs say in their syslog messages: sshd, cron, sudo, the kernel, PAM. The message stays as
it is; these only add attributes.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from adapter_logformat.record import Record

_SSH_AUTH: Final = re.compile(
    r"(?P<outcome>Accepted|Failed) (?P<method>[\w\-/]++) for (?:invalid user )?(?P<user>.{0,256}?) from "
    r"(?P<client>[^ ]++) "
    r"port (?P<port>\d{1,5})(?: .*)?"
)
_SSH_USER: Final = re.compile(r"Invalid user (?P<user>.{0,256}?) from (?P<client>[^ ]++)(?: port (?P<port>\d{1,5}))?")
_SSH_PEER: Final = re.compile(
    r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting|Received disconnect from|Connection from)"
    r"(?: (?:authenticating|invalid))?(?: user (?P<user>[^ ]{0,256}+))? (?P<client>[0-9a-fA-F:.]++)"
    r"(?: port (?P<port>\d{1,5}))?(?:[: ].*)?"
)
_CRON: Final = re.compile(r"\((?P<user>[^)]++)\) CMD \((?P<command>.*)\)")
_SUDO: Final = re.compile(r" {0,8}(?P<user>[^ :]++) : .*?COMMAND=(?P<command>.*)")
_UPTIME: Final = re.compile(r"\[ {0,8}(\d{1,9}\.\d{6})\] ")
_PAM: Final = re.compile(r"authentication failure; .*?\brhost=(?P<client>[^ ]*+)(?: {1,2}user=(?P<user>[^ ]++))?")
_PROGRAMS: Final = {
    "sshd": (_SSH_AUTH, _SSH_USER, _SSH_PEER), "sshd-session": (_SSH_AUTH, _SSH_USER, _SSH_PEER),
    "cron": (_CRON,), "crond": (_CRON,), "sudo": (_SUDO,),
}  # fmt: skip
_TARGETS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "user": ("user.name", str), "client": ("client.address", str), "port": ("client.port", int),
    "method": ("app.auth.method", str), "outcome": ("app.auth.outcome", str.lower),
    "command": ("process.command_line", str),
}  # fmt: skip


def tell(record: Record, program: str) -> None:
    """Adds what `program` says in `record.body`."""
    text, program = record.body or "", program.rpartition("/")[2].lower()
    if program == "kernel":
        if (uptime := _UPTIME.match(text)) is not None:
            record.attributes["app.uptime"] = float(uptime[1])
        return
    patterns = _PROGRAMS.get(program) or ((_PAM,) if "pam_" in text or "(pam_" in program else ())
    for pattern in patterns:
        found = pattern.fullmatch(text) if pattern is not _PAM else pattern.search(text)
        if found is not None:
            for group, value in found.groupdict().items():
                if value:
                    name, kind = _TARGETS[group]
                    record.attributes[name] = kind(value)
            return
