"""Why a file may not be read, told to those who can change it: whose it is, and who we are."""

import os
import stat


def who_may_not_read(path: str) -> str:
    """The file's owner and mode, our own user and groups, and what both sides can do."""
    groups = ", ".join(map(str, sorted({os.getegid(), *os.getgroups()})))
    us = f"we are user {os.geteuid()} with groups {groups}"
    try:
        status = os.stat(path)
    except OSError:
        return f"{us}, and may not enter its directory"
    theirs = f"its mode is {stat.S_IMODE(status.st_mode):04o}, its user {status.st_uid}, its group {status.st_gid}"
    remedy = "let its writer use a umask that its group may read (027), and share a group (in a pod: fsGroup)"
    return f"{theirs}; {us}: {remedy}"
