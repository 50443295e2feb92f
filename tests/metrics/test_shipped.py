"""The dashboard and the alert rules that the package ships: each query finds its metric, each rule fires."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.metrics import register
from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.services.scheduling.rollup import count_step
from tests.factories import make_execution, make_release, make_task
from tests.metrics import shipped

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")


@pytest.fixture
def told(db) -> dict[str, set[str]]:
    """Return the labels of each metric of an installation in which something has happened."""
    task, now = make_task(schedule_kind="interval", expression="1h"), read_now()
    times = {"trigger": Trigger.SCHEDULE, "scheduled_for": now, "triggered_at": now}
    make_execution(task, status=Status.COMPLETED, started_at=now, completed_at=now, **times)
    count_step()
    make_execution(task)
    make_release()
    registry = CollectorRegistry()
    register(registry)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_each_query_finds_its_metrics_and_their_labels(told):
    wrong = []
    for place, query in shipped.queries().items():
        metrics, grouped = shipped.asked_for(query)
        assert metrics, place
        labels = set().union(*(told.get(name, set()) for name in metrics))
        wrong += [f"{place}: no {name}" for name in metrics if name not in told]
        wrong += [f"{place}: {name} has no {own - told[name]}" for name, own in metrics.items() if own - told[name]]
        wrong += [f"{place}: nothing has {grouped - labels}"] if grouped - labels else []
    assert not wrong


def test_each_metric_is_on_the_dashboard_or_in_a_rule(told):
    asked = {name for query in shipped.queries().values() for name in shipped.asked_for(query)[0]}
    of_histograms = {name for name in told if name.endswith(("_sum", "_count"))}
    created = {name for name in told if name.endswith("_created")}
    left_out = {"scheduled_tasks_named_tasks", "scheduled_tasks_named_tasks_limit"}
    assert set(told) - of_histograms - created - left_out == asked


def test_the_page_of_the_docs_names_each_metric_and_each_rule(told):
    text = (shipped.ROOT / "docs/how-to/metrics.md").read_text()
    named = set(re.findall(r"`(\w+)`", text))
    endings = r"_(bucket|sum|count|created)$"
    histograms = ("duration_seconds", "lateness_seconds")
    plain = {name.removeprefix("scheduled_tasks_") for name in told}
    plain = {re.sub(endings, "", name) if name.startswith(histograms) else name for name in plain}
    assert plain - named - {"executions_created"} == set()
    assert {rule["alert"] for rule in shipped.rules()} <= named
    for query in re.findall(r"scheduled_tasks_\w+", text):
        assert query.removeprefix("scheduled_tasks_") in plain, query


def test_the_dashboard_is_one_that_grafana_takes():
    places = set()
    for panel in shipped.panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in places, f"{panel['title']} lies on another one"
                places.add((x, y))
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    assert len({panel["id"] for panel in shipped.panels()}) == len(shipped.panels())


def test_each_rule_says_what_is_wrong():
    for rule in shipped.rules():
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


# --- the rules, as Prometheus evaluates them ----------------------------------------------------------------------

WELL = {
    "scheduled_tasks_database_up": "1x200",
    'scheduled_tasks_processes_up{kind="scheduler"}': "1x200",
    'scheduled_tasks_processes_up{kind="worker"}': "2x200",
    'scheduled_tasks_executions_total{task="report", function="a.b", outcome="succeeded"}': "0+1x200",
    'scheduled_tasks_executions_total{task="report", function="a.b", outcome="failed"}': "0x200",
    'scheduled_tasks_executions_total{task="report", function="a.b", outcome="missed"}': "0x200",
    'scheduled_tasks_next_run_timestamp_seconds{task="report", function="a.b"}': "60+60x200",
    'scheduled_tasks_lateness_seconds_bucket{function="a.b", le="0.1"}': "0+1x200",
    'scheduled_tasks_lateness_seconds_bucket{function="a.b", le="300.0"}': "0+1x200",
    'scheduled_tasks_lateness_seconds_bucket{function="a.b", le="+Inf"}': "0+1x200",
    'scheduled_tasks_queue_oldest_seconds{queue="default"}': "0x200",
    'scheduled_tasks_alerts_open{kind="failing"}': "0x200",
    'scheduled_tasks_holds{scope="all"}': "0x200",
    'scheduled_tasks_release_processes{release="v1"}': "3x200",
    "scheduled_tasks_uncounted_executions": "12x200",
    "scheduled_tasks_unnamed_tasks": "0x200",
}
"""An installation that is well, by the minute, in Prometheus' notation for tests: ``first+step x times``."""
EXECUTIONS = "scheduled_tasks_executions_total"
STAGED: dict[str, tuple[str, dict[str, str]]] = {
    "ScheduledTasksUnknown": ("6m", dict.fromkeys(WELL, "_x200")),
    "ScheduledTasksNoScheduler": ("2m", {'scheduled_tasks_processes_up{kind="scheduler"}': "0x200"}),
    "ScheduledTasksNoWorker": ("3m", {'scheduled_tasks_processes_up{kind="worker"}': "0x200"}),
    "ScheduledTaskFailed": (
        "15m",
        {f'{EXECUTIONS}{{task="report", function="a.b", outcome="failed"}}': "0x10 1x200"},
    ),
    "ScheduledTaskMissed": (
        "15m",
        {f'{EXECUTIONS}{{task="report", function="a.b", outcome="missed"}}': "0x10 1x200"},
    ),
    "ScheduledTaskLate": (
        "8m",
        {'scheduled_tasks_next_run_timestamp_seconds{task="report", function="a.b"}': "60x200"},
    ),
    "ScheduledTasksStartLate": ("30m", {'scheduled_tasks_lateness_seconds_bucket{function="a.b", le="0.1"}': "0x200"}),
    "ScheduledTasksQueueWaits": ("6m", {'scheduled_tasks_queue_oldest_seconds{queue="default"}': "700+60x200"}),
    "ScheduledTasksAlertOpen": ("2m", {'scheduled_tasks_alerts_open{kind="failing"}': "1x200"}),
    "ScheduledTasksHeldForLong": ("62m", {'scheduled_tasks_holds{scope="all"}': "1x200"}),
    "ScheduledTasksTwoReleases": ("31m", {'scheduled_tasks_release_processes{release="v2"}': "1x200"}),
    "ScheduledTasksNotCounted": ("16m", {"scheduled_tasks_uncounted_executions": "20000x200"}),
    "ScheduledTasksWithoutName": ("61m", {"scheduled_tasks_unnamed_tasks": "3x200"}),
}
"""What lets each rule fire, and when; all else stays as it is where all is well."""
QUIET: dict[str, tuple[str, dict[str, str]]] = {
    "all is well": ("3h", {}),
    "a task is late and a queue waits since something is held": (
        "30m",
        {
            'scheduled_tasks_holds{scope="all"}': "1x200",
            'scheduled_tasks_next_run_timestamp_seconds{task="report", function="a.b"}': "60x200",
            'scheduled_tasks_queue_oldest_seconds{queue="default"}': "0+60x200",
        },
    ),
    "a deploy": ("15m", {'scheduled_tasks_release_processes{release="v2"}': "1x20 _x180"}),
    "a restart of the scheduler": ("4m", {'scheduled_tasks_processes_up{kind="scheduler"}': "1 1 0 1x200"}),
    "an old failure": ("60m", {f'{EXECUTIONS}{{task="report", function="a.b", outcome="failed"}}': "0x10 1x190"}),
}
"""What lets none fire."""


