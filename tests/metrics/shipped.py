"""The dashboard and the alert rules that the package ships, and what is in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

import django_scheduled_tasks.metrics as package

ROOT = Path(__file__).resolve().parents[2]
ROOM = Path(package.__file__).parent
DASHBOARD, RULES = ROOM / "grafana.json", ROOM / "rules.yml"
_METRIC = re.compile(r"(scheduled_tasks_\w+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> dict[str, str]:
    """Return all queries, by where they stand."""
    found = {f"rule {rule['alert']}": rule["expr"] for rule in rules()}
    for panel in panels():
        found |= {f"panel {panel['title']} {target['refId']}": target["expr"] for target in panel["targets"]}
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            found[f"variable {variable['name']}"] = variable["definition"]
    return found


def asked_for(query: str) -> tuple[dict[str, set[str]], set[str]]:
    """Return the metrics of *query*, each with the labels that it names, and the labels by which it groups."""
    metrics: dict[str, set[str]] = {}
    for name, matchers in _METRIC.findall(query):
        metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*=~?", matchers))
    grouped = {label.strip() for found in _GROUPED.findall(query) for label in found.split(",")}
    return metrics, grouped - {""}
