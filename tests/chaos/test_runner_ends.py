"""However an execution ends, in real worker processes: the record says so, and the workers go on."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.running.cancel import cancel
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.cluster import cluster, is_alive, scheduler, wait_for_end, wait_for_status, wait_until
from tests.factories import make_task

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

LEASE = 2.0


def start(function: str, **values) -> Execution:
    """Start a function in the cluster."""
    return run_once(make_task(function=f"testapp.{function}", **values)).execution


def started(function: str, **values) -> Execution:
    """Start a function in the cluster and wait until it runs."""
    return wait_for_status(start(function, **values), Status.PROCESSING)


def run_something() -> None:
    """Check that the workers go on."""
    for _ in range(3):
        assert wait_for_end(start("add", params={"a": 1})).result == 3


def messages(execution: Execution) -> list[str]:
    return list(execution.logs.order_by("number").values_list("message", flat=True))


# --- the worker dies ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry", [False, True])
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


def test_a_long_run_renews_its_lease():
    with cluster(workers=1, settings={"LEASE": 1.0}), scheduler():
        execution = start("sleep", params={"seconds": 4})
        assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
        assert execution.attempt == 1
        assert not execution.attempts.exists()


@pytest.mark.parametrize(("child", "status"), [("returns", 0), ("raises", 1), ("exits", 1)])
def test_a_child_that_a_function_forks_is_no_second_worker(child, status):
    with cluster(workers=1) as workers:
        execution = wait_for_end(start("fork", params={"child": child}))
        assert (execution.outcome, execution.result) == (Outcome.SUCCEEDED, status)
        run_something()
        assert workers.worker_pids() == workers.alive_worker_pids()
        assert ("the child broke" in workers.text()) == (child == "raises")


# --- time limits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["sleep", "loop", "async_sleep"])
def test_a_function_is_ended_at_its_limit_and_its_worker_goes_on(function):
    with cluster(workers=1) as workers:
        execution = start(function, params={"seconds": 60}, timeout=timedelta(seconds=1))
        wait_for_end(execution)
        assert execution.outcome == Outcome.TIMED_OUT
        assert timedelta(seconds=1) <= execution.completed_at - execution.started_at < timedelta(seconds=3)
        run_something()
        assert workers.worker_pids() == workers.alive_worker_pids()


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


def test_a_limit_of_the_whole_cluster_counts_for_tasks_without_their_own():
    with cluster(workers=1, q_cluster={"timeout": 1, "retry": 60}):
        execution = start("sleep", params={"seconds": 60})
        assert wait_for_end(execution).outcome == Outcome.TIMED_OUT
        longer = start("sleep", params={"seconds": 2}, timeout=timedelta(seconds=30))
        assert wait_for_end(longer).outcome == Outcome.SUCCEEDED


def test_a_function_that_swallows_the_clusters_limit_is_recorded_before_django_q2_ends_its_worker():
    with cluster(workers=1, q_cluster={"timeout": 1, "retry": 60}):
        execution = start("sleep_and_swallow", params={"seconds": 60})
        assert wait_for_end(execution).outcome == Outcome.TIMED_OUT
        assert "did not yield" in execution.error_message
        assert execution.completed_at - execution.started_at < timedelta(seconds=1 + 3)
        run_something()


def test_max_runtime_only_gives_an_alert():
    with cluster(workers=1):
        execution = start("sleep", params={"seconds": 3}, max_runtime=timedelta(seconds=1))
        wait_until(lambda: messages(execution), what="the alert is in the log, while it runs")
        execution.refresh_from_db()
        assert execution.status == Status.PROCESSING
        assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
        assert [text.partition(" runs ")[2] for text in messages(execution)] == ["longer than 0:00:01."]


def test_an_execution_that_waited_longer_than_allowed_never_starts():
    with cluster(workers=1), scheduler():
        busy = started("sleep", params={"seconds": 4})
        waiting = start("append_line", params={"path": os.devnull}, expires_after=timedelta(seconds=1))
        wait_for_end(waiting, timeout=8)
        assert (waiting.outcome, waiting.started_at) == (Outcome.EXPIRED, None)
        assert wait_for_end(busy).outcome == Outcome.SUCCEEDED


# --- cancel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["sleep_with_progress", "sleep_with_log", "async_sleep"])
def test_a_running_function_is_stopped_within_two_seconds(function, tmp_path):
    path = tmp_path / "cleaned"
    params = {"path": str(path)} if function == "async_sleep" else {}
    with cluster(workers=1) as workers:
        execution = started(function, params=params, max_attempts=3)
        asked = time.monotonic()
        assert cancel(execution.tracking_id).cancel_requested_at
        wait_for_end(execution)
        assert time.monotonic() - asked < 2.5
        assert (execution.outcome, execution.error_code, execution.attempt) == (Outcome.CANCELLED, "cancelled", 1)
        run_something()
        assert workers.worker_pids() == workers.alive_worker_pids()
    assert path.exists() == (function == "async_sleep")


def test_a_function_that_stops_in_its_own_way_or_not_at_all_keeps_its_real_result():
    with cluster(workers=2):
        polite = started("sleep_until_asked")
        deaf = started("sleep", params={"seconds": 3})
        cancel(polite.tracking_id)
        cancel(deaf.tracking_id)
        assert wait_for_end(polite).result == "asked to stop"
        assert wait_for_end(deaf).result == "slept"
        assert deaf.cancel_requested_at is not None


def test_a_sleeping_function_is_stopped_by_force():
    with cluster(workers=1):
        execution = started("sleep", params={"seconds": 600})
        cancel(execution.tracking_id, force_after=timedelta(seconds=1))
        wait_for_end(execution, timeout=8)
        assert (execution.outcome, execution.error_code) == (Outcome.CANCELLED, "cancelled")
        run_something()


@pytest.mark.parametrize("function", ["sleep_and_swallow", "loop"])
def test_force_ends_the_worker_of_a_function_that_does_not_stop(function):
    with cluster(workers=1):
        execution = started(function, params={"seconds": 600})
        cancel(execution.tracking_id, force_after=timedelta(seconds=1))
        wait_for_end(execution, timeout=10)
        assert execution.outcome == Outcome.CANCELLED
        if function == "sleep_and_swallow":
            assert "did not yield" in execution.error_message
            wait_until(lambda: not is_alive(execution.worker_pid), timeout=3, what="its worker is gone")
        run_something()


def test_a_queued_execution_is_cancelled_at_once_and_never_starts(tmp_path):
    path = tmp_path / "ran"
    with cluster(workers=1):
        busy = started("sleep", params={"seconds": 2})
        waiting = start("append_line", params={"path": str(path)})
        assert cancel(waiting.tracking_id).outcome == Outcome.CANCELLED
        wait_for_end(busy)
        run_something()
    waiting.refresh_from_db()
    assert waiting.started_at is None
    assert not path.exists()


# --- retries ------------------------------------------------------------------------------------------------------


def test_three_retries_wait_as_the_formula_says():
    task = make_task(
        function="testapp.fail_until",
        params={"attempt": 4},
        max_attempts=5,
        min_backoff=timedelta(seconds=1),
        max_backoff=timedelta(seconds=3),
        max_doublings=1,
        retry_on=["ConnectionError"],
    )
    with cluster(workers=2), scheduler():
        execution = run_once(task).execution
        tracking_id = execution.tracking_id
        wait_for_status(execution, Status.PENDING)
        wait_for_end(execution, timeout=30)
    assert (execution.tracking_id, execution.attempt, execution.result) == (tracking_id, 4, "succeeded at 4")
    assert (execution.error_code, execution.error_message, execution.traceback) == ("", "", "")
    assert execution.progress_current == 4
    attempts = list(execution.attempts.order_by("number"))
    assert [(one.number, one.outcome, one.error_message) for one in attempts] == [
        (number, "failed", f"failed {number}") for number in (1, 2, 3)
    ]
    starts = [one.started_at for one in attempts[1:]] + [execution.started_at]
    waits = [(begin - one.ended_at).total_seconds() for one, begin in zip(attempts, starts, strict=True)]
    for waited, formula in zip(waits, [1, 2, 3], strict=True):
        assert formula <= waited < formula + 2
    lines = execution.logs.order_by("number").values_list("number", "attempt", "message")
    assert list(lines) == [(number, number, f"attempt {number}") for number in (1, 2, 3, 4)]


def test_only_errors_of_the_given_kinds_are_tried_again():
    values = {"max_attempts": 3, "min_backoff": timedelta(seconds=1), "retry_on": ["ConnectionError"]}
    with cluster(workers=1), scheduler():
        execution = start("fail_until", params={"kind": "ValueError"}, **values)
        assert wait_for_end(execution).attempt == 1
        assert execution.error_message == "failed 1"


# --- output and the database ----------------------------------------------------------------------------------------


def test_progress_and_prints_are_seen_while_a_transaction_of_the_function_is_open(settings):
    if settings.PROFILE == "sqlite":
        pytest.skip("SQLite has one writer: nothing can be written while the function's transaction is open")
    with cluster(workers=1):
        execution = started("sleep_in_transaction", params={"seconds": 4})
        wait_until(lambda: messages(execution), timeout=3, what="its lines are seen")
        execution.refresh_from_db()
        assert execution.status == Status.PROCESSING
        assert execution.progress_current is not None
        assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
        assert len(messages(execution)) == 40


def test_hundred_megabytes_of_prints_cost_no_memory_and_delay_nobody():
    with cluster(workers=2) as workers:
        wait_for_end(start("noop"))
        execution = started("print_a_lot", params={"lines": 100_000, "width": 1000})
        others = []
        while execution.status == Status.PROCESSING:
            other = wait_for_end(start("noop"))
            others.append((other.completed_at - other.triggered_at).total_seconds())
            execution.refresh_from_db()
        texts = messages(execution)
        output = workers.output.stat().st_size
    print(
        f"\n100 MB of prints took {execution.completed_at - execution.started_at}, memory grew by"
        f" {execution.result['grown']} KiB; {len(others)} other executions meanwhile took at most {max(others):.3f} s"
    )
    assert output > 100_000_000  # they are where they would be without us as well
    assert execution.result["grown"] < 16 * 1024
    assert sum(len(text.encode()) for text in texts) <= 1_048_576 + 100
    assert texts[0].startswith("first")
    assert texts[-1].startswith("last")
    assert sum("lines dropped here" in text for text in texts) == 1
    assert max(others) < 20  # nobody waited for it to end; how long they did is measured, not tested


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
