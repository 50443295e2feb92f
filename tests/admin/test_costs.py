"""What the lists cost: a few statements, however many rows there are."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.releases import live
from tests.admin.pages import EXECUTIONS, TASKS
from tests.database import KEEPS_JIT_AWAY
from tests.factories import make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
MOST = 12 + 2 * KEEPS_JIT_AWAY
"""Statements of a list: with those that read session and user, two for the health, one for alerts, and one for tasks
with keys."""
LISTS = (
    *(TASKS, f"{TASKS}?p=2", f"{TASKS}?state=failing", f"{TASKS}?q=task", f"{TASKS}?o=-4", f"{TASKS}upcoming/"),
    *(f"{TASKS}?state={state}" for state in ("running", "paused", "late", "broken")),
    *(f"{TASKS}load/", f"{TASKS}load/clock-changes/"),
    *(f"{TASKS}live/?v=x&watch=1", EXECUTIONS, f"{EXECUTIONS}?p=2", f"{EXECUTIONS}?status=completed"),
    *(f"{EXECUTIONS}?outcome=failed&when=7d", f"{EXECUTIONS}?q=broke", f"{EXECUTIONS}?trigger=python"),
    *(f"{EXECUTIONS}news/?after=1&v=x",),
)


@pytest.fixture(params=[pytest.param(2, marks=pytest.mark.slow), 60], ids=["few", "many"])
def rows(request) -> None:
    """Make some tasks, each with two executions; many of them fill more than one page."""
    for number in range(request.param):
        task = make_task(schedule_kind="interval", expression="15m")
        make_execution(task, status=Status.COMPLETED)
        make_execution(task, status=Status.ERRORS if number % 2 else Status.COMPLETED, error_message="It broke.")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_few_statements_however_many_rows_there_are(
    client, rows, django_assert_max_num_queries, path, monkeypatch
):
    client.force_login(make_user(superuser=True))
    monkeypatch.setattr(live, "REMEMBERED_FOR", 3600)
    live.processes_lately()  # a process asks this every few seconds, however many pages it draws
    with django_assert_max_num_queries(MOST):
        response = client.get(path)
    assert response.status_code == (302 if "p=2" in path and Execution.objects.count() < 10 else 200)


def test_the_strip_shows_what_is_due_of_tasks_on_other_pages_too(client):
    client.force_login(make_user(superuser=True))
    first = make_task(name="first", schedule_kind="interval", expression="11h")
    for number in range(45):
        make_task(name=f"task {number:02}", schedule_kind="manual")
    make_task(name="zebra", schedule_kind="interval", expression="10h", enabled=False)
    page = client.get(f"{TASKS}?p=2").content.decode()
    strip = page[page.index('class="dst-strip"') : page.index("</svg>", page.index('class="dst-strip"'))]
    assert "dst-mark-next" in strip
    assert f"<title>{first.name}</title>" in strip
    assert "zebra" not in strip
