"""Pause and resume in the admin: whose pause stays, and what is said."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages

from django_scheduled_tasks.services.tasks.edit import pause
from tests.admin.pages import TASKS
from tests.factories import EDITOR, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_editor(client):
    user = make_user(*EDITOR)
    client.force_login(user)
    return user


@pytest.fixture
def paused():
    return pause(
        make_task(name="Nightly", schedule_kind="cron", expression="0 3 * * *"),
        reason="audit",
        user=make_user(name="anna"),
    )


def said(response) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def test_the_pause_of_somebody_else_stays_and_the_admin_says_whose_it_is(client, as_editor, paused):
    address = f"{TASKS}{paused.pk}/pause/"
    assert "already paused by anna: “audit”" in client.get(address).content.decode()
    ((level, text),) = said(client.post(address, {"reason": "mine"}))
    assert (level, text.startswith('"Nightly" has been paused by anna since ')) == ("warning", True)
    assert text.endswith(": “audit”. Resume it before you pause it for another reason.")
    paused.refresh_from_db()
    assert paused.pause_reason == "audit"
    assert not LogEntry.objects.exists()


def test_of_several_those_are_paused_that_are_not_paused_already(client, as_editor, paused):
    other = make_task(name="Weekly")
    sent = {"action": "pause_selected", "_selected_action": [paused.pk, other.pk], "dst_asked": "1", "reason": "mine"}
    levels = [level for level, _text in said(client.post(TASKS, sent))]
    assert levels == ["warning", "success"]
    for task, reason in ((paused, "audit"), (other, "mine")):
        task.refresh_from_db()
        assert task.pause_reason == reason


def test_resuming_notes_whose_pause_it_was_and_says_so_if_there_was_none(client, as_editor, paused):
    address = f"{TASKS}{paused.pk}/resume/"
    assert said(client.post(address)) == [("success", "Resumed 1 task.")]
    assert LogEntry.objects.get().change_message == "Resumed. (by anna: “audit”)"
    client.get(TASKS)  # shows the message
    assert said(client.post(address)) == [("info", '"Nightly" is not paused.')]
    assert LogEntry.objects.count() == 1
