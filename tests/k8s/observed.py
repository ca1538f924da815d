"""What k8s/observability holds, read once: the rules by file, the dashboards, and every expression with its place."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent.parent.parent / "k8s" / "observability"
MATES = ("logshipper", "logformat", "dbproxy")

# What Grafana puts in before it asks.
_VARIABLES = {"$__rate_interval": "5m", "$__range": "1h", "$namespace": ".+", "$pod": ".+"}


def rule_files() -> dict[str, Any]:
    """The PrometheusRule of each file by its name without the suffix."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted((FOLDER / "alerts").glob("*.yaml"))}


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    groups = [group for document in rule_files().values() for group in document["spec"]["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboards() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The title of the panel, and its PromQL with the variables filled in."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], filled_in(target["expr"])


def filled_in(expression: str) -> str:
    for variable, value in _VARIABLES.items():
        expression = re.sub(rf"{re.escape(variable)}\b", value, expression)
    return expression


def expressions() -> dict[str, str]:
    """All PromQL of the folder by where it stands."""
    found = {f"alert {name}": str(rule["expr"]) for name, rule in alerts().items()}
    for name, dashboard in dashboards().items():
        for at, (title, expression) in enumerate(queries(dashboard)):
            found[f"{name}, {title} ({at})"] = expression
    return found
