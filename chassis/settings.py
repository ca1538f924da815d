"""A service's settings: where they are read from, and the words to declare them with.

A settings object is a frozen msgspec Struct. pydantic would cost each idle mate about 12 MiB, and a library's
environment overrides do not reach into lists; the little walk in `decode` and `sources` does both.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from chassis.decode import decode
from chassis.errors import Mistake, OperatorError, SettingsError
from chassis.sources import interpolate, overlay, parse_yaml
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
    "load",
]

LARGEST_SETTINGS_FILE = 1024 * 1024
S = TypeVar("S", bound=msgspec.Struct)


def describe(text: str, **constraints: Any) -> msgspec.Meta:
    """What a setting means, in one sentence, and its bounds (`ge=1`, `min_length=1`…); schema and docs show it."""
    return msgspec.Meta(description=text, **constraints)


class OpsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The port for probes and metrics."""

    listen: Annotated[Address, describe("address of /livez, /readyz, /startupz and /metrics; the kubelet probes it")]


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long a mate may take to finish after SIGTERM."""

    deadline: Annotated[Seconds, describe("time after SIGTERM until what is left is given up and reported")]


def load(model: type[S], path: Path | None, environ: Mapping[str, str], prefix: str) -> S:
    """The settings of `path` (none: the environment alone) with `environ` laid over them.

    Raises SettingsError with all mistakes at once: those of `${VAR}`, of the environment and of the values.
    """
    tree = parse_yaml(_read(path)) if path else None
    mistakes: list[Mistake] = []
    try:
        tree = overlay(interpolate(tree, environ, "", mistakes), environ, prefix, mistakes)
    except RecursionError as error:
        raise SettingsError([Mistake("", "an alias leads back to itself")]) from error
    try:
        settings = decode(model, tree)
    except SettingsError as error:
        # A setting whose variable is missing has been named already; its empty text is no second mistake.
        named = {mistake.path for mistake in mistakes}
        mistakes += [mistake for mistake in error.mistakes if mistake.path not in named]
    if mistakes:
        raise SettingsError(mistakes)
    return settings


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_SETTINGS_FILE + 1)
    except OSError as error:
        raise SettingsError([Mistake(str(path), f"cannot read the settings file: {error.strerror}")]) from error
    if len(raw) > LARGEST_SETTINGS_FILE:
        raise SettingsError([Mistake(str(path), f"a settings file has at most {LARGEST_SETTINGS_FILE} bytes")])
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise SettingsError([Mistake(str(path), f"the settings file is not UTF-8: {error}")]) from error
