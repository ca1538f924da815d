"""Reads a service's settings: the file, the variables in it, and the environment laid over it.

What the settings are is declared with `settings`; how text becomes a tree is `sources`, how a tree is checked `decode`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from chassis.decode import decode
from chassis.errors import Mistake, SettingsError
from chassis.sources import interpolate, overlay, parse_yaml

LARGEST_SETTINGS_FILE = 1024 * 1024
S = TypeVar("S", bound=msgspec.Struct)


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
