"""A form that is saved later does not put back what was changed meanwhile: it is refused, and shows both."""

from __future__ import annotations

import re

import pytest

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.tasks import edit
from tests.admin.pages import TASKS, Fields
from tests.factories import EDITOR, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def task():
    return make_task(
        name="Nightly", function="testapp.secretive", schedule_kind="cron", expression="0 3 * * *",
        params={"password": "Pa55word", "user": "anna"}, timezone="UTC",
    )  # fmt: skip


@pytest.fixture
def url(client, task):
    client.force_login(make_user(*EDITOR, name="anna"))
    return f"{TASKS}{task.pk}/change/"


def opened(client, url: str) -> dict[str, str]:
    return Fields(client.get(url).content.decode()).sent


def table(response) -> list[list[str]]:
    """Return what the page shows of what differs: field, stored, yours."""
    page = response.content.decode()
    part = page[page.index('id="dst-conflict"') :]
    rows = re.findall(
        r"<tr><th scope=\"row\">(.*?)</th><td>(.*?)</td><td>(.*?)</td></tr>", part[: part.index("</table>")]
    )
    return [list(row) for row in rows]


def stored() -> ScheduledTask:
    return ScheduledTask.objects.get()


def test_nothing_that_was_changed_meanwhile_is_put_back(client, url, task):
    sent = opened(client, url)
    other = make_user(name="berta")
    edit.update_task(task, user=other, expression="0 4 * * *", queue="slow")
    response = client.post(url, sent | {"description": "new"})
    assert response.status_code == 200
    assert (stored().expression, stored().queue, stored().description) == ("0 4 * * *", "slow", "")
    assert table(response) == [["Expression", "0 4 * * *", "0 3 * * *"], ["Queue", "slow", "—"]]
    assert "berta" in response.content.decode()


def test_the_page_keeps_what_was_typed_and_a_second_save_is_meant(client, url, task):
    sent = opened(client, url)
    edit.update_task(task, queue="slow")
    again = Fields(client.post(url, sent | {"description": "new"}).content.decode()).sent
    assert (again["description"], again["queue"]) == ("new", "")
    assert client.post(url, again).status_code == 302
    assert (stored().description, stored().queue) == ("new", "")


def test_a_third_change_is_noticed_as_well(client, url, task):
    sent = opened(client, url)
    edit.update_task(task, queue="slow")
    again = Fields(client.post(url, sent).content.decode()).sent
    edit.update_task(task, queue="slower")
    assert table(client.post(url, again)) == [["Queue", "slower", "—"]]
    assert stored().queue == "slower"


def test_two_tabs_of_one_person_are_two_forms(client, url):
    first, second = opened(client, url), opened(client, url)
    assert client.post(url, first | {"max_attempts": "3"}).status_code == 302
    assert table(client.post(url, second | {"description": "x"})) == [["Attempts", "3", "1"]]
    assert stored().max_attempts == 3


@pytest.mark.parametrize("change", ["pause", "resume", "the same"])
def test_what_the_form_does_not_decide_is_no_conflict(client, url, task, change):
    sent = opened(client, url)
    if change == "the same":
        edit.update_task(task, description="new")
    else:
        getattr(edit, change)(task)
    assert client.post(url, sent | {"description": "new"}).status_code == 302
    assert stored().description == "new"
    assert (stored().paused_at is not None) == (change == "pause")


def test_a_secret_that_was_changed_meanwhile_stays_and_none_is_shown(client, url, task):
    sent = opened(client, url)
    edit.update_task(task, params={"password": "0ther", "user": "berta"})
    response = client.post(url, sent | {"description": "new"})
    assert table(response) == [
        [
            "Parameters",
            "{&quot;password&quot;: &quot;••••••••&quot;, &quot;user&quot;: &quot;berta&quot;}",
            "{&quot;password&quot;: &quot;••••••••&quot;, &quot;user&quot;: &quot;anna&quot;}",
        ]
    ]
    assert not re.search("0ther|Pa55word", response.content.decode())
    client.post(url, Fields(response.content.decode()).sent)
    assert stored().params == {"password": "0ther", "user": "anna"}


def test_wrong_fields_and_a_conflict_are_shown_together(client, url, task):
    sent = opened(client, url)
    edit.update_task(task, expression="0 4 * * *")
    response = client.post(url, sent | {"cron": "61 * * * *"})
    assert table(response) == [["Expression", "0 4 * * *", "61 * * * *"]]
    assert "Minute: 61 is not between 0 and 59." in response.content.decode()


def test_two_versions_of_a_token_cannot_be_made_up(client, url, task):
    sent = opened(client, url)
    edit.update_task(task, queue="slow")
    response = client.post(url, sent | {"dst_version": "nonsense"})
    assert table(response)
    assert stored().queue == "slow"


def test_a_version_of_ones_own_does_not_tell_whether_a_secret_was_guessed(client, url, task):
    before = stored()
    sent = opened(client, url) | {"dst_version": "x"}
    pages = []
    for guess in ("Pa55word", "Pa55w0rd"):
        response = client.post(url, sent | {"param-p-password": guess})
        assert response.status_code == 200
        pages.append(table(response))
    assert pages[0] == pages[1]
    assert "Pa55" not in str(pages)
    assert stored().params == before.params
    assert stored().updated_at == before.updated_at
