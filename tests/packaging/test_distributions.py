"""What is uploaded to PyPI: an sdist, and the wheel that is built from it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

PACKAGE = "django_scheduled_tasks"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a module of this Python; it has to succeed."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """Return the sdist, and the wheel that is built from what is in it."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    run("hatchling", "build", "--target", "sdist", "--directory", folder)
    sdist = next(folder.glob("*.tar.gz"))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    run("hatchling", "build", "--target", "wheel", "--directory", folder, cwd=source)
    return sdist, next(folder.glob("*.whl"))


def names_in(wheel: Path) -> set[str]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_the_whole_package_and_nothing_else(distributions):
    names = names_in(distributions[1])
    tracked = subprocess.run(["git", "ls-files", PACKAGE], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a checkout of git, so nobody knows which files belong to the package")
    expected = set(tracked.stdout.split())
    assert expected
    assert expected <= names, sorted(expected - names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {PACKAGE, "django_scheduled_tasks_q2"}


@pytest.mark.parametrize(
    "part",
    ["py.typed", "migrations/0001_initial.py", "templates/admin/", "static/", "locale/de/LC_MESSAGES/django.mo"],
)
def test_the_wheel_has(distributions, part):
    assert any(name.startswith(f"{PACKAGE}/{part}") for name in names_in(distributions[1]))


def test_the_sdist_has_what_tests_and_documentation_need(distributions):
    with tarfile.open(distributions[0]) as archive:
        folders = {name.split("/")[1] for name in archive.getnames() if "/" in name}
        junk = [name for name in archive.getnames() if {"node_modules", "__pycache__", ".venv"} & set(name.split("/"))]
    assert {PACKAGE, "tests", "docs", "example_project", "benchmarks", "README.md", "LICENSE", "Makefile"} <= folders
    assert junk == []


@pytest.mark.skipif(find_spec("twine") is None, reason="twine is not installed; it is in the group lint")
def test_twine_finds_nothing(distributions):
    assert run("twine", "check", "--strict", *distributions).count("PASSED") == 2


@pytest.mark.skipif(find_spec("check_wheel_contents") is None, reason="check-wheel-contents is not installed")
def test_check_wheel_contents_finds_nothing(distributions):
    assert "OK" in run("check_wheel_contents", "--config", ROOT / "pyproject.toml", distributions[1])
