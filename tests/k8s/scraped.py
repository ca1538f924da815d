"""What the three mates show at /metrics, asked of each as a process of its own with little to do."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.k8s.observed import FOLDER, MATES

PACKAGES = {"logshipper": "sidecar_logshipper", "logformat": "adapter_logformat", "dbproxy": "ambassador_dbproxy"}
LAST_OF_ALL = "dbproxy_target_up"  # known once the database was looked at; every other series is there at once
PATIENCE_S = 120

Series = dict[str, dict[str, set[str]]]
"""The values of each label, by the name of the series, suffixes included."""


def series_of_all_mates(folder: Path) -> dict[str, Series]:
    with socket.create_server(("127.0.0.1", 0)) as database:
        (folder / "in").mkdir()
        settings = _settings(folder, f"127.0.0.1:{database.getsockname()[1]}")
        return {mate: _series(mate, settings[mate], folder) for mate in MATES}


def _settings(folder: Path, database: str) -> dict[str, Any]:
    ops = {"listen": "127.0.0.1:0"}
    listener = {
        "name": "orders",
        "listen": "127.0.0.1:0",
        "protocol": "tcp",
        "environments": {"dev": {"hosts": [database]}},
    }
    # A glob that matches a directory: a file in trouble.
    paths = [str(folder / "i*")]
    return {
        "logshipper": {
            "files": {"include": paths},
            "sink": {"type": "file", "path": str(folder / "shipped")},
            "state_dir": str(folder / "shipper"),
            "ops": ops,
        },
        "logformat": {
            "inputs": [{"paths": paths}, {"listen": "udp://127.0.0.1:0"}],
            "output": {"to": f"file://{folder}/out.jsonl"},
            "redact": [{"detect": "email"}],
            "state_dir": str(folder / "adapter"),
            "ops": ops,
        },
        "dbproxy": {"environment": "dev", "listeners": [listener], "ops": ops},
    }


def _series(mate: str, settings: Any, folder: Path) -> Series:
    file = folder / f"{mate}.yaml"
    file.write_text(json.dumps(settings))
    with _running(mate, file) as address:
        until = time.monotonic() + PATIENCE_S
        while True:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=PATIENCE_S) as answer:
                page = answer.read().decode()
            if mate != "dbproxy" or LAST_OF_ALL + "{" in page or time.monotonic() > until:
                return _parsed(page)
            time.sleep(0.05)


@contextmanager
def _running(mate: str, settings: Path) -> Iterator[str]:
    """The address of its ops endpoint."""
    environ = os.environ | {"PYTHONPATH": str(FOLDER.parent.parent)}
    process = subprocess.Popen(
        [sys.executable, "-m", PACKAGES[mate], "--config", str(settings)],
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        told: list[dict[str, Any]] = [{"event": "nothing yet"}]
        while told[-1]["event"] != "ready":
            line = process.stderr.readline()
            assert line, f"{mate} ended before it was ready: {told}"
            told.append(json.loads(line))
        yield told[-1]["ops"]
    finally:
        process.kill()
        process.communicate()


def _parsed(page: str) -> Series:
    series: Series = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = series.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                labels[label].add(value)
    return series
