"""The table of protocols: the name in the settings → what speaks it. A further protocol is a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ambassador_dbproxy.postgres.session import PostgresService
from ambassador_dbproxy.redis.session import RedisService
from ambassador_dbproxy.service import Service
from ambassador_dbproxy.tcp import TcpService

SERVICES: dict[str, Callable[[], Service[Any]]] = {
    "postgres": PostgresService,
    "redis": RedisService,
    "tcp": TcpService,
}
