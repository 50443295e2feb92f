"""The pages about alerts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_scheduled_tasks.models import Alert, AlertRule, Channel, Notice, read_now
from tests.factories import OPERATOR, OWNER, VIEWER, make_execution, make_first_rule, make_task, make_user

pytestmark = pytest.mark.django_db
LIST = reverse("admin:django_scheduled_tasks_alert_changelist")


@pytest.fixture
def alerts():
    """An alert that is open and one that is closed, the newer one; a rule is about the first."""
    make_first_rule()
    now = read_now()
    row = make_execution(make_task())
    opened = Alert.objects.create(
        kind="failing", task=row.task, task_name="digest", opened_at=now, open_key="a", count=2, latest_execution=row.pk
    )
    closed = Alert.objects.create(kind="no_worker", queue="mail", opened_at=now, closed_at=now)
    return opened, closed


def test_why_nobody_was_told(client, alerts):
    client.force_login(make_user(*VIEWER))
    assert "Nobody not yet" in text_of(client.get(LIST).content.decode())
    now = timezone.localtime()
    quiet = {"quiet_from": (now - timedelta(hours=1)).time(), "quiet_until": (now + timedelta(hours=2)).time()}
    AlertRule.objects.update(**quiet)
    assert re.search(r"Nobody quiet until (\w+ )?\d\d:\d\d", text_of(client.get(LIST).content.decode()))
    AlertRule.objects.update(tell_at_once=["failing"])
    assert "Nobody not yet" in text_of(client.get(LIST).content.decode())
    AlertRule.objects.update(enabled=False)
    assert "Nobody no rule" in text_of(client.get(LIST).content.decode())
    alerts[0].silenced_until = read_now() + timedelta(hours=1)
    alerts[0].save()
    assert "Nobody it is silent" in text_of(client.get(LIST).content.decode())


def url(page, *numbers):
    return reverse(f"admin:django_scheduled_tasks_alert_{page}", args=numbers)


def told_after(response):
    return [text_of(str(message)) for message in get_messages(response.wsgi_request)]


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_what_is_open_stands_first_in_groups_with_what_is_wrong_and_who_was_told(client, alerts):
    client.force_login(make_user(*VIEWER))
    text = text_of(client.get(LIST).content.decode())
    assert "Open 1 New 1 Silent 0 Closed 1" in text
    assert text.index("Tasks Kind") < text.index("digest") < text.index("Closed in the last 7 days")
    assert text.index("Closed in the last 7 days") < text.index("Queue mail")
    assert f"Twice in a row · Execution #{alerts[0].latest_execution} Nobody not yet" in text
    assert "It is over." in text
    assert "alert/acknowledge" not in client.get(LIST).content.decode()
    assert "Installation" not in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=open", {"digest", "Queue mail"}),
        ("state=new", {"digest"}),
        ("state=silent", set()),
        ("state=closed", {"Queue mail"}),
        ("state=closed&kind=late", set()),
        ("q=dig", {"digest"}),
        ("state=closed&q=mai", {"Queue mail"}),
    ],
)
def test_filters(client, alerts, query, shown):
    client.force_login(make_user(*VIEWER))
    page = client.get(f"{LIST}?{query}").content.decode()
    tables = "".join(re.findall(r"<tbody>.*?</tbody>", page))
    assert {name for name in ("digest", "Queue mail") if name in tables} == shown


def test_to_acknowledge_acts_at_once_and_the_message_takes_it_back(client, alerts):
    user = make_user(*OPERATOR)
    client.force_login(user)
    opened, closed = alerts
    response = client.post(f"{url('acknowledge', opened.pk)}?back=state%3Dopen")
    assert response.url == f"{LIST}?state=open"
    assert told_after(response) == ["Acknowledged. No more reminders. Undo Comment…"]
    opened.refresh_from_db()
    assert opened.acknowledged_by == user
    text = text_of(client.get(LIST).content.decode())
    assert f"acknowledged by {user}, " in text
    assert "New 0" in text
    other = Client()
    other.force_login(make_user(*OPERATOR))
    other.post(url("undo"), {"alert": [opened.pk]})
    opened.refresh_from_db()
    assert opened.acknowledged_by == user  # what somebody else has said stays
    client.post(url("undo"), {"alert": [opened.pk, "x", 9]})
    opened.refresh_from_db()
    assert (opened.acknowledged_by, opened.acknowledged_at) == (None, None)
    assert told_after(client.post(url("acknowledge", closed.pk)))[-1] == f"Alert {closed.pk} is over already."
    assert client.post(url("acknowledge", 999)).status_code == 404


def test_all_alerts_of_a_task_are_acknowledged_at_once(client, alerts):
    client.force_login(make_user(*OPERATOR))
    task, now = alerts[0].task, read_now()
    assert "Acknowledge all of" not in client.get(LIST).content.decode()
    Alert.objects.create(kind="late", task=task, task_name=task.name, opened_at=now, open_key="b")
    other = Alert.objects.create(kind="late", task=make_task(), task_name="other", opened_at=now, open_key="c")
    assert "Acknowledge all of digest" not in (page := client.get(LIST).content.decode())  # as it is called now
    assert f"Acknowledge all of {task.name}" in page
    response = client.post(url("acknowledge_all"), {"task": task.pk})
    assert told_after(response) == [f"Acknowledged 2 alerts of {task.name}. No more reminders. Undo"]
    assert list(Alert.objects.filter(open_key__isnull=False, acknowledged_at=None)) == [other]
    said = told_after(client.post(url("acknowledge_all"), {"task": task.pk}))
    assert said[-1] == "All of them were acknowledged already."


def test_a_comment_follows_and_to_close_says_who_and_why(client, alerts):
    user = make_user(*OPERATOR)
    client.force_login(user)
    opened, _closed = alerts
    client.post(url("comment", opened.pk), {"comment": "big month"})
    assert re.search(f"acknowledged by {user}, .....: “big month”", text_of(client.get(LIST).content.decode()))
    assert "opens no other one" in client.get(url("close", opened.pk)).content.decode()
    response = client.post(f"{url('close', opened.pk)}?alert={opened.pk}", {"comment": "known"})
    assert response.url == url("change", opened.pk)
    opened.refresh_from_db()
    assert (opened.is_open, opened.closed_by, opened.comment) == (False, user, "known")
    assert f"Closed by {user}. “known”" in text_of(client.get(LIST).content.decode())


def test_to_silence_asks_until_when_and_why(client, alerts):
    client.force_login(make_user(*OPERATOR))
    opened, _closed = alerts
    asks = text_of(client.get(url("silence", opened.pk)).content.decode())
    assert "1 hour" in asks
    assert "until Mon 09:00" in asks
    for until, least, most in (("hour", 0.9, 1.1), ("morning", 0, 24), ("monday", 0, 7 * 24)):
        client.post(url("silence", opened.pk), {"until": until, "reason": "known"})
        opened.refresh_from_db()
        left = opened.silenced_until - read_now()
        assert timedelta(hours=least) < left <= timedelta(hours=most), until
    text = text_of(client.get(LIST).content.decode())
    assert re.search("Silent until .* · “known”", text)
    assert "Silent 1" in text
    for at, error in (("", "Which date?"), ("2020-01-01", "This is in the past.")):
        form = {"until": "at", "at_0": at, "at_1": "10:00" if at else ""}
        assert error in client.post(url("silence", opened.pk), form).content.decode()
    client.post(url("end_silence", opened.pk))
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
        ({"channels": []}, "Choose at least one channel, or nobody is told."),
        ({"quiet_from": "22:00"}, "Quiet hours need a beginning and an end."),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "Quiet hours end at another time than they begin."),
        ({"margin_0": "5", "margin_1": "1"}, "At least a minute."),
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
    said = told_after(response)
    assert re.fullmatch("Sent to fine in .*s: “Sent to 1.”", said[0])
    assert re.match("wrong did not take it, after .*s: “The address is no URL", said[1])
    assert len(mail.outbox) == 1
    rule = AlertRule.objects.create(name="night", kinds=["late"])
    rule.channels.set(rows[1:])
    address = f"{reverse('admin:django_scheduled_tasks_channel_test')}?rule={rule.pk}"
    assert "Send a test to fine" not in (page := client.get(address).content.decode())
    assert "Send a test to wrong" in page
    assert "wrong did not take it" in told_after(client.post(address, {"channel": rows[1].pk}))[-1]
    client.post(address, {"channel": rows[0].pk})  # none of the rule's
    assert len(mail.outbox) == 1


def test_a_tag_that_no_task_has_is_a_warning_and_those_that_have_one_are_offered(client):
    client.force_login(make_user(*OWNER))
    channel = Channel.objects.create(name="ops", kind="mail")
    make_task(tags=["billing"])
    add = reverse("admin:django_scheduled_tasks_alertrule_add")
    page = client.get(add).content.decode()
    assert "billing (1 task)" in page
    assert "All 1" in page
    response = client.post(add, rule_form(channels=[channel.pk], scope="tag", tag="biling"))
    assert "No task has the tag “biling”." in told_after(response)
    client.post(add, rule_form(channels=[channel.pk], scope="tag", tag="billing", name="other"))
    assert AlertRule.objects.filter(scope="tag").count() == 2


def test_pages_of_rules_and_channels_have_the_health_line(page_of):
    channel = Channel.objects.create(name="ops", kind="mail")
    rule = AlertRule.objects.create(name="night", kinds=["late"])
    for model, pk in (("channel", channel.pk), ("alertrule", rule.pk)):
        for page, args in (("changelist", []), ("add", []), ("change", [pk])):
            said = text_of(page_of(reverse(f"admin:django_scheduled_tasks_{model}_{page}", args=args), *OWNER))
            assert said.count("No scheduler has been seen") == 1, (model, page)


def test_a_channel_that_does_not_answer_has_its_line(client, alerts):
    client.force_login(make_user(*OWNER))
    now = read_now()
    Channel.objects.create(name="PagerDuty", kind="mail", failing_since=now, failed_tries=3, last_answer="HTTP 503")
    line = "Channel PagerDuty does not answer since"
    assert line in text_of(client.get(LIST).content.decode())
    assert line in text_of(client.get(reverse("admin:django_scheduled_tasks_alertrule_add")).content.decode())
    assert "HTTP 503" in client.get(reverse("admin:django_scheduled_tasks_channel_changelist")).content.decode()


def test_where_nobody_is_told_the_page_says_so(client, settings):
    client.force_login(make_user(*OWNER))
    make_first_rule()
    settings.ADMINS = []
    said = text_of(client.get(LIST).content.decode())
    assert "Nothing is open." in said
    assert "Nobody is told: ADMINS is empty and there is no other channel. Add channel" in said
    settings.ADMINS = ["ops@example.com"]
    assert "Nobody is told" not in client.get(LIST).content.decode()


def test_the_list_is_called_alerts_and_has_its_icons_and_how_the_installation_is(client):
    client.force_login(make_user(superuser=True))
    page = client.get("/admin/django_scheduled_tasks/alert/").content.decode()
    assert "<title>Alerts |" in page
    assert 'id="dst-i-failed"' in page
    assert "Not started yet." in page
