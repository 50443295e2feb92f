"""Tasks go with their owner: in its transaction, or found later; and those that are done are deleted."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.db.models.signals import post_delete

from django_scheduled_tasks import at, cron, every, owns_tasks, upsert_task
from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Change, Deed, Execution, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.owners import forget_owner, owners
from django_scheduled_tasks.services.scheduling.done import done_steps
from django_scheduled_tasks.services.scheduling.occurrences import record_due
from django_scheduled_tasks.services.starting.run_once import run_once
from django_scheduled_tasks.services.tasks.orphans import orphan_steps
from tests.database import ALIAS, connection
from tests.factories import make_execution

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
DAILY = cron("0 9 * * *")


@pytest.fixture
def own():
    """Let models own tasks, for one test."""
    made = []

    def let(model, **options):
        made.append(model)
        return owns_tasks(model, **options)

    yield let
    for model in made:
        forget_owner(model)
        post_delete.disconnect(sender=model, dispatch_uid=f"django_scheduled_tasks.owner.{model._meta.label}")


def test_a_task_knows_its_owner(django_assert_num_queries):
    group = Group.objects.create(name="one")
    row = upsert_task("testapp.noop", key="k", owner=group).row
    assert (row.owner_type, row.owner_id) == ("auth.group", str(group.pk))
    with django_assert_num_queries(1):
        assert row.owner == group
        assert row.owner == group
    row.owner_type = "gone.model"
    assert row.owner is None
    row.owner_type, row.owner_id = "auth.group", "no number"
    assert row.owner is None
    assert upsert_task("testapp.noop", key="n").row.owner is None


def test_the_tasks_of_a_deleted_owner_are_deleted_in_its_transaction(own):
    own(Group)
    one, two = Group.objects.create(name="one"), Group.objects.create(name="two")
    for number, group in enumerate((one, one, two)):
        upsert_task("testapp.noop", key=f"k{number}", owner=group, schedule=DAILY)
    waiting = run_once(ScheduledTask.objects.get(key="k0")).execution
    with pytest.raises(RuntimeError), transaction.atomic(using=ALIAS), transaction.atomic():
        one.delete()
        assert ScheduledTask.objects.count() == 1
        raise RuntimeError
    assert ScheduledTask.objects.count() == 3
    Group.objects.filter(name="one").delete()
    assert [task.key for task in ScheduledTask.objects.all()] == ["k2"]
    assert Execution.objects.get(pk=waiting.pk).task is None
    deed = Change.objects.filter(deed=Deed.DELETED).latest("pk")
    assert deed.reason == "Its owner has been deleted."


def test_they_can_be_switched_off_instead(own):
    own(Group, on_delete="switch_off")
    group = Group.objects.create(name="one")
    upsert_task("testapp.noop", key="k", owner=group, schedule=DAILY)
    group.delete()
    row = ScheduledTask.objects.get(key="k")
    assert (row.enabled, row.next_run_at, row.owner_type, row.owner) == (False, None, "auth.group", None)
    assert sum(count for _label, count in orphan_steps()) == 0


def test_models_that_own_nothing_keep_their_fast_deletes(own):
    own(Group)
    assert post_delete.has_listeners(Group)
    assert not post_delete.has_listeners(Permission)
    assert list(owners()) == ["auth.group"]


def test_orphans_of_a_bulk_deletion_are_found(own, settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "BATCH_SIZE": 2}
    own(Group)
    groups = [Group.objects.create(name=f"group {number}") for number in range(5)]
    kind = ContentType.objects.first()
    for group in groups:
        upsert_task("testapp.noop", key=f"group:{group.pk}", owner=group)
    upsert_task("testapp.noop", key="other", owner=kind)
    rows = Group.objects.filter(pk__in=[group.pk for group in groups[1:4]])
    rows._raw_delete(rows.db)
    ContentType.objects.filter(pk=kind.pk).update(model="x")
    assert ScheduledTask.objects.count() == 6
    assert sum(count for _label, count in orphan_steps()) == 3
    assert set(ScheduledTask.objects.values_list("key", flat=True)) == {
        f"group:{groups[0].pk}",
        f"group:{groups[4].pk}",
        "other",
    }


def test_a_wrong_word_is_refused():
    with pytest.raises(ValueError, match="keep"):
        owns_tasks(Group, on_delete="keep")


def finish(task: ScheduledTask) -> None:
    Execution.objects.filter(task=task).update(status=Status.COMPLETED, outcome="succeeded", completed_at=read_now())


def test_what_is_done_is_deleted_with_its_history(settings):
    settings.SCHEDULED_TASKS = {**settings.SCHEDULED_TASKS, "BATCH_SIZE": 2}
    now = read_now()
    soon = now + timedelta(minutes=1)
    options = {"delete_when_done": True}
    once = upsert_task("testapp.noop", key="once", schedule=at(soon), **options).row
    upsert_task("testapp.noop", key="runs", schedule=every("30s"), max_runs=1, **options)
    upsert_task("testapp.noop", key="ends", schedule=every("1h"), ends_at=soon, **options)
    for key, more in (("stays", {}), ("more", options)):
        upsert_task("testapp.noop", key=key, schedule=at(soon) if not more else every("1h"), **more)
    upsert_task("testapp.noop", key="by hand", **options)
    upsert_task("testapp.noop", key="off", schedule=at(soon), enabled=False, **options)
    with frozen_at(now + timedelta(minutes=2)):
        record_due(limit=100)
        assert {task.key for task in ScheduledTask.objects.filter(next_run_at=None)} >= {"once", "runs", "ends"}
        assert [name for name, _count in done_steps()] == ["noop ends"]
        finish(once)
        for _ in range(4):
            make_execution(once, status=Status.COMPLETED)
        assert list(done_steps()) == [("noop once", 2), ("noop once", 2), ("noop once", 1)]
        finish(ScheduledTask.objects.get(key="runs"))
        assert {name for name, _count in done_steps()} == {"noop runs"}
    assert set(ScheduledTask.objects.values_list("key", flat=True)) == {"stays", "more", "by hand", "off"}
    assert not Execution.objects.filter(task_name__in=["noop once", "noop runs"]).exists()
    assert Change.objects.filter(deed=Deed.DELETED, reason="Nothing of it was left to run.").count() == 3


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.parametrize("threads", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_owners_that_are_deleted_while_their_tasks_are_made_leave_no_orphans_in_the_end(own, threads):
    """Who makes a task just as its owner goes may leave one behind; the daily look finds it, and nothing else."""
    if connection.vendor == "sqlite":
        pytest.skip("one writes after the other")
    own(Group)
    groups = [Group.objects.create(name=f"group {number}") for number in range(40)]
    barrier, failed = threading.Barrier(threads), []

    def work(number: int) -> None:
        try:
            barrier.wait(30)
            for group in groups[number:] + groups[:number]:
                if number % 2 and group.pk % 2:
                    Group.objects.filter(pk=group.pk).delete()
                else:
                    upsert_task("testapp.noop", key=f"group:{group.pk}", owner=group, schedule=DAILY)
        except Exception as exc:  # told by the thread that asserts
            failed.append(exc)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    assert failed == []
    list(orphan_steps())
    left = {str(pk) for pk in Group.objects.values_list("pk", flat=True)}
    tasks = list(ScheduledTask.objects.values_list("key", "owner_id"))
    assert {owner for _key, owner in tasks} == left
    assert len({key for key, _owner in tasks}) == len(tasks) == len(left) == 20
