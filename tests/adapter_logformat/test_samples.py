"""Each format's lines (`samples/<family>.txt`) become exactly the records beside them (`.jsonl`), checked by
hand once."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from adapter_logformat.formats import registry
from adapter_logformat.grammar import Format
from adapter_logformat.pipeline import Options, Stream
from adapter_logformat.timestamps import Times

SAMPLES = Path(__file__).parent / "samples"
NOW = 1_795_161_060_000_000_000  # 2026-11-20T07:51:00Z
FORMATS = [format for family in registry.FAMILIES for format in registry.load(family)]


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.txt")), ids=lambda path: path.stem)
def test_sample(sample: Path) -> None:
    stream = Stream(Options())
    written = stream.feed(sample.read_bytes(), NOW) + stream.flush(NOW)
    expected = sample.with_suffix(".jsonl").read_text().splitlines()
    assert [json.loads(line) for line in written.splitlines()] == [json.loads(line) for line in expected]


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_a_format_reads_the_sample_it_shows(format: Format) -> None:
    record = format.read(format.sample, Times())
    assert record is not None
    assert record.format in format.names
    assert record.error is None


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_the_catalogue_knows_where_a_format_lives_and_finds_its_sample_among_all(format: Format) -> None:
    assert all(registry.named(name) is format for name in format.names)
    assert set(format.names) <= set(registry.NAMES)
    readers = [other for other in registry.candidates(format.sample) if other.read(format.sample, Times()) is not None]
    assert max(readers, key=lambda other: other.rank) is format


@pytest.mark.parametrize("family", registry.FAMILIES, ids=lambda family: family.module)
def test_every_group_of_a_layout_has_a_name(family: registry.Family) -> None:
    """The whole-chunk form splits by groups, and trusts that each is named."""
    module = import_module(f"adapter_logformat.formats.{family.module}")
    for layout in getattr(module, "LAYOUTS", ()):
        pattern = re.compile(layout.pattern)
        assert pattern.groups == len(pattern.groupindex), layout.name
