"""Settings as written: YAML text, `${VAR}` in its values, and `PREFIX__A__0__B` variables laid over it.

Pure: text and a mapping of variables in, a tree of plain values out. What the tree must look like is `decode`'s matter.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Any

import yaml

from chassis.errors import Mistake, SettingsError

_VARIABLE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\$\{)")


class EnvironText(str):
    """A value that came from the environment variable `variable`; may hold YAML where a list or mapping is due."""

    __slots__ = ("variable",)
    variable: str

    def __new__(cls, text: str, variable: str) -> "EnvironText":
        self = super().__new__(cls, text)
        self.variable = variable
        return self


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key written twice, where the plain loader would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                why = "is written twice" if isinstance(key, str) else "must be text; quote it"
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} {why}", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> Any:
    """The plain values of one YAML document; SettingsError with line and column when it is not well formed."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError([Mistake(where, f"not valid YAML: {error.problem}")]) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-30
        raise SettingsError([Mistake("", f"not valid YAML: {error}")]) from error
    except RecursionError as error:
        raise SettingsError([Mistake("", "not valid YAML: nested too deeply")]) from error


def interpolate(tree: Any, environ: Mapping[str, str], path: str, mistakes: list[Mistake]) -> Any:
    """`tree` with `${VAR}` and `${VAR:-default}` in its texts replaced; `$${` stands for a literal `${`.

    As in a shell, the default also serves a variable that is set but empty. Unset variables go to `mistakes`.
    """
    if isinstance(tree, dict):
        return {
            key: interpolate(value, environ, f"{path}.{key}" if path else key, mistakes) for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [interpolate(value, environ, f"{path}[{i}]", mistakes) for i, value in enumerate(tree)]
    if not isinstance(tree, str) or "${" not in tree:
        return tree

    def replace(match: re.Match[str]) -> str:
        literal, name, default, stray = match.groups()
        if literal:
            return "${"
        if stray:
            mistakes.append(Mistake(path, "'${' must be followed by NAME} or NAME:-default}; write '$${' for the text"))
            return ""
        value = environ.get(name, "")
        if value or (default is None and name in environ):
            return value
        if default is None:
            message = f"the environment variable {name} is not set; set it or write ${{{name}:-default}}"
            mistakes.append(Mistake(path, message))
            return ""
        return str(default)

    return _VARIABLE.sub(replace, tree)


def overlay(tree: Any, environ: Mapping[str, str], prefix: str, mistakes: list[Mistake]) -> Any:
    """`tree` with every `PREFIX__SOME__FIELD=value` laid over it; a number selects (or appends to) a list's item.

    Keys match without regard to case. A name that can stand for no setting goes to `mistakes`.
    """
    for variable in sorted(environ):
        if not variable.startswith(f"{prefix}__"):
            continue
        parts = variable.removeprefix(f"{prefix}__").split("__")
        try:
            tree = _laid(tree, parts, EnvironText(environ[variable], variable))
        except ValueError as error:
            mistakes.append(Mistake(variable, str(error)))
    return tree


def _laid(tree: Any, parts: list[str], value: EnvironText) -> Any:
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if not part:
        raise ValueError("a name between two '__' is empty")
    if part.isdecimal() and (tree is None or isinstance(tree, list)):
        items, index = list(tree or []), int(part)
        if index > len(items):
            raise ValueError(f"item {index} would leave a gap: the list has {len(items)} items")
        items[index : index + 1] = [_laid(items[index] if index < len(items) else None, rest, value)]
        return items
    fields = dict(tree) if isinstance(tree, dict) else {}
    key = next((known for known in fields if str(known).lower() == part.lower()), part.lower())
    return fields | {key: _laid(fields.get(key), rest, value)}
