"""Schemathesis over the whole schema against a live server: no 5xx, no answer outside the schema.

A short run here. A long one, of several thousand cases, is asked for by two variables:

``SCHEMATHESIS_EXAMPLES=40 SCHEMATHESIS_SEED=7 pytest tests/api/test_schemathesis.py -s --timeout 3600``

SCHEMATHESIS_EXAMPLES: so many cases for each call at most, and what the schema's own borders suggest beside them.
SCHEMATHESIS_SEED: a whole number; the same seed makes up the same requests (default: 1).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from rest_framework.authtoken.models import Token

from django_scheduled_tasks.lifecycle import Status
from tests.factories import make_execution, make_task, make_user

HERE = Path(__file__).parent
SCHEMA = HERE.parents[1] / "schema.yml"
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
PHASES = "examples,coverage,fuzzing" if EXAMPLES else "examples,fuzzing"
LEAST_CASES = 2_000 if EXAMPLES else 60


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls("tests.api.urls")
@pytest.mark.parametrize(
    "made_up",
    [
        pytest.param(False, id="what there is"),
        pytest.param(True, marks=pytest.mark.slow, id="what is made up"),
    ],
)
def test_the_schema_holds(made_up, live_server, engine, settings, tmp_path):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"PRESENCE_TIMEOUT": timedelta(days=1)}
    task = make_task(name="nightly", overlap="allow", schedule_kind="interval", expression="1d")
    execution = make_execution(task, status=Status.COMPLETED, result={"rows": 5})
    token = Token.objects.create(user=make_user(superuser=True)).key
    config = (HERE / "schemathesis.toml").read_text()
    if made_up:
        config = config.partition("# What there is")[0]
    (tmp_path / "schemathesis.toml").write_text(config)
    command = [str(Path(sys.executable).with_name("st")), "--config-file", str(tmp_path / "schemathesis.toml")]
    command += ["--no-color", "run", str(SCHEMA), "--url", live_server.url, "--max-examples", str(EXAMPLES or 3)]
    command += ["--seed", SEED, "--no-shrink", "--continue-on-failure", "--phases", PHASES]
    environment = os.environ | {
        "API_TOKEN": token,
        "API_TASK": str(task.pk),
        "API_CHANGING_TASK": str(make_task(name="changing").pk),
        "API_DOOMED_TASK": str(make_task(name="doomed").pk),
        "API_TRACKING_ID": str(execution.tracking_id),
    }
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout[-20_000:])
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-2_000:]}"
    cases = int(re.search(r"([\d,]+) generated", done.stdout)[1].replace(",", ""))
    assert cases >= LEAST_CASES
