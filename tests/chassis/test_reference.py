"""The table of settings in a page: a row for each, and as long as the page is current, nothing to change."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from chassis.reference import main, metrics_table, settings_table, with_table
from chassis.settings import Seconds, Size, describe


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A way in. With a lock."""

    name: Annotated[str, describe("what it is called")]
    open_for: Annotated[Seconds, describe("how long")] = Seconds("200ms")


class Cat(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cat"):
    food: Annotated[str, describe("what it eats")]
    lives: Annotated[int, describe("how often")] = 9


class Dog(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="dog"):
    food: Annotated[str, describe("what it eats")]
    size: Annotated[Literal["small", "large"], describe("a|b")] = "small"


class Fish(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="fish"):
    food: Annotated[str, describe("what it eats")]
    lives: Annotated[int, describe("how often")] = 9


class House(msgspec.Struct, frozen=True, kw_only=True):
    front: Door
    back: Door = Door(name="garden", open_for=Seconds("5m"))
    others: Annotated[list[Door], describe("the rest")] = []
    rooms: Annotated[dict[str, Size], describe("by name")] = {}
    path: Annotated[Path | None, describe("where")] = None
    shed: Annotated[Literal["none"] | Door, describe("or none")] = "none"
    pet: Cat | Dog | Fish
    warm: bool = True


TABLE = """\
| setting | value | default | meaning |
|---|---|---|---|
| **`front`** |  |  | A way in |
| `front.name` | text | required | what it is called |
| `front.open_for` | time | `200ms` | how long |
| **`back`** |  |  | A way in |
| `back.name` | text | `garden` | what it is called |
| `back.open_for` | time | `5m` | how long |
| `others` | list of settings | none | the rest |
| `others[].name` | text | required | what it is called |
| `others[].open_for` | time | `200ms` | how long |
| `rooms` | name: size | none | by name |
| `path` | path | none | where |
| `shed` | `none` or settings | `none` | or none |
| `shed.name` | text | required | what it is called |
| `shed.open_for` | time | `200ms` | how long |
| **`pet`** |  |  |  |
| `pet.type` | `cat`, `dog`, `fish` | `cat` | which of these it is |
| `pet.food` | text | required | what it eats |
| `pet.lives` | number | `9` | *(not dog)* how often |
| `pet.size` | `small`, `large` | `small` | *(dog)* a\\|b |
| `warm` | true or false | `true` |  |
"""


def test_a_row_for_each_setting() -> None:
    assert settings_table(House) == TABLE


def test_the_page_holds_it_between_its_marks() -> None:
    page = "# House\n<!-- settings -->\nold\n<!-- /settings -->\nEnd\n"
    current = with_table(page, TABLE)
    assert current == f"# House\n<!-- settings -->\n\n{TABLE}\n<!-- /settings -->\nEnd\n"
    assert with_table(current, TABLE) == current
    with pytest.raises(ValueError, match="<!-- metrics -->"):
        with_table(page, TABLE, name="metrics")


def test_a_row_for_each_metric() -> None:
    doors = CounterMetricFamily("house_doors", "Doors used", labels=["side"])
    for side in ("front", "back"):
        doors.add_metric([side], 0)
    table = metrics_table([doors, GaugeMetricFamily("house_heat", "Degrees | now", value=20)])
    assert table.splitlines()[2:] == [
        "| `house_doors_total` | counter | side: `front`, `back` | Doors used |",
        "| `house_heat` | gauge |  | Degrees \\| now |",
    ]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["chassis.settings:OpsSettings"])
    assert "| `listen` | address | required |" in capsys.readouterr().out
    page = tmp_path / "page.md"
    page.write_text("<!-- settings -->\n<!-- /settings -->\n")
    main(["chassis.settings:OpsSettings", "--into", str(page)])
    assert "`listen`" in page.read_text()
