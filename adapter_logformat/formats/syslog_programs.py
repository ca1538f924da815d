"""What well-known programs say in their syslog messages: cron, sudo, PAM, useradd, the kernel with its packet filter
and audit, HAProxy's short log, DHCP, Check Point. The message stays as it is; these only add attributes. sshd has a
module of its own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from adapter_logformat.formats import firewalls, security, sshd
from adapter_logformat.grammar import is_number
from adapter_logformat.record import OWN_PREFIX, Record

MOST_PAIRS: Final = 256
LONGEST: Final = 1 << 16
"""Pairs further in stay in the body alone."""
LONGEST_SAID: Final = 4096
"""PAM's lines are shorter."""

_CRON: Final = re.compile(r"\((?P<user>[^)]++)\) CMD \((?P<command>.*)\)")
_ACCOUNT: Final = re.compile(
    r"new user: name=(?P<user>[^,]{1,100}+),.*|new group: name=(?P<group>[^,]{1,100}+),.*"
    r"|(?:delete|lock|unlock|change) user '(?P<user2>[^']{1,100}+)'.*|(?:removed )?group '(?P<group2>[^']{1,100}+)' .*"
    r"|(?:add|delete) '(?P<user3>[^']{1,100}+)' (?:to|from) (?:shadow )?group '(?P<group3>[^']{1,100}+)'"
)
_HAPROXY: Final = re.compile(
    r"Connect from (?P<client>[^ ]{1,100}?):(?P<port>\d{1,5}+) to (?P<server>[^ ]{1,100}?):(?P<server_port>\d{1,5}+) "
    r"\((?P<frontend>[^/)]{1,300}+)/(?P<mode>[A-Z]{3,6})\)"
)
_POSTFIX: Final = re.compile(
    r"(?:(?P<queue>[0-9A-Za-z]{6,20}+|NOQUEUE): )?"
    r"(?:(?:dis)?connect from |client=|reject: \w{1,20} from |lost connection .{0,60}?from )"
    r"(?P<host>[^\[\s]{1,255}+)\[(?P<client>[0-9a-fA-F:.]{2,60}+)\](?::(?P<port>\d{1,5}+))?(?:[ ,:;].*)?"
)
_AUDIT: Final = re.compile(
    r"(?:\[ {0,8}\d{1,9}\.\d{6}\] )?(?:audit: )?type=(\d{4}) audit\(\d{9,11}\.\d{3}:(\d{1,18})\): (?=.)"
)
_AUDITED: Final = re.compile(r"([A-Z][A-Z_]{2,60}+)(?:\[\d{4}\]:)? (?=[\w\-]{1,60}+=)")
_UPTIME: Final = re.compile(r"\[ {0,8}(\d{1,9}\.\d{6})\] ")
_PAM: Final = re.compile(
    r"authentication failures?; .{0,400}?\brhost=(?P<client>[^ ]*+)(?: {1,2}user=(?P<user>[^ ]++))?"
    r"|session (?:opened|closed) for user (?P<session_user>[^\s(]++)"
    r"|password changed for (?P<changed>\S++)|for user (?P<locked>[^\n]{1,60}?) (?:account )?temporarily locked"
)
_DHCP: Final = re.compile(
    r"DHCP[A-Z]{3,8} (?:(?:on|for|of) (?P<client>[\d.]{7,15}+) )?(?:\([\d.]{7,15}\) )?(?:from|to) "
    r"(?P<hardware>[0-9a-f]{2}(?::[0-9a-f]{2}){5})(?: \((?P<name>[^)]{1,255}+)\))? via .*"
)
_WEB_LOGIN: Final = re.compile(
    r".{0,300}? for user '(?P<user>[^']{1,100}+)' from: (?P<client>[0-9a-fA-F:.]{2,60}+)(?: .*)?"
)
_PROGRAMS: Final = {
    "cron": (_CRON,), "crond": (_CRON,), "haproxy": (_HAPROXY,),
    "smtpd": (_POSTFIX,), "postscreen": (_POSTFIX,), "dhcpd": (_DHCP,), "php-fpm": (_WEB_LOGIN,),
    **dict.fromkeys(("useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod"), (_ACCOUNT,)),
}  # fmt: skip
SSHD: Final = frozenset({"sshd", "sshd-session", "sshd-auth"})
WITHOUT_PID: Final = frozenset({"sudo", "su", "pam", "login", "kernel", "systemd", "useradd", "groupadd", "crond"})
"""Programs that name no process, and that no app's log would name in their place."""
_TARGETS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "user": ("user.name", str), "session_user": ("user.name", str), "changed": ("user.name", str),
    "locked": ("user.name", str),
    "group": ("app.group", str), "hardware": ("app.hardware_address", str), "name": ("app.client_name", str),
    "client": ("client.address", str),
    "port": ("client.port", int), "server": ("server.address", str), "server_port": ("server.port", int),
    "queue": ("app.queue_id", str), "host": ("app.client_name", str),
    "frontend": ("app.frontend", str), "mode": ("app.mode", str), "command": ("process.command_line", str),
}  # fmt: skip
_SUDO_TARGETS: Final = {
    "TTY": "app.tty", "PWD": "process.working_directory", "USER": "app.target_user", "GROUP": "app.target_group",
}  # fmt: skip

