"""The pages about alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.urls import reverse

from django_scheduled_tasks.models import Alert, AlertRule, Channel, Notice, read_now
from tests.factories import OPERATOR, OWNER, VIEWER, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_scheduled_tasks_alert_changelist")


@pytest.fixture
def alerts():
    """An alert that is open and one that is closed, the newer one."""
    now = read_now()
    row = make_execution(make_task())
    opened = Alert.objects.create(
        kind="failing", task=row.task, task_name="digest", opened_at=now, open_key="a", count=2, latest_execution=row.pk
    )
    closed = Alert.objects.create(kind="no_worker", queue="mail", opened_at=now, closed_at=now)
    return opened, closed


def act(client, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    response = client.post(LIST, data)
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_open_ones_come_first_with_what_is_wrong(client, alerts):
    client.force_login(make_user(*VIEWER))
    text = client.get(LIST).content.decode()
    assert text.index("digest") < text.index("Queue mail")
    assert f"2 executions in a row failed; the last one is #{alerts[0].latest_execution}." in text
    assert "It is over." in text
    assert "acknowledge_selected" not in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=open", {"digest"}),
        ("state=new", {"digest"}),
        ("state=silent", set()),
        ("state=closed", {"Queue mail"}),
        ("kind=no_worker", {"Queue mail"}),
        ("q=dig", {"digest"}),
    ],
)
def test_filters(client, alerts, query, shown):
    client.force_login(make_user(*VIEWER))
    text = client.get(f"{LIST}?{query}").content.decode()
    assert {name for name in ("digest", "Queue mail") if f">{name}</a>" in text} == shown


def test_to_acknowledge_and_to_silence(client, alerts):
    user = make_user(*OPERATOR)
    client.force_login(user)
    opened, closed = alerts
    assert act(client, "acknowledge_selected", *alerts) == [
        f"Alert {closed.pk} is over already.",
        "Done for 1 alert.",
    ]
    opened.refresh_from_db()
    assert opened.acknowledged_by == user
    for action, least in [("silence_for_an_hour", 0.9), ("silence_for_a_day", 23)]:
        act(client, action, opened)
        opened.refresh_from_db()
        assert opened.silenced_until > read_now() + timedelta(hours=least)
    text = client.get(LIST).content.decode()
    assert f"acknowledged by {user}, silent until" in text
    act(client, "end_silence", opened)
    opened.refresh_from_db()
    assert opened.silenced_until is None


def test_the_page_of_an_alert_says_who_was_told_and_what_the_channel_answered(client, alerts):
    opened, closed = alerts
    channel = Channel.objects.create(name="#ops", kind="webhook", address="https://example.com/very-secret")
    now = read_now()
    for event, values in {
        "opened": {"sent_at": now, "answer": "HTTP 204"},
        "reminder": {"next_try_at": now, "answer": "HTTP 503"},
        "closed": {"answer": "No answer in time."},
    }.items():
        Notice.objects.create(alert=opened, channel=channel, event=event, created_at=now, **values)
    client.force_login(make_user(*VIEWER))
    text = client.get(reverse("admin:django_scheduled_tasks_alert_change", args=[opened.pk])).content.decode()
    assert "#ops, opened" in text
    assert "#ops, reminder: not yet. HTTP 503" in text
    assert "#ops, closed: given up. No answer in time." in text
    assert f"Execution #{opened.latest_execution}" in text
    assert "very-secret" not in text
    text = client.get(reverse("admin:django_scheduled_tasks_alert_change", args=[closed.pk])).content.decode()
    assert "Nobody" in text


def rule_form(**values):
    return {"name": "night", "scope": "all", "kinds": ["late"], "after": 1, "closes_after": 1} | values


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"kinds": []}, "Choose at least one kind."),
        ({"scope": "tag"}, "Which tag?"),
        ({"scope": "task"}, "Which task?"),
        ({"after": 0}, "At least 1."),
        ({"remind_every_0": "5", "remind_every_1": "1"}, "At least a minute."),
        ({"channels": []}, "This field is required."),
    ],
)
def test_what_a_rule_needs(client, values, error):
    client.force_login(make_user(*OWNER))
    channel = Channel.objects.create(name="ops", kind="mail")
    form = rule_form(channels=[channel.pk]) | values
    text = client.post(reverse("admin:django_scheduled_tasks_alertrule_add"), form).content.decode()
    assert error in text
    assert not AlertRule.objects.filter(name="night").exists()


def test_a_rule_is_made_and_listed_in_words(client):
    client.force_login(make_user(*OWNER))
    channel = Channel.objects.create(name="ops", kind="mail")
    form = rule_form(channels=[channel.pk], kinds=["failing", "too_long"], remind_every_0="1", remind_every_1="3600")
    client.post(reverse("admin:django_scheduled_tasks_alertrule_add"), form)
    rule = AlertRule.objects.get(name="night")
    assert (rule.kinds, rule.remind_every) == (["failing", "too_long"], timedelta(hours=1))
    assert (
        "Failing, Too long" in client.get(reverse("admin:django_scheduled_tasks_alertrule_changelist")).content.decode()
    )


@pytest.mark.parametrize(
    ("values", "is_fine"),
    [
        ({"kind": "mail", "address": ""}, True),
        ({"kind": "mail", "address": "a@example.com, b@example.com"}, True),
        ({"kind": "mail", "address": "nobody"}, False),
        ({"kind": "webhook", "address": "https://example.com/hook"}, True),
        ({"kind": "webhook", "address": "ftp://example.com"}, False),
    ],
)
def test_the_address_of_a_channel(client, values, is_fine):
    client.force_login(make_user(*OWNER))
    client.post(reverse("admin:django_scheduled_tasks_channel_add"), {"name": "new", "enabled": "on", **values})
    assert Channel.objects.filter(name="new").exists() == is_fine


def test_a_test_is_sent_and_its_answer_shown(client):
    client.force_login(make_user(*OWNER))
    rows = [
        Channel.objects.create(name="fine", kind="mail", address="a@example.com"),
        Channel.objects.create(name="wrong", kind="webhook", address="x"),
    ]
    address = reverse("admin:django_scheduled_tasks_channel_changelist")
    response = client.post(address, {"action": "send_a_test", "_selected_action": [row.pk for row in rows]})
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert said[0] == "fine: Sent to 1."
    assert said[1].startswith("wrong: The address is no URL")
    assert len(mail.outbox) == 1


def test_the_list_is_called_alerts_and_has_its_icons_and_how_the_installation_is(client):
    client.force_login(make_user(superuser=True))
    page = client.get("/admin/django_scheduled_tasks/alert/").content.decode()
    assert "<title>Alerts |" in page
    assert 'id="dst-i-failed"' in page
    assert "Not started yet." in page
