"""Before and after: saving a form whose instants, or whose waiting rows, change asks first."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Change, ScheduledTask, frozen_at
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.skips import skip
from tests.admin.pages import TASKS, Fields
from tests.factories import EDITOR, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now():
    with frozen_at(NOW):
        yield


@pytest.fixture
def task(_now):
    return make_task(
        name="Nightly", function="testapp.secretive", schedule_kind="cron", expression="0 3 * * 1-5",
        params={"password": "Pa55word", "user": "anna"}, timezone="Europe/Berlin", timeout=timedelta(minutes=10),
    )  # fmt: skip


@pytest.fixture
def url(client, task):
    client.force_login(make_user(*EDITOR, name="anna"))
    return f"{TASKS}{task.pk}/change/"


def opened(client, url: str) -> dict[str, str]:
    return Fields(client.get(url).content.decode()).sent


def text_of(response) -> str:
    page = response.content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("content-main") :])).split())


def stored() -> ScheduledTask:
    return ScheduledTask.objects.get()


def test_another_schedule_is_shown_before_it_is_saved(client, url, task):
    running = make_execution(task, status=Status.PROCESSING)
    waiting = make_execution(task)
    sent = opened(client, url) | {"cron": "0 5 * * 1-6", "timeout_0": "2", "name": "Daily"}
    response = client.post(url, sent)
    shown = text_of(response)
    for text in (
        "Cron 0 3 * * 1-5 At 03:00, Monday to Friday 0 5 * * 1-6 At 05:00, Monday to Saturday",
        "Time limit 10 min 2 min",
        "5 lost · 6 new · none as before · Europe/Berlin",
        "Mon 30 Nov 03:00 lost + 05:00 new",
        "Sun 29 Nov — —",
        f"Execution #{running.pk} goes on, under its old time limit of 10 min.",
        f"Execution #{waiting.pk} still starts.",
    ):
        assert text in shown, text
    assert stored().expression == "0 3 * * 1-5"
    again = Fields(response.content.decode()).sent
    assert again["cron"] == "0 5 * * 1-6"
    assert client.post(url, again | {"dst_asked": "1", "dst_reason": "too early"}).status_code == 302
    assert (stored().expression, stored().name) == ("0 5 * * 1-6", "Daily")
    row = Change.objects.latest("pk")
    assert (row.reason, {item["field"] for item in row.fields}) == ("too early", {"expression", "timeout", "name"})


def test_names_and_descriptions_are_saved_at_once(client, url):
    sent = opened(client, url)
    assert client.post(url, sent | {"name": "Daily", "description": "new", "max_attempts": "3"}).status_code == 302
    assert stored().name == "Daily"


def test_the_same_instants_in_other_words_are_no_question(client, url):
    assert client.post(url, opened(client, url) | {"cron": "0 3 * * MON-FRI"}).status_code == 302
    assert stored().expression == "0 3 * * MON-FRI"


def test_the_form_comes_back_as_it_was_typed(client, url):
    sent = opened(client, url) | {"cron": "0 5 * * *", "description": "typed", "param-p-user": "ben"}
    again = Fields(client.post(url, sent).content.decode()).sent
    response = client.post(url, again | {"_back": "1"})
    page = response.content.decode()
    assert "Not saved yet: this is the form as you typed it." in page
    assert "errornote" not in page
    form = Fields(page).sent
    assert (form["cron"], form["description"], form["param-p-user"]) == ("0 5 * * *", "typed", "ben")
    assert form["dst_version"] == sent["dst_version"]
    assert stored().description == ""
    assert "What changes" in text_of(client.post(url, form))


def test_what_was_changed_while_the_question_was_open_is_not_overlooked(client, url, task):
    again = Fields(client.post(url, opened(client, url) | {"cron": "0 5 * * *"}).content.decode()).sent
    edit.update_task(task, user=make_user(name="ben"), expression="0 4 * * *")
    response = client.post(url, again | {"dst_asked": "1"})
    shown = text_of(response)
    assert "ben changed Cron, today 05:10:00: 0 3 * * 1-5 → 0 4 * * *." in shown or "ben changed Cron" in shown
    assert "Take mine" in shown
    assert "Keep ben's" in shown
    assert stored().expression == "0 4 * * *"
    mine = Fields(response.content.decode()).sent
    assert client.post(url, mine | {"_save": "1", "dst_asked": "1"}).status_code == 302
    assert stored().expression == "0 5 * * *"


def test_theirs_is_kept_with_whatever_else_was_typed(client, url, task):
    sent = opened(client, url) | {"cron": "0 5 * * *", "description": "typed"}
    theirs = {"expression": "0 4 * * *", "timeout": None, "starts_at": datetime(2027, 1, 1, tzinfo=UTC)}
    theirs |= {"confirm": True, "params": {"password": "Pa55word", "user": "carl"}}
    edit.update_task(task, user=make_user(name="ben"), **theirs)
    conflict = Fields(client.post(url, sent | {"timeout_0": "3"}).content.decode()).sent
    page = client.post(url, conflict | {"dst_version": sent["dst_version"], "dst_keep": "1"}).content.decode()
    kept = Fields(page).sent
    assert (kept["cron"], kept["timeout_0"], kept["description"]) == ("0 4 * * *", "", "typed")
    assert (kept["starts_at_0"], kept["confirm"], kept["param-p-user"]) == ("2027-01-01", "on", "carl")
    assert client.post(url, kept | {"dst_asked": "1"}).status_code == 302
    assert (stored().expression, stored().description, stored().params["user"]) == ("0 4 * * *", "typed", "carl")
    assert stored().params["password"] == "Pa55word"


def test_what_never_runs_again_says_so_and_can_be_saved(client, url):
    response = client.post(url, opened(client, url) | {"ends_at_0": "2026-11-28", "ends_at_1": "05:00:00"})
    assert "It never runs again." in text_of(response)
    sent = opened(client, url)
    del sent["enabled"]
    response = client.post(url, sent)
    assert "Its schedule is switched off: it does not run by itself." in text_of(response)


def test_frequent_schedules_are_counted(client, url):
    sent = opened(client, url) | {"schedule_kind": "interval", "every_0": "5", "every_1": "60"}
    assert "5 288 5 → 288" not in text_of(client.post(url, sent))
    assert "Mon 30 Nov 1 1 → 288" in text_of(client.post(url, sent))


def test_a_secret_cannot_be_guessed_by_the_question(client, url, task):
    make_execution(task)
    sent = opened(client, url)
    shown = [text_of(client.post(url, sent | {"param-p-password": guess})) for guess in ("Pa55word", "wrong-guess")]
    assert "What changes" in shown[0]
    assert shown[0] == shown[1]
    assert "Pa55word" not in shown[0]


def test_what_is_skipped_says_by_whom_and_whether_that_falls_away(client, url, task):
    skip(task, count=1, reason="stock-taking", user=make_user(name="ben"))
    shown = text_of(client.post(url, opened(client, url) | {"cron": "0 5 * * 1-6"}))
    assert "Mon 30 Nov 03:00 skipped by ben + 05:00 new the skip falls away" in shown
    assert "4 lost · 6 new" in shown
