"""What is known of one server of a target, and which of several to try first. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from ambassador_dbproxy.settings import RoleWanted
from chassis.settings import Address


class Health(Enum):
    """What is known of a target or server. UNKNOWN and FAULTY are tried like UP."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    FAULTY = "faulty"  # it answers, but not as the settings want it: waiting does not help


class Role(StrEnum):
    """What a server said it is. One that was not asked stays UNKNOWN."""

    UNKNOWN = "unknown"
    PRIMARY = "primary"
    REPLICA = "replica"


@dataclass(eq=False, slots=True)
class Server:
    """One server, as the settings name it. `in_use` counts its sessions and the logins under way."""

    host: Address
    health: Health = Health.UNKNOWN
    role: Role = Role.UNKNOWN
    reason: str = ""
    in_use: int = 0


_ROUNDS: dict[RoleWanted, tuple[frozenset[Role], ...]] = {
    "primary": (frozenset({Role.PRIMARY}),),
    "replica": (frozenset({Role.REPLICA}),),
    "prefer-replica": (frozenset({Role.REPLICA}), frozenset(Role)),
    "any": (frozenset(Role),),
}


def rounds(wanted: RoleWanted) -> tuple[frozenset[Role], ...]:
    """The roles to accept in each round of looking for a server; the next round is for when the last found none."""
    return _ROUNDS[wanted]


def fits(wanted: RoleWanted, role: Role) -> bool:
    """True if a server of this role may serve."""
    return role in _ROUNDS[wanted][-1]


def ranked(servers: Iterable[Server], roles: frozenset[Role]) -> list[Server]:
    """The servers in the order to try them: of the right role before those that may have changed, up before down.

    Among replicas the one least in use comes first; otherwise the order is that of `servers`.
    """
    found = list(servers)
    if len(found) > 1:
        found.sort(key=lambda server: _rank(server, roles))
    return found


def _rank(server: Server, roles: frozenset[Role]) -> tuple[bool, bool, int]:
    known_unfit = server.role is not Role.UNKNOWN and server.role not in roles
    balanced = Role.REPLICA in roles and server.role is Role.REPLICA
    return server.health is Health.DOWN, known_unfit, server.in_use if balanced else 0
