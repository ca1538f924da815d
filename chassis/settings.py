"""The words to declare a service's settings with. Pure: reading a file is left to `loading`.

A settings object is a frozen msgspec Struct. pydantic would cost each idle mate about 12 MiB, and a library's
environment overrides do not reach into lists; the little walk in `decode` and `sources` does both.
"""

from typing import Annotated, Any

import msgspec

from chassis.decode import decode
from chassis.errors import Mistake, OperatorError, SettingsError
from chassis.units import Address, Seconds, Size

__all__ = [
    "Address",
    "DrainSettings",
    "Mistake",
    "OperatorError",
    "OpsSettings",
    "Seconds",
    "SettingsError",
    "Size",
    "decode",
    "describe",
]


def describe(text: str, **constraints: Any) -> msgspec.Meta:
    """What a setting means, in one sentence, and its bounds (`ge=1`, `min_length=1`…); schema and docs show it."""
    return msgspec.Meta(description=text, **constraints)


class OpsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The port for probes and metrics."""

    listen: Annotated[Address, describe("address of /livez, /readyz, /startupz and /metrics; the kubelet probes it")]


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long a mate may take to finish after SIGTERM."""

    deadline: Annotated[Seconds, describe("time after SIGTERM until what is left is given up and reported")]
