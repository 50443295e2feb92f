"""Why at T? Each kind of answer, and many questions about random histories against a reading of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from django_scheduled_tasks.exceptions import InvalidInput
from django_scheduled_tasks.lifecycle import Outcome, Status
from django_scheduled_tasks.models import Execution, Hold, ScheduledTask, frozen_at
from django_scheduled_tasks.services.queries.explain.answers import Kind
from django_scheduled_tasks.services.queries.explain.question import explain
from django_scheduled_tasks.services.queries.explain.when import When, read_when
from django_scheduled_tasks.services.scheduling import left
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.tasks import edit
from django_scheduled_tasks.services.tasks.holds import hold, release
from tests import selection
from tests.factories import make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
HOURLY = {"schedule_kind": "cron", "expression": "0 * * * *"}
HOUR, MINUTE, SECOND, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def task():
    with frozen_at(NOON + MINUTE):
        return make_task(**HOURLY, name="hourly")


def ask(task: ScheduledTask, at: datetime, *, now: datetime):
    with frozen_at(now):
        return explain(ScheduledTask.objects.get(pk=task.pk), When(at))


def run(number: int, **values: object) -> None:
    Execution.objects.filter(pk=number).update(status=Status.COMPLETED, outcome=Outcome.SUCCEEDED, **values)


# --- each kind ------------------------------------------------------------------------------------------------------


def test_it_ran(engine, task):
    at = NOON + HOUR
    with frozen_at(at):
        record_due(limit=5)
    execution = Execution.objects.get()
    assert ask(task, at, now=at + SECOND).kind == Kind.WAITING
    run(execution.pk, started_at=at + 3 * SECOND, completed_at=at + 9 * SECOND)
    found = ask(task, at, now=at + MINUTE)
    assert (found.kind, found.facts["late_seconds"], found.facts["outcome"]) == (Kind.RAN, 3.0, "succeeded")
    assert "3.0 s after it was due, and completed" in found.sentence


def test_what_was_in_the_way_is_named(engine, task):
    blocker = make_execution(task, status=Status.PROCESSING)
    with frozen_at(NOON + HOUR):
        record_due(limit=5)
    found = ask(task, NOON + HOUR, now=NOON + 2 * HOUR)
    assert (found.kind, found.facts["blocked_by"]) == (Kind.SKIPPED, blocker.pk)
    assert found.sentence == f"Execution #{blocker.pk} was still running."


def test_it_expired(engine, task):
    with frozen_at(NOON + HOUR):
        record_due(limit=5)
    Execution.objects.update(
        status=Status.ERRORS, outcome=Outcome.EXPIRED, completed_at=NOON, error_message="It waited for long."
    )
    assert ask(task, NOON + HOUR, now=NOON + 2 * HOUR).kind == Kind.NOT_STARTED


def test_it_is_paused_and_was_paused(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.pause(task, reason="audit", user=make_user(name="anna"), until=NOON + 5 * HOUR)
    now = ask(task, NOON + 2 * HOUR, now=NOON + 3 * HOUR)
    assert (now.kind, now.facts["by"], now.facts["reason"]) == (Kind.PAUSED, "anna", "audit")
    assert now.sentence == "The task is paused by anna since 2026-03-01 12:05:00 UTC. Reason: audit"
    assert ask(task, NOON + 4 * HOUR, now=NOON + 3 * HOUR).kind == Kind.PAUSED
    assert ask(task, NOON + 5 * HOUR, now=NOON + 3 * HOUR).kind == Kind.AHEAD
    # It is over, and the scheduler has not been there since.
    over = ask(task, NOON + 4 * HOUR, now=NOON + 5 * HOUR + MINUTE)
    assert over.sentence.startswith("The task was paused by anna")
    assert ask(task, NOON + 5 * HOUR, now=NOON + 5 * HOUR + MINUTE).kind == Kind.NOT_PLANNED
    with frozen_at(NOON + 6 * HOUR):
        record_due(limit=5)
    after = ask(task, NOON + 2 * HOUR, now=NOON + 7 * HOUR)
    assert (after.kind, after.facts["occurrences"]) == (Kind.PAUSED, 4)


def test_it_is_switched_off(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.update_task(task, enabled=False)
    found = ask(task, NOON + HOUR, now=NOON + 3 * HOUR)
    assert (found.kind, found.sentence) == (Kind.DISABLED, "The task is switched off since 2026-03-01 12:05:00 UTC.")
    assert ask(task, NOON + 9 * HOUR, now=NOON + 3 * HOUR).kind == Kind.DISABLED


def test_it_is_broken(engine, task, monkeypatch):
    monkeypatch.setattr(left, "UNKNOWN_FOR", 0.0)
    ScheduledTask.objects.update(function="testapp.gone")
    with frozen_at(NOON + HOUR):
        record_due(limit=5)
    found = ask(task, NOON + HOUR, now=NOON + 2 * HOUR)
    assert found.kind == Kind.BROKEN
    assert "testapp.gone" in found.sentence
    ScheduledTask.objects.update(expression="never")
    assert ask(task, NOON + 3 * HOUR, now=NOON + 2 * HOUR).kind == Kind.BROKEN


def test_it_is_held(engine, task):
    with frozen_at(NOON + 5 * MINUTE):
        row = hold(reason="deploy", user=make_user(name="ben"), until=NOON + 3 * HOUR)
    due = ask(task, NOON + HOUR, now=NOON + 2 * HOUR)
    assert (due.kind, due.facts["hold"]) == (Kind.HELD, row.pk)
    assert due.sentence == "The task is held by ben since 2026-03-01 12:05:00 UTC. Reason: deploy"
    assert ask(task, NOON + 4 * HOUR, now=NOON + 2 * HOUR).kind == Kind.AHEAD
    with frozen_at(NOON + 2 * HOUR + MINUTE):
        release(row)
        record_due(limit=5)
    assert ask(task, NOON + HOUR, now=NOON + 3 * HOUR).kind == Kind.HELD  # missed, and said so
    assert ask(task, NOON + 2 * HOUR, now=NOON + 3 * HOUR).kind == Kind.WAITING


def test_it_is_not_due_then(task):
    found = ask(task, NOON + 90 * MINUTE, now=NOON + 4 * HOUR)
    assert found.kind == Kind.NOT_DUE
    assert found.facts == {"due_before": "2026-03-01T13:00:00.000Z", "due_after": "2026-03-01T14:00:00.000Z"}
    assert ask(make_task(), NOON + DAY * 999, now=NOON).sentence.startswith("It has no schedule")


def test_it_did_not_exist_or_is_to_come(task):
    assert ask(task, NOON, now=NOON + 5 * MINUTE).kind == Kind.BEFORE
    assert ask(task, NOON + 5 * HOUR, now=NOON + 5 * MINUTE).kind == Kind.AHEAD


def test_nothing_is_recorded_any_more(task):
    with frozen_at(NOON + 5 * MINUTE):
        edit.update_task(task, keep_for=3 * HOUR)
    ScheduledTask.objects.update(next_run_at=NOON + 50 * HOUR)
    assert ask(task, NOON + 2 * HOUR, now=NOON + 49 * HOUR).kind == Kind.PRUNED
    assert ask(task, NOON + 48 * HOUR, now=NOON + 49 * HOUR).kind == Kind.UNKNOWN
    with frozen_at(NOON + 49 * HOUR):
        edit.update_task(task, description="x")
    assert ask(task, NOON + 48 * HOUR, now=NOON + 49 * HOUR).kind == Kind.CHANGED


def test_a_done_task_says_so(task):
    ScheduledTask.objects.update(max_runs=1, run_count=1, next_run_at=None)
    assert "it has started as often as it may" in ask(task, NOON + 9 * HOUR, now=NOON + HOUR).sentence


@pytest.mark.parametrize(
    ("asked", "kind", "then"),
    [("02:30", "clock_changed", "ahead"), ("03:00", "ahead", None), ("01:59", "not_due", None)],
)
def test_a_time_that_the_clock_skipped(asked, kind, then):
    with frozen_at(NOON):
        task = make_task(name="early", schedule_kind="cron", expression="30 2 * * *", timezone="Europe/Berlin")
        when = read_when(f"2026-03-29 {asked}", timezone=task.timezone, now=NOON)
        found = explain(task, when)
    assert (found.kind, found.facts.get("then")) == (kind, then)
    if then:
        assert found.sentence.startswith(
            "2026-03-29 02:30 did not exist in Europe/Berlin: the clock went from 02:00 to"
        )


def test_a_time_that_the_clock_showed_twice():
    with frozen_at(NOON):
        task = make_task(name="early", schedule_kind="cron", expression="30 2 * * *", timezone="Europe/Berlin")
        found = explain(task, When(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)))
    assert (found.kind, found.facts["scheduled_for"]) == (Kind.CLOCK_CHANGED, "2026-10-25T00:30:00.000Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("02:00", datetime(2026, 3, 1, 1, tzinfo=UTC)),
        ("14:00", datetime(2026, 2, 28, 13, tzinfo=UTC)),  # the last one; today's is to come
        ("2026-03-05 02:00", datetime(2026, 3, 5, 1, tzinfo=UTC)),
        ("2026-03-05T02:00:00Z", datetime(2026, 3, 5, 2, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_the_zone_of_the_task(text, expected):
    assert read_when(text, timezone="Europe/Berlin", now=NOON).at == expected


@pytest.mark.parametrize("text", ["", "noon", "25:00", "02:61", "0001-01-01 00:00", "9999-12-31T23:59:59Z", "2:0"])
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(InvalidInput):
        read_when(text, timezone="Europe/Berlin", now=NOON)


# --- many -----------------------------------------------------------------------------------------------------------

TEN = timedelta(minutes=10)
EVENTS = ("pause", "until", "resume", "off", "on", "hold", "release", "down", "up")


@dataclass
class Reading:
    """What becomes of each occurrence, by the rules as people say them: kept minute by minute, beside the ledger."""

    answers: dict[datetime, str] = field(default_factory=dict)
    late: list[datetime] = field(default_factory=list)
    """Due, and no scheduler has been there."""
    undone: list[datetime] = field(default_factory=list)
    """Due while the task stood still, in the present stretch."""
    stood: str = ""
    held: list[tuple[datetime, datetime | None]] = field(default_factory=list)

    def minute(self, now: datetime, *, state: str, is_held: bool, is_down: bool, is_open: bool) -> None:
        """Let a minute begin; *state*: how the task stands still, if it does."""
        if not state and self.undone:
            self.answers |= dict.fromkeys(self.undone, self.stood)
            self.undone = []
        if now.minute % 10 == 0:
            (self.undone if state else self.late).append(now)
        self.stood = state
        if state or is_held or is_down or not self.late:
            return
        *missed, newest = self.late
        for at in missed:
            was_held = any(low <= at and (high is None or at < high) for low, high in self.held)
            self.answers[at] = "held" if was_held else "missed"
        self.answers[newest] = "skipped" if is_open else "ran"
        self.late = []

    def stop(self, state: str) -> None:
        """Let the task stand still from now on, or for another reason; what was late is left undone with it."""
        if state and not self.stood:
            self.undone += self.late
            self.late = []
        if state:
            self.stood = state
        elif self.stood:
            self.answers |= dict.fromkeys(self.undone, self.stood)
            self.undone, self.stood = [], ""

    def now(self, at: datetime, *, is_held: bool) -> str:
        """Return what is said of *at* now."""
        if at in self.undone:
            return self.stood
        if at in self.late:
            return "held" if is_held else "not_planned"
        return self.answers[at]


def _state(task: ScheduledTask, now: datetime) -> str:
    if not task.enabled:
        return "disabled"
    return "paused" if task.is_paused(now) else ""


@dataclass
class World:
    """What people and machines do to a task."""

    task: ScheduledTask
    dice: random.Random
    reading: Reading = field(default_factory=Reading)
    held: Hold | None = None
    is_down: bool = False
    """Whether no scheduler is there."""
    open_until: datetime | None = None

    def minute(self, now: datetime) -> None:
        """Let a minute begin: what runs may end, and the scheduler does what is due."""
        if self.open_until is not None and now >= self.open_until:
            ended = {"status": Status.COMPLETED, "outcome": Outcome.SUCCEEDED, "completed_at": now}
            Execution.objects.filter(status=Status.PROCESSING).update(**ended, lease_until=None)
            self.open_until = None
        has_due = now.minute % 10 == 0 or bool(self.reading.late)
        self.reading.minute(
            now,
            state=_state(self.task, now),
            is_held=self.held is not None,
            is_down=self.is_down,
            is_open=self.open_until is not None,
        )
        if has_due and not self.is_down and record_due(limit=5).tasks:
            begun = Execution.objects.filter(status=Status.PENDING)
            if begun.update(status=Status.PROCESSING, started_at=now, lease_until=NOON + 99 * DAY):
                self.open_until = now + self.dice.choice([1, 1, 1, 25]) * MINUTE

    def happen(self, event: str, now: datetime) -> None:
        """Let somebody do something."""
        task = self.task
        task.refresh_from_db()
        if event == "pause":
            edit.pause(task, reason="x")
        elif event == "until":
            edit.pause(task, until=now + self.dice.randrange(2, 60) * MINUTE)
        elif event == "resume" and task.paused_at is not None:
            edit.resume(task)
        elif event in {"off", "on"}:
            edit.update_task(task, enabled=event == "on")
        elif event in {"down", "up"}:
            self.is_down = event == "down"
        elif event == "hold" and self.held is None:
            self.held = hold(reason="y")
            self.reading.held.append((now, None))
        elif event == "release" and self.held is not None:
            release(self.held)
            self.held, self.reading.held[-1] = None, (self.reading.held[-1][0], now)
        task.refresh_from_db()
        self.reading.stop(_state(task, now))


@pytest.mark.parametrize("seed", selection.first_in_gate(range(10)))
def test_a_hundred_questions_about_a_random_day(engine, seed):
    dice = random.Random(seed)
    now = NOON + 5 * MINUTE
    with frozen_at(now):
        world = World(make_task(name="often", schedule_kind="cron", expression="*/10 * * * *"), dice)
    for _minute in range(8 * 60):
        now += MINUTE
        with frozen_at(now):
            world.minute(now)
        event = dice.choice([*EVENTS, *["-"] * 70])
        if event != "-":
            with frozen_at(now + 30 * SECOND):
                world.happen(event, now + 30 * SECOND)
    wrong = []
    asked = [NOON + dice.randrange(1, 48) * TEN for _number in range(100)]
    for at in asked:
        expected = world.reading.now(at, is_held=world.held is not None)
        found = ask(world.task, at, now=now + 45 * SECOND)
        if found.kind != expected:
            wrong.append((at, expected, found))
    assert not wrong
    assert ask(world.task, asked[0] + 3 * MINUTE, now=now).kind == Kind.NOT_DUE
