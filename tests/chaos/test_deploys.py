"""A few rolling deploys in a row, and proof that their verdict would notice what it looks for."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections

from django_scheduled_tasks.lifecycle import Outcome, Status, Trigger
from django_scheduled_tasks.models import Release, ScheduledTask
from tests.chaos.deploys import audit, tempo
from tests.chaos.deploys.fleet import Fleet, Life, now
from tests.chaos.deploys.roll import Deploys
from tests.chaos.deploys.source import Item, Source
from tests.chaos.deploys.verdict import Verdict
from tests.cluster import directed
from tests.factories import make_execution, make_task

real_processes = [
    pytest.mark.cluster,
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connections["default"].vendor != "postgresql", reason="rows are watched by PostgreSQL's triggers"
    ),
    pytest.mark.timeout(300),
]


def deploy(folder, count, **options):
    """Make *count* deploys on the test's database, and return the report."""
    with directed() as queue:
        return Deploys(folder, queue, **options).run(count)


class TestDeploys:
    """With real processes."""

    pytestmark = real_processes

    def test_four_deploys_lose_nothing_and_double_nothing(self, tmp_path):
        report = deploy(tmp_path, 4, seed=4)
        assert report.is_well, report.text()
        assert report.counts["succeeded"] > 50

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("rule", "kind"),
        [("pause", "wrongly paused"), ("retire", "wrongly retired"), ("write", "wrongly changed")],
    )
    def test_a_rule_that_is_broken_turns_the_verdict(self, tmp_path, rule, kind):
        assert rule in tempo.BROKEN_RULES
        report = deploy(tmp_path, 8, seed=11, broken_rule=rule)
        assert report.problems[kind], report.text()


AGO = timedelta(seconds=6)
ITEM = Item(line=1, name="job 1", app="shop", function="work", schedule='every("1s")', revision=1)
R1, R2 = Source(1, (ITEM,)), Source(2, (ITEM,))


class Ledger:
    """A task that was due each second for six seconds, and its executions, which have succeeded."""

    def __init__(self, folder):
        self.fleet = Fleet(folder, "queue")
        self.began = now().replace(microsecond=0) - AGO
        self.keys = {}
        for source in (R1, R2):
            row = Release.objects.create(key=f"key-{source.name}", name=source.name, first_seen_at=self.began)
            self.keys[source.name] = row.key
        task = make_task(name=ITEM.name, schedule_kind="interval", expression="1s", overlap="allow")
        values = {"function": ITEM.path, "params": ITEM.params, "next_run_at": self.began + AGO}
        ScheduledTask.objects.filter(pk=task.pk).update(**values)
        self.task = ScheduledTask.objects.get(pk=task.pk)
        self.entries = []
        self.write(0, release=self.keys["r1"])
        self.rows = [self.execution(second) for second in range(1, 6)]

    def execution(self, second, **values):
        at = self.began + timedelta(seconds=second)
        given = {"trigger": Trigger.SCHEDULE, "status": Status.COMPLETED, "scheduled_for": at, "triggered_at": at}
        row = make_execution(self.task, **{**given, "completed_at": at, **values})
        if row.outcome == Outcome.SUCCEEDED:
            self.ended(row)
        return row

    def ended(self, row):
        with self.fleet.trace.open("a") as trace:
            trace.write(f"end {row.pk} 1 1 r1 7\n")

    def forget(self, number):
        """Let there be no such execution."""
        row = self.rows[number]
        kept = [line for line in self.fleet.trace.read_text().splitlines() if int(line.split()[1]) != row.pk]
        self.fleet.trace.write_text("\n".join([*kept, ""]))
        row.delete()

    def write(self, second, **values):
        """Let the database have written down that the task's row is as *values* say from then on."""
        names = ("name", "function", "params", "enabled", "paused_at", "pause_code", "retired_at", "origin")
        known = {name: getattr(self.entries[-1] if self.entries else self.task, name) for name in names}
        at = self.began + timedelta(seconds=second)
        known |= {"release": self.entries[-1].release} if self.entries else {}
        made = {"task": self.task.pk, "schedule": "interval 1s", "at": at, "updated_at": at, **known, **values}
        self.entries.append(audit.Entry(**made))

    def alive(self, source, slot="scheduler-1", until=None):
        at = None if until is None else self.began + timedelta(seconds=until)
        self.fleet.lives.append(Life(slot, source, None, since=self.began - AGO, until=at))

    def problems(self):
        found = Verdict(self.fleet, {"r1": R1, "r2": R2}, R1, Counter(), {self.task.pk: self.task}).report().problems
        return {kind for kind, some in found.items() if some}


