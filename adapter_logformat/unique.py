"""Names that come together in one record stay apart: a second `name` becomes `name_`, then `name_2`, `name_3`. Pure."""

from collections.abc import Container


def unique(name: str, taken: Container[str], tried: dict[str, int]) -> str:
    """`name`, or the first of its successors that is not among `taken`. `tried` belongs to one record and is kept from
    call to call: the work is linear in the number of names, whatever they are."""
    if name not in taken:
        return name
    number, made = tried.get(name, 1), name
    while made in taken:
        made = f"{name}_{number}" if number > 1 else f"{name}_"
        number += 1
    tried[name] = number
    return made
