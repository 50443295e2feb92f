"""A short run of the chaos runner (at night), and proof that it would notice what it looks for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Total, read_now
from tests.chaos import runner
from tests.chaos.runner import WELL, Chaos
from tests.cluster import ROOT
from tests.factories import make_execution, make_task
from tests.profiles import PROFILES


def has_server_programs() -> bool:
    """Whether this machine can start servers of its own."""
    from tests.servers import _postgres_programs

    try:
        return bool(_postgres_programs()) and shutil.which("redis-server") is not None
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.skipif(not has_server_programs(), reason="no programs of PostgreSQL's and Redis's servers")
@pytest.mark.timeout(300)
def test_nothing_is_lost_and_nothing_doubled_while_everything_breaks():
    assert set(PROFILES) >= {"postgres"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--seed", "3", "--minutes", "0.4", "--interval", "0.5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert WELL in done.stdout


@pytest.fixture
def chaos(tmp_path):
    chaos = Chaos(None, None, seed=1, seconds=1)
    chaos.retried = set()
    chaos.first_due = {}
    return chaos


@pytest.fixture
def task(chaos):
    task = make_task(schedule_kind="interval", expression="10s", starts_at=read_now() - timedelta(minutes=1))
    chaos.first_due[task.pk] = task.schedule.next_after(read_now() - timedelta(seconds=50))
    return task


def recorded(chaos, task, **values):
    """Write a row for each of its occurrences, that succeeded and left its traces."""
    rows, instant = [], chaos.first_due[task.pk]
    while instant <= read_now():
        row = make_execution(
            task, trigger=Trigger.SCHEDULE, scheduled_for=instant, status=Status.COMPLETED, triggered_at=instant
        )
        with chaos.trace.open("a") as trace:
            trace.write(f"end {row.pk} 1 0.0 1\n")
        rows.append(row)
        instant = task.schedule.next_after(instant)
    return rows


@pytest.mark.django_db
class TestTheVerdict:
    """Each thing that must not happen is found when it does."""

    def test_all_is_well(self, chaos, task):
        recorded(chaos, task)
        chaos._judge(read_now())
        assert chaos.report.problems == []
        assert chaos.report.occurrences >= 4

    def test_a_lost_occurrence(self, chaos, task):
        recorded(chaos, task)[1].delete()
        chaos._judge(read_now())
        assert "have no row" in " ".join(chaos.report.problems)

    def test_a_row_that_is_no_occurrence(self, chaos, task):
        rows = recorded(chaos, task)
        instant = rows[0].scheduled_for + timedelta(seconds=3)
        make_execution(task, trigger=Trigger.SCHEDULE, scheduled_for=instant, status=Status.ERRORS)
        chaos._judge(read_now())
        assert "which is no occurrence" in " ".join(chaos.report.problems)

    def test_a_run_to_the_end_twice_unless_the_task_allows_it(self, chaos, task):
        row = recorded(chaos, task)[0]
        with chaos.trace.open("a") as trace:
            trace.write(f"end {row.pk} 2 0.0 1\n")
        chaos._judge_runs()
        assert "ran to its end 2 times" in " ".join(chaos.report.problems)
        chaos.report.problems.clear()
        chaos.retried.add(task.pk)
        chaos._judge_runs()
        assert chaos.report.problems == []

    def test_an_end_that_was_counted_twice_or_never(self, chaos, task, monkeypatch):
        monkeypatch.setattr(runner, "COUNTED_WITHIN", 0.0)
        count = len(recorded(chaos, task))
        chaos._judge_counts()
        assert chaos.report.problems == []
        for counted in (count + 1, count - 1):
            Total.objects.update(succeeded=counted)
            chaos._judge_counts()
            assert chaos.report.problems.pop().endswith(f"{count} ended, {counted} were counted")

    def test_what_is_still_open(self, chaos, task):
        make_execution(task, trigger=Trigger.PYTHON, triggered_at=read_now() - timedelta(seconds=30))
        recorded(chaos, task)
        chaos._judge(read_now())
        assert "is still pending" in " ".join(chaos.report.problems)

    def test_a_success_that_never_ran(self, chaos, task):
        recorded(chaos, task)
        make_execution(task, status=Status.COMPLETED, outcome=Outcome.SUCCEEDED)
        chaos._judge(read_now())
        assert "never ran to its end" in " ".join(chaos.report.problems)
