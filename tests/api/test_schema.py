"""The OpenAPI schema: without warnings, as committed, and true for each call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from django_scheduled_tasks import lifecycle
from django_scheduled_tasks.api.openapi.extensions import ENUM_NAMES, meanings
from django_scheduled_tasks.api.serializers import responses

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "schema.yml"
COMMAND = ["manage.py", "spectacular", "--validate", "--fail-on-warn", "--file"]


@pytest.fixture(scope="module")
def schema() -> Any:
    return yaml.safe_load(COMMITTED.read_text())


def operations(schema: Any) -> list[tuple[str, Any]]:
    return [
        (operation["operationId"], operation)
        for path in schema["paths"].values()
        for method, operation in path.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]


def test_the_committed_schema_is_that_of_the_code_and_has_no_warnings(tmp_path):
    fresh = tmp_path / "schema.yml"
    done = subprocess.run(
        [sys.executable, *COMMAND, str(fresh)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "example_project.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert fresh.read_text() == COMMITTED.read_text(), f"Write it again: python {' '.join(COMMAND)} schema.yml"


def test_each_refusal_is_documented_with_an_example(schema):
    for name, operation in operations(schema):
        refusals = {code for code in operation["responses"] if code >= "400"}
        assert {"400", "401", "403", "429", "503"} <= refusals, name
        if "requestBody" in operation:
            assert {"413", "415"} <= refusals, name
        for code in refusals:
            content = operation["responses"][code]["content"]["application/json"]
            shape = content["schema"]["$ref"].rpartition("/")[2]
            assert shape == ("AltogicErrors" if name.startswith("altogic") else "TaskErrorEnvelope"), name
            assert shape == "AltogicErrors" or content["examples"], (name, code)
            assert operation["responses"][code]["description"]
        assert "WWW-Authenticate" in operation["responses"]["401"]["headers"], name
        for code in ("429", "503"):
            assert "Retry-After" in operation["responses"][code]["headers"], name


def test_headers_and_304_of_the_status_are_documented(schema):
    found = dict(operations(schema))
    assert {"ETag", "Retry-After"} <= set(found["tasks_status"]["responses"]["200"]["headers"])
    assert "304" in found["tasks_status"]["responses"]
    assert {"Location", "Retry-After"} <= set(found["tasks_run_once"]["responses"]["202"]["headers"])
    assert "Idempotent-Replayed" in found["tasks_run_once"]["responses"]["200"]["headers"]
    assert "409" in found["tasks_run_once"]["responses"]


def test_all_keys_are_in_camel_case(schema):
    for name, component in schema["components"]["schemas"].items():
        assert not [key for key in component.get("properties", {}) if "_" in key], name


@pytest.mark.parametrize(
    "enum",
    [
        *(getattr(lifecycle, name) for name in ENUM_NAMES if hasattr(lifecycle, name)),
        responses.ErrorOrigin,
    ],
)
def test_each_word_of_an_enum_is_explained(enum, schema):
    assert set(meanings(enum)) == {item.name for item in enum}
    component = schema["components"]["schemas"][ENUM_NAMES[enum.__name__]]
    assert component["enum"] == [str(item) for item in enum]
    for item in enum:
        assert f"* `{item}`: " in component["description"]
