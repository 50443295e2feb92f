"""Which release has its way with the rows of declared tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest

import django_scheduled_tasks.registry as registry_module
import django_scheduled_tasks.services.tasks.broken as broken_module
import django_scheduled_tasks.services.tasks.fields as fields_module
import django_scheduled_tasks.services.tasks.sync as sync_module
import django_scheduled_tasks.services.tasks.validation as validation_module
from django_scheduled_tasks import cron, scheduled_task
from django_scheduled_tasks.lifecycle import PauseCode
from django_scheduled_tasks.models import Execution, Presence, Release, ScheduledTask, frozen_at, read_now
from django_scheduled_tasks.registry import Registry
from django_scheduled_tasks.services.releases import live, own
from django_scheduled_tasks.services.tasks.sync import sync_declared_tasks
from tests.factories import make_execution, make_release

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]
MODULES = (registry_module, broken_module, fields_module, sync_module, validation_module, own)
HOUR = timedelta(hours=1)


@pytest.fixture
def code(monkeypatch) -> Registry:
    """The code of this process: an empty registry, to declare tasks in."""
    fresh = Registry()
    for module in MODULES:
        monkeypatch.setattr(module, "registry", fresh)
    return fresh


def declare(name: str = "nightly", expression: str = "0 3 * * *", **values):
    def work(n: int = 1) -> None: ...

    return scheduled_task(name=name, schedule=cron(expression), **values)(work)


def release(code: Registry, number: str, settings, **task: object):
    """Let this process be the release *number*, which declares one task or none."""
    code.clear()
    settings.SCHEDULED_TASKS = settings.SCHEDULED_TASKS | {"RELEASE": number}
    if task:
        declare(**task)
    return sync_declared_tasks()


def seen(name: str) -> None:
    """Let a process of the release *name* be seen now."""
    key, now = Release.objects.get(name=name).key, live.database_now()
    row, _new = Presence.objects.get_or_create(
        identity=f"p {name}",
        defaults={"kind": "worker", "host": "h", "release": key, "started_at": read_now(), "last_seen_at": read_now()},
    )
    Presence.objects.filter(pk=row.pk).update(last_seen_at=now)


def the_task() -> ScheduledTask:
    return ScheduledTask.objects.get()


def test_a_row_says_which_release_has_written_it_and_unchanged_it_stays(code, settings):
    release(code, "1", settings, name="nightly")
    first = Release.objects.get(name="1")
    assert (the_task().declared_release, the_task().declared_at is not None) == (first.key, True)
    release(code, "2", settings, name="nightly")
    assert the_task().declared_release == first.key
    release(code, "2", settings, name="nightly", expression="0 4 * * *")
    assert the_task().declared_release == own.own_key()


def test_an_older_release_does_not_put_its_values_over_those_of_a_newer_one_that_runs(code, settings):
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings, name="nightly")
    with frozen_at(now + HOUR):
        release(code, "2", settings, name="nightly", expression="0 4 * * *")
    with frozen_at(now + HOUR + timedelta(minutes=1)):
        assert release(code, "1", settings, name="nightly").postponed == ["nightly"]
    with frozen_at(now + 2 * HOUR):
        seen("2")
        assert release(code, "1", settings, name="nightly").postponed == ["nightly"]
        assert the_task().expression == "0 4 * * *"


def test_a_complete_roll_back_ends_with_the_old_values(code, settings):
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings, name="nightly")
    with frozen_at(now + HOUR):
        release(code, "2", settings, name="nightly", expression="0 4 * * *")
        seen("2")
    with frozen_at(now + HOUR + timedelta(minutes=3)):
        result = release(code, "1", settings, name="nightly")
    assert (result.updated, result.postponed, the_task().expression) == (["nightly"], [], "0 3 * * *")
    with frozen_at(now + HOUR + timedelta(minutes=4)):
        assert release(code, "2", settings, name="nightly", expression="0 4 * * *").updated == ["nightly"]


def test_an_older_release_that_is_started_again_does_not_retire_what_only_the_newer_one_declares(code, settings):
    """Defect (b): a crash, or a roll-back of one pod, after the new release's ``migrate``."""
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings)
    with frozen_at(now + HOUR):
        release(code, "2", settings, name="nightly")
    with frozen_at(now + HOUR + timedelta(minutes=30)):  # the new pods need their time
        result = release(code, "1", settings)
    assert (result.retired, result.postponed, the_task().enabled) == ([], ["nightly"], True)
    with frozen_at(now + 3 * HOUR):  # rolled back for good
        assert release(code, "1", settings).retired == ["nightly"]
    assert (the_task().enabled, the_task().pause_code) == (False, PauseCode.NOT_IN_CODE)


