"""Settings, from text and environment to one object or to every mistake at once."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from chassis.errors import SettingsError
from chassis.loading import load
from chassis.schema import schema
from chassis.settings import Address, Mistake, Seconds, Size, describe


class Http(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="http"):
    url: str
    compression: Literal["none", "gzip", "zstd"] = "none"


class Stdout(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stdout"):
    pass


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, describe("what it is called", min_length=1)]
    listen: Address = Address("127.0.0.1:0")
    environments: dict[str, Http] = {}

    def __post_init__(self) -> None:
        if self.name == "reserved":
            raise SettingsError([Mistake("name", "is reserved")])
        if any(not each.url for each in self.environments.values()):  # sees whole values only
            raise ValueError("an empty url")
        if self.name == "odd":
            raise ValueError("odd names do not go with this")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    sink: Http | Stdout
    size: Annotated[Size, describe("how much")] = Size("1MiB")
    wait: Seconds = Seconds("1s")
    count: Annotated[int, describe("how many", ge=1)] = 4
    on: bool = True
    state: Path | None = None
    globs: Annotated[list[str], describe("which", min_length=1)] = msgspec.field(default_factory=lambda: ["*"])
    format: Literal["auto"] | str | list[str] = "auto"
    listeners: list[Listener] = []


def loaded(tmp_path: Path, text: str, **environ: str) -> Settings:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return load(Settings, path, environ, "APP")


def mistakes(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text, **environ)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_defaults_stand_where_nothing_is_written(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "sink: {url: u}")
    assert settings == Settings(sink=Http(url="u"))


def test_quantities_paths_and_lists(tmp_path: Path) -> None:
    text = "{sink: {type: stdout}, size: 2KiB, wait: 200ms, state: /s, globs: [a, b], format: [x, y]}"
    settings = loaded(tmp_path, text)
    assert settings.sink == Stdout()
    assert (settings.size, settings.wait, settings.state) == (2048, 0.2, Path("/s"))
    assert (settings.globs, settings.format) == (["a", "b"], ["x", "y"])


def test_every_mistake_is_told_at_once_with_its_path(tmp_path: Path) -> None:
    text = """
sink: {type: htpp}
size: 3 apples
count: 0
state: ""
globs: a
wiat: 1s
listeners:
  - {name: "", listen: "5432"}
  - {listen: "h:1", environments: {dev: {url: 3}}}
