"""A second ``AdminSite``: none of its pages leads to the first one."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
from django.contrib.admin import AdminSite
from django.urls import path

from django_scheduled_tasks.admin import ExecutionAdmin, ScheduledTaskAdmin
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.factories import make_execution, make_task, make_user
from tests.urls import urlpatterns

pytestmark = pytest.mark.django_db
OTHER = AdminSite(name="other")
OTHER.register(ScheduledTask, ScheduledTaskAdmin)
OTHER.register(Execution, ExecutionAdmin)
TASKS, EXECUTIONS = "/other/django_scheduled_tasks/scheduledtask/", "/other/django_scheduled_tasks/execution/"


@pytest.fixture
def staff(client, settings, engine, monkeypatch):
    module = ModuleType("tests_urls_of_two_sites")
    module.urlpatterns = [*urlpatterns, path("other/", OTHER.urls)]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    settings.ROOT_URLCONF = module.__name__
    client.force_login(make_user(superuser=True))
    return client


def test_no_address_on_a_page_is_of_the_first_site(staff):
    for _ in range(32):  # so that the filter by task is a field that completes
        task = make_task(schedule_kind="interval", expression="1h")
    ScheduledTask.objects.filter(pk=task.pk).update(origin="code")
    ended = make_execution(task, status=Status.ERRORS, error_message="It broke.")
    going = make_execution(task, status=Status.PROCESSING)
    pages = [TASKS, f"{TASKS}add/", f"{TASKS}upcoming/", EXECUTIONS, f"{EXECUTIONS}{going.pk}/cancel/"]
    pages += [f"{TASKS}{task.pk}/{page}/" for page in ("change", "history", "run-once", "pause", "delete")]
    pages += [f"{EXECUTIONS}{row.pk}/{page}/" for row in (ended, going) for page in ("change", "live")]
    pages += [f"{TASKS}live/?v=x&watch={ended.pk}", f"{EXECUTIONS}news/?after=0"]
    for page in pages:
        text = staff.get(page).content.decode()
        assert "/other/" in text
        assert not re.findall(r"[\"']/admin/[^\"']*", text), page


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["plain", "htmx"])
def test_what_a_button_answers_stays_on_the_site(staff, headers):
    task = make_task()
    response = staff.post(f"{TASKS}{task.pk}/run-once/", headers=headers, follow=not headers)
    text = response.content.decode()
    assert "/other/" in text
    assert not re.findall(r"[\"']/admin/[^\"']*", text)
