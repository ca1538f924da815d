"""The settings files of the three mates in the local pod, written as a person would write them.

Pure: facts in, YAML text out. In a real pod they differ in paths, host names and fixed ports, and in nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podmates.databases import Database

APP_LOGS = "app"
RECORDS = "podmates/app.jsonl"


@dataclass(frozen=True)
class Places:
    """The directories of the pod: `shared` is the volume all containers see, `state` and `secrets` are the mates'."""

    shared: Path
    state: Path
    secrets: Path


def shipper(places: Places, logs_url: str) -> str:
    """Settings of sidecar-logshipper: the schema file on the shared volume → the log server."""
    return f"""\
# sidecar-logshipper: what the adapter wrote goes to the central log server.
files:
  include: [{_text(places.shared / Path(RECORDS).parent / "*.jsonl")}]
labels: {{app: shop}}
sink:
  type: http
  url: {_text(logs_url)}
  encoding: ndjson
  compression: zstd
  batch: {{max_bytes: 1MiB, max_age: 200ms}}
  retry: {{initial: 100ms, max: 1s}}
state_dir: {_text(places.state / "shipper")}
drain: {{deadline: 20s, quiet: 300ms}}
ops: {{listen: "127.0.0.1:0"}}
"""


def adapter(places: Places) -> str:
    """Settings of adapter-logformat: the app's log files → one schema file on the shared volume."""
    return f"""\
# adapter-logformat: whatever the app logs becomes one schema. No format is named here: each is recognised.
inputs:
  - paths: [{_text(places.shared / APP_LOGS / "*.log")}]
    format: auto
    multiline: auto
output:
  to: {_text(f"file://{places.shared / RECORDS}")}
  profile: otel
state_dir: {_text(places.state / "adapter")}
ops: {{listen: "127.0.0.1:0"}}
"""


def ambassador(places: Places, databases: Mapping[str, Database], environment: str) -> str:
    """Settings of ambassador-dbproxy: a port on loopback → the database of `environment`."""
    targets = "".join(_target(places, database) for database in databases.values())
    return f"""\
# ambassador-dbproxy: the app asks on localhost, the database of this environment answers.
environment: {_text(environment)}
listeners:
  - name: orders
    listen: "127.0.0.1:0"
    protocol: postgres
    environments:
{targets}\
switch: {{deadline: 5s}}
drain: {{deadline: 20s}}
ops: {{listen: "127.0.0.1:0"}}
"""


def password_file(places: Places, database: Database) -> Path:
    """Where the password of a database is kept for the ambassador."""
    return places.secrets / database.environment


def _target(places: Places, database: Database) -> str:
    return f"""\
      {database.environment}:
        hosts: [{_text(f"{database.host}:{database.port}")}]
        user: {database.user}
        password_file: {_text(password_file(places, database))}
        database: {database.name}
        require_auth: [scram-sha-256]
"""


def _text(value: object) -> str:
    return json.dumps(str(value))  # a JSON string is a YAML string, whatever is in it
