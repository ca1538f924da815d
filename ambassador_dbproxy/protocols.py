"""The table of protocols: the name in the settings → what speaks it. A further protocol is a line here.

Only the protocols in use are loaded: each costs memory.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ambassador_dbproxy.service import Service

SERVICES = {
    "mysql": ("ambassador_dbproxy.mysql.service", "MysqlService"),
    "postgres": ("ambassador_dbproxy.postgres.service", "PostgresService"),
    "redis": ("ambassador_dbproxy.redis.session", "RedisService"),
    "tcp": ("ambassador_dbproxy.tcp", "TcpService"),
}


def service(protocol: str) -> Service[Any]:
    """A new service for one listener."""
    module, name = SERVICES[protocol]
    make: Callable[[], Service[Any]] = getattr(import_module(module), name)
    return make()
