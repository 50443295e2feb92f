"""The page *Changes*: who did what, its filters and files, and who may see it."""

from __future__ import annotations

import csv
import html
import json
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry

from django_scheduled_tasks.models import Change, Way
from django_scheduled_tasks.services.door import through
from django_scheduled_tasks.services.tasks.edit import delete_task, pause, update_task
from django_scheduled_tasks.services.tasks.holds import hold, release
from tests.admin.pages import CHANGES, FORM, TASKS
from tests.factories import EDITOR, VIEWER, make_task, make_user

pytestmark = pytest.mark.django_db
AUDITOR = (*VIEWER, "view_change")


def text_of(page: str) -> str:
    body = re.sub(r"<(style|script|svg).*?</\1>", " ", page[page.index("content-main") :], flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


class OnlyThatTask:
    """An authentication backend that lets everybody see the task called "that"."""

    def authenticate(self, _request, **_credentials):
        """Authenticate nobody."""
        return

    def has_perm(self, _user, permission, obj=None):
        """Say yes about one task."""
        return permission.endswith("view_scheduledtask") and getattr(obj, "name", "") == "that"


@pytest.fixture
def history():
    anna, ben = make_user(name="anna"), make_user(name="ben")
    digest = make_task(name="send-digest", function="testapp.give", params={"value": "all"})
    index = make_task(name="rebuild-index", schedule_kind="cron", expression="0 3 * * *")
    Change.objects.all().delete()
    with through(Way.ADMIN, address="203.0.113.7"):
        update_task(index, user=anna, expression="0 3 * * 1-5", reason="nobody reads it at weekends")
    with through(Way.API, "ops laptop", "203.0.113.9"):
        update_task(digest, user=ben, params={"value": "vip"}, timeout=timedelta(minutes=5))
    with through(Way.COMMAND, "hold_tasks", "deploy@ci-1"):
        held = hold("tag", tag="mail", reason="deploy")
        release(held)
    pause(digest, user=ben, reason="audit")
    return digest, index


def test_each_row_says_who_through_what_and_each_field(history, page_of):
    shown = text_of(page_of(CHANGES, *AUDITOR))
    for text in (
        "anna Admin rebuild-index Cron 0 3 * * * → now: 0 3 * * 1-5 Reason: nobody reads it at weekends",
        "ben API, token “ops laptop” send-digest Time limit empty → now: 5 min value all → now: vip",
        "deploy hold_tasks on ci-1 Tag mail Released after",
        "ben Python send-digest Paused no → now: yes, “audit”",
        "5 changes · kept for 400 days · UTC",
    ):
        assert text in shown
    assert "Put back" not in shown.partition("By person")[0]  # may not change tasks


def test_its_cost_does_not_grow_with_the_rows(history, client, django_assert_max_num_queries):
    client.force_login(make_user(*AUDITOR))
    with django_assert_max_num_queries(17):
        client.get(CHANGES)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("person=anna", 1),
        ("person=ben", 2),
        ("person=:code", 0),
        ("way=api", 1),
        ("way=command", 2),
        ("kind=standstill", 3),
        ("kind=parameters", 1),
        ("task=send-digest", 2),
        ("when=today", 5),
        ("q=weekends", 1),
        ("q=vip", 1),
        ("q=time limit", 1),
        ("q=rebuild", 1),
        ("q=nothing", 0),
        ("way=other", 5),
    ],
)
def test_filters_and_search(history, client, query, found):
    client.force_login(make_user(*AUDITOR))
    response = client.get(f"{CHANGES}?{query}")
    assert response.context["cl"].result_count == found
    if not found:
        assert "No changes match." in response.content.decode()


def test_the_history_of_a_task_is_its_part_of_the_changes(history, client):
    digest, _index = history
    client.force_login(make_user(*AUDITOR))
    response = client.get(f"{TASKS}{digest.pk}/history/", follow=True)
    assert response.context["cl"].result_count == 2
    assert response.context["title"] == "Changes: send-digest"
    client.force_login(make_user(*VIEWER))
    assert client.get(f"{TASKS}{digest.pk}/history/").status_code == 200


def test_a_change_has_an_address(history, client):
    client.force_login(make_user(*AUDITOR))
    number = Change.objects.latest("pk").pk
    response = client.get(f"{CHANGES}{number}/change/", follow=True)
    assert [row.pk for row in response.context["cl"].result_list] == [number]
    assert client.get(f"{CHANGES}{number + 1}/change/").status_code == 404
    assert client.post(f"{CHANGES}{number}/change/").status_code == 403


def test_who_may_see_single_tasks_only_sees_their_changes(history, client, settings):
    digest, _index = history
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        f"{__name__}.OnlyThatTask",
    ]
    update_task(digest, name="that")
    client.force_login(make_user("view_change"), backend=settings.AUTHENTICATION_BACKENDS[0])
    shown = client.get(CHANGES).content.decode()
    assert "rebuild-index" not in shown
    assert "ops laptop" in shown


def test_a_task_that_is_gone_has_no_link(history, client):
    digest, _index = history
    delete_task(digest)
    client.force_login(make_user(superuser=True))
    shown = client.get(CHANGES).content.decode()
    assert f"{digest.pk}/change/" not in shown
    assert "Deleted" in shown


def test_the_files_have_all_rows_and_no_formulas(history, client):
    digest, _index = history
    update_task(digest, description='=HYPERLINK("http://x")')
    client.force_login(make_user(*AUDITOR))
    assert client.get(f"{CHANGES}export.csv").status_code == 403
    client.force_login(make_user("export_changes"))
    assert client.get(f"{CHANGES}export.json").status_code == 403
    client.force_login(make_user(*AUDITOR, "export_changes"))
    assert f'href="{CHANGES}export.csv?way=api"' in client.get(f"{CHANGES}?way=api").content.decode()
    response = client.get(f"{CHANGES}export.csv")
    assert response.streaming
    rows = list(csv.DictReader(response.getvalue().decode().splitlines()))
    assert len(rows) == 7
    assert rows[0]["new"] == '\'=HYPERLINK("http://x")'
    found = json.loads(client.get(f"{CHANGES}export.json?way=api").getvalue())
    assert [(row["by"], row["door"]) for row in found] == [("ben", "ops laptop")]


def test_the_log_of_the_admin_names_what_really_changed(client):
    task = make_task(name="bill", function="testapp.give", params={"value": "1"}, timeout=timedelta(minutes=5))
    client.force_login(make_user(*EDITOR, name="anna"))
    given = FORM | {"name": "bill", "function": "testapp.give", "param-p-value": '"1"', "schedule_kind": "manual"}
    given |= {"timeout_0": "5", "timeout_1": "60", "timezone": task.timezone, "max_attempts": "4"}
    assert client.post(f"{TASKS}{task.pk}/change/", given).status_code == 302
    assert LogEntry.objects.latest("pk").get_change_message() == "Changed Attempts."
    row = Change.objects.latest("pk")
    assert [item["field"] for item in row.fields] == ["max_attempts"]
    assert (row.way, row.address, row.user_name) == ("admin", "127.0.0.1", "anna")


def test_nobody_changes_or_deletes_what_was_recorded(history, client):
    client.force_login(make_user(superuser=True))
    number = Change.objects.latest("pk").pk
    assert client.get(f"{CHANGES}add/").status_code == 403
    assert client.post(f"{CHANGES}{number}/delete/", {"post": "yes"}).status_code == 403
    assert Change.objects.filter(pk=number).exists()


def test_without_any_change_it_says_what_will_stand_there(page_of):
    Change.objects.all().delete()
    assert "No changes yet." in page_of(CHANGES, *AUDITOR)
