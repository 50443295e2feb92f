"""Workers that are killed, stopped, cut off or ended on purpose: the record says so, and others take their place."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.running.cancel import cancel
from tests.chaos.help import messages, run_something, start, started
from tests.cluster import cluster, is_alive, scheduler, wait_for_end, wait_until
from tests.selection import first_in_gate

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]
LEASE = 2.0


@pytest.mark.parametrize("retry", first_in_gate([True, False]))
def test_a_killed_worker_is_noticed_within_two_leases_and_retried_only_if_asked(retry):
    values = {"on_worker_lost": "retry", "min_backoff": timedelta(seconds=1)} if retry else {}
    with cluster(settings={"LEASE": LEASE}), scheduler():
        execution = started("sleep", params={"seconds": 60 if not retry else 3}, max_attempts=2, **values)
        time.sleep(LEASE)  # a renewed lease is the longest wait
        execution.refresh_from_db()
        os.kill(execution.worker_pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(execution.attempts.exists, what="the loss is on record")
        assert time.monotonic() - killed < 2 * LEASE
        attempt = execution.attempts.get()
        assert (attempt.number, attempt.outcome, attempt.worker_pid) == (1, "worker_lost", execution.worker_pid)
        if retry:
            tracking_id = execution.tracking_id
            wait_for_end(execution)
            assert (execution.tracking_id, execution.attempt) == (tracking_id, 2)
            assert (execution.outcome, execution.result, execution.error_code) == ("succeeded", "slept", "")
        else:
            wait_for_end(execution)
            assert (execution.status, execution.outcome) == (Status.ERRORS, Outcome.WORKER_LOST)
            assert f"process {attempt.worker_pid}" in execution.error_message
        run_something()


def test_a_process_that_ends_without_a_word_is_a_lost_worker():
    with cluster(workers=1, settings={"LEASE": LEASE}), scheduler():
        execution = start("end_process")
        assert wait_for_end(execution).outcome == Outcome.WORKER_LOST
        run_something()


@pytest.mark.slow
def test_the_late_end_of_a_worker_that_was_stopped_is_refused():
    with cluster(workers=2, settings={"LEASE": LEASE}) as workers, scheduler():
        execution = started("sleep", params={"seconds": 1})
        os.kill(execution.worker_pid, signal.SIGSTOP)
        wait_for_end(execution)
        assert execution.outcome == Outcome.WORKER_LOST
        before = Execution.objects.filter(pk=execution.pk).values().get()
        os.kill(execution.worker_pid, signal.SIGCONT)
        wait_until(lambda: "no longer owned" in workers.text(), what="the late end is refused")
        assert Execution.objects.filter(pk=execution.pk).values().get() == before
        wait_until(lambda: messages(execution), what="what it tried to write is in the log")
        assert messages(execution)[-1].endswith("Refused was: succeeded, with the result 'slept'")
        run_something()


@pytest.mark.slow
def test_a_function_that_swallows_the_exception_takes_its_worker_with_it():
    with cluster(workers=1) as workers:
        execution = start("sleep_and_swallow", params={"seconds": 60}, timeout=timedelta(seconds=1))
        wait_for_end(execution)
        assert execution.outcome == Outcome.TIMED_OUT
        assert "did not yield" in execution.error_message
        assert "sleep_and_swallow" in execution.traceback
        assert execution.completed_at - execution.started_at < timedelta(seconds=6)
        assert "not me" in messages(execution)
        wait_until(lambda: not is_alive(execution.worker_pid), timeout=3, what="its worker is gone")
        run_something()
        assert execution.worker_pid not in workers.alive_worker_pids()


def test_an_endless_loop_in_c_is_ended_at_its_limit_and_five_seconds():
    with cluster(workers=1), scheduler():
        execution = started("loop_in_c", timeout=timedelta(seconds=1))
        wait_until(lambda: not is_alive(execution.worker_pid), timeout=8, what="its worker is gone")
        wait_for_end(execution, timeout=8)
        assert execution.outcome == Outcome.TIMED_OUT
        assert execution.completed_at - execution.started_at < timedelta(seconds=1 + 5 + 2)  # a pass of the scheduler
        run_something()


@pytest.mark.slow
def test_a_limit_of_the_whole_cluster_counts_for_tasks_without_their_own():
    with cluster(workers=1, q_cluster={"timeout": 1, "retry": 60}):
        execution = start("sleep", params={"seconds": 60})
        assert wait_for_end(execution).outcome == Outcome.TIMED_OUT
        longer = start("sleep", params={"seconds": 2}, timeout=timedelta(seconds=30))
        assert wait_for_end(longer).outcome == Outcome.SUCCEEDED
        # What swallows the exception is recorded before django-q2 ends its worker.
        execution = start("sleep_and_swallow", params={"seconds": 60})
        assert wait_for_end(execution).outcome == Outcome.TIMED_OUT
        assert "did not yield" in execution.error_message
        assert execution.completed_at - execution.started_at < timedelta(seconds=1 + 3)
        run_something()


def test_force_ends_the_worker_of_a_function_that_swallows_it():
    with cluster(workers=1):
        execution = started("sleep_and_swallow", params={"seconds": 600})
        cancel(execution.tracking_id, force_after=timedelta(seconds=1))
        wait_for_end(execution, timeout=10)
        assert execution.outcome == Outcome.CANCELLED
        assert "did not yield" in execution.error_message
        wait_until(lambda: not is_alive(execution.worker_pid), timeout=3, what="its worker is gone")
        run_something()


def test_the_heartbeat_survives_the_database_going_away(settings):
    if settings.PROFILE != "postgres":
        pytest.skip("PostgreSQL can be told to refuse connections")
    from tests.database import connection

    name = connection.settings_dict["NAME"]
    with cluster(workers=1, settings={"LEASE": 20}) as workers:
        execution = started("sleep", params={"seconds": 6})
        time.sleep(1.5)
        refuse(name, for_seconds=3)
        wait_until(lambda: "does not reach the database" in workers.text(), what="it is noticed")
        wait_until(lambda: "reaches the database again" in workers.text(), what="it is back")
        assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
        lost = started("sleep_with_progress")
        cancel(lost.tracking_id)
        assert wait_for_end(lost).outcome == Outcome.CANCELLED


def refuse(name: str, *, for_seconds: float) -> None:
    """Let PostgreSQL end all connections to a database and refuse new ones for a while."""
    import psycopg

    from tests.database import connection

    connection.close()
    place = connection.settings_dict
    admin = psycopg.connect(
        host=place["HOST"], port=place["PORT"], user=place["USER"], dbname="postgres", autocommit=True
    )
    with admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            time.sleep(for_seconds)
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
