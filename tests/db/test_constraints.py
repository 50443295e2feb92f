"""Which constraint refused a row, on each database."""

from __future__ import annotations

from copy import copy

import pytest
from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from django_scheduled_tasks.db.constraints import violated_constraint
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Attempt, Execution, ExecutionLog, Presence, ScheduledTask, read_now
from tests.database import ALIAS, connection
from tests.factories import make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def _refused(write) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught, transaction.atomic(using=ALIAS):
        write()
    return caught.value


def _hold(key: str) -> Execution:
    now = read_now()
    running = {"status": Status.PROCESSING, "started_at": now, "lease_until": now, "exclusive_key": key}
    return make_execution(make_task(), **running)


@pytest.mark.parametrize("key", ["task:1", "it's", "a 'key' for 'dst_exec_idempotency_once'", 'x" y` z'])
def test_a_unique_constraint_is_told_by_its_name_whatever_the_value(key):
    _hold(key)
    assert violated_constraint(_refused(lambda: _hold(key)), Execution) == "dst_exec_exclusive"


def test_one_over_several_columns():
    execution = make_execution(make_task(), scheduled_for=read_now())
    again = {"scheduled_for": execution.scheduled_for}
    error = _refused(lambda: make_execution(execution.task, **again))
    assert violated_constraint(error, Execution) == "dst_exec_occurrence_once"


@pytest.mark.parametrize(("model", "name"), [(Attempt, "dst_attempt_once"), (ExecutionLog, "dst_log_line_once")])
def test_one_with_a_foreign_key_among_its_columns(model, name):
    now = read_now()
    when = {"ended_at": now} if model is Attempt else {"logged_at": now}
    model.objects.using(ALIAS).create(execution=(execution := make_execution(make_task())), number=1, **when)
    error = _refused(lambda: model.objects.using(ALIAS).create(execution=execution, number=1, **when))
    assert violated_constraint(error, model) == name


def test_a_unique_field_is_told_by_the_fields_name():
    task = make_task(name="one")
    assert violated_constraint(_refused(lambda: _same_name(task)), ScheduledTask) == "name_key"
    seen = {"identity": "a", "started_at": read_now(), "last_seen_at": read_now()}
    Presence.objects.using(ALIAS).create(**seen)
    error = _refused(lambda: Presence.objects.using(ALIAS).create(**seen))
    assert violated_constraint(error, Presence) == "identity"
    error = _refused(lambda: ScheduledTask.objects.using(ALIAS).bulk_create([task]))
    assert violated_constraint(error, ScheduledTask) in {"id", "name_key"}, "either is said first"


def _same_name(task: ScheduledTask) -> None:
    """Write *task* a second time, without the service that would say so before the database does."""
    twin = copy(task)
    twin.pk, twin.name = uuid7(), task.name.upper()
    twin.save(using=ALIAS, force_insert=True)


def test_a_check_is_told_by_its_name():
    error = _refused(lambda: make_execution(make_task(), trigger="nobody"))
    assert violated_constraint(error, Execution) == "dst_exec_trigger_known"


def test_what_is_no_constraint_of_the_model_has_no_name():
    task = make_task(name="one")
    other_table = _refused(lambda: _same_name(task))
    assert violated_constraint(other_table, Execution) == ""
    null = _refused(lambda: ScheduledTask.objects.using(ALIAS).filter(pk=task.pk).update(created_at=None))
    assert violated_constraint(null, ScheduledTask) == ""


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite looks at foreign keys at the commit only")
def test_a_foreign_key_has_no_name():
    task = make_task()

    def write() -> None:
        ScheduledTask.objects.using(ALIAS).filter(pk=task.pk).update(created_by=987_654)
        connection.check_constraints()

    assert violated_constraint(_refused(write), ScheduledTask) == ""


def test_a_message_in_another_language_is_understood():
    error = IntegrityError(
        1062, "Doppelter Eintrag 'x' für Schlüssel 'django_scheduled_tasks_execution.dst_exec_exclusive'"
    )
    assert violated_constraint(error, Execution) == "dst_exec_exclusive"
    assert violated_constraint(
        IntegrityError(3819, "Check constraint 'dst_exec_trigger_known' is violated."), Execution
    )
    assert violated_constraint(IntegrityError("nothing that we know"), Execution) == ""
