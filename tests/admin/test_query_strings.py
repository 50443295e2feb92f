"""What a query string may ask of a list: the list's own filters, search, order and page, and nothing that is hidden."""

from __future__ import annotations

import re

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution, ScheduledTask
from tests.admin.pages import EXECUTIONS, TASKS
from tests.factories import OWNER, VIEWER, make_execution, make_task, make_user
from tests.selection import IS_NIGHTLY

pytestmark = pytest.mark.django_db
LOOKUPS = ("", "__startswith", "__regex", "__isnull", "__pin__startswith", "__gt")[: None if IS_NIGHTLY else 2]
OWN = {TASKS: {"state", "contact", "function"}, EXECUTIONS: {"status", "outcome", "trigger", "task"}}
FIELDS = {
    TASKS: [field.name for field in ScheduledTask._meta.get_fields()],
    EXECUTIONS: [field.name for field in Execution._meta.get_fields()],
}
HIDDEN = [
    (TASKS, "params__pin__startswith=P"),
    (TASKS, "params__contains=P"),
    (TASKS, "executions__result__startswith=P"),
    (TASKS, "created_by__password__startswith=p"),
    (EXECUTIONS, "params__password__startswith=P"),
    (EXECUTIONS, "traceback__contains=P"),
    (EXECUTIONS, "result__rows=1"),
    (EXECUTIONS, "triggered_by__password__startswith=p"),
    (EXECUTIONS, "task__params__pin__startswith=P"),
    (EXECUTIONS, "reason__regex=(a%2B)%2B$"),
]


@pytest.fixture(autouse=True)
def viewer(client):
    task = make_task(function="testapp.secretive", params={"password": "Pa55"})
    make_execution(task, status=Status.ERRORS, traceback="Pa55", result="Pa55", reason="a" * 40 + "!")
    client.force_login(make_user(*VIEWER))
    return client


@pytest.mark.parametrize(("path", "query"), HIDDEN)
@pytest.mark.parametrize("who", [VIEWER, OWNER], ids=["viewer", "owner"])
def test_what_is_hidden_cannot_be_asked_for(client, path, query, who):
    client.force_login(make_user(*who))
    for part in ("", "live/" if path == TASKS else "news/"):
        assert client.get(f"{path}{part}?{query}").status_code == 400


@pytest.mark.parametrize("path", FIELDS)
def test_no_column_is_a_filter_by_itself(client, path):
    names = [f"{name}{lookup}" for name in FIELDS[path] for lookup in LOOKUPS if lookup or name not in OWN[path]]
    assert [name for name in names if client.get(path, {name: "P"}).status_code != 400] == []


@pytest.mark.parametrize("path", [TASKS, EXECUTIONS])
def test_links_of_a_list_are_all_answered(client, path):
    for _ in range(60):
        make_execution(make_task(), status=Status.ERRORS)
    links = set(re.findall(r'href="(\?[^"]*)"', client.get(path).content.decode()))
    assert len(links) > 5
    for link in links:
        assert client.get(path + link.replace("&amp;", "&")).status_code == 200, link


@pytest.mark.parametrize("order", ["o=-99", "o=x", "o=2.-3", "o=-7.1.1"])
@pytest.mark.parametrize("path", [TASKS, EXECUTIONS])
def test_an_order_is_by_a_shown_column_or_none(client, path, order):
    assert client.get(f"{path}?{order}").status_code == 200


def test_names_of_tasks_are_for_those_who_may_see_tasks(client):
    client.force_login(make_user("view_execution"))
    for _ in range(31):
        make_task()
    make_task(name="hidden one")
    assert client.get(f"{EXECUTIONS}names/?task=hidden").status_code == 403
    assert "hidden one" not in client.get(EXECUTIONS).content.decode()
    ScheduledTask.objects.exclude(name="hidden one").delete()
    assert "hidden one" not in client.get(EXECUTIONS).content.decode()
