"""How the installation is, part by part, and which note comes first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.services.installation.condition import Facts, Note, Seen, Wait, judge

NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)
LIMIT = timedelta(seconds=30)
HERE, GONE = NOW - timedelta(seconds=2), NOW - timedelta(minutes=58)
SCHEDULER, WORKER = Seen("scheduler-a", HERE), Seen("worker-1", HERE)
LOST_SCHEDULER, LOST_WORKER = Seen("scheduler-a", GONE), Seen("worker-1", GONE)
WELL = {"schedulers": [SCHEDULER], "workers": [WORKER]}


def ago(**interval: float) -> datetime:
    return NOW - timedelta(**interval)


def condition(**facts):
    return judge(Facts(now=NOW, timeout=LIMIT, **facts))


@pytest.mark.parametrize(
    ("facts", "notes"),
    [
        (WELL, []),
        ({}, [Note.NOT_STARTED]),
        ({"schedulers": [LOST_SCHEDULER], "workers": [WORKER]}, [Note.SCHEDULER]),
        ({"workers": [WORKER]}, [Note.SCHEDULER]),
        ({"schedulers": [SCHEDULER], "workers": [LOST_WORKER]}, [Note.WORKER]),
        ({"schedulers": [SCHEDULER]}, [Note.WORKER]),
        ({"schedulers": [LOST_SCHEDULER], "workers": [LOST_WORKER]}, [Note.SCHEDULER, Note.WORKER]),
        (WELL | {"waiting": [Wait("reports", ago(seconds=1))]}, [Note.QUEUE]),
        (WELL | {"waiting": [Wait("", ago(minutes=4))]}, []),
        (WELL | {"waiting": [Wait("", ago(minutes=6))]}, [Note.QUEUE]),
        (WELL | {"waiting": [Wait("", ago(seconds=20), is_sent=False)]}, [Note.BROKER]),
        (WELL | {"waiting": [Wait("", ago(seconds=10), is_sent=False)]}, []),
        (WELL | {"releases": 2}, [Note.RELEASES]),
        (WELL | {"releases": 2, "has_moved": True}, [Note.MOVED, Note.RELEASES]),
        (WELL | {"is_held": True, "is_copy": True}, [Note.COPY, Note.HELD]),
        (WELL | {"newest_at": NOW + timedelta(seconds=5)}, []),
        (WELL | {"newest_at": NOW + timedelta(seconds=6)}, [Note.CLOCK]),
        ({"schedulers": [Seen("scheduler-a", NOW + timedelta(hours=1))], "workers": [WORKER]}, [Note.CLOCK]),
        # Without any worker it is not the queue that is at fault, and without a scheduler nobody sends again.
        ({"schedulers": [SCHEDULER], "waiting": [Wait("reports", ago(minutes=9))]}, [Note.WORKER]),
        ({"workers": [WORKER], "waiting": [Wait("", ago(minutes=1), is_sent=False)]}, [Note.SCHEDULER]),
        # In a copy nobody says that it is there.
        ({"is_copy": True, "waiting": [Wait("reports", ago(seconds=1))]}, [Note.COPY]),
    ],
)
def test_which_notes_there_are_the_worst_first(facts, notes):
    found = condition(**facts)
    assert list(found.notes) == notes
    assert found.note == (notes[0] if notes else None)


def test_all_notes_at_once_are_in_their_order():
    found = condition(
        schedulers=[SCHEDULER],
        workers=[WORKER],
        waiting=[Wait("reports", ago(minutes=9), is_sent=False)],
        is_held=True,
        has_moved=True,
        releases=2,
    )
    assert list(found.notes) == [Note.HELD, Note.BROKER, Note.QUEUE, Note.MOVED, Note.RELEASES]
    assert list(Note) == sorted(Note, key=list(Note).index)


def test_a_dead_scheduler_says_nothing_about_the_workers_and_the_other_way_round():
    found = condition(schedulers=[LOST_SCHEDULER], workers=[WORKER])
    assert (found.scheduler.is_well, found.workers.is_well, found.broker_is_well) == (False, True, True)
    assert found.scheduler.last == LOST_SCHEDULER
    found = condition(schedulers=[SCHEDULER], workers=[LOST_WORKER])
    assert (found.scheduler.is_well, found.workers.is_well) == (True, False)


def test_workers_are_counted_by_host_and_a_queue_knows_who_takes_from_it():
    workers = [WORKER, Seen("worker-1", HERE, "mail"), Seen("worker-2", HERE, "mail"), Seen("worker-3", GONE, "mail")]
    waiting = [Wait("mail", ago(seconds=3)), Wait("mail", ago(seconds=9)), Wait("", ago(seconds=1))]
    found = condition(schedulers=[SCHEDULER], workers=workers, waiting=waiting)
    assert found.workers.hosts == 2
    mail = next(queue for queue in found.queues if queue.name == "mail")
    assert (mail.waiting, mail.since, mail.takers) == (2, ago(seconds=9), ("worker-1", "worker-2"))
    assert (found.waiting, found.waiting_since) == (3, ago(seconds=9))
    assert found.worst_queue is None


def test_of_two_queues_the_one_without_a_worker_is_the_worse():
    waiting = [Wait("", ago(minutes=9)), Wait("reports", ago(seconds=1))]
    found = condition(**WELL, waiting=waiting)
    assert found.worst_queue is not None
    assert found.worst_queue.name == "reports"


def test_workers_that_do_not_say_their_queue_are_missed_only_once_something_waits_for_long():
    silent = {"schedulers": [SCHEDULER], "names_queues": False}
    assert condition(**silent).notes == ()
    assert condition(**silent, waiting=[Wait("mail", ago(seconds=9))]).notes == ()
    assert condition(**silent, waiting=[Wait("mail", ago(minutes=1))]).notes == (Note.WORKER,)
    assert condition(**silent, workers=[WORKER], waiting=[Wait("mail", ago(minutes=1))]).notes == ()
