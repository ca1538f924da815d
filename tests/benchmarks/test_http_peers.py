"""Fluent Bit and Vector: their settings are whole, and a program named by FLUENT_BIT= is started with them.

The real programs are not in Debian. What stands in for Fluent Bit here reads the settings that it is given, follows the
path in them and posts the lines to the host and port in them.
"""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import peers, shipping_peers, workloads
from benchmarks.http_peers import shipping_setups
from benchmarks.parsing_peers import parsing_setups
from benchmarks.shipping_peers import Setup

STAND_IN = """\
#!{python}
import glob, http.client, json, sys, time
if sys.argv[1:] == ["--version"]:
    print("Fluent Bit v9.8.7")
    raise SystemExit
settings = json.load(open(sys.argv[2]))  # JSON is YAML
tail, http_output = settings["pipeline"]["inputs"][0], settings["pipeline"]["outputs"][0]
assert tail["name"] == "tail" and tail["read_from_head"] and http_output["format"] == "json_lines"
while not (found := glob.glob(tail["path"])):
    time.sleep(0.01)
connection = http.client.HTTPConnection(http_output["host"], http_output["port"])
connection.request("POST", "/", open(found[0], "rb").read())
connection.getresponse().read()
time.sleep(60)
"""


@pytest.mark.parametrize("setup", [*shipping_setups(), *parsing_setups()], ids=lambda setup: setup.contestant)
def test_settings_are_whole_when_their_places_are_filled(setup: Setup) -> None:
    filled = setup.text.replace("{directory}", "/run/bench").replace("{port}", "4711")
    assert "/run/bench/log/" in filled
    if setup.peer in ("Fluent Bit", "Vector"):
        assert "4711" in json.dumps(json.loads(filled))


def test_plain_and_best_settings_for_each_shape_and_compression() -> None:
    names = [setup.contestant for setup in shipping_setups()]
    for peer in ("Fluent Bit", "Vector"):
        for shape in ("unchanged", "merged", "wrapped"):
            assert f"{peer} as documented, {shape}, plain" in names
            assert {f"{peer} best, {shape}, {packed}" for packed in ("plain", "gzip", "zstd")} <= set(names)


def test_a_program_named_by_the_environment_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fluent-bit"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("FLUENT_BIT", str(program))
    fluent_bit = peers.find("Fluent Bit")
    assert fluent_bit is not None
    assert (fluent_bit.path, fluent_bit.version()) == (program, "9.8.7")
    setup = next(setup for setup in shipping_setups() if setup.contestant == "Fluent Bit best, unchanged, gzip")
    measured = shipping_peers.measure(setup, fluent_bit, workloads.make("json", 500, tmp_path), tmp_path)
    assert measured.arrived == 500


def test_what_is_not_here_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VECTOR", raising=False)
    monkeypatch.setenv("PATH", "")
    if peers.find("Vector") is None:
        assert "VECTOR=" in peers.missing("Vector").why_not