def promtool_test(name: str, at: str, changes: dict[str, str], fires: list[str]) -> dict[str, Any]:
    """Return one test of promtool's: with *changes* these alerts fire, and no other."""
    series = [{"series": series, "values": values} for series, values in (WELL | changes).items()]
    alerts = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in fires]
    query = 'count by (alertname) (ALERTS{alertstate="firing"})'
    test = {"expr": query, "eval_time": at, "exp_samples": alerts}
    return {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": [test]}


def test_there_is_a_staged_case_for_each_rule():
    assert [rule["alert"] for rule in shipped.rules()] == list(STAGED)


@needs_promtool
def test_each_rule_fires_when_it_should_and_no_other(tmp_path):
    tests = [promtool_test(name, at, changes, [name]) for name, (at, changes) in STAGED.items()]
    tests += [promtool_test(name, at, changes, []) for name, (at, changes) in QUIET.items()]
    file = tmp_path / "test.yml"
    wanted = {"rule_files": [str(shipped.RULES)], "evaluation_interval": "1m", "tests": tests}
    file.write_text(yaml.safe_dump(wanted, sort_keys=False))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_an_alert_names_the_task_or_else_the_function(tmp_path):
    name = "scheduled_tasks_executions_total"
    tests = [
        {
            "interval": "1m",
            "input_series": [
                {"series": f'{name}{{task="{task}", function="a.b", outcome="failed"}}', "values": "0x10 1x200"}
            ],
            "alert_rule_test": [
                {
                    "eval_time": "15m",
                    "alertname": "ScheduledTaskFailed",
                    "exp_alerts": [
                        {
                            "exp_labels": {"severity": "warning", "function": "a.b", "outcome": "failed", **labels},
                            "exp_annotations": {
                                "summary": f"{text} failed.",
                                "description": "An execution ended as failed within the last ten minutes.",
                            },
                        }
                    ],
                }
            ],
        }
        for task, labels, text in (
            ("report", {"task": "report"}, "The task report"),
            ("", {}, "A task of a.b"),
        )
    ]
    file = tmp_path / "test.yml"
    wanted = {"rule_files": [str(shipped.RULES)], "evaluation_interval": "1m", "tests": tests}
    file.write_text(yaml.safe_dump(wanted, sort_keys=False))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
