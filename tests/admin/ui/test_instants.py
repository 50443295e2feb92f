"""Instants are typed and shown on the reader's wall clock, with and without USE_TZ."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_scheduled_tasks.models import ScheduledTask, read_now
from tests.admin.pages import EXECUTIONS, TASKS
from tests.database import connection
from tests.factories import VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2031, 7, 1, 16, 0, tzinfo=UTC)  # 12:00 in New York


@pytest.fixture(params=[True, False], ids=["USE_TZ", "no USE_TZ"], autouse=True)
def in_new_york(request, settings):
    if not request.param and connection.vendor == "postgresql":
        pytest.skip("on PostgreSQL the connection's own zone decides, which is set once for each process")
    settings.USE_TZ, settings.TIME_ZONE = request.param, "America/New_York"
    with timezone.override(NEW_YORK):
        yield


@pytest.fixture
def owner(client):
    client.force_login(make_user(superuser=True))
    return client


class Fields(HTMLParser):
    """What a browser sends when nothing on a page is changed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self.select = self.area = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        kind = given.get("type", "text")
        if tag == "input" and name and kind not in {"submit", "file"}:
            if kind not in {"checkbox", "radio"} or "checked" in given:
                self.sent[name] = value or ("on" if kind == "checkbox" else "")
        elif tag in {"select", "textarea"}:
            self.select, self.area = (name, "") if tag == "select" else ("", name)
            self.sent[name] = ""
        elif tag == "option" and self.select and "selected" in given:
            self.sent[self.select] = value

    def handle_data(self, data: str) -> None:
        if self.area:
            self.sent[self.area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self.select = self.area = ""


def fields_of(client, task: ScheduledTask) -> dict[str, str]:
    return Fields(client.get(f"{TASKS}{task.pk}/change/").content.decode()).sent


def test_saving_a_task_as_it_is_shown_moves_no_instant(owner):
    task = make_task(schedule_kind="interval", expression="1h", starts_at=NOON)
    sent = fields_of(owner, task)
    assert (sent["starts_at_0"], sent["starts_at_1"]) == ("2031-07-01", "12:00:00")
    saved = owner.post(f"{TASKS}{task.pk}/change/", sent | {"description": "new"})
    assert saved.status_code == 302, saved.context["adminform"].form.errors
    task.refresh_from_db()
    assert (task.starts_at, task.description) == (NOON, "new")
    assert "starts_at" not in task.changed_fields


def test_what_is_typed_is_the_wall_clock(owner):
    task = make_task(schedule_kind="interval", expression="1h")
    sent = fields_of(owner, task)
    owner.post(f"{TASKS}{task.pk}/change/", sent | {"ends_at_0": "2031-07-01", "ends_at_1": "12:00:00"})
    task.refresh_from_db()
    assert task.ends_at == NOON


def test_who_may_only_look_sees_the_wall_clock(client):
    task = make_task(schedule_kind="interval", expression="1h", starts_at=NOON)
    client.force_login(make_user(*VIEWER))
    page = client.get(f"{TASKS}{task.pk}/change/").content.decode()
    assert re.search(r'<time datetime="2031-07-01T16:00:00.000Z"[^>]*>Jul 1, 2031, 12:00:00</time>', page)
    assert "July 1, 2031" not in page  # as Django writes what it shows by itself


def test_a_pause_ends_when_it_was_said(owner):
    task = make_task(schedule_kind="interval", expression="1h")
    owner.post(f"{TASKS}{task.pk}/pause/", {"until_0": "2031-07-01", "until_1": "12:00:00"})
    assert ScheduledTask.objects.get().paused_until == NOON


@pytest.mark.parametrize("query", ["", "?when=today", "?when=7d"])
def test_the_list_of_executions_counts_days_by_the_wall_clock(owner, query):
    make_execution(triggered_at=read_now())
    make_execution(triggered_at=read_now() - timedelta(days=40))
    page = owner.get(EXECUTIONS + query)
    assert page.status_code == 200
    assert len(page.context["cl"].result_list) == (1 if query else 2)
