"""The sample app's sessions with its database, as any connection pool keeps them.

A session that has ended is replaced once, and the read it was lent for is repeated on the new one. The app knows an
address on loopback; which environment answers there is not its business.
"""

import asyncio
import contextlib
from dataclasses import asdict, dataclass

import asyncpg

CONNECT_TIMEOUT_S = 10.0
QUERY_TIMEOUT_S = 10.0

# What a driver says when its session is over, in contrast to a query that is wrong.
SESSION_OVER = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.CannotConnectNowError,
    # The driver's own state when the farewell of an idle session was read, and its end was not yet.
    asyncpg.InternalClientError,
)
FAILURES = (*SESSION_OVER, asyncpg.PostgresError)


@dataclass
class DatabaseCounts:
    """What became of the app's queries."""

    queries: int = 0
    queries_failed: int = 0
    sessions_opened: int = 0
    sessions_replaced: int = 0


class DatabaseUnavailable(Exception):
    """The query failed, on the replaced session too if its first one had ended."""


class AppDatabase:
    """At most `sessions` sessions at once; callers wait for one to be free."""

    def __init__(self, url: str, sessions: int = 4) -> None:
        self.counts = DatabaseCounts()
        self._url = url
        self._idle: asyncio.LifoQueue[asyncpg.Connection | None] = asyncio.LifoQueue()
        for _ in range(sessions):
            self._idle.put_nowait(None)

    async def row(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        """The first row of the result, or None. Raises DatabaseUnavailable."""
        self.counts.queries += 1
        session = await self._idle.get()
        try:
            session = session or await self._connect()
            try:
                return await session.fetchrow(sql, *arguments)
            except SESSION_OVER:
                session.terminate()
            self.counts.sessions_replaced += 1
            session = await self._connect()
            return await session.fetchrow(sql, *arguments)
        except FAILURES as error:
            self.counts.queries_failed += 1
            raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error
        finally:
            if session is not None and session.is_closed():
                session = None
            self._idle.put_nowait(session)

    def stats(self) -> dict[str, int]:
        """The counts, by name."""
        return asdict(self.counts)

    async def close(self) -> None:
        """Close the idle sessions."""
        while not self._idle.empty():
            session = self._idle.get_nowait()
            if session is not None:
                with contextlib.suppress(*FAILURES):
                    await session.close(timeout=2)

    async def _connect(self) -> asyncpg.Connection:
        self.counts.sessions_opened += 1
        # Plain text: the other end of loopback is the ambassador, and TLS to the database is its business.
        return await asyncpg.connect(self._url, ssl=False, timeout=CONNECT_TIMEOUT_S, command_timeout=QUERY_TIMEOUT_S)
