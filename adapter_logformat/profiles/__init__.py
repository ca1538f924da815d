"""Profiles: how a record is written. Each is an exact projection of `record.Record`, one JSON line per record.

A profile is one function `render(record, observed) -> bytes` ending in a newline; `load` finds it by name and
imports it then.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Final, Literal, get_args

from adapter_logformat.record import Record

Render = Callable[[Record, str], bytes]

ProfileName = Literal["otel", "ecs", "otlp", "gelf", "flat"]
PROFILES: Final[tuple[str, ...]] = get_args(ProfileName)


def load(name: str) -> Render:
    """The render function of profile `name`; `KeyError` for a name that is no profile."""
    if name not in PROFILES:
        raise KeyError(name)
    render: Render = import_module(f"adapter_logformat.profiles.{name}").render
    return render
