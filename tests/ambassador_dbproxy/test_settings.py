"""Rules between settings: each mistake is named with its path, and all of them together."""

from typing import Any

import pytest

from ambassador_dbproxy.settings import Settings
from chassis.settings import SettingsError, decode

LOGIN = {"user": "app", "password_file": "/etc/db/password"}


def mistakes(listener: dict[str, Any] | None = None, **target: Any) -> dict[str, str]:
    """Path → text for one listener whose only target has these settings."""
    whole = {"name": "it", "listen": "127.0.0.1:5432", "protocol": "postgres", **(listener or {})}
    whole["environments"] = {"dev": {"hosts": ["db:5432"], **target}}
    try:
        decode(Settings, {"environment": "dev", "listeners": [whole]})
    except SettingsError as error:
        return {each.path: each.message for each in error.mistakes}
    return {}


@pytest.mark.parametrize(
    ("listener", "target"),
    [
        ({}, {}),
        ({}, {**LOGIN, "role": "primary", "tls": {"mode": "verify-full", "negotiation": "direct"}}),
        ({"protocol": "mysql"}, {**LOGIN, "require_auth": ["caching_sha2_password"], "tls": {"mode": "prefer"}}),
        ({"protocol": "redis"}, {**LOGIN, "database": "15", "role": "primary", "sentinel": {"primary": "main"}}),
        ({"protocol": "tcp"}, {"tls": {"mode": "require"}}),
        ({"listen": "0.0.0.0:5432", "allow_remote": True}, {}),
        ({"tls": {"cert_file": "a", "key_file": "b"}}, {**LOGIN, "tls": {"mode": "require"}}),
    ],
)
def test_what_goes_together(listener: dict[str, Any], target: dict[str, Any]) -> None:
    assert mistakes(listener, **target) == {}


@pytest.mark.parametrize(
    ("listener", "target", "path", "text"),
    [
        ({"listen": "0.0.0.0:5432"}, {}, "listen", "logs in for whoever reaches it. Set `allow_remote: true`"),
        ({"protocol": "redis", "tls": {"cert_file": "a", "key_file": "b"}}, {}, "tls", "is plain on the way"),
        (
            {"tls": {"cert_file": "a", "key_file": "b"}},
            {"tls": {"mode": "require"}},
            "environments.dev.user",
            "cannot pass through two TLS sessions",
        ),
        ({"protocol": "tcp"}, {"user": "app"}, "environments.dev.user", "tcp knows no logins"),
        ({"protocol": "tcp"}, {"database": "app"}, "environments.dev.database", "tcp knows no logins"),
        ({"protocol": "redis"}, {"database": "app"}, "environments.dev.database", "'app' is no number"),
        (
            {"protocol": "mysql"},
            {**LOGIN, "require_auth": ["md5"]},
            "environments.dev.require_auth",
            "mysql knows no method 'md5'",
        ),
        (
            {},
            {**LOGIN, "require_auth": ["mysql_native_password"]},
            "environments.dev.require_auth",
            "postgres knows no method 'mysql_native_password'",
        ),
        (
            {"protocol": "mysql"},
            {"tls": {"mode": "require", "negotiation": "direct"}},
            "environments.dev.tls.negotiation",
            "mysql has one way to begin TLS",
        ),
        ({"protocol": "redis"}, {"tls": {"mode": "prefer"}}, "environments.dev.tls.mode", "cannot ask whether TLS"),
        (
            {},
            {**LOGIN, "role": "primary", "sentinel": {"primary": "main"}},
            "environments.dev.sentinel",
            "postgres has no Sentinels",
        ),
        (
            {"protocol": "redis"},
            {**LOGIN, "sentinel": {"primary": "main"}},
            "environments.dev.role",
            "say which role is wanted",
        ),
        ({}, {"role": "primary"}, "environments.dev.role", "needs `user`"),
        ({}, {"password_file": "a"}, "environments.dev.password_file", "needs `user`"),
        ({}, {"user": ""}, "environments.dev.user", "must not be empty"),
        ({}, {"hosts": ["db:0"]}, "environments.dev.hosts[0]", "a port of 0 cannot be connected to"),
        (
            {},
            {"hosts": ["unix:///run/s"], "tls": {"mode": "require"}},
            "environments.dev.tls.mode",
            "a unix socket speaks no TLS",
        ),
    ],
)
def test_what_does_not(listener: dict[str, Any], target: dict[str, Any], path: str, text: str) -> None:
    found = mistakes(listener, **target)
    assert list(found) == [f"listeners[0].{path}"]
    assert text in found[f"listeners[0].{path}"]


def test_all_of_them_are_told_together() -> None:
    found = mistakes({"protocol": "redis", "listen": "192.0.2.1:1"}, database="x", tls={"mode": "prefer"})
    assert set(found) == {
        "listeners[0].listen",
        "listeners[0].environments.dev.database",
        "listeners[0].environments.dev.tls.mode",
    }


@pytest.mark.parametrize("path", ["connect_timeout", "login_timeout", "health.interval"])
def test_times_in_which_nothing_could_be_done(path: str) -> None:
    name, _, inner = path.partition(".")
    listener = {"name": "it", "listen": "127.0.0.1:0", "protocol": "tcp", "environments": {"dev": {"hosts": ["a:1"]}}}
    with pytest.raises(SettingsError, match=f"{path}: must be longer than 0s"):
        decode(Settings, {"environment": "dev", "listeners": [listener], name: {inner: "0s"} if inner else "0s"})
