"""Pages about one task are in its time zone: what is printed, and what is typed. Lists are in the reader's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import ScheduledTask, read_now
from django_scheduled_tasks.services.tasks import edit, holds
from django_scheduled_tasks.services.tasks.edit import create_task
from tests.admin.pages import EXECUTIONS, FORM, TASKS, Fields
from tests.factories import VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2031, 7, 1, 16, 0, tzinfo=UTC)
"""12:00 in New York, 18:00 in Berlin."""
HERE, THERE = re.compile(r"(Jul 1, 2031|2031-07-01)[ ,]+12:00"), re.compile(r"(Jul 1, 2031|2031-07-01)[ ,]+18:00")


@pytest.fixture(autouse=True)
def in_berlin(settings):
    settings.TIME_ZONE = "Europe/Berlin"


@pytest.fixture
def owner(client):
    client.force_login(make_user(superuser=True))
    return client


@pytest.fixture
def task():
    return make_task(
        name="rates", schedule_kind="cron", expression="0 12 * * *", timezone="America/New_York", starts_at=NOON
    )


def change_page(task) -> str:
    return f"{TASKS}{task.pk}/change/"


def test_the_form_of_a_task_shows_and_reads_instants_in_its_zone(owner, task):
    page = owner.get(change_page(task)).content.decode()
    sent = Fields(page).sent
    assert (sent["starts_at_0"], sent["starts_at_1"]) == ("2031-07-01", "12:00:00")
    assert "In the time zone of the task." in page
    response = owner.post(change_page(task), sent | {"ends_at_0": "2032-01-01", "ends_at_1": "12:00:00"})
    assert response.status_code == 302, response.context["adminform"].form.errors
    stored = ScheduledTask.objects.get()
    assert (stored.starts_at, stored.ends_at) == (NOON, datetime(2032, 1, 1, 17, 0, tzinfo=UTC))


def test_with_another_zone_in_the_form_the_clock_stays_and_the_instant_moves(owner, task):
    sent = Fields(owner.get(change_page(task)).content.decode()).sent
    asks = owner.post(change_page(task), sent | {"timezone": "Europe/Berlin"}).content.decode()
    assert ScheduledTask.objects.get().starts_at == NOON, "it asks before it saves"
    owner.post(change_page(task), Fields(asks).sent | {"dst_asked": "1"})
    assert ScheduledTask.objects.get().starts_at == NOON - timedelta(hours=6)


def test_a_new_task_is_typed_in_the_zone_that_is_chosen_for_it(owner):
    owner.post(
        f"{TASKS}add/", FORM | {"timezone": "Asia/Tokyo", "starts_at_0": "2031-07-01", "starts_at_1": "03:00:00"}
    )
    assert ScheduledTask.objects.get().starts_at == datetime(2031, 6, 30, 18, 0, tzinfo=UTC)


def test_a_form_that_is_refused_is_drawn_in_the_zone_that_is_chosen_in_it(owner, task):
    sent = Fields(owner.get(change_page(task)).content.decode()).sent | {"cron": "wrong"}
    again = Fields(owner.post(change_page(task), sent).content.decode()).sent
    assert (again["starts_at_0"], again["starts_at_1"]) == ("2031-07-01", "12:00:00")


def test_who_may_only_look_sees_the_zone_of_the_task(client, task):
    client.force_login(make_user(*VIEWER))
    page = client.get(change_page(task)).content.decode()
    assert HERE.search(page)
    assert "2031-07-01 16:00:00 UTC" in page, "on hover"


@pytest.mark.parametrize("act", ["pause", "hold"])
def test_a_pause_and_a_hold_end_at_the_time_of_the_tasks_clock(owner, task, act):
    page = owner.get(f"{TASKS}{task.pk}/{act}/").content.decode()
    assert "America/New_York" in page, "the zone is named"
    said = {"reason": "audit", "until_0": "2031-07-01", "until_1": "12:00:00"}
    owner.post(f"{TASKS}{task.pk}/{act}/", said)
    row = ScheduledTask.objects.get()
    assert (row.paused_until if act == "pause" else row.holds.get().until) == NOON
    shown = owner.get(change_page(task)).content.decode()
    assert HERE.search(shown)
    assert not THERE.search(shown)


def test_the_hold_of_a_task_is_changed_in_its_zone_and_one_of_all_in_the_readers(owner, task):
    of_task = holds.hold(scope="task", task=task, reason="x", until=NOON)
    sent = Fields(owner.get(f"{TASKS}holds/{of_task.pk}/").content.decode()).sent
    assert sent["until_1"] == "12:00:00"
    of_all = holds.hold(scope="all", reason="x", until=NOON)
    sent = Fields(owner.get(f"{TASKS}holds/{of_all.pk}/").content.decode()).sent
    assert sent["until_1"] == "18:00:00"


def test_run_once_and_why_say_instants_in_the_zone_of_the_task(owner, task):
    ScheduledTask.objects.update(next_run_at=NOON)
    assert HERE.search(owner.get(f"{TASKS}{task.pk}/run-once/").content.decode())
    why = owner.get(f"{TASKS}{task.pk}/why/?at=2031-07-02T12:00").content.decode()
    assert "Jul 2, 2031, 12:00:00" in why
    assert "2031-07-02T16:00:00.000Z</dd>" not in why


def test_the_page_of_an_execution_is_in_the_zone_of_its_task_and_names_it(owner, task):
    row = make_execution(
        task, status=Status.ERRORS, outcome=Outcome.FAILED, scheduled_for=NOON, triggered_at=NOON, started_at=NOON
    )
    page = owner.get(f"{EXECUTIONS}{row.pk}/change/").content.decode()
    assert "<dt>Zone</dt><dd>America/New_York</dd>" in page
    assert HERE.search(page)
    assert not THERE.search(page)
    live = owner.get(f"{EXECUTIONS}{row.pk}/live/").content.decode()
    assert HERE.search(live)
    assert not THERE.search(live)


def test_that_of_a_task_that_is_gone_is_in_the_readers(owner):
    row = make_execution(make_task(), status=Status.COMPLETED, triggered_at=NOON)
    row.task.delete()
    page = owner.get(f"{EXECUTIONS}{row.pk}/change/").content.decode()
    assert "<dd>Europe/Berlin</dd>" in page
    assert THERE.search(page)


def test_lists_are_in_the_readers_zone_and_say_so_where_the_tasks_is_another(owner, task):
    at = read_now().replace(minute=0, second=0, microsecond=0) + timedelta(days=40)
    ScheduledTask.objects.update(next_run_at=at)
    page = owner.get(TASKS).content.decode()
    assert re.search(r">[A-Z][a-z]{2} \d+(, \d{4})?, \d\d:00 Berlin</time>", page)
    assert "Europe/Berlin" in page
    ScheduledTask.objects.update(timezone="Europe/Berlin")
    assert " Berlin</time>" not in owner.get(TASKS).content.decode()


def test_a_zone_that_is_gone_from_the_machine_does_not_break_the_pages(owner, task):
    ScheduledTask.objects.update(timezone="Mars/Olympus")
    for path in (change_page(task), f"{TASKS}{task.pk}/pause/"):
        assert owner.get(path).status_code == 200, path


# --- dates --------------------------------------------------------------------------------------------------------


def test_a_single_date_is_described_and_edited_on_the_clock_of_the_task(owner):
    task = create_task(
        name="once",
        function="testapp.noop",
        schedule_kind="dates",
        expression="2031-07-01 00:30",
        timezone="Europe/Berlin",
    )
    assert task.expression == "2031-06-30T22:30:00Z"
    page = owner.get(change_page(task)).content.decode()
    assert "1 July 2031" in page or "Jul 1, 2031" in page or "1 Jul 2031" in page
    assert "30 Jun" not in page
    sent = Fields(page).sent
    assert sent["dates"] == "2031-07-01 00:30"
    assert owner.post(change_page(task), sent | {"description": "new"}).status_code == 302
    assert ScheduledTask.objects.get().expression == task.expression


def test_a_time_that_the_clock_shows_twice_stays_the_one_it_was(owner):
    expression = "2031-10-26T00:30:00Z\n2031-10-26T01:30:00Z\n2031-10-27T08:00:15Z"  # both 02:30 in Berlin
    task = make_task(schedule_kind="dates", expression=expression, timezone="Europe/Berlin")
    sent = Fields(owner.get(change_page(task)).content.decode()).sent
    assert sent["dates"].split("\n") == ["2031-10-26 02:30", "2031-10-26 02:30+01:00", "2031-10-27 09:00:15"]
    owner.post(change_page(task), sent | {"description": "new"})
    assert ScheduledTask.objects.get().expression == expression


def test_a_field_that_was_changed_is_told_in_the_zone_of_the_task(owner, task):
    edit.update_task(task, ends_at=NOON + timedelta(days=1))
    stale = Fields(owner.get(change_page(task)).content.decode()).sent
    edit.update_task(task, ends_at=NOON + timedelta(days=2))
    page = owner.post(change_page(task), stale).content.decode()
    assert "2031-07-03 12:00:00 America/New_York" in page
    assert "2031-07-02 12:00:00 America/New_York" in page