def test_a_newer_release_retires_a_task_once_no_process_declares_it_any_more(code, settings):
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings, name="nightly")
    with frozen_at(now + HOUR):
        seen("1")
        result = release(code, "2", settings)
        assert (result.retired, result.postponed) == ([], ["nightly"])
    with frozen_at(now + HOUR + timedelta(minutes=1)):
        assert release(code, "2", settings).retired == ["nightly"]
        seen("2")
        assert release(code, "1", settings, name="nightly").postponed == ["nightly"], "the older one does not undo it"


def test_who_is_quicker_has_written_it_and_the_other_one_tries_again(code, settings, monkeypatch):
    """Between the look at the rows and the writing, the newer release may have written them."""
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings, name="nightly")
    real = sync_module.version_of
    monkeypatch.setattr(sync_module, "version_of", lambda row: real(row) + "x")
    with frozen_at(now + HOUR):
        assert release(code, "2", settings, name="nightly", expression="0 4 * * *").postponed == ["nightly"]
        assert release(code, "3", settings).postponed == ["nightly"]
    assert (the_task().expression, the_task().enabled) == ("0 3 * * *", True)


def test_another_service_on_the_same_database_keeps_its_tasks(code, settings):
    make_release("service", declared={"theirs": "digest"})
    release(code, "1", settings, name="theirs")
    assert release(code, "2", settings, name="ours").postponed == ["theirs"]


# --- names that change --------------------------------------------------------------------------------------------


def test_a_renamed_task_keeps_its_row_and_history(code, settings):
    release(code, "1", settings, name="Old name")
    row = the_task()
    execution = make_execution(row)
    result = release(code, "2", settings, name="new-name", formerly=("old name",))
    assert (result.created, result.updated, result.retired) == ([], ["new-name"], [])
    assert (the_task().pk, the_task().name, the_task().name_key) == (row.pk, "new-name", "new-name")
    assert Execution.objects.get(pk=execution.pk).task_id == row.pk
    again = sync_declared_tasks()
    assert (again.created, again.updated) == ([], [])


def test_an_older_release_does_not_make_the_old_name_again_and_after_a_roll_back_takes_it_back(code, settings):
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings, name="old")
    row = the_task()
    with frozen_at(now + HOUR):
        release(code, "2", settings, name="new", formerly=("old",))
        assert release(code, "1", settings, name="old").postponed
    assert the_task().name == "new"
    with frozen_at(now + HOUR + timedelta(minutes=5)):
        assert release(code, "1", settings, name="old").updated == ["old"]
    assert (the_task().pk, the_task().name) == (row.pk, "old")


def test_before_the_newer_release_has_renamed_it_the_older_one_makes_none(code, settings):
    now = read_now()
    with frozen_at(now):
        release(code, "1", settings)
    make_release("2", declared={"old": "formerly:new"}, first_seen_at=read_now() + HOUR)
    assert release(code, "1", settings, name="old").postponed == ["old"]


def test_a_former_name_that_another_declaration_has_today_is_left_to_that(code, settings):
    release(code, "1", settings, name="first")
    code.clear()
    function = declare("first")
    scheduled_task(name="second", schedule=cron("0 3 * * *"), formerly=("first",))(function)
    assert sync_declared_tasks().created == ["second"]
    assert set(ScheduledTask.objects.values_list("name", flat=True)) == {"first", "second"}