"""
    assert mistakes(tmp_path, text) == [
        "wiat: unknown setting; did you mean wait?",
        "sink.type: expected one of http, stdout, got 'htpp'; did you mean http?",
        "size: expected a quantity such as 64KiB or 1MiB, got '3 apples'",
        "count: expected int >= 1",
        "state: expected a path, got ''",
        "globs: expected a list, got 'a'",
        "listeners[0].name: expected str of length >= 1",
        "listeners[0].listen: expected host:port with a port of 0 to 65535, got '5432'",
        "listeners[1].name: this setting is required",
        "listeners[1].environments.dev.url: expected str, got int",
    ]


def test_rules_over_several_fields(tmp_path: Path) -> None:
    text = "{sink: {url: u}, globs: [], listeners: [{name: reserved, nam: x}, {name: odd}]}"
    assert mistakes(tmp_path, text) == [
        "globs: expected at least 1 item",
        "listeners[0].nam: unknown setting; did you mean name?",
        "listeners[0].name: is reserved",
        "listeners[1]: odd names do not go with this",
    ]


def test_a_required_setting(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "") == ["sink: this setting is required"]


def test_text_that_is_no_mapping(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "[1]") == ["expected a mapping of settings, got a list"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: [1", "line 1, column 6: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("sink: {url: a, url: b}", "line 1, column 16: not valid YAML: 'url' is written twice"),
        ("1: a", "line 1, column 1: not valid YAML: 1 must be text; quote it"),
        ("[a]: b", "line 1, column 1: not valid YAML: ['a'] must be text; quote it"),
        ("state: 2026-02-30", "not valid YAML: day is out of range for month"),
        ("a: &a [*a]", "an alias leads back to itself"),
        ("[" * 1000, "not valid YAML: nested too deeply"),
        ("a: \x07", "not valid YAML: unacceptable character #x0007: special characters are not allowed"),
    ],
)
def test_text_that_is_not_well_formed(tmp_path: Path, text: str, mistake: str) -> None:
    found = mistakes(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(mistake)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml: cannot read the settings file: No such file"):
        load(Settings, tmp_path / "absent.yaml", {}, "APP")
    (tmp_path / "latin").write_bytes(b"sink: \xe4")
    with pytest.raises(SettingsError, match="latin: the settings file is not UTF-8"):
        load(Settings, tmp_path / "latin", {}, "APP")


class TestVariablesInValues:
    def test_replaced_also_inside_text(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, 'sink: {url: "http://${HOST}:${PORT:-80}/"}', HOST="logs")
        assert settings.sink == Http(url="http://logs:80/")

    def test_a_default_serves_also_for_an_empty_variable(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, 'sink: {url: "${A:-x}${B}"}', A="", B="").sink == Http(url="x")

    def test_a_number_may_come_from_a_variable(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, '{sink: {url: u}, count: "${N}", "on": "${ON}"}', N="7", ON="false").count == 7

    def test_a_literal_dollar_brace(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, 'sink: {url: "$${A} $B $"}').sink == Http(url="${A} $B $")

    def test_an_unset_one_is_one_mistake_beside_the_others(self, tmp_path: Path) -> None:
        assert mistakes(tmp_path, '{sink: {url: u}, size: "${SIZE}", count: x}') == [
            "size: the environment variable SIZE is not set; set it or write ${SIZE:-default}",
            "count: expected int, got str",
        ]

    def test_a_brace_that_is_no_variable(self, tmp_path: Path) -> None:
        (found,) = mistakes(tmp_path, 'sink: {url: "${1}"}')
        assert found == "sink.url: '${' must be followed by NAME} or NAME:-default}; write '$${' for the text"


class TestOverridesFromTheEnvironment:
    def test_every_depth_can_be_reached(self, tmp_path: Path) -> None:
        text = "{sink: {url: u}, listeners: [{name: a, environments: {Dev: {url: d}}}]}"
        settings = loaded(
            tmp_path,
            text,
            APP__SINK__URL="v",
            APP__COUNT="9",
            APP__ON="false",
            APP__LISTENERS__0__ENVIRONMENTS__DEV__URL="e",
            APP__LISTENERS__1__NAME="b",
        )
        assert (settings.sink, settings.count, settings.on) == (Http(url="v"), 9, False)
        assert settings.listeners[0].environments == {"Dev": Http(url="e")}
        assert settings.listeners[1] == Listener(name="b")

    def test_lists_and_mappings_are_written_as_yaml(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, "", APP__SINK="{type: http, url: x}", APP__GLOBS="[a, '*.log']")
        assert (settings.sink, settings.globs) == (Http(url="x"), ["a", "*.log"])

    def test_text_stays_text(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, "", APP__SINK__URL="007").sink == Http(url="007")

    def test_other_variables_are_not_ours(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, "sink: {url: u}", APP_PORT="x", APPLE__SIZE="y", SINK__URL="z").sink == Http(url="u")

    def test_mistakes_name_the_variable(self, tmp_path: Path) -> None:
        assert mistakes(tmp_path, "sink: {url: u}", APP__SINK__ULR="x", APP__COUNT="many", APP__GLOBS="[") == [
            "sink.ulr: unknown setting; did you mean url? (set by APP__SINK__ULR)",
            "count: expected int, got str (set by APP__COUNT)",
            "globs: not valid YAML: expected the node content, but found '<stream end>' (set by APP__GLOBS)",
        ]

    def test_a_gap_in_a_list_and_an_empty_name(self, tmp_path: Path) -> None:
        assert mistakes(tmp_path, "sink: {url: u}", APP__GLOBS__1="b", APP__SINK____URL="c", APP__LISTENERS="[]") == [
            "APP__GLOBS__1: item 1 would leave a gap: the list has 0 items",
            "APP__SINK____URL: a name between two '__' is empty",
        ]


def test_the_schema_names_types_defaults_and_meanings() -> None:
    document = schema(Settings)
    assert document["required"] == ["sink"]
    assert document["additionalProperties"] is False
    assert document["properties"]["size"] == {
        "type": ["string", "number"],
        "examples": ["64KiB"],
        "description": "how much",
        "default": "1MiB",
    }
    assert document["properties"]["count"]["minimum"] == 1
    http, stdout = document["properties"]["sink"]["anyOf"]
    assert http["properties"]["type"] == {"const": "http"}
    assert stdout["properties"] == {"type": {"const": "stdout"}}
    assert document["properties"]["listeners"]["items"]["properties"]["environments"]["type"] == "object"
