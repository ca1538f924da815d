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
WOVEN: Final = frozenset({"otel", "flat"})
"""Profiles whose records can be woven from columns, as they write every value as it is; the others convert each one
(a time to nanoseconds, a number to text), so their records are rendered one by one."""
WOVEN_BY_ALL: Final = frozenset({"access"})
"""Formats for which that is not so: their fast form asks the profile how it writes a time and a severity."""


def load(name: str) -> Render:
    """The render function of profile `name`; `KeyError` for a name that is no profile."""
    if name not in PROFILES:
        raise KeyError(name)
    render: Render = import_module(f"adapter_logformat.profiles.{name}").render
    return render
