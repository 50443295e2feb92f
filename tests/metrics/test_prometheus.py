"""A real Prometheus scrapes a live site: its queries find something, and its rules fire."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Alert, PresenceKind, ScheduledTask, Total, read_now
from django_scheduled_tasks.services.scheduling.rollup import count_step, name_tasks
from django_scheduled_tasks.services.tasks.holds import hold
from tests.cluster import wait_until
from tests.factories import make_execution, make_release, make_task
from tests.metrics import shipped

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.urls("tests.metrics.urls"),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus on this machine"),
]
MINUTE = timedelta(minutes=1)
NOT_STAGED = {"ScheduledTasksUnknown", "ScheduledTasksNotCounted"}
"""Of these the tests with promtool are enough: the one needs five minutes, the other 10,000 executions."""


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, query: str) -> list[float]:
        return [float(one["value"][1]) for one in self.get("query", query=query)["result"]]

    def firing(self) -> set[str]:
        return {one["labels"]["alertname"] for one in self.get("alerts")["alerts"] if one["state"] == "firing"}

    def is_there(self) -> bool:
        try:
            return self.get("status/runtimeinfo") is not None
        except (URLError, OSError):
            return False


@pytest.fixture
def prometheus(tmp_path, live_server, settings) -> Iterator[Prometheus]:
    settings.SCRAPE_TOKEN = "s3cret"
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"METRICS_TOKEN": "SCRAPE_TOKEN", "METRICS_MAX_TASKS": 1}
    rules = yaml.safe_load(shipped.RULES.read_text())
    for rule in rules["groups"][0]["rules"]:
        rule.pop("for", None)  # promtool's tests have it; nobody is to wait for an hour here
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    target = {"targets": [live_server.url.removeprefix("http://")]}
    jobs = [
        {"job_name": "site", "authorization": {"credentials": "s3cret"}},
        {"job_name": "stranger", "authorization": {"credentials": "guessed"}},
    ]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{**job, "metrics_path": "/metrics/", "static_configs": [target]} for job in jobs],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"config.file": tmp_path / "prometheus.yml", "storage.tsdb.path": tmp_path / "data"}
    options["web.listen-address"] = f"127.0.0.1:{port}"
    command = ["prometheus", *(f"--{name}={value}" for name, value in options.items())]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            found = Prometheus(f"http://127.0.0.1:{port}")
            wait_until(found.is_there, what="Prometheus answers")
            yield found
        finally:
            process.kill()


def stage() -> ScheduledTask:
    """Write an installation in which much is wrong, but which has counted nothing of it yet."""
    now = read_now()
    report = make_task(name="report", schedule_kind="interval", expression="1h")
    make_task(name="nameless")
    ScheduledTask.objects.filter(pk=report.pk).update(next_run_at=now - 10 * MINUTE)
    name_tasks(now)
    done = make_execution(
        report,
        status=Status.COMPLETED,
        trigger=Trigger.SCHEDULE,
        scheduled_for=now - 5 * MINUTE,
        triggered_at=now - 5 * MINUTE,
        started_at=now - MINUTE,
        completed_at=now,
    )
    count_step()
    make_execution(done.task, triggered_at=now - 20 * MINUTE)
    make_release("v1", kind=PresenceKind.WEB)
    make_release("v2", kind=PresenceKind.WEB)
    Alert.objects.create(kind="failing", task=report, task_name=report.name, opened_at=now, open_key="failing:x")
    return report


def end_more(report: ScheduledTask) -> None:
    """Let executions fail, be missed and begin late, so that counters rise between two scrapes."""
    now = read_now()
    for outcome in (Outcome.FAILED, Outcome.MISSED):
        started = None if outcome == Outcome.MISSED else now
        make_execution(report, status=Status.ERRORS, outcome=outcome, started_at=started)
    for number in range(3):
        due = now - (5 + number) * MINUTE
        times = {"scheduled_for": due, "triggered_at": due, "started_at": now, "completed_at": now}
        make_execution(report, status=Status.COMPLETED, trigger=Trigger.SCHEDULE, **times)
    count_step()


def test_it_scrapes_and_each_query_finds_something_and_the_rules_fire(prometheus):
    report = stage()
    wait_until(lambda: prometheus.value('up{job="site"}') == [1.0], what="a scrape has succeeded")
    wait_until(lambda: prometheus.value('up{job="stranger"}') == [0.0], what="one with another token was refused")
    time.sleep(3)  # two scrapes of what is zero
    end_more(report)
    wanted = {rule["alert"] for rule in shipped.rules()} - NOT_STAGED - {"ScheduledTasksHeldForLong"}
    wait_until(lambda: prometheus.firing() >= wanted, what=f"{wanted} fire", timeout=30)
    counted = prometheus.value('scheduled_tasks_executions_total{task="report", outcome="succeeded"}')
    assert counted == [float(Total.objects.get(task_name="report").succeeded)] == [4.0]

    hold(reason="a test")
    wait_until(lambda: "ScheduledTasksHeldForLong" in prometheus.firing(), what="the hold is told")
    wait_until(lambda: "ScheduledTaskLate" not in prometheus.firing(), what="nothing is late while it is held")

    empty = []
    for place, query in shipped.queries().items():
        filled = query.replace("$__rate_interval", "1m").replace("$task", ".*").replace("$function", ".*")
        if place.startswith("panel") and not prometheus.value(filled):
            empty.append(place)
    assert not empty
