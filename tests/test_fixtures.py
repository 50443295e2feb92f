"""``dumpdata`` and ``loaddata``: where they are loaded, ``migrate`` has made the declared tasks already."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from django_scheduled_tasks.lifecycle import Origin
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.database import ALIAS
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("options", [{}, {"use_natural_primary_keys": True, "use_natural_foreign_keys": True}])
def test_declared_tasks_and_their_history_are_loaded_over_those_that_migrate_made(tmp_path: Path, engine, options):
    declared = make_task(name="Nightly", origin=Origin.CODE, description="as it was")
    run_once(declared)
    make_task(name="by hand")
    written = StringIO()
    call_command("dumpdata", "django_scheduled_tasks", database=ALIAS, stdout=written, **options)
    path = tmp_path / "tasks.json"
    path.write_text(written.getvalue())

    Execution.objects.all().delete()
    ScheduledTask.objects.all().delete()
    make_task(name="Nightly", origin=Origin.CODE, description="as migrate makes it")
    call_command("loaddata", str(path), database=ALIAS, verbosity=0)
    assert dict(ScheduledTask.objects.values_list("name", "description")) == {"Nightly": "as it was", "by hand": ""}
    assert Execution.objects.get().task == ScheduledTask.objects.get(name="Nightly")


def test_a_task_that_has_run_where_it_is_loaded_is_not_thrown_away(tmp_path: Path, engine):
    make_task(name="Nightly", origin=Origin.CODE)
    path = tmp_path / "tasks.json"
    call_command("dumpdata", "django_scheduled_tasks.ScheduledTask", database=ALIAS, output=str(path))
    ScheduledTask.objects.all().delete()
    run_once(make_task(name="Nightly", origin=Origin.CODE))
    with pytest.raises(Exception, match="Nightly|unique|UNIQUE|Duplicate"):
        call_command("loaddata", str(path), database=ALIAS, verbosity=0)
    assert Execution.objects.get().task is not None
