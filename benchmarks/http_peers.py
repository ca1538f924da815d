"""Fluent Bit and Vector, which post to the same log server as the shipper: their settings, plain and best.

Written from their documentation (Fluent Bit 5.1, Vector 0.5x). Neither is in Debian; they run where they are on PATH or
named by FLUENT_BIT= or VECTOR=. What Fluent Bit ships as JSON it parses first; Vector hands untouched lines on as text.
"""

import json

from benchmarks.shipping_peers import LABELS, Setup

COMPRESSIONS = ("plain", "gzip", "zstd")
SHAPES = {"unchanged": "json", "merged": "json", "wrapped": "text"}

FLUENT_BIT_ARGUMENTS = ("-c", "{directory}/fluent-bit.yaml")
# What the manual's page on performance advises, one worker, and a shorter wait for a batch.
_FLUENT_BIT_BEST_INPUT = {
    "buffer_chunk_size": "256kb",
    "buffer_max_size": "1mb",
    "mem_buf_limit": "16mb",
    "skip_long_lines": True,
}
VECTOR_ARGUMENTS = ("--config", "{directory}/vector.yaml", "--threads", "1", "--quiet")


def shipping_setups() -> list[Setup]:
    return [
        make(shape, compression, best)
        for make in (_fluent_bit, _vector)
        for best in (False, True)
        for shape in SHAPES
        for compression in (COMPRESSIONS if best else COMPRESSIONS[:1])
    ]


def _name(shape: str, compression: str, best: bool) -> str:
    return f"{'best' if best else 'as documented'}, {shape}, {compression}"


def _fluent_bit(shape: str, compression: str, best: bool) -> Setup:
    tail: dict[str, object] = {
        "name": "tail",
        "path": "{directory}/log/*.log",
        "read_from_head": True,
        "refresh_interval": 1,
        "db": "{directory}/position.db",
    }
    tail |= {"key": "message"} if shape == "wrapped" else {"parser": "lines"}
    http: dict[str, object] = {
        "name": "http",
        "match": "*",
        "host": "127.0.0.1",
        "port": "{port}",
        "format": "json_lines",
        "json_date_key": False,
    }
    http |= {} if compression == "plain" else {"compress": compression}
    if best:
        tail |= _FLUENT_BIT_BEST_INPUT
        http |= {"workers": 1}
    labels = {"name": "record_modifier", "match": "*", "record": [f"{name} {value}" for name, value in LABELS.items()]}
    content = {
        "service": {"flush": 0.2 if best else 1, "log_level": "warn"},
        "parsers": [{"name": "lines", "format": "json"}],
        "pipeline": {"inputs": [tail], "filters": [labels] if shape == "merged" else [], "outputs": [http]},
    }
    name, kind = _name(shape, compression, best), SHAPES[shape]
    text = json.dumps(content, indent=1).replace('"{port}"', "{port}")
    return Setup("Fluent Bit", name, text, "fluent-bit.yaml", FLUENT_BIT_ARGUMENTS, (kind,), posts=True)


def _vector(shape: str, compression: str, best: bool) -> Setup:
    source: dict[str, object] = {
        "type": "file",
        "include": ["{directory}/log/*.log"],
        "read_from": "beginning",
        "glob_minimum_cooldown_ms": 200,
    }
    sink: dict[str, object] = {
        "type": "http",
        "inputs": ["labelled" if shape == "merged" else "lines"],
        "uri": "http://127.0.0.1:{port}/",
        "framing": {"method": "newline_delimited"},
        "encoding": {"codec": "raw_message"} if shape == "unchanged" else {"codec": "json"},
        "compression": "none" if compression == "plain" else compression,
        "healthcheck": {"enabled": False},
    }
    if shape == "wrapped":
        sink["encoding"] = {"codec": "json", "only_fields": ["message"]}
    if best:
        source |= {"max_read_bytes": 262144, "max_line_bytes": 1048576}
        sink |= {"batch": {"max_bytes": 1048576, "timeout_secs": 0.2}}
    script = ". = parse_json!(.message)\n" + "".join(
        f"{'.'.join(['', json.dumps(name)])} = {json.dumps(value)}\n" for name, value in LABELS.items()
    )
    remap = {"labelled": {"type": "remap", "inputs": ["lines"], "source": script}}
    content: dict[str, object] = {
        "data_dir": "{directory}",
        "sources": {"lines": source},
        "transforms": remap if shape == "merged" else {},
        "sinks": {"out": sink},
    }
    name, kind = _name(shape, compression, best), SHAPES[shape]
    text = json.dumps(content, indent=1)
    return Setup("Vector", name, text, "vector.yaml", VECTOR_ARGUMENTS, (kind,), posts=True)
