"""What Prometheus gets, who gets it, and what it costs."""

from __future__ import annotations

import builtins
import sys
from datetime import timedelta
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.urls import include, path
from django.utils.module_loading import import_string
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from django_scheduled_tasks.checks import metrics as checks
from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.metrics import MISSING, collector, register
from django_scheduled_tasks.models import Execution, HoldScope, Presence, ScheduledTask, TimeBucket, Total, read_now
from django_scheduled_tasks.services.scheduling.rollup import count_step, name_tasks
from django_scheduled_tasks.services.tasks.holds import hold
from tests.database import counts_statements
from tests.factories import VIEWER, make_execution, make_release, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db, pytest.mark.urls("tests.metrics.urls")]
SECOND = timedelta(seconds=1)
TOKEN = {"authorization": "Bearer s3cret"}


@pytest.fixture
def token(settings):
    settings.SCRAPE_TOKEN = "s3cret"
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "METRICS_TOKEN": "SCRAPE_TOKEN"}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Scrape:
    def __init__(self, client) -> None:
        answer = client.get("/metrics/", headers=TOKEN)
        assert answer.status_code == 200, answer.content
        self.all = samples(answer.content.decode())

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.all.get((f"scheduled_tasks_{name}", frozenset(labels.items())))


def test_everything_that_is_told(client, token):
    now = read_now()
    report, other = make_task(name="report"), make_task(name="other", queue="slow")
    keyed = make_task(name="keyed", schedule_kind="interval", expression="1h")
    ScheduledTask.objects.filter(pk=keyed.pk).update(key="a")
    make_task(name="new", schedule_kind="interval", expression="1h")
    times = {"trigger": Trigger.SCHEDULE, "scheduled_for": now - 60 * SECOND, "triggered_at": now - 60 * SECOND}
    ran = {"started_at": now - 59 * SECOND, "completed_at": now - 52 * SECOND}
    make_execution(report, status=Status.COMPLETED, **times, **ran)
    make_execution(keyed, status=Status.ERRORS, outcome=Outcome.MISSED, started_at=None, occurrences=7)
    count_step()
    name_tasks(now)
    make_execution(report, status=Status.PROCESSING)
    make_execution(other, triggered_at=now - 30 * SECOND)
    make_execution(other, triggered_at=now - 40 * SECOND, not_before=now + 900 * SECOND)
    make_execution(other, status=Status.PROCESSING, exclusive_key="task:x", lock_key="task:x")
    make_execution(other, triggered_at=now - 90 * SECOND, lock_key="task:x")  # it waits for that one, not for a worker
    hold(HoldScope.QUEUE, reason="a test", queue="slow")
    make_release("v7")
    Presence.objects.create(kind="worker", identity="gone", host="a", started_at=now, last_seen_at=now - 99 * SECOND)
    left = {"last_seen_at": now - SECOND, "ended_at": now}
    Presence.objects.create(kind="worker", identity="left", host="a", started_at=now, **left)

    scrape = Scrape(client)
    function = {"function": "testapp.noop"}
    assert scrape("executions_total", task="report", outcome="succeeded", **function) == 1
    assert scrape("executions_total", task="report", outcome="failed", **function) == 0
    assert scrape("executions_total", task="", outcome="missed", **function) == 7
    assert scrape("executions_total", task="new", outcome="succeeded", **function) == 0
    assert scrape("executions_total", task="keyed", outcome="missed", **function) is None
    ended = ran["completed_at"].timestamp()
    assert scrape("last_success_timestamp_seconds", task="report", **function) == pytest.approx(ended, abs=0.001)
    assert scrape("last_duration_seconds", task="report", **function) == pytest.approx(7, abs=0.001)
    due = {row.name: row.next_run_at.timestamp() for row in ScheduledTask.objects.scheduled()}
    assert scrape("next_run_timestamp_seconds", task="new", **function) == pytest.approx(due["new"], abs=0.001)
    assert scrape("next_run_timestamp_seconds", task="", **function) == pytest.approx(due["keyed"], abs=0.001)
    assert scrape("next_run_timestamp_seconds", task="report", **function) is None, "it is only run by hand"
    bounds = [scrape("duration_seconds_bucket", le=le, **function) for le in ("5.0", "10.0", "14400.0")]
    assert bounds == [0, 1, 1], "with all bounds, so that those of several functions can be added up"
    assert scrape("duration_seconds_bucket", le="+Inf", **function) == 1
    assert scrape("duration_seconds_sum", **function) == pytest.approx(7, abs=0.001)
    assert scrape("lateness_seconds_count", **function) == 1
    assert (scrape("open_executions", status="pending"), scrape("open_executions", status="processing")) == (3, 2)
    assert (scrape("queue_depth", queue="slow"), scrape("queue_depth", queue="default")) == (1, 0)
    assert 30 <= scrape("queue_oldest_seconds", queue="slow") < 40
    assert scrape("processes_up", kind="scheduler") == 1
    assert scrape("processes_up", kind="worker") == 0
    assert scrape("release_processes", release="v7") == 1
    assert (scrape("holds", scope="queue"), scrape("holds", scope="all"), scrape("alerts_open", kind="late")) == (
        1,
        0,
        0,
    )
    assert scrape("uncounted_executions") == 5
    assert scrape("database_up") == 1


def test_the_limit_of_names_says_so(client, token, settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "METRICS_MAX_TASKS": 1}
    for name in ("one", "two", "three"):
        make_task(name=name)
    name_tasks(read_now())
    scrape = Scrape(client)
    assert (scrape("named_tasks"), scrape("named_tasks_limit"), scrape("unnamed_tasks")) == (1, 1, 2)


