"""The recipe of the documentation: a typed client in Python, generated from the schema that a live server serves."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rest_framework.authtoken.models import Token

from django_scheduled_tasks.models import Execution
from tests.cluster import cluster
from tests.docs.blocks import ROOT, section
from tests.factories import OPERATOR, make_task, make_user

RECIPE = section(ROOT / "docs/how-to/rest.md", "From another service, with types")
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.api.urls"), pytest.mark.cluster]


def run(command: list[str], folder: Path) -> None:
    """Run *command* in *folder*; it has to succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_recipe_with_a_generated_client_works(live_server, tmp_path):
    console, script = RECIPE
    make_task(name="billOnDemand", function="testapp.wait_a_moment")
    token = Token.objects.create(user=make_user(*OPERATOR)).key
    program, tool, *arguments = shlex.split(console.text)
    assert (program, tool) == ("pipx", "run")
    arguments = [item.replace("https://example.com/api", live_server.url) for item in arguments]
    run([str(Path(sys.executable).with_name(arguments[0])), *arguments[1:]], tmp_path)
    (tmp_path / "recipe.py").write_text(script.text.replace("https://example.com", live_server.url).replace("…", token))
    with cluster(workers=1):
        run([sys.executable, "recipe.py"], tmp_path)
        execution = Execution.objects.get()
    assert (execution.status, execution.reason) == ("completed", "month end")
    assert execution.idempotency_key


@pytest.mark.slow
def test_types_of_the_generated_client_fit_the_recipe(tmp_path):
    """What a type checker in the other service sees."""
    _console, script = RECIPE
    generate = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--meta", "none"]
    run([*generate, "--path", str(ROOT / "schema.yml"), "--output-path", "scheduled_tasks_client"], tmp_path)
    (tmp_path / "recipe.py").write_text(script.text)
    pytest.importorskip("mypy")
    options = ["--strict", "--follow-imports", "silent", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    run([sys.executable, "-m", "mypy", *options, "recipe.py"], tmp_path)
