"""Notices on their way: taken once, tried again, never lost."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core import mail

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.channels import NotDelivered
from django_scheduled_tasks.models import Alert, AlertRule, Channel, Notice, read_now
from django_scheduled_tasks.services.alerts.telling import outbox
from django_scheduled_tasks.services.alerts.telling.outbox import send, send_test, take_due, wait_after, write_answer
from django_scheduled_tasks.services.alerts.telling.sender import Sender
from tests.factories import make_task
from tests.services.alerts.help import BAD, GOOD, MINUTE, end, later, looking, make_channel, make_rule

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def no_rules(db):
    AlertRule.objects.all().delete()


def fail(count=1, **rule):
    """Let so many tasks fail, and a scheduler see it."""
    make_rule(Kind.FAILING, **rule)
    watch = looking()
    tasks = [make_task(name=f"task-{number}") for number in range(count)]
    for task in tasks:
        end(task, BAD)
    watch.look()
    return tasks, watch


def refuse(_target, _message):
    raise NotDelivered("HTTP 503")


def test_a_notice_is_one_mail_with_what_people_need_and_nothing_that_a_function_said(settings):
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"SITE_URL": "https://example.com/"}
    make_rule(Kind.FAILING)
    watch, task = looking(), make_task(name="digest", function="testapp.log_in", params={"password": "secret-param"})
    row = end(task, BAD, error_message="secret-error", traceback="secret-trace", result="secret-result")
    watch.look()
    (parcel,) = take_due()
    write_answer(send(parcel))
    (sent,) = mail.outbox
    assert sent.to == ["ops@example.com"]
    assert "Failing: digest" in sent.subject
    assert f"Execution #{row.pk} failed." in sent.body
    assert f"https://example.com/admin/django_scheduled_tasks/alert/{Alert.objects.get().pk}/change/" in sent.body
    assert sent.extra_headers["Message-ID"] == f"<{parcel.message.id}@django-scheduled-tasks>"
    assert "secret" not in f"{sent.message()}{parcel.message.payload}"
    assert parcel.message.payload["type"] == "alert.opened"
    notice = Notice.objects.get()
    assert (notice.tries, notice.next_try_at, notice.answer) == (1, None, "Sent to 1.")
    assert notice.sent_at is not None
    assert take_due() == []


def test_what_is_taken_is_nobody_elses_until_its_time_is_over_and_keeps_its_id():
    fail()
    (first,) = take_due()
    assert take_due() == []
    with later(timedelta(minutes=2)):
        (second,) = take_due()
    assert (second.message.id, second.tries) == (first.message.id, 2)
    write_answer(send(first, refuse))  # it comes too late: another one tries already
    assert Notice.objects.get().answer == ""
    write_answer(send(second))
    assert Notice.objects.get().sent_at is not None


def test_what_a_channel_does_not_take_is_tried_again_later_and_later_for_a_day():
    fail()
    (parcel,) = take_due()
    write_answer(send(parcel, refuse))
    notice = Notice.objects.get()
    assert (notice.answer, notice.sent_at) == ("HTTP 503", None)
    assert timedelta(seconds=25) < notice.next_try_at - read_now() < timedelta(seconds=31)
    assert take_due() == []
    with later(timedelta(days=1, minutes=1)):
        (parcel,) = take_due()
        write_answer(send(parcel, refuse))
    assert Notice.objects.get().next_try_at is None
    waits = [wait_after(tries) for tries in range(1, 40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (timedelta(seconds=30), MINUTE, timedelta(hours=1))


def test_a_storm_is_one_message_with_a_count():
    fail(12)
    (parcel,) = take_due()
    write_answer(send(parcel))
    assert "12 alerts" in mail.outbox[0].subject
    assert "Failing: task-0" in mail.outbox[0].body
    assert "and 2 more" in mail.outbox[0].body
    assert parcel.message.payload["count"] == 12
    assert Notice.objects.filter(sent_at=None).count() == 0


def test_a_digest_that_is_tried_again_is_the_same_one():
    tasks, watch = fail(6)
    (parcel,) = take_due()
    write_answer(send(parcel, refuse))
    end(tasks[0], GOOD)
    watch.look()
    with later(MINUTE):
        again, closed = sorted(take_due(), key=lambda one: -one.tries)
    assert (again.message.id, again.message.payload["count"]) == (parcel.message.id, 6)
    assert closed.message.payload["type"] == "alert.closed"
    assert closed.message.payload["closedAt"]


def test_few_are_a_message_each_and_no_more_than_there_is_time_for():
    fail(4)
    assert len(take_due()) == 4
    Notice.objects.update(next_try_at=read_now())
    assert len({parcel.message.id for parcel in take_due()}) == 4


def test_a_channel_that_is_switched_off_meanwhile_is_told_nothing():
    fail()
    Channel.objects.update(enabled=False)
    assert take_due() == []
    assert Notice.objects.get().next_try_at is None


def test_without_addresses_it_goes_to_admins_and_without_those_to_nobody(settings):
    channel = make_channel(address="")
    settings.ADMINS = ["boss@example.com"]
    assert send_test(channel) == "Sent to 1."
    assert mail.outbox[0].to == ["boss@example.com"]
    settings.ADMINS = []
    with pytest.raises(NotDelivered, match="ADMINS is empty"):
        send_test(channel)


def test_what_a_backend_raises_is_named_and_not_quoted(monkeypatch):
    def send_messages(*_arguments, **_options):
        raise ConnectionRefusedError("smtp.example.com:25 password=hunter2")

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", send_messages)
    with pytest.raises(NotDelivered, match="^ConnectionRefusedError$"):
        send_test(make_channel())


def test_a_channel_that_hangs_holds_up_no_other_and_is_not_sent_to_twice(monkeypatch):
    make_rule(Kind.FAILING, channels=[make_channel("dead"), make_channel("fine")])
    watch, go_on, done = looking(), threading.Event(), threading.Event()

    def try_it(parcel):
        if parcel.target.name == "dead":
            go_on.wait(30)
        return outbox.Answer(parcel, True, "HTTP 200")

    monkeypatch.setattr("django_scheduled_tasks.services.alerts.telling.sender.send", try_it)
    sender = Sender(done.set)
    end(make_task(), BAD)
    watch.look()
    assert sender.send_due() == 2
    assert done.wait(30)
    sender.settle()
    assert [notice.channel.name for notice in Notice.objects.exclude(sent_at=None)] == ["fine"]
    Notice.objects.filter(sent_at=None).update(next_try_at=read_now())
    assert sender.send_due() == 0
    go_on.set()
    sender.close(within=30)
    assert not Notice.objects.filter(sent_at=None).exists()


def test_a_fault_while_sending_is_logged_and_the_notice_is_tried_again(monkeypatch, caplog):
    monkeypatch.setattr("django_scheduled_tasks.services.alerts.telling.sender.send", lambda _parcel: 1 / 0)
    fail()
    sender = Sender()
    sender.send_due()
    sender.close(within=30)
    assert "could not be sent" in caplog.text
    assert Notice.objects.get().next_try_at > read_now()