def test_all_bounds_of_a_histogram_add_up(client, token):
    for up_to, count in ((100, 3), (1_000, 2), (2**63 - 1, 1)):
        TimeBucket.objects.create(function="a.b", measure="duration", up_to=up_to, count=count, seconds=count)
    scrape = Scrape(client)
    found = [scrape("duration_seconds_bucket", function="a.b", le=bound) for bound in ("0.1", "1.0", "+Inf")]
    assert found == [3, 5, 6]
    assert scrape("duration_seconds_count", function="a.b") == 6
    assert scrape("duration_seconds_sum", function="a.b") == 6


@counts_statements
@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer ", "Basic s3cret", "Bearer s3crét"])
def test_without_the_token_nothing_is_told_and_nothing_is_asked(given, client, token, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/metrics/", headers={"authorization": given} if given else {})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert b"scheduled_tasks_" not in answer.content


def test_no_token_opens_it_while_none_is_set(client, settings):
    for names in ({}, {"METRICS_TOKEN": "NOT_SET_ANYWHERE"}):
        settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, **names}
        for given in ("Bearer", "Bearer ", "Bearer None"):
            assert client.get("/metrics/", headers={"authorization": given}).status_code == 401


def test_a_user_needs_the_permissions_of_who_may_see_all_of_it(client, settings):
    for missing in VIEWER:
        client.force_login(make_user(*(one for one in VIEWER if one != missing)))
        assert client.get("/metrics/").status_code == 403
    client.force_login(make_user(*VIEWER))
    assert client.get("/metrics/").status_code == 200
    assert client.post("/metrics/").status_code == 405
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "VISIBLE_TASKS": "tests.metrics.test_scrape.nothing"}
    answer = client.get("/metrics/")
    assert (answer.status_code, b"VISIBLE_TASKS" in answer.content) == (403, True)


def nothing(_user, queryset):
    return queryset.none()


def test_a_database_that_does_not_answer_is_said_so(client, token, monkeypatch):
    def fail():
        raise OperationalError

    monkeypatch.setattr(collector, "read_metrics", fail)
    assert client.get("/metrics/", headers=TOKEN).status_code == 503
    registry = CollectorRegistry()
    register(registry)
    assert samples(generate_latest(registry).decode()) == {("scheduled_tasks_database_up", frozenset()): 0}


@counts_statements
def test_another_endpoint_tells_it_too_after_one_line(django_assert_num_queries):
    registry = CollectorRegistry()
    with django_assert_num_queries(0):
        register(registry)
        register(registry)
    make_execution(status=Status.COMPLETED)
    count_step()
    with django_assert_num_queries(3):
        found = samples(generate_latest(registry).decode())
    assert found["scheduled_tasks_database_up", frozenset()] == 1


@counts_statements
def test_a_scrape_reads_three_statements_however_much_there_is(client, token, django_assert_num_queries):
    task = make_task()
    Total.objects.bulk_create(
        Total(task_name=f"task {n}", function="testapp.noop", last_end_at=read_now()) for n in range(500)
    )
    for _ in range(20):
        make_execution(task)
    with django_assert_num_queries(3):
        assert client.get("/metrics/", headers=TOKEN).status_code == 200
    assert Execution.objects.count() == 20


# --- without the package ------------------------------------------------------------------------------------------


@pytest.fixture
def without_prometheus_client(monkeypatch):
    """Let the package be absent, and what needs it be imported anew."""
    imported = builtins.__import__

    def refuse(name, *arguments, **values):
        if name.partition(".")[0] == "prometheus_client":
            raise ImportError(name)
        return imported(name, *arguments, **values)

    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("urls", "views", "collector"):
        monkeypatch.delitem(sys.modules, f"django_scheduled_tasks.metrics.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(checks, "find_spec", lambda _name: None)


def test_without_the_package_a_sentence_says_what_to_install(without_prometheus_client, settings, monkeypatch, rf):
    module = ModuleType("urls_with_metrics")
    module.urlpatterns = [path("inner/", include("django_scheduled_tasks.metrics.urls"))]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings.ROOT_URLCONF = module.__name__
    (message,) = checks.check_prometheus_client()
    assert (message.id, "[metrics]" in message.hint) == ("scheduled_tasks.E007", True)
    answer = import_string("django_scheduled_tasks.metrics.urls.metrics")(rf.get("/inner/"))
    assert (answer.status_code, answer.content.decode().strip()) == (501, MISSING)
    with pytest.raises(ImproperlyConfigured, match="pip install"):
        register()


def test_nothing_is_said_of_a_package_that_nobody_asks_for(without_prometheus_client, settings, monkeypatch):
    module = ModuleType("urls_without_metrics")
    module.urlpatterns = []
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings.ROOT_URLCONF = module.__name__
    assert checks.check_prometheus_client() == []


def test_a_token_that_is_set_nowhere_is_a_warning(settings, monkeypatch):
    assert checks.check_token() == []
    settings.SCHEDULED_TASKS = {"METRICS_TOKEN": "SCRAPE_TOKEN"}
    (message,) = checks.check_token()
    assert message.id == "scheduled_tasks.W018"
    monkeypatch.setenv("SCRAPE_TOKEN", "abc")
    assert checks.check_token() == []
    settings.SCHEDULED_TASKS = {"METRICS_TOKEN": 5}
    assert checks.check_token() == []
