"""From a tree of plain values to one frozen settings object, with every mistake found on the way.

msgspec converts each single value; the walk around it is here because msgspec stops at the first mistake.
Pure: reading files and the environment is left to `settings`.
"""

import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from chassis.errors import Mistake, SettingsError
from chassis.sources import EnvironText, parse_yaml
from chassis.units import Address, Seconds, Size

S = TypeVar("S", bound=msgspec.Struct)
_WRONG = object()  # what a value that was already reported decodes to


def decode(model: type[S], tree: object) -> S:
    """`tree` as a `model`, a msgspec Struct. Raises SettingsError with every mistake and its path.

    A `__post_init__` of the model may raise ValueError, or SettingsError with paths relative to its struct.
    """
    walk = _Walk()
    settings = walk.value(model, {} if tree is None else tree, "")
    if walk.mistakes:
        raise SettingsError(walk.mistakes)
    return typing.cast("S", settings)


class _Walk:
    """One decoding: goes down the types and the tree together and keeps the mistakes."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def wrong(self, path: str, message: str, raw: object = None) -> object:
        variable = _variable_of(raw)
        self.mistakes.append(Mistake(path, f"{message} (set by {variable})" if variable else message))
        return _WRONG

    def value(self, hint: Any, raw: object, path: str) -> object:
        bare = get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint
        origin = get_origin(bare)
        if origin in (typing.Union, types.UnionType):
            return self.union(get_args(bare), raw, path)
        if is_struct(bare) or origin in (list, tuple, dict):
            if isinstance(raw, EnvironText):
                raw = self.from_text(raw, path)
            if raw is _WRONG:
                return _WRONG
            least = _least_length(hint)
            if isinstance(raw, list | dict) and len(raw) < least:
                return self.wrong(path, f"expected at least {least} {'item' if least == 1 else 'items'}", raw)
            if is_struct(bare):
                return self.struct(bare, raw, path)
            return self.mapping(bare, raw, path) if origin is dict else self.sequence(bare, raw, path)
        if origin is Literal:
            return self.choice(get_args(bare), raw, path)
        return self.leaf(hint, raw, path)

    def from_text(self, text: EnvironText, path: str) -> object:
        try:
            return parse_yaml(text)
        except SettingsError as error:
            return self.wrong(path, error.mistakes[0].message, text)

    def struct(self, model: type[msgspec.Struct], raw: object, path: str) -> object:
        if not isinstance(raw, Mapping):
            return self.wrong(path, f"expected a mapping of settings, got {_named(raw)}")
        fields = {field.encode_name: field for field in msgspec.structs.fields(model)}
        tag = model.__struct_config__.tag_field
        unknown = [key for key in raw if key not in fields and key != tag]
        for key in unknown:
            self.wrong(_join(path, key), _unknown(key, fields), raw[key])
        values: dict[str, object] = {}
        for key, field in fields.items():
            if key in raw:
                values[field.name] = self.value(field.type, raw[key], _join(path, key))
            elif field.required:
                values[field.name] = self.wrong(_join(path, key), "this setting is required")
        if _WRONG in values.values():
            return _WRONG
        try:
            settings = model(**values)
            return _WRONG if unknown else settings
        except SettingsError as error:
            self.mistakes += [Mistake(_join(path, each.path), each.message) for each in error.mistakes]
        except ValueError as error:
            self.wrong(path, str(error))
        return _WRONG

    def union(self, members: tuple[Any, ...], raw: object, path: str) -> object:
        if raw is None and type(None) in members:
            return None
        structs = [member for member in members if is_struct(member)]
        if isinstance(raw, EnvironText) and structs and raw.lstrip().startswith("{"):
            raw = self.from_text(raw, path)
        if isinstance(raw, Mapping) and len(structs) == 1:
            return self.struct(structs[0], raw, path)
        if isinstance(raw, Mapping) and structs:
            return self.tagged(structs, raw, path)
        shape = list if isinstance(raw, list) else dict if isinstance(raw, dict) else None
        fitting = [member for member in members if get_origin(member) is shape]
        if shape is not None and fitting:
            return self.value(fitting[0], raw, path)
        leaves = [m for m in members if m is not type(None) and not is_struct(m) and get_origin(m) not in (list, dict)]
        if len(leaves) == 1:
            return self.value(leaves[0], raw, path)
        if not leaves:
            return self.value((structs or [m for m in members if m is not type(None)])[0], raw, path)
        return self.leaf(typing.Union[tuple(leaves)], raw, path)  # noqa: UP007 (members are known only now)

    def tagged(self, structs: list[type[msgspec.Struct]], raw: Mapping[str, object], path: str) -> object:
        """The member of a tagged union that its tag (`sink.type`) names; the first one stands when none is given."""
        tag = structs[0].__struct_config__.tag_field or "type"
        by_name = {str(member.__struct_config__.tag): member for member in structs}
        name = raw.get(tag, next(iter(by_name)))
        if name not in by_name:
            return self.choice(tuple(by_name), name, _join(path, tag))
        return self.struct(by_name[str(name)], raw, path)

    def sequence(self, hint: Any, raw: object, path: str) -> object:
        if not isinstance(raw, list):
            return self.wrong(path, f"expected a list, got {_named(raw)}")
        item = get_args(hint)[0]
        values = [self.value(item, each, f"{path}[{i}]") for i, each in enumerate(raw)]
        if _WRONG in values:
            return _WRONG
        return tuple(values) if get_origin(hint) is tuple else values

    def mapping(self, hint: Any, raw: object, path: str) -> object:
        if not isinstance(raw, dict):
            return self.wrong(path, f"expected a mapping, got {_named(raw)}")
        values = {key: self.value(get_args(hint)[1], each, _join(path, key)) for key, each in raw.items()}
        return _WRONG if _WRONG in values.values() else values

    def choice(self, allowed: tuple[Any, ...], raw: object, path: str) -> object:
        if raw in allowed:
            return next(each for each in allowed if each == raw)
        text = f"expected one of {', '.join(map(str, allowed))}, got {raw!r}"
        return self.wrong(path, text + _suggestion(raw, allowed), raw)

    def leaf(self, hint: Any, raw: object, path: str) -> object:
        # A plain str, because msgspec knows no subclass of it.
        plain = str(raw) if isinstance(raw, EnvironText) else raw
        try:
            return msgspec.convert(plain, hint, strict=False, dec_hook=_quantity)
        except msgspec.ValidationError as error:
            return self.wrong(path, str(error).replace("`", "").replace("Expected", "expected", 1), raw)


def _quantity(kind: type, raw: object) -> object:
    if issubclass(kind, Size | Seconds | Address):
        return kind(raw)
    if issubclass(kind, Path) and isinstance(raw, str) and raw:
        return Path(raw)
    raise ValueError(f"expected {'a path' if issubclass(kind, Path) else kind.__name__}, got {_named(raw)}")


def _least_length(hint: Any) -> int:
    """What `describe(…, min_length=1)` asks of a list or mapping; msgspec checks it on single values only."""
    notes = get_args(hint)[1:] if get_origin(hint) is typing.Annotated else ()
    return next((note.min_length or 0 for note in notes if isinstance(note, msgspec.Meta)), 0)


def is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path and key else f"{path or key}"


def _named(raw: object) -> str:
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(raw)) or repr(raw)


def _suggestion(given: object, known: typing.Iterable[object]) -> str:
    close = difflib.get_close_matches(str(given), [str(each) for each in known], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _unknown(key: object, fields: Mapping[str, object]) -> str:
    return "unknown setting" + (_suggestion(key, fields) or f"; known here: {', '.join(fields) or 'none'}")


def _variable_of(raw: object) -> str:
    """The environment variable that a value, or the first value inside it, came from."""
    if isinstance(raw, EnvironText):
        return raw.variable
    inner = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    return next(filter(None, map(_variable_of, inner)), "")
