"""Records as VictoriaLogs gives them back, as they were sent. Pure.

It flattens objects into names with dots and keeps every value as a text; its own fields begin with an underscore.
"""

import json
import re

NUMBER = re.compile(r"-?\d{1,15}")
ATTRIBUTES = "attributes."


def as_sent(line: bytes) -> bytes:
    """One line of a query's answer as the record that the adapter wrote, as far as the proof looks at it."""
    record: dict[str, object] = {}
    attributes: dict[str, object] = {}
    for name, text in json.loads(line).items():
        value = int(text) if NUMBER.fullmatch(text) else text
        if name.startswith(ATTRIBUTES):
            attributes[name.removeprefix(ATTRIBUTES)] = value
        elif name == "_msg":
            record["message"] = value
        elif not name.startswith("_stream"):
            record[name] = value
    return json.dumps({**record, "attributes": attributes}, sort_keys=True).encode()


def exactly(**fields: str) -> str:
    """A LogsQL query for records with exactly these fields; a name's `__` is a dot."""
    return " AND ".join(f"{json.dumps(name.replace('__', '.'))}:={json.dumps(value)}" for name, value in fields.items())
