"""The settings files of the local pod: YAML that the mates themselves accept."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from podmates import mate_settings
from podmates.databases import Database
from podmates.local_pod import MODULES
from podmates.mate_settings import Places

PLACES = Places(Path("/var/log/shared"), Path("/var/lib/podmates"), Path("/etc/podmates/secrets"))
DATABASES = {name: Database(name, 15432, f"u_{name}", "p", f"d_{name}") for name in ("dev", "prod")}
FILES = {
    "shipper": mate_settings.shipper(PLACES, "http://127.0.0.1:8080/logs"),
    "adapter": mate_settings.adapter(PLACES),
    "ambassador": mate_settings.ambassador(PLACES, DATABASES, "dev"),
}


def test_the_shipper_reads_what_the_adapter_writes() -> None:
    shipper, adapter = yaml.safe_load(FILES["shipper"]), yaml.safe_load(FILES["adapter"])
    assert adapter["inputs"][0]["paths"] == ["/var/log/shared/app/*.log"]
    assert adapter["output"]["to"] == "file:///var/log/shared/podmates/app.jsonl"
    assert Path("/var/log/shared/podmates/app.jsonl").match(shipper["files"]["include"][0])


def test_the_ambassador_knows_every_database_and_no_password() -> None:
    settings = yaml.safe_load(FILES["ambassador"])
    assert settings["environment"] == "dev"
    assert settings["listeners"][0]["environments"]["prod"] == {
        "hosts": ["127.0.0.1:15432"],
        "user": "u_prod",
        "password_file": "/etc/podmates/secrets/prod",
        "database": "d_prod",
        "require_auth": ["scram-sha-256"],
    }


@pytest.mark.parametrize("name", FILES)
def test_the_mate_accepts_its_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_text(FILES[name])
    command = [sys.executable, "-m", MODULES[name], "--config", str(path), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
