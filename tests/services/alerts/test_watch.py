"""What a scheduler decides on alerts, from the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.lifecycle import PauseCode, Status, Trigger
from django_scheduled_tasks.models import (
    Alert,
    AlertRule,
    Execution,
    Installation,
    Notice,
    Presence,
    PresenceKind,
    ScheduledTask,
    read_now,
    write_alias,
)
from django_scheduled_tasks.services.alerts.deciding import watch as module
from django_scheduled_tasks.services.alerts.deciding.watch import Watch
from django_scheduled_tasks.services.alerts.edit import acknowledge, silence
from django_scheduled_tasks.services.installation import state
from django_scheduled_tasks.services.releases import live
from django_scheduled_tasks.services.scheduling.retention import forget_alerts
from django_scheduled_tasks.signals import alert_closed, alert_opened
from tests.factories import make_execution, make_task
from tests.services.alerts.help import (
    BAD,
    GOOD,
    MINUTE,
    MISSED,
    SECOND,
    end,
    later,
    looking,
    make_channel,
    make_rule,
    told,
)

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def no_rules(db):
    AlertRule.objects.all().delete()


def see_worker(queue="", at=None):
    at = at or read_now()
    live.forget()
    Presence.objects.update_or_create(
        identity=f"w:{queue}",
        defaults={"kind": PresenceKind.WORKER, "host": "w", "queue": queue, "started_at": at, "last_seen_at": at},
    )


def state_of(kind):
    row = Alert.objects.filter(kind=kind).order_by("-id").first()
    return None if row is None else row.is_open


def test_while_nothing_is_wrong_a_look_is_one_statement_with_many_tasks_and_rules(django_assert_num_queries):
    see_worker()
    for _ in range(3):
        make_rule(Kind.FAILING)
        end(make_task(schedule_kind="cron", expression="0 * * * *"), GOOD)
    watch = looking()
    for _ in range(2):
        end(make_task(), GOOD)
        with django_assert_num_queries(1):
            assert watch.look() is False
    assert not Alert.objects.exists()


def test_a_failure_opens_once_counts_on_and_a_success_closes(engine):
    make_rule(Kind.FAILING)
    task, watch = make_task(name="digest"), looking()
    opened, closed = [], []

    def on_opened(alert, **_kwargs):
        opened.append(alert.pk)

    def on_closed(alert, **_kwargs):
        closed.append(alert.pk)

    first = end(task, BAD)
    assert watch.look()
    alert = Alert.objects.get()
    assert (alert.kind, alert.task, alert.task_name, alert.count) == (Kind.FAILING, task, "digest", 1)
    assert (alert.first_execution, alert.latest_execution, alert.opened_at) == (first.pk, first.pk, first.completed_at)
    second = end(task, BAD)
    watch.look()
    watch.look()
    alert.refresh_from_db()
    assert (alert.count, alert.latest_execution, alert.is_open) == (2, second.pk, True)
    last = end(task, GOOD)
    watch.look()
    alert.refresh_from_db()
    assert (alert.is_open, alert.closing_execution, alert.closed_at) == (False, last.pk, last.completed_at)
    assert told() == [("ops", "opened", 0, "failing"), ("ops", "closed", 0, "failing")]
    assert str(alert) == f"#{alert.pk} digest"


@pytest.mark.django_db(transaction=True)
def test_who_listens_hears_of_it():
    heard = []

    def listen(signal, alert, **_kwargs):
        heard.append((signal is alert_opened, alert.kind))

    for signal in (alert_opened, alert_closed):
        signal.connect(listen, weak=False)
    try:
        task, watch = make_task(), looking()
        end(task, MISSED)
        watch.look()
        end(task, GOOD)
        watch.look()
    finally:
        for signal in (alert_opened, alert_closed):
            signal.disconnect(listen)
    assert heard == [(True, "missed"), (False, "missed")]


def test_what_fails_and_succeeds_between_two_looks_is_told_whole_and_once_by_any_number_of_schedulers():
    make_rule(Kind.FAILING)
    task = make_task()
    watches = [looking() for _ in range(3)]
    for outcome in (BAD, GOOD, BAD, BAD, GOOD):
        end(task, outcome)
    for watch in [*watches, Watch(), *watches]:  # one starts in between, as after a crash
        watch.look()
    assert [row.count for row in Alert.objects.order_by("pk")] == [1, 2]
    assert [event for _channel, event, _number, _kind in told()] == ["opened", "closed"] * 2


def test_a_rule_that_waits_for_more_failures_is_told_then_and_only_then():
    make_rule(Kind.FAILING, channels=[make_channel("first")])
    make_rule(Kind.FAILING, channels=[make_channel("third")], after=3, closes_after=2)
    task, watch = make_task(), looking()
    for outcome, expected in [(BAD, 1), (BAD, 1), (BAD, 2), (BAD, 2), (GOOD, 2), (GOOD, 4)]:
        end(task, outcome)
        watch.look()
        assert len(told()) == expected
    assert [channel for channel, *_ in told()] == ["first", "third", "first", "third"]


def test_rules_are_for_all_a_tag_or_a_task():
    mine, tagged = make_task(name="mine"), make_task(tags=["night"])
    make_rule(channels=[make_channel("all")])
    make_rule(channels=[make_channel("tag")], scope="tag", tag="night")
    make_rule(channels=[make_channel("task")], scope="task", task=mine)
    make_rule(channels=[make_channel("off")], enabled=False)
    make_rule(channels=[make_channel("channel off", enabled=False)])
    watch = looking()
    for task in (mine, tagged):
        end(task, BAD)
        watch.look()
        found = {channel for channel, *_ in told()}
        assert found == {"all", "task" if task is mine else "tag"}
        Alert.objects.all().delete()


def test_what_failed_before_anybody_looked_is_not_told_but_counts():
    make_rule(Kind.FAILING, after=2)
    task = make_task()
    for outcome in (BAD, GOOD, BAD):
        end(task, outcome, read_now() - timedelta(hours=3))
    watch = looking()
    assert told() == []
    end(task, BAD)
    watch.look()
    assert Alert.objects.get().count == 2


def test_what_ended_while_no_scheduler_was_there_is_told_when_one_is():
    make_rule(Kind.FAILING)
    task, now = make_task(), read_now()
    at = now - timedelta(hours=2)
    Presence.objects.create(kind=PresenceKind.SCHEDULER, identity="s", host="s", started_at=at, last_seen_at=at)
    end(task, BAD, at + MINUTE)
    Watch().look()
    Watch().look()
    assert told() == [("ops", "opened", 0, "failing")]
    gap = Alert.objects.get(kind=Kind.NO_SCHEDULER)
    assert (gap.opened_at, gap.is_open) == (at, False)


def test_a_scheduler_that_was_away_for_a_moment_is_no_alert():
    at = read_now() - MINUTE
    Presence.objects.create(kind=PresenceKind.SCHEDULER, identity="s", host="s", started_at=at, last_seen_at=at)
    Watch().look()
    assert not Alert.objects.exists()


def test_who_is_no_scheduler_sees_that_none_is_there_and_one_that_starts_closes_it():
    make_rule()
    at = read_now() - timedelta(minutes=5)
    Presence.objects.create(kind=PresenceKind.SCHEDULER, identity="s", host="s", started_at=at, last_seen_at=at)
    for _ in range(2):
        Watch(is_scheduler=False).look()
    assert state_of(Kind.NO_SCHEDULER) is True
    Watch().look()
    assert state_of(Kind.NO_SCHEDULER) is False
    assert [event for _channel, event, *_ in told()] == ["opened", "closed"]


def test_what_is_late_opens_after_its_margin_and_closes_when_it_starts():
    see_worker()
    task, watch = make_task(schedule_kind="cron", expression="0 * * * *"), looking()
    row = make_execution(task, trigger=Trigger.PYTHON, submissions=1)
    with later(2 * MINUTE):
        see_worker()
        watch.look()
        assert not Alert.objects.exists()
    with later(6 * MINUTE):
        see_worker()
        watch.look()
        assert {alert.kind for alert in Alert.objects.open()} == {Kind.LATE, Kind.STUCK}
    Execution.objects.filter(pk=row.pk).delete()
    ScheduledTask.objects.update(next_run_at=read_now() - timedelta(hours=1))
    watch.look()
    assert (state_of(Kind.LATE), state_of(Kind.STUCK)) == (True, False)
    ScheduledTask.objects.update(next_run_at=read_now() + timedelta(hours=1))
    watch.look()
    assert state_of(Kind.LATE) is False


def test_no_worker_of_a_queue_that_has_work_and_none_at_all(monkeypatch):
    now = read_now()
    see_worker()
    see_worker("reports", now - 10 * MINUTE)
    make_execution(make_task(queue="reports"), submissions=1, triggered_at=now - 4 * MINUTE)
    watch = looking()
    assert [row.queue for row in Alert.objects.open().filter(kind=Kind.NO_WORKER)] == ["reports"]
    with later(3 * MINUTE):
        live.forget()
        watch.look()
        assert {row.queue for row in Alert.objects.open().filter(kind=Kind.NO_WORKER)} == {"", "reports"}
        see_worker()
        see_worker("reports")
        watch.look()
    assert not Alert.objects.open().filter(kind=Kind.NO_WORKER).exists()


def test_what_runs_for_longer_than_its_task_says_or_than_usual():
    see_worker()
    said, usual, new = make_task(max_runtime=timedelta(seconds=30)), make_task(), make_task()
    at = read_now() - MINUTE * 3
    for _ in range(12):
        end(usual, GOOD)
    rows = [make_execution(task, status=Status.PROCESSING, started_at=at) for task in (said, usual, new)]
    watch = looking()
    found = {alert.task: (alert.latest_execution, alert.limit) for alert in Alert.objects.filter(kind=Kind.TOO_LONG)}
    assert found == {said: (rows[0].pk, timedelta(seconds=30)), usual: (rows[1].pk, MINUTE)}
    for row in rows:
        Execution.objects.filter(pk=row.pk).delete()
    watch.look()
    assert state_of(Kind.TOO_LONG) is False


def test_a_task_that_the_scheduler_has_paused_and_one_that_is_broken(monkeypatch):
    monkeypatch.setattr(module, "SLOW_INTERVAL", 0.0)
    failing, broken, by_hand = make_task(), make_task(), make_task()
    codes = {failing: PauseCode.KEEPS_FAILING, broken: PauseCode.UNKNOWN_FUNCTION, by_hand: ""}
    for task, code in codes.items():
        ScheduledTask.objects.filter(pk=task.pk).update(paused_at=read_now(), pause_code=code)
    watch = looking()
    found = {alert.task: alert.kind for alert in Alert.objects.open()}
    assert found == {failing: Kind.PAUSED_BY_SYSTEM, broken: Kind.BROKEN}
    ScheduledTask.objects.update(paused_at=None, pause_code="")
    watch.look()
    assert not Alert.objects.open().exists()


def test_of_a_kind_of_which_there_is_more_than_was_read_none_closes(monkeypatch):
    monkeypatch.setattr(module.conditions, "MOST", 2)
    tasks = [make_task(schedule_kind="cron", expression="0 * * * *") for _ in range(3)]
    ScheduledTask.objects.update(next_run_at=read_now() - timedelta(hours=1))
    watch = looking()
    ScheduledTask.objects.filter(pk=tasks[0].pk).update(next_run_at=read_now() - timedelta(minutes=10))
    watch.look()
    assert Alert.objects.open().filter(kind=Kind.LATE).count() == 3


def test_reminders_until_somebody_acknowledges_and_none_twice(monkeypatch):
    monkeypatch.setattr(module, "SLOW_INTERVAL", 0.0)
    make_rule(Kind.FAILING, remind_every=timedelta(minutes=10))
    task, watch = make_task(), looking()
    end(task, BAD)
    watch.look()
    for minutes in (5, 11, 12, 35):
        with later(minutes * MINUTE):
            watch.look()
            Watch().look()
    assert [(event, number) for _channel, event, number, _kind in told()] == [
        ("opened", 0),
        ("reminder", 1),
        ("reminder", 3),
    ]
    acknowledge(Alert.objects.get(kind=Kind.FAILING))
    with later(50 * MINUTE):
        watch.look()
    assert len(told()) == 3


def test_of_a_silent_alert_not_even_the_end_is_told():
    make_rule(Kind.FAILING)
    task, watch = make_task(), looking()
    end(task, BAD)
    watch.look()
    silence(Alert.objects.get(), until=read_now() + timedelta(hours=1))
    end(task, GOOD)
    watch.look()
    assert (state_of(Kind.FAILING), len(told())) == (False, 1)


def test_the_alert_of_a_deleted_task_closes_and_keeps_its_name():
    task, watch = make_task(name="gone"), looking()
    end(task, BAD)
    watch.look()
    task.delete()
    watch.look()
    alert = Alert.objects.get()
    assert (alert.task, alert.task_name, alert.is_open) == (None, "gone", False)


def test_what_a_copy_had_running_is_told_to_nobody_where_it_is_adopted():
    state.settle_in()
    row = Installation.objects.get()
    task, watch = make_task(), looking()
    end(task, BAD, row.adopted_at)
    state.suppose(state.Standing(installation=row))
    watch.look()
    assert not Alert.objects.exists()
    end(task, BAD)
    watch.look()
    assert Alert.objects.get().count == 1


@pytest.mark.parametrize("apart", [0, 1])
def test_more_bad_ends_than_one_look_reads_at_one_instant_or_at_several(monkeypatch, apart):
    monkeypatch.setattr(module, "MOST_ENDS", 2)
    watch = looking()
    now = read_now()
    for number in range(5):
        end(make_task(), BAD, now + number * apart * SECOND)
    for _ in range(4):
        watch.look()
    assert Alert.objects.filter(kind=Kind.FAILING).count() == 5


def test_a_fault_in_here_keeps_no_scheduler_from_its_work(monkeypatch, caplog):
    watch = looking()
    monkeypatch.setattr(module, "read_signs", lambda *_args, **_kwargs: 1 / 0)
    assert watch.look() is False
    assert "Alerts were not looked at" in caplog.text


def test_old_alerts_are_forgotten_with_what_was_told_and_open_ones_never():
    make_rule(Kind.FAILING)
    task, watch = make_task(), looking()
    for outcome in (BAD, GOOD, BAD):
        end(task, outcome)
    watch.look()
    assert forget_alerts(read_now()) == 0
    Alert.objects.filter(closed_at__isnull=False).update(closed_at=read_now() - timedelta(days=500))
    forget_alerts(read_now())
    assert [alert.is_open for alert in Alert.objects.all()] == [True]
    assert Notice.objects.count() == 1


def test_a_look_while_an_alert_is_open_costs_the_same_for_ten_tasks_as_for_one():
    watch = looking()
    counts = []
    for number in (1, 10):
        for _ in range(number):
            end(make_task(), BAD)
        watch.look()
        live.processes_seen()
        with CaptureQueriesContext(connections[write_alias()]) as found:
            watch.look()
        counts.append(len(found))
    assert counts[0] == counts[1] < 12
