"""However an execution ends, in real worker processes that stay alive: the record says so, and the workers go on."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.services.running.cancel import cancel
from tests.chaos.help import messages, occupy, run_something, start, started
from tests.cluster import wait_for_end, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("workers")]


@pytest.mark.parametrize(("child", "status"), [("returns", 0), ("raises", 1), ("exits", 1)])
def test_a_child_that_a_function_forks_is_no_second_worker(workers, child, status):
    before = workers.text().count("the child broke")
    execution = wait_for_end(start("fork", params={"child": child}))
    assert (execution.outcome, execution.result) == (Outcome.SUCCEEDED, status)
    run_something(on=execution.worker_pid)
    assert (workers.text().count("the child broke") > before) == (child == "raises")


# --- time limits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["sleep", "loop", "async_sleep"])
def test_a_function_is_ended_at_its_limit_and_its_worker_goes_on(function):
    execution = start(function, params={"seconds": 60}, timeout=timedelta(seconds=1))
    wait_for_end(execution)
    assert execution.outcome == Outcome.TIMED_OUT
    assert timedelta(seconds=1) <= execution.completed_at - execution.started_at < timedelta(seconds=3)
    run_something(on=execution.worker_pid)


def test_max_runtime_only_gives_an_alert():
    execution = start("sleep", params={"seconds": 3}, max_runtime=timedelta(seconds=1))
    wait_until(lambda: messages(execution), what="the alert is in the log, while it runs")
    execution.refresh_from_db()
    assert execution.status == Status.PROCESSING
    assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
    assert [text.partition(" runs ")[2] for text in messages(execution)] == ["longer than 0:00:01."]


# --- cancel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["sleep_with_progress", "sleep_with_log", "async_sleep"])
def test_a_running_function_is_stopped_within_two_seconds(function, tmp_path):
    path = tmp_path / "cleaned"
    params = {"path": str(path)} if function == "async_sleep" else {}
    execution = started(function, params=params, max_attempts=3)
    asked = time.monotonic()
    assert cancel(execution.tracking_id).cancel_requested_at
    wait_for_end(execution)
    assert time.monotonic() - asked < 2.5
    assert (execution.outcome, execution.error_code, execution.attempt) == (Outcome.CANCELLED, "cancelled", 1)
    run_something(on=execution.worker_pid)
    assert path.exists() == (function == "async_sleep")


def test_a_function_that_stops_in_its_own_way_or_not_at_all_keeps_its_real_result():
    polite = started("sleep_until_asked")
    deaf = started("sleep", params={"seconds": 3})
    cancel(polite.tracking_id)
    cancel(deaf.tracking_id)
    assert wait_for_end(polite).result == "asked to stop"
    assert wait_for_end(deaf).result == "slept"
    assert deaf.cancel_requested_at is not None


@pytest.mark.parametrize("function", ["sleep", "loop"])
def test_a_function_that_does_not_ask_is_stopped_by_force(function):
    execution = started(function, params={"seconds": 600})
    cancel(execution.tracking_id, force_after=timedelta(seconds=1))
    wait_for_end(execution, timeout=10)
    assert (execution.outcome, execution.error_code) == (Outcome.CANCELLED, "cancelled")
    run_something(on=execution.worker_pid)


def test_a_queued_execution_is_cancelled_at_once_and_never_starts(tmp_path):
    path = tmp_path / "ran"
    busy = occupy(2)
    waiting = start("append_line", params={"path": str(path)})
    assert cancel(waiting.tracking_id).outcome == Outcome.CANCELLED
    for execution in busy:
        wait_for_end(execution)
    run_something()
    waiting.refresh_from_db()
    assert waiting.started_at is None
    assert not path.exists()


# --- output and the database ----------------------------------------------------------------------------------------


def test_progress_and_prints_are_seen_while_a_transaction_of_the_function_is_open(settings):
    if settings.PROFILE == "sqlite":
        pytest.skip("SQLite has one writer: nothing can be written while the function's transaction is open")
    execution = started("sleep_in_transaction", params={"seconds": 4})
    wait_until(lambda: messages(execution), timeout=3, what="its lines are seen")
    execution.refresh_from_db()
    assert execution.status == Status.PROCESSING
    assert execution.progress_current is not None
    assert wait_for_end(execution).outcome == Outcome.SUCCEEDED
    assert len(messages(execution)) == 40


@pytest.mark.slow
def test_hundred_megabytes_of_prints_cost_no_memory_and_delay_nobody(workers):
    wait_for_end(start("noop"))
    before = workers.output.stat().st_size
    execution = started("print_a_lot", params={"lines": 100_000, "width": 1000})
    others = []
    while execution.status == Status.PROCESSING:
        other = wait_for_end(start("noop"))
        others.append((other.completed_at - other.triggered_at).total_seconds())
        execution.refresh_from_db()
    texts = messages(execution)
    print(
        f"\n100 MB of prints took {execution.completed_at - execution.started_at}, memory grew by"
        f" {execution.result['grown']} KiB; {len(others)} other executions meanwhile took at most {max(others):.3f} s"
    )
    assert workers.output.stat().st_size - before > 100_000_000  # they are where they would be without us as well
    assert execution.result["grown"] < 16 * 1024
    assert sum(len(text.encode()) for text in texts) <= 1_048_576 + 100
    assert texts[0].startswith("first")
    assert texts[-1].startswith("last")
    assert sum("lines dropped here" in text for text in texts) == 1
    assert max(others) < 20  # nobody waited for it to end; how long they did is measured, not tested
