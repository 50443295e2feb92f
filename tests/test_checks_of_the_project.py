"""System checks of the project's settings and URLs."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest
from django.http import HttpResponse
from django.urls import include, path, re_path

from django_scheduled_tasks import q_cluster
from django_scheduled_tasks.checks import code, project, rows
from tests.docs.blocks import ROOT
from tests.test_checks import declaring, ids

IMMEDIATE = {"ENGINE": "django_scheduled_tasks.engines.immediate.ImmediateEngine"}
API = path("jobs/", include("django_scheduled_tasks.api.urls"))


@pytest.fixture(autouse=True)
def with_the_default_engine(settings):
    settings.SCHEDULED_TASKS = {}


@pytest.fixture
def mount(settings, monkeypatch):
    """Return a function that makes its arguments the URLs of the project."""

    def mount(*patterns):
        module = ModuleType("urls_of_this_test")
        module.urlpatterns = list(patterns)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__

    return mount


def anything(request, **_parameters):
    return HttpResponse()


def test_a_project_in_order_has_nothing_to_say(settings):
    for cluster in (settings.Q_CLUSTER, q_cluster(), q_cluster(redis="redis://127.0.0.1")):
        settings.Q_CLUSTER = cluster
        assert [
            message for name in dir(project) if name.startswith("check_") for message in getattr(project, name)()
        ] == []


@pytest.mark.parametrize("app", ["django_q", "django_htmx", "django_filters", "rest_framework"])
def test_an_app_that_is_not_installed(app, settings):
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != app]
    (message,) = project.check_apps()
    assert (message.id, f'"{app}"' in message.msg) == ("scheduled_tasks.E003", True)
    assert "with_scheduled_tasks" in message.hint


def test_apps_of_what_is_not_used_are_not_asked_for(settings, mount):
    mount()
    settings.SCHEDULED_TASKS = IMMEDIATE
    unused = {"rest_framework", "django_filters", "django_q"}
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name not in unused]
    assert project.check_apps() == []


def test_a_broker_in_a_database_that_is_not_there(settings):
    settings.Q_CLUSTER = {"orm": "queues", "timeout": 60, "retry": 90}
    assert ids(project.check_cluster()) == ["scheduled_tasks.E006"]


def test_redis_without_its_client(settings, monkeypatch):
    settings.Q_CLUSTER = {"redis": {"host": "127.0.0.1"}}
    assert project.check_cluster() == []
    monkeypatch.setattr(project, "find_spec", lambda name: None if name == "redis" else find_spec(name))
    assert ids(project.check_cluster()) == ["scheduled_tasks.E006"]


def test_no_broker(settings):
    settings.Q_CLUSTER = {"name": "shop", "workers": 2}
    (message,) = project.check_broker_is_named()
    assert message.msg.startswith("Q_CLUSTER names no broker")
    del settings.Q_CLUSTER
    (message,) = project.check_broker_is_named()
    assert (message.id, message.msg.startswith("Q_CLUSTER is not set")) == ("scheduled_tasks.W004", True)
    settings.SCHEDULED_TASKS = IMMEDIATE
    assert project.check_broker_is_named() == []


def test_tasks_that_run_where_they_are_started(settings):
    settings.Q_CLUSTER = {"orm": "default", "sync": True}
    assert ids(project.check_sync()) == ["scheduled_tasks.W005"]


def test_a_queue_that_no_cluster_serves(settings, monkeypatch):
    declaring(monkeypatch, queue="slow", params={"rows": 1})
    monkeypatch.setattr(project, "registry", sys.modules["django_scheduled_tasks.registry"].registry)
    settings.Q_CLUSTER = {"orm": "default"}
    (message,) = project.check_queues()
    assert (message.id, message.obj) == ("scheduled_tasks.W006", "nightly")
    for serving in ({"ALT_CLUSTERS": {"slow": {}}}, {"name": "slow"}, {"name": "app", "cluster_name": "slow"}):
        settings.Q_CLUSTER = {"orm": "default"} | serving
        assert project.check_queues() == []


@pytest.mark.parametrize("namespaced", [False, True])
def test_a_pattern_for_everything_before_ours(namespaced, mount):
    ours = path("api/", include(([API], "around"))) if namespaced else API
    everything = re_path("^(?P<rest>.*)$", anything)
    mount(ours, everything)
    assert project.check_urls() == []
    mount(everything, ours)
    (message,) = project.check_urls()
    assert message.id == "scheduled_tasks.W007"
    assert message.msg.startswith("/api/jobs/health/" if namespaced else "/jobs/health/")


def test_below_a_parameter_nobody_knows_the_path(mount):
    mount(path("<slug:tenant>/", include([API])))
    assert project.check_urls() == []


def test_no_two_checks_have_one_id():
    docstrings = [
        check.__doc__
        for module in (code, project, rows)
        for name, check in vars(module).items()
        if name[:6] == "check_"
    ]
    found = [number for text in docstrings for number in re.findall(r"^([EWI]\d{3}):", text)]
    assert len(found) > 10
    assert len(found) == len(set(found))


def test_the_guide_names_ids_that_there_are():
    guide = (ROOT / "docs" / "how-to" / "existing-project.md").read_text()
    named = set(re.findall(r"\b[EW]\d{3}\b", guide))
    known = {
        check.__doc__[:4]
        for module in (code, project, rows)
        for check in vars(module).values()
        if hasattr(check, "tags")
    }
    assert {"E003", "E006", "W004", "W005", "W006", "W007"} <= named <= known


def test_a_monitor_that_cannot_be_told(settings, monkeypatch):
    monkeypatch.setenv("HC_FINE", "https://hc-ping.com/x")
    settings.SCHEDULED_TASKS = {"PINGS": {"a": "HC_FINE", "b": "HC_ABSENT"}, "SCHEDULER_PING": "HC_SCHEDULER"}
    messages = project.check_monitors()
    assert ids(messages) == ["scheduled_tasks.W016"] * 2
    assert "HC_ABSENT" in messages[0].msg
    settings.HC_ABSENT = settings.HC_SCHEDULER = "https://hc-ping.com/y"
    assert project.check_monitors() == []
    settings.SCHEDULED_TASKS = {"SENTRY_MONITORS": ("*",)}
    assert project.check_monitors() == []
    monkeypatch.setattr(project, "find_spec", lambda _name: None)
    assert "sentry-sdk is not installed" in project.check_monitors()[0].msg
    settings.SCHEDULED_TASKS = {"PINGS": 7}
    assert project.check_monitors() == []
