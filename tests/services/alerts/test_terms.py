"""Quiet hours, margins, and alerts that somebody closes, as a scheduler acts on them."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.exceptions import AlertClosed, AlertNotFound, InvalidInput
from django_scheduled_tasks.models import Alert, AlertRule, Notice, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.services.alerts.deciding import watch as module
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from django_scheduled_tasks.services.alerts.edit import acknowledge, close, silence, unacknowledge
from django_scheduled_tasks.services.alerts.telling.outbox import take_due
from django_scheduled_tasks.services.alerts.telling.wording import sentence
from tests.factories import make_task, make_user
from tests.services.alerts.help import BAD, GOOD, MISSED, end, later, looking, make_channel, make_rule, told

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUIET = {"quiet_from": time(22), "quiet_until": time(7)}


@pytest.fixture(autouse=True)
def no_rules(db, settings, monkeypatch):
    AlertRule.objects.all().delete()
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "TIME_ZONE": "Europe/Berlin"}
    monkeypatch.setattr(module, "SLOW_INTERVAL", 0.0)


@pytest.fixture
def night():
    """Three in the morning in Berlin, the next one."""
    today = read_now().astimezone(ZoneInfo("Europe/Berlin")) + timedelta(days=1)
    return today.replace(hour=3, minute=0, second=0, microsecond=0)


def look(watch: Watch, at: datetime):
    with frozen_at(at):
        watch.look()


def events():
    return [(channel, event) for channel, event, *_ in told()]


# --- quiet hours


def test_what_opens_in_quiet_hours_is_told_at_their_end_once_unless_it_is_over_by_then(night):
    make_rule(Kind.FAILING, **QUIET)
    lasting, short, watch = make_task(), make_task(), looking()
    for task in (lasting, short):
        end(task, BAD, night)
    look(watch, night)
    end(short, GOOD, night + HOUR)
    look(watch, night + HOUR)
    assert Alert.objects.filter(kind=Kind.FAILING).count() == 2
    assert told() == []
    for minutes in (-1, 0, 1, 9):
        look(watch, night.replace(hour=7) + minutes * MINUTE)
        look(Watch(), night.replace(hour=7) + minutes * MINUTE)
        assert events() == ([] if minutes < 0 else [("ops", "opened")])
    assert Notice.objects.get().alert.task == lasting


def test_the_end_of_what_was_told_before_is_told_when_the_quiet_hours_are_over(night):
    make_rule(Kind.FAILING, **QUIET)
    task, watch = make_task(), looking()
    end(task, BAD, night - 6 * HOUR)
    look(watch, night - 6 * HOUR)
    Notice.objects.update(next_try_at=None, sent_at=night)
    end(task, GOOD, night)
    look(watch, night)
    assert events() == [("ops", "opened"), ("ops", "closed")]
    with frozen_at(night.replace(hour=6)):
        assert take_due() == []
    with frozen_at(night.replace(hour=7)):
        assert [parcel.message.payload["type"] for parcel in take_due()] == ["alert.closed"]


def test_kinds_that_are_told_at_once_and_a_channel_that_another_rule_tells(night):
    quiet, loud = make_channel("quiet"), make_channel("loud")
    make_rule(Kind.FAILING, Kind.MISSED, channels=[quiet, loud], tell_at_once=["missed"], **QUIET)
    make_rule(Kind.FAILING, channels=[loud])
    watch = looking()
    end(make_task(), BAD, night)
    look(watch, night)
    assert events() == [("loud", "opened")]
    end(make_task(), MISSED, night)
    look(watch, night)
    assert sorted(events()) == [("loud", "opened"), ("loud", "opened"), ("quiet", "opened")]


def test_of_what_was_silenced_in_quiet_hours_nobody_is_told_at_their_end(night):
    make_rule(Kind.FAILING, **QUIET)
    watch = looking()
    end(make_task(), BAD, night)
    look(watch, night)
    with frozen_at(night):
        silence(Alert.objects.get(), until=night + 12 * HOUR, reason="stock-taking")
    look(watch, night + 5 * HOUR)
    assert told() == []
    look(watch, night + 13 * HOUR)
    assert events() == [("ops", "opened")]


# --- margins


@pytest.mark.parametrize(("margin", "minutes"), [(2, 2), (None, 5), (15, 15)])
def test_a_task_is_late_after_the_margin_of_its_rule(margin, minutes):
    make_rule(Kind.LATE, margin=margin and margin * MINUTE)
    now = read_now()
    make_task(schedule_kind="cron", expression="0 * * * *")
    ScheduledTask.objects.update(next_run_at=now)
    watch = Watch()
    for after, is_open in [(minutes - 0.5, False), (minutes + 0.5, True)]:
        look(watch, now + after * MINUTE)
        assert Alert.objects.open().filter(kind=Kind.LATE).exists() is is_open


def test_a_short_margin_is_kept_between_two_slow_looks_too(monkeypatch):
    make_rule(Kind.LATE, margin=MINUTE)
    make_rule(Kind.LATE, channels=[make_channel("later")])
    now = read_now()
    make_task(schedule_kind="cron", expression="0 * * * *")
    watch = Watch()
    look(watch, now)
    monkeypatch.setattr(module, "SLOW_INTERVAL", 999.0)
    ScheduledTask.objects.update(next_run_at=now)
    look(watch, now + 1.5 * MINUTE)
    assert events() == [("ops", "opened")]
    monkeypatch.setattr(module, "SLOW_INTERVAL", 0.0)
    for minutes, expected in [(4, 1), (5, 2)]:
        look(watch, now + minutes * MINUTE)
        assert len(told()) == expected, "who waits for longer is told later"


# --- closed by hand


def test_an_alert_that_somebody_closes_does_not_open_again_from_what_it_was_about():
    make_rule(Kind.FAILING, after=2)
    task, watch, anna = make_task(), looking(), make_user(name="anna")
    for _ in range(3):
        end(task, BAD)
    watch.look()
    acknowledge(Alert.objects.get(), comment="looking")
    closed = close(Alert.objects.get(), user=anna, comment=" known ")
    assert events() == [("ops", "opened"), ("ops", "closed")]
    closed.refresh_from_db()
    assert (closed.closed_by, closed.comment, sentence(closed)) == (anna, "known", "Closed by anna: “known”.")
    for one in (watch, Watch()):
        one.look()
    assert Alert.objects.count() == 1
    end(task, BAD)
    watch.look()
    assert Alert.objects.count() == 1, "it counts anew"
    end(task, BAD)
    watch.look()
    assert Alert.objects.open().get().count == 2


def test_what_failed_just_before_somebody_closed_it_and_was_not_counted_yet_opens_another():
    make_rule(Kind.FAILING)
    task, watch = make_task(), looking()
    end(task, BAD)
    watch.look()
    end(task, BAD)
    close(Alert.objects.get())
    watch.look()
    assert Alert.objects.open().get().count == 1


def test_what_holds_when_somebody_closes_it_opens_again_only_after_it_was_over():
    now = read_now()
    make_task(schedule_kind="cron", expression="0 * * * *")
    ScheduledTask.objects.update(next_run_at=now - HOUR)
    watch = looking()
    assert Alert.objects.open().get().kind == Kind.LATE
    close(Alert.objects.get())
    for minutes in (1, 30):
        look(watch, now + minutes * MINUTE)
        assert not Alert.objects.open().exists()
    ScheduledTask.objects.update(next_run_at=now + HOUR)
    look(watch, now + 66 * MINUTE)
    assert Alert.objects.open().get().kind == Kind.LATE


def test_who_closes_or_undoes_what_is_over_or_gone_is_told_so_and_a_comment_has_an_end():
    task, watch = make_task(), looking()
    end(task, BAD)
    watch.look()
    alert = Alert.objects.get()
    with pytest.raises(InvalidInput, match="500 characters"):
        close(alert, comment="x" * 501)
    with pytest.raises(InvalidInput, match="200 characters"):
        silence(alert, until=read_now() + HOUR, reason="x" * 201)
    close(alert)
    alert.refresh_from_db()
    assert sentence(alert) == "Closed by hand."
    for act in (close, unacknowledge):
        with pytest.raises(AlertClosed):
            act(alert)
    alert.delete()
    alert.pk = 1
    with pytest.raises(AlertNotFound):
        close(alert)


def test_to_undo_lets_people_be_reminded_again():
    make_rule(Kind.FAILING, remind_every=10 * MINUTE)
    task, watch = make_task(), looking()
    end(task, BAD)
    watch.look()
    acknowledge(Alert.objects.get(kind=Kind.FAILING))
    with later(11 * MINUTE):
        watch.look()
        assert events() == [("ops", "opened")]
        unacknowledge(Alert.objects.get(kind=Kind.FAILING))
        watch.look()
        assert events() == [("ops", "opened"), ("ops", "reminder")]


def test_of_a_task_that_wants_only_its_own_rules_no_other_tells():
    task, watch = make_task(own_rules_only=True, tags=["night"]), looking()
    make_rule(Kind.FAILING)
    make_rule(Kind.FAILING, channels=[make_channel("tag")], scope="tag", tag="night")
    end(task, BAD)
    watch.look()
    assert (Alert.objects.open().count(), told()) == (1, [])
    make_rule(Kind.FAILING, channels=[make_channel("own")], scope="task", task=task)
    watch.look()
    assert events() == [("own", "opened")]
