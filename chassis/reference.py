"""The settings table of a mate's documentation, written from its settings model, so that no default stands twice.

    python -m chassis.reference sidecar_logshipper.settings:Settings                        prints the table
    python -m chassis.reference sidecar_logshipper.settings:Settings --into docs/logshipper.md   puts it into the page

The page holds the table between the lines `<!-- settings -->` and `<!-- /settings -->`. A test keeps it current:
`assert with_table(page, settings_table(Settings)) == page`. `with_table(page, metrics_table(collector.collect()),
name="metrics")` does the same for a mate's metrics between `<!-- metrics -->` and `<!-- /metrics -->`.
"""

import argparse
import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from prometheus_client import Metric

from chassis.decode import is_struct
from chassis.units import Address, Seconds, Size

_NAMES: dict[Any, str] = {
    Size: "size",
    Seconds: "time",
    Address: "address",
    Path: "path",
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    type(None): "nothing",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. `default` is empty for a required one's parent and for a struct; `kind` is empty for a struct."""

    path: str
    kind: str
    default: str
    meaning: str


def settings_table(model: type[msgspec.Struct]) -> str:
    """A Markdown table with one row for each setting of `model`, in their order, nested ones by their dotted path."""
    lines = ["| setting | value | default | meaning |", "|---|---|---|---|"]
    for row in rows(model):
        path = f"`{row.path}`" if row.kind else f"**`{row.path}`**"
        lines.append(f"| {path} | {_cell(row.kind)} | {_cell(row.default)} | {_cell(row.meaning)} |")
    return "\n".join(lines) + "\n"


def metrics_table(metrics: typing.Iterable[Metric]) -> str:
    """A Markdown table of what a collector collects, by the names that stand at /metrics, with every label's values."""
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in metrics:
        name = metric.name + ("_total" if metric.type == "counter" else "")
        labels: dict[str, list[str]] = {}
        for sample in metric.samples:
            for label, value in sample.labels.items():
                labels.setdefault(label, []).append(f"`{value}`")
        written = "; ".join(f"{label}: {', '.join(dict.fromkeys(values))}" for label, values in labels.items())
        lines.append(f"| `{name}` | {metric.type} | {_cell(written)} | {_cell(metric.documentation)} |")
    return "\n".join(lines) + "\n"


def with_table(page: str, table: str, name: str = "settings") -> str:
    """`page` with `table` between its marks; ValueError when it has not exactly one pair of them."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    changed, count = marks.subn(lambda marked: f"{marked[1]}\n{table}\n{marked[2]}", page)
    if count != 1:
        raise ValueError(f"the page needs the lines <!-- {name} --> and <!-- /{name} --> once")
    return changed


def rows(model: type[msgspec.Struct], prefix: str = "", given: msgspec.Struct | None = None) -> Iterator[Row]:
    """`given`: the default of the struct as a whole; its values are the defaults then."""
    for field in msgspec.structs.fields(model):
        default = _default_of(field) if given is None else getattr(given, field.name)
        yield from _rows_of(f"{prefix}{field.encode_name}", field.type, default)


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _rows_of(path: str, hint: Any, default: Any) -> Iterator[Row]:
    bare, meaning = _bare(hint)
    structs = [member for member in _members(bare) if is_struct(member)]
    item = next((held for held in _inside(path, bare) if is_struct(held[1])), None)
    if structs:
        if len(structs) == 1:
            others = [member for member in _members(bare) if member not in (structs[0], type(None))]
            kind, written = (_kind(hint), _written(default)) if others else ("", "")
            yield Row(path, kind, written, meaning or _first_sentence(structs[0]))
            yield from rows(structs[0], f"{path}.", default if isinstance(default, msgspec.Struct) else None)
        else:
            yield from _tagged(path, structs, meaning)
        return
    yield Row(path, _kind(hint), _written(default), meaning)
    if item is not None:
        yield from rows(item[1], f"{item[0]}.")


def _tagged(path: str, structs: list[Any], meaning: str) -> Iterator[Row]:
    """The rows of a tagged union; a row that not every member has names those that have it."""
    tags = {str(each.__struct_config__.tag): each for each in structs}
    yield Row(path, "", "", meaning)
    tag_field = structs[0].__struct_config__.tag_field
    yield Row(f"{path}.{tag_field}", _choices(tags), f"`{next(iter(tags))}`", "which of these it is")
    holders: dict[Row, list[str]] = {}
    for tag, each in tags.items():
        for row in rows(each, f"{path}."):
            holders.setdefault(row, []).append(tag)
    # Same settings together, in the order of their first appearance.
    order = {each: number for number, each in reversed(list(enumerate(row.path for row in holders)))}
    for row, names in sorted(holders.items(), key=lambda held: order[held[0].path]):
        yield Row(row.path, row.kind, row.default, _only_for(names, list(tags)) + row.meaning)


def _only_for(names: list[str], tags: list[str]) -> str:
    others = [tag for tag in tags if tag not in names]
    if not others:
        return ""
    return f"*({', '.join(names)})* " if len(names) <= len(others) else f"*(not {', '.join(others)})* "


def _inside(path: str, bare: Any) -> Iterator[tuple[str, Any]]:
    """What a list or mapping holds, with the path it is shown under."""
    for member in _members(bare):
        if get_origin(member) in (list, tuple):
            yield f"{path}[]", _bare(get_args(member)[0])[0]
        elif get_origin(member) is dict:
            yield f"{path}.<name>", _bare(get_args(member)[1])[0]


def _bare(hint: Any) -> tuple[Any, str]:
    if get_origin(hint) is not typing.Annotated:
        return hint, ""
    inner, *notes = get_args(hint)
    return inner, next((each.description or "" for each in notes if isinstance(each, msgspec.Meta)), "")


def _members(bare: Any) -> tuple[Any, ...]:
    return get_args(bare) if get_origin(bare) in (typing.Union, types.UnionType) else (bare,)


def _kind(hint: Any) -> str:
    bare, _ = _bare(hint)
    origin = get_origin(bare)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(member) for member in get_args(bare) if member is not type(None))
    if origin is Literal:
        return _choices(get_args(bare))
    if origin in (list, tuple):
        return f"list of {_kind(get_args(bare)[0])}"
    if origin is dict:
        return f"name: {_kind(get_args(bare)[1])}"
    return "settings" if is_struct(bare) else _NAMES.get(bare, getattr(bare, "__name__", str(bare)))


def _choices(values: typing.Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _written(default: Any) -> str:
    if default is msgspec.NODEFAULT:
        return "required"
    if default is None or default in ("", [], {}, ()):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, list | tuple | dict):
        return f"`{msgspec.json.encode(default).decode()}`"
    return f"`{default}`"


def _first_sentence(model: Any) -> str:
    text = " ".join((inspect.getdoc(model) or "").split())
    return text.partition(". ")[0].rstrip(".")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(argv: typing.Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The settings table of a mate, in Markdown")
    parser.add_argument("model", help="as in sidecar_logshipper.settings:Settings")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put it between the page's marks instead")
    options = parser.parse_args(argv)
    module, _, name = options.model.partition(":")
    table = settings_table(getattr(importlib.import_module(module), name or "Settings"))
    if options.into is None:
        print(table, end="")
    else:
        options.into.write_text(with_table(options.into.read_text(), table))


if __name__ == "__main__":
    main()
