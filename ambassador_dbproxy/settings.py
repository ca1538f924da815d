"""The ambassador's settings: what may be written, its defaults, and the rules between fields.

Decoding, `${VAR}` and overrides are the chassis's. Which target an environment leads to is `routes`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from chassis.settings import Address, DrainSettings, Mistake, OpsSettings, Seconds, SettingsError, describe

VERIFYING = ("verify-ca", "verify-full")
_REDIS_DATABASE = re.compile("[0-9]{1,9}")
RoleWanted = Literal["primary", "replica", "prefer-replica", "any"]
AuthMethod = Literal[
    "none",
    "password",
    "md5",
    "scram-sha-256",
    "mysql_native_password",
    "caching_sha2_password",
    "mysql_clear_password",
]


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the way to the server is encrypted, in the modes that PostgreSQL's own clients know."""

    mode: Annotated[
        Literal["disable", "prefer", "require", "verify-ca", "verify-full"],
        describe("`require` encrypts, `verify-ca` also checks who signed the server, `verify-full` also its name"),
    ] = "disable"
    ca_file: Annotated[
        Path | None,
        describe("certificates that may have signed the server's; without it, for verify-full, those of the system"),
    ] = None
    cert_file: Annotated[Path | None, describe("certificate to show to the server, with its chain")] = None
    key_file: Annotated[Path | None, describe("private key of cert_file, without a passphrase")] = None
    negotiation: Annotated[
        Literal["ask", "direct"],
        describe("`direct`: without asking first whether TLS is wanted, as PostgreSQL 17 and later allow"),
    ] = "ask"

    def __post_init__(self) -> None:
        mistakes = []
        if self.negotiation == "direct" and self.mode in ("disable", "prefer"):
            mistakes.append(Mistake("negotiation", f"direct leaves no choice, which the mode {self.mode} would give"))
        if self.ca_file and self.mode not in VERIFYING:
            mistakes.append(Mistake("ca_file", f"the mode {self.mode} checks nothing; use verify-ca or verify-full"))
        if self.mode == "verify-ca" and not self.ca_file:
            everybody = "verify-ca checks no name, and whoever owns a name has a certificate signed by the system's"
            mistakes.append(Mistake("ca_file", f"{everybody}; name a file, or use verify-full"))
        if (self.cert_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "cert_file"
            mistakes.append(Mistake(missing, "cert_file and key_file go together"))
        if self.cert_file and self.mode == "disable":
            mistakes.append(Mistake("cert_file", "the mode disable shows no certificate"))
        if mistakes:
            raise SettingsError(mistakes)


class ListenTlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS between the app and the ambassador, for apps that insist on it."""

    cert_file: Annotated[Path, describe("certificate to show to the app, with its chain")]
    key_file: Annotated[Path, describe("private key of cert_file, without a passphrase")]


class SentinelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to ask Redis Sentinels for the servers."""

    primary: Annotated[str, describe("name under which the Sentinels know the primary", min_length=1)]
    user: Annotated[str | None, describe("log in to the Sentinels as this user instead of the default one")] = None
    password_file: Annotated[
        Path | None, describe("file with the password for the Sentinels; without it they want none")
    ] = None


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one environment's database is, and as whom to log in."""

    hosts: Annotated[
        tuple[Address, ...], describe("servers of this environment; the first that answers is kept to", min_length=1)
    ]
    role: Annotated[
        RoleWanted, describe("which of them to use; checked at every login. Other than `any` it needs `user`")
    ] = "any"
    user: Annotated[str | None, describe("log in as this user; without it the app's own login passes through")] = None
    password_file: Annotated[Path | None, describe("file with the password, read again at every login")] = None
    database: Annotated[str | None, describe("database to open instead of the one that the app names")] = None
    require_auth: Annotated[
        tuple[AuthMethod, ...], describe("authentication methods the server may ask for; empty: any")
    ] = ()
    tls: Annotated[TlsSettings, describe("how the way to the server is encrypted")] = TlsSettings()
    sentinel: Annotated[
        SentinelSettings | None, describe("Redis: `hosts` are Sentinels, which know where the servers are")
    ] = None

    def __post_init__(self) -> None:
        mistakes = [
            Mistake(f"hosts[{at}]", "a port of 0 cannot be connected to")
            for at, host in enumerate(self.hosts)
            if not host.path and not host.port
        ]
        if self.tls.mode not in ("disable", "prefer") and any(host.path for host in self.hosts):
            mistakes.append(Mistake("tls.mode", "a unix socket speaks no TLS"))
        if self.user is None:
            mistakes += [
                Mistake(name, "needs `user`: without it the app's own login passes through")
                for name, value in (
                    ("password_file", self.password_file),
                    ("require_auth", self.require_auth),
                    ("role", self.role != "any"),
                )
                if value
            ]
        mistakes += [
            Mistake(name, "must not be empty or contain a NUL")
            for name, value in (("user", self.user), ("database", self.database))
            if value is not None and (not value or "\0" in value)
        ]
        if mistakes:
            raise SettingsError(mistakes)


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one listener takes on."""

    connections: Annotated[int, describe("sessions at the same time; the next one is refused", ge=1)] = 200
    hold: Annotated[Seconds, describe("longest wait of a new connection for its database; then it is refused")] = (
        Seconds("30s")
    )
    waiting: Annotated[int, describe("connections that may wait at the same time; the next one is refused", ge=0)] = 100


class ListenerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One local address and the databases behind it."""

    name: Annotated[str, describe("name in logs, metrics and `status`", min_length=1, max_length=63)]
    listen: Annotated[
        Address, describe("where the app connects: loopback, or a unix socket as in unix:///run/db/.s.PGSQL.5432")
    ]
    protocol: Annotated[
        Literal["postgres", "mysql", "redis", "tcp"], describe("what is spoken here; it is never guessed")
    ]
    environments: Annotated[dict[str, TargetSettings], describe("the target of each environment, by its name")]
    limits: Annotated[LimitSettings, describe("how much this listener takes on")] = LimitSettings()
    tls: Annotated[
        ListenTlsSettings | None, describe("PostgreSQL: offer TLS to apps that insist on it, even on loopback")
    ] = None
    allow_remote: Annotated[
        bool, describe("allow `listen` beyond loopback; whoever reaches it is logged in by the ambassador")
    ] = False

    def __post_init__(self) -> None:
        mistakes = self._mistakes_of_the_door()
        for environment, target in self.environments.items():
            found = (
                *self._mistakes_of_a_login(target),
                *self._mistakes_of_tls(target),
                *self._mistakes_of_roles(target),
            )
            mistakes += [Mistake(f"environments.{environment}.{field}", text) for field, text in found]
        if mistakes:
            raise SettingsError(mistakes)

    def _mistakes_of_the_door(self) -> list[Mistake]:
        mistakes = []
        if not self.listen.is_loopback and not self.allow_remote:
            loud = "is not a loopback address or unix socket; the ambassador logs in for whoever reaches it"
            mistakes.append(Mistake("listen", f"{self.listen} {loud}. Set `allow_remote: true` if that is meant"))
        if self.tls is not None and self.protocol != "postgres":
            mistakes.append(Mistake("tls", f"the protocol {self.protocol} is plain on the way from the app"))
        return mistakes

    def _mistakes_of_a_login(self, target: TargetSettings) -> Iterator[tuple[str, str]]:
        if self.protocol == "tcp":
            for field in ("user", "database"):
                if getattr(target, field) is not None:
                    yield field, "the protocol tcp knows no logins"
        if self.protocol == "redis" and target.database is not None and not _REDIS_DATABASE.fullmatch(target.database):
            yield "database", f"{target.database!r} is no number, as Redis has them"
        for method in target.require_auth:
            if ("mysql" if method.startswith(("mysql_", "caching_")) else "postgres") != self.protocol:
                yield "require_auth", f"the protocol {self.protocol} knows no method {method!r}"

    def _mistakes_of_tls(self, target: TargetSettings) -> Iterator[tuple[str, str]]:
        if self.tls is not None and target.user is None and target.tls.mode != "disable":
            yield "user", "the app's own login cannot pass through two TLS sessions; set one"
        if self.protocol != "postgres" and target.tls.negotiation == "direct":
            yield "tls.negotiation", f"the protocol {self.protocol} has one way to begin TLS"
        if self.protocol not in ("postgres", "mysql") and target.tls.mode == "prefer":
            yield "tls.mode", f"the protocol {self.protocol} cannot ask whether TLS is wanted"

    def _mistakes_of_roles(self, target: TargetSettings) -> Iterator[tuple[str, str]]:
        if target.sentinel is None:
            return
        if self.protocol != "redis":
            yield "sentinel", f"the protocol {self.protocol} has no Sentinels"
        if target.role == "any":
            yield "role", "Sentinels know several servers; say which role is wanted"


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the servers of the current environment are looked after."""

    interval: Annotated[
        Seconds, describe("pause between two looks at the servers; the longest one while none is usable")
    ] = Seconds("2s")


class SwitchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a change of the environment treats the sessions of the old one."""

    deadline: Annotated[Seconds, describe("longest wait for a quiet moment; then sessions are closed")] = Seconds("10s")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of ambassador-dbproxy."""

    environment: Annotated[str, describe("which environment the app is in now, usually ${APP_ENV}", min_length=1)]
    listeners: Annotated[tuple[ListenerSettings, ...], describe("the local addresses", min_length=1)]
    connect_timeout: Annotated[Seconds, describe("longest wait for one server to accept a connection")] = Seconds("5s")
    login_timeout: Annotated[Seconds, describe("longest start-up conversation, with the app or the server")] = Seconds(
        "15s"
    )
    health: Annotated[HealthSettings, describe("how the servers are looked after")] = HealthSettings()
    switch: Annotated[SwitchSettings, describe("what happens to old sessions on a switch")] = SwitchSettings()
    drain: Annotated[DrainSettings, describe("what happens after SIGTERM")] = DrainSettings(deadline=Seconds("25s"))
    ops: Annotated[OpsSettings, describe("probes, metrics, status and switch")] = OpsSettings(
        listen=Address("0.0.0.0:9103")
    )

    def __post_init__(self) -> None:
        mistakes = []
        seen: set[str] = set()
        for at, listener in enumerate(self.listeners):
            if listener.name in seen:
                mistakes.append(Mistake(f"listeners[{at}].name", f"{listener.name!r} is taken by an earlier listener"))
            seen.add(listener.name)
        mistakes += [
            Mistake(path, "must be longer than 0s")
            for path, limit in (
                ("connect_timeout", self.connect_timeout),
                ("login_timeout", self.login_timeout),
                ("health.interval", self.health.interval),
            )
            if not limit
        ]
        unserved = unserved_listeners(self, self.environment)
        if unserved:
            mistakes.append(Mistake("environment", unknown_environment(self.environment, unserved)))
        if mistakes:
            raise SettingsError(mistakes)


def unserved_listeners(settings: Settings, environment: str) -> list[ListenerSettings]:
    """The listeners that have no target for `environment`."""
    return [listener for listener in settings.listeners if environment not in listener.environments]


def unknown_environment(environment: str, unserved: list[ListenerSettings]) -> str:
    """What to tell the operator: the name, who lacks it, and the names that are known there."""
    known = "; ".join(
        f"listener {each.name} knows {', '.join(sorted(each.environments)) or 'none'}" for each in unserved
    )
    return f"unknown environment {environment!r}: {known}"