@pytest.mark.django_db
class TestTheVerdict:
    """Each thing that must not happen is found when it does, and not if it may."""

    @pytest.fixture
    def ledger(self, tmp_path, monkeypatch):
        ledger = Ledger(tmp_path)
        monkeypatch.setattr(audit, "read", lambda: {ledger.task.pk: ledger.entries})
        return ledger

    def test_all_is_well(self, ledger):
        ledger.alive(R1)
        assert ledger.problems() == set()

    def test_an_occurrence_without_a_row(self, ledger):
        ledger.forget(2)
        assert ledger.problems() == {"lost"}

    def test_an_occurrence_that_was_skipped_though_a_scheduler_knew_its_task(self, ledger):
        ledger.forget(2)
        skipped = {"status": Status.ERRORS, "outcome": Outcome.SKIPPED, "error_code": "paused"}
        ledger.execution(3, **skipped)
        assert ledger.problems() == set()
        ledger.alive(R1)
        assert ledger.problems() == {"lost"}

    def test_a_row_that_is_no_occurrence(self, ledger):
        ledger.execution(3.5)
        assert ledger.problems() == {"doubled"}

    def test_a_run_to_the_end_twice_unless_its_first_worker_was_killed(self, ledger):
        ledger.ended(ledger.rows[0])
        assert ledger.problems() == {"doubled"}
        ledger.fleet.killed.add(7)
        attempt = {"number": 1, "outcome": Outcome.WORKER_LOST, "worker_pid": 7, "ended_at": ledger.began}
        ledger.rows[0].attempts.create(**attempt)
        assert ledger.problems() == set()

    def test_a_success_that_never_ran(self, ledger):
        ledger.fleet.trace.write_text("")
        assert ledger.problems() == {"lost"}

    def test_a_run_that_was_asked_for_and_has_no_row(self, ledger):
        with ledger.fleet.trace.open("a") as trace:
            trace.write("asked 0198 r1 7\n")
        assert ledger.problems() == {"lost"}

    def test_one_occurrence_under_two_names(self, ledger):
        other = make_task(name="job one")
        make_execution(other, params=ITEM.params, trigger=Trigger.SCHEDULE, scheduled_for=ledger.rows[0].scheduled_for)
        assert "doubled" in ledger.problems()

    def test_a_task_that_was_switched_off_while_a_process_declared_it(self, ledger):
        ledger.write(5.5, retired_at=ledger.began, enabled=False)
        assert ledger.problems() == set()
        ledger.alive(R1, until=5.4)
        assert ledger.problems() == set()
        ledger.alive(R1, slot="workers-1")
        assert ledger.problems() == {"wrongly retired"}

    def test_a_task_that_was_paused_while_a_process_knew_it(self, ledger):
        ledger.write(5.5, paused_at=ledger.began + AGO, pause_code="unknown_function")
        ledger.alive(R1, until=5.5 - tempo.UNKNOWN_FOR)
        assert ledger.problems() == set()
        ledger.alive(R1, slot="workers-1", until=5.5 - tempo.UNKNOWN_FOR + 1)
        assert ledger.problems() == {"wrongly paused"}

    def test_an_execution_that_failed_while_a_process_took_it(self, ledger):
        failed = {"status": Status.ERRORS, "outcome": Outcome.FAILED, "error_code": "function_not_registered"}
        ledger.forget(4)
        ledger.execution(5, **failed)
        assert ledger.problems() == set()
        ledger.alive(R1)
        assert ledger.problems() == {"wrongly failed"}

    def test_an_execution_may_fail_that_only_a_scheduler_knew_which_has_said_goodbye(self, ledger):
        """It is forgotten by then; one that was killed is not, nor are workers."""
        failed = {"status": Status.ERRORS, "outcome": Outcome.FAILED, "error_code": "function_not_registered"}
        ledger.forget(4)
        ledger.execution(5, **failed)
        ledger.alive(R1, until=5 - tempo.NEVER_KNOWN_FOR + tempo.GONE_FOR)
        assert ledger.problems() == set()
        ledger.fleet.lives[0].was_killed = True
        assert ledger.problems() == {"wrongly failed"}

    def test_another_failure_is_always_wrong(self, ledger):
        ledger.forget(4)
        ledger.execution(5, status=Status.ERRORS, outcome=Outcome.FAILED, error_code="failed")
        assert ledger.problems() == {"wrongly failed"}

    def test_an_older_release_that_wrote_over_a_newer_one_which_was_there(self, ledger):
        ledger.write(2, release=ledger.keys["r2"])
        ledger.write(3, release=ledger.keys["r1"])
        assert ledger.problems() == set()
        ledger.alive(R2, slot="workers-1")
        assert ledger.problems() == {"wrongly changed"}

    def test_what_is_not_as_the_last_release_has_it(self, ledger):
        ledger.task.name = "job one"
        assert ledger.problems() == {"not settled"}
