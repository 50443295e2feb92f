"""Holding, releasing, tags and *Why at…?* in the admin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from django_scheduled_tasks.models import Hold, ScheduledTask, read_now
from django_scheduled_tasks.services.tasks import holds
from django_scheduled_tasks.services.tasks.holds import hold
from tests.admin.pages import FORM, TASKS
from tests.factories import EDITOR, VIEWER, make_task, make_user

pytestmark = pytest.mark.django_db
DAILY = {"schedule_kind": "cron", "expression": "0 3 * * *"}


def address(page: str, **kwargs: object) -> str:
    return reverse(f"admin:django_scheduled_tasks_scheduledtask_{page}", kwargs=kwargs)


def test_everything_is_held_from_the_list_and_released(client):
    task = make_task(name="nightly", **DAILY)
    client.force_login(make_user(*EDITOR, name="anna"))
    assert address("hold_all") in client.get(TASKS).content.decode()
    page = client.get(address("hold_all")).content.decode()
    assert "0 executions run and go on." in page
    client.post(address("hold_all"), {"scope": "all", "reason": "<b>upgrade</b>"})
    row = Hold.objects.get()
    assert (row.scope, row.created_by.get_username()) == ("all", "anna")
    page = client.get(TASKS).content.decode()
    assert "<strong>Everything is held</strong> by anna since" in page
    assert "&lt;b&gt;upgrade&lt;/b&gt;" in page
    assert "<b>upgrade" not in page
    assert "would be" in page
    assert f'href="{address("hold_all")}"' not in page
    assert "Held <b>1</b>" in client.get(f"{TASKS}?state=held").content.decode()
    assert "<strong>Everything is held</strong>" in client.get(address("change", object_id=task.pk)).content.decode()
    said = client.post(address("run_once", pk=task.pk), follow=True).content.decode()
    assert "it waits." in said
    assert "The task is held by anna since" in said
    client.post(address("change_hold", number=row.pk), {"reason": "longer"})
    row.refresh_from_db()
    assert row.reason == "longer"
    client.post(address("release_hold", number=row.pk))
    page = client.get(TASKS).content.decode()
    assert "is held" not in page
    assert "Held <b>" not in page
    assert client.post(address("release_hold", number=row.pk), follow=True).status_code == 200
    assert client.get(address("release_hold", number=row.pk + 1)).status_code == 404


def test_a_tag_or_queue_or_task_is_held(client):
    task = make_task(tags=["mail"], **DAILY)
    client.force_login(make_user(*EDITOR))
    client.post(address("hold_all"), {"scope": "tag", "name": "mail", "reason": "x"})
    client.post(address("hold_all"), {"scope": "queue", "name": "reports", "reason": "x"})
    client.post(address("hold", pk=task.pk), {"reason": "x"})
    found = Hold.objects.order_by("pk").values_list("scope", "tag", "queue", "task")
    assert list(found) == [("tag", "mail", "", None), ("queue", "", "reports", None), ("task", "", "", task.pk)]
    page = client.get(TASKS).content.decode()
    assert "<strong>Tag mail is held</strong>" in page
    assert ", 1 task." in page


def test_what_is_held_changed_and_released_is_logged(client):
    task = make_task(name="nightly", **DAILY)
    user = make_user(*EDITOR)
    client.force_login(user)
    client.post(address("hold_all"), {"scope": "tag", "name": "mail", "reason": "upgrade"})
    row = Hold.objects.get()
    client.post(address("change_hold", number=row.pk), {"reason": "longer"})
    client.post(address("release_hold", number=row.pk))
    client.post(address("hold", pk=task.pk), {"reason": "stock-taking"})
    client.post(address("release_hold", number=Hold.objects.latest("pk").pk))
    found = LogEntry.objects.order_by("pk")
    assert {entry.user_id for entry in found} == {user.pk}
    assert [(entry.content_type.model, entry.object_id, entry.get_change_message()) for entry in found] == [
        ("hold", str(row.pk), "Tag mail is held: upgrade"),
        ("hold", str(row.pk), "Changed the hold. longer"),
        ("hold", str(row.pk), "Released: longer"),
        ("scheduledtask", str(task.pk), "nightly is held: stock-taking"),
        ("scheduledtask", str(task.pk), "Released: stock-taking"),
    ]
    assert "nightly is held: stock-taking" in client.get(address("history", object_id=task.pk)).content.decode()


def test_a_held_task_without_a_schedule_says_what_waits(page_of):
    task = make_task(name="always fails")
    hold("task", task=task, reason="broken")
    page = page_of(TASKS, *VIEWER)
    cell = page[page.index(f'id="dst-next-{task.pk}"') :].partition("</div>")[0]
    assert "Held" in cell
    assert "Run once waits for its end." in cell


def test_hold_all_is_gone_while_everything_is_held_also_where_no_row_is_shown(client):
    client.force_login(make_user(*EDITOR))
    make_task(**DAILY)
    hold(reason="upgrade")
    for path in (TASKS, f"{TASKS}?q=nowhere"):
        assert f'href="{address("hold_all")}"' not in client.get(path).content.decode()


def test_a_task_that_is_held_itself_is_not_held_again_and_is_released_on_its_page(client):
    task = make_task(**DAILY)
    row = hold("task", task=task, reason="x")
    client.force_login(make_user(*EDITOR))
    page = client.get(address("change", object_id=task.pk)).content.decode()
    assert address("release_hold", number=row.pk) in page
    assert f'href="{address("hold", pk=task.pk)}"' not in page
    assert "is held" not in client.get(f"{TASKS}upcoming/").content.decode(), "of one task it is said on its page only"


def strip_of(client) -> str:
    page = client.get(TASKS).content.decode()
    return page[page.index('class="dst-strip"') :].partition("</svg>")[0]


def test_the_strip_is_grey_while_everything_is_held_and_shows_what_comes_after(client):
    client.force_login(make_user(*EDITOR))
    make_task(name="hourly", schedule_kind="interval", expression="1h")
    assert "dst-held" not in strip_of(client)
    before = strip_of(client).count("dst-mark-next")
    row = hold(reason="upgrade", until=read_now() + timedelta(hours=6))
    strip = strip_of(client)
    assert "dst-held" in strip
    assert "held</text>" in strip
    assert 0 < strip.count("dst-mark-next") < before
    holds.change_hold(row, reason="upgrade", until=None)
    assert "dst-mark-next" not in strip_of(client)


def test_the_strip_leaves_out_what_a_tag_holds_and_is_not_grey(client):
    client.force_login(make_user(*EDITOR))
    make_task(name="mails", schedule_kind="interval", expression="5h", tags=["mail"])
    make_task(name="others", schedule_kind="interval", expression="5h")
    hold("tag", tag="mail", reason="x")
    strip = strip_of(client)
    assert "dst-held" not in strip
    assert "<title>others</title>" in strip
    assert "<title>mails</title>" not in strip


@pytest.mark.parametrize(
    "data", [{"scope": "all"}, {"scope": "tag", "name": "a,b", "reason": "x"}, {"scope": "tag", "reason": "x"}]
)
def test_what_is_wrong_is_shown_in_the_form(client, data):
    client.force_login(make_user(*EDITOR))
    response = client.post(address("hold_all"), data)
    assert "errorlist" in response.content.decode()
    assert not Hold.objects.exists()


def test_a_viewer_sees_the_note_and_no_button(page_of):
    make_task(**DAILY)
    hold(reason="upgrade")
    page = page_of(TASKS, *VIEWER)
    assert "Everything is held" in page
    assert "Release now" not in page
    assert "Hold all" not in page


def test_tags_are_entered_shown_and_filtered_by(client):
    client.force_login(make_user(*EDITOR))
    client.post(f"{TASKS}add/", FORM | {"tags": "Mail, night"})
    task = ScheduledTask.objects.get()
    assert task.tags == ["mail", "night"]
    page = client.get(address("change", object_id=task.pk)).content.decode()
    assert 'value="mail, night"' in page
    assert f'href="{TASKS}?tag=night"' in page
    make_task(name="zebra", tags=["email"])
    listed = client.get(f"{TASKS}?tag=mail").content.decode()
    assert "Nightly" in listed
    assert "zebra" not in listed
    assert "errorlist" in client.post(f"{TASKS}add/", FORM | {"name": "x2", "tags": "a b"}).content.decode()


def test_why_is_asked_on_a_page_of_its_own(page_of):
    task = make_task(name="nightly", **DAILY)
    page = page_of(address("why", pk=task.pk) + "?at=2099-05-05 03:00", *VIEWER)
    assert "It is due at 2099-05-05 03:00:00 UTC." in page
    page = page_of(address("why", pk=task.pk) + "?at=<b>", *VIEWER)
    assert "errorlist" in page
    assert "<b>" not in page.partition("dst-at")[2].partition("</form>")[0]
