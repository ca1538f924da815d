"""The account a process runs as, when it is not our own."""

from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True)
class Account:
    """A user and a group, by number."""

    uid: int
    gid: int


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess` that lend a process another account."""

    user: int
    group: int
    extra_groups: list[int]


def run_as(account: Account | None) -> RunAs:
    """How to start a process as `account`; None: as ourselves."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