_PACKET: Final = re.compile(r"(?:\A|.{0,200}?[\s\]])IN=\S{0,100} OUT=")
_PACKET_PAIR: Final = re.compile(r"(?<!\S)([A-Z]{2,10})=(\S++)")
_PACKET_TARGETS: Final = {
    "SRC": "source.address", "DST": "destination.address", "SPT": "source.port", "DPT": "destination.port",
    "PROTO": "network.transport", "IN": "app.in", "OUT": "app.out",
}  # fmt: skip
_CHECKPOINT_PAIR: Final = re.compile(r"(?<=[\[ ;])([\w.\-][\w .\-]{0,59}+):\"((?:[^\"\\]++|\\.){0,999}+)\"")
_CHECKPOINT_TARGETS: Final = {"src": "source.address", "dst": "destination.address"}


def tell(record: Record, program: str) -> None:
    """Adds what `program` says in `record.body`."""
    text, name = record.body or "", program.rpartition("/")[2].lower()
    if name == "kernel":
        _kernel(record, text)
    elif name == "checkpoint" and text.startswith("["):
        for pair, _ in zip(_CHECKPOINT_PAIR.finditer(text, 0, LONGEST), range(MOST_PAIRS), strict=False):
            record.attributes.setdefault(_CHECKPOINT_TARGETS.get(pair[1], OWN_PREFIX + pair[1]), pair[2])
    elif name == "audit" and (audited := _AUDITED.match(text)) is not None:
        record.attributes["app.type"] = audited[1]
        security.audit_pairs(record, audited[1], text[audited.end() :])
    elif _told(record, name, text):
        return
    elif ("pam_" in text or "(pam_" in name or text.startswith("PAM ")) and (
        found := _PAM.search(text, 0, LONGEST_SAID)
    ) is not None:
        _put(record, found)


def packet(text: str) -> bool:
    """Is it what the kernel's packet filter writes of a packet?"""
    return _PACKET.match(text) is not None


def _told(record: Record, name: str, text: str) -> bool:
    if name in SSHD:
        return sshd.tell(record)
    if name == "sudo":
        return _sudo(record, text)
    if name in ("snort", "suricata"):
        return firewalls.tell_alert(record)
    if name == "filterlog":
        return firewalls.tell_filter(record)
    for pattern in _PROGRAMS.get(name, ()):
        found = pattern.fullmatch(text)
        if found is not None:
            _put(record, found)
            return True
    return False


def _sudo(record: Record, text: str) -> bool:
    """`bob : user NOT in sudoers ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/ls`"""
    head, is_sudo, command = text.partition("COMMAND=")
    user, colon, rest = head.lstrip(" ").partition(" : ")
    if not is_sudo or not colon or not user or " " in user:
        return False
    record.attributes["user.name"] = user
    for part in rest.split(" ; ", MOST_PAIRS):
        key, equals, value = part.partition("=")
        if equals and key in _SUDO_TARGETS:
            record.attributes[_SUDO_TARGETS[key]] = value
        elif part and not equals:
            record.attributes["app.error"] = part
    record.attributes["process.command_line"] = command
    return True


def _put(record: Record, found: re.Match[str]) -> None:
    for group, value in found.groupdict().items():
        if value:
            name, kind = _TARGETS[group.rstrip("23")]
            record.attributes[name] = kind(value)


def _kernel(record: Record, text: str) -> None:
    if (uptime := _UPTIME.match(text)) is not None:
        record.attributes["app.uptime"] = float(uptime[1])
    if (audit := _AUDIT.match(text)) is not None:
        record.attributes["app.type"], record.attributes["app.serial"] = audit[1], int(audit[2])
        security.audit_pairs(record, audit[1], text[audit.end() :])
    if not packet(text):
        return
    for pair, _ in zip(_PACKET_PAIR.finditer(text), range(MOST_PAIRS), strict=False):
        name, value = _PACKET_TARGETS.get(pair[1]), pair[2]
        if name is None or name in record.attributes:
            continue
        if name.endswith(".port"):
            if is_number(value, 5):
                record.attributes[name] = int(value)
        else:
            record.attributes[name] = value.lower() if name == "network.transport" else value
