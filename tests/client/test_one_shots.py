"""Executions that a program wants for an instant, and functions that are started as they are called."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_scheduled_tasks import scheduled_task, start, task, upsert_task
from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.lifecycle import Overlap, Status
from django_scheduled_tasks.models import Execution, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.tasks.edit import update_task
from tests.database import connection
from tests.factories import make_task, make_user
from tests.testapp.tasks import add, noop

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


@pytest.fixture
def mail():
    return make_task(name="mail", function="testapp.add", params={"a": 1})


def waiting() -> list[Execution]:
    return list(Execution.objects.filter(status="pending").order_by("id"))


def test_a_delay_is_an_instant_from_now(mail):
    now = read_now()
    with frozen_at(now):
        info, errors = task("mail").run_once(delay="2h")
        assert (errors, info.not_before) == (None, now + timedelta(hours=2))
    update_task(mail, overlap=Overlap.ALLOW)
    assert task("mail").run_once(delay=timedelta(0)).info.not_before is None
    for wrong in ({"delay": "soon"}, {"delay": "1h", "not_before": now + timedelta(hours=1)}):
        assert [item.details["field"] for item in task("mail").run_once(**wrong).errors.items] == ["delay"]


def test_each_key_has_its_own_and_the_same_one_is_moved(mail):
    day = read_now() + timedelta(days=1)
    for customer in (1, 2):
        info, errors = task("mail").run_at(day, {"a": customer}, key=f"trial-end:{customer}")
        assert errors is None
    user = make_user()
    moved, _ = task("mail").run_at(day + timedelta(days=3), {"a": 9}, key="trial-end:2", reason="longer", user=user)
    assert moved.tracking_id == info.tracking_id
    one, two = waiting()
    assert (one.not_before, one.params) == (day, {"a": 1})
    assert (two.not_before, two.params, two.own_params) == (day + timedelta(days=3), {"a": 9}, {"a": True})
    assert (two.send_at, two.reason, two.triggered_by) == (two.not_before, "longer", user)
    kept, _ = task("mail").run_at(day, key="trial-end:2", replace=False)
    assert kept.tracking_id == info.tracking_id
    assert waiting()[1].not_before == day + timedelta(days=3)
    for _ in range(2):
        task("mail").run_at(day)  # without a key there are any number
    assert len(waiting()) == 4


def test_until_then_it_is_in_nobodys_way_and_then_waits_for_its_turn(mail):
    now = read_now()
    with frozen_at(now):
        task("mail").run_at(now + timedelta(hours=1), key="a")
        assert task("mail").run_once().errors is None  # though the policy is skip
        assert task("mail").run_once().errors.items[0].code == "already_running"
    one, two = waiting()
    assert one.lock_key == two.lock_key == f"task:{mail.pk}"
    with frozen_at(now + timedelta(hours=2)):
        Execution.objects.filter(pk=two.pk).update(status="errors", outcome="failed", completed_at=now, lock_key=None)
        assert task("mail").run_once().errors.items[0].code == "already_running"


def test_a_key_is_free_as_soon_as_its_execution_has_begun(mail):
    now = read_now()
    task("mail").run_at(now + timedelta(minutes=1), key="a")
    (first,) = waiting()
    with frozen_at(now + timedelta(minutes=2)):
        assert Execution.objects.transition(
            first.tracking_id, Status.PROCESSING, attempt=1, started_at=now, lease_until=now + timedelta(hours=1)
        )
        again, errors = task("mail").run_at(now + timedelta(minutes=9), key="a")
    assert errors is None
    assert again.tracking_id != first.tracking_id
    assert [row.tracking_id for row in waiting()] == [again.tracking_id]


def test_what_waits_is_cancelled_by_its_key(mail):
    day = read_now() + timedelta(days=1)
    task("mail").run_at(day, key="a")
    info, errors = task("mail").cancel_at("a")
    assert (errors, waiting()) == (None, [])
    assert task("mail").cancel_at("a").errors.items[0].code == "execution_not_found"
    assert task("mail").run_at(day, key="a").info.tracking_id != info.tracking_id
    assert task("none").cancel_at("a").errors.items[0].code == "task_not_found"


@pytest.mark.parametrize("key", ["", "a" * 256])
def test_what_is_wrong_is_said(mail, key):
    assert task("mail").run_at(read_now() + timedelta(days=1), key=key).errors.items[0].code == "invalid_input"
    assert task("mail").run_at(read_now() - timedelta(days=1), key="a").errors.items[0].code == "invalid_input"
    assert waiting() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writes after the other")
def test_several_at_once_leave_one_that_waits(mail):
    when, failed, threads = read_now() + timedelta(days=1), [], 4
    barrier = threading.Barrier(threads)

    def work(number: int) -> None:
        barrier.wait(30)
        try:
            for minute in range(5):
                answer = task("mail").run_at(when + timedelta(minutes=minute), {"b": number}, key="a")
                failed.extend([answer.errors] if answer.errors else [])
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert failed == []
    assert len(waiting()) == Execution.objects.count() == 1


# --- start --------------------------------------------------------------------------------------------------------


def test_a_function_is_started_as_it_is_called():
    info, errors = start(add, 1, b=5)
    assert errors is None
    assert info.scheduled_task_name == "add start-testapp-add"
    first, second = start(noop), start(add, a=3)
    assert first.errors is second.errors is None
    assert [row.params for row in waiting()] == [{"a": 1, "b": 5}, {}, {"a": 3}]
    assert ScheduledTask.objects.get(key="start:testapp.add").overlap == Overlap.ALLOW
    update_task(ScheduledTask.objects.get(key="start:testapp.add"), overlap=Overlap.SKIP)
    assert start(add, 1).errors.items[0].code == "already_running"
    assert start(add, "x").errors.items[0].code == "invalid_parameters"


def test_the_task_that_the_code_declares_is_the_one_that_is_started():
    def bill(month: str, **more: int) -> None: ...

    declared = scheduled_task(name="billing", timeout="5m")(bill)
    try:
        make_task(name="billing", function=registry.of(bill).name)
        info, _ = start(declared, "2026-03", size=4)
        assert info.scheduled_task_name == "billing"
        assert waiting()[0].params == {"month": "2026-03", "size": 4}
        scheduled_task(name="second")(bill)
        with pytest.raises(ImproperlyConfigured, match="several"):
            start(declared, "2026-03")
    finally:
        registry._declarations = [one for one in registry._declarations if one.function.function is not bill]
        registry._functions = [one for one in registry._functions if one.function is not bill]


def test_only_registered_functions_are_started():
    with pytest.raises(FunctionNotRegistered):
        start(len, [])
    with pytest.raises(TypeError):
        start(add, 1, 2, 3)
    assert not upsert_task("testapp.noop", key="k").row.run_count
