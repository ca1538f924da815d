"""The JSON Schema of a settings object, so that an editor completes and checks a settings file.

Made from the same types that `decode` reads; msgspec writes the schema of each single value.
"""

import types
import typing
from typing import Any, get_args, get_origin

import msgspec

from chassis.decode import is_struct
from chassis.units import Seconds, Size


def schema(model: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a settings file that `decode` would read as `model`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_of(model)}


def _of(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is typing.Annotated:
        inner, *notes = get_args(hint)
        written = _leaf(hint) if _is_leaf(inner) else _of(inner)
        description = next((note.description for note in notes if isinstance(note, msgspec.Meta)), None)
        return written | ({"description": description} if description else {})
    arguments = get_args(hint)
    match get_origin(hint):
        case typing.Union | types.UnionType:
            return {"anyOf": [_of(member) for member in arguments]}
        case origin if origin in (list, tuple):
            return {"type": "array", "items": _of(arguments[0])}
        case origin if origin is dict:
            return {"type": "object", "additionalProperties": _of(arguments[1])}
    return _struct(hint) if is_struct(hint) else _leaf(hint)


def _struct(model: type[msgspec.Struct]) -> dict[str, Any]:
    fields = msgspec.structs.fields(model)
    properties = {field.encode_name: _of(field.type) | _default(field) for field in fields}
    config = model.__struct_config__
    if config.tag_field:
        properties = {config.tag_field: {"const": config.tag}} | properties
    required = [field.encode_name for field in fields if field.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _default(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    """The default as one would write it; that of a nested struct stands at its own fields."""
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if default is msgspec.NODEFAULT or isinstance(default, msgspec.Struct):
        return {}
    plain = default is None or type(default) in (str, int, float, bool, list, dict, tuple)
    return {"default": default if plain else str(default)}


def _is_leaf(hint: Any) -> bool:
    return not is_struct(hint) and get_origin(hint) in (None, typing.Literal)


def _leaf(hint: Any) -> dict[str, Any]:
    return msgspec.json.schema(hint, schema_hook=_quantity_schema)


def _quantity_schema(kind: type) -> dict[str, Any]:
    if issubclass(kind, Size | Seconds):
        return {"type": ["string", "number"], "examples": ["64KiB"] if issubclass(kind, Size) else ["30s"]}
    return {"type": "string"}
