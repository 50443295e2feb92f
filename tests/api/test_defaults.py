"""What a project sets for its own API does not change ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.hostile import DEFAULTS

FURTHER = (
    "mounted plain, with Django REST Framework's own defaults",
    "mounted below a version",
    "mounted below a namespace",
)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """Return what went wrong under each set of defaults."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.hostile"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_all_of_them_are_tried(outcomes):
    assert set(outcomes) == {*DEFAULTS, *FURTHER}
    assert len(DEFAULTS) == 10


@pytest.mark.parametrize("name", [*DEFAULTS, *FURTHER])
def test_the_contract_holds_whatever_the_project_sets_for_its_own_api(outcomes, name):
    assert outcomes[name] == ""
