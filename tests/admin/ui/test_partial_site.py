"""A second ``AdminSite`` with only some of our models: no page fails, and no link leads to what is not there."""

from __future__ import annotations

import re
import sys
from html import unescape
from types import ModuleType
from urllib.parse import urljoin

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.urls import path

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.services.alerts.deciding.record import open_alert
from django_scheduled_tasks.services.tasks import holds
from tests.factories import make_execution, make_task, make_user
from tests.selection import some_in_gate
from tests.urls import urlpatterns

pytestmark = pytest.mark.django_db
OURS = sorted(
    (model for model in admin.site._registry if model._meta.app_label == "django_scheduled_tasks"),
    key=lambda model: model.__name__,
)
NAMES = [model.__name__ for model in OURS]
SETS = [{name} for name in NAMES] + some_in_gate(
    [set(NAMES) - {name} for name in NAMES], gate=lambda names: len(names & {"ScheduledTask", "Execution"}) == 1
)
NOT_FOLLOWED = re.compile(r"/(logout|password_change|jsi18n|autocomplete|log)/|\.(css|js|txt)$")


@pytest.fixture
def visit(client, settings, engine, monkeypatch):
    """Return a function that registers models of ours on another site, and one who may do everything there."""

    def registered(names):
        site = AdminSite(name="other")
        for model in OURS:
            if model.__name__ in names:
                site.register(model, type(admin.site._registry[model]))
        module = ModuleType(f"tests_urls_of_{'_'.join(sorted(names))}")
        module.urlpatterns = [*urlpatterns, path("other/", site.urls)]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = module.__name__
        client.force_login(make_user(superuser=True))
        return client

    return registered


@pytest.fixture
def task(engine):
    """Return a task to which everything has happened that a page may tell and lead to."""
    task = make_task(schedule_kind="interval", expression="1h", tags=["mail"], confirm=True)
    ended = make_execution(task, status=Status.ERRORS, error_message="It broke.")
    make_execution(task, status=Status.PROCESSING, rerun_of=ended)
    holds.hold(scope="tag", tag="mail", reason="because")
    for kind in (Kind.FAILING, Kind.MISSED):
        open_alert(kind, task=task, at=ended.triggered_at, now=ended.triggered_at, rules=[], execution=ended.pk)
    return task


def addresses(text, base):
    """Return the addresses on a page of the site that a person can open."""
    found = {urljoin(base, unescape(url)) for url in re.findall(r'(?:href|action|formaction|hx-get)="([^"]*)"', text)}
    return {url.partition("#")[0] for url in found if url.startswith("/")}


@pytest.mark.parametrize("names", SETS, ids=lambda names: "+".join(sorted(names)))
def test_every_page_that_a_page_leads_to_is_there(visit, task, names):
    client, seen, waiting = visit(names), set(), ["/other/"]
    while waiting:
        url = waiting.pop()
        response = client.get(url)
        assert response.status_code in {200, 204, 286, 302, 405}, (url, response.status_code)
        if response.status_code == 200 and "html" in response["Content-Type"]:
            new = addresses(response.content.decode(), url)
            assert not [one for one in new if one.startswith("/admin/")], url
            new = {one for one in new if one.startswith("/other/") and not NOT_FOLLOWED.search(one)}
            fresh = {one for one in new if re.sub(r"\?.*", "", one) not in seen}
            seen |= {re.sub(r"\?.*", "", one) for one in fresh}
            waiting += sorted(fresh)
    assert any("django_scheduled_tasks" in url for url in seen)


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["plain", "htmx"])
def test_run_once_leads_somewhere_where_executions_have_no_pages(visit, headers):
    task, client = make_task(), visit({"ScheduledTask"})
    page = f"/other/django_scheduled_tasks/scheduledtask/{task.pk}/"
    response = client.post(f"{page}run-once/", {"from_page": "1"}, headers=headers)
    assert response.status_code == 200 if headers else response["Location"] == f"{page}change/"
    assert task.executions.count() == 1


def test_run_again_says_what_it_cannot_lead_to_where_tasks_have_no_pages(visit):
    task = make_task(confirm=True)
    ended, client = make_execution(task, status=Status.ERRORS), visit({"Execution"})
    page = "/other/django_scheduled_tasks/execution/"
    data = {"action": "run_again_selected", "_selected_action": [ended.pk]}
    text = client.post(page, data, follow=True).content.decode()
    assert "asks before Run once" in text
    assert not re.findall(r"[\"']/admin/[^\"']*", text)
