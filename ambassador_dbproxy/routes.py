"""Which target a listener leads to in an environment. Pure.

A `Route` is a value: two sessions may share a life only if their routes are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from ambassador_dbproxy.settings import (
    ListenerSettings,
    Settings,
    TargetSettings,
    unknown_environment,
    unserved_listeners,
)


class UnknownEnvironment(Exception):
    """No target for this environment at some listener. The text lists the known ones."""


@dataclass(frozen=True, slots=True)
class Route:
    """From one listener to the target of one environment."""

    listener: str
    environment: str
    target: TargetSettings

    @property
    def name(self) -> str:
        """How logs and messages call it."""
        return f"{self.listener}/{self.environment}"


def route(listener: ListenerSettings, environment: str) -> Route:
    """The route of `listener` in `environment`; UnknownEnvironment if it has none."""
    target = listener.environments.get(environment)
    if target is None:
        raise UnknownEnvironment(unknown_environment(environment, [listener]))
    return Route(listener.name, environment, target)


def check_environment(settings: Settings, environment: str) -> None:
    """UnknownEnvironment unless every listener has a target for it."""
    if unserved := unserved_listeners(settings, environment):
        raise UnknownEnvironment(unknown_environment(environment, unserved))
