"""Channels that do not answer have a line of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.models import AlertRule, Channel, Notice, read_now
from django_scheduled_tasks.services.alerts.telling.dead import dead_channels
from django_scheduled_tasks.services.alerts.telling.outbox import send, send_test, take_due, write_answer
from tests.factories import make_task
from tests.services.alerts.help import BAD, MINUTE, end, later, looking, make_channel, make_rule

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture
def channel(db):
    """A channel that has failed once, a moment ago."""
    AlertRule.objects.all().delete()
    channel = make_channel("PagerDuty")
    make_rule(Kind.FAILING, channels=[channel, make_channel("fine")])
    watch = looking()
    end(make_task(), BAD)
    watch.look()
    try_all()
    return channel


def refuse(target, _message):
    if target.name == "PagerDuty":
        raise NotDelivered("HTTP 503")
    return "HTTP 204"


def try_all(how=refuse):
    for parcel in take_due():
        write_answer(send(parcel, how))


def test_it_says_since_when_how_often_and_when_it_is_tried_again(channel, settings, django_assert_num_queries):
    settings.TIME_ZONE = "UTC"
    since = Channel.objects.get(pk=channel.pk).failing_since
    with later(MINUTE):
        try_all()
    with django_assert_num_queries(1):
        (dead,) = dead_channels()
    assert (dead.id, dead.name, dead.since, dead.tries, dead.answer) == (channel.pk, "PagerDuty", since, 2, "HTTP 503")
    assert dead.next_try_at == Notice.objects.get(channel=channel).next_try_at
    at = f"{since:%H:%M}" if since.date() == read_now().date() else f"{since:%Y-%m-%d %H:%M}"
    start = f"Channel PagerDuty does not answer since {at} (2 tries, HTTP 503); next try at "
    assert dead.sentence.startswith(start)


def test_of_another_day_the_date_is_said_and_nothing_of_a_try_that_does_not_come(channel, settings):
    settings.TIME_ZONE = "UTC"
    with later(timedelta(days=1, minutes=1)):
        try_all()
        (dead,) = dead_channels()
    assert dead.next_try_at is None
    assert dead.sentence == f"Channel PagerDuty does not answer since {dead.since:%Y-%m-%d %H:%M} (2 tries, HTTP 503)."


@pytest.mark.parametrize("how", ["a notice", "a test", "switched off"])
def test_it_is_over_as_soon_as_it_takes_something(channel, how):
    if how == "a notice":
        with later(MINUTE):
            try_all(lambda _target, _message: "HTTP 204")
    elif how == "a test":
        assert send_test(channel) == "Sent to 1."
    else:
        Channel.objects.update(enabled=False)
    assert dead_channels() == []


def test_an_answer_that_comes_too_late_is_not_counted(channel):
    with later(MINUTE):
        (slow,) = take_due()
    with later(timedelta(minutes=3)):
        try_all()
    write_answer(send(slow, refuse))
    assert dead_channels()[0].tries == 2
