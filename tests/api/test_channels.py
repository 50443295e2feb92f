"""The calls about channels and rules."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from django_scheduled_tasks.exceptions import AlertRuleNotFound, ChannelNotFound, InvalidInput
from django_scheduled_tasks.models import Alert, AlertRule, Channel, Notice, read_now
from django_scheduled_tasks.services.alerts.edit_rules import save_channel, save_rule
from django_scheduled_tasks.services.alerts.telling.dead import does_not_answer
from tests.api.conftest import ROOT, client_of, codes
from tests.factories import OWNER, make_task

pytestmark = pytest.mark.django_db
CHANNELS, RULES = f"{ROOT}/channels/", f"{ROOT}/alert-rules/"


@pytest.fixture
def client():
    AlertRule.objects.all().delete()
    Channel.objects.all().delete()
    return client_of(*OWNER)


def make_channel(**values):
    return Channel.objects.create(**{"name": "ops", "kind": "mail", "address": "ops@example.com", **values})


def send(client, method, address, body):
    return getattr(client, method)(address, body, format="json")


# --- channels


def test_a_channel_is_made_changed_and_deleted(client):
    body = {"name": "chat", "kind": "apprise", "secretName": "SLACK_URL"}
    response = send(client, "post", CHANNELS, body)
    assert response.status_code == 201
    found = response.json()
    number = found.pop("id")
    assert found == {
        **body,
        "address": "",
        "report": None,
        "enabled": True,
        "failingSince": None,
        "tries": 0,
        "lastAnswer": "",
        "nextTryAt": None,
    }
    address = f"{CHANNELS}{number}/"
    changed = send(client, "patch", address, {"enabled": False, "name": "#ops"}).json()
    assert (changed["name"], changed["enabled"], changed["secretName"]) == ("#ops", False, "SLACK_URL")
    assert client.get(CHANNELS).json()["results"] == [client.get(address).json()] == [changed]
    assert send(client, "patch", address, {"report": "weekly"}).json()["report"] == "weekly"
    assert send(client, "patch", address, {"report": "hourly"}).status_code == 400
    assert send(client, "patch", address, {"report": None}).json()["report"] is None
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"name": "x", "kind": "telepathy"}, "kind"),
        ({"name": "x", "kind": "webhook", "address": "nonsense"}, "address"),
        ({"name": "x", "kind": "mail", "address": "a@example.com, nonsense"}, "address"),
        ({"name": "x", "kind": "apprise", "address": "slack://a/b/c"}, "address"),
        ({"name": "x", "kind": "apprise"}, "secretName"),
        ({"name": "x", "kind": "apprise", "secretName": "slack://a/b/c"}, "secretName"),
        ({"name": "x", "kind": "webhook", "address": "https://example.com/••••••••"}, "address"),
    ],
)
def test_what_the_kind_cannot_be_is_refused_as_in_the_admin(client, body, wrong):
    response = send(client, "post", CHANNELS, body)
    assert (response.status_code, codes(response)) == (422, [("invalid_input", wrong)])
    assert not Channel.objects.exists()


def test_a_change_that_does_not_fit_the_rest_is_refused(client):
    row = make_channel()
    response = send(client, "patch", f"{CHANNELS}{row.pk}/", {"kind": "webhook"})
    assert (response.status_code, codes(response)) == (422, [("invalid_input", "address")])


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "https://user:pass@hooks.example.com:8443/very/secret?token=secret",
            "https://hooks.example.com:8443/••••••••",
        ),
        ("http://[", "••••••••"),
        ("a@example.com, b@example.com", "a@example.com, b@example.com"),
        ("", ""),
    ],
)
def test_of_a_url_only_the_host_is_shown(client, address, shown):
    row = make_channel(kind="webhook", address=address)
    assert client.get(f"{CHANNELS}{row.pk}/").json()["address"] == shown


def test_of_one_that_does_not_answer_it_is_said(client):
    row, now = make_channel(), read_now()
    alert = Alert.objects.create(kind="late", opened_at=now, open_key="x")
    Notice.objects.create(
        alert=alert, channel=row, event="opened", created_at=now, next_try_at=now + timedelta(hours=1)
    )
    for _ in range(3):
        does_not_answer(row.pk, "HTTP 503", now)
    (found,) = client.get(CHANNELS).json()["results"]
    assert (found["tries"], found["lastAnswer"]) == (3, "HTTP 503")
    assert found["failingSince"] < found["nextTryAt"]


def test_a_test_is_sent_and_what_was_answered_is_said(client, settings):
    row = make_channel()
    does_not_answer(row.pk, "HTTP 503", read_now())
    assert send(client, "post", f"{CHANNELS}{row.pk}/test/", {}).json() == {"taken": True, "answer": "Sent to 1."}
    assert mail.outbox[0].to == ["ops@example.com"]
    row.refresh_from_db()
    assert row.failing_since is None
    Channel.objects.update(kind="apprise", secret_name="ABSENT")
    found = send(client, "post", f"{CHANNELS}{row.pk}/test/", {}).json()
    assert found["taken"] is False
    assert "no secret called ABSENT" in found["answer"]


def test_tests_count_as_what_starts_something(client, settings):
    rates = {"DEFAULT_THROTTLE_RATES": {"scheduled-tasks-trigger": "1/hour"}}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | rates
    row = make_channel()
    statuses = [send(client, "post", f"{CHANNELS}{row.pk}/test/", {}).status_code for _ in range(2)]
    assert statuses == [200, 429]


# --- rules


def test_a_rule_is_made_changed_and_deleted(client):
    task, channel = make_task(name="digest"), make_channel()
    body = {
        "name": "night",
        "scope": "task",
        "task": "digest",
        "kinds": ["failing", "missed", "failing"],
        "after": 2,
        "remindEvery": "4h",
        "quietFrom": "22:00",
        "quietUntil": "07:00",
        "tellAtOnce": ["missed"],
        "channels": [channel.pk],
    }
    response = send(client, "post", RULES, body)
    assert response.status_code == 201, response.content
    found = response.json()
    number = found.pop("id")
    assert found == {
        **{name: item for name, item in body.items() if name != "task"},
        "enabled": True,
        "tag": "",
        "taskId": str(task.pk),
        "kinds": ["failing", "missed"],
        "closesAfter": 1,
        "margin": None,
        "declared": False,
    }
    address = f"{RULES}{number}/"
    change = {"scope": "tag", "tag": "billing", "task": None, "after": 1, "quietFrom": None, "quietUntil": None}
    changed = send(client, "patch", address, change).json()
    assert (changed["scope"], changed["tag"], changed["taskId"], changed["after"]) == ("tag", "billing", None, 1)
    assert changed["channels"] == [channel.pk]
    assert client.get(RULES).json()["results"] == [client.get(address).json()] == [changed]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "wrong"),
    [
        ({"kinds": []}, 422, [("invalid_input", "kinds")]),
        ({"channels": []}, 422, [("invalid_input", "channels")]),
        ({"channels": [987_654]}, 422, [("invalid_input", "channels")]),
        ({"scope": "tag"}, 422, [("invalid_input", "tag")]),
        ({"scope": "task"}, 422, [("invalid_input", "task")]),
        ({"task": "absent"}, 404, [("task_not_found", "")]),
        ({"remindEvery": "5s"}, 422, [("invalid_input", "remindEvery")]),
        ({"quietFrom": "22:00"}, 422, [("invalid_input", "quietUntil")]),
        ({"after": 0}, 400, [("invalid_input", "after")]),
        ({"kinds": ["nonsense"]}, 400, [("invalid_input", "kinds")]),
    ],
)
def test_what_a_rule_cannot_be_is_refused_as_in_the_admin(client, change, status, wrong):
    channel = make_channel()
    body = {"name": "x", "kinds": ["late"], "channels": [channel.pk]} | change
    response = send(client, "post", RULES, body)
    assert (response.status_code, [(code, field.partition(".")[0]) for code, field in codes(response)]) == (
        status,
        wrong,
    )
    assert not AlertRule.objects.exists()


def test_a_change_of_a_rule_leaves_the_rest_as_it_is(client):
    channel = make_channel()
    row = AlertRule.objects.create(name="x", kinds=["late"], after=3)
    row.channels.add(channel)
    assert send(client, "patch", f"{RULES}{row.pk}/", {"name": "y"}).json()["after"] == 3
    response = send(client, "patch", f"{RULES}{row.pk}/", {"scope": "tag"})
    assert (response.status_code, codes(response)) == (422, [("invalid_input", "tag")])


def test_lists_cost_as_many_statements_for_many_as_for_one(client, django_assert_num_queries):
    def fill(count):
        for number in range(count):
            row = AlertRule.objects.create(name=f"{number}", kinds=["late"])
            row.channels.add(make_channel(name=f"{number}"))

    fill(1)
    client.get(RULES)
    with django_assert_num_queries(5) as alone:
        client.get(RULES)
        client.get(CHANNELS)
    fill(5)
    with django_assert_num_queries(len(alone)):
        client.get(RULES)
        client.get(CHANNELS)


@pytest.mark.parametrize("name", ["c\r\n2026-12-01 ERROR forged", "red \x1b[31m", "tab\there"])
def test_a_name_that_would_forge_a_line_of_a_log_is_refused(client, name):
    channel = Channel.objects.create(name="chat", kind="mail")
    rule = {"name": name, "scope": "all", "kinds": ["failing"], "channels": [channel.pk]}
    for address, body in ((CHANNELS, {"name": name, "kind": "mail"}), (RULES, rule)):
        response = send(client, "post", address, body)
        assert (response.status_code, codes(response)) == (422, [("invalid_input", "name")])


def test_what_was_deleted_a_moment_ago_is_not_changed_and_a_rule_needs_channels(client):
    rule, channel = AlertRule.objects.create(name="x", kinds=["late"]), make_channel()
    AlertRule.objects.filter(pk=rule.pk).delete()
    Channel.objects.filter(pk=channel.pk).delete()
    with pytest.raises(AlertRuleNotFound):
        save_rule(rule, name="y")
    with pytest.raises(ChannelNotFound):
        save_channel(channel, name="y")
    with pytest.raises(InvalidInput, match="at least one channel"):
        save_rule(AlertRule(name="x", kinds=["late"]))


def test_addresses_are_numbers(client):
    assert codes(client.get(f"{CHANNELS}x/")) == [("channel_not_found", "")]
    assert codes(client.get(f"{RULES}x/")) == [("rule_not_found", "")]
